"""The JSON report, a contract: documented in docs/json.md and checked against ``data/schema/check.schema.json``."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import date
from typing import Any

from mdclaims.findings.findings import CloseWording, Finding, PageResult, ScoredSentence, Suppression
from mdclaims.findings.rules import Rule, check_line, is_stale, rule_of
from mdclaims.reading.page import Page
from mdclaims.reports.report import Report, by_label, by_priority, rules_used

SCHEMA_VERSION = 1
_CONTROLS = re.compile("[\x7f-\x9f]")


def report_data(report: Report) -> dict[str, Any]:
    """Return the report as JSON data; all keys are present, empty where unused."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mdclaims", "version": report.tool_version},
        "model": {"name": report.model_name, "version": report.model_version, "sha256": report.model_sha256},
        "settings": {
            "mode": report.settings.mode,
            "thresholds": report.thresholds,
            "labels": list(report.settings.labels),
            "jurisdictions": list(report.settings.jurisdictions),
            "skip_hidden": report.skip_hidden,
            "config": list(report.configs),
        },
        "pages": [_page(result, report) for result in report.pages],
        "rules": [rule_data(rule, report.today) for rule in rules_used(report)],
        "errors": [{"source": error.source, "error": error.error} for error in report.errors],
        "notes": [asdict(note) for note in report.notes],
    }


def rule_data(rule: Rule, today: date) -> dict[str, Any]:
    """Return a rule as JSON data; `today` tells whether it was last checked long ago."""
    return {
        "id": rule.id,
        "jurisdiction": rule.jurisdiction,
        "title": rule.title,
        "scope": list(rule.scope),
        "citation": rule.citation,
        "address": rule.address,
        "checked": rule.checked.isoformat(),
        "stale": is_stale(rule, today),
        "verified": rule.verified,
        "note": rule.note,
        "check": rule.check,
    }


def render_json(report: Report) -> str:
    """Return the JSON report, one line at the end."""
    return json_text(report_data(report))


def json_text(data: dict[str, Any]) -> str:
    """Return data as JSON that a terminal can show."""
    # ASCII escapes would double the size of many pages; surrogates were replaced on reading.
    text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
    # json escapes the C0 controls; DEL and the C1 controls are commands to a terminal as well.
    return _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", text) + "\n"


def _page(result: PageResult, report: Report) -> dict[str, Any]:
    page = result.page
    counts = by_label(result, report.settings.labels)
    return {
        "source": page.source,
        "sha256": page.sha256,
        "title": page.title,
        "encoding": page.encoding,
        "notes": list(page.notes),
        "text": page.text,
        "sentences": [_sentence(entry, page) for entry in result.sentences],
        "findings": [_finding(finding, report.today) for finding in result.findings],
        "summary": {
            "sentences": len(result.sentences),
            "findings": len(result.findings),
            "by_label": counts,
            "claims": len({finding.group for finding in result.findings}),
            "by_priority": by_priority(result),
            "suppressed": sum(finding.suppressed is not None for finding in result.findings),
        },
        "changes": asdict(result.changes) if result.changes else None,
    }


def _sentence(entry: ScoredSentence, page: Page) -> dict[str, Any]:
    sentence, block = entry.sentence, entry.sentence.block
    source = page.source_span(sentence.start, sentence.end)
    return {
        "start": sentence.start,
        "end": sentence.end,
        "source_start": source[0] if source else None,
        "source_end": source[1] if source else None,
        "text": sentence.text,
        "quoted": sentence.quoted,
        "page": block.page_at(sentence.start),
        "block": {
            "index": block.index,
            "kind": block.kind,
            "region": block.region,
            "hidden": block.hidden,
            "selector": block.selector,
            "heading_path": list(block.heading_path),
            "page": block.page,
        },
        "labels": list(entry.labels),
        "scores": {label: round(score, 4) for label, score in entry.scores.items()},
    }


def _finding(finding: Finding, today: date) -> dict[str, Any]:
    return {
        "sentence": finding.sentence,
        "label": finding.label,
        "score": None if finding.score is None else round(finding.score, 4),
        "stance": finding.stance,
        "priority": finding.priority,
        "reason": finding.reason,
        "group": finding.group,
        "fingerprint": finding.fingerprint,
        "attributes": _attributes(finding),
        "cues": [cue._asdict() for cue in finding.cues],
        "rules": [
            {
                **asdict(match),
                "words": [cue._asdict() for cue in match.words],
                "text": check_line(rule_of(match.id), today),
            }
            for match in finding.rules
        ],
        "suggestions": [asdict(suggestion) for suggestion in finding.suggestions],
        "qualifier": asdict(finding.qualifier) if finding.qualifier else None,
        "suppressed": _suppressed(finding.suppressed),
        "close_to": _close_to(finding.close_to),
        "explanation": _explanation(finding),
    }


def _suppressed(suppression: Suppression | None) -> dict[str, Any] | None:
    if suppression is None:
        return None
    until = suppression.until
    return {**asdict(suppression), "until": until.isoformat() if until else None}


def _close_to(close: CloseWording | None) -> dict[str, Any] | None:
    return {**asdict(close), "similarity": round(close.similarity, 4)} if close else None


def _attributes(finding: Finding) -> dict[str, Any]:
    if finding.attributes is None:
        return {}
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in asdict(finding.attributes).items()
    }


def _explanation(finding: Finding) -> dict[str, Any] | None:
    if finding.explanation is None:
        return None
    return {
        "baseline": round(finding.explanation.baseline, 4),
        "contributions": [
            {
                "part": entry.part,
                "start": entry.start,
                "end": entry.end,
                "text": entry.text,
                "weight": round(entry.weight, 4),
            }
            for entry in finding.explanation.contributions
        ],
    }
