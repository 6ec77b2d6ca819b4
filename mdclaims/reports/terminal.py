"""The terminal report: what to read first, then the page's text with its claims marked in a margin.

It is text in columns that reads the same without colour, so that NO_COLOR, a pipe or a narrow window lose
nothing. rich decides about colour and width.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.reading.page import Block
from mdclaims.reports.report import (
    CERTAINTY_LINE,
    EXPLAIN_LINE,
    FIRST_SHOWN,
    HIDDEN_WORDS,
    ORDER_LINE,
    RANK_LINE,
    Claim,
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
    settings_line,
    shown_label,
    totals_line,
    visible_controls,
)

# The longest display name and the bar; the number of the claim stands before them.
_LABEL_WIDTH = 24
# Below this the margin would leave too little for the text: labels then stand above their sentence.
_NARROW = 76
_WIDEST = 120
# Text of more sentences scrolls the result off the screen: it is said again below.
_LONG = 30
# The text below has every quote whole.
_LONGEST_QUOTE = 280
_MOST_ITEMS = 8
_MOST_PLACES = 3


def render_terminal(report: Report, *, width: int | None = None, colour: bool = False, everything: bool = False) -> str:
    """Return the report as text.

    Parameters
    ----------
    report : Report
    width : int, optional
        Columns; 80 if not given. Lines are at most 120 wide, because longer ones are hard to read.
    colour : bool
        Use terminal colours.
    everything : bool
        List every claim, not only the first, and show those for information.
    """
    width = min(width or 80, _WIDEST)
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=colour, no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    narrow = width < _NARROW
    report = for_people(report)
    console.print(Text(settings_line(report.settings)))
    pages = ranked(report)
    if len(pages) > 1:
        console.print()
        console.print(_contents(report, pages))
    for result in pages:
        console.print()
        console.print(_page(result, report, narrow=narrow, everything=everything))
    if len(pages) > 1:
        console.print()
        console.print(Text(totals_line(report), style="bold"))
    for error in report.errors:
        console.print()
        console.print(Text(f"not read: {one_line(error.source)}: {one_line(error.error)}", style="bold red"))
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


def _contents(report: Report, pages: Sequence[PageResult]) -> RenderableType:
    """Return the result of all inputs, and of each of them in a line."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    folder = _common_folder([result.page.source for result in pages])
    told = f"input in {one_line(folder)}" if folder else "input"
    table.add_row(*(Text(name, style="dim") for name in ("look at", "first", "info", told)))
    for result in pages:
        counts = by_priority(result)
        figures = (counts["high"] + counts["normal"], counts["high"], counts["info"])
        table.add_row(
            *(Text(f"{count:,}" if count else "–") for count in figures),
            Text(one_line(result.page.source[len(folder) :])),
        )
    # What holds for every page is said once.
    words = (Text(line, style="dim") for line in (ORDER_LINE, CERTAINTY_LINE))
    return Group(Text(totals_line(report), style="bold"), Text(RANK_LINE, style="dim"), Text(), table, Text(), *words)


def _common_folder(sources: Sequence[str]) -> str:
    """Return the beginning up to a slash that all sources share."""
    lowest, highest = min(sources), max(sources)
    length = next((n for n, (a, b) in enumerate(zip(lowest, highest, strict=False)) if a != b), len(lowest))
    return lowest[: lowest.rfind("/", 0, length) + 1]


