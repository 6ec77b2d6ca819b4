"""Applies rules to a page: which provisions its sentences may touch, and what brought each of them up.

A rule looks at findings and cues that are there already, and at phrases of its own or shared ones
(``data/rules/terms.toml``), which are looked up with the cues, all at once.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.rules import Rule, When, rules_of, term_lists
from mdclaims.findings.stance import Attributes
from mdclaims.labels import label_info
from mdclaims.language.cues import Cue, CueList, CueMatcher, cue_lists
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule that a finding may touch.

    Attributes
    ----------
    id : str
        Of the rule.
    reason : str
        What brought it up, one plain clause.
    words : tuple of Cue
        The phrases in the sentence that did; offsets into ``Page.text``.
    """

    id: str
    reason: str
    words: tuple[Cue, ...] = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """What one sentence carries, as far as rules ask for it.

    Attributes
    ----------
    label : str
    stance : str or None
        None if the model tells none; it then counts as put forward.
    attributes : Attributes or None
    qualifier : Qualifier or None
    reported : bool
        It is a finding; otherwise its label was not asked for.
    """

    label: str
    stance: str | None
    attributes: Attributes | None
    qualifier: Qualifier | None
    reported: bool = True

    @property
    def names(self) -> frozenset[str]:
        """The label, and with its stance."""
        return _names(self.label, self.stance)


