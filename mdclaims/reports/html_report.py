"""The HTML report: one self-contained file with the findings, and the page's whole text with its sentences marked.

It owns what a reader sees of a result in a browser and on paper: the grouping of findings, the words for
places, the anchors. Markup, style and script are in ``data/templates/report.html.jinja``. Text of a page
reaches the file through the template's autoescape only, and the file's own Content-Security-Policy allows no
script or style but the template's, and no request.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, StrictUndefined, Template

from mdclaims.findings.findings import Finding, PageResult, ScoredSentence
from mdclaims.findings.rules import marks as rule_marks
from mdclaims.labels import Label, label_info
from mdclaims.reading.page import Block
from mdclaims.reports.report import (
    RULE_NAME,
    Reasons,
    Report,
    by_label,
    percent,
    reasons,
    rules_line,
    rules_used,
    settings_line,
    summary_line,
    visible_controls,
)

# How a finding without a label is shown: like one more label.
_RULE = Label(
    name="rule",
    display=RULE_NAME,
    meaning="Touches a provision of a chosen jurisdiction, whatever label it carries.",
    colour="grey",
    stances={},
    forward=(),
)
_KIND_WORDS: dict[str, str] = {
    "title": "title", "description": "description", "heading": "heading", "paragraph": "paragraph",
    "list_item": "list item", "cell": "table cell", "button": "button", "link": "link", "alt": "image description",
    "quote": "quotation", "caption": "caption", "structured": "structured data", "other": "other text",
}  # fmt: skip
_REGION_WORDS: dict[str, str] = {
    "header": "header", "nav": "navigation", "main": "main text", "aside": "side text", "footer": "footer",
    "metadata": "metadata",
}  # fmt: skip
HIDDEN_WORDS = "present, not shown at first"
# Kinds that stand beside each other when several follow one another; everything else stands alone.
_SERIES: dict[str, str] = {"list_item": "list", "link": "row", "button": "row", "cell": "row"}


def render_html(report: Report) -> str:
    """Return the report as one HTML file that fetches nothing.

    Equal reports give equal files. Control characters and direction overrides of the pages are shown as U+FFFD.
    """
    template = _template()
    anchors = _anchors(report.pages)
    return template.render(
        report=report,
        labels=[
            *(label_info()[label] for label in report.settings.labels),
            *([_RULE] if report.settings.jurisdictions else []),
        ],
        rules=rules_used(report),
        rule_marks=lambda rule: rule_marks(rule, report.today),
        counts=_totals(report),
        settings_line=settings_line(report.settings),
        pages=[
            _page(n, result, names, report) for n, (result, names) in enumerate(zip(report.pages, anchors, strict=True))
        ],
        errors=[(visible_controls(error.source), visible_controls(error.error)) for error in report.errors],
        kind_words=_KIND_WORDS,
        region_words=_REGION_WORDS,
        hidden_words=HIDDEN_WORDS,
        style_hash=_block_hash(template, "style"),
        script_hash=_block_hash(template, "script"),
    )


# --- what the template is given -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mark:
    """One finding as it is shown: the anchor of its place in the text, its label, score in percent and reasons.

    A rule that needs no label stands in place of the label, without a score.
    """

    anchor: str
    label: Label
    percent: int | None
    why: Reasons | None


@dataclass(frozen=True, slots=True)
class _Words:
    """One sentence: the white space before it in its block, its text, and its findings, strongest first."""

    gap: str
    text: str
    marks: tuple[_Mark, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """One block of the annotated text."""

    kind: str
    level: int
    words: tuple[_Words, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring blocks of one region, all hidden or none; `series` are (form, blocks that stand together)."""

    region: str
    hidden: bool
    series: tuple[tuple[str, tuple[_Piece, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One sentence of the list of findings."""

    quote: str
    place: str
    rules: str
    marks: tuple[_Mark, ...]


@dataclass(frozen=True, slots=True)
class _PageView:
    """One page of the report."""

    id: str
    source: str
    title: str | None
    summary: str
    notes: tuple[str, ...]
    findings: int
    groups: tuple[tuple[tuple[str, ...], tuple[_Entry, ...]], ...]
    metadata: tuple[_Run, ...]
    runs: tuple[_Run, ...]
    sentences: int
    sha256: str
    encoding: str


def _page(number: int, result: PageResult, anchors: Sequence[str], report: Report) -> _PageView:
    page = result.page
    marks = _marks(result, anchors)
    told: dict[int, list[Finding]] = {}
    for finding in result.findings:
        told.setdefault(finding.sentence, []).append(finding)
    rules = {n: rules_line(found, report.today) for n, found in told.items()}
    runs = tuple(_runs(result, marks))
    return _PageView(
        id=f"p-{number + 1}",
        source=visible_controls(page.source),
        title=visible_controls(page.title) if page.title else None,
        summary=summary_line(result, report.settings.labels),
        notes=tuple(visible_controls(note) for note in page.notes),
        findings=len(result.findings),
        groups=tuple(_groups(result, marks, rules)),
        metadata=tuple(run for run in runs if run.region == "metadata"),
        runs=tuple(run for run in runs if run.region != "metadata"),
        sentences=len(result.sentences),
        sha256=page.sha256,
        encoding=visible_controls(page.encoding),
    )


def _anchors(pages: Sequence[PageResult]) -> list[list[str]]:
    """Return an id for each finding of each page; equal fingerprints on later pages are numbered."""
    seen: Counter[str] = Counter()
    out: list[list[str]] = []
    for result in pages:
        out.append([])
        for finding in result.findings:
            seen[finding.fingerprint] += 1
            count = seen[finding.fingerprint]
            out[-1].append(f"f-{finding.fingerprint}" if count == 1 else f"f-{finding.fingerprint}-{count}")
    return out


def _marks(result: PageResult, anchors: Sequence[str]) -> dict[int, tuple[_Mark, ...]]:
    """Return the findings of each sentence that has any, strongest first."""
    found: dict[int, list[tuple[float, _Mark]]] = {}
    for finding, anchor in zip(result.findings, anchors, strict=True):
        mark = _Mark(
            anchor,
            _RULE if finding.label is None else label_info()[finding.label],
            None if finding.score is None else percent(finding.score),
            reasons(finding),
        )
        found.setdefault(finding.sentence, []).append((finding.score or 0, mark))
    return {n: tuple(mark for _, mark in sorted(entries, key=lambda entry: -entry[0])) for n, entries in found.items()}


def _groups(
    result: PageResult, marks: dict[int, tuple[_Mark, ...]], rules: dict[int, str]
) -> Iterator[tuple[tuple[str, ...], tuple[_Entry, ...]]]:
    """Yield the findings in reading order under the headings they stand under."""

    def place(n: int) -> tuple[str, tuple[str, ...]]:
        block = result.sentences[n].sentence.block
        # A heading is read together with the text below it, not with the text above.
        heads = block.kind == "heading" or (block.kind == "title" and block.region != "metadata")
        own = (result.page.text[block.start : block.end],) if heads else ()
        return block.region, (*block.heading_path, *own)

    for (region, path), sentences in groupby(marks, key=place):
        name = tuple(visible_controls(heading) for heading in path) or (f"No heading ({_REGION_WORDS[region]})",)
        yield name, tuple(_entry(result.sentences[n], marks[n], rules[n]) for n in sentences)


def _entry(entry: ScoredSentence, marks: tuple[_Mark, ...], rules: str) -> _Entry:
    sentence, block = entry.sentence, entry.sentence.block
    place = [_KIND_WORDS[block.kind], _REGION_WORDS[block.region]]
    if block.page is not None:
        place.append(f"page {block.page}")
    if sentence.quoted:
        place.append("in quotation marks")
    if block.hidden:
        place.append(HIDDEN_WORDS)
    return _Entry(quote=visible_controls(sentence.text), place=", ".join(place), rules=rules, marks=marks)


def _runs(result: PageResult, marks: dict[int, tuple[_Mark, ...]]) -> Iterator[_Run]:
    """Yield the whole text of the page in reading order."""
    pieces = _pieces(result, marks)
    for (region, hidden), members in groupby(pieces, key=lambda member: (member[0].region, member[0].hidden)):
        series = tuple(
            (form, tuple(piece for _, piece in together))
            for form, together in groupby(members, key=lambda member: _SERIES.get(member[0].kind, "single"))
        )
        yield _Run(region=region, hidden=hidden, series=series)


def _pieces(result: PageResult, marks: dict[int, tuple[_Mark, ...]]) -> Iterator[tuple[Block, _Piece]]:
    at = 0
    for block, entries in groupby(enumerate(result.sentences), key=lambda numbered: numbered[1].sentence.block):
        at = block.start
        words: list[_Words] = []
        for n, entry in entries:
            sentence = entry.sentence
            gap = result.page.text[at : sentence.start]
            words.append(
                _Words(gap=visible_controls(gap), text=visible_controls(sentence.text), marks=marks.get(n, ()))
            )
            at = sentence.end
        yield block, _Piece(kind=block.kind, level=block.level or 2, words=tuple(words))


def _totals(report: Report) -> dict[str, int]:
    """Return the number of findings of each label on all pages."""
    totals: Counter[str] = Counter()
    for result in report.pages:
        totals.update(by_label(result, report.settings.labels))
        totals[_RULE.name] += sum(finding.label is None for finding in result.findings)
    return {label: totals[label] for label in (*report.settings.labels, _RULE.name)}


# --- the template ---------------------------------------------------------------------------------------------


@cache
def _template() -> Template:
    source = (files("mdclaims") / "data" / "templates" / "report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)
    return environment.from_string(source)


def _block_hash(template: Template, name: str) -> str:
    """Return what a Content-Security-Policy calls the style or script of the template: its SHA-256 in base64."""
    text = "".join(template.blocks[name](template.new_context()))
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
