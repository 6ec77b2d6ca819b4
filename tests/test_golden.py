"""Whole reports of small pages, compared character for character.

The model is fitted on the tiny corpus, so that retraining the shipped one changes nothing here. After a wanted change:
``pytest tests/test_golden.py --update-golden``, and review the difference like code.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import ROOT, report_of, tiny_screener

from mdclaims.findings.screening import Screener
from mdclaims.reading import read_page
from mdclaims.reports.html_report import render_html
from mdclaims.reports.json_report import render_json
from mdclaims.reports.junit import render_junit
from mdclaims.reports.sarif import render_sarif
from mdclaims.reports.tables import render_csv
from mdclaims.reports.terminal import render_terminal

GOLDEN = Path(__file__).parent / "golden"
PAGES = {
    "page.html": ROOT / "mdclaims/data/examples/knee-clinic.html",
    "draft.md": ROOT / "tests/data/golden_draft.md",
    "notes.txt": ROOT / "tests/data/golden_notes.txt",
}
RENDER = {
    "txt": lambda report: render_terminal(report, width=80),
    "narrow.txt": lambda report: render_terminal(report, width=40),
    "all.txt": lambda report: render_terminal(report, width=80, everything=True),
    "json": render_json,
    "html": render_html,
    "sarif": render_sarif,
    "csv": render_csv,
    "xml": render_junit,
    "explained.txt": lambda report: render_terminal(report, width=80),
}
# HTML reports always say why.
EXPLAINED = {"html", "explained.txt"}


@pytest.fixture(scope="module")
def screener():
    return tiny_screener(mode="balanced")


def golden_report(screener, name, *, explain=False):
    page = replace(read_page(PAGES[name]), source=name)
    screener = Screener(screener.model, replace(screener.settings, explain=explain))
    report = report_of(screener, [screener.screen_page(page)], errors=[("lost.html", "does not exist; check the path")])
    return replace(report, tool_version="0")


@pytest.mark.parametrize("form", list(RENDER))
@pytest.mark.parametrize("name", list(PAGES))
def test_golden_reports(screener, name, form, request):
    text = RENDER[form](golden_report(screener, name, explain=form in EXPLAINED))
    file = GOLDEN / f"{name}.{form}"
    if request.config.getoption("--update-golden"):
        file.write_text(text, encoding="utf-8", newline="\n")
    # Bytes: CSV has line ends of its own.
    assert text == file.read_bytes().decode("utf-8")


def test_golden_files_are_all_used():
    wanted = {f"{name}.{form}" for name in PAGES for form in RENDER}
    assert {file.name for file in GOLDEN.iterdir()} == wanted


def test_golden_reports_show_findings_and_plain_sentences(screener):
    for name in PAGES:
        sentences = golden_report(screener, name).pages[0].sentences
        assert any(entry.labels for entry in sentences), name
        assert any(not entry.labels for entry in sentences), name
    assert not re.search(r"https?://(?!example)", (GOLDEN / "draft.md.html").read_text(encoding="utf-8"))
