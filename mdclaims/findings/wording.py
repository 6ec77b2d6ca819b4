"""What to write instead, or to ask: suggestions for findings, from the data in ``data/wording/*.toml``.

For stigma a suggestion is the form that a guide prefers, made to fit the sentence, or advice where no form can be
made safely. For claims it is a question to answer or a qualifier to add, never a reworded promise. Nothing is
suggested inside quotations, for official names, or for what an entry excepts.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice
from pathlib import Path
from typing import Any

from spacy.language import Language

from mdclaims.findings.patterns import (
    EDGE,
    SPECIAL,
    Match,
    Pattern,
    PatternMatcher,
    Slot,
    Words,
    compile_patterns,
    slots_of,
)
from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.stance import Attributes
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import Cue, cue_lists
from mdclaims.language.pipeline import norm, shared_pipeline
from mdclaims.language.sentences import Sentence, quotations
from mdclaims.reading.page import Block

MOST_QUESTIONS = 2
"""So many questions a claim gets: the most telling, the first in the data."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A published guide on wording.

    Attributes
    ----------
    name, address : str
    verified : bool
        Whether the entries that name it were checked at its source.
    """

    name: str
    address: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to write in place of some words, or to ask about them.

    Attributes
    ----------
    name : str
        The entry or question it comes from.
    start, end : int
        Half-open code-point offsets into ``Page.text``.
    text : str
        The words there.
    replacement : str or None
        What fits in their place; None if that takes a person.
    advice : str
    guide, address : str or None
        Where the preferred form comes from; None for questions about claims.
    verified : bool or None
        Whether that was checked at its source.
    """

    name: str
    start: int
    end: int
    text: str
    replacement: str | None
    advice: str
    guide: str | None
    address: str | None
    verified: bool | None


@dataclass(frozen=True, slots=True)
class Form:
    """What an entry finds and says instead.

    Attributes
    ----------
    pattern : Pattern
    say : str or None
        None where only the advice of the entry can be given.
    is_phrase : bool
        It stands among the phrases of its entry: what is left when no other form fits.
    """

    pattern: Pattern
    say: str | None
    is_phrase: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of wording to avoid.

    Attributes
    ----------
    name, about, advice : str
    guide : Guide
    forms : tuple of Form
    exceptions : tuple of Pattern
        A match that overlaps one of them does not count.
    needs : frozenset of str
        If any: the norms of which one must stand in the sentence.
    examples : tuple of (str, str)
        Sentences and what becomes of them.
    advised, silent : tuple of str
        Sentences in which it gives advice alone, and in which it says nothing.
    """

    name: str
    about: str
    advice: str
    guide: Guide
    forms: tuple[Form, ...]
    exceptions: tuple[Pattern, ...]
    needs: frozenset[str]
    examples: tuple[tuple[str, str], ...]
    advised: tuple[str, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask about a claim, and what brings it up: all conditions together.

    Attributes
    ----------
    name, about, advice : str
    stances : frozenset of str
    cues : frozenset of str
        If any: the lists of which one must have a cue in the sentence.
    without : frozenset of str
        Lists that must have none.
    attributes : dict of str to object
        What the attributes of the claim must be; true asks for any value, any name of a treatment for example.
    unqualified : bool
        Only if no qualifier stands in its section.
    fires, silent : tuple of str
    """

    name: str
    about: str
    advice: str
    stances: frozenset[str]
    cues: frozenset[str]
    without: frozenset[str]
    attributes: Mapping[str, object]
    unqualified: bool
    fires: tuple[str, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """All wording data, in the order of the files."""

    entries: tuple[Entry, ...]
    questions: tuple[Question, ...]
    slots: Mapping[str, Slot]


# --- loading ----------------------------------------------------------------------------------------------------

_ENTRY_KEYS = {"about", "guide", "advice", "phrases", "forms", "except", "needs", "examples", "advised", "silent"}
_FORM_KEYS = {"find", "say", "behind", "ahead", "later"}
_QUESTION_KEYS = {
    "about", "advice", "stances", "cues", "without", "attributes", "unqualified", "fires", "silent",
}  # fmt: skip
_SECTIONS = {"guide", "slot", "wording", "question"}
# The slots that the program itself looks into.
_ALWAYS = {"before_condition", "before_treatment", "function", "name_joins", "name_words", "plural", "proper", "small"}
_IN_SAY = re.compile(r"<([a-z_]+)(\+s|)>")


def shipped_files() -> list[Traversable]:
    """Return the files of ``data/wording``, sorted by name."""
    folder = files("mdclaims") / "data" / "wording"
    return sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)


