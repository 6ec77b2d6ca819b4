"""The HTML report: one self-contained file with the findings, and the page's whole text with its sentences marked.

It owns what a reader sees of a result in a browser and on paper: the order of its parts and the anchors.
Markup, style and script are in ``data/templates/report.html.jinja``. Text of a page reaches the file through
the template's autoescape only, and the file's own Content-Security-Policy allows no script or style but the
template's, and no request.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

from jinja2 import Environment, StrictUndefined, Template

from mdclaims.findings.findings import PageResult
from mdclaims.findings.rules import check_line
from mdclaims.labels import PRIORITIES, Label
from mdclaims.reading.page import Block
from mdclaims.reports.report import (
    CERTAINTY_LINE,
    FIRST_SHOWN,
    HIDDEN_WORDS,
    KIND_WORDS,
    ORDER_LINE,
    RANK_LINE,
    REGION_WORDS,
    RULE,
    Claim,
    Reasons,
    Report,
    by_priority,
    claims,
    context_lines,
    for_people,
    headline,
    one_line,
    percent,
    quoted,
    ranked,
    reasons,
    rules_used,
    settings_line,
    shown_label,
    totals_line,
    visible_controls,
)

# The appendix names a finding by so many characters of its sentence.
_QUOTED = 60
# Kinds that stand beside each other when several follow one another; everything else stands alone.
_SERIES: dict[str, str] = {"list_item": "list", "link": "row", "button": "row", "cell": "row"}


def render_html(report: Report) -> str:
    """Return the report as one HTML file that fetches nothing.

    Equal reports give equal files. Control characters and direction overrides of the pages are shown as U+FFFD.
    """
    template = _template()
    report = for_people(report)
    anchors = _anchors(report.pages)
    numbers = {id(result): n for n, result in enumerate(report.pages)}
    order = [numbers[id(result)] for result in ranked(report)]
    return template.render(
        report=report,
        labels=_labels(report),
        rules=[(rule, check_line(rule, report.today)) for rule in rules_used(report)],
        counts=_totals(report),
        priorities=_priorities(report),
        priority_words=_PRIORITY_WORDS,
        settings_line=settings_line(report.settings),
        totals_line=totals_line(report),
        rank_line=RANK_LINE,
        order_line=ORDER_LINE,
        certainty_line=CERTAINTY_LINE,
        pages=[_page(n, report.pages[n], anchors[n], report) for n in order],
        errors=[(visible_controls(error.source), visible_controls(error.error)) for error in report.errors],
        kind_words=KIND_WORDS,
        region_words=REGION_WORDS,
        hidden_words=HIDDEN_WORDS,
        style_hash=csp_hash(_block(template, "style")),
        script_hash=csp_hash(_block(template, "script")),
    )


# --- what the template is given -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mark:
    """One finding in the text: its anchor, the anchor and number of its claim, its label and priority."""

    anchor: str
    claim: str
    number: int
    label: Label
    priority: str

    @property
    def key(self) -> str:
        """What the filters look at."""
        return f"{self.label.name}:{self.priority}"


@dataclass(frozen=True, slots=True)
class _Words:
    """One sentence: the white space before it in its block, its text, its marks, and its anchor if one is needed."""

    gap: str
    text: str
    marks: tuple[_Mark, ...]
    anchor: str | None


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
class _Jump:
    """Words with the anchor that they lead to, if there is one."""

    words: str
    anchor: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """One claim: its quotes and places lead into the text; `facts` are (name, words)."""

    id: str
    claim: Claim
    label: Label
    quotes: tuple[_Jump, ...]
    facts: tuple[tuple[str, _Jump], ...]
    places: tuple[_Jump, ...]
    reasons: Reasons | None


@dataclass(frozen=True, slots=True)
class _Row:
    """One finding in the appendix."""

    number: int
    anchor: str
    quote: str
    label: str
    score: str
    selector: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _PageView:
    """One page of the report; `first`, `more` and `info` are its claims."""

    id: str
    source: str
    title: str | None
    headline: str
    counts: dict[str, int]
    context: tuple[str, ...]
    notes: tuple[str, ...]
    first: tuple[_Entry, ...]
    more: tuple[_Entry, ...]
    info: tuple[_Entry, ...]
    metadata: tuple[_Run, ...]
    runs: tuple[_Run, ...]
    rows: tuple[_Row, ...]
    sentences: int
    sha256: str
    encoding: str


_PRIORITY_WORDS: dict[str, str] = {"high": "First", "normal": "Then", "info": "For information"}


def _page(number: int, result: PageResult, anchors: Sequence[str], report: Report) -> _PageView:
    page = result.page
    found = claims(result, report.thresholds, today=report.today)
    entries = [_entry(number, claim, result, anchors) for claim in found]
    look = tuple(entry for entry in entries if entry.claim.priority != "info")
    runs = tuple(_runs(number, result, found, anchors))
    return _PageView(
        id=f"p-{number + 1}",
        source=visible_controls(page.source),
        title=visible_controls(page.title) if page.title else None,
        headline=headline(by_priority(result)),
        counts=by_priority(result),
        context=context_lines(result, found, report.settings.labels),
        notes=tuple(visible_controls(note) for note in page.notes),
        first=look[:FIRST_SHOWN],
        more=look[FIRST_SHOWN:],
        info=tuple(entry for entry in entries if entry.claim.priority == "info"),
        metadata=tuple(run for run in runs if run.region == "metadata"),
        runs=tuple(run for run in runs if run.region != "metadata"),
        rows=tuple(_rows(result, found, anchors)),
        sentences=len(result.sentences),
        sha256=page.sha256,
        encoding=visible_controls(page.encoding),
    )


def _anchors(pages: Sequence[PageResult]) -> list[list[str]]:
    """Return an id for each finding of each page; equal fingerprints on later pages are numbered.

    Findings of one claim in one sentence, of several rules, share theirs.
    """
    seen: Counter[str] = Counter()
    out: list[list[str]] = []
    for result in pages:
        used: dict[tuple[str, int], str] = {}
        for finding in result.findings:
            if (finding.group, finding.sentence) not in used:
                seen[finding.fingerprint] += 1
                count = seen[finding.fingerprint]
                anchor = f"f-{finding.fingerprint}" if count == 1 else f"f-{finding.fingerprint}-{count}"
                used[finding.group, finding.sentence] = anchor
        out.append([used[finding.group, finding.sentence] for finding in result.findings])
    return out


def _sentence_anchor(page: int, sentence: int) -> str:
    return f"s-{page + 1}-{sentence + 1}"


def _claim_anchor(page: int, claim: Claim) -> str:
    return f"c-{page + 1}-{claim.number}"


def _entry(page: int, claim: Claim, result: PageResult, anchors: Sequence[str]) -> _Entry:
    lead = max(claim.findings, key=lambda n: result.findings[n].score or 0)
    return _Entry(
        id=_claim_anchor(page, claim),
        claim=claim,
        label=shown_label(claim.label),
        quotes=tuple(_Jump(quoted(quote), anchors[n]) for quote, n in zip(claim.quotes, claim.quoted, strict=True)),
        facts=tuple(
            (fact.name, _Jump(fact.text, None if fact.sentence is None else _sentence_anchor(page, fact.sentence)))
            for fact in claim.facts
        ),
        places=tuple(_Jump(place.words, anchors[place.findings[0]]) for place in claim.places),
        reasons=reasons(result.findings[lead]),
    )


def _rows(result: PageResult, found: Sequence[Claim], anchors: Sequence[str]) -> Iterator[_Row]:
    """Yield the findings in reading order, with what only a machine or a sceptic needs."""
    numbers = {n: claim.number for claim in found for n in claim.findings}
    for n, (finding, anchor) in enumerate(zip(result.findings, anchors, strict=True)):
        sentence = result.sentences[finding.sentence].sentence
        yield _Row(
            number=numbers[n],
            anchor=anchor,
            quote=one_line(sentence.text[:_QUOTED] + ("…" if len(sentence.text) > _QUOTED else "")),
            label=finding.name,
            score="" if finding.score is None else f"{percent(finding.score)}\N{NO-BREAK SPACE}%",
            selector=one_line(sentence.block.selector or ""),
            fingerprint=finding.fingerprint,
        )


def _runs(page: int, result: PageResult, found: Sequence[Claim], anchors: Sequence[str]) -> Iterator[_Run]:
    """Yield the whole text of the page in reading order."""
    marks: dict[int, list[_Mark]] = {}
    for claim in found:  # in the order of what to read first, so that the first mark of a sentence gives its colour
        for n in {result.findings[n].sentence: n for n in claim.findings}.values():
            mark = _Mark(
                anchor=anchors[n],
                claim=_claim_anchor(page, claim),
                number=claim.number,
                label=shown_label(claim.label),
                priority=claim.priority,
            )
            marks.setdefault(result.findings[n].sentence, []).append(mark)
    pointed = {fact.sentence for claim in found for fact in claim.facts}
    pieces = _pieces(page, result, marks, pointed)
    for (region, hidden), members in groupby(pieces, key=lambda member: (member[0].region, member[0].hidden)):
        series = tuple(
            (form, tuple(piece for _, piece in together))
            for form, together in groupby(members, key=lambda member: _SERIES.get(member[0].kind, "single"))
        )
        yield _Run(region=region, hidden=hidden, series=series)


def _pieces(
    page: int, result: PageResult, marks: Mapping[int, Sequence[_Mark]], pointed: Container[int | None]
) -> Iterator[tuple[Block, _Piece]]:
    at = 0
    for block, entries in groupby(enumerate(result.sentences), key=lambda numbered: numbered[1].sentence.block):
        at = block.start
        words: list[_Words] = []
        for n, entry in entries:
            sentence = entry.sentence
            gap = result.page.text[at : sentence.start]
            words.append(
                _Words(
                    gap=visible_controls(gap),
                    text=visible_controls(sentence.text),
                    marks=tuple(marks.get(n, ())),
                    anchor=_sentence_anchor(page, n) if n in pointed else None,
                )
            )
            at = sentence.end
        yield block, _Piece(kind=block.kind, level=block.level or 2, words=tuple(words))


def _labels(report: Report) -> list[Label]:
    """Return what can be filtered by: the labels asked for, and rules where a jurisdiction was chosen."""
    return [*map(shown_label, report.settings.labels), *([RULE] if report.settings.jurisdictions else [])]


def _totals(report: Report) -> dict[str, int]:
    """Return the number of claims of each label on all pages."""
    totals: Counter[str] = Counter()
    for result in report.pages:
        totals.update(
            label for label, _ in {(shown_label(finding.label).name, finding.group) for finding in result.findings}
        )
    return {label.name: totals[label.name] for label in _labels(report)}


def _priorities(report: Report) -> dict[str, int]:
    """Return the number of claims of each priority on all pages."""
    totals: Counter[str] = Counter()
    for result in report.pages:
        totals.update(by_priority(result))
    return {priority: totals[priority] for priority in PRIORITIES}


# --- the template ---------------------------------------------------------------------------------------------


@cache
def _template() -> Template:
    source = (files("mdclaims") / "data" / "templates" / "report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)
    return environment.from_string(source)


def report_style() -> str:
    """Return the style of the report, for other files that are to look like it."""
    return _block(_template(), "style")


def csp_hash(text: str) -> str:
    """Return what a Content-Security-Policy calls a style or script: its SHA-256 in base64."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _block(template: Template, name: str) -> str:
    return "".join(template.blocks[name](template.new_context()))
