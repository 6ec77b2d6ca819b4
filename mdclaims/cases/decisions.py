"""What people decided about the exhibits of a case: an append-only log, each line with the hash of the line before.

A line is on the disk before anybody is told that it is saved. A last line that was cut (a crash while it was written)
was confirmed to nobody and counts for nothing; the next decision takes its place. docs/decisions.md tells users the
format.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from io import FileIO
from itertools import combinations
from pathlib import Path
from sys import intern
from typing import Any, BinaryIO

from mdclaims.cases.manifest import MOST_BYTES, is_inside
from mdclaims.cases.store import DECISIONS, CaseError, hold, sync_folder
from mdclaims.errors import ReadError, UsageError

STATES = ("open", "upheld", "dismissed", "referred", "fixed")
"""What a decision can be; `open` takes the one before back."""

FIRST = "0" * 64
"""What the first line has for the hash of the line before."""

_ID = re.compile(r"[0-9a-f]{16}")
_LONGEST_NAME = 200
_LONGEST_REASON = 20_000
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Covered:
    """An exhibit that a decision is about: what it takes to show the decision without the case, and to carry it over.

    Attributes
    ----------
    exhibit : str
        Its id.
    site, address : str
    label, rule : str or None
        What was found; the rule only where it needs no label.
    fingerprint : str
    quote : str
    """

    exhibit: str
    site: str
    address: str
    label: str | None
    rule: str | None
    fingerprint: str
    quote: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a decision comes from that was made in an earlier case.

    Attributes
    ----------
    case : str
        Name of its folder.
    manifest : str
        SHA-256 of its manifest.
    line : str
        SHA-256 of the line of its log.
    time, decision : str
        When it was made there, and what it was.
    why : str or None
        Why the exhibit is open again: "reworded", "moved" or "still there"; None if the decision was carried over.
    quote : str
        The words that it was about.
    """

    case: str
    manifest: str
    line: str
    time: str
    decision: str
    why: str | None
    quote: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision to be written.

    Attributes
    ----------
    reviewer : str
    decision : str
        One of `STATES`.
    covers : tuple of Covered
        The exhibits that it is about, at least one.
    reason : str
    provision : str or None
        Id of a rule.
    overrules : bool
        The reviewer knows that another decided otherwise.
    origin : Origin or None
    """

    reviewer: str
    decision: str
    covers: tuple[Covered, ...]
    reason: str = ""
    provision: str | None = None
    overrules: bool = False
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision that was made.

    Attributes
    ----------
    time : datetime
        UTC.
    reviewer, decision, reason : str
    provision : str or None
    exhibits : tuple of str
        Ids of the exhibits that it covers.
    overrules : bool
    origin : Origin or None
    number : int
        Of its line in the log, from 1.
    offset, size : int
        Place of the line in the file, in bytes, its line end left out.
    """

    time: datetime
    reviewer: str
    decision: str
    reason: str
    provision: str | None
    exhibits: tuple[str, ...]
    overrules: bool
    origin: Origin | None
    number: int
    offset: int
    size: int


def differ(one: Decision | Draft, other: Decision | Draft) -> bool:
    """Return whether two reviewers do not agree: other decisions, or other provisions."""
    if one.decision != other.decision:
        return True
    return one.provision is not None and other.provision is not None and one.provision != other.provision


