"""Rules: provisions of law or of a code that a sentence may touch, from ``data/rules/*.toml``.

A rule is data: what a person should check, where that is laid down, whether the text was read there and when,
what brings it up (`When`), and examples that must and must not (run as tests). It looks at findings and cues
that are there already, and at phrases of its own or shared ones (``terms.toml``), which are looked up like cues.
It never says that anything is broken: a hit is "possible: check" and the citation.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Any

from mdclaims.config import JURISDICTIONS
from mdclaims.findings.qualifiers import KINDS, Qualifier
from mdclaims.findings.stance import Attributes
from mdclaims.labels import label_info
from mdclaims.language.cues import Cue, CueList, CueMatcher, cue_lists, expand, read_lists
from mdclaims.language.hashing import Lines
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence

SCOPES: tuple[str, ...] = ("product", "service", "food", "prescription")
OWN = "terms"
"""How a condition names the rule's own phrases."""
TERMS_FILE = "terms.toml"
_STALE_AFTER_MONTHS = 12

# --- what a rule is -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class When:
    """What brings a rule up: everything that is set must hold.

    Attributes
    ----------
    labels_any : tuple of str
        The finding is one of these, a label or ``label/stance``. Without it the rule needs no label and makes a
        finding of its own.
    labels_all, labels_none : tuple of str
        The sentence carries all, or none, of these.
    lists_any, lists_all, lists_none : tuple of str
        One, all or none of these lists have a phrase in the sentence: cue lists, lists of ``terms.toml``, or
        "terms", the rule's own.
    headings : bool
        For `lists_any` and `lists_all` a heading above counts as well.
    headings_any, headings_none : tuple of str
        Lists of ``terms.toml``: one, or none, has a phrase in a heading above, the page's title or its main heading.
    page_any, page_none : tuple of str
        Lists of ``terms.toml``: one, or none, has a phrase anywhere on the page.
    attributes_all, attributes_any : tuple of (str, str or bool)
        Attributes of a claim, with the value they must have; for treatments and conditions whether any is named.
    without_qualifier : tuple of str
        The nearest qualifier of the claim is none of these kinds.
    """

    labels_any: tuple[str, ...] = ()
    labels_all: tuple[str, ...] = ()
    labels_none: tuple[str, ...] = ()
    lists_any: tuple[str, ...] = ()
    lists_all: tuple[str, ...] = ()
    lists_none: tuple[str, ...] = ()
    headings: bool = False
    headings_any: tuple[str, ...] = ()
    headings_none: tuple[str, ...] = ()
    page_any: tuple[str, ...] = ()
    page_none: tuple[str, ...] = ()
    attributes_all: tuple[tuple[str, str | bool], ...] = ()
    attributes_any: tuple[tuple[str, str | bool], ...] = ()
    without_qualifier: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One provision.

    Attributes
    ----------
    id : str
        Begins with its jurisdiction in capitals: ``UK-CAP-12.1``.
    jurisdiction : str
        One of `JURISDICTIONS`.
    title : str
        In plain words.
    scope : tuple of str
        What it is about, of `SCOPES`.
    citation, address : str
        The provision with its section, and where its text stands.
    checked : date
        When that was last looked at.
    verified : bool
        The provision's own text was read.
    note : str
        What to know about the source; never empty if it is not verified.
    check : str
        What a person should check.
    terms : tuple of str
        The rule's own phrases, alternatives expanded.
    when : tuple of When
        One of them must hold.
    fires, silent : tuple of str
        Examples: Markdown, with ``{label/stance}`` behind a sentence that carries it.
    """

    id: str
    jurisdiction: str
    title: str
    scope: tuple[str, ...]
    citation: str
    address: str
    checked: date
    verified: bool
    note: str
    check: str
    terms: tuple[str, ...]
    when: tuple[When, ...]
    fires: tuple[str, ...]
    silent: tuple[str, ...]


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


def is_stale(rule: Rule, today: date) -> bool:
    """Return whether the rule's source was checked more than twelve months before `today`."""
    months = (today.year - rule.checked.year) * 12 + today.month - rule.checked.month
    return (months, today.day) > (_STALE_AFTER_MONTHS, rule.checked.day)


