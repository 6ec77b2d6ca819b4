"""What every report is made from: the results of one run, and the plain words that all formats share."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mdclaims.config import Settings
from mdclaims.findings.findings import Finding, PageResult
from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.stance import PRIORITIES
from mdclaims.labels import label_info
from mdclaims.language.sentences import Sentence

MODE_WORDS: dict[str, str] = {
    "balanced": "balanced (between few false alarms and few misses)",
    "edit": "edit (few false alarms)",
    "screen": "screen (few missed statements)",
}

KIND_WORDS: dict[str, str] = {
    "title": "title", "description": "description", "heading": "heading", "paragraph": "paragraph",
    "list_item": "list item", "cell": "table cell", "button": "button", "link": "link", "alt": "image description",
    "quote": "quotation", "caption": "caption", "structured": "structured data", "other": "other text",
}  # fmt: skip
REGION_WORDS: dict[str, str] = {
    "header": "header", "nav": "navigation", "main": "main text", "aside": "side text", "footer": "footer",
    "metadata": "metadata",
}  # fmt: skip
HIDDEN_WORDS = "present, not shown at first"


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

    @property
    def findings(self) -> int:
        """Number of findings on all pages."""
        return sum(len(page.findings) for page in self.pages)


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


_CLEAR = 0.9
_BORDER = 0.1


def certainty(score: float, threshold: float) -> str:
    """Return in a word how sure it is that a sentence is such a statement, not that the statement is wrong.

    Parameters
    ----------
    score : float
        Calibrated, so that of the findings with a score of 0.9 nine in ten are right.
    threshold : float
        Of the finding's label in the mode of the run.

    Returns
    -------
    str
        "clear" from 0.9 on, whatever the threshold. "borderline" less than 0.1 above the threshold, where another
        mode or a small change of wording can undo the finding, and below one half, where it is more often wrong
        than right: the mode ``screen`` has thresholds of about 0.1. "likely" between the two.
    """
    if score >= _CLEAR:
        return "clear"
    return "borderline" if score < max(threshold + _BORDER, 0.5) else "likely"


def place_words(sentence: Sentence) -> str:
    """Return where a sentence stands, in words: "list item, main text, page 3"."""
    block = sentence.block
    place = [KIND_WORDS[block.kind], REGION_WORDS[block.region]]
    if block.page is not None:
        place.append(f"page {block.page}")
    if sentence.quoted:
        place.append("in quotation marks")
    if block.hidden:
        place.append(HIDDEN_WORDS)
    return ", ".join(place)


def heading_words(sentence: Sentence) -> str:
    """Return the headings above a sentence, outermost first, as one line; "" if there are none."""
    return " › ".join(one_line(heading) for heading in sentence.block.heading_path)


# A quote of fewer words says little without the heading above it.
_FEW_WORDS = 4
_HEADING_SHOWN = 100


def quote_words(sentence: Sentence, most: int) -> str:
    """Return a sentence in quotation marks, on one line and at most so long, a short one with its heading."""
    quote = f"“{_cut(one_line(sentence.text), most)}”"
    if len(sentence.text.split()) < _FEW_WORDS and sentence.block.heading_path:
        quote += f" (under “{_cut(one_line(sentence.block.heading_path[-1]), _HEADING_SHOWN)}”)"
    return quote


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def distance_words(qualifier: Qualifier) -> str:
    """Return how far a qualifier stands from its claim: "2 sentences away"."""
    if qualifier.sentences_away == 0:
        return "in the sentence itself"
    return f"{qualifier.sentences_away} {'sentence' if qualifier.sentences_away == 1 else 'sentences'} away"


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
