"""The JUnit report, for systems that run checks: each input is a suite, each claim a test.

It owns what counts as a failure and how a claim is told in a test; docs/formats.md tells it to users. There is no
standard: this keeps to the schema that Jenkins publishes (``junit-10.xsd`` of its xUnit plugin) and that pytest
checks its own files against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree as ET

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.labels import PRIORITIES
from mdclaims.reading.positions import SourcePositions
from mdclaims.reports.report import (
    InputError,
    Report,
    certainty_of,
    distance,
    heading_words,
    one_line,
    place_words,
    quote_words,
    rule_lines,
    settings_line,
    shown_label,
    suppression_words,
    visible_controls,
)

FAILING: tuple[str, ...] = ("high", "normal")
"""The priorities that make a test fail; a claim that is only noted passes."""

_NAME_QUOTE = 80
_QUOTE = 1000


def render_junit(report: Report) -> str:
    """Return the report as JUnit XML."""
    root = ET.Element("testsuites", {"name": "mdclaims"})
    for result in report.pages:
        root.append(_suite(result, report))
    for error in report.errors:
        root.append(_unread(error))
    for key in ("tests", "failures", "errors"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(result: PageResult, report: Report) -> ET.Element:
    page = result.page
    text = page.source_text
    positions = None if text is None or not result.findings else SourcePositions(text)
    suite = ET.Element("testsuite", {"name": visible_controls(page.source)})
    properties = {
        "settings": settings_line(report.settings),
        "sha256": page.sha256,
        "mdclaims": report.tool_version,
        "model": f"{report.model_name} {report.model_version}",
        **{f"note {n}": note for n, note in enumerate(page.notes, start=1)},
    }
    listed = ET.SubElement(suite, "properties")
    for name, value in properties.items():
        ET.SubElement(listed, "property", {"name": name, "value": visible_controls(value)})
    groups: dict[str, list[Finding]] = {}
    for finding in result.findings:
        groups.setdefault(finding.group, []).append(finding)
    used: Counter[str] = Counter()
    for members in groups.values():
        suite.append(_test(members, result, report, positions, used))
    if not groups:
        # A suite without a test is an error to some systems, and "nothing found" is worth a line.
        ET.SubElement(
            suite, "testcase", {"classname": visible_controls(f"{page.source}.input"), "name": "read, nothing found"}
        )
    return _counted(suite)


def _test(
    members: list[Finding],
    result: PageResult,
    report: Report,
    positions: SourcePositions | None,
    used: Counter[str],
) -> ET.Element:
    """Return the test of one claim; `used` are the names that are taken."""
    first = min(members, key=lambda finding: (finding.suppressed is not None, PRIORITIES.index(finding.priority)))
    sentence = result.sentences[first.sentence].sentence
    name = visible_controls(f"{shown_label(first.label).display}: {quote_words(sentence, _NAME_QUOTE)}")
    used[name] += 1
    # Systems follow a test by class and name. Jenkins takes what stands before the last full stop for the package,
    # so that the inputs are its packages and the labels its classes.
    test = ET.Element(
        "testcase",
        {
            "classname": visible_controls(f"{result.page.source}.{shown_label(first.label).name}"),
            "name": name if used[name] == 1 else f"{name} ({used[name]})",
        },
    )
    lines = [line for finding in members for line in _lines(finding, result, report, positions)]
    told = visible_controls("\n".join(lines))
    if first.priority in FAILING and first.suppressed is None:
        message = "; ".join([first.reason, *rule_lines(members, report.today)])
        failure = ET.SubElement(test, "failure", {"type": first.priority, "message": visible_controls(message)})
        failure.text = told
    else:
        ET.SubElement(test, "system-out").text = told
    return test


def _lines(finding: Finding, result: PageResult, report: Report, positions: SourcePositions | None) -> Iterator[str]:
    sentence = result.sentences[finding.sentence].sentence
    span = result.page.source_span(sentence.start, sentence.end)
    line = "" if positions is None or span is None else f":{positions.region(*span).start_line}"
    headings = heading_words(sentence)
    yield f"{result.page.source}{line}: {quote_words(sentence, _QUOTE)}"
    yield f"  {finding.priority}: {finding.reason}"
    if finding.suppressed is not None:
        yield f"  not counted: {one_line(suppression_words(finding.suppressed))}"
    for check in rule_lines([finding], report.today):
        yield f"  {check}"
    sure = certainty_of(finding, report.thresholds)
    if sure is not None:
        yield f"  certainty: {sure}"
    yield f"  place: {place_words(sentence)}" + (f", under “{headings}”" if headings else "")
    if finding.qualifier is not None:
        qualifier = finding.qualifier
        other = result.sentences[qualifier.sentence].sentence
        quote = "" if other is sentence else f": {quote_words(other, _QUOTE)}"
        yield f"  nearest {qualifier.kind}, {distance(finding, qualifier)}{quote}"
    yield f"  fingerprint: {finding.fingerprint}"


def _unread(error: InputError) -> ET.Element:
    suite = ET.Element("testsuite", {"name": visible_controls(error.source)})
    test = ET.SubElement(
        suite, "testcase", {"classname": visible_controls(f"{error.source}.input"), "name": "not read"}
    )
    ET.SubElement(test, "error", {"type": "not read", "message": visible_controls(error.error)})
    return _counted(suite)


def _counted(suite: ET.Element) -> ET.Element:
    """Return the suite with its counts."""
    counts: Mapping[str, str] = {
        "tests": "testcase",
        "failures": "*/failure",
        "errors": "*/error",
        "skipped": "*/skipped",
    }
    for key, path in counts.items():
        suite.set(key, str(len(suite.findall(path))))
    return suite
