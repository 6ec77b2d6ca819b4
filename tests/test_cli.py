"""The command line: exit codes, options, where the output goes, and that errors are one line."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

import docx
import pytest
from fpdf import FPDF
from helpers import (
    ACTION,
    EFFICACY,
    LABELS,
    ROOT,
    STIGMA,
    TINY_CORPUS,
    environment,
    line,
    run_cli,
    run_python,
    stub_screener,
    tiny_screener,
    write_lines,
)
from selectolax.lexbor import LexborHTMLParser

from mdclaims import cli
from mdclaims.cli import run
from mdclaims.errors import ExitCode
from mdclaims.findings import screening
from mdclaims.model import evaluation

CLAIM = "The laser [e90] relieves pain.\n"
NOTHING = "We close early on Mondays.\n"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


REAL_LOAD = screening.load


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    """Use the stub model."""

    def load(model, *, trust_model, settings):
        return stub_screener(
            mode=settings.mode, labels=settings.labels, limits=settings.limits, jurisdictions=settings.jurisdictions
        )

    monkeypatch.setattr(screening, "load", load)


@pytest.fixture
def tiny_model(stub, monkeypatch):
    """Use a model that can say what drove its scores."""

    def load(model, *, trust_model, settings):
        return tiny_screener(mode=settings.mode, labels=settings.labels, explain=settings.explain)

    monkeypatch.setattr(screening, "load", load)


@pytest.fixture
def real_model(stub, monkeypatch):
    """Use the model that a user gets."""
    monkeypatch.setattr(screening, "load", REAL_LOAD)


@pytest.fixture
def drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claim.txt").write_text(CLAIM, encoding="utf-8")
    (tmp_path / "nothing.txt").write_text(NOTHING, encoding="utf-8")
    (tmp_path / "hidden.html").write_text("<p>Hello there.</p><p hidden>Psst [e90] heals.</p>", encoding="utf-8")
    return tmp_path


def give_stdin(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def one_line(err: str) -> str:
    """Return the only line of standard error."""
    lines = err.splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("mdclaims: ")
    return lines[0]


# --- exit codes -------------------------------------------------------------------------------------------------


def test_exit_codes_are_numbers_of_the_contract():
    assert {code.name: code.value for code in ExitCode} == {
        "OK": 0, "FINDINGS": 1, "USAGE": 2, "UNREADABLE": 3, "INTERNAL": 4, "INTERRUPTED": 130,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing.txt"], 0),
        (["claim.txt"], 1),
        (["nothing.txt", "claim.txt"], 1),
        (["claim.txt", "--exit-zero"], 0),
        (["claim.txt", "--fail-on", "never"], 0),
        (["claim.txt", "--fail-on", "info"], 1),
        (["claim.txt", "--label", STIGMA], 0),
        (["claim.txt", "gone.txt"], 3),
        (["nothing.txt", "gone.txt"], 3),
        (["gone.txt", "--exit-zero"], 3),
        (["gone.txt", "--fail-on", "never"], 3),
        (["gone.txt", "--output", "claim.txt/x"], 2),
        (["claim.txt", "--output", "claim.txt/x"], 2),
        (["gone.txt", "--mode", "strict"], 2),
        (["gone.txt", "--config", "gone.toml"], 2),
        (["gone.txt", "http://a.example"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_exit_code(drafts, capsys, arguments, code):
    assert run(["check", *arguments]) == code


@pytest.mark.parametrize(
    "arguments", [["gone.txt", "nothing.txt"], ["claim.txt"], ["nothing.txt", "--output", "claim.txt/x"]]
)
def test_an_internal_error_beats_every_other_code(drafts, capsys, monkeypatch, arguments):
    def fail(*_, **__):
        raise RuntimeError("the roof is on fire")

    monkeypatch.setattr(cli.check.Shown, "write", fail)
    assert run(["check", *arguments]) == 4
    message = one_line(capsys.readouterr().err)
    assert "internal error (RuntimeError: the roof is on fire)" in message
    assert "--debug" in message


def test_debug_shows_the_traceback(drafts, capsys, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("the roof is on fire")

    monkeypatch.setattr(cli.check.Shown, "write", fail)
    assert run(["check", "claim.txt", "--debug"]) == 4
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("mdclaims: internal error")


def test_debug_shows_the_traceback_of_usage_errors_too(drafts, capsys):
    assert run(["check", "--debug"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("mdclaims: no input")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (SystemExit(7), 7)])
def test_what_ends_the_program_is_no_internal_error(capsys, monkeypatch, error, code):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(cli, "app", stop)
    try:
        found = run(["check", "x.txt"])
    except SystemExit as ended:
        found = ended.code
    assert found == code
    assert capsys.readouterr().err == ""


# --- usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["--help"], ["check", "--help"], ["corpus", "--help"], ["train", "--help"], ["evaluate", "--help"]]
)
def test_help(capsys, arguments):
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert "Usage: mdclaims" in captured.out
    assert captured.err == ""


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"mdclaims {installed_version('mdclaims')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bad"], "No such option"),
        (["check", "--bad"], "No such option"),
        (["chekc"], "No such command"),
        (["corpus", "bad"], "No such command"),
        (["check", "x.txt", "--mode", "strict"], "'strict' is not one of"),
        (["check", "x.txt", "--format", "pdf"], "'pdf' is not one of"),
        (["check", "x.txt", "--fail-on", "always"], "'always' is not one of"),
        (["check", "x.txt", "--jurisdiction", "ca"], "'ca' is not one of"),
        (["check", "-", "--as", "odt"], "'odt' is not one of"),
        (["check", "x.txt", "--output"], "requires an argument"),
        (["evaluate"], "Missing argument"),
    ],
)
def test_wrong_usage_of_options(capsys, arguments, message):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check"], "no input; pass files, folders, or - for standard input"),
        (["check", "claim.txt", "--label", "efficacy"], "unknown label 'efficacy'; choose from efficacy_claim, "),
        (["check", "http://clinic.example/"], "http://clinic.example/ is an address; check reads files"),
        (["check", "https://clinic.example"], "is an address"),
        (["check", "-", "claim.txt", "-"], "standard input (-) can be read only once"),
        (["evaluate", str(TINY_CORPUS), "--split", "training"], "unknown split 'training'"),
    ],
)
def test_wrong_usage_is_one_line(drafts, capsys, arguments, message):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert message in one_line(captured.err)
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [[], ["corpus"]])
def test_no_command_shows_the_help(capsys, arguments):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert "Usage: mdclaims" in captured.out + captured.err


@pytest.mark.parametrize("name", ["www.clinic.example.html", "www.clinic.example/"])
def test_an_existing_file_is_no_address(drafts, capsys, name):
    folder = drafts / "www.clinic.example"
    folder.mkdir()
    for file in (drafts / "www.clinic.example.html", folder / "index.html"):
        file.write_text("<p>The laser [e90] heals.</p>")
    assert run(["check", name]) == 1


def test_a_text_instead_of_a_path_is_not_an_internal_error(drafts, capsys):
    assert run(["check", "The laser relieves pain and clears the skin. " * 10]) == 3


# --- inputs -----------------------------------------------------------------------------------------------------


def test_a_missing_file_beside_a_good_one(drafts, capsys):
    assert run(["check", "gone.txt", "claim.txt"]) == 3
    captured = capsys.readouterr()
    assert "The laser [e90] relieves pain." in captured.out
    assert "not read: gone.txt: does not exist; check the path" in captured.out.splitlines()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b" \n ", "is empty"),
        ("program.txt", bytes(range(256)), "binary"),
        ("paper.txt", b"%PDF-1.7 x", "is a PDF"),
        ("draft.doc", b"x", "unknown suffix '.doc'"),
        ("draft.docx", b"x", "is no Word document"),
        ("paper.pdf", b"x", "is damaged or no PDF"),
        ("script.html", b"<script>x</script>", "holds no text"),
    ],
)
def test_an_unreadable_file_is_reported_and_the_others_are_read(drafts, capsys, name, data, message):
    (drafts / name).write_bytes(data)
    assert run(["check", "--format", "json", name, "claim.txt"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert [page["source"] for page in report["pages"]] == ["claim.txt"]
    assert [error["source"] for error in report["errors"]] == [name]
    assert message in report["errors"][0]["error"]


def test_a_folder_is_read_by_suffix(drafts, capsys):
    (drafts / "sub").mkdir()
    for name in ("sub/b.md", "sub/a.HTM", "sub/c.csv", "sub/d", "sub/~$b.docx"):
        (drafts / name).write_text("Hello there.")
    assert run(["check", ".", "--format", "json", "--exit-zero"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [page["source"] for page in report["pages"]] == [
        "claim.txt",
        "hidden.html",
        "nothing.txt",
        "sub/a.HTM",
        "sub/b.md",
    ]
    assert report["errors"] == []


def test_an_empty_folder_is_an_unreadable_input(drafts, capsys):
    (drafts / "empty").mkdir()
    assert run(["check", "empty", "claim.txt", "--format", "json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert len(report["pages"]) == 1
    assert [error["source"] for error in report["errors"]] == ["empty"]
    assert "holds no file that check reads" in report["errors"][0]["error"]


@pytest.mark.parametrize(
    ("format", "data", "kinds"),
    [
        ("text", b"# The laser [e90] heals.", ["paragraph"]),
        ("markdown", b"# The laser [e90] heals", ["heading"]),
        ("html", b"<h1>The laser [e90] heals</h1>", ["heading"]),
    ],
)
def test_standard_input(drafts, capsys, monkeypatch, format, data, kinds):
    give_stdin(monkeypatch, data)
    assert run(["check", "-", "--as", format, "--format", "json"]) == 1
    (page,) = json.loads(capsys.readouterr().out)["pages"]
    assert page["source"] == "standard input"
    assert [sentence["block"]["kind"] for sentence in page["sentences"]] == kinds


def test_standard_input_is_plain_text_by_default(drafts, capsys, monkeypatch):
    give_stdin(monkeypatch, b"<p>The laser [e90] heals.")
    assert run(["check", "-"]) == 1
    assert "<p>The laser [e90] heals." in capsys.readouterr().out


def test_empty_standard_input_is_unreadable(drafts, capsys, monkeypatch):
    give_stdin(monkeypatch, b"")
    assert run(["check", "-", "claim.txt"]) == 3
    out = capsys.readouterr().out
    assert "not read: standard input: is empty; check the file, or save the page again" in out.splitlines()
    assert "[e90]" in out


def test_inputs_are_reported_in_the_order_given(drafts, capsys, monkeypatch):
    give_stdin(monkeypatch, b"Hello there.")
    assert run(["check", "nothing.txt", "-", "claim.txt", "--format", "json"]) == 1
    pages = json.loads(capsys.readouterr().out)["pages"]
    assert [page["source"] for page in pages] == ["nothing.txt", "standard input", "claim.txt"]


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "labels"), [("screen", [[EFFICACY], [EFFICACY]]), ("balanced", [[EFFICACY], []]), ("edit", [[], []])]
)
def test_mode(drafts, capsys, mode, labels):
    (drafts / "a.txt").write_text("It [e70] heals. They [e30] help.")
    run(["check", "a.txt", "--mode", mode, "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["mode"] == mode
    assert [sentence["labels"] for sentence in report["pages"][0]["sentences"]] == labels


def test_labels_can_be_repeated(drafts, capsys):
    (drafts / "a.txt").write_text("It [e90] heals. They [s90] are safe. Call [a90] now.")
    assert run(["check", "a.txt", "-l", ACTION, "-l", EFFICACY, "-f", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["labels"] == [EFFICACY, ACTION]
    assert [finding["label"] for finding in report["pages"][0]["findings"]] == [EFFICACY, ACTION]


def test_skip_hidden_leaves_out_findings_in_hidden_text(drafts, capsys):
    assert run(["check", "hidden.html", "--format", "json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["pages"][0]["findings"]) == 1
    assert run(["check", "hidden.html", "--format", "json", "--skip-hidden"]) == 0
    (page,) = json.loads(capsys.readouterr().out)["pages"]
    assert page["findings"] == []
    assert len(page["sentences"]) == 2


def test_skip_hidden_holds_for_the_terminal_too(drafts, capsys):
    assert run(["check", "hidden.html", "--skip-hidden"]) == 0
    out = capsys.readouterr().out
    assert "Says it works" not in out
    assert "Nothing found in the text read." in out


def test_the_text_report_is_the_default(drafts, capsys):
    run(["check", "claim.txt"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Mode: balanced ")
    assert any("Says it works: clear" in text for text in lines)


def test_html(drafts, capsys):
    assert run(["check", "claim.txt", "--format", "html"]) == 1
    out = capsys.readouterr().out
    assert out.lstrip().lower().startswith("<!doctype html>")
    assert "The laser [e90] relieves pain." in out


@pytest.mark.usefixtures("tiny_model")
@pytest.mark.parametrize("columns", ["50", "100"])
def test_explain_shows_what_drove_each_finding(drafts, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert run(["check", "claim.txt", "--mode", "screen", "-f", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)["pages"][0]["findings"]
    assert findings
    assert run(["check", "claim.txt", "--mode", "screen"]) == 1
    assert "for it" not in capsys.readouterr().out
    assert run(["check", "claim.txt", "--mode", "screen", "--explain"]) == 1
    out = capsys.readouterr().out
    assert " ".join(out.split()).count(": for it ") == len(findings)
    assert re.search(r"“relieves”\s\+\d", out)
    assert max(map(len, out.splitlines())) <= int(columns)


@pytest.mark.usefixtures("tiny_model")
def test_explain_holds_for_json(drafts, capsys):
    assert run(["check", "claim.txt", "--mode", "screen", "-f", "json"]) == 1
    plain = json.loads(capsys.readouterr().out)
    assert run(["check", "claim.txt", "--mode", "screen", "-f", "json", "--explain"]) == 1
    explained = json.loads(capsys.readouterr().out)
    (found,) = (page["findings"] for page in explained["pages"])
    assert found
    assert all(finding["explanation"]["contributions"] for finding in found)
    for finding in found:
        finding["explanation"] = None
    assert explained == plain


@pytest.mark.usefixtures("tiny_model")
@pytest.mark.parametrize("option", [[], ["--explain"]])
def test_html_always_says_why(drafts, capsys, option):
    (drafts / "other.txt").write_text("Call us today to book your visit.")
    arguments = ["check", "claim.txt", "other.txt", "nothing.txt", "--mode", "screen"]
    assert run([*arguments, "-f", "json"]) == 1
    findings = [page["findings"] for page in json.loads(capsys.readouterr().out)["pages"]]
    assert findings[0]
    assert findings[1]
    assert run([*arguments, "-f", "html", *option]) == 1
    tree = LexborHTMLParser(capsys.readouterr().out)
    entries = tree.css(".claim")
    assert len(entries) == sum(map(len, findings))
    assert all(len(entry.css("details.why")) == 1 for entry in entries)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_a_pipe_gets_no_escape_codes(drafts, capsys, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    run(["check", "claim.txt", "gone.txt"])
    captured = capsys.readouterr()
    assert "[e90]" in captured.out
    assert "\x1b" not in captured.out + captured.err


def test_colour_can_be_forced(drafts, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    run(["check", "claim.txt"])
    assert "\x1b[" in capsys.readouterr().out


def test_the_width_of_the_terminal_is_kept(drafts, capsys, monkeypatch):
    (drafts / "a.txt").write_text("The old mill on the river has two rooms for patients. " * 5)
    monkeypatch.setenv("COLUMNS", "50")
    run(["check", "a.txt"])
    lines = capsys.readouterr().out.splitlines()
    assert 40 < max(map(len, lines)) <= 50


@pytest.mark.parametrize(
    ("format", "count"),
    [("sarif", b'"ruleId"'), ("csv", b"\r\nfinding,"), ("junit", b"  fingerprint: ")],
)
@pytest.mark.parametrize("to_file", [True, False])
def test_formats_for_programs_hold_all_inputs(drafts, capsysbinary, format, count, to_file):
    (drafts / "again.txt").write_bytes("Läser [e90] “heals” 痛み.\r\n".encode())
    arguments = ["check", "claim.txt", "nothing.txt", "again.txt", "gone.txt", "--format", format]
    assert run([*arguments, *(["-o", "report.out"] if to_file else [])]) == 3
    out = capsysbinary.readouterr().out
    data = (drafts / "report.out").read_bytes() if to_file else out
    assert (out == b"") == to_file
    # Read by their names, without a word being changed on the way.
    assert data.count(count) == 2
    assert "Läser [e90] “heals” 痛み.".encode() in data
    for name in (b"claim.txt", b"again.txt", b"nothing.txt", b"gone.txt", b"does not exist; check the path"):
        assert name in data
    assert (b"\r" in data.replace(b"\r\n", b"")) is False
    assert (b"\r\n" in data) == (format == "csv")


def test_sarif_addresses_are_relative_to_the_folder_of_the_run(drafts, capsys):
    (drafts / "sub").mkdir()
    (drafts / "sub" / "b.txt").write_text(CLAIM)
    assert run(["check", str(drafts / "sub"), "claim.txt", "--format", "sarif"]) == 1
    artifacts = json.loads(capsys.readouterr().out)["runs"][0]["artifacts"]
    assert [artifact["location"]["uri"] for artifact in artifacts] == ["sub/b.txt", "claim.txt"]


def word_file(text):
    document = docx.Document()
    document.add_paragraph(text)
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def pdf_file(*texts):
    pdf = FPDF()
    pdf.set_font("helvetica", size=11)
    for text in texts:
        pdf.add_page()
        pdf.cell(0, 6, text)
    return bytes(pdf.output())


def test_word_files_and_pdfs_of_a_folder(drafts, capsys):
    folder = drafts / "leaflets"
    folder.mkdir()
    (folder / "a.docx").write_bytes(word_file("The laser [e90] heals."))
    (folder / "b.PDF").write_bytes(pdf_file("Hello there.", "The wave [e80] heals."))
    (folder / "c.pdf").write_bytes(b"%PDF-1.7 broken")
    assert run(["check", "leaflets", "-f", "json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert [(page["source"], page["encoding"]) for page in report["pages"]] == [
        (str(Path("leaflets/a.docx")), "docx"),
        (str(Path("leaflets/b.PDF")), "pdf"),
    ]
    word, pdf = ([entry for entry in page["sentences"] if entry["labels"]] for page in report["pages"])
    assert [(entry["block"]["page"], entry["source_start"], entry["source_end"]) for entry in word] == [(None, 0, 22)]
    assert [(entry["block"]["page"], entry["source_start"]) for entry in pdf] == [(2, None)]
    assert report["errors"][0]["error"] == "is damaged or no PDF; save or export it again"


def test_the_reports_name_the_pages_of_a_pdf(drafts, capsys):
    (drafts / "b.pdf").write_bytes(pdf_file("Hello there. Good day.", "The wave [e80] heals."))
    assert run(["check", "b.pdf"]) == 1
    out = capsys.readouterr().out
    assert re.findall(r"^ *(page \d|Hello|.*heals)", out, re.MULTILINE)[0] == "page 1"
    assert out.index("page 1") < out.index("Hello") < out.index("page 2") < out.index("heals")
    assert run(["check", "b.pdf", "-f", "html"]) == 1
    tree = LexborHTMLParser(capsys.readouterr().out)
    (claim,) = tree.css(".claim")
    assert " ".join(claim.css("dd")[-1].text().split()) == "paragraph, page 2"


@pytest.mark.parametrize("format", ["docx", "pdf"])
def test_documents_on_standard_input(drafts, capsys, monkeypatch, format):
    make = {"docx": word_file, "pdf": pdf_file}[format]
    give_stdin(monkeypatch, make("The laser [e90] heals."))
    assert run(["check", "-", "--as", format]) == 1
    assert "The laser [e90] heals." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("format", "module", "extra"),
    [("docx", "mdclaims.reading.word_reader", "word"), ("pdf", "pypdfium2", "pdf")],
)
def test_a_missing_extra_is_wrong_usage(drafts, capsys, monkeypatch, format, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    (drafts / f"a.{format}").write_bytes(b"x")
    assert run(["check", f"a.{format}"]) == 2
    assert f'pip install "mdclaims[{extra}]"' in one_line(capsys.readouterr().err)


def test_the_help_loads_no_reader():
    script = (
        "import sys; from mdclaims.cli import run; run(['check', '--help']);"
        "print(sorted({'docx', 'lxml', 'pypdfium2', 'spacy', 'selectolax'} & set(sys.modules)))"
    )
    assert run_python("-c", script).stdout.splitlines()[-1] == b"[]"


# --- output -----------------------------------------------------------------------------------------------------


def test_output_to_a_file(drafts, capsys):
    assert run(["check", "claim.txt", "nothing.txt", "gone.txt", "-f", "json", "-o", "out/report.json"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "mdclaims: not read: gone.txt: does not exist; check the path",
        "mdclaims: wrote out/report.json",
    ]
    report = json.loads((drafts / "out" / "report.json").read_text(encoding="utf-8"))
    assert [page["source"] for page in report["pages"]] == ["claim.txt", "nothing.txt"]
    assert len(report["errors"]) == 1


@pytest.mark.parametrize(
    ("format", "suffix"),
    [("text", ".txt"), ("json", ".json"), ("html", ".html"), ("sarif", ".sarif"), ("csv", ".csv"), ("junit", ".xml")],
)
@pytest.mark.parametrize("exists", [True, False])
def test_output_to_a_folder(drafts, capsys, monkeypatch, format, suffix, exists):
    if exists:
        (drafts / "out").mkdir()
    (drafts / "sub").mkdir()
    (drafts / "sub" / "claim.txt").write_text("Another [e90] one.")
    give_stdin(monkeypatch, b"Hello there.")
    assert run(["check", "claim.txt", "sub", "-", "-f", format, "-o", "out" if exists else "out/"]) == 1
    assert capsys.readouterr().out == ""
    written = {path.name: path.read_text(encoding="utf-8") for path in (drafts / "out").iterdir()}
    assert set(written) == {f"claim.txt{suffix}", f"claim.txt-2{suffix}", f"stdin{suffix}"}
    assert "Another [e90] one." in written[f"claim.txt-2{suffix}"]
    assert "Another [e90] one." not in written[f"claim.txt{suffix}"]


def test_an_output_that_cannot_be_written(drafts, capsys):
    assert run(["check", "claim.txt", "-o", "nothing.txt/report.txt"]) == 2
    captured = capsys.readouterr()
    message = one_line(captured.err)
    assert message.startswith("mdclaims: cannot write nothing.txt/report.txt (")
    assert message.endswith("choose another --output")
    assert (drafts / "nothing.txt").read_text() == NOTHING


# --- config -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mdclaims.toml", 'mode = "screen"\nlabels = ["call_to_action"]\nmax_bytes = 1000\n'),
        ("other.toml", '[tool.mdclaims]\nmode = "screen"\nlabels = ["call_to_action"]\n'),
        ("pyproject.toml", '[project]\nname = "x"\n[tool.mdclaims]\nmode = "screen"\nlabels = ["call_to_action"]\n'),
    ],
)
def test_config(drafts, capsys, name, text):
    (drafts / name).write_text(text)
    assert run(["check", "claim.txt", "--config", name, "-f", "json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["mode"], settings["labels"]) == ("screen", [ACTION])


def test_options_beat_the_config(drafts, capsys):
    (drafts / "c.toml").write_text('mode = "screen"\nlabels = ["call_to_action"]\n')
    assert run(["check", "claim.txt", "--config", "c.toml", "-m", "edit", "-l", EFFICACY, "-f", "json"]) == 1
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["mode"], settings["labels"]) == ("edit", [EFFICACY])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modus = 1", "config c.toml has the unknown key 'modus'; known are mode, labels, jurisdictions, max_bytes"),
        ("[tool.mdclaims]\nmodus = 1", "config c.toml has the unknown key 'modus'"),
        ("trust_model = true", "config c.toml has the unknown key 'trust_model'"),
        ("mode = ", "config c.toml is not valid TOML"),
        ('mode = "strict"', "config c.toml: unknown mode 'strict'"),
        ("mode = 3", "config c.toml: mode must be one of balanced, edit, screen, not 3"),
        ('labels = ["claim"]', "config c.toml: unknown label 'claim'"),
        ('labels = "call_to_action"', "config c.toml: labels must be a list"),
        ('jurisdictions = ["ca"]', "config c.toml: unknown jurisdiction 'ca'; choose from us, uk, au, eu"),
        ('jurisdictions = "uk"', "config c.toml: jurisdictions must be a list of names, not 'uk'"),
        ("labels = [1]", "config c.toml: labels must be a list"),
        ("max_bytes = 0", "config c.toml: max_bytes must be a whole number from 1 to 1,099,511,627,776, not 0"),
        ("max_bytes = -1", "max_bytes must be a whole number"),
        ("max_bytes = true", "max_bytes must be a whole number"),
        ('max_chars = "1"', "max_chars must be a whole number from 1 to 1,099,511,627,776, not '1'"),
        ("max_depth = 1.5", "max_depth must be a whole number"),
    ],
)
def test_a_wrong_config_names_file_and_key(drafts, capsys, text, message):
    (drafts / "c.toml").write_text(text)
    assert run(["check", "claim.txt", "--config", "c.toml"]) == 2
    captured = capsys.readouterr()
    assert message in one_line(captured.err)
    assert captured.out == ""


@pytest.mark.parametrize("name", ["gone.toml", "."])
def test_a_config_that_cannot_be_read(drafts, capsys, name):
    assert run(["check", "claim.txt", "--config", name]) == 2
    assert f"config {name} cannot be read (" in one_line(capsys.readouterr().err)


def test_a_config_that_is_not_utf8(drafts, capsys):
    (drafts / "c.toml").write_bytes(b'mode = "\xff"')
    assert run(["check", "claim.txt", "--config", "c.toml"]) == 2
    assert "config c.toml is not valid TOML" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\nmdclaims = 3"])
def test_a_config_with_a_wrong_tool_table(drafts, capsys, text):
    (drafts / "c.toml").write_text(text)
    assert run(["check", "claim.txt", "--config", "c.toml"]) == 2


@pytest.mark.parametrize("key", ["max_bytes", "max_chars"])
def test_a_limit_that_is_exceeded_names_its_key(drafts, capsys, key):
    (drafts / "c.toml").write_text(f"{key} = 20")
    (drafts / "small.txt").write_text("Hello there.")
    assert run(["check", "claim.txt", "small.txt", "--config", "c.toml", "-f", "json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert [page["source"] for page in report["pages"]] == ["small.txt"]
    (error,) = report["errors"]
    assert f"over the limit {key} = 20; raise {key} in the configuration" in error["error"]


def test_the_limit_holds_for_standard_input(drafts, capsys, monkeypatch):
    (drafts / "c.toml").write_text("max_bytes = 20")
    give_stdin(monkeypatch, b"x" * 1000)
    assert run(["check", "-", "--config", "c.toml", "-f", "json"]) == 3
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert "over the limit max_bytes = 20" in error["error"]


# --- model ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("real_model")
def test_a_model_that_is_not_trusted(drafts, capsys):
    folder = drafts / "model"
    folder.mkdir()
    for name in ("classifier.joblib", "meta.json"):
        (folder / name).write_text("x")
    assert run(["check", "claim.txt", "--model", "model"]) == 2
    assert "--trust-model" in one_line(capsys.readouterr().err)
    assert run(["check", "claim.txt", "gone.txt", "--model", "model", "--trust-model"]) == 2
    assert "is damaged" in one_line(capsys.readouterr().err)


@pytest.mark.usefixtures("real_model")
def test_the_shipped_model_is_used(drafts, capsys):
    (drafts / "a.txt").write_text("Laser therapy melts stubborn fat.")
    assert run(["check", "a.txt", "-f", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["pages"][0]["sentences"][0]["labels"] == [EFFICACY]
    assert report["model"]["name"] == "en_claims"
    assert len(report["model"]["sha256"]) == 64


# --- corpus -----------------------------------------------------------------------------------------------------


def test_corpus_check_of_a_good_corpus(capsys):
    assert run(["corpus", "check", str(TINY_CORPUS)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert one_line(captured.err) == f"mdclaims: 0 problems found in {TINY_CORPUS}"


def test_corpus_check_of_a_bad_corpus(tmp_path, capsys):
    file = write_lines(tmp_path / "a.jsonl", line(kind="para"), line(doc="b", split=None))
    assert run(["corpus", "check", str(file)]) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        f"{file}:1: unknown kind 'para'; known are title, description, heading, paragraph, list_item, cell, button, "
        "link, alt, quote, caption, structured, other",
        f"{file}:2: document 'b' has no split; give it train, dev or test",
    ]
    assert one_line(captured.err) == f"mdclaims: 2 problems found in {file}"


def test_one_problem_is_one_problem(tmp_path, capsys):
    file = write_lines(tmp_path / "a.jsonl", line(split=None))
    assert run(["corpus", "check", str(file)]) == 1
    assert one_line(capsys.readouterr().err) == f"mdclaims: 1 problem found in {file}"


@pytest.mark.parametrize("command", ["check", "agreement"])
def test_a_corpus_that_is_not_there(tmp_path, capsys, command):
    assert run(["corpus", command, str(tmp_path / "gone")]) == 2
    assert "no .jsonl file found" in one_line(capsys.readouterr().err)


def test_corpus_agreement(capsys):
    assert run(["corpus", "agreement", str(TINY_CORPUS)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "71 sentences labelled by writer and reader"
    rows = {text.split()[0]: text.split()[1:] for text in lines[2:]}
    assert list(rows) == list(LABELS)
    assert rows[EFFICACY][3] == "1.000"
    assert rows[STIGMA][:3] == ["14", "11", "11"]


def test_corpus_agreement_of_unknown_annotators(capsys):
    assert run(["corpus", "agreement", str(TINY_CORPUS), "--second", "bob"]) == 2
    assert "annotators found: reader, writer" in one_line(capsys.readouterr().err)


# --- train and evaluate -----------------------------------------------------------------------------------------


@pytest.fixture
def few_rounds(monkeypatch):
    monkeypatch.setattr(evaluation, "BOOTSTRAP_ROUNDS", 20)


@pytest.fixture
def model_folder(few_rounds, tmp_path, capsys):
    assert run(["train", str(TINY_CORPUS), "-o", str(tmp_path / "models"), "--model-version", "9.9.9"]) == 0
    captured = capsys.readouterr()
    folder = tmp_path / "models" / "en_claims-9.9.9"
    assert one_line(captured.err).startswith(f"mdclaims: wrote {folder}, sha256 ")
    assert captured.out.startswith("macro-F1 on test, mode balanced: ")
    return folder


def test_train_then_evaluate(model_folder, tmp_path, capsys):
    figures = tmp_path / "figures.json"
    arguments = [
        "--model",
        str(model_folder),
        "--trust-model",
        "--end-to-end",
        "--json",
        str(figures),
        "--mode",
        "screen",
    ]
    assert run(["evaluate", str(TINY_CORPUS), *arguments]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert lines[0].startswith(
        "14 documents, 14 sites, 71 sentences; mode screen; intervals: 95 % bootstrap over sites"
    )
    assert [text.split()[0] for text in lines[3:7]] == list(LABELS)
    assert any(text.startswith("macro-F1 ") for text in lines)
    assert any(text.startswith("end to end: ") for text in lines)
    data = json.loads(figures.read_text(encoding="utf-8"))
    assert (data["mode"], data["sentences"]) == ("screen", 71)
    assert data["labels"][EFFICACY]["support"] == int(lines[3].split()[1])
    assert one_line(captured.err) == f"mdclaims: wrote {figures}"


def test_evaluate_refuses_an_untrusted_model(model_folder, capsys):
    assert run(["evaluate", str(TINY_CORPUS), "--model", str(model_folder)]) == 2
    assert "--trust-model" in one_line(capsys.readouterr().err)


def test_evaluate_pools_files_and_takes_one_split(few_rounds, tmp_path, capsys):
    one = write_lines(tmp_path / "1.jsonl", line(doc="a", split="test"), line(doc="b", split="dev"))
    two = write_lines(tmp_path / "2.jsonl", line(doc="c", split="test"))
    assert run(["evaluate", str(one), str(two), "--split", "test"]) == 0
    assert capsys.readouterr().out.startswith("2 documents, 1 sites, 2 sentences;")


def test_evaluate_of_nothing(tmp_path, capsys):
    file = write_lines(tmp_path / "a.jsonl", line(split="train"))
    assert run(["evaluate", str(file), "--split", "test"]) == 2
    assert "no document to evaluate; check the files and --split" in one_line(capsys.readouterr().err)


def test_evaluate_names_the_line_of_a_fault(tmp_path, capsys):
    file = write_lines(tmp_path / "a.jsonl", line(), line(block=1, labels=[]))
    assert run(["evaluate", str(file)]) == 2
    assert f"{file}:2: labels must have one list" in one_line(capsys.readouterr().err)


def test_train_shows_real_pages_in_the_card(model_folder, tmp_path, capsys):
    figures = tmp_path / "real.json"
    assert run(["evaluate", str(TINY_CORPUS), "--split", "dev", "--mode", "screen", "--json", str(figures)]) == 0
    capsys.readouterr()
    arguments = ["-o", str(tmp_path / "again"), "--model-version", "9.9.9", "--real-text", str(figures)]
    assert run(["train", str(TINY_CORPUS), *arguments]) == 0
    captured = capsys.readouterr()
    folder = tmp_path / "again" / "en_claims-9.9.9"
    assert one_line(captured.err).startswith(f"mdclaims: wrote {folder}, sha256 ")
    card, without = ((path / "README.md").read_text(encoding="utf-8") for path in (folder, model_folder))
    support = json.loads(figures.read_text(encoding="utf-8"))["labels"][EFFICACY]["support"]
    assert support > 0
    section = card.split("On real pages\n")[1]
    assert f"| `{EFFICACY}` | {support} |" in section.split("\n#")[0]
    assert "On real pages" not in without
    # The card alone tells of them.
    assert (folder / "meta.json").read_bytes() == (model_folder / "meta.json").read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b"\xff", str(TINY_CORPUS)])
def test_train_refuses_real_pages_that_are_no_evaluation(tmp_path, capsys, content):
    file = tmp_path / "real.json"
    if isinstance(content, str):
        file = Path(content)
    elif content is not None:
        file.write_bytes(content)
    assert run(["train", str(TINY_CORPUS), "-o", str(tmp_path / "out"), "--real-text", str(file)]) == 2
    captured = capsys.readouterr()
    message = one_line(captured.err)
    assert str(file) in message
    assert "pass what `mdclaims evaluate --json` wrote" in message
    assert captured.out == ""
    assert not (tmp_path / "out").exists()


def test_train_names_what_the_corpus_lacks(tmp_path, capsys):
    file = write_lines(tmp_path / "a.jsonl", line())
    assert run(["train", str(file), "-o", str(tmp_path / "out")]) == 2
    assert "no document in split dev" in one_line(capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_train_ships_into_the_checkout_it_runs_in(few_rounds, tmp_path, monkeypatch, capsys):
    (tmp_path / "mdclaims" / "data").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert run(["train", str(TINY_CORPUS), "--ship", "--model-version", "9.9.9"]) == 0
    assert one_line(capsys.readouterr().err).endswith("models/en_claims-9.9.9")
    assert '"9.9.9"' in (tmp_path / "mdclaims" / "data" / "shipped_model.toml").read_text()


# --- processes --------------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["--version"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments):
    code = (
        "import sys; from mdclaims.cli import run; code = run(sys.argv[1:]); "
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    done = run_python("-c", code, *arguments)
    assert done.returncode == 0
    loaded = done.stderr.decode()
    assert "'typer'" in loaded
    for heavy in ("spacy", "sklearn", "numpy", "scipy", "joblib", "selectolax", "jinja2"):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.e2e
def test_a_real_run(drafts):
    (drafts / "a.txt").write_text("Laser therapy melts stubborn fat.\n")
    done = run_cli("check", "a.txt", "gone.txt", cwd=drafts)
    assert done.returncode == 3
    assert done.stderr == b""
    text = done.stdout.decode("utf-8")
    assert "Laser therapy melts stubborn fat." in text
    assert "▌" in text
    assert "\x1b" not in text


@pytest.mark.e2e
def test_standard_input_of_a_real_run_in_a_latin_locale():
    done = run_cli(
        "check",
        "-",
        "--format",
        "json",
        data="Läser “melts” fat 痛み.".encode(),
        PYTHONUTF8="0",
        LC_ALL="C",
        PYTHONIOENCODING="latin-1",
    )
    assert done.returncode in {0, 1}, done.stderr
    assert json.loads(done.stdout.decode("utf-8"))["pages"][0]["text"] == "Läser “melts” fat 痛み."


@pytest.mark.e2e
def test_a_closed_pipe_ends_quietly(drafts):
    (drafts / "long.txt").write_text("\n\n".join(f"Laser therapy number {n} melts stubborn fat." for n in range(3000)))
    process = subprocess.Popen(
        [sys.executable, "-m", "mdclaims", "check", "long.txt"],
        cwd=drafts, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith(b"Mode: ")
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert err == b""
    assert process.returncode in {0, 1}


@pytest.mark.e2e
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_gives_130():
    """The process is known to wait for standard input because it has begun to read a pipe."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING, "check", "-"],
        cwd=ROOT, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"reading\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == b""
    assert b"Traceback" not in err
    assert b"internal error" not in err


