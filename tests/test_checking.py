"""`check` with what stands beside the drafts: found configs, cleared wording, revisions. Also `init` and `baseline`."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date

import docx
import jsonschema
import pytest
from helpers import EFFICACY, git, run_cli, stub_screener

from mdclaims import cli
from mdclaims.cli import run
from mdclaims.findings import screening
from mdclaims.findings.cleared import CLEARED_NAME
from mdclaims.reports.schema_docs import check_schema

VALIDATOR = jsonschema.Draft202012Validator(check_schema())
CLAIM = "The laser [e90] relieves pain.\n"
ACTION = "Call our team [a90] today.\n"


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    def load(model, *, trust_model, settings):
        given = {entry.name: getattr(settings, entry.name) for entry in fields(settings)}
        return stub_screener(**{**given, "explain": False})

    monkeypatch.setattr(screening, "load", load)
    monkeypatch.setattr(cli.check, "today", lambda: date(2026, 6, 1))


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A repository with two drafts, committed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "a.md").write_text(f"# Heading\n\n{CLAIM}")
    (tmp_path / "drafts" / "b.txt").write_text(ACTION)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    return tmp_path


def check(capsys, *arguments, code=None):
    """Return (data, standard error) of a check in JSON."""
    found = run(["check", *arguments, "-f", "json"])
    captured = capsys.readouterr()
    if code is not None:
        assert found == code, captured.err
    data = json.loads(captured.out)
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    return data, captured.err


def findings(data):
    return [(finding["label"], finding["priority"]) for page in data["pages"] for finding in page["findings"]]


# --- config -----------------------------------------------------------------------------------------------------


def test_a_config_is_found_for_each_file(site, capsys):
    (site / "drafts" / "mdclaims.toml").write_text('[severities]\nefficacy_claim = "high"\n')
    (site / "mdclaims.toml").write_text('[severities]\nefficacy_claim = "normal"\n')
    (site / "c.md").write_text(CLAIM)
    data, err = check(capsys, ".", code=1)
    assert findings(data) == [("efficacy_claim", "normal"), ("efficacy_claim", "high"), ("call_to_action", "normal")]
    assert data["pages"][1]["findings"][0]["reason"].endswith(", high by your severities")
    assert data["settings"]["config"] == ["mdclaims.toml", "drafts/mdclaims.toml"]
    assert err == ""


def test_severities_count_for_fail_on(site, capsys):
    (site / "mdclaims.toml").write_text('severities = {efficacy_claim = "info", call_to_action = "info"}')
    check(capsys, ".", "--fail-on", "normal", code=0)
    check(capsys, ".", "--fail-on", "info", code=1)


def test_configs_that_one_report_cannot_state_are_told(site, capsys):
    (site / "drafts" / "mdclaims.toml").write_text('mode = "edit"')
    (site / "c.md").write_text(CLAIM)
    assert run(["check", "."]) == 2
    assert "c.md (no config) and drafts/a.md (drafts/mdclaims.toml) differ in mode" in capsys.readouterr().err
    data, _ = check(capsys, ".", "--mode", "screen", code=1)
    assert data["settings"]["mode"] == "screen"
    data, _ = check(capsys, "drafts", code=1)
    assert data["settings"]["mode"] == "edit"


def test_limits_hold_for_the_files_they_are_found_for(site, capsys):
    (site / "drafts" / "mdclaims.toml").write_text("max_bytes = 3")
    (site / "c.md").write_text(CLAIM)
    data, _ = check(capsys, ".", code=3)
    assert [error["source"] for error in data["errors"]] == ["drafts/a.md", "drafts/b.txt"]


def test_exclude_leaves_files_out_of_folders_and_reads_what_is_named(site, capsys):
    (site / "mdclaims.toml").write_text('exclude = ["*.md"]')
    data, _ = check(capsys, ".", code=1)
    assert [page["source"] for page in data["pages"]] == ["drafts/b.txt"]
    data, _ = check(capsys, "drafts/a.md", code=1)
    assert len(data["pages"]) == 1


def test_a_folder_that_is_left_out_whole_is_no_all_clear(site, capsys):
    (site / "mdclaims.toml").write_text('exclude = ["drafts/"]')
    data, _ = check(capsys, "drafts", code=3)
    assert "holds 2 files to read, all left out by exclude" in data["errors"][0]["error"]


def test_a_wrong_config_beside_a_draft_ends_the_run(site, capsys):
    (site / "drafts" / "mdclaims.toml").write_text("modus = 1")
    assert run(["check", "drafts/a.md"]) == 2
    assert "config drafts/mdclaims.toml has the unknown key 'modus'" in capsys.readouterr().err


def test_own_cues_are_shown_and_change_no_score(site, capsys):
    before, _ = check(capsys, "drafts/a.md", code=1)
    (site / "ours.toml").write_text('[our_words]\nabout = "Ours."\nphrases = ["laser (x|)"]\n')
    (site / "mdclaims.toml").write_text('cues = ["ours.toml"]')
    after, _ = check(capsys, "drafts/a.md", code=1)
    (cue,) = [cue for cue in after["pages"][0]["findings"][0]["cues"] if cue["name"] == "our_words"]
    assert (cue["text"], after["pages"][0]["text"][cue["start"] : cue["end"]]) == ("laser", "laser")
    assert [entry["scores"] for entry in after["pages"][0]["sentences"]] == [
        entry["scores"] for entry in before["pages"][0]["sentences"]
    ]


# --- suppressions -----------------------------------------------------------------------------------------------


def test_a_baseline_hides_what_is_there_and_shows_what_comes_after(site, capsys):
    assert run(["baseline", "drafts"]) == 0
    assert f"2 new entries in {CLEARED_NAME}" in capsys.readouterr().err
    data, err = check(capsys, "drafts", code=0)
    assert [page["summary"]["suppressed"] for page in data["pages"]] == [1, 1]
    assert err == ""
    (site / "drafts" / "a.md").write_text(f"# Heading\n\nNew words. {CLAIM}\nIt [e90] heals.\n")
    data, _ = check(capsys, "drafts", code=1)
    (new,) = [finding for page in data["pages"] for finding in page["findings"] if not finding["suppressed"]]
    assert data["pages"][0]["sentences"][new["sentence"]]["text"] == "It [e90] heals."


def test_a_baseline_somewhere_else(site, capsys):
    assert run(["baseline", "drafts", "-o", "drafts/known.toml"]) == 0
    assert f"check looks for the name {CLEARED_NAME}, not known.toml" in capsys.readouterr().err
    assert run(["baseline", "drafts", "-o", "other/known.toml"]) == 2
    assert "lies outside" in capsys.readouterr().err
    assert run(["baseline", "drafts", "gone.md"]) == 3
    assert run(["baseline", "-"]) == 2


def test_notes_go_to_standard_error_and_the_json(site, capsys):
    (site / "drafts" / "a.md").write_text(
        f"<!-- mdclaims: ok efficacy_claim, reason: x, until: 2026-05-31 -->\n{CLAIM}"
    )
    (site / CLEARED_NAME).write_text(
        '[[cleared]]\nlabel = "efficacy_claim"\ntext = "Nothing."\nscope = "everywhere"\nreason = "x"\n'
    )
    data, err = check(capsys, ".", code=1)
    assert [(note["source"], note["kind"]) for note in data["notes"]] == [
        ("drafts/a.md:1", "expired"),
        (f"{CLEARED_NAME}:1", "unused"),
    ]
    assert err.splitlines() == [
        "mdclaims: drafts/a.md:1: expired on 2026-05-31 and is not obeyed; review it, or delete it",
        f"mdclaims: {CLEARED_NAME}:1: does nothing: its text stands nowhere; delete it, or mend it",
    ]
    data, _ = check(capsys, "drafts/a.md", code=1)
    assert [note["kind"] for note in data["notes"]] == ["expired"]


def test_suppressed_findings_are_folded_away_with_their_reason(site, capsys):
    (site / "drafts" / "a.md").write_text(f"{CLAIM}\nThe laser [e90] always relieves pain.\n")
    (site / CLEARED_NAME).write_text(
        f'[[cleared]]\nlabel = "{EFFICACY}"\ntext = "{CLAIM.strip()}"\nscope = "everywhere"\nreason = "x"\n'
        'reference = "MED-1"\nuntil = 2027-01-31\n'
    )
    assert run(["check", "drafts/a.md"]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 finding is not counted: cleared: MED-1, until 2027-01-31" in shown
    assert "close to cleared wording MED-1: “always” is new" in shown
    assert "1 thing to look at first." in shown


def test_every_format_says_what_does_not_count(site, capsys):
    (site / "drafts" / "a.md").write_text(CLAIM)
    (site / CLEARED_NAME).write_text(
        f'[[cleared]]\nlabel = "{EFFICACY}"\ntext = "{CLAIM.strip()}"\nscope = "everywhere"\nreason = "x"\n'
        'reference = "MED-1"\nuntil = 2027-01-31\n'
    )
    told = "cleared: MED-1, until 2027-01-31"
    for form in ("sarif", "csv", "junit"):
        assert run(["check", "drafts/a.md", "-f", form]) == 0
        shown = capsys.readouterr().out
        assert told in shown, form
        assert "<failure" not in shown
    run(["check", "drafts/a.md", "-f", "sarif"])
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": told}]


def test_standard_input_obeys_too(site):
    result = run_cli("check", "-", "--as", "markdown", "-f", "json", cwd=site, data=b"<!-- mdclaims: ok x -->\nHello.")
    assert [note["kind"] for note in json.loads(result.stdout)["notes"]] == ["malformed"]


# --- what changed -----------------------------------------------------------------------------------------------


def test_changed_since_shows_only_what_is_new_or_reworded(site, capsys):
    (site / "drafts" / "a.md").write_text(f"# Heading\n\n{CLAIM}\nIt [e90] heals.\n")
    (site / "drafts" / "c.html").write_text("<p>Everyone [s90] feels well.</p>")
    data, err = check(capsys, ".", "--changed-since", "HEAD", code=1)
    assert [page["source"] for page in data["pages"]] == ["drafts/a.md", "drafts/c.html"]
    assert [label for label, _ in findings(data)] == ["efficacy_claim", "safety_claim"]
    assert data["pages"][0]["changes"] == {"since": "HEAD", "new": [2], "reworded": [], "gone": []}
    assert err == "mdclaims: 1 input is unchanged since HEAD and not shown\n"


def test_changed_since_names_what_is_gone(site, capsys):
    git(site, "rm", "-q", "drafts/b.txt")
    (site / "drafts" / "a.md").write_text("# Heading\n\nThe laser [e90] relieves back pain.\n")
    data, err = check(capsys, "drafts", "--changed-since", "HEAD", code=1)
    assert data["pages"][0]["changes"]["reworded"] == [{"sentence": 1, "before": CLAIM.strip()}]
    assert data["notes"] == [{"source": "drafts/b.txt", "kind": "gone", "note": "is gone since HEAD"}]
    assert "drafts/b.txt: is gone since HEAD" in err


def test_changed_since_follows_a_new_name_and_format(site, capsys):
    git(site, "mv", "drafts/b.txt", "drafts/b.md")
    data, _ = check(capsys, ".", "--changed-since", "HEAD", code=0)
    assert [(page["source"], page["changes"]["new"]) for page in data["pages"]] == [("drafts/b.md", [])]


def test_nothing_changed(site, capsys):
    data, err = check(capsys, ".", "--changed-since", "HEAD", code=0)
    assert data["pages"] == []
    assert err == "mdclaims: 2 inputs are unchanged since HEAD and not shown\n"


def test_changed_since_needs_a_repository_and_a_revision(site, tmp_path_factory, capsys):
    other = tmp_path_factory.mktemp("other") / "a.md"
    other.write_text(CLAIM)
    for arguments in ([str(other), "--changed-since", "HEAD"], ["drafts", "--changed-since", "nowhere"]):
        assert run(["check", *arguments]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_against_compares_two_formats(site, capsys):
    document = docx.Document()
    document.add_heading("Heading", 1)
    document.add_paragraph(CLAIM.strip())
    document.add_paragraph("We stop [a90] here.")
    document.save(site / "old.docx")
    (site / "drafts" / "a.md").write_text(f"# Heading\n\n{CLAIM}\nIt [e90] heals.\n")
    data, _ = check(capsys, "drafts/a.md", "--against", "old.docx", code=1)
    (page,) = data["pages"]
    assert [page["sentences"][n]["text"] for n in page["changes"]["new"]] == ["It [e90] heals."]
    assert {"text": "We stop [a90] here.", "labels": ["call_to_action"]} in page["changes"]["gone"]
    assert run(["check", "drafts/a.md", "--against", "old.docx"]) == 1
    shown = capsys.readouterr().out
    assert "It [e90] heals." in shown
    assert CLAIM.strip() not in shown
    assert "gone: “We stop [a90] here.” (Asks the reader to act)" in " ".join(shown.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["drafts", "--against", "drafts/a.md"],
        ["drafts/a.md", "--against", "drafts/b.txt", "--changed-since", "HEAD"],
        ["-", "--changed-since", "HEAD"],
    ],
)
def test_comparisons_that_make_no_sense(site, capsys, arguments):
    assert run(["check", *arguments]) == 2
    assert capsys.readouterr().err.startswith("mdclaims: --")


def test_an_old_file_that_cannot_be_read(site, capsys):
    data, _ = check(capsys, "drafts/a.md", "--against", "gone.md", code=3)
    assert "cannot be compared: gone.md cannot be read" in data["errors"][0]["error"]


# --- init -------------------------------------------------------------------------------------------------------


def test_init_writes_a_config_that_check_finds(site, capsys):
    assert run(["init"]) == 0
    assert capsys.readouterr().err == "mdclaims: wrote mdclaims.toml\n"
    data, _ = check(capsys, "drafts", code=1)
    assert data["settings"]["config"] == ["mdclaims.toml"]


def test_init_never_writes_over_a_file(site, capsys):
    (site / "mdclaims.toml").write_text("mine = 1")
    assert run(["init"]) == 2
    assert "mdclaims.toml is there already" in capsys.readouterr().err
    assert (site / "mdclaims.toml").read_text() == "mine = 1"
    assert run(["init", "nowhere"]) == 2
    assert run(["init", "drafts"]) == 0
    assert (site / "drafts" / "mdclaims.toml").exists()


@pytest.mark.e2e
def test_the_whole_way_of_an_editor(site):
    """With the shipped model, in processes of its own."""
    page = "<h1>Worn knees</h1>\n<p>Shockwave therapy helps worn knees to heal.</p>\n"
    (site / "page.html").write_text(page)
    first = run_cli("check", "page.html", cwd=site)
    assert first.returncode == 1
    assert run_cli("baseline", "page.html", cwd=site).returncode == 0
    assert run_cli("check", "page.html", cwd=site).returncode == 0
    (site / "page.html").write_text(page.replace("<h1>", "<h1>\n").replace("helps worn", "helps\n worn"))
    assert run_cli("check", "page.html", cwd=site).returncode == 0
    (site / "page.html").write_text(page.replace("to heal", "to heal in days"))
    again = run_cli("check", "page.html", cwd=site)
    assert again.returncode == 1
    assert b"unused" not in again.stderr
    assert b"its sentence is gone from page.html" in again.stderr