def marks(rule: Rule, today: date) -> str:
    """Return what a reader must know of the rule's source, in brackets; "" if it was read, and lately."""
    said = [] if rule.verified else ["source not verified"]
    if is_stale(rule, today):
        said.append(f"last checked on {rule.checked:%Y-%m-%d}, over twelve months ago")
    return f" [{'; '.join(said)}]" if said else ""


def wording(rule: Rule, today: date) -> str:
    """Return how a hit is told: a thing to check, never a breach."""
    return f"possible: check {rule.citation}{marks(rule, today)}"


# --- reading the files ----------------------------------------------------------------------------------------------

_TEXTS = ("title", "citation", "address", "check")
_REQUIRED = (*_TEXTS, "scope", "checked", "verified", "when", "fires", "silent")
_OPTIONAL = ("note", "terms")
_FEWEST_EXAMPLES = 2
_NAMED = ("treatments", "conditions")


@cache
def term_lists() -> tuple[CueList, ...]:
    """Return the lists that rules share, sorted by name.

    Raises
    ------
    ValueError
        If a list breaks the format of cue lists, has a label, or the name of a cue list.
    """
    lists = read_lists([files("mdclaims") / "data" / "rules" / TERMS_FILE])
    taken = {entry.name for entry in cue_lists()} | {OWN}
    for entry in lists:
        if entry.name in taken or entry.label is not None:
            raise ValueError(f"{TERMS_FILE}: [{entry.name}] must have a name of its own and no label")
    return lists


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules, by jurisdiction in the order of `JURISDICTIONS`, then as they stand in the file.

    Raises
    ------
    ValueError
        If a rule breaks the format; the message names file, rule and key.
    """
    known = frozenset(entry.name for entry in (*cue_lists(), *term_lists()))
    shared = frozenset(entry.name for entry in term_lists())
    found: dict[str, Rule] = {}
    for jurisdiction in JURISDICTIONS:
        name = f"{jurisdiction}.toml"
        table = tomllib.loads((files("mdclaims") / "data" / "rules" / name).read_text(encoding="utf-8"))
        for key, entry in table.items():
            where = f"{name}: [{key}]"
            if not key.startswith(f"{jurisdiction.upper()}-"):
                raise ValueError(f"{where} must begin with {jurisdiction.upper()}-")
            if not isinstance(entry, dict):
                raise ValueError(f"{where} must be a table")  # noqa: TRY004
            found[key] = _rule(key, jurisdiction, entry, where, known=known, shared=shared)
    return tuple(found.values())


def rules_of(jurisdictions: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules of these jurisdictions."""
    return tuple(rule for rule in rules() if rule.jurisdiction in jurisdictions)


def rule_of(id: str) -> Rule:
    """Return the rule with this id."""
    return _by_id()[id]


@cache
def _by_id() -> dict[str, Rule]:
    return {rule.id: rule for rule in rules()}


def _rule(
    id: str, jurisdiction: str, entry: dict[str, Any], where: str, *, known: frozenset[str], shared: frozenset[str]
) -> Rule:
    texts = _checked(entry, where)
    options = entry["when"] if isinstance(entry["when"], list) else [entry["when"]]
    if not options:
        raise ValueError(f"{where}: when needs at least one table")
    when = tuple(_when(option, f"{where}: when", known=known, shared=shared) for option in options)
    used = {name for option in when for name in (*option.lists_any, *option.lists_all, *option.lists_none)}
    if (OWN in used) != bool(texts["terms"]):
        raise ValueError(f"{where}: terms and a condition on {OWN!r} go together")
    return Rule(
        id=id,
        jurisdiction=jurisdiction,
        **{key: entry[key] for key in (*_TEXTS, "checked", "verified")},
        note=entry.get("note", ""),
        scope=texts["scope"],
        terms=tuple(dict.fromkeys(phrase for text in texts["terms"] for phrase in expand(text))),
        when=when,
        fires=texts["fires"],
        silent=texts["silent"],
    )