@cache
def shipped_wording() -> Wording:
    """Return the wording data of the package."""
    return load_wording(shipped_files())


def load_wording(sources: Sequence[Path | Traversable]) -> Wording:
    """Read wording data; a file may use guides and slots of the others.

    Raises
    ------
    ValueError
        If a table has an unknown key or lacks one, a name stands in two files, or something named is not there. The
        message names file and table.
    """
    tables: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {section: {} for section in _SECTIONS}
    for source in sources:
        for section, named in tomllib.loads(source.read_text(encoding="utf-8")).items():
            if section not in _SECTIONS or not isinstance(named, dict):
                raise ValueError(f"{source.name}: unknown table [{section}]; known are {', '.join(sorted(_SECTIONS))}")
            for name, table in named.items():
                where = f"{source.name}: [{section}.{name}]"
                if name in tables[section]:
                    raise ValueError(f"{where} stands in two files")
                tables[section][name] = (where, table)
    guides = {name: _guide(where, table) for name, (where, table) in tables["guide"].items()}
    slots = _slots(tables["slot"])
    lacking = sorted(_ALWAYS - set(slots)) if tables["wording"] else []
    if lacking:
        raise ValueError(f"no file has the slots {', '.join(lacking)}, which every pattern needs")
    return Wording(
        entries=tuple(_entry(name, *tables["wording"][name], guides, slots) for name in tables["wording"]),
        questions=tuple(_question(name, *tables["question"][name]) for name in tables["question"]),
        slots=slots,
    )


