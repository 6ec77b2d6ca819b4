"""The SARIF report, for code scanning and editors: version 2.1.0 of the OASIS standard.

It owns how a finding is put into the standard's words; docs/formats.md tells it to users. Sections are those of
SARIF 2.1.0 with errata 1. Equal reports give equal files: no times, no names of machines or folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.findings.rules import Rule, check_line
from mdclaims.labels import LABELS, Label, label_info
from mdclaims.language.sentences import Sentence
from mdclaims.reading import format_of
from mdclaims.reading.page import Page
from mdclaims.reading.positions import LINE_ENDS, SourcePositions
from mdclaims.reports.json_report import json_text
from mdclaims.reports.report import (
    Report,
    certainty_of,
    distance,
    heading_words,
    one_line,
    place_words,
    quote_words,
    rule_lines,
    rules_used,
    shown_label,
    suppression_words,
)

SARIF_VERSION = "2.1.0"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "mdclaimsFinding/v1"
"""The key of a finding's fingerprint; the number rises when equal findings would get another fingerprint."""
# GitHub tells alerts apart by this key alone.
_GITHUB_FINGERPRINT = "primaryLocationLineHash"

# "review" would be the truer kind, but any kind but "fail" forces the level "none" (3.27.10), which viewers hide.
_KINDS: dict[str, tuple[str, str]] = {
    "high": ("fail", "warning"),
    "normal": ("fail", "note"),
    "info": ("informational", "none"),
}
_NOT_READ, _NOTE = "input-not-read", "note-on-reading"
_NOTIFICATIONS: dict[str, tuple[str, str]] = {
    _NOT_READ: ("error", "An input could not be read: nothing is said about it."),
    _NOTE: ("note", "Something to know about how an input was read."),
}
_BASE = "%SRCROOT%"
_TAXONOMY = "provisions"
# Messages stay below the 1,024 characters that GitHub allows for descriptions.
_QUOTE_SHOWN = 300
_MEDIA_TYPES = {
    "text": "text/plain",
    "markdown": "text/markdown",
    "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
}
_BINARY = frozenset({"docx", "pdf"})


def render_sarif(report: Report, *, base: Path | None = None) -> str:
    """Return the SARIF report, one line at the end.

    Parameters
    ----------
    report : Report
    base : Path, optional
        The absolute path of the folder that mdclaims ran in: inputs below it get relative addresses. Without it
        relative paths stay as they are.
    """
    return json_text(sarif_data(report, base=base))


def sarif_data(report: Report, *, base: Path | None = None) -> dict[str, Any]:
    """Return the SARIF report as JSON data."""
    return {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [_run(report, base)]}


def _run(report: Report, base: Path | None) -> dict[str, Any]:
    addresses = [_address(result.page.source, base) for result in report.pages]
    used = rules_used(report)
    return {
        "tool": {"driver": _driver(report, used)},
        **({"taxonomies": [_taxonomy(report, used)]} if used else {}),
        "invocations": [_invocation(report, base)],
        "originalUriBaseIds": {_BASE: {"description": {"text": "The folder that mdclaims ran in."}}},
        "artifacts": [_artifact(result.page, address) for result, address in zip(report.pages, addresses, strict=True)],
        "results": [
            entry
            for index, (result, address) in enumerate(zip(report.pages, addresses, strict=True))
            for entry in _PageResults(result, {**address, "index": index}, report, used).all()
        ],
        "columnKind": "utf16CodeUnits",
        "newlineSequences": list(LINE_ENDS),
        "properties": {
            "mode": report.settings.mode,
            "labels": list(report.settings.labels),
            "thresholds": report.thresholds,
            "jurisdictions": list(report.settings.jurisdictions),
            "skipHidden": report.skip_hidden,
            "model": {"name": report.model_name, "version": report.model_version, "sha256": report.model_sha256},
        },
    }


# --- the tool ---------------------------------------------------------------------------------------------------


def _driver(report: Report, used: Sequence[Rule]) -> dict[str, Any]:
    driver: dict[str, Any] = {"name": "mdclaims", "version": report.tool_version}
    if re.fullmatch(r"\d+\.\d+\.\d+", report.tool_version):
        driver["semanticVersion"] = report.tool_version
    alone = _without_label(used)
    driver["rules"] = [*(_label(label_info()[name]) for name in LABELS), *(_provision(rule, report) for rule in alone)]
    if used:
        driver["supportedTaxonomies"] = [{"name": _TAXONOMY, "index": 0}]
    driver["notifications"] = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for name, (level, text) in _NOTIFICATIONS.items()
    ]
    return driver


def _without_label(used: Sequence[Rule]) -> list[Rule]:
    """Return the rules whose findings need no label: SARIF wants a rule behind every result."""
    return [rule for rule in used if not rule.needs_label]


def _taxonomy(report: Report, used: Sequence[Rule]) -> dict[str, Any]:
    """Return the provisions that results may touch as a classification beside the labels (3.14.8)."""
    return {
        "name": _TAXONOMY,
        "version": report.tool_version,
        "organization": "mdclaims",
        "shortDescription": {"text": "Provisions that a sentence may touch: something to check, no verdict."},
        "isComprehensive": False,
        "taxa": [_provision(rule, report) for rule in used],
    }


