"""Applies rules to a page: which provisions its sentences may touch, and what brought each of them up.

A rule looks at findings and cues that are there already, and at phrases of its own or shared ones
(``data/rules/terms.toml``), which are looked up as cues are, in all texts of the page at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from functools import cache, cached_property
from operator import attrgetter, itemgetter

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.rules import Rule, When, rules_of, term_lists
from mdclaims.findings.stance import Attributes
from mdclaims.labels import label_info
from mdclaims.language.cues import Cue, CueList, CueMatcher
from mdclaims.language.hashing import Lines
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


@dataclass
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

    @cached_property
    def facts(self) -> frozenset[tuple[str, str | bool]]:
        """The attributes with their values; of names of things only whether there are any."""
        values = () if self.attributes is None else _values(self.attributes)
        return frozenset(
            zip(_ATTRIBUTES, [bool(value) if type(value) is tuple else value for value in values], strict=False)
        )


_ATTRIBUTES = tuple(entry.name for entry in fields(Attributes))
_values = attrgetter(*_ATTRIBUTES)


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


_Index = dict[str | None, dict[str | None, list[tuple[int, Rule, When]]]]
"""Conditions of rules, numbered in the order of the rules, by list and label."""


@dataclass(slots=True)
class _Place:
    """What stands in one sentence and in the headings above it, and what the sentence carries."""

    inside: _Lists
    above: _Lists
    carried: Sequence[Carried]
    names: frozenset[str]


class PageTerms:
    """Where the phrases of some rules, which are no cues, stand on a page.

    Parameters
    ----------
    sentences : sequence of Sentence
        All of the page.
    found : mapping of str to mapping
        The phrases in texts of the page, and perhaps in others, by list; offsets into the text.
    alone : set of str
        The lists that can bring up a rule where no label is.

    Attributes
    ----------
    alone : tuple of int
        The sentences that may bring a rule up whether or not they carry anything.
    first : dict of str to Cue
        Each list that stands anywhere on the page, with its first phrase.
    heads : set of str
        The lists that stand in the page's title or main heading.
    """

    def __init__(self, sentences: Sequence[Sentence], found: Mapping[str, _Lists], alone: Set[str]) -> None:
        self.sentences = sentences
        self._by_text = found
        self.first: dict[str, Cue] = {}
        self.heads: set[str] = set()
        places: list[int] = []
        for n, sentence in enumerate(sentences):
            lists = self._by_text.get(sentence.text)
            if lists is None:
                continue
            for name, cues in lists.items():
                self.first.setdefault(name, cues[0])
            if sentence.block.kind == "title" or (sentence.block.kind == "heading" and sentence.block.level == 1):
                self.heads.update(lists)
            if not alone.isdisjoint(lists):
                places.append(n)
        self.alone = tuple(places)

    def of(self, text: str) -> _Lists:
        """Return the lists that stand in a text."""
        return self._by_text.get(text, _NOTHING)


_NOTHING: _Lists = {}


class RuleBook:
    """The rules of some jurisdictions, ready to be applied to pages. Make one and use it for many.

    Parameters
    ----------
    chosen : sequence of Rule

    Attributes
    ----------
    without_label : frozenset of str
        Ids of the rules that make findings without a label.
    """

    def __init__(self, chosen: Sequence[Rule]) -> None:
        wanted = {name for rule in chosen for when in rule.when for name in when.lists}
        own = (
            *(entry for entry in term_lists() if entry.name in wanted),
            *(CueList(rule.id, rule.title, None, rule.terms, (), ()) for rule in chosen if rule.terms),
        )
        self._matcher = CueMatcher(shared_pipeline(), own)
        self._cues = wanted.difference(self._matcher.names)
        self.without_label = frozenset(rule.id for rule in chosen if not rule.needs_label)
        # By what must be there: one of a few lists or None, and a label or None; of those that a heading may hold too.
        self._index: _Index = {}
        self._by_heading: _Index = {}
        conditions = [(rule, when) for rule in chosen for when in rule.when]
        for number, (rule, when) in enumerate(conditions):
            rare = [name for name in when.lists_all if name not in self._cues][:1]
            one_of = rare or when.lists_any or when.lists_all or (None,)
            for label, name in itertools.product(when.labels_any or (None,), one_of):
                for index in (self._index, self._by_heading) if when.headings else (self._index,):
                    index.setdefault(name, {}).setdefault(label, []).append((number, rule, when))
        self._alone = frozenset(name for name, by_label in self._index.items() if name is not None and None in by_label)

    def look_up(self, lines: Lines) -> dict[str, _Lists]:
        """Return where the phrases of these rules stand in texts: by text and list, offsets into the text."""
        return {text: _by_name(cues) for text, cues in self._matcher.find_lines(lines) if cues}

    def terms(self, sentences: Sequence[Sentence], found: Mapping[str, _Lists]) -> PageTerms:
        """Return where the phrases of these rules stand on a page.

        Parameters
        ----------
        sentences : sequence of Sentence
            All of the page.
        found : mapping
            What `look_up` found in all its texts, headings above sentences too; perhaps in others besides.
        """
        return PageTerms(sentences, found, self._alone)

    def apply(
        self, terms: PageTerms, carried: Mapping[int, Sequence[Carried]], cues: Mapping[str, Sequence[Cue]]
    ) -> Iterator[Hit]:
        """Yield what the sentences of a page bring up, by sentence, then in the order of the rules.

        Parameters
        ----------
        terms : PageTerms
        carried : mapping of int to sequence of Carried
            What the sentences carry, by their index.
        cues : mapping of str to sequence of Cue
            The cues of the sentences that carry something, of the headings above them, and of the sentences that
            may bring a rule up alone; offsets into the text.
        """
        known = {text: _by_name(cue for cue in found if cue.name in self._cues) for text, found in cues.items()}
        above: dict[tuple[str, ...], _Lists] = {}
        for n in sorted({*carried, *terms.alone}):
            sentence, entries = terms.sentences[n], carried.get(n, ())
            path = sentence.block.heading_path
            if path not in above:
                above[path] = _together(lists for text in path for lists in (terms.of(text), known.get(text, _NOTHING)))
            names = frozenset[str]().union(*(entry.names for entry in entries))
            inside = {**known[sentence.text], **terms.of(sentence.text)}
            yield from self._hits(n, sentence, _Place(inside, above[path], entries, names), terms)

    def _candidates(self, place: _Place) -> list[tuple[Rule, When]]:
        """Return the rules that something in the sentence could bring up, in their order."""
        found: dict[int, tuple[Rule, When]] = {}
        labels = (None, *place.names)
        for index, lists in ((self._index, (None, *place.inside)), (self._by_heading, place.above)):
            for by_label in (index[name] for name in lists if name in index):
                for label in labels:
                    for number, rule, when in by_label.get(label, ()):
                        found[number] = (rule, when)
        return [candidate for _, candidate in sorted(found.items(), key=itemgetter(0))]

    def _hits(self, n: int, sentence: Sentence, place: _Place, terms: PageTerms) -> Iterator[Hit]:
        seen: set[tuple[str, str | None]] = set()
        for rule, when in self._candidates(place):
            if not _surroundings_hold(when, place, terms):
                continue
            for entry in place.carried if when.labels_any else (None,):
                label = entry.label if entry else None
                if (rule.id, label) in seen or (label is None and any(name == rule.id for name, _ in seen)):
                    continue
                if entry is not None and not (entry.reported and _claim_holds(when, entry)):
                    continue
                seen.add((rule.id, label))
                yield Hit(n, label, _match(rule, when, sentence, place, entry, terms.first))


@cache
def rule_book(jurisdictions: tuple[str, ...]) -> RuleBook:
    """Return the rules of these jurisdictions, one book for each choice in a process."""
    return RuleBook(rules_of(jurisdictions))


def _by_name(cues: Iterable[Cue]) -> dict[str, list[Cue]]:
    found: dict[str, list[Cue]] = {}
    for cue in cues:
        found.setdefault(cue.name, []).append(cue)
    return found


def _together(several: Iterable[_Lists]) -> dict[str, list[Cue]]:
    found: dict[str, list[Cue]] = {}
    for lists in several:
        for name, cues in lists.items():
            found.setdefault(name, []).extend(cues)
    return found


def _surroundings_hold(when: When, place: _Place, terms: PageTerms) -> bool:
    """Return whether everything holds that does not hang on the single finding."""
    inside, above, first = place.inside, place.above, terms.first

    def has(name: str) -> bool:
        return name in inside or (when.headings and name in above)

    def heads(name: str) -> bool:
        return name in above or name in terms.heads

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
    return not (
        entry.names.isdisjoint(when.labels_any)
        or (when.attributes_all and not entry.facts.issuperset(when.attributes_all))
        or (when.attributes_any and entry.facts.isdisjoint(when.attributes_any))
        or (when.without_qualifier and entry.qualifier is not None and entry.qualifier.kind in when.without_qualifier)
    )


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
            if (name, wanted) not in entry.facts:
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