@cache
def _names(label: str, stance: str | None) -> frozenset[str]:
    stances = (stance,) if stance else label_info()[label].forward
    return frozenset((label, *(f"{label}/{stance}" for stance in stances)))


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a sentence brings up.

    Attributes
    ----------
    sentence : int
    label : str or None
        The finding that it belongs to; None if the rule needs no label.
    match : RuleMatch
    """

    sentence: int
    label: str | None
    match: RuleMatch


_Lists = Mapping[str, Sequence[Cue]]
"""Lists by name, with the phrases of theirs that were found."""


@dataclass(slots=True)
class _Place:
    """What stands in one sentence and in the headings above it, and what the sentence carries."""

    inside: _Lists
    above: _Lists
    carried: Sequence[Carried]
    names: frozenset[str]


class _Page:
    """What stands on a page, as far as it was looked up.

    Parameters
    ----------
    sentences : sequence of Sentence
    cues : mapping of str to sequence of Cue
        Of the texts that were looked up; offsets into the text.
    wanted : set of str
        The lists that matter; others are left out.
    """

    def __init__(
        self, sentences: Sequence[Sentence], cues: Mapping[str, Sequence[Cue]], wanted: Container[str]
    ) -> None:
        self.by_text = {text: lists for text, found in cues.items() if (lists := _by_name(found, wanted))}
        self.first: dict[str, Cue] = {}
        self.heads: set[str] = set()
        self._above: dict[tuple[str, ...], _Lists] = {}
        for sentence in sentences:
            lists = self.by_text.get(sentence.text, {})
            for name, found in lists.items():
                self.first.setdefault(name, found[0])
            if sentence.block.kind == "title" or (sentence.block.kind == "heading" and sentence.block.level == 1):
                self.heads.update(lists)

    def above(self, path: tuple[str, ...]) -> _Lists:
        """Return the lists that have a phrase in the headings of a sentence."""
        if path not in self._above:
            above: dict[str, list[Cue]] = {}
            for text in path:
                for name, found in self.by_text.get(text, {}).items():
                    above.setdefault(name, []).extend(found)
            self._above[path] = above
        return self._above[path]


# For the sieve: whatever is no letter from a to z parts words, and NUL, which no page holds, parts texts.
_LETTERS = bytes(byte if byte == 0 or chr(byte) in string.ascii_lowercase else 32 for byte in range(256))


def _words(text: str) -> bytes:
    """Return the words of a text, in small letters and with spaces between; what a phrase and a text must share."""
    return text.lower().encode("utf-8", errors="replace").translate(_LETTERS)


class RuleBook:
    """The rules of some jurisdictions, ready to be applied to pages. Make one and use it for many.

    Parameters
    ----------
    chosen : sequence of Rule

    Attributes
    ----------
    matcher : CueMatcher
        Finds the phrases of these rules together with those of all cue lists.
    own : frozenset of str
        The lists of `matcher` that are no cue lists.
    without_label : frozenset of str
        Ids of the rules that make findings without a label.
    """

    def __init__(self, chosen: Sequence[Rule]) -> None:
        self._wanted = frozenset(name for rule in chosen for when in rule.when for name in when.lists)
        own = (
            *(entry for entry in term_lists() if entry.name in self._wanted),
            *(CueList(rule.id, rule.title, None, rule.terms, (), ()) for rule in chosen if rule.terms),
        )
        self.matcher = CueMatcher(shared_pipeline(), (*cue_lists(), *own))
        self.own = frozenset(entry.name for entry in own)
        self.without_label = frozenset(rule.id for rule in chosen if not rule.needs_label)
        # By what must be there: a label or None, and one of a few lists or None; of those that a heading may hold too.
        self._index: dict[tuple[str | None, str | None], list[tuple[int, Rule, When]]] = {}
        self._by_heading: dict[tuple[str | None, str | None], list[tuple[int, Rule, When]]] = {}
        conditions = [(rule, when) for rule in chosen for when in rule.when]
        for number, (rule, when) in enumerate(conditions):
            one_of = [name for name in when.lists_all if name in self.own][:1] or when.lists_any or when.lists_all[:1]
            for key in itertools.product(when.labels_any or (None,), one_of or (None,)):
                self._index.setdefault(key, []).append((number, rule, when))
                if when.headings:
                    self._by_heading.setdefault(key, []).append((number, rule, when))
        self._alone = frozenset(name for label, name in self._index if label is None and name is not None)
        self._free = [when for _, when in conditions if not when.labels_any]
        self._context = frozenset[str]().union(*(when.context_lists for _, when in conditions if when.labels_any))
        # The phrases that matter in a text that carries nothing: by their longest word, or of signs alone.
        alone = self._context.union(*(when.lists for when in self._free))
        self._by_word: dict[bytes, list[tuple[str, frozenset[bytes]]]] = {}
        self._signs: list[tuple[str, str]] = []
        for entry in own:
            for phrase in entry.phrases if entry.name in alone else ():
                words = _words(phrase).split()
                if words:
                    self._by_word.setdefault(max(words, key=len), []).append((entry.name, frozenset(words)))
                else:
                    self._signs.append((entry.name, phrase))

    def texts_to_read(self, texts: Sequence[str]) -> list[str]:
        """Return those of a page's texts without a label in which a phrase may stand that matters.

        It is a sieve: all words of a phrase are there, in whatever order, and what the rule asks for besides may
        be there as well. To look everything up would cost more than the rules do.

        Parameters
        ----------
        texts : sequence of str
            All texts of the page, each once.
        """
        joined = "\0".join(texts)
        words = _words(joined)
        everything = set(words.replace(b"\0", b" ").split())
        possible: dict[str, list[tuple[bytes, frozenset[bytes]]]] = {}
        for key in self._by_word.keys() & everything:
            for name, phrase in self._by_word[key]:
                if phrase <= everything:
                    possible.setdefault(name, []).append((key, phrase))
        signs = [(name, sign) for name, sign in self._signs if sign in joined]
        stand = possible.keys() | {name for name, _ in signs}
        needed = self._context.union(*(when.lists for when in self._free if self._may_hold(when, stand)))
        phrases: dict[bytes, list[frozenset[bytes]]] = {}
        for name in needed & possible.keys():
            for key, phrase in possible[name]:
                phrases.setdefault(key, []).append(phrase)
        needed_signs = [sign for name, sign in signs if name in needed]
        return [
            text
            for text, found in zip(texts, words.split(b"\0"), strict=True)
            if _may_hold_any(found.split(), phrases) or any(sign in text for sign in needed_signs)
        ]

    def _may_hold(self, when: When, possible: Container[str]) -> bool:
        """Return whether a condition that asks for no label may hold where these lists of its own may stand."""

        def one_of(names: Sequence[str]) -> bool:
            return not names or any(name in possible or name not in self.own for name in names)

        return (
            all(name in possible or name not in self.own for name in when.lists_all)
            and one_of(when.lists_any)
            and one_of(when.page_any)
            and one_of(when.headings_any)
        )

    def apply(
        self,
        sentences: Sequence[Sentence],
        carried: Mapping[int, Sequence[Carried]],
        cues: Mapping[str, Sequence[Cue]],
    ) -> Iterator[Hit]:
        """Yield what the sentences of a page bring up, by sentence, then in the order of the rules.

        Parameters
        ----------
        sentences : sequence of Sentence
            All of the page.
        carried : mapping of int to sequence of Carried
            What the sentences carry, by their index.
        cues : mapping of str to sequence of Cue
            What `matcher` finds in the sentences that carry something, in the headings above them, and in
            `texts_to_read`; offsets into the text.
        """
        page = _Page(sentences, cues, self._wanted)
        for n, sentence in enumerate(sentences):
            entries = carried.get(n, ())
            inside = page.by_text.get(sentence.text, {})
            if entries or not self._alone.isdisjoint(inside):
                names = frozenset[str]().union(*(entry.names for entry in entries))
                place = _Place(inside, page.above(sentence.block.heading_path), entries, names)
                yield from self._hits(n, sentence, place, page)

    def _candidates(self, place: _Place) -> list[tuple[Rule, When]]:
        """Return the rules that something in the sentence could bring up, in their order."""
        found: dict[int, tuple[Rule, When]] = {}
        for label in (None, *place.names):
            for index, lists in ((self._index, (None, *place.inside)), (self._by_heading, place.above)):
                for name in lists:
                    for number, rule, when in index.get((label, name), ()):
                        found[number] = (rule, when)
        return [candidate for _, candidate in sorted(found.items(), key=itemgetter(0))]

    def _hits(self, n: int, sentence: Sentence, place: _Place, page: _Page) -> Iterator[Hit]:
        seen: set[tuple[str, str | None]] = set()
        for rule, when in self._candidates(place):
            if not _surroundings_hold(when, place, page):
                continue
            for entry in place.carried if when.labels_any else (None,):
                label = entry.label if entry else None
                if (rule.id, label) in seen or (label is None and any(name == rule.id for name, _ in seen)):
                    continue
                if entry is not None and not (entry.reported and _claim_holds(when, entry)):
                    continue
                seen.add((rule.id, label))
                yield Hit(n, label, _match(rule, when, sentence, place, entry, page.first))


@cache
def rule_book(jurisdictions: tuple[str, ...]) -> RuleBook:
    """Return the rules of these jurisdictions, one book for each choice in a process."""
    return RuleBook(rules_of(jurisdictions))


def _may_hold_any(words: Sequence[bytes], phrases: Mapping[bytes, Iterable[frozenset[bytes]]]) -> bool:
    """Return whether all words of a phrase are among some words; phrases by their longest word."""
    keys = phrases.keys() & words
    return bool(keys) and any(phrase.issubset(words) for key in keys for phrase in phrases[key])


def _by_name(cues: Iterable[Cue], wanted: Container[str]) -> dict[str, list[Cue]]:
    found: dict[str, list[Cue]] = {}
    for cue in cues:
        if cue.name in wanted:
            found.setdefault(cue.name, []).append(cue)
    return found


def _surroundings_hold(when: When, place: _Place, page: _Page) -> bool:
    """Return whether everything holds that does not hang on the single finding."""
    inside, above, first = place.inside, place.above, page.first

    def has(name: str) -> bool:
        return name in inside or (when.headings and name in above)

    def heads(name: str) -> bool:
        return name in above or name in page.heads

    # Most conditions ask for little: what is not asked costs a look.
    return not (
        (when.lists_all and not all(map(has, when.lists_all)))
        or (when.lists_any and not any(map(has, when.lists_any)))
        or (when.lists_none and not inside.keys().isdisjoint(when.lists_none))
        or (when.labels_all and not place.names.issuperset(when.labels_all))
        or (when.labels_none and not place.names.isdisjoint(when.labels_none))
        or (when.page_any and first.keys().isdisjoint(when.page_any))
        or (when.page_none and not first.keys().isdisjoint(when.page_none))
        or (when.headings_any and not any(map(heads, when.headings_any)))
        or (when.headings_none and any(map(heads, when.headings_none)))
    )


def _claim_holds(when: When, entry: Carried) -> bool:
    """Return whether a finding is one of those asked for, with the attributes asked for."""
    if entry.names.isdisjoint(when.labels_any):
        return False
    if (when.attributes_all or when.attributes_any) and entry.attributes is None:
        return False
    if when.without_qualifier and entry.qualifier is not None and entry.qualifier.kind in when.without_qualifier:
        return False
    return not (
        (when.attributes_all and not all(_has(entry, *pair) for pair in when.attributes_all))
        or (when.attributes_any and not any(_has(entry, *pair) for pair in when.attributes_any))
    )


def _has(entry: Carried, name: str, wanted: str | bool) -> bool:
    """Return whether an attribute of a claim is as wanted; for names of things, whether there are any."""
    value = getattr(entry.attributes, name)
    return (bool(value) if isinstance(value, tuple) else value) == wanted


_ATTRIBUTE_WORDS: dict[tuple[str, str | bool], str] = {
    ("quantified", True): "gives a figure",
    ("serious", True): "about a serious condition",
    ("testimonial", True): "a patient tells it",
    ("sourced", False): "names no source",
}


def _match(
    rule: Rule, when: When, sentence: Sentence, place: _Place, entry: Carried | None, first: Mapping[str, Cue]
) -> RuleMatch:
    """Return the match with its reason: what the sentence does, its words, its attributes, what is missing."""
    asked = (*when.lists_all, *when.lists_any)
    words = [cue for name in asked for cue in place.inside.get(name, ())]
    inherited = [
        cue for name in asked if when.headings and name not in place.inside for cue in place.above.get(name, ())
    ]
    parts: list[str] = []
    if entry is not None:
        info = label_info()[entry.label]
        parts.append(info.stances[entry.stance] if entry.stance else info.display.lower())
    if words:
        parts.append(f"with {_quoted(words)}" if entry is not None else f"names {_quoted(words)}")
    if inherited:
        parts.append(f"under {_quoted(inherited)}")
    if entry is not None and entry.attributes is not None:
        for name, wanted in (*when.attributes_all, *when.attributes_any):
            if not _has(entry, name, wanted):
                continue
            if name == "conditions" and wanted:
                parts.append(f"names {_texts_quoted(entry.attributes.conditions)}")
            elif (name, wanted) in _ATTRIBUTE_WORDS:
                parts.append(_ATTRIBUTE_WORDS[name, wanted])
    if when.without_qualifier:
        parts.append(f"no {' or '.join(when.without_qualifier)} stands beside it")
    context = next((first[name] for name in when.page_any if name in first), None)
    if context is not None:
        parts.append(f"on a page with {_quoted([context])}")
    if when.page_none:
        parts.append("what belongs to it was not found on the page")
    told_words = sorted({(cue.start, cue.end): cue for cue in words}.values(), key=lambda cue: (cue.start, cue.end))
    moved = (Cue(cue.name, cue.start + sentence.start, cue.end + sentence.start, cue.text) for cue in told_words)
    return RuleMatch(rule.id, ", ".join(parts), tuple(moved))


_MOST_QUOTED = 2


def _quoted(cues: Iterable[Cue]) -> str:
    return _texts_quoted(cue.text for cue in cues)


def _texts_quoted(texts: Iterable[str]) -> str:
    found = list({text.casefold(): f"“{' '.join(text.split())}”" for text in texts}.values())
    return ", ".join(found[:_MOST_QUOTED])
