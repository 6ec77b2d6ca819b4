"""The CSV report: one row a finding, columns as documented, nothing that a spreadsheet would run."""

import csv
import io
import re
from dataclasses import replace

import pytest
from helpers import ACTION, EFFICACY, HOSTILE_SOURCES, report_of, stub_report, stub_screener
from hypothesis import example, given
from hypothesis import strategies as st

from mdclaims.reading import read_bytes
from mdclaims.reports.report import visible_controls
from mdclaims.reports.tables import COLUMNS, harmless, render_csv

PAIR = "Why us\n\nTMS always works [e95] for anxiety. We open on Mondays. Mild headaches are common [s95:discloses].\n"


def rows_of(report):
    text = render_csv(report)
    assert text.startswith("\ufeff")
    assert text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert None not in row.values()
    return rows


def undone(cell):
    """Do what the documentation says to have a text back."""
    return cell[1:] if re.match(r"'([\s']*[=+\-@＝＋－＠]|'*[\t\r\n])", cell) else cell


def test_a_row_for_each_finding():
    report = stub_report(PAIR)
    claim, disclosed = rows_of(report)
    finding = report.pages[0].findings[0]
    assert claim == {
        "record": "finding", "source": "draft.txt", "title": "Why us", "priority": finding.priority, "label": EFFICACY,
        "display_name": "Says it works", "stance": "promotes", "certainty": "clear", "score": "0.9500",
        "reason": finding.reason, "sentence": "TMS always works [e95] for anxiety.", "heading_path": "Why us",
        "region": "main", "kind": "paragraph", "hidden": "no", "page": "", "line": "3", "start": "8", "end": "43",
        "qualifier_kind": "risk", "qualifier": "Mild headaches are common [s95:discloses].",
        "qualifier_distance": "2", "treatments": "TMS", "conditions": "anxiety", "group": finding.group,
        "not_counted": "",
        "fingerprint": finding.fingerprint, "sha256": report.pages[0].page.sha256, "tool_version": "0.0.1",
        "model_version": "1.2.3", "mode": "balanced", "notes": "", "error": "", "check": "", "jurisdictions": "",
    }  # fmt: skip
    assert (disclosed["priority"], disclosed["qualifier"]) == ("info", "")


def test_inputs_without_findings_and_unread_inputs_have_a_row():
    rows = rows_of(stub_report("We close [e90].", "We open.", errors=[("gone.txt", "does not exist; check the path")]))
    assert [(row["record"], row["source"], row["error"]) for row in rows] == [
        ("finding", "draft.txt", ""),
        ("no finding", "draft.txt", ""),
        ("not read", "gone.txt", "does not exist; check the path"),
    ]
    assert rows[1]["sha256"]
    assert not rows[2]["sha256"]


def test_an_empty_report_is_the_head_alone():
    assert render_csv(report_of(stub_screener(), [])) == "\ufeff" + ",".join(COLUMNS) + "\r\n"


def test_web_pages_have_no_lines_but_say_what_is_hidden():
    screener = stub_screener()
    page = read_bytes(b"<p>A.</p><p hidden>Psst [a90].</p>", source="x.html", format="html")
    (row,) = rows_of(report_of(screener, [screener.screen_page(page)]))
    assert (row["line"], row["hidden"], row["label"]) == ("", "yes", ACTION)


def test_notes_on_reading_are_there():
    screener = stub_screener()
    page = read_bytes("Café [e90]".encode("cp1252"), source="x.txt", format="text")
    (row,) = rows_of(report_of(screener, [screener.screen_page(page)]))
    assert "read as cp1252" in row["notes"]


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "'=1",
        "''-1",
        "＝1+1",
        "＠x",
        "\ttext",
        "\u00a0=1",
    ],
)
def test_formulas_are_made_harmless(cell):
    assert harmless(cell) == f"'{cell}"
    assert undone(harmless(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a=1", "'tis", "“=1”", "0.95", "– dash", "'", "a\n=1"])
def test_other_cells_stay_as_they_are(cell):
    assert harmless(cell) == cell


@given(st.text(st.sampled_from("'= \t\n\u00a0＝a"), max_size=5) | st.text())
@example("'\ttext")
def test_every_cell_can_be_had_back(text):
    assert undone(harmless(text)) == text


@given(st.text(st.sampled_from("=+-@'\", \t\r\n;\x00\x1b\u202e\ud800é痛👍ab"), max_size=30))
def test_any_text_round_trips(text):
    report = stub_report("We heal [e90].")
    page = report.pages[0]
    report = replace(report, pages=(replace(page, page=replace(page.page, title=text, source=text)),))
    (row,) = rows_of(report)
    render_csv(report).encode("utf-8")
    shown = visible_controls(text)
    assert (undone(row["title"]), undone(row["source"])) == (shown, shown)
    assert row["title"][:1] not in set("=+-@\t\r\n")


@pytest.mark.parametrize("source", HOSTILE_SOURCES)
def test_hostile_names_are_one_cell(source):
    rows = rows_of(stub_report(PAIR, source=source, errors=[(source, "is empty")]))
    assert {undone(row["source"]) for row in rows} == {visible_controls(source)}
    assert len(rows) == 3