def _checked(entry: dict[str, Any], where: str) -> dict[str, tuple[str, ...]]:
    """Refuse a table with a key that is unknown, lacking or of the wrong kind; return its lists of texts."""
    for key in entry:
        if key not in _REQUIRED and key not in _OPTIONAL:
            raise ValueError(f"{where} has the unknown key {key!r}; known are {', '.join((*_REQUIRED, *_OPTIONAL))}")
    for key in _REQUIRED:
        if key not in entry:
            raise ValueError(f"{where} lacks {key}")
    _check_values(entry, where)
    texts = {key: _texts(entry.get(key, []), f"{where}: {key}") for key in ("scope", "fires", "silent", "terms")}
    if not texts["scope"] or not set(SCOPES).issuperset(texts["scope"]):
        raise ValueError(f"{where}: scope must be of {', '.join(SCOPES)}, not {entry['scope']!r}")
    for key in ("fires", "silent"):
        if len(texts[key]) < _FEWEST_EXAMPLES:
            raise ValueError(f"{where}: {key} needs at least {_FEWEST_EXAMPLES} examples")
    return texts


def _check_values(entry: dict[str, Any], where: str) -> None:
    for key in _TEXTS:
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise ValueError(f"{where}: {key} must be a text")
    if not entry["address"].startswith(("https://", "http://")):
        raise ValueError(f"{where}: address must be a web address, not {entry['address']!r}")
    # A date with a time is a date to Python.
    if type(entry["checked"]) is not date:
        raise ValueError(f"{where}: checked must be a date such as 2026-10-31, not {entry['checked']!r}")
    if not isinstance(entry["verified"], bool):
        raise ValueError(f"{where}: verified must be true or false, not {entry['verified']!r}")  # noqa: TRY004
    note = entry.get("note", "")
    if not isinstance(note, str) or not (note or entry["verified"]):
        raise ValueError(f"{where}: note must say why the source is not verified")


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        raise ValueError(f"{where} must be a list of texts, not {value!r}")
    return tuple(value)


def _when(option: Any, where: str, *, known: frozenset[str], shared: frozenset[str]) -> When:
    if not isinstance(option, dict) or not option:
        raise ValueError(f"{where} must be a table with conditions, not {option!r}")
    names = [entry.name for entry in fields(When)]
    values: dict[str, Any] = {}
    for key, value in option.items():
        at = f"{where}: {key}"
        if key not in names:
            raise ValueError(f"{where} has the unknown key {key!r}; known are {', '.join(names)}")
        if key == "headings":
            if not isinstance(value, bool):
                raise ValueError(f"{at} must be true or false, not {value!r}")
            values[key] = value
        elif key.startswith("attributes"):
            values[key] = _wanted(value, at)
        else:
            values[key] = _texts(value, at)
            choice = (
                _labels_and_stances()
                if key.startswith("labels")
                else frozenset(KINDS)
                if key == "without_qualifier"
                else known | {OWN}
                if key.startswith("lists")
                else shared
            )
            for name in values[key]:
                if name not in choice:
                    raise ValueError(f"{at} names {name!r}, which does not exist or cannot stand there")
    when = When(**values)
    if not when.labels_any:
        looked_up = shared | {OWN}
        if not looked_up.intersection(when.lists_all) and not (when.lists_any and looked_up.issuperset(when.lists_any)):
            raise ValueError(
                f"{where} needs labels_any, or a list of {TERMS_FILE} or the rule's own terms in lists_any or lists_all"
            )
        if when.attributes_all or when.attributes_any or when.without_qualifier or when.headings:
            raise ValueError(f"{where}: attributes, without_qualifier and headings need labels_any")
    return when


@cache
def _labels_and_stances() -> frozenset[str]:
    return frozenset(
        name
        for label, info in label_info().items()
        for name in (label, *(f"{label}/{stance}" for stance in info.stances))
    )


