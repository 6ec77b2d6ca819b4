"""A campaign: which claims are of interest, how much each weighs, and so which a person need not see now.

It is a TOML file of the user, or one of those that ship in ``data/campaigns``. docs/overview.md tells users its keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from mdclaims.config import read_toml
from mdclaims.errors import UsageError
from mdclaims.findings.rules import rules
from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import choices, expand

KEYS: tuple[str, ...] = ("about", "treatments", "conditions", "labels", "stances", "rules")
STIGMA = "stigma_framing"
"""The label that counts for no site's rank unless a campaign names it."""

_MOST_WEIGHT = 100.0
_MOST_ENTRIES = 1_000
_LONGEST_TERM = 200
_MOST_CHOICES = 64

HEADINGS = "list_aggregate(heading_path, 'string_agg', ' | ')"
"""SQL for the headings above a finding as one text."""

Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is of interest, with weights above 0.

    A claim's weight is a product: of its label's weight, its stance's, and the largest of its treatments, of its
    conditions and of its rules. What a campaign does not name at all weighs 1. A claim without any of the labels, or
    of the stances, that are named weighs 0. The same holds of treatments; conditions and rules raise the weight of what
    has one of these. Where no treatments are named the conditions decide, and where neither are, the rules.

    Attributes
    ----------
    name : str
        Name of its file without the suffix.
    about : str
        One sentence for people.
    treatments, conditions : dict of str to float
        Terms as in cue lists, with ``(a|b|)`` for alternatives. They are found in a claim or the headings above it, as
        whole words, whatever the case; a hyphen is a space.
    labels, stances, rules : dict of str to float
    """

    name: str
    about: str = ""
    treatments: Weights = field(default_factory=dict)
    conditions: Weights = field(default_factory=dict)
    labels: Weights = field(default_factory=dict)
    stances: Weights = field(default_factory=dict)
    rules: Weights = field(default_factory=dict)

    @property
    def asks_for_stigma(self) -> bool:
        """True if it names that label: only then do such findings count for the rank of a site."""
        return STIGMA in self.labels

    def weight_sql(self) -> tuple[str, list[str]]:
        """Return SQL for the weight of a row of `findings`, and the values of its question marks."""
        values: list[str] = []
        # A finding that is there for a rule alone has no label and no stance: what it touches decides.
        kinds = [
            f"CASE WHEN label IS NULL THEN 1.0 {_cases(column, weights)} ELSE 0.0 END"
            for column, weights in (("label", self.labels), ("stance", self.stances))
            if weights
        ]
        subjects = [
            list(_term_cases(self.treatments, values)),
            list(_term_cases(self.conditions, values)),
            [f"if(list_contains(rules, '{rule}'), {weight!r}, 0.0)" for rule, weight in self.rules.items()],
        ]
        factors = kinds
        missing = 0.0  # what a claim weighs that has none: the first kind that is named decides, the others raise
        for cases in filter(None, subjects):
            factors.append(f"coalesce(nullif(greatest(0.0, {', '.join(cases)}), 0.0), {missing})")
            missing = 1.0
        return " * ".join(factors) or "1.0", values


def _cases(column: str, weights: Weights) -> str:
    return " ".join(f"WHEN {column} = '{name}' THEN {weight!r}" for name, weight in weights.items())


def _term_cases(weights: Weights, values: list[str]) -> Iterable[str]:
    """Yield SQL for the weight of the terms found, terms of one weight together."""
    for weight in sorted(set(weights.values())):
        values.append(_pattern(term for term, own in weights.items() if own == weight))
        yield (f"if(regexp_matches(concat_ws(' | ', quote, {HEADINGS}), ?), {weight!r}, 0.0)")


def _pattern(terms: Iterable[str]) -> str:
    """Return a regular expression of RE2 that finds any of the terms."""
    phrases = {re.escape(phrase) for term in terms for phrase in expand(term)}
    words = "|".join(re.sub(r"(\\ |\\-)+", r"[\\s-]+", phrase).replace("'", "['’]") for phrase in sorted(phrases))
    return rf"(?i)\b(?:{words})\b"


def shipped_campaigns() -> tuple[str, ...]:
    """Return the names of the campaigns that ship, sorted."""
    folder = files("mdclaims") / "data" / "campaigns"
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")))


def read_campaign(given: str) -> Campaign:
    """Read a campaign: a file, or one that ships by its name ("glp1-uk").

    Raises
    ------
    UsageError
        If it cannot be read, or a key or value of it is none that a campaign has; the message names file and key.
    """
    path = Path(given)
    if not path.suffix and not path.exists():
        if given not in shipped_campaigns():
            raise UsageError(
                f"campaign {given} is no file, and none that ships; those are {', '.join(shipped_campaigns())}"
            )
        path = Path(str(files("mdclaims") / "data" / "campaigns" / f"{given}.toml"))
    table = read_toml(path, what="campaign")
    for key in table:
        if key not in KEYS:
            raise UsageError(f"campaign {path} has the unknown key {key[:60]!r}; known are {', '.join(KEYS)}")
    about = table.get("about", "")
    if not isinstance(about, str):
        raise _wrong(path, "about", "must be a text")
    if not set(table) - {"about"}:
        raise UsageError(f"campaign {path} names nothing of interest; give one of {', '.join(KEYS[1:])}")
    known_rules = frozenset(rule.id for rule in rules())
    stances = frozenset(stance for label in label_info().values() for stance in label.stances)
    return Campaign(
        name=path.stem,
        about=about,
        treatments=_weights(table, "treatments", path, _check_term),
        conditions=_weights(table, "conditions", path, _check_term),
        labels=_weights(table, "labels", path, _check_known(frozenset(LABELS), "a label", "mdclaims explain")),
        stances=_weights(table, "stances", path, _check_known(stances, "a stance", "mdclaims explain")),
        rules=_weights(table, "rules", path, _check_known(known_rules, "a rule", "mdclaims rules")),
    )


def _weights(table: Mapping[str, Any], key: str, path: Path, check: Callable[[str], str | None]) -> dict[str, float]:
    """Return a key's entries with their weights: a table of weights, or a list of names that weigh 1 each."""
    value = table.get(key, {})
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        value = dict.fromkeys(value, 1.0)
    if not isinstance(value, dict):
        raise _wrong(path, key, "must be a list of texts, or a table of texts with weights")
    if not value and key in table:
        raise _wrong(path, key, "is empty; name something, or leave the key out")
    if len(value) > _MOST_ENTRIES:
        raise _wrong(path, key, f"has more than {_MOST_ENTRIES:,} entries")
    found = {}
    for name, weight in value.items():
        where = f"{key}.{name[:60]!r}"
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight <= _MOST_WEIGHT:
            raise _wrong(path, where, f"must weigh a number above 0 and up to {_MOST_WEIGHT:g}, not {str(weight)[:40]}")
        if (fault := check(name)) is not None:
            raise _wrong(path, where, fault)
        found[name] = float(weight)
    return found


def _check_term(term: str) -> str | None:
    if not term.startswith("(") and not term[:1].isalnum():
        return "must begin with a letter, a figure or alternatives in brackets"
    if len(term) > _LONGEST_TERM:
        return f"has more than {_LONGEST_TERM} characters"
    if choices(term) > _MOST_CHOICES:
        return f"stands for more than {_MOST_CHOICES} phrases"
    if not all(phrase and phrase[0].isalnum() and phrase[-1].isalnum() for phrase in expand(term)):
        return "stands for a phrase that does not begin and end with a letter or a figure"
    return None


def _check_known(known: frozenset[str], what: str, command: str) -> Callable[[str], str | None]:
    def check(name: str) -> str | None:
        return None if name in known else f"is not {what}; see {command}"

    return check


def _wrong(path: Path, key: str, fault: str) -> UsageError:
    return UsageError(f"campaign {path}: {key} {fault}")
