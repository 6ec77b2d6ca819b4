"""What every report is made from: the results of one run, and the plain words that all formats share."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from mdclaims.config import JURISDICTIONS, Settings
from mdclaims.findings.findings import Finding, PageResult
from mdclaims.findings.rules import Rule, rule_of, rules_of, wording
from mdclaims.findings.stance import PRIORITIES
from mdclaims.labels import label_info

MODE_WORDS: dict[str, str] = {
    "balanced": "balanced (between few false alarms and few misses)",
    "edit": "edit (few false alarms)",
    "screen": "screen (few missed statements)",
}


@dataclass(frozen=True, slots=True)
class InputError:
    """An input that could not be read.

    Attributes
    ----------
    source : str
    error : str
        One line: what is wrong and what to do next.
    """

    source: str
    error: str


def today() -> date:
    """Return the day, by the clock."""
    return datetime.now(UTC).date()


RULE_NAME = "Rule to check"
"""How a finding without a label is called."""


@dataclass(frozen=True)
class Report:
    """The results of one run.

    Attributes
    ----------
    tool_version : str
    model_name, model_version, model_sha256 : str
    settings : Settings
    thresholds : dict of str to float
    pages : tuple of PageResult
    errors : tuple of InputError
    skip_hidden : bool
        Text that is not shown at first was left without labels.
    today : date
        For telling which rules were last checked long ago.
    """

    tool_version: str
    model_name: str
    model_version: str
    model_sha256: str
    settings: Settings
    thresholds: dict[str, float]
    pages: tuple[PageResult, ...]
    errors: tuple[InputError, ...]
    skip_hidden: bool = False
    today: date = field(default_factory=today)

    @property
    def findings(self) -> int:
        """Number of findings on all pages."""
        return sum(len(page.findings) for page in self.pages)


def settings_line(settings: Settings) -> str:
    """Return the first line of every report: mode and jurisdictions in plain words."""
    named = ", ".join(JURISDICTIONS[name] for name in settings.jurisdictions)
    # Without a choice the line says how to make one.
    chosen = named or "none chosen (--jurisdiction shows provisions)"
    return f"Mode: {MODE_WORDS[settings.mode]}. Jurisdictions: {chosen}."


def rules_line(findings: Sequence[Finding], today: date) -> str:
    """Return which provisions these findings may touch, in one line; "" for none."""
    told = dict.fromkeys(match.id for finding in findings for match in finding.rules)
    if not told:
        return ""
    texts = [wording(rule_of(name), today) for name in told]
    return "; ".join([texts[0], *(text.removeprefix("possible: check ") for text in texts[1:])])


def rules_used(report: Report) -> tuple[Rule, ...]:
    """Return the rules that the report names, in the order of all rules."""
    ids = {match.id for page in report.pages for finding in page.findings for match in finding.rules}
    return tuple(rule for rule in rules_of(report.settings.jurisdictions) if rule.id in ids)


def totals_line(report: Report) -> str:
    """Return one sentence of result for all pages together."""
    labelled = sum(bool(entry.labels) for page in report.pages for entry in page.sentences)
    total = sum(len(page.sentences) for page in report.pages)
    return f"All {len(report.pages)} inputs: {labelled:,} of {total:,} sentences carry a label."


def by_priority(result: PageResult) -> dict[str, int]:
    """Return the number of different claims of each priority; a claim that stands in several places counts once."""
    highest: dict[str, str] = {}
    for finding in result.findings:
        known = highest.get(finding.group)
        if known is None or PRIORITIES.index(finding.priority) < PRIORITIES.index(known):
            highest[finding.group] = finding.priority
    counts = Counter(highest.values())
    return {priority: counts[priority] for priority in PRIORITIES}


def by_label(result: PageResult, labels: Sequence[str]) -> dict[str, int]:
    """Return the number of findings of each label."""
    counts = Counter(finding.label for finding in result.findings if finding.label is not None)
    return {label: counts[label] for label in labels}


def summary_line(result: PageResult, labels: Sequence[str]) -> str:
    """Return one sentence of result for a page."""
    total = len(result.sentences)
    labelled = sum(bool(entry.labels) for entry in result.sentences)
    counts = ", ".join(
        f"{count} {label_info()[label].display.lower()}" for label, count in by_label(result, labels).items() if count
    )
    said = (
        f"{labelled} of {total} {'sentence' if total == 1 else 'sentences'} "
        f"{'carries' if labelled == 1 or total == 1 else 'carry'} a label"
    )
    line = f"{said}: {counts}." if counts else f"{said}."
    alone = len({finding.group for finding in result.findings if finding.label is None})
    if alone:
        line += f" {alone} {'more thing touches' if alone == 1 else 'more things touch'} a rule without a label."
    return line


@dataclass(frozen=True, slots=True)
class Reasons:
    """The strongest reasons of an explanation, in words with their weights, the strongest first.

    Attributes
    ----------
    speak_for, speak_against : tuple of (str, str)
        A word or circumstance, and its weight in log-odds with its sign.
    """

    speak_for: tuple[tuple[str, str], ...]
    speak_against: tuple[tuple[str, str], ...]


_PART_WORDS = {
    "sentence": "{}",
    "heading": "{} (heading)",
    "previous": "{} (sentence before)",
    "next": "{} (sentence after)",
}
# Below this a reason moves a score of one half by less than eight points.
_WEAKEST_REASON = 0.3


def reasons(finding: Finding, most: int = 5) -> Reasons | None:
    """Return up to `most` reasons for a finding and as many against; None if it was not explained.

    A word that stands twice is one reason.
    """
    if finding.explanation is None:
        return None
    weights: dict[str, float] = {}
    for entry in finding.explanation.contributions:
        if entry.part == "circumstance":
            name = entry.text.replace("_", " ")
        elif any(map(str.isalnum, entry.text)):
            name = _PART_WORDS[entry.part].format(f"“{one_line(entry.text.lower())}”")
        else:
            continue
        weights[name] = weights.get(name, 0) + entry.weight
    strongest = sorted(weights.items(), key=lambda entry: -abs(entry[1]))

    def words(sign: int) -> tuple[tuple[str, str], ...]:
        kept = [
            (name, f"{weight:+.1f}".replace("-", "−")) for name, weight in strongest if sign * weight >= _WEAKEST_REASON
        ]
        return tuple(kept[:most])

    return Reasons(speak_for=words(1), speak_against=words(-1))


def percent(score: float) -> int:
    """Return a score as a whole percentage, 1 to 99: no model has the certainty of 0 or 100."""
    return min(max(round(score * 100), 1), 99)


def visible_controls(text: str) -> str:
    """Replace by U+FFFD what a terminal or browser would obey, and what no file can hold.

    These are control and direction-changing characters, and lone surrogates (a file's name can have them).
    """
    return "".join(
        "\ufffd"
        if (unicodedata.category(character) in {"Cc", "Cs"} and character != "\n") or character in _DIRECTION
        else character
        for character in text
    )


def one_line(text: str) -> str:
    """Return a name or message for a line of its own: visible controls, and no line breaks."""
    return " ".join(visible_controls(text).split("\n"))


# Bidirectional overrides and isolates: they can make a quote read backwards ("Trojan source", CVE-2021-42574).
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