_STRENGTHS = ("absolute", "plain", "hedged")
_SIDES = ("own", "rival")


def _wanted(value: Any, where: str) -> tuple[tuple[str, str | bool], ...]:
    names = [entry.name for entry in fields(Attributes)]
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{where} must be a table of attributes, not {value!r}")
    for name, wanted in value.items():
        if name not in names:
            raise ValueError(f"{where} has the unknown key {name!r}; known are {', '.join(names)}")
        choice: tuple[object, ...] = {"strength": _STRENGTHS, "about": _SIDES}.get(name, (True, False))
        if wanted not in choice or type(wanted) is not type(choice[0]):
            raise ValueError(f"{where}: {name} cannot be {wanted!r}")
    return tuple(value.items())


# --- applying them --------------------------------------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class Terms:
    """Where the phrases of some rules stand on a page.

    Attributes
    ----------
    sentences : sequence of Sentence
    by_text : dict of str to dict of str to list of Cue
        For each text its lists and their phrases; offsets into the text.
    page : dict of str to Cue
        Each list that has a phrase anywhere, with the first.
    heads : set of str
        The lists that have one in the page's title or main heading.
    """

    sentences: Sequence[Sentence]
    by_text: Mapping[str, Mapping[str, list[Cue]]]
    page: Mapping[str, Cue]
    heads: set[str]

    def above(self, sentence: Sentence, cues: Mapping[str, Sequence[Cue]]) -> dict[str, list[Cue]]:
        """Return the lists that have a phrase in a heading above a sentence; `cues` has those of headings."""
        found: dict[str, list[Cue]] = {}
        for text in sentence.block.heading_path:
            for name, phrases in (*self.by_text.get(text, {}).items(), *_by_name(cues.get(text, ())).items()):
                found.setdefault(name, []).extend(phrases)
        return found


class _Place:
    """What stands in one sentence and around it; lists by name with their phrases."""

    __slots__ = ("above", "carried", "inside", "names")

    def __init__(
        self, inside: Mapping[str, list[Cue]], above: Mapping[str, list[Cue]], carried: Sequence[Carried] = ()
    ) -> None:
        self.inside = inside
        self.above = above
        self.carried = carried
        self.names = frozenset().union(*(entry.names for entry in carried))


_LETTERS = re.compile(r"[^\W\d_]+")


