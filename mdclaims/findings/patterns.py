"""The pattern language of the wording data: words, slots and phrases of condition over the tokens of a sentence.

A pattern is words in cue notation (``(a|b|)`` stands for alternatives) and slots in angle brackets: ``<people>``
is any word or phrase of that slot's list, ``<condition>`` and ``<treatment>`` a noun phrase around terms of those cue
lists, ``<adjective>`` one or two words that are no function words, ``<some>`` one to four words; ``<people?>`` may be
missing. ``behind`` and ``ahead`` are slots that must hold the word before and after a match, with ``!`` in front one
that it must not hold; ``later`` is a slot of which a word must follow further on, behind "and" or "or". Their word
``<edge>`` is the end of the sentence or a punctuation mark. What a slot finds is copied into the replacement as it
stands, or as the slot maps it. Every element takes a bounded number of words, and of several ways to the same end only
the first is followed, so that a sentence is searched in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from spacy.tokens import Doc

from mdclaims.language.cues import Cue, expand

EDGE = "<edge>"
_SLOT = re.compile(r"<([a-z_]+)(\?|)>")
_FREE = {"some": 4, "adjective": 2}
_PHRASES = {"condition": ("condition_", "symptom"), "treatment": ("treatment_",)}
# A noun phrase of conditions: so many words that may stand before a term, and so many terms.
_MOST_MODIFIERS = 3
_MOST_TERMS = 5
_MOST_CONNECTORS = 2
_JOINING = frozenset({"and", "or"})
_CONNECTORS = frozenset({"and", "or", "&", ",", "/"})

SPECIAL = frozenset({*_FREE, *_PHRASES})
"""The slots that are not lists of words."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A list of words or phrases, by their norms, with what stands for each in a replacement (None: itself)."""

    name: str
    entries: Mapping[tuple[str, ...], str | None]

    @property
    def longest(self) -> int:
        """Number of words of its longest entry."""
        return max(map(len, self.entries), default=0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One sequence of elements: a word's norm, or the name of a slot and whether it may be missing."""

    elements: tuple[str | tuple[str, bool], ...]
    behind: str | None
    ahead: str | None
    later: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern was found: words from `start` to before `end`, and those of each slot."""

    start: int
    end: int
    captures: Mapping[str, tuple[int, int]]


@dataclass
class Words:
    """The words of one sentence, without white space and without hyphens inside words.

    Attributes
    ----------
    text : str
        The sentence.
    norms : list of str
    starts, ends : list of int
        Offsets into `text`.
    cues : sequence of Cue
        Of the sentence; offsets into `text`.
    later : dict of str to int
        By slot, where "and" or "or" last stands before a word of it; filled when first asked for.
    """

    text: str
    norms: list[str]
    starts: list[int]
    ends: list[int]
    cues: Sequence[Cue]
    later: dict[str, int] = field(default_factory=dict)
    _terms: dict[str, dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, doc: Doc, cues: Sequence[Cue] = ()) -> Words:
        """Return the words of `doc`."""
        kept = [
            token
            for token in doc
            if not token.is_space and not (token.text == "-" and 0 < token.i < len(doc) - 1 and _is_tight(doc, token.i))
        ]
        starts = [token.idx for token in kept]
        return cls(doc.text, [token.norm_ for token in kept], starts, [token.idx + len(token) for token in kept], cues)

    def copy(self, start: int, end: int) -> str:
        """Return the text of some words."""
        return " ".join(self.text[self.starts[start] : self.ends[end - 1]].split()) if start < end else ""

    def is_punctuation(self, at: int) -> bool:
        """Return whether a word is a mark, or no word at all: the sentence ends there."""
        return not 0 <= at < len(self.norms) or not any(map(str.isalnum, self.norms[at]))

    def terms(self, kind: str) -> dict[int, int]:
        """Return by first word the end of the longest condition or treatment that the cues name."""
        if kind not in self._terms:
            first = {start: n for n, start in enumerate(self.starts)}
            last = {end: n + 1 for n, end in enumerate(self.ends)}
            found: dict[int, int] = {}
            for cue in self.cues:
                start, end = first.get(cue.start), last.get(cue.end)
                if start is not None and end is not None and cue.name.startswith(_PHRASES[kind]):
                    found[start] = max(end, found.get(start, 0))
            self._terms[kind] = found
        return self._terms[kind]

    @cached_property
    def capitalised(self) -> list[bool]:
        """Whether each word begins with a capital."""
        return [self.text[start].isupper() for start in self.starts]

    @cached_property
    def is_title(self) -> bool:
        """Whether the sentence is written as titles are, nearly every long word with a capital."""
        long = [n for n, norm in enumerate(self.norms) if len(norm) > 3 and norm.isalpha()]
        return len(long) > 1 and sum(self.capitalised[n] for n in long) >= 0.8 * len(long)


def _is_tight(doc: Doc, at: int) -> bool:
    return not doc[at].whitespace_ and not doc[at - 1].whitespace_ and not doc[at - 1].is_space


def compile_patterns(
    find: str, behind: str | None = None, ahead: str | None = None, later: str | None = None
) -> Iterator[Pattern]:
    """Yield the patterns that one line of the data stands for."""
    for text in expand(find):
        # A hyphen in the data is passed over as in the text.
        words = re.sub(r"(?<=\w)-(?=\w)", " ", text).split()
        elements: list[str | tuple[str, bool]] = []
        for word in words:
            slot = _SLOT.fullmatch(word)
            elements.append((slot[1], bool(slot[2])) if slot else word)
        yield Pattern(tuple(elements), behind, ahead, later)


def slots_of(pattern: Pattern) -> set[str]:
    """Return the names of all slots that a pattern needs."""
    around = {name.lstrip("!") for name in (pattern.behind, pattern.ahead, pattern.later) if name}
    return {element[0] for element in pattern.elements if isinstance(element, tuple)} | around


class PatternMatcher:
    """Finds patterns at the places where their first word stands.

    Parameters
    ----------
    patterns : sequence of Pattern
    slots : mapping of str to Slot
        All slots that the patterns name.
    """

    def __init__(self, patterns: Sequence[Pattern], slots: Mapping[str, Slot]) -> None:
        self._patterns = patterns
        self._slots = slots
        self._by_word: dict[str, list[int]] = {}
        self._anywhere: list[int] = []
        for number, pattern in enumerate(patterns):
            words = self._first_words(pattern.elements)
            if words is None:
                self._anywhere.append(number)
            else:
                for word in words:
                    self._by_word.setdefault(word, []).append(number)

    def find(self, words: Words) -> Iterator[tuple[int, Match]]:
        """Yield the number of each pattern that is found and where, its longest match at each place."""
        for at, norm in enumerate(words.norms):
            for number in (*self._by_word.get(norm, ()), *self._anywhere):
                pattern = self._patterns[number]
                if not self._holds(words, at - 1, pattern.behind):
                    continue
                best: Match | None = None
                for end, captures in self._match(words, pattern.elements, at).items():
                    longer = end > at and (best is None or end > best.end)
                    if longer and self._holds(words, end, pattern.ahead) and self._follows(words, end, pattern.later):
                        best = Match(at, end, captures)
                if best is not None:
                    yield number, best

    def _first_words(self, elements: Sequence[str | tuple[str, bool]]) -> set[str] | None:
        """Return the words that a match can begin with; None if it can be any."""
        words: set[str] = set()
        for element in elements:
            if isinstance(element, str):
                return words | {element}
            name, optional = element
            if name in SPECIAL:
                return None
            words |= {entry[0] for entry in self._slots[name].entries}
            if not optional:
                return words
        return words

    def _holds(self, words: Words, at: int, slot: str | None) -> bool:
        if slot is None:
            return True
        entries = self._slots[slot.lstrip("!")].entries
        held = 0 <= at < len(words.norms) and (words.norms[at],) in entries
        held = held or ((EDGE,) in entries and words.is_punctuation(at))
        return held != slot.startswith("!")

    def _follows(self, words: Words, at: int, slot: str | None) -> bool:
        if slot is None:
            return True
        if slot not in words.later:
            entries = self._slots[slot].entries
            joined = [n for n, pair in enumerate(pairwise(words.norms)) if pair[0] in _JOINING and pair[1:] in entries]
            words.later[slot] = max(joined, default=-1)
        return words.later[slot] >= at

    def _match(
        self, words: Words, elements: Sequence[str | tuple[str, bool]], at: int
    ) -> Mapping[int, Mapping[str, tuple[int, int]]]:
        """Return by end what the slots hold if the elements begin at `at`; of several ways to an end, the first."""
        found: dict[int, dict[str, tuple[int, int]]] = {at: {}}
        for element in elements:
            further: dict[int, dict[str, tuple[int, int]]] = {}
            for start, captures in found.items():
                if isinstance(element, str):
                    if start < len(words.norms) and words.norms[start] == element:
                        further[start + 1] = captures
                    continue
                name, optional = element
                for end in (*self._ends(words, name, start), *((start,) if optional else ())):
                    further.setdefault(end, {name: (start, end), **captures})
            found = further
        return found

    def _ends(self, words: Words, name: str, at: int) -> Iterator[int]:
        """Yield where the words of a slot can end that begin at `at`."""
        if name in _PHRASES:
            yield from self._phrase(words, name, at)
        elif name in _FREE:
            for end in range(at + 1, at + _FREE[name] + 1):
                if words.is_punctuation(end - 1):
                    return
                if name == "adjective" and (words.norms[end - 1],) in self._slots["function"].entries:
                    return
                yield end
        else:
            entries = self._slots[name].entries
            for length in range(self._slots[name].longest, 0, -1):
                # Near the end of the sentence the slice is shorter.
                found = tuple(words.norms[at : at + length])
                if len(found) == length and found in entries:
                    yield at + length

    def _phrase(self, words: Words, kind: str, at: int) -> Iterator[int]:
        """Yield where a noun phrase can end: modifiers, a term, and more of both behind connectors."""
        terms, modifiers = words.terms(kind), self._slots[f"before_{kind}"].entries
        ends: list[int] = []
        for _ in range(_MOST_TERMS):
            skipped = 0
            while at not in terms and skipped < _MOST_MODIFIERS and tuple(words.norms[at : at + 1]) in modifiers:
                at, skipped = at + 1, skipped + 1
            if at not in terms:
                break
            at = terms[at]
            ends.append(at)
            if tuple(words.norms[at : at + 1]) in modifiers or at in terms:
                continue
            # "a, b and c", "a, and b"
            for _ in range(_MOST_CONNECTORS):
                at += at < len(words.norms) and words.norms[at] in _CONNECTORS
        yield from reversed(ends)