def _provision(rule: Rule, report: Report) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": _literal(f"{rule.check} {_capital(check_line(rule, report.today))}.")},
        "helpUri": rule.address,
        "help": {"text": _literal(f"{rule.check} {rule.note}".rstrip())},
        "defaultConfiguration": {"level": "note"},
    }


def _label(label: Label) -> dict[str, Any]:
    stances = [
        f"{name}: {clause}{'' if name in label.forward else ' (for information)'}"
        for name, clause in label.stances.items()
    ]
    lead = f"{label.meaning} A result says that a person should look at the sentence; it is no verdict."
    return {
        "id": label.name,
        "name": label.name.title().replace("_", ""),
        "shortDescription": {"text": label.display},
        "fullDescription": {"text": label.meaning},
        "help": {
            "text": f"{lead} What a sentence can do with it: {'; '.join(stances)}.",
            "markdown": "\n".join(
                [lead, "", "What a sentence can do with it:", "", *(f"- {line}" for line in stances)]
            ),
        },
        "defaultConfiguration": {"level": "note"},
    }


def _invocation(report: Report, base: Path | None) -> dict[str, Any]:
    notes = [
        _notification(_NOT_READ, error.error, _address(error.source, base), source=error.source)
        for error in report.errors
    ]
    for index, result in enumerate(report.pages):
        address = {**_address(result.page.source, base), "index": index}
        notes += [_notification(_NOTE, note, address, source=result.page.source) for note in result.page.notes]
    # A run with an unread input has failed (3.20.21): nobody may take its results for complete.
    return {"executionSuccessful": not report.errors, "toolExecutionNotifications": notes}


def _notification(name: str, text: str, address: dict[str, Any], *, source: str) -> dict[str, Any]:
    return {
        "descriptor": {"id": name, "index": list(_NOTIFICATIONS).index(name)},
        "level": _NOTIFICATIONS[name][0],
        "message": {"text": _literal(f"{one_line(source)}: {one_line(text)}")},
        "locations": [{"physicalLocation": {"artifactLocation": address}}],
    }


# --- artifacts --------------------------------------------------------------------------------------------------


def _address(source: str, base: Path | None) -> dict[str, Any]:
    """Return an artifactLocation: relative to the folder that mdclaims ran in where possible."""
    path = Path(source)
    if base is not None:
        whole = Path(os.path.normpath(base / path))
        path = whole.relative_to(base) if whole.is_relative_to(base) else whole
    if path.is_absolute():
        return {"uri": path.as_uri()}
    address: dict[str, Any] = {"uri": quote(path.as_posix(), safe="/")}
    if ".." not in path.parts:
        address["uriBaseId"] = _BASE
    return address


def _artifact(page: Page, address: dict[str, Any]) -> dict[str, Any]:
    artifact: dict[str, Any] = {
        "location": address,
        "roles": ["analysisTarget"],
        "hashes": {"sha-256": page.sha256},
    }
    kind = page.encoding if page.encoding in _BINARY else format_of(Path(page.source))
    if kind is not None:
        artifact["mimeType"] = _MEDIA_TYPES[kind]
    encoding = iana_name(page.encoding)
    if encoding is not None and page.encoding not in _BINARY:
        artifact["encoding"] = encoding
    return artifact


# Python's names of codecs, and what IANA calls them.
_IANA: tuple[tuple[str, str], ...] = (
    (r"utf[-_](8|16|32)", r"UTF-\1"),
    (r"utf[-_](16|32)[-_](le|be)", r"UTF-\1\2"),
    (r"cp(125\d)", r"windows-\1"),
    (r"cp([4-8]\d\d)", r"IBM\1"),
    (r"iso8859[-_](\d+)", r"ISO-8859-\1"),
    (r"koi8[-_](r|u)", r"KOI8-\1"),
    (r"euc_(jp|kr)", r"EUC-\1"),
    (r"(gb2312|gbk|gb18030)", r"\1"),
)
_IANA_OTHERS = {
    "ascii": "US-ASCII", "shift_jis": "Shift_JIS", "big5": "Big5", "iso2022_jp": "ISO-2022-JP", "hz": "HZ-GB-2312",
    "mac_roman": "macintosh", "tis_620": "TIS-620",
}  # fmt: skip


def iana_name(codec: str) -> str | None:
    """Return what IANA calls one of Python's codecs, or None if that is not known here."""
    for pattern, name in _IANA:
        match = re.fullmatch(pattern, codec)
        if match:
            expanded = match.expand(name)
            return expanded if expanded.startswith("windows") else expanded.upper()
    return _IANA_OTHERS.get(codec)


# --- results ----------------------------------------------------------------------------------------------------


