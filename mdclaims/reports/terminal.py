"""The terminal report: the page's text with its labelled sentences marked, and a margin of labels and scores.

It is text in columns that reads the same without colour, so that NO_COLOR, a pipe or a narrow window lose
nothing. rich decides about colour and width.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from mdclaims.findings.findings import Finding, PageResult, ScoredSentence
from mdclaims.labels import label_info
from mdclaims.reading.page import Block
from mdclaims.reports.report import (
    RULE_NAME,
    Report,
    one_line,
    percent,
    reasons,
    rules_line,
    settings_line,
    summary_line,
    totals_line,
    visible_controls,
)

# The longest display name, a percentage, the bar.
_MARGIN_WIDTH = 28
# Below this the margin would leave too little for the text: labels then stand above their sentence.
_NARROW = 76
_WIDEST = 120


def render_terminal(report: Report, *, width: int | None = None, colour: bool = False) -> str:
    """Return the report as text.

    Parameters
    ----------
    report : Report
    width : int, optional
        Columns; 80 if not given. Lines are at most 120 wide, because longer ones are hard to read.
    colour : bool
        Use terminal colours.
    """
    width = min(width or 80, _WIDEST)
    stream = io.StringIO()
    console = Console(
        file=stream, width=width, force_terminal=colour, no_color=not colour,
        color_system="standard" if colour else None,
        highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    console.print(Text(settings_line(report.settings)))
    for result in report.pages:
        console.print()
        console.print(_page(result, report, narrow=width < _NARROW))
    if len(report.pages) > 1:
        console.print()
        console.print(Text(totals_line(report), style="bold"))
    for error in report.errors:
        console.print()
        console.print(Text(f"not read: {one_line(error.source)}: {one_line(error.error)}", style="bold red"))
    return "\n".join(line.rstrip() for line in stream.getvalue().split("\n"))


def _page(result: PageResult, report: Report, *, narrow: bool) -> RenderableType:
    title = Text(one_line(result.page.source), style="bold")
    if result.page.title:
        title.append(f"  {one_line(result.page.title)}", style="not bold dim")
    parts: list[RenderableType] = [title]
    parts += [Text(f"note: {visible_controls(note)}", style="dim") for note in result.page.notes]
    parts.append(Text())
    if narrow:
        for margin, text, why, _ in _rows(result, report):
            parts += [line for line in (margin, text, why) if line.plain] + [Text()]
    else:
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=_MARGIN_WIDTH, justify="right", no_wrap=True)
        table.add_column(ratio=1)
        last = -1
        for margin, text, why, block in _rows(result, report):
            if block.index != last and last >= 0:
                table.add_row(Text(), Text())
            last = block.index
            table.add_row(margin, text)
            if why.plain:
                table.add_row(Text(), why)
        parts.append(table)
        parts.append(Text())
    parts.append(Text(summary_line(result, report.settings.labels), style="bold"))
    return Group(*parts)


def _rows(result: PageResult, report: Report) -> Iterator[tuple[Text, Text, Text, Block]]:
    """Yield (margin, text, reasons, block): each sentence with a finding a row, unlabelled neighbours together.

    Where another page of a PDF begins, a row of its own says so in the margin.
    """
    findings: dict[int, list[Finding]] = {}
    for finding in result.findings:
        findings.setdefault(finding.sentence, []).append(finding)
    pending: list[str] = []
    last: Block | None = None
    page: int | None = None
    for n, entry in enumerate(result.sentences):
        block = entry.sentence.block
        if pending and (n in findings or block is not last):
            yield Text(), _plain(" ".join(pending), last or block), Text(), last or block
            pending = []
        if block.page not in {None, page}:
            page = block.page
            yield Text(f"page {page}", style="dim"), Text(), Text(), block
        text = visible_controls(entry.sentence.text)
        if n in findings:
            why = Text("\n").join(
                [*_why(findings[n]), *(Text(line) for line in [rules_line(findings[n], report.today)] if line)]
            )
            yield _margin(entry, findings[n]), _marked(text, entry), why, block
        else:
            pending.append(text)
        last = block
    if pending and last is not None:
        yield Text(), _plain(" ".join(pending), last), Text(), last


def _why(findings: list[Finding]) -> list[Text]:
    """Return a line for each explained finding: what spoke for the label and what against it."""
    lines = []
    for finding in findings:
        found = reasons(finding)
        if found is None or finding.label is None:
            continue
        said = ", ".join(f"{name} {weight}" for name, weight in found.speak_for) or "nothing in particular"
        against = ", ".join(f"{name} {weight}" for name, weight in found.speak_against)
        line = f"{label_info()[finding.label].display}: for it {said}" + (f"; against it {against}" if against else "")
        lines.append(Text(line, style="dim"))
    return lines


def _margin(entry: ScoredSentence, findings: list[Finding]) -> Text:
    lines = [
        Text.assemble(
            (label_info()[label].display, label_info()[label].colour), f" {percent(entry.scores[label]):>2}%", " ▌"
        )
        for label in entry.labels
    ]
    if any(finding.label is None for finding in findings):
        lines.append(Text(f"{RULE_NAME} ▌"))
    return Text("\n").join(lines)


def _marked(text: str, entry: ScoredSentence) -> Text:
    if not entry.labels:
        return Text(_prefix(entry.sentence.block) + text, style="bold")
    strongest = max(entry.labels, key=lambda label: entry.scores[label])
    return Text(_prefix(entry.sentence.block) + text, style=f"bold {label_info()[strongest].colour}")


def _plain(text: str, block: Block) -> Text:
    style = (
        "bold" if block.kind in {"heading", "title"} else "dim" if block.hidden or block.region == "metadata" else ""
    )
    return Text(_prefix(block) + text, style=style)


def _prefix(block: Block) -> str:
    hidden = "[not shown at first] " if block.hidden else ""
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