def _page(result: PageResult, report: Report, *, narrow: bool, everything: bool) -> RenderableType:
    title = Text(one_line(result.page.source), style="bold")
    if result.page.title:
        title.append(f"  {one_line(result.page.title)}", style="not bold dim")
    parts: list[RenderableType] = [title]
    parts += [Text(f"note: {visible_controls(note)}", style="dim") for note in result.page.notes]
    found = claims(result, report.thresholds, today=report.today)
    result_line = Text(headline(by_priority(result)), style="bold")
    parts += [Text(), result_line]
    parts += [Text(line) for line in context_lines(result, found, report.settings.labels)]
    marked = found if everything else tuple(claim for claim in found if claim.priority != "info")
    listed = marked if everything else marked[:FIRST_SHOWN]
    alone = len(report.pages) == 1
    if alone and len(listed) > 1:
        parts.append(Text(ORDER_LINE, style="dim"))
    for claim in listed:
        parts += [Text(), _entry(claim, result, narrow=narrow)]
    left_out = _left_out(len(marked) - len(listed), len(found) - len(marked))
    if alone and listed:
        parts += [Text(), Text(CERTAINTY_LINE, style="dim")]
        if any(finding.rules for finding in result.findings):
            parts.append(Text(EXPLAIN_LINE, style="dim"))
    if left_out:
        parts += [*([] if alone and listed else [Text()]), Text(left_out, style="dim")]
    if not alone and not marked:
        return Group(*parts)  # among many pages the text of one without a mark helps nobody
    parts += [Text(), Text("The text", style="bold underline"), Text()]
    parts += list(_text(result, marked, narrow=narrow))
    if len(result.sentences) > _LONG:
        parts += [Text(), result_line]
    return Group(*parts)


def _left_out(more: int, info: int) -> str:
    """Return where the claims are that are not listed; how many are for information the result says."""
    said = f"{more:,} more {'is' if more == 1 else 'are'} marked in the text below. " if more else ""
    rest = " and ".join([*(["them"] if more else []), *(["what is for information"] if info else [])])
    return f"{said}--all lists {rest}." if rest else ""


# --- claims -------------------------------------------------------------------------------------------------------


def _entry(claim: Claim, result: PageResult, *, narrow: bool) -> RenderableType:
    """Return one claim: its quote, its label, why, what stands beside it, where."""
    label = shown_label(claim.label)
    number = f"{claim.number:>2}  "
    explained = any(result.findings[n].explanation is not None for n in claim.findings)
    score = f" ({percent(claim.score)} %)" if explained and claim.score is not None else ""
    said = Text.assemble((label.display, label.colour), claim.said.removeprefix(label.display), score)
    if claim.priority != "normal":
        said.append(" · first" if claim.priority == "high" else " · for information", style="bold")
    rows: list[RenderableType] = [Text(_quote(claim), style="bold"), said]
    facts = [(fact.name, _shortened(fact.text)) for fact in claim.facts]
    facts.append(("Where", _where(claim)))
    if narrow:
        rows += [Text.assemble((f"{name}: ", "dim"), text) for name, text in facts]
    else:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        for name, text in facts:
            grid.add_row(Text(name, style="dim"), Text(text))
        rows.append(grid)
    table = Table.grid()
    table.add_column(no_wrap=True, width=len(number))
    table.add_column(ratio=1)
    table.add_row(Text(number), Group(*rows))
    return table


def _quote(claim: Claim) -> str:
    items = [quoted(_shortened(quote)) for quote in claim.quotes[:_MOST_ITEMS]]
    more = len(claim.quotes) - len(items)
    said = ", ".join(items) + (f" and {more:,} more" if more else "")
    return f"{_shortened(claim.lead)}: {said}" if claim.lead else said


def _where(claim: Claim) -> str:
    more = sum(len(place.findings) for place in claim.places[_MOST_PLACES:])
    said = "; ".join(place.words for place in claim.places[:_MOST_PLACES])
    return f"{said}; and {more:,} more" if more else said


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_QUOTE:
        return text
    return text[:_LONGEST_QUOTE].rsplit(" ", 1)[0] + " …" + ("”" if text[-1] == "”" else "")


# --- the text -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """A labelled sentence, or unlabelled neighbours together: the margin, the text, what drove the labels."""

    margin: Text
    text: Text
    why: Text
    block: Block


def _text(result: PageResult, marked: Sequence[Claim], *, narrow: bool) -> Iterator[RenderableType]:
    """Yield the whole text of the page with the claims that are to be marked in it."""
    rows = _rows(result, marked, narrow=narrow)
    if narrow:
        for row in rows:
            yield from (line for line in (row.margin, row.text, row.why) if line.plain)
            yield Text()
        return
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=_LABEL_WIDTH + 1 + len(str(len(marked))), justify="right", no_wrap=True)
    table.add_column(ratio=1)
    last = -1
    for row in rows:
        if row.block.index != last and last >= 0:
            table.add_row(Text(), Text())
        last = row.block.index
        table.add_row(row.margin, row.text)
        if row.why.plain:
            table.add_row(Text(), row.why)
    yield table