class RuleBook:
    """The rules of some jurisdictions, ready to be applied to pages. Make one and use it for many.

    Parameters
    ----------
    chosen : sequence of Rule
    """

    def __init__(self, chosen: Sequence[Rule]) -> None:
        self.rules = tuple(chosen)
        wanted = {
            name
            for rule in chosen
            for when in rule.when
            for key in fields(When)
            if key.name.startswith(("lists", "headings_", "page"))
            for name in getattr(when, key.name)
        }
        own = [
            CueList(name=rule.id, about=rule.title, label=None, phrases=rule.terms, fires=(), silent=())
            for rule in chosen
            if rule.terms
        ]
        lists = [*(entry for entry in term_lists() if entry.name in wanted), *own]
        self._matcher = CueMatcher(shared_pipeline(), lists)
        # What can bring a rule up: one of a few lists if it asks for any, else a label.
        self._by_list: dict[str, list[tuple[int, Rule, When]]] = {}
        self._by_heading: dict[str, list[tuple[int, Rule, When]]] = {}
        self._by_label: dict[str, list[tuple[int, Rule, When]]] = {}
        self._free: set[str] = set()
        number = 0
        for rule in chosen:
            for when in rule.when:
                when = _with_own(when, rule.id)
                entry = (number, rule, when)
                number += 1
                if when.lists_all or when.lists_any:
                    looked_up = [name for name in when.lists_all if name in self._matcher.names]
                    triggers = looked_up[:1] or when.lists_any or when.lists_all[:1]
                    for name in triggers:
                        self._by_list.setdefault(name, []).append(entry)
                        if when.headings:
                            self._by_heading.setdefault(name, []).append(entry)
                    if not when.labels_any:
                        self._free.update(triggers)
                else:
                    for name in when.labels_any:
                        self._by_label.setdefault(name, []).append(entry)
        # What matters in a sentence that carries nothing, and what is asked of pages and headings.
        alone = self._free | {
            name
            for rule in chosen
            for when in rule.when
            for name in (*when.page_any, *when.page_none, *when.headings_any, *when.headings_none)
        }
        phrases = [phrase for entry in lists if entry.name in alone for phrase in entry.phrases]
        runs = [_LETTERS.findall(phrase) for phrase in phrases]
        self._words = {max(found, key=len) for found in runs if found}
        self._signs = {sign for phrase, found in zip(phrases, runs, strict=True) if not found for sign in phrase}

    def may_hold(self, text: str) -> bool:
        """Return whether a text without a label could matter: it has the longest word of a phrase, or a sign of one."""
        return not (self._words.isdisjoint(_LETTERS.findall(text.lower())) and self._signs.isdisjoint(text))

    def look_up(self, sentences: Sequence[Sentence], read: Lines) -> Terms:
        """Return where the phrases of these rules stand on a page.

        Parameters
        ----------
        sentences : sequence of Sentence
            All of the page.
        read : Lines
            The texts of its sentences and headings, as far as they may hold a phrase.
        """
        by_text = {text: _by_name(found) for text, found in self._matcher.find_lines(read) if found}
        page: dict[str, Cue] = {}
        for text in dict.fromkeys(sentence.text for sentence in sentences):
            if text in by_text:
                for name, found in by_text[text].items():
                    page.setdefault(name, found[0])
        tops = _headings_of_page(sentences)
        return Terms(sentences, by_text, page, {name for text in tops for name in by_text.get(text, ())})

    def undecided(self, terms: Terms, carried: Container[int]) -> list[str]:
        """Return the texts of sentences that carry nothing and bring a rule up unless their cues are against it."""
        texts: dict[str, None] = {}
        for n, sentence in enumerate(terms.sentences):
            if n in carried or sentence.text in texts:
                continue
            inside = terms.by_text.get(sentence.text)
            if inside and not self._free.isdisjoint(inside):
                place = _Place(inside, terms.above(sentence, {}))
                if any(_surroundings_hold(when, place, terms) for _, when in self._candidates(place)):
                    texts[sentence.text] = None
        return list(texts)

    def apply(
        self, terms: Terms, carried: Mapping[int, Sequence[Carried]], cues: Mapping[str, Sequence[Cue]]
    ) -> Iterator[Hit]:
        """Yield what the sentences of a page bring up, by sentence, then in the order of the rules.

        Parameters
        ----------
        terms : Terms
        carried : mapping of int to sequence of Carried
            What the sentences carry.
        cues : mapping of str to sequence of Cue
            The cues of the sentences that carry something and of their headings, and of the texts that were undecided;
            offsets into the text.
        """
        above: dict[tuple[str, ...], dict[str, list[Cue]]] = {}
        for n, sentence in enumerate(terms.sentences):
            if sentence.text not in cues or not (n in carried or sentence.text in terms.by_text):
                continue
            path = sentence.block.heading_path
            if path not in above:
                above[path] = terms.above(sentence, cues)
            inside = {**_by_name(cues[sentence.text]), **terms.by_text.get(sentence.text, {})}
            yield from self._hits(n, sentence, _Place(inside, above[path], carried.get(n, ())), terms)

    def _candidates(self, place: _Place) -> list[tuple[Rule, When]]:
        """Return the rules that something in the sentence could bring up, in their order."""
        found: dict[int, tuple[Rule, When]] = {}
        for names, index in (
            (place.inside, self._by_list),
            (place.above, self._by_heading),
            (place.names, self._by_label),
        ):
            for name in names:
                for number, rule, when in index.get(name, ()):
                    if place.carried or not when.labels_any:
                        found[number] = (rule, when)
        return [candidate for _, candidate in sorted(found.items(), key=itemgetter(0))]

    def _hits(self, n: int, sentence: Sentence, place: _Place, terms: Terms) -> Iterator[Hit]:
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
                yield Hit(n, label, _match(rule, when, sentence, place, entry, terms.page))


