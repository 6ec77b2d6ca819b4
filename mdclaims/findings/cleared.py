"""The file of cleared wording, ``mdclaims-cleared.toml``: reading it, finding it, and adding entries to it.

One file serves its whole folder. What an entry does to a finding is decided in ``suppressions.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from mdclaims.config import absolute, find_upwards, is_file, read_toml
from mdclaims.errors import UsageError
from mdclaims.findings.findings import PageResult, fold
from mdclaims.findings.rules import rules
from mdclaims.findings.similarity import Wordings
from mdclaims.labels import LABELS
from mdclaims.reading.page import replace_unencodable

CLEARED_NAME = "mdclaims-cleared.toml"
SCOPES: tuple[str, ...] = ("here", "everywhere")
BASELINE_REASON = "baseline, not reviewed"
"""The reason of entries that `mdclaims baseline` writes: they only say that the finding is not new."""

_KEYS = ("label", "rule", "text", "scope", "file", "fingerprint", "reason", "owner", "until", "reference", "evidence")
# About 25,000 entries.
_MOST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One cleared wording.

    Attributes
    ----------
    where : str
        File and line, for people.
    name : str
        Of the findings that it clears: their label, or for findings without one the id of their rule.
    text : str
        The wording.
    scope : str
        "here": the one finding with the fingerprint in `file`; "everywhere": every equal text with such a finding.
    file : str or None
        From the folder of the cleared file, with "/"; only with scope "here".
    fingerprint : str or None
        The finding's; only with scope "here".
    reason : str
        "" if the entry gives none; it then clears nothing.
    until : date or None
        The last day on which it holds.
    owner, reference, evidence : str or None
        Who answers for it, its number in the user's own records, and where the evidence lies.
    """

    where: str
    name: str
    text: str
    scope: str
    file: str | None
    fingerprint: str | None
    reason: str
    until: date | None
    owner: str | None
    reference: str | None
    evidence: str | None

    def problem(self, today: date) -> str | None:
        """Return why it clears nothing, or None if it holds."""
        return problem_of(self.reason, self.until, today)


def problem_of(reason: str, until: date | None, today: date) -> str | None:
    """Return why an entry or directive does not hold, or None if it does."""
    if not reason.strip():
        return "gives no reason and is not obeyed; add one"
    if until is not None and until < today:
        return f"expired on {until.isoformat()} and is not obeyed; review it, or delete it"
    return None


@dataclass(frozen=True)
class ClearedWording:
    """The entries of one file.

    Attributes
    ----------
    path : Path
    entries : tuple of Entry
    """

    path: Path
    entries: tuple[Entry, ...]

    def name_of(self, file: Path) -> str | None:
        """Return how entries name a file, or None if it lies outside the folder."""
        return _name_in(self.path.parent, file)

    @cached_property
    def here(self) -> Mapping[tuple[str, str, str], Sequence[Entry]]:
        """The entries of scope "here", by file, name and fingerprint."""
        found: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            if entry.scope == "here":
                found.setdefault((entry.file or "", entry.name, entry.fingerprint or ""), []).append(entry)
        return found

    @cached_property
    def everywhere(self) -> Mapping[tuple[str, str], Sequence[Entry]]:
        """The entries of scope "everywhere", by name and folded text."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            if entry.scope == "everywhere":
                found.setdefault((entry.name, fold(entry.text)), []).append(entry)
        return found

    @cached_property
    def by_text(self) -> Mapping[tuple[str, str], Sequence[Entry]]:
        """All entries, by name and folded text."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries:
            found.setdefault((entry.name, fold(entry.text)), []).append(entry)
        return found

    @cached_property
    def _reviewed(self) -> dict[str, tuple[list[Entry], Wordings]]:
        by_name: dict[str, list[Entry]] = {}
        for entry in self.entries:
            if entry.reason != BASELINE_REASON:  # a baseline clears no wording: to be close to it says nothing
                by_name.setdefault(entry.name, []).append(entry)
        return {name: (entries, Wordings([entry.text for entry in entries])) for name, entries in by_name.items()}

    def nearest(self, name: str, text: str) -> tuple[Entry, float] | None:
        """Return the reviewed entry of that name whose wording is nearest, and its similarity, or None."""
        if name not in self._reviewed:
            return None
        entries, wordings = self._reviewed[name]
        found = wordings.nearest(text)
        return None if found is None else (entries[found[0]], found[1])


def _name_in(folder: Path, file: Path) -> str | None:
    try:
        # As reports name it: a name that is no UTF-8 cannot be written.
        return replace_unencodable(absolute(file).relative_to(absolute(folder)).as_posix())
    except ValueError:
        return None


class ClearedFinder:
    """Finds the cleared file of each checked file, as a config is found; reads each once.

    Raises
    ------
    UsageError
        If a file is wrong; from `cleared_for`.
    """

    def __init__(self) -> None:
        self._found: dict[Path, ClearedWording | None] = {}
        self._read: dict[Path, ClearedWording] = {}

    def cleared_for(self, file: Path | None) -> ClearedWording | None:
        """Return what is cleared for a file; for standard input (None) what the working folder has."""
        folder = absolute(file).parent if file is not None else Path.cwd()
        if folder not in self._found:
            place = find_upwards(folder, lambda place: is_file(place / CLEARED_NAME))
            if place is not None and place not in self._read:
                shown = place / CLEARED_NAME
                self._read[place] = read_cleared(shown.relative_to(Path.cwd()) if place == Path.cwd() else shown)
            self._found[folder] = self._read[place] if place is not None else None
        return self._found[folder]