def _rows(result: PageResult, marked: Iterable[Claim], *, narrow: bool) -> Iterator[_Row]:
    """Yield the rows of the text; where another page of a PDF begins, one of its own says so in the margin."""
    marks: dict[int, list[tuple[Claim, Finding]]] = {}
    for claim in marked:
        for sentence, finding in {result.findings[n].sentence: result.findings[n] for n in claim.findings}.items():
            marks.setdefault(sentence, []).append((claim, finding))
    pending: list[str] = []
    last: Block | None = None
    page: int | None = None
    shown = None if result.changes is None else result.changes.changed
    for n, entry in enumerate(result.sentences):
        if shown is not None and n not in shown:
            continue
        block = entry.sentence.block
        if pending and (n in marks or block is not last):
            yield _Row(Text(), _plain(" ".join(pending), last or block), Text(), last or block)
            pending = []
        if block.page not in {None, page}:
            page = block.page
            yield _Row(Text(f"page {page}", style="dim"), Text(), Text(), block)
        text = visible_controls(entry.sentence.text)
        if n in marks:
            yield _Row(_margin(marks[n], narrow=narrow), _marked(text, block, marks[n][0][0]), _why(marks[n]), block)
        else:
            pending.append(text)
        last = block
    if pending and last is not None:
        yield _Row(Text(), _plain(" ".join(pending), last), Text(), last)


def _why(marks: Iterable[tuple[Claim, Finding]]) -> Text:
    """Return a line for each explained finding: what spoke for the label and what against it."""
    lines = []
    for _, finding in marks:
        found = reasons(finding)
        if found is None or finding.score is None:
            continue
        spoke = ", ".join(f"{name} {weight}" for name, weight in found.speak_for) or "nothing in particular"
        against = ", ".join(f"{name} {weight}" for name, weight in found.speak_against)
        name = f"{shown_label(finding.label).display}, {percent(finding.score)} %"
        lines.append(Text(f"{name}: for it {spoke}" + (f"; against it {against}" if against else ""), style="dim"))
    return Text("\n").join(lines)


def _margin(marks: Sequence[tuple[Claim, Finding]], *, narrow: bool) -> Text:
    """Return a line for each claim: its number, its label and, below or beside it, what is unusual about it."""
    lines: list[Text] = []
    for claim, _ in marks:
        label = shown_label(claim.label)
        bar = "│" if claim.priority == "info" else "▌"
        notes = [word for word, holds in _remarks(claim) if holds]
        line = Text.assemble(f"{claim.number} ", (label.display, label.colour))
        if narrow:
            line.append("".join(f" · {note}" for note in notes))
        lines.append(line + Text(f" {bar}"))
        if notes and not narrow:
            lines.append(Text(f"{', '.join(notes)} {bar}", style="dim"))
    return Text("\n").join(lines)


def _remarks(claim: Claim) -> tuple[tuple[str, bool], ...]:
    return ("first", claim.priority == "high"), ("borderline", claim.certainty == "borderline")


def _marked(text: str, block: Block, claim: Claim) -> Text:
    weight = "" if claim.priority == "info" else "bold "
    return Text(_prefix(block) + text, style=f"{weight}{shown_label(claim.label).colour}")


def _plain(text: str, block: Block) -> Text:
    style = (
        "bold" if block.kind in {"heading", "title"} else "dim" if block.hidden or block.region == "metadata" else ""
    )
    return Text(_prefix(block) + text, style=style)


def _prefix(block: Block) -> str:
    hidden = f"[{HIDDEN_WORDS.removeprefix('present, ')}] " if block.hidden else ""
    if block.kind == "heading":
        return f"{hidden}{'#' * (block.level or 2)} "
    return hidden + _MARKS.get(block.kind, "")


_MARKS = {
    "title": "[title] ",
    "description": "[description] ",
    "structured": "[data] ",
    "list_item": "• ",
    "button": "[button] ",
    "link": "[link] ",
    "alt": "[image] ",
    "quote": "> ",
}