@cache
def rule_book(jurisdictions: tuple[str, ...]) -> RuleBook:
    """Return the rules of these jurisdictions, one book for each choice in a process."""
    return RuleBook(rules_of(jurisdictions))


def _with_own(when: When, id: str) -> When:
    """Return the condition with the rule's own list under the name by which the matcher knows it."""
    named = {
        key: tuple(id if name == OWN else name for name in getattr(when, key))
        for key in ("lists_any", "lists_all", "lists_none")
    }
    return When(**{entry.name: named.get(entry.name, getattr(when, entry.name)) for entry in fields(When)})


def _by_name(cues: Iterable[Cue]) -> dict[str, list[Cue]]:
    found: dict[str, list[Cue]] = {}
    for cue in cues:
        found.setdefault(cue.name, []).append(cue)
    return found


def _headings_of_page(sentences: Sequence[Sentence]) -> set[str]:
    """Return the texts of the page's title and main heading."""
    return {
        sentence.text
        for sentence in sentences
        if sentence.block.kind == "title" or (sentence.block.kind == "heading" and sentence.block.level == 1)
    }


def _surroundings_hold(when: When, place: _Place, terms: Terms) -> bool:
    """Return whether everything holds that does not hang on the single finding."""
    inside, above, page = place.inside, place.above, terms.page

    def has(name: str) -> bool:
        return name in inside or (when.headings and name in above)

    def heads(name: str) -> bool:
        return name in above or name in terms.heads

    return (
        all(map(has, when.lists_all))
        and (not when.lists_any or any(map(has, when.lists_any)))
        and not any(name in inside for name in when.lists_none)
        and place.names.issuperset(when.labels_all)
        and place.names.isdisjoint(when.labels_none)
        and (not when.page_any or any(name in page for name in when.page_any))
        and not any(name in page for name in when.page_none)
        and (not when.headings_any or any(map(heads, when.headings_any)))
        and not any(map(heads, when.headings_none))
    )


def _claim_holds(when: When, entry: Carried) -> bool:
    """Return whether a finding is one of those asked for, with the attributes asked for."""
    if entry.names.isdisjoint(when.labels_any):
        return False
    if (when.attributes_all or when.attributes_any) and entry.attributes is None:
        return False
    if when.without_qualifier and entry.qualifier is not None and entry.qualifier.kind in when.without_qualifier:
        return False

    def holds(name: str, wanted: str | bool) -> bool:
        value = getattr(entry.attributes, name)
        return (bool(value) if name in _NAMED else value) == wanted

    return all(holds(*pair) for pair in when.attributes_all) and (
        not when.attributes_any or any(holds(*pair) for pair in when.attributes_any)
    )


_ATTRIBUTE_WORDS: dict[tuple[str, str | bool], str] = {
    ("quantified", True): "gives a figure",
    ("serious", True): "about a serious condition",
    ("testimonial", True): "a patient tells it",
    ("sourced", False): "names no source",
    ("conditions", True): "names a condition",
}


def _match(
    rule: Rule, when: When, sentence: Sentence, place: _Place, entry: Carried | None, page: Mapping[str, Cue]
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
            value = getattr(entry.attributes, name)
            if (bool(value) if name in _NAMED else value) == wanted and (name, wanted) in _ATTRIBUTE_WORDS:
                told = _ATTRIBUTE_WORDS[name, wanted]
                parts.append(f"names {_texts_quoted(value)}" if name == "conditions" else told)
    if when.without_qualifier:
        parts.append(f"no {' or '.join(when.without_qualifier)} stands beside it")
    context = next((page[name] for name in when.page_any if name in page), None)
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