# --- reading ------------------------------------------------------------------------------------------------------

_HEADER = re.compile(r"[ \t]*\[\[[ \t]*cleared[ \t]*\]\]")


def read_cleared(path: Path) -> ClearedWording:
    """Read a file of cleared wording.

    Raises
    ------
    UsageError
        If it cannot be read, is not TOML, or breaks the format; the message names file, entry and key.
    """
    what = "cleared wording"
    table = read_toml(path, what=what, most_bytes=_MOST_BYTES)
    for key in table:
        if key != "cleared":
            raise UsageError(f"{what} {path} has the unknown key {key[:60]!r}; it holds [[cleared]] entries alone")
    rows = table.get("cleared", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{what} {path}: cleared must be a list of tables; begin each with [[cleared]]")
    lines = [n for n, line in enumerate(path.read_text("utf-8-sig").split("\n"), start=1) if _HEADER.match(line)]
    places = [f"{path}:{line}" for line in lines]
    if len(places) != len(rows):  # written as inline tables, or with the header in a text
        places = [f"{path}, entry {n}" for n in range(1, len(rows) + 1)]
    return ClearedWording(path, tuple(_entry(row, where) for row, where in zip(rows, places, strict=True)))


def _entry(row: Mapping[str, Any], where: str) -> Entry:
    for key, value in row.items():
        if key not in _KEYS:
            raise UsageError(f"{where} has the unknown key {key[:60]!r}; known are {', '.join(_KEYS)}")
        if key != "until" and not isinstance(value, str):
            raise UsageError(f"{where}: {key} must be a text in quotation marks")
    name = _name(row, where)
    scope = row.get("scope", "here")
    if scope not in SCOPES:
        raise UsageError(f"{where}: scope must be here or everywhere")
    needed = ("text", "file", "fingerprint") if scope == "here" else ("text",)
    for key in needed:
        if not row.get(key, "").strip():
            raise UsageError(f"{where}: scope {scope} needs {key}; mdclaims baseline writes whole entries")
    until = row.get("until")
    if isinstance(until, str):
        until = parse_date(until)
    if "until" in row and (not isinstance(until, date) or isinstance(until, datetime)):
        raise UsageError(f"{where}: until must be a date such as 2027-01-31")
    return Entry(
        where=where,
        name=name,
        text=row["text"],
        scope=scope,
        file=row["file"].strip() if scope == "here" else None,
        fingerprint=row["fingerprint"].strip() if scope == "here" else None,
        reason=" ".join(row.get("reason", "").split()),
        until=until,
        owner=row.get("owner") or None,
        reference=row.get("reference") or None,
        evidence=row.get("evidence") or None,
    )


def _name(row: Mapping[str, Any], where: str) -> str:
    """Return what the findings that an entry clears are called: by its label, or by its rule."""
    if "rule" not in row:
        if row.get("label") not in LABELS:
            raise UsageError(f"{where}: label must be one of {', '.join(LABELS)}")
        return str(row["label"])
    if "label" in row:
        raise UsageError(f"{where} has a label and a rule; keep one: a label covers the rules that its findings touch")
    name = str(row["rule"])
    if name not in {rule.id for rule in rules() if not rule.needs_label}:
        raise UsageError(f"{where}: rule must be the id of a rule that needs no label, not {name[:60]!r}")
    return name


def parse_date(text: str) -> date | None:
    """Return the date that a text such as "2027-01-31" means, or None if it means none."""
    try:
        return date.fromisoformat(text.strip()) if re.fullmatch(r"\s*\d{4}-\d\d-\d\d\s*", text) else None
    except ValueError:
        return None


# --- writing ------------------------------------------------------------------------------------------------------

_HEAD = f"""\
# Cleared wording: mdclaims check does not count these findings. See docs/suppressions.md of mdclaims.
# "{BASELINE_REASON}" only says that a finding was there already: give a reason of your own once it is reviewed.
"""


def baseline(results: Sequence[PageResult], path: Path) -> tuple[str, int]:
    """Return the text of a cleared file with an entry for each finding that is not suppressed, and their number.

    What stands in the file already is kept as it is; the new entries follow it.

    Parameters
    ----------
    results : sequence of PageResult
        Of files; their sources are paths.
    path : Path
        Where the text is going to be written.

    Raises
    ------
    UsageError
        If the file there is no file of cleared wording, or a page lies outside its folder.
    """
    known: set[tuple[str | None, str, str | None]] = set()
    text = _HEAD
    if is_file(path):
        known = {(entry.file, entry.name, entry.fingerprint) for entry in read_cleared(path).entries}
        text = path.read_text("utf-8-sig").rstrip("\n") + "\n"
    count = 0
    for result in results:
        name = _name_in(path.parent, Path(result.page.source))
        if name is None:
            raise UsageError(
                f"{result.page.source} lies outside {path.parent}, the folder that {path} serves; "
                "write the file into a folder above both"
            )
        for finding in result.findings:
            if finding.suppressed is not None or (name, finding.name, finding.fingerprint) in known:
                continue
            count += 1
            text += "\n[[cleared]]\n" + "".join(
                f"{key} = {_toml_text(value)}\n"
                for key, value in (
                    ("rule" if finding.label is None else "label", finding.name),
                    ("text", " ".join(result.sentences[finding.sentence].sentence.text.split())),
                    ("file", name),
                    ("fingerprint", finding.fingerprint),
                    ("reason", BASELINE_REASON),
                )
            )
    return text, count


def _toml_text(value: str) -> str:
    """Return a TOML basic string: JSON's escapes are TOML's, which also wants DEL escaped."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
