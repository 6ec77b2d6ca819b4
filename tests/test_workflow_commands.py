"""The report for GitHub Actions: every line a command that the runner understands, whatever the page says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from helpers import HOSTILE_SOURCES, stub_report, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.suppressions import suppress
from mdclaims.reports.report import totals_line
from mdclaims.reports.workflow_commands import render_workflow_commands

COMMAND = re.compile(r"::(warning|notice|error) ((?:[a-zA-Z]+=[^:,\r\n]*)(?:,[a-zA-Z]+=[^:,\r\n]*)*)::([^\r\n]*)")


def parsed(report, **options):
    """Read commands as the runner does (src/Runner.Common/ActionCommand.cs of actions/runner): unescape in order."""
    *lines, total, rest = render_workflow_commands(report, **options).split("\n")
    assert rest == ""
    assert total == totals_line(report)
    found = []
    for line in lines:
        name, properties, data = COMMAND.fullmatch(line).groups()
        given = dict(entry.split("=", 1) for entry in properties.split(","))
        found.append((name, {key: _unescaped(value, property=True) for key, value in given.items()}, _unescaped(data)))
    return found


def _unescaped(text, *, property=False):
    pairs = [("%0D", "\r"), ("%0A", "\n"), *([("%3A", ":"), ("%2C", ",")] if property else []), ("%25", "%")]
    for written, meant in pairs:
        text = text.replace(written, meant)
    return text


def test_workflow_commands_put_what_is_high_first_and_leave_out_what_is_for_information():
    texts = (
        "The laser [e95] relieves pain.\n\nIt bruises [s90:discloses].",
        "The laser [e95] cures every worn knee for good.",
    )
    report = stub_report(*texts)
    assert [finding.priority for page in report.pages for finding in page.findings] == ["normal", "info", "high"]
    found = parsed(report)
    assert [name for name, _, _ in found] == ["warning", "notice"]
    for _, properties, data in found:
        assert properties["file"] == "draft.txt"
        assert properties["title"].startswith("mdclaims: ")
        assert data.startswith("“")


def test_workflow_commands_give_lines_and_columns_from_one():
    ((_, properties, data),) = parsed(stub_report("We are open.\n\n👍 Hello. The laser [e95] relieves pain.\n"))
    assert {key: properties[key] for key in ("line", "endLine", "col", "endColumn")} == {
        "line": "3",
        "endLine": "3",
        "col": "11",  # UTF-16: the thumb counts two
        "endColumn": "41",
    }
    assert "relieves pain" in data


def test_workflow_commands_give_no_columns_over_several_lines(tmp_path):
    file = tmp_path / "draft.md"
    file.write_text("The laser [e95]\nrelieves pain.\n")
    ((_, properties, _),) = parsed(replace(stub_report(), pages=(stub_screener().screen_file(file),)))
    assert (properties["line"], properties["endLine"]) == ("1", "2")
    assert "col" not in properties
    assert "endColumn" not in properties


def test_workflow_commands_of_a_web_page_name_the_place_in_words(tmp_path):
    file = tmp_path / "page.html"
    file.write_text("<h1>Laser</h1><ul><li>The laser [e95] relieves pain.</li></ul>")
    report = stub_report()
    report = replace(report, pages=(stub_screener().screen_file(file),))
    ((_, properties, data),) = parsed(report, base=tmp_path)
    assert properties["file"] == "page.html"
    assert "line" not in properties
    assert "Place: list item" in data


def test_workflow_commands_leave_out_what_is_suppressed():
    screener = stub_screener()
    page = screener.screen_text("[mdclaims: ok efficacy_claim, reason: agreed]\n\nThe laser [e95] relieves pain.")
    outcome = suppress(page, today=date(2026, 1, 1), floors=screener.floors)
    assert [finding.suppressed is None for finding in outcome.result.findings] == [False]
    assert parsed(replace(stub_report(), pages=(outcome.result,))) == []


@pytest.mark.parametrize("source", HOSTILE_SOURCES)
def test_workflow_commands_survive_names_and_errors(source):
    report = stub_report("The laser [e95] relieves pain.", source=source, errors=[(source, "is\nempty: 100%, ::stop")])
    (_, error, said), (_, finding, _) = parsed(report, base=Path.cwd())
    assert error["file"] == finding["file"]
    assert "\x1b" not in error["file"]
    assert said == "is\nempty: 100%, ::stop"


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="["), max_size=80))
def test_workflow_commands_quote_any_text_without_becoming_another_command(text):
    found = parsed(stub_report(f"::stop-commands::x%0A The laser [e95] relieves pain {text} ##[debug] for good."))
    assert len(found) == 1
    assert found[0][0] in {"warning", "notice"}