# Says that it is about to read, so that the signal does not come during the imports.
WAITING = """
import sys
from mdclaims import cli
class Announced:
    def __init__(self, stream): self.stream = stream
    def read(self, size):
        print("reading", flush=True)
        return self.stream.read(size)
class Stdin:
    buffer = Announced(sys.stdin.buffer)
sys.stdin = Stdin()
cli.main()
"""


def test_an_output_never_replaces_an_input(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("draft.txt").write_text("It relieves pain.", encoding="utf-8")
    assert run(["check", "draft.txt", "--output", "./draft.txt"]) == 2
    assert "is an input" in capsys.readouterr().err
    assert Path("draft.txt").read_text(encoding="utf-8") == "It relieves pain."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", ""], "an empty path"),
        (["check", "--as", "html", "draft.txt"], "--as is for standard input"),
        (["check", "--trust-model", "draft.txt"], "--trust-model needs --model"),
    ],
)
def test_options_that_would_do_nothing_are_refused(arguments, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("draft.txt").write_text("It relieves pain.", encoding="utf-8")
    assert run(arguments) == 2
    assert said in capsys.readouterr().err


def test_a_config_without_labels_is_no_all_clear(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("draft.txt").write_text("It relieves pain.", encoding="utf-8")
    Path("c.toml").write_text("labels = []", encoding="utf-8")
    assert run(["check", "--config", "c.toml", "draft.txt"]) == 2
    assert "no label to report" in capsys.readouterr().err


def test_a_config_in_a_pyproject_is_read_beside_other_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("draft.txt").write_text("It relieves pain.", encoding="utf-8")
    Path("pyproject.toml").write_text('[project]\nname = "x"\n[tool.mdclaims]\nmode = "edit"\n', encoding="utf-8")
    assert run(["check", "--exit-zero", "--config", "pyproject.toml", "draft.txt"]) == 0
    assert capsys.readouterr().out.startswith("Mode: edit")
    Path("other.toml").write_text("[tool.black]\nline-length = 3\n", encoding="utf-8")
    assert run(["check", "--config", "other.toml", "draft.txt"]) == 2
    assert "has no table [tool.mdclaims]" in capsys.readouterr().err


def test_names_of_files_never_reach_the_terminal_as_commands(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a\x1b[31m.txt").write_text("It relieves pain.", encoding="utf-8")
    assert run(["check", "--exit-zero", "--output", "out/", "a\x1b[31m.txt"]) == 0
    assert "\x1b" not in capsys.readouterr().err


def test_evaluating_on_training_text_says_so(capsys):
    run(["evaluate", str(ROOT / "tests/data/tiny_corpus.jsonl")])
    assert "are marked train or dev" in capsys.readouterr().out


# --- rules --------------------------------------------------------------------------------------------------------

MENU = "Botox from £150\n"


def test_jurisdictions_can_be_repeated(drafts, capsys):
    (drafts / "menu.txt").write_text(MENU, encoding="utf-8")
    assert run(["check", "menu.txt", "-f", "json", "--jurisdiction", "eu", "-j", "uk"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["settings"]["jurisdictions"] == ["uk", "eu"]
    assert [finding["rules"][0]["id"] for finding in data["pages"][0]["findings"]] == ["UK-CAP-12.12", "EU-2001-83-88"]


def test_a_rule_alone_counts_for_fail_on(drafts, capsys):
    (drafts / "menu.txt").write_text(MENU, encoding="utf-8")
    (drafts / "c.toml").write_text('jurisdictions = ["uk"]\n')
    assert run(["check", "menu.txt"]) == 0
    assert run(["check", "menu.txt", "--config", "c.toml"]) == 1
    assert run(["check", "menu.txt", "--config", "c.toml", "--fail-on", "normal"]) == 1
    assert run(["check", "menu.txt", "--config", "c.toml", "--fail-on", "high"]) == 0
    assert run(["check", "menu.txt", "--config", "c.toml", "-j", "us", "-f", "json"]) == 0
    assert "Jurisdictions: United Kingdom." in " ".join(capsys.readouterr().out.split())


def test_skip_hidden_leaves_out_rules_in_hidden_text(drafts, capsys):
    (drafts / "menu.html").write_text("<p>Prices: £9</p><p hidden>Botox on Mondays</p>", encoding="utf-8")
    assert run(["check", "menu.html", "-j", "uk"]) == 1
    assert run(["check", "menu.html", "-j", "uk", "--skip-hidden"]) == 0
    assert "not shown at first" in capsys.readouterr().out


def test_rules_are_listed(capsys):
    assert run(["rules", "--jurisdiction", "uk"]) == 0
    text = capsys.readouterr().out
    assert "UK-CAP-12.12" in text
    assert "US-" not in text
    assert run(["rules", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rules"]) >= 60


def test_explain(capsys):
    assert run(["explain", "uk-cap-12.1"]) == 0
    assert "CAP Code 12.1" in capsys.readouterr().out
    assert run(["explain", "UK-CAP-12.111"]) == 2
    captured = capsys.readouterr()
    assert "did you mean UK-CAP-12.1" in one_line(captured.err)
    assert captured.out == ""