class _PageResults:
    """The results of one page.

    Parameters
    ----------
    result : PageResult
    address : dict
        The artifactLocation of the page.
    report : Report
    used : sequence of Rule
        The rules that the report names, in the order of the taxonomy.
    """

    def __init__(self, result: PageResult, address: dict[str, Any], report: Report, used: Sequence[Rule]) -> None:
        self._result = result
        self._address = address
        self._report = report
        self._taxa = {rule.id: index for index, rule in enumerate(used)}
        self._rules = {name: n for n, name in enumerate((*LABELS, *(rule.id for rule in _without_label(used))))}
        text = result.page.source_text
        self._positions = None if text is None or not result.findings else SourcePositions(text)

    def all(self) -> list[dict[str, Any]]:
        """Return one SARIF result for each finding."""
        return [self._one(finding) for finding in self._result.findings]

    def _one(self, finding: Finding) -> dict[str, Any]:
        sentence = self._result.sentences[finding.sentence].sentence
        kind, level = _KINDS[finding.priority]
        sure = certainty_of(finding, self._report.thresholds)
        said = (
            f"{shown_label(finding.label).display}: {one_line(finding.reason)}. {quote_words(sentence, _QUOTE_SHOWN)}"
        )
        said += f" Certainty: {sure}." if sure else ""
        lines = rule_lines([finding], self._report.today)
        said += f" {_capital('; '.join(lines))}." if lines else ""
        entry: dict[str, Any] = {
            "ruleId": finding.name,
            "ruleIndex": self._rules[finding.name],
            "kind": kind,
            "level": level,
            "message": {"text": _literal(said)},
            "locations": [self._location(sentence)],
            "partialFingerprints": {FINGERPRINT: finding.fingerprint, _GITHUB_FINGERPRINT: finding.fingerprint},
            "properties": _properties(finding, sentence, sure, lines),
        }
        if finding.rules:
            entry["taxa"] = [
                {"id": match.id, "index": self._taxa[match.id], "toolComponent": {"name": _TAXONOMY, "index": 0}}
                for match in finding.rules
            ]
        if finding.suppressed is not None:
            kind = "inSource" if finding.suppressed.kind == "inline" else "external"
            entry["suppressions"] = [{"kind": kind, "justification": one_line(suppression_words(finding.suppressed))}]
        qualifier = finding.qualifier
        if qualifier is not None and qualifier.sentence != finding.sentence:
            other = self._result.sentences[qualifier.sentence].sentence
            # GitHub shows a related location where the message links to it.
            entry["message"]["text"] += f" Nearest {qualifier.kind}: [{distance(finding, qualifier)}](1)."
            text = f"The nearest {qualifier.kind}: {quote_words(other, _QUOTE_SHOWN)}"
            entry["relatedLocations"] = [{"id": 1, **self._location(other), "message": {"text": _literal(text)}}]
        return entry

    def _location(self, sentence: Sentence) -> dict[str, Any]:
        """Return a location: the region where lines are known, and the place in words and names."""
        physical: dict[str, Any] = {"artifactLocation": self._address}
        span = self._result.page.source_span(sentence.start, sentence.end)
        if self._positions is not None and span is not None:
            region = self._positions.region(*span)
            physical["region"] = {
                "startLine": region.start_line,
                "startColumn": region.start_column,
                "endLine": region.end_line,
                "endColumn": region.end_column,
                "charOffset": region.offset,
                "charLength": region.length,
                "snippet": {"text": region.text},
            }
        location: dict[str, Any] = {"physicalLocation": physical}
        logical = _logical(sentence)
        if logical:
            location["logicalLocations"] = logical
        headings = heading_words(sentence)
        place = place_words(sentence) + (f", under “{headings}”" if headings else "")
        return {**location, "message": {"text": _literal(place)}}


def _logical(sentence: Sentence) -> list[dict[str, Any]]:
    """Return the places that have a name: the element, the headings above it, the page of a PDF."""
    block = sentence.block
    found: list[dict[str, Any]] = []
    if block.selector:
        found.append({"fullyQualifiedName": block.selector, "kind": "element"})
    if block.heading_path:
        name = one_line(block.heading_path[-1])
        found.append({"name": name, "fullyQualifiedName": heading_words(sentence), "kind": "heading"})
    page = block.page_at(sentence.start)
    if page is not None:
        found.append({"name": str(page), "fullyQualifiedName": f"page {page}", "kind": "page"})
    return found


def _properties(finding: Finding, sentence: Sentence, sure: str | None, checks: Sequence[str]) -> dict[str, Any]:
    facts = finding.attributes
    return {
        "priority": finding.priority,
        "certainty": sure,
        "score": None if finding.score is None else round(finding.score, 4),
        "stance": finding.stance,
        "reason": finding.reason,
        "check": list(checks),
        "group": finding.group,
        "sentence": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "hidden": sentence.block.hidden,
        "quoted": sentence.quoted,
        "treatments": list(facts.treatments) if facts else [],
        "conditions": list(facts.conditions) if facts else [],
    }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _literal(text: str) -> str:
    """Return text for a message in which nothing is a placeholder (3.11.5) or a link (3.11.6) by accident."""
    return text.replace("](", "] (").replace("{", "{{").replace("}", "}}")
