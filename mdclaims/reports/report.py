"""What every report is made from: the results of one run, and the plain words that all formats share."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mdclaims.config import Settings
from mdclaims.findings.cleared import BASELINE_REASON
from mdclaims.findings.findings import CloseWording, Finding, PageResult, Suppression
from mdclaims.findings.stance import PRIORITIES
from mdclaims.findings.suppressions import Note
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
    notes : tuple of Note
        What a user should know about directives and cleared wording.
    configs : tuple of str
        The config files that were used.
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
    notes: tuple[Note, ...] = ()
    configs: tuple[str, ...] = ()

    @property
    def findings(self) -> int:
        """Number of findings on all pages."""
        return sum(len(page.findings) for page in self.pages)


def for_people(report: Report) -> Report:
    """Return the report as people are shown it: suppressed findings folded away, with a note of what is not shown."""
    return replace(report, pages=tuple(_page_for_people(result) for result in report.pages))


def _page_for_people(result: PageResult) -> PageResult:
    notes = [*_suppressed_notes(result), *_change_notes(result)]
    if not notes:
        return result
    findings = tuple(finding for finding in result.findings if finding.suppressed is None)
    kept = {(finding.sentence, finding.label) for finding in findings}
    sentences = tuple(
        replace(entry, labels=tuple(label for label in entry.labels if (n, label) in kept))
        for n, entry in enumerate(result.sentences)
    )
    page = replace(result.page, notes=(*result.page.notes, *notes))
    return replace(result, page=page, sentences=sentences, findings=findings)


# Longer lists are in the JSON.
_MOST_NOTES = 5


def _suppressed_notes(result: PageResult) -> list[str]:
    counts = Counter(suppression_words(finding.suppressed) for finding in result.findings if finding.suppressed)
    if not counts:
        return []
    total = counts.total()
    words = [f"{words}{f' ({count})' if len(counts) > 1 else ''}" for words, count in counts.most_common(_MOST_NOTES)]
    if len(counts) > _MOST_NOTES:
        words.append(f"{len(counts) - _MOST_NOTES} more")
    return [f"{total} {'finding is' if total == 1 else 'findings are'} not counted: {'; '.join(words)}"]


def suppression_words(suppression: Suppression) -> str:
    """Return in plain words why a finding does not count ("cleared: MED-14, until 2027-01-31")."""
    until = f", until {suppression.until.isoformat()}" if suppression.until else ""
    if suppression.reason == BASELINE_REASON:
        return f"{BASELINE_REASON}{until}"
    said = "cleared" if suppression.kind == "file" else "marked as fine"
    return f"{said}: {suppression.reference or suppression.reason}{until}"


def close_words(close: CloseWording) -> str:
    """Return in plain words which cleared wording a sentence is close to, and what differs."""
    if not close.differences:
        said = "the words are those of cleared wording"
        if not close.valid:
            return f"{said} that is not valid now ({close.reference or close.where})"
        where = f", which is cleared for one place in {close.file} alone" if close.file else ", but the marks differ"
        return f"{said} {close.reference or close.where}{where}"
    name = close.reference or f"“{close.text}”"
    if not close.valid:
        name += " (not valid now)"
    parts = []
    for entry in close.differences[:_MOST_NOTES]:
        if not entry.before:
            parts.append(f"“{entry.after}” is new")
        elif not entry.after:
            parts.append(f"“{entry.before}” is missing")
        else:
            parts.append(f"“{entry.after}” in place of “{entry.before}”")
    if len(close.differences) > _MOST_NOTES:
        parts.append(f"{len(close.differences) - _MOST_NOTES} more")
    return f"close to cleared wording {name}: {', '.join(parts)}"


def _change_notes(result: PageResult) -> list[str]:
    changes = result.changes
    if changes is None:
        return []
    counts = f"{len(changes.new)} new, {len(changes.reworded)} reworded, {len(changes.gone)} gone"
    notes = [f"sentences against {changes.since}: {counts}; only new and reworded ones are labelled"]
    told = [entry for entry in changes.gone if entry.labels]
    for entry in told[:_MOST_NOTES]:
        displays = ", ".join(label_info()[label].display for label in entry.labels)
        notes.append(f"gone: “{entry.text}” ({displays})")
    if len(told) > _MOST_NOTES:
        notes.append(f"gone: {len(told) - _MOST_NOTES} more with a label")
    return notes


def change_words(result: PageResult, sentence: int) -> str | None:
    """Return what a sentence said before it was reworded, or None."""
    if result.changes is None:
        return None
    before = next((entry.before for entry in result.changes.reworded if entry.sentence == sentence), None)
    return None if before is None else f"before: “{before}”"


def settings_line(settings: Settings) -> str:
    """Return the first line of every report: mode and jurisdictions in plain words."""
    return f"Mode: {MODE_WORDS[settings.mode]}. Jurisdictions: none chosen, so no provisions are shown."


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
    counts = Counter(finding.label for finding in result.findings)
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
    return f"{said}: {counts}." if counts else f"{said}."


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
