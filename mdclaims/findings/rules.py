"""Rules: provisions of law or of a code that a sentence may touch, from ``data/rules/*.toml``.

A rule is data: what a person should check, where that is laid down, whether the text was read there and when,
what brings it up (`When`), and examples that must and must not (run as tests). It never says that anything is
broken: a hit is "possible: check" and the citation. ``rule_book.py`` applies the rules.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from mdclaims.config import JURISDICTIONS
from mdclaims.findings.qualifiers import KINDS
from mdclaims.findings.stance import Attributes
from mdclaims.labels import label_info
from mdclaims.language.cues import CueList, cue_lists, expand, read_lists

SCOPES: tuple[str, ...] = ("product", "service", "food", "prescription")
OWN = "terms"
"""How a condition in a file names the rule's own phrases; read, it names them by the rule's id."""
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
        One, all or none of these lists have a phrase in the sentence: cue lists, lists of ``terms.toml``, or the
        rule's own phrases, a list with the rule's id.
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

    @property
    def context_lists(self) -> frozenset[str]:
        """Names of the lists that it looks for in headings and on the whole page."""
        return frozenset((*self.headings_any, *self.headings_none, *self.page_any, *self.page_none))

    @property
    def lists(self) -> frozenset[str]:
        """Names of all lists that it looks for."""
        return frozenset((*self.lists_any, *self.lists_all, *self.lists_none)) | self.context_lists


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

    @property
    def needs_label(self) -> bool:
        """Whether it only ever touches findings that have a label."""
        return all(when.labels_any for when in self.when)


def is_stale(rule: Rule, today: date) -> bool:
    """Return whether the rule's source was checked more than twelve months before `today`."""
    months = (today.year - rule.checked.year) * 12 + today.month - rule.checked.month
    return (months, today.day) > (_STALE_AFTER_MONTHS, rule.checked.day)


def source_marks(rule: Rule, today: date) -> str:
    """Return what a reader must know of the rule's source, in brackets; "" if it was read, and lately."""
    said = [] if rule.verified else ["source not verified"]
    if is_stale(rule, today):
        said.append(f"last checked on {rule.checked:%Y-%m-%d}, over twelve months ago")
    return f" [{'; '.join(said)}]" if said else ""


def check_line(rule: Rule, today: date) -> str:
    """Return how a hit is told: a thing to check, never a breach."""
    return f"possible: check {rule.citation}{source_marks(rule, today)}"


# --- reading the files ----------------------------------------------------------------------------------------------

_TEXTS = ("title", "citation", "address", "check")
_REQUIRED = (*_TEXTS, "scope", "checked", "verified", "when", "fires", "silent")
_OPTIONAL = ("note", "terms")
_FEWEST_EXAMPLES = 2


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


def rules_sha256() -> str:
    """Return the SHA-256 of all files of rules, in hex: for telling which rules made a finding."""
    folder = files("mdclaims") / "data" / "rules"
    digest = hashlib.sha256()
    for name in (*(f"{jurisdiction}.toml" for jurisdiction in JURISDICTIONS), TERMS_FILE):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def rules_of(jurisdictions: Collection[str]) -> tuple[Rule, ...]:
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
    if any(OWN in option.lists for option in when) != bool(texts["terms"]):
        raise ValueError(f"{where}: terms and a condition on {OWN!r} go together")
    return Rule(
        id=id,
        jurisdiction=jurisdiction,
        **{key: entry[key] for key in (*_TEXTS, "checked", "verified")},
        note=entry.get("note", ""),
        scope=texts["scope"],
        terms=tuple(dict.fromkeys(phrase for text in texts["terms"] for phrase in expand(text))),
        when=tuple(_with_own(option, id) for option in when),
        fires=texts["fires"],
        silent=texts["silent"],
    )


def _with_own(when: When, id: str) -> When:
    """Return the condition with the rule's own phrases under the rule's id."""

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(id if name == OWN else name for name in names)

    return replace(
        when, lists_any=named(when.lists_any), lists_all=named(when.lists_all), lists_none=named(when.lists_none)
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
