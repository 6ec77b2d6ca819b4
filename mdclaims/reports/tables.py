"""The CSV report, for spreadsheets: one row for each finding, and one for each input without any.

It owns the columns, which docs/formats.md documents. RFC 4180, with a byte-order mark and with cells that a
spreadsheet would take for a formula made harmless.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.reading.positions import SourcePositions
from mdclaims.reports.report import (
    Report,
    certainty_of,
    heading_words,
    rule_lines,
    shown_label,
    suppression_words,
    visible_controls,
)

COLUMNS: dict[str, str] = {
    "record": "`finding`; `no finding` for an input that was read and has none; `not read` for one that could not be.",
    "source": "Path or name of the input.",
    "title": "The document's title.",
    "priority": "`high`, `normal` or `info`: what to look at first.",
    "label": "The label; empty if the finding is there for a rule that needs none.",
    "display_name": "The label in words.",
    "stance": "What the sentence does with its label; empty if the model tells none.",
    "certainty": "`clear`, `likely` or `borderline`: how sure it is that the sentence is such a statement.",
    "score": "The calibrated score behind it, 0 to 1.",
    "reason": "Why it has that priority.",
    "sentence": "The sentence, whole.",
    "heading_path": "The headings above it, outermost first, joined by ` › `.",
    "region": "Where on the page it stands.",
    "kind": "The kind of its block.",
    "hidden": "`yes` if it is present, but not shown at first.",
    "page": "The page of a PDF.",
    "line": "The line of a text or Markdown file, from 1.",
    "start": "Where it begins in the page's text, in code points, as in the JSON.",
    "end": "Where it ends there, exclusive.",
    "qualifier_kind": "`risk`, `limit` or `source`: the nearest in the section of a claim that is put forward.",
    "qualifier": "Its sentence, whole.",
    "qualifier_distance": "How many sentences away it stands; 0 in the claim itself.",
    "treatments": "Treatments that the claim names, joined by `; `.",
    "conditions": "Conditions that it names, joined by `; `.",
    "group": "Findings that are one claim share it.",
    "not_counted": "Why it does not count, if somebody said that it is fine; see docs/suppressions.md.",
    "fingerprint": "Stable under moving, re-wrapping and changes of case.",
    "sha256": "SHA-256 of the input's bytes.",
    "tool_version": "The version of mdclaims.",
    "model_version": "The version of the model.",
    "mode": "Whose thresholds decided.",
    "notes": "What to know about how the input was read, joined by `; `.",
    "error": "Why it could not be read, and what to do next.",
    "check": "Provisions that it may touch, with the ids of their rules, joined by `; `.",
    "jurisdictions": "Whose rules were applied, joined by `; `.",
}
"""Every column and what it holds, in order. Columns are only ever added, at the end."""

# Excel takes a file without it for the local single-byte encoding.
_BYTE_ORDER_MARK = "\ufeff"
# What spreadsheets take for the start of a formula (OWASP, "CSV Injection"), full-width forms included, perhaps
# behind white space or behind an apostrophe that is the text's own.
_FORMULA = re.compile(r"[\s']*[=+\-@＝＋－＠]|'*[\t\r\n]")

# Excel's cells hold 32,767.
_MOST_CHARACTERS = 32_000


def render_csv(report: Report) -> str:
    """Return the findings as a table in CSV."""
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(COLUMNS), restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in _rows(report):
        writer.writerow({column: harmless(visible_controls(cell)) for column, cell in row.items()})
    return _BYTE_ORDER_MARK + stream.getvalue()


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: one that could be gets an apostrophe before it.

    To have the text back (`original`), take the first apostrophe from a cell that begins with one and of which the
    rest could be taken for a formula; no other cell was changed.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def cell_text(text: str) -> tuple[str, bool]:
    """Return text as a cell of an XLSX sheet can hold it, and whether the cell needs the mark of an apostrophe.

    With that mark (``quotePrefix``) a text that could be taken for a formula stays text when someone edits it.
    """
    text = visible_controls(text)
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[:_MOST_CHARACTERS]} … (cut)"
    return text, harmless(text) != text


def original(cell: str) -> str:
    """Return the text of a cell that `harmless` may have changed.

    >>> original(harmless("=1+1")), original("'quoted'")
    ('=1+1', "'quoted'")
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell[1:]) else cell


def _rows(report: Report) -> Iterator[dict[str, str]]:
    run = {
        "tool_version": report.tool_version,
        "model_version": report.model_version,
        "mode": report.settings.mode,
        "jurisdictions": "; ".join(report.settings.jurisdictions),
    }
    for result in report.pages:
        page = {
            "source": result.page.source,
            "title": result.page.title or "",
            "sha256": result.page.sha256,
            "notes": "; ".join(result.page.notes),
            **run,
        }
        text = result.page.source_text
        positions = None if text is None or not result.findings else SourcePositions(text)
        for finding in result.findings:
            yield {"record": "finding", **page, **_finding(finding, result, report, positions)}
        if not result.findings:
            yield {"record": "no finding", **page}
    for error in report.errors:
        yield {"record": "not read", "source": error.source, "error": error.error, **run}


def _finding(finding: Finding, result: PageResult, report: Report, positions: SourcePositions | None) -> dict[str, str]:
    sentence = result.sentences[finding.sentence].sentence
    block = sentence.block
    span = result.page.source_span(sentence.start, sentence.end)
    row = {
        "priority": finding.priority,
        "label": finding.label or "",
        "display_name": shown_label(finding.label).display,
        "stance": finding.stance or "",
        "certainty": certainty_of(finding, report.thresholds) or "",
        "score": "" if finding.score is None else f"{finding.score:.4f}",
        "reason": finding.reason,
        "sentence": sentence.text,
        "heading_path": heading_words(sentence),
        "region": block.region,
        "kind": block.kind,
        "hidden": "yes" if block.hidden else "no",
        "page": str(block.page_at(sentence.start) or ""),
        "line": "" if positions is None or span is None else str(positions.region(*span).start_line),
        "start": str(sentence.start),
        "end": str(sentence.end),
        "group": finding.group,
        "not_counted": suppression_words(finding.suppressed) if finding.suppressed else "",
        "fingerprint": finding.fingerprint,
        "check": "; ".join(rule_lines([finding], report.today)),
    }
    if finding.attributes is not None:
        row["treatments"] = "; ".join(finding.attributes.treatments)
        row["conditions"] = "; ".join(finding.attributes.conditions)
    if finding.qualifier is not None:
        row["qualifier_kind"] = finding.qualifier.kind
        row["qualifier"] = result.sentences[finding.qualifier.sentence].sentence.text
        row["qualifier_distance"] = str(finding.qualifier.sentences_away)
    return row
