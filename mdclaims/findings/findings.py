"""What a finding is: a sentence and a label at or above its threshold."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mdclaims.language.cues import Cue
from mdclaims.language.sentences import Sentence
from mdclaims.model.explanations import Explanation
from mdclaims.reading.page import Page


@dataclass(frozen=True, slots=True)
class ScoredSentence:
    """A sentence with its scores and labels.

    Attributes
    ----------
    sentence : Sentence
    scores : dict of str to float
        Calibrated, 0 to 1, for every label.
    labels : tuple of str
        Those at or above their threshold, among the labels asked for.
    """

    sentence: Sentence
    scores: dict[str, float]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should look at. It says nothing about right or wrong.

    Attributes
    ----------
    sentence : int
        Index into the result's sentences.
    label : str
    score : float
        The calibrated score of that label.
    fingerprint : str
        16 hex digits from label, folded text, folded nearest heading and the occurrence among equals: stable
        under moving, re-wrapping and changes of case.
    cues : tuple of Cue
        What the cue lists find in the sentence; offsets into ``Page.text``.
    explanation : Explanation, optional
        What drove the score, if the settings ask for it; offsets into the sentence, its heading or neighbour.
    """

    sentence: int
    label: str
    score: float
    fingerprint: str
    cues: tuple[Cue, ...]
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class PageResult:
    """Everything about one page.

    Attributes
    ----------
    page : Page
    sentences : tuple of ScoredSentence
        Every sentence of the page, labelled or not, in order.
    findings : tuple of Finding
        By sentence, then in the order of the labels.
    """

    page: Page
    sentences: tuple[ScoredSentence, ...]
    findings: tuple[Finding, ...]


def fold(text: str) -> str:
    """Return the form in which texts are compared: case folded, straight quotes, single spaces."""
    straight = text.translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return " ".join(straight.casefold().split())


def fingerprints(keys: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the fingerprint of each (label, sentence text, nearest heading), told apart by occurrence."""
    seen: Counter[tuple[str, str, str]] = Counter()
    out: list[str] = []
    for label, text, heading in keys:
        key = (label, fold(text), fold(heading))
        out.append(hashlib.sha256("\x1f".join((*key, str(seen[key]))).encode()).hexdigest()[:16])
        seen[key] += 1
    return out
