"""What a finding is: a sentence with a label at or above its threshold, or with a rule that needs no label."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.rules import RuleMatch
from mdclaims.findings.stance import Attributes
from mdclaims.language.cues import Cue
from mdclaims.language.sentences import ITEM_KINDS, Sentence
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
    label : str or None
        None if it is there for a rule that needs no label.
    score : float or None
        The calibrated score of that label.
    fingerprint : str
        16 hex digits from label (or the rule's id), folded text, folded nearest heading and the occurrence among
        equals: stable under moving, re-wrapping and changes of case.
    cues : tuple of Cue
        What the cue lists find in the sentence; offsets into ``Page.text``.
    stance : str or None
        What the sentence does with the label, one of the label's stances; None if the model tells none.
    priority : str
        "high", "normal" or "info": what to read first.
    reason : str
        Why it has that priority, one plain clause.
    group : str
        The fingerprint of the first finding of its group. A group is one claim: the same text again, short items
        under one heading, or for a rule that needs no label the same words.
    attributes : Attributes or None
        What the cues tell of an efficacy or safety claim; None for the other labels.
    qualifier : Qualifier or None
        The nearest risk, limit or source in the section of an efficacy or safety claim that is put forward.
    rules : tuple of RuleMatch
        Provisions that it may touch, of the chosen jurisdictions; exactly one if it has no label.
    explanation : Explanation, optional
        What drove the score, if the settings ask for it; offsets into the sentence, its heading or neighbour.
    """

    sentence: int
    label: str | None
    score: float | None
    fingerprint: str
    cues: tuple[Cue, ...]
    stance: str | None
    priority: str
    reason: str
    group: str
    attributes: Attributes | None
    qualifier: Qualifier | None
    rules: tuple[RuleMatch, ...] = ()
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
        By sentence, then in the order of the labels; behind them those of rules that need no label.
    """

    page: Page
    sentences: tuple[ScoredSentence, ...]
    findings: tuple[Finding, ...]


# An item of so few words says little without the heading above it.
_SHORT_ITEM = 6


def groups(places: Sequence[tuple[str, Sentence]]) -> list[int]:
    """Return for each (label, sentence) the index of the first of its group, which may be itself.

    A group is one claim: equal text, or short items of one kind under one heading.
    """
    return firsts([_claim(label, sentence) for label, sentence in places])


def _claim(label: str, sentence: Sentence) -> Hashable:
    block = sentence.block
    if block.kind in ITEM_KINDS and block.heading_path and len(sentence.text.split()) <= _SHORT_ITEM:
        return (label, block.region, block.heading_path, block.kind)
    return (label, fold(sentence.text))


def firsts(keys: Sequence[Hashable]) -> list[int]:
    """Return for each key the index of the first that equals it."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(key, n) for n, key in enumerate(keys)]


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