class Decisions:
    """The decisions of a case, as the log had them when it was last read.

    In memory it keeps some 500 bytes for a decision; what the exhibits say stays on the disk (`covers`).

    Attributes
    ----------
    path : Path
        The log, which need not be there.
    count : int
        How many lines it has.
    head : str
        SHA-256 of its last line: `FIRST` if there is none.
    end : int
        Where the last whole line ends, in bytes.
    torn : int
        How many bytes follow that are no whole line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.head = FIRST
        self.end = 0
        self.torn = 0
        self._by_exhibit: dict[str, Decision | tuple[Decision, ...]] = {}

    def of(self, exhibit: str) -> Decision | None:
        """Return the last word on an exhibit that stands; None while it is open."""
        standing = self.words(exhibit)
        return max(standing.values(), key=lambda decision: decision.number, default=None)

    def history(self, exhibit: str) -> tuple[Decision, ...]:
        """Return all that was decided about an exhibit, the oldest first."""
        found = self._by_exhibit.get(exhibit, ())
        return found if isinstance(found, tuple) else (found,)

    def exhibits(self) -> Iterator[str]:
        """Yield the ids of the exhibits that anything was ever decided about."""
        yield from self._by_exhibit

    def words(self, exhibit: str) -> dict[str, Decision]:
        """Return the last word of each reviewer that stands.

        A reviewer's `open` takes back what that reviewer decided, and with it what that overruled; one that overrules
        takes back everybody's.
        """
        kept: list[Decision] = []
        for decision in self.history(exhibit):
            if decision.decision != "open":
                kept.append(decision)
            else:
                mine = decision.reviewer
                kept = [] if decision.overrules else [entry for entry in kept if entry.reviewer != mine]
        standing: dict[str, Decision] = {}
        for decision in kept:
            if decision.overrules:
                standing.clear()
            standing[decision.reviewer] = decision
        return standing

    def conflicts(self) -> dict[str, tuple[Decision, ...]]:
        """Return the exhibits on which the words of reviewers differ and none overrules the others."""
        found = {}
        for exhibit, history in self._by_exhibit.items():
            if isinstance(history, tuple):
                standing = self.words(exhibit)
                if any(differ(one, other) for one, other in combinations(standing.values(), 2)):
                    found[exhibit] = tuple(standing.values())
        return found

    def covers(self, decision: Decision) -> tuple[Covered, ...]:
        """Return what the log keeps of the exhibits of a decision.

        Raises
        ------
        ReadError
            If the log cannot be read.
        """
        try:
            with self.path.open("rb") as stream:
                return _covers(json.loads(_line_at(stream, decision)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReadError(
                f"{self.path}, line {decision.number} cannot be read ({error}); get the case again"
            ) from error

    def line_sha256(self, decision: Decision) -> str:
        """Return the SHA-256 of a decision's line."""
        with self.path.open("rb") as stream:
            return hashlib.sha256(_line_at(stream, decision)).hexdigest()

    def refresh(self) -> list[Decision]:
        """Read what was added to the log since it was last read, and return it.

        Raises
        ------
        ReadError
            If the log cannot be read, or its lines do not follow on each other.
        """
        if not os.path.lexists(self.path):
            if self.count:
                raise ReadError(f"{self.path} is gone; its {self.count:,} decisions were read before")
            return []
        if not is_inside(self.path.parent, self.path.name):
            raise ReadError(f"{self.path} is no file, or a link that leads elsewhere; not read")
        try:
            with self.path.open("rb") as stream:
                return list(self._read(stream))
        except OSError as error:
            raise ReadError(f"{self.path} cannot be read ({error.strerror}); check its permissions") from error

    def _read(self, stream: BinaryIO) -> Iterator[Decision]:
        stream.seek(self.end)
        self.torn = 0
        while line := stream.readline(MOST_BYTES):
            if not line.endswith(b"\n"):
                self.torn = os.fstat(stream.fileno()).st_size - self.end
                if len(line) >= MOST_BYTES:
                    raise ReadError(
                        f"{self.path}, line {self.count + 1} is longer than any decision; get the case again"
                    )
                return
            yield self._take(line[:-1])

    def _take(self, line: bytes) -> Decision:
        """Take in the next line of the log."""
        where = f"{self.path}, line {self.count + 1}"
        try:
            row = json.loads(line)
            if row["previous"] != self.head:
                raise ReadError(
                    f"{where} does not follow on the line before: one of them was changed, or lines were taken out; "
                    "get the log again from a copy"
                )
            decision = _decision(row, self.count + 1, self.end, len(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise ReadError(f"{where} is no decision ({reason}); get the log again from a copy") from error
        self.count += 1
        self.end += len(line) + 1
        self.head = hashlib.sha256(line).hexdigest()
        for exhibit in decision.exhibits:
            before = self._by_exhibit.get(exhibit)
            if before is None:
                self._by_exhibit[exhibit] = decision
            else:
                self._by_exhibit[exhibit] = (*(before if isinstance(before, tuple) else (before,)), decision)
        return decision


def read_decisions(case: Path) -> Decisions:
    """Read the decisions of a case and check that each line follows on the one before.

    Raises
    ------
    ReadError
        If the log cannot be read, or its lines do not follow on each other.
    """
    decisions = Decisions(case / DECISIONS)
    decisions.refresh()
    return decisions


def torn_line(decisions: Decisions) -> str:
    """Say that the last line was cut."""
    return (
        f"its last {decisions.torn:,} bytes are a line that was cut while it was written; it was confirmed to nobody, "
        "counts for nothing, and the next decision takes its place"
    )


def append(case: Path, drafts: Iterable[Draft], seen: Decisions | None = None) -> list[Decision]:
    """Write decisions into the log of a case; when this returns they are on the disk.

    Parameters
    ----------
    case : Path
    drafts : iterable of Draft
        Read while it is written; the log is as it was if that fails.
    seen : Decisions or None
        What the reviewer had seen; it is brought up to date. None reads the log.

    Returns
    -------
    list of Decision

    Raises
    ------
    CaseError
        If another reviewer decided about one of the exhibits since `seen` was read, or the log cannot be written; none
        of the decisions is written then.
    ReadError
        If the log is damaged.
    UsageError
        If a decision is none that can be written.
    """
    known = Decisions(case / DECISIONS) if seen is None else seen
    try:
        with _log(known.path) as stream:
            hold(stream, wait=True)
            added = known.refresh()
            others = {} if seen is None else {exhibit: entry for entry in added for exhibit in entry.exhibits}
            stream.truncate(known.end)
            try:
                _write(stream, drafts, known.head, others)
            except BaseException:
                stream.truncate(known.end)
                raise
            sync_folder(case)
            return known.refresh()
    except OSError as error:
        raise CaseError(
            f"{known.path} cannot be written ({error.strerror or error}); make room or mend it, and decide again"
        ) from error


def _log(path: Path) -> FileIO:
    """Open the log to be written at its end; a link is not followed."""
    if os.path.lexists(path) and not is_inside(path.parent, path.name):
        raise ReadError(f"{path} is no file, or a link that leads elsewhere; not written")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    # Unbuffered: what could not be written must not be written again when the file is closed.
    return FileIO(os.open(path, flags, 0o666), "r+")


def _write(stream: FileIO, drafts: Iterable[Draft], head: str, others: Mapping[str, Decision]) -> None:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    block = bytearray()
    for draft in drafts:
        check_draft(draft)
        _check_unseen(draft, others)
        line = _line(draft, time, head)
        head = hashlib.sha256(line).hexdigest()
        block += line + b"\n"
        if len(block) >= _BLOCK:
            _write_whole(stream, block)
            block.clear()
    _write_whole(stream, block)
    os.fsync(stream.fileno())


def _write_whole(stream: FileIO, data: bytes | bytearray) -> None:
    left = bytes(data)
    while left:
        left = left[stream.write(left) :]


def _check_unseen(draft: Draft, others: Mapping[str, Decision]) -> None:
    """Refuse a decision about what another reviewer decided in the meantime."""
    for covered in draft.covers:
        other = others.get(covered.exhibit)
        if other is not None and other.reviewer != draft.reviewer:
            raise CaseError(
                f"exhibit {covered.exhibit} was {said(other.decision)} by {other.reviewer} in the meantime; "
                "nothing was written: look at it and decide again"
            )


def said(decision: str) -> str:
    """Return a decision as part of a sentence: "was upheld", "was opened again"."""
    return "opened again" if decision == "open" else decision


# --- lines ---------------------------------------------------------------------------------------------------------


def check_draft(draft: Draft) -> None:
    """See that a decision can be written.

    Raises
    ------
    UsageError
        If not.
    """
    check_reviewer(draft.reviewer)
    if draft.decision not in STATES:
        raise UsageError(f"{draft.decision!r} is no decision; choose {', '.join(STATES)}")
    if len(draft.reason) > _LONGEST_REASON:
        raise UsageError(f"a reason has at most {_LONGEST_REASON:,} characters, not {len(draft.reason):,}")
    if not draft.covers or any(not _ID.fullmatch(covered.exhibit) for covered in draft.covers):
        raise UsageError("a decision covers at least one exhibit, named by the 16 hex digits of its id")


def check_reviewer(name: str) -> None:
    """See that a reviewer's name can stand in the log.

    Raises
    ------
    UsageError
        If it is empty, very long, or more than one line.
    """
    if not name.strip() or name != name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(f"a reviewer's name is one line of 1 to {_LONGEST_NAME} characters, not {name[:60]!r}")


def _line(draft: Draft, time: str, previous: str) -> bytes:
    row = {
        "time": time,
        "reviewer": draft.reviewer,
        "decision": draft.decision,
        "reason": draft.reason,
        "provision": draft.provision,
        "exhibits": [covered.exhibit for covered in draft.covers],
        "about": [_about(covered) for covered in draft.covers],
        "overrules": draft.overrules,
        "origin": asdict(draft.origin) if draft.origin else None,
        "previous": previous,
    }
    # A lone surrogate cannot be written as UTF-8; pages hold none, but a form or a sheet might.
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace")


def _about(covered: Covered) -> dict[str, str | None]:
    return {name: value for name, value in asdict(covered).items() if name != "exhibit"}


def _covers(row: Mapping[str, Any]) -> tuple[Covered, ...]:
    pairs = zip(row["exhibits"], row["about"], strict=True)
    return tuple(Covered(exhibit=exhibit, **about) for exhibit, about in pairs)


def _line_at(stream: BinaryIO, decision: Decision) -> bytes:
    stream.seek(decision.offset)
    return stream.read(decision.size)


_TEXTS = ("time", "reviewer", "decision", "reason")
_ORIGIN = {entry.name for entry in fields(Origin)}


def _decision(row: dict[str, Any], number: int, offset: int, size: int) -> Decision:
    """Return a decision that was read; every line is checked, for the case may come from anyone."""
    if any(not isinstance(row[name], str) for name in _TEXTS) or not isinstance(row["provision"], str | None):
        raise TypeError("a text is none")
    if row["decision"] not in STATES:
        raise ValueError(f"{row['decision'][:40]!r} is no decision")
    covers = _covers(row)
    for covered in covers:
        values: dict[str, Any] = asdict(covered)
        texts = [value for name, value in values.items() if name not in {"label", "rule"} or value is not None]
        if not all(isinstance(text, str) for text in texts) or not _ID.fullmatch(covered.exhibit):
            raise ValueError("what it says of an exhibit is not what mdclaims writes")
    if not covers:
        raise ValueError("it covers nothing")
    time = datetime.fromisoformat(row["time"])
    if time.utcoffset() is None:
        raise ValueError("its time has no zone")
    return Decision(
        time=time.astimezone(UTC),
        reviewer=intern(row["reviewer"]),
        decision=intern(row["decision"]),
        reason=intern(row["reason"]),
        provision=intern(row["provision"]) if row["provision"] is not None else None,
        exhibits=tuple(covered.exhibit for covered in covers),
        overrules=row["overrules"] is True,
        origin=_origin(row["origin"]),
        number=number,
        offset=offset,
        size=size,
    )


def _origin(row: Mapping[str, Any] | None) -> Origin | None:
    if row is None:
        return None
    texts = {name: value for name, value in row.items() if name != "why" or value is not None}
    if set(row) != _ORIGIN or any(not isinstance(value, str) for value in texts.values()):
        raise ValueError("its origin is not what mdclaims writes")
    return Origin(**row)
