"""The report for GitHub Actions: workflow commands, which the runner shows as comments at lines of the files.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands describes them; how they are
escaped stands in ``packages/core/src/command.ts`` of actions/toolkit. A line of a page can never pass for a command:
line ends are escaped, and every line here begins with one of ours.
"""

from __future__ import annotations

import os
from pathlib import Path

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.labels import PRIORITIES
from mdclaims.reading.positions import SourcePositions
from mdclaims.reports.report import (
    Report,
    advice_fact,
    certainty_of,
    one_line,
    place_words,
    quote_words,
    rule_lines,
    shown_label,
    totals_line,
)

# "error" is kept for what could not be read: a finding is something to look at, no fault.
_COMMANDS = {"high": "warning", "normal": "notice"}
_QUOTE_SHOWN = 300


def render_workflow_commands(report: Report, *, base: Path | None = None) -> str:
    """Return one command for each input that could not be read and each finding of priority high or normal.

    Those of high priority come first, since GitHub shows ten of each kind for a step and leaves the rest in its log;
    the result of all inputs is the last line. Suppressed findings have none, and those for information neither.

    Parameters
    ----------
    report : Report
    base : Path, optional
        The absolute path of the folder that mdclaims ran in, the root of the repository: absolute names of inputs
        below it become relative to it, as GitHub wants them.
    """
    lines = [
        _command("error", error.error, file=_file(error.source, base), title="mdclaims: not read")
        for error in report.errors
    ]
    found: list[tuple[int, str]] = []
    for result in report.pages:
        text = result.page.source_text
        positions = None if text is None or not result.findings else SourcePositions(text)
        for finding in result.findings:
            if finding.priority in _COMMANDS and finding.suppressed is None:
                line = _finding(finding, result, report, positions, _file(result.page.source, base))
                found.append((PRIORITIES.index(finding.priority), line))
    lines += [line for _, line in sorted(found, key=lambda entry: entry[0])]
    return "\n".join([*lines, one_line(totals_line(report))]) + "\n"


def _finding(finding: Finding, result: PageResult, report: Report, positions: SourcePositions | None, file: str) -> str:
    sentence = result.sentences[finding.sentence].sentence
    sure = certainty_of(finding, report.thresholds)
    said = [f"{quote_words(sentence, _QUOTE_SHOWN)}: {one_line(finding.reason)}"]
    said += [f"{fact.name}: {fact.text}" for fact in map(advice_fact, finding.suggestions)]
    said += rule_lines([finding], report.today)
    place: dict[str, str] = {"file": file}
    span = result.page.source_span(sentence.start, sentence.end)
    if positions is not None and span is not None:
        region = positions.region(*span)
        place |= {"line": str(region.start_line), "endLine": str(region.end_line)}
        if region.start_line == region.end_line:  # GitHub takes columns within a line alone
            place |= {"col": str(region.start_column), "endColumn": str(region.end_column)}
    else:
        said.append(f"Place: {place_words(sentence)}")
    title = f"mdclaims: {shown_label(finding.label).display}" + (f" ({sure})" if sure else "")
    return _command(_COMMANDS[finding.priority], "\n".join(said), **place, title=title)


def _file(source: str, base: Path | None) -> str:
    if base is not None and Path(source).is_absolute():
        relative = os.path.relpath(source, base)
        if not relative.startswith(".."):
            source = relative
    return one_line(Path(source).as_posix())


def _command(name: str, text: str, **properties: str) -> str:
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