def _check(where: str, table: Mapping[str, Any], known: set[str], needed: Sequence[str]) -> None:
    unknown = set(table) - known
    if unknown:
        raise ValueError(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
    lacking = [key for key in needed if not table.get(key)]
    if lacking:
        raise ValueError(f"{where} lacks {', '.join(lacking)}")


def _guide(where: str, table: Mapping[str, Any]) -> Guide:
    _check(where, table, {"name", "address", "verified"}, ["name", "address"])
    if table.get("verified") not in (True, False):
        raise ValueError(f"{where} lacks verified, true or false")
    return Guide(table["name"], table["address"], table["verified"])


def _slots(tables: Mapping[str, tuple[str, Mapping[str, Any]]]) -> dict[str, Slot]:
    """Return the slots by name; a word ``<other>`` of a list stands for all of the list `other`."""
    slots: dict[str, Slot] = {}
    for name, (where, table) in tables.items():
        _check(where, table, {"about", "words", "map"}, ["about"])
        if name in SPECIAL:
            raise ValueError(f"{where} has a name that the pattern language keeps for itself")
        entries: dict[tuple[str, ...], str | None] = {}
        for word in table.get("words", ()):
            other = word.strip("<>")
            if word == EDGE:
                entries[(EDGE,)] = None
            elif word != other:
                if other not in slots:
                    raise ValueError(f"{where} names the list <{other}>, which must stand before it")
                entries.update(slots[other].entries)
            else:
                entries[_norms(word)] = None
        entries.update({_norms(word): said for word, said in table.get("map", {}).items()})
        if not entries:
            raise ValueError(f"{where} lacks words")
        slots[name] = Slot(name, entries)
    return slots


def _norms(phrase: str) -> tuple[str, ...]:
    return tuple(norm(word) for word in phrase.replace("-", " ").split())


def _entry(
    name: str, where: str, table: Mapping[str, Any], guides: Mapping[str, Guide], slots: Mapping[str, Slot]
) -> Entry:
    _check(where, table, _ENTRY_KEYS, ["about", "guide", "advice", "silent"])
    if table["guide"] not in guides:
        raise ValueError(f"{where} names the guide {table['guide']!r}, which no file has")
    if not table.get("examples") and not table.get("advised"):
        raise ValueError(f"{where} lacks examples")
    forms: list[Form] = []
    for form in table.get("forms", ()):
        _check(f"{where}, form {form.get('find')!r}", form, _FORM_KEYS, ["find"])
        for pattern in compile_patterns(**{key: text for key, text in form.items() if key != "say"}):
            said = {found[1] for found in _IN_SAY.finditer(form.get("say", ""))}
            held = {element[0] for element in pattern.elements if isinstance(element, tuple)}
            if said - held:
                raise ValueError(f"{where}: {form['say']!r} says what {form['find']!r} does not find")
            forms.append(Form(pattern, form.get("say"), is_phrase=False))
    forms += [
        Form(pattern, None, is_phrase=True) for text in table.get("phrases", ()) for pattern in compile_patterns(text)
    ]
    exceptions = [pattern for text in table.get("except", ()) for pattern in compile_patterns(text)]
    for pattern in (*(form.pattern for form in forms), *exceptions):
        lacking = slots_of(pattern) - SPECIAL - set(slots)
        if lacking:
            raise ValueError(f"{where} names the list <{lacking.pop()}>, which no file has")
    if not forms:
        raise ValueError(f"{where} lacks phrases or forms")
    return Entry(
        name=name,
        about=table["about"],
        advice=table["advice"],
        guide=guides[table["guide"]],
        forms=tuple(forms),
        exceptions=tuple(exceptions),
        needs=frozenset(norm(word) for word in table.get("needs", ())),
        examples=tuple((before, after) for before, after in table.get("examples", ())),
        advised=tuple(table.get("advised", ())),
        silent=tuple(table["silent"]),
    )


def _question(name: str, where: str, table: Mapping[str, Any]) -> Question:
    _check(where, table, _QUESTION_KEYS, ["about", "advice", "stances", "fires", "silent"])
    forward = {stance for label in LABELS for stance in label_info()[label].forward}
    named = {*table.get("cues", ()), *table.get("without", ())}
    for kind, unknown in (
        ("stance", set(table["stances"]) - forward),
        ("cue list", named - {entry.name for entry in cue_lists()}),
        ("attribute", set(table.get("attributes", {})) - set(Attributes.__dataclass_fields__)),
    ):
        if unknown:
            raise ValueError(f"{where} has the unknown {kind} {min(unknown)!r}")
    return Question(
        name=name,
        about=table["about"],
        advice=table["advice"],
        stances=frozenset(table["stances"]),
        cues=frozenset(table.get("cues", ())),
        without=frozenset(table.get("without", ())),
        attributes=table.get("attributes", {}),
        unqualified=table.get("unqualified", False),
        fires=tuple(table["fires"]),
        silent=tuple(table["silent"]),
    )


# --- quotations and names ---------------------------------------------------------------------------------------

# A quotation that runs on into the next paragraph is not closed in this one.
_UNCLOSED = re.compile(r'“[^”]*\Z|\A"[^"]*\Z')
_SINGLE = re.compile(r"(?<!\w)‘[^‘’\n]{1,80}’(?!\w)|(?<!\w)'[^'\n]{1,80}'(?!\w)")


# So many words around a word, an official name is looked for; in titles, where all words have capitals, fewer.
_NAME_REACH = 6
_TITLE_REACH = 3


def quoted_spans(text: str, block: Block) -> list[tuple[int, int]]:
    """Return, rising, the spans of a block that quote someone, or hold a word at arm's length."""
    if block.kind == "quote":
        return [(block.start, block.end)]
    inside = text[block.start : block.end]
    loose = [match.span() for pattern in (_UNCLOSED, _SINGLE) for match in pattern.finditer(inside)]
    spans = [(block.start + start, block.start + end) for start, end in loose]
    merged: list[tuple[int, int]] = []
    for start, end in sorted([*quotations(text, block.start, block.end), *spans]):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _meets(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Return whether a span overlaps one of `spans`, which are rising and disjoint."""
    at = bisect_right(spans, (start, end))
    return (at > 0 and spans[at - 1][1] > start) or (at < len(spans) and spans[at][0] < end)


def _is_official(words: Words, match: Match, slots: Mapping[str, Slot]) -> bool:
    """Return whether a match is part of an official name: capitals around it, with a word such as "Institute"."""
    joins, marks = slots["name_joins"].entries, slots["name_words"].entries
    reach = _TITLE_REACH if words.is_title else _NAME_REACH
    if not any(words.capitalised[match.start : match.end]):
        return False
    for step, first in ((-1, match.start - 1), (1, match.end)):
        for at in range(first, first + step * reach, step):
            if not 0 <= at < len(words.norms) or not (words.capitalised[at] or (words.norms[at],) in joins):
                break
            if words.capitalised[at] and (words.norms[at],) in marks:
                return True
    return False


# --- stigma -----------------------------------------------------------------------------------------------------


class WordingMatcher:
    """Finds wording that guides advise against, and what they prefer.

    Parameters
    ----------
    wording : Wording
    nlp : Language
        Splits sentences into words.
    """

    def __init__(self, wording: Wording, nlp: Language) -> None:
        self.wording = wording
        self._nlp = nlp
        self._forms = [(entry, form) for entry in wording.entries for form in entry.forms]
        self._exceptions = [(entry, pattern) for entry in wording.entries for pattern in entry.exceptions]
        self._find = PatternMatcher([form.pattern for _, form in self._forms], wording.slots)
        self._except = PatternMatcher([pattern for _, pattern in self._exceptions], wording.slots)

    def suggest(
        self, sentence: Sentence, cues: Sequence[Cue], quoted: Sequence[tuple[int, int]]
    ) -> tuple[Suggestion, ...]:
        """Return the suggestions for a sentence, by position, none over another.

        Parameters
        ----------
        sentence : Sentence
        cues : sequence of Cue
            Of the sentence; offsets into the page's text.
        quoted : sequence of (int, int)
            The quotations of its block, of `quoted_spans`.
        """
        if sentence.quoted:
            return ()
        shift = sentence.start
        own = [Cue(cue.name, cue.start - shift, cue.end - shift, cue.text) for cue in cues]
        words = Words.of(self._nlp.make_doc(sentence.text), own)
        found = sorted(self._find.find(words), key=self._rank)
        if not found:
            return ()
        excepted = self._excepted(words)
        norms = frozenset(words.norms)
        taken = bytearray(len(words.norms))
        suggestions: list[Suggestion] = []
        for number, match in found:
            entry, form = self._forms[number]
            start, end = words.starts[match.start], words.ends[match.end - 1]
            if (
                any(taken[match.start : match.end])
                or (entry.needs and entry.needs.isdisjoint(norms))
                or any(excepted.get(entry.name, b"")[match.start : match.end])
                or _is_official(words, match, self.wording.slots)
                or _meets(quoted, shift + start, shift + end)
            ):
                continue
            taken[match.start : match.end] = b"\1" * (match.end - match.start)
            replacement = None if form.say is None else self._fit(words, match, form)
            if replacement is not None and match.start > 0 and not taken[match.start - 1]:
                article = _article(words, match, replacement)
                if article is not None:
                    taken[match.start - 1] = 1
                    start, replacement = words.starts[match.start - 1], f"{article} {replacement}"
            suggestions.append(
                Suggestion(
                    name=entry.name,
                    start=shift + start,
                    end=shift + end,
                    text=sentence.text[start:end],
                    replacement=replacement,
                    advice=entry.advice,
                    guide=entry.guide.name,
                    address=entry.guide.address,
                    verified=entry.guide.verified,
                )
            )
        return tuple(sorted(suggestions, key=lambda suggestion: suggestion.start))

    def _rank(self, found: tuple[int, Match]) -> tuple[bool, int, int, int, int]:
        """Put phrases last, then the longest first, the leftmost, that with most conditions, the first in the data."""
        number, match = found
        form = self._forms[number][1]
        conditions = 3 - (form.pattern.behind, form.pattern.ahead, form.pattern.later).count(None)
        return form.is_phrase, match.start - match.end, match.start, -conditions, number

    def _excepted(self, words: Words) -> dict[str, bytearray]:
        """Return by entry which words its exceptions hold."""
        found: dict[str, bytearray] = {}
        for number, match in self._except.find(words):
            held = found.setdefault(self._exceptions[number][0].name, bytearray(len(words.norms)))
            held[match.start : match.end] = b"\1" * (match.end - match.start)
        return found

    def _fit(self, words: Words, match: Match, form: Form) -> str:
        """Return the replacement with its slots filled and with the capitals of what it replaces."""
        copied: set[int] = set()
        for name, (start, end) in match.captures.items():
            if name in SPECIAL:
                copied.update(range(start, end))
        parts: list[tuple[str, bool]] = []
        for part in (form.say or "").split():
            slot = _IN_SAY.fullmatch(part)
            text, is_copy = (part, False) if slot is None else self._filled(words, match, slot[1], plural=bool(slot[2]))
            if text:
                parts.append((text, is_copy))
        own = [n for n in range(match.start, match.end) if n not in copied]
        if all(words.copy(n, n + 1).isupper() for n in own) and len(words.copy(match.start, match.end)) > 3:
            return " ".join(text.upper() for text, _ in parts)
        inner = [n for n in own if n > 0 and len(words.norms[n]) > 3]
        if words.is_title or any(words.capitalised[n] for n in inner):
            small = self.wording.slots["small"].entries
            parts = [
                (
                    text if is_copy else " ".join(w if (w,) in small else w[:1].upper() + w[1:] for w in text.split()),
                    True,
                )
                for text, is_copy in parts
            ]
        said = " ".join(text for text, _ in parts)
        # A name in the middle of a sentence lends its capital to nothing else.
        begins = match.start == 0 or match.start not in copied
        return said[:1].upper() + said[1:] if begins and words.capitalised[match.start] else said

    def _filled(self, words: Words, match: Match, name: str, *, plural: bool) -> tuple[str, bool]:
        """Return what a slot puts into the replacement, and whether it is copied as it stands."""
        start, end = match.captures[name]
        if start == end:
            return "", False
        slot = self.wording.slots.get(name)
        said = slot.entries[tuple(words.norms[start:end])] if slot else None
        if said is not None:
            return said, False
        text = words.copy(start, end)
        # The capital of the sentence's first word does not move with it; that of a name does.
        proper = (words.norms[start],) in self.wording.slots["proper"].entries
        if start == 0 and text[1:2].islower() and not proper and not words.is_title:
            text = text[:1].lower() + text[1:]
        if plural:
            before, _, last = text.rpartition(" ")
            many = self.wording.slots["plural"].entries.get((last.lower(),))
            if many:
                text = f"{before} {many}".strip()
        return text, True


_SOUNDS_LIKE_A_CONSONANT = re.compile(r"(?:eu|uni|us[eu]|one\b|uri|u\b)", re.IGNORECASE)
_SILENT_H = re.compile(r"(?:hour|honest|honou?r|heir)", re.IGNORECASE)


def _takes_an(text: str) -> bool:
    if _SILENT_H.match(text):
        return True
    return text[:1].lower() in "aeiou" and not _SOUNDS_LIKE_A_CONSONANT.match(text)


def _article(words: Words, match: Match, replacement: str) -> str | None:
    """Return the article before a match if it must change with the replacement."""
    before = words.norms[match.start - 1]
    wanted = "an" if _takes_an(replacement) else "a"
    if before not in ("a", "an") or before == wanted:
        return None
    return wanted.capitalize() if words.capitalised[match.start - 1] else wanted


# --- claims -----------------------------------------------------------------------------------------------------


def questions_for(
    wording: Wording,
    sentence: Sentence,
    stances: Sequence[str],
    facts: Attributes | None,
    qualifier: Qualifier | None,
    cues: Sequence[Cue],
) -> tuple[Suggestion, ...]:
    """Return what to ask about a claim, the most telling first, `MOST_QUESTIONS` at most.

    Parameters
    ----------
    wording : Wording
    sentence : Sentence
    stances : sequence of str
        The finding's stance; all that are put forward with its label if the model tells none.
    facts : Attributes or None
        None for labels other than efficacy and safety claims.
    qualifier : Qualifier or None
        The nearest in the claim's section.
    cues : sequence of Cue
        Of the sentence; offsets into the page's text.
    """
    names = {cue.name for cue in cues}
    asked = [entry for entry in wording.questions if not entry.stances.isdisjoint(stances)]
    raised = (entry for entry in asked if is_raised(entry, facts, qualifier, names))
    found: list[Suggestion] = []
    for question in islice(raised, MOST_QUESTIONS):
        cue = next((cue for cue in cues if cue.name in question.cues), None)
        start, end = (sentence.start, sentence.end) if cue is None else (cue.start, cue.end)
        found.append(
            Suggestion(
                name=question.name,
                start=start,
                end=end,
                text=sentence.text[start - sentence.start : end - sentence.start],
                replacement=None,
                advice=question.advice,
                guide=None,
                address=None,
                verified=None,
            )
        )
    return tuple(found)


def is_raised(
    question: Question,
    facts: Attributes | None,
    qualifier: Qualifier | None,
    cues: Collection[str],
) -> bool:
    """Return whether a claim of its stances brings up a question; `cues` names the lists that fire in the claim."""
    return (
        (not question.cues or not question.cues.isdisjoint(cues))
        and question.without.isdisjoint(cues)
        and not (question.unqualified and qualifier is not None)
        and all(facts is not None and _has(facts, key, value) for key, value in question.attributes.items())
    )


def _has(facts: Attributes, key: str, value: object) -> bool:
    """Return whether an attribute has a value; true and false ask whether there is any."""
    held = getattr(facts, key)
    return bool(held) == value if isinstance(value, bool) else held == value


@cache
def shared_wording() -> WordingMatcher:
    """Return the matcher of this process, for the wording data of the package."""
    return WordingMatcher(shipped_wording(), shared_pipeline())
