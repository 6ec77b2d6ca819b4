"""The file of cleared wording: its format, where it is found, and what a baseline adds to it."""

from __future__ import annotations

import os
from datetime import date

import pytest
from helpers import stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.errors import UsageError
from mdclaims.findings.cleared import BASELINE_REASON, CLEARED_NAME, ClearedFinder, baseline, read_cleared
from mdclaims.reading import read_bytes
from mdclaims.reading.page import replace_unencodable

EVERYWHERE = '[[cleared]]\nlabel = "efficacy_claim"\ntext = "It heals."\nscope = "everywhere"\nreason = "x"\n'
HERE = EVERYWHERE.replace('scope = "everywhere"', 'file = "a.md"\nfingerprint = "0123456789abcdef"')


def write(folder, text, name=CLEARED_NAME):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_entry(tmp_path):
    text = EVERYWHERE + 'until = 2027-01-31\nowner = "Ann"\nreference = "M-1"\nevidence = "e.pdf"\n'
    (entry,) = read_cleared(write(tmp_path, "# a comment\n\n" + text)).entries
    assert entry.where == f"{tmp_path / CLEARED_NAME}:3"
    assert (entry.name, entry.text, entry.scope) == ("efficacy_claim", "It heals.", "everywhere")
    assert (entry.until, entry.owner, entry.reference, entry.evidence) == (date(2027, 1, 31), "Ann", "M-1", "e.pdf")


def test_here_is_the_default(tmp_path):
    (entry,) = read_cleared(write(tmp_path, HERE)).entries
    assert (entry.scope, entry.file, entry.fingerprint, entry.until) == ("here", "a.md", "0123456789abcdef", None)


def test_a_date_may_be_a_text(tmp_path):
    (entry,) = read_cleared(write(tmp_path, EVERYWHERE + 'until = "2027-01-31"\n')).entries
    assert entry.until == date(2027, 1, 31)


def test_entries_without_headers_of_their_own_are_numbered(tmp_path):
    inline = '{label = "efficacy_claim", text = "x", scope = "everywhere"}'
    entries = read_cleared(write(tmp_path, f"cleared = [{inline}, {inline}]")).entries
    assert [entry.where.rpartition(", ")[2] for entry in entries] == ["entry 1", "entry 2"]


def test_no_entry(tmp_path):
    assert read_cleared(write(tmp_path, "")).entries == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "has the unknown key 'x'"),
        ("cleared = 3", "cleared must be a list of tables"),
        ("cleared = [3]", "cleared must be a list of tables"),
        (EVERYWHERE + "why = 'x'", ":1 has the unknown key 'why'"),
        (EVERYWHERE + "owner = 3", ":1: owner must be a text"),
        (EVERYWHERE + EVERYWHERE.replace("efficacy_claim", "x"), ":6: label must be one of"),
        (EVERYWHERE.replace("everywhere", "there"), "scope must be here or everywhere"),
        (EVERYWHERE.replace('scope = "everywhere"\n', ""), "scope here needs file"),
        (HERE.replace("0123456789abcdef", " "), "scope here needs fingerprint"),
        (EVERYWHERE.replace("It heals.", ""), "scope everywhere needs text"),
        (EVERYWHERE + "until = 3", "until must be a date"),
        (EVERYWHERE + 'until = "soon"', "until must be a date"),
        (EVERYWHERE + "until = 2027-01-31T10:00:00", "until must be a date"),
        ("[[cleared]", "is not valid TOML"),
    ],
)
def test_a_wrong_file_names_entry_and_key(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_cleared(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


# --- finding ----------------------------------------------------------------------------------------------------


def test_it_is_found_upwards_and_serves_the_whole_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    write(tmp_path, EVERYWHERE)
    finder = ClearedFinder()
    found = finder.cleared_for(tmp_path / "a" / "b" / "c.md")
    assert str(found.path) == CLEARED_NAME
    assert found.name_of(tmp_path / "a" / "b" / "c.md") == "a/b/c.md"
    assert finder.cleared_for(tmp_path / "d.md") is found
    assert finder.cleared_for(None) is found


def test_it_is_not_looked_for_outside_the_repository(tmp_path):
    write(tmp_path, EVERYWHERE)
    (tmp_path / "a" / ".git").mkdir(parents=True)
    assert ClearedFinder().cleared_for(tmp_path / "a" / "c.md") is None


# --- baseline ---------------------------------------------------------------------------------------------------


def results(tmp_path, text, name="draft.txt"):
    page = read_bytes(text.encode(), source=str(tmp_path / name), format="text")
    return [stub_screener().screen_page(page)]


def test_a_baseline_has_an_entry_for_each_finding(tmp_path):
    text, count = baseline(results(tmp_path, "It [e90] “heals” [s90].\n\nWe close.\n"), tmp_path / CLEARED_NAME)
    assert count == 2
    entries = read_cleared(write(tmp_path, text)).entries
    assert {(entry.name, entry.file, entry.reason) for entry in entries} == {
        ("efficacy_claim", "draft.txt", BASELINE_REASON),
        ("safety_claim", "draft.txt", BASELINE_REASON),
    }


def test_a_second_baseline_keeps_what_is_there_and_adds_what_is_new(tmp_path):
    path = tmp_path / CLEARED_NAME
    first, _ = baseline(results(tmp_path, "It [e90] heals.\n"), path)
    write(tmp_path, first.replace(BASELINE_REASON, "approved by Ann") + "# my note")
    second, count = baseline(results(tmp_path, "It [e90] heals.\n\nCall [a90] us.\n"), path)
    assert count == 1
    assert second.startswith(path.read_text())
    assert [entry.reason for entry in read_cleared(write(tmp_path, second)).entries] == [
        "approved by Ann",
        BASELINE_REASON,
    ]
    assert baseline(results(tmp_path, "It [e90] heals.\n\nCall [a90] us.\n"), path) == (second, 0)


def test_a_file_whose_name_is_no_utf8_is_found_again(tmp_path):
    name = os.fsdecode(b"caf\xe9.txt")
    text, count = baseline(results(tmp_path, "It [e90] heals.\n", replace_unencodable(name)), tmp_path / CLEARED_NAME)
    assert count == 1
    cleared = read_cleared(write(tmp_path, text))
    assert [entry.file for entry in cleared.entries] == [cleared.name_of(tmp_path / name)]


def test_a_baseline_cannot_serve_what_lies_outside_its_folder(tmp_path):
    with pytest.raises(UsageError, match="lies outside"):
        baseline(results(tmp_path, "It [e90] heals.\n"), tmp_path / "sub" / CLEARED_NAME)


def test_a_baseline_never_writes_over_another_file(tmp_path):
    path = write(tmp_path, "mode = 'edit'")
    with pytest.raises(UsageError, match="unknown key 'mode'"):
        baseline(results(tmp_path, "It [e90] heals.\n"), path)


@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\x7f"), max_size=40).filter(
        lambda t: t.count("\x7f") < 3
    )
)
def test_any_sentence_can_be_written_and_read_again(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("any")
    found = results(folder, f"It [e90] {text}")
    written, count = baseline(found, folder / CLEARED_NAME)
    entries = read_cleared(write(folder, written)).entries
    assert len(entries) == count >= 1
    for entry, finding in zip(entries, found[0].findings, strict=True):
        assert entry.text == " ".join(found[0].sentences[finding.sentence].sentence.text.split())
