"""What a finding is: a sentence with a label at or above its threshold, or with a rule that needs no label."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.rule_book import RuleMatch
from mdclaims.findings.stance import SHORT, Attributes
from mdclaims.findings.wording import Suggestion
from mdclaims.language.cues import Cue
from mdclaims.language.sentences import ITEM_KINDS, Sentence
from mdclaims.model.explanations import Explanation
from mdclaims.reading.page import Page


class ScoredSentence(NamedTuple):
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
class Suppression:
    """Why a finding does not count: somebody said that it is fine.

    Attributes
    ----------
    kind : str
        "inline" (said in the document) or "file" (cleared wording).
    where : str
        File and line of the directive or entry.
    scope : str
        "here" or "everywhere".
    reason : str
    until : date or None
        The last day on which it holds.
    owner, reference, evidence : str or None
        Who answers for it, its number in the user's own records, and where the evidence lies.
    """

    kind: str
    where: str
    scope: str
    reason: str
    until: date | None
    owner: str | None
    reference: str | None
    evidence: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Words that stand in one wording and not in the other.

    Attributes
    ----------
    before, after : str
        The words, as they are written; "" where words were only added or only left out.
    """

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CloseWording:
    """Cleared wording that is close to a sentence, or equal but cleared for another place. It clears nothing.

    Attributes
    ----------
    where : str
        File and line of the entry.
    text : str
        The cleared wording.
    reference : str or None
        Its number in the user's own records.
    similarity : float
        0 to 1, see `mdclaims.findings.similarity.NEAR`.
    differences : tuple of Difference
        The words that differ, the cleared ones before; none if the words are the same.
    valid : bool
        The entry holds: it gives a reason and has not expired.
    file : str or None
        The one file that it is cleared for, if its scope is "here".
    """

    where: str
    text: str
    reference: str | None
    similarity: float
    differences: tuple[Difference, ...]
    valid: bool
    file: str | None


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
        16 hex digits from its name, folded text, folded nearest heading and the occurrence among equals: stable
        under moving, re-wrapping and changes of case.
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
        under one heading, or without a label the same words again.
    attributes : Attributes or None
        What the cues tell of an efficacy or safety claim; None for the other labels.
    qualifier : Qualifier or None
        The nearest risk, limit or source in the section of an efficacy or safety claim that is put forward.
    rules : tuple of RuleMatch
        Provisions of the chosen jurisdictions that it may touch; exactly one if it has no label.
    suggestions : tuple of Suggestion
        What to write instead, or to ask; none for what is only noted.
    explanation : Explanation, optional
        What drove the score, if the settings ask for it; offsets into the sentence, its heading or neighbour.
    suppressed : Suppression, optional
        Why the finding does not count.
    close_to : CloseWording, optional
        Cleared wording that is nearly the sentence's.
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
    suggestions: tuple[Suggestion, ...] = ()
    explanation: Explanation | None = None
    suppressed: Suppression | None = None
    close_to: CloseWording | None = None

    @property
    def name(self) -> str:
        """Its label, or the id of its rule if it has none: what it is called where something refers to it."""
        return self.label if self.label is not None else self.rules[0].id


@dataclass(frozen=True, slots=True)
class RewordedSentence:
    """A sentence, by its index, that is close to one which is gone: its wording before."""

    sentence: int
    before: str


@dataclass(frozen=True, slots=True)
class GoneSentence:
    """A sentence that is not there any more, with the labels it had."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed against another version of the document.

    Attributes
    ----------
    since : str
        What the other version is called: a revision or a file.
    new : tuple of int
        Indices of sentences that were not there.
    reworded : tuple of RewordedSentence
    gone : tuple of GoneSentence
    """

    since: str
    new: tuple[int, ...]
    reworded: tuple[RewordedSentence, ...]
    gone: tuple[GoneSentence, ...]

    @property
    def changed(self) -> frozenset[int]:
        """Indices of the sentences that are new or reworded."""
        return frozenset(self.new) | {entry.sentence for entry in self.reworded}


@dataclass(frozen=True, slots=True)
class PageResult:
    """Everything about one page.

    Attributes
    ----------
    page : Page
    sentences : tuple of ScoredSentence
        Every sentence of the page, labelled or not, in order.
    findings : tuple of Finding
        By sentence, then in the order of the labels; those without a label last.
    changes : Changes, optional
        Against another version, if one was given; only what changed then has labels and findings.
    """

    page: Page
    sentences: tuple[ScoredSentence, ...]
    findings: tuple[Finding, ...]
    changes: Changes | None = None


# An item of so few words says little without the heading above it.
_SHORT_ITEM = 6


def groups(places: Sequence[tuple[str, Sentence]]) -> list[int]:
    """Return for each (label, sentence) the index of the first of its group, which may be itself.

    A group is one claim: equal text, several short items of one kind under one heading, or a heading of few words with
    the first of its label that stands under it.
    """
    folded = _folded(sentence.text for _, sentence in places)
    texts = [(label, folded[sentence.text]) for label, sentence in places]
    lists: dict[tuple[object, ...], set[str]] = {}
    listed = [_list_of(label, sentence) for label, sentence in places]
    for key, (_, text) in zip(listed, texts, strict=True):
        if key is not None:
            lists.setdefault(key, set()).add(text)
    # One text alone is no list: the same button under many headings is one claim.
    keys: list[Hashable] = [
        text if key is None or len(lists[key]) == 1 else key for key, text in zip(listed, texts, strict=True)
    ]
    counts = Counter(keys)
    following: dict[str, int] = {}
    for n in range(len(places) - 1, -1, -1):
        label, sentence = places[n]
        below = following.get(label)
        if below is not None and is_heading_of(sentence, places[below][1]):
            is_short = len(sentence.text.split()) < SHORT
            stand_once = counts[keys[n]] == 1 and (counts[keys[below]] == 1 or keys[below] in lists)
            if is_short and stand_once:
                keys[n] = keys[below]
        following[label] = n
    return first_of_each(keys)


def _list_of(label: str, sentence: Sentence) -> tuple[object, ...] | None:
    """Return what a short item shares with those of its list, None for what is no short item under a heading."""
    block = sentence.block
    if block.kind not in ITEM_KINDS or not block.heading_path or len(sentence.text.split()) > _SHORT_ITEM:
        return None
    return label, block.region, block.heading_path, block.kind


def is_heading_of(sentence: Sentence, other: Sentence) -> bool:
    """Return whether a sentence is the heading right above another."""
    block, path = sentence.block, other.block.heading_path
    return block.kind == "heading" and path[:-1] == block.heading_path and path[-1:] == (sentence.text,)


def first_of_each(keys: Sequence[Hashable]) -> list[int]:
    """Return for each key the index of the first that equals it."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(key, n) for n, key in enumerate(keys)]


def fold(text: str) -> str:
    """Return the form in which texts are compared: case folded, straight quotes, single spaces."""
    if not text.isascii():
        text = text.replace("‘", "'").replace("’", "'").replace("“", '"').replace("”", '"')
    return " ".join(text.casefold().split())


def _folded(texts: Iterable[str]) -> dict[str, str]:
    """Fold each different text once."""
    return {text: fold(text) for text in set(texts)}


def fingerprints(keys: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return the fingerprint of each (name, sentence text, nearest heading), told apart by occurrence."""
    folded = _folded(part for _, text, heading in keys for part in (text, heading))
    seen: Counter[tuple[str, str, str]] = Counter()
    out: list[str] = []
    for name, text, heading in keys:
        key = (name, folded[text], folded[heading])
        out.append(hashlib.sha256("\x1f".join((*key, str(seen[key]))).encode()).hexdigest()[:16])
        seen[key] += 1
    return out
