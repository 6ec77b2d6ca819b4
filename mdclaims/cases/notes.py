"""Notes that the workers of a cluster keep beside the case: how far each task is, and what a worker died of.

On a cluster nobody stands beside a worker and hears it die. So what must outlive it is written to the case: a file for
each task, which whoever takes the task over reads first. While all goes well it is written once for each part. A task
whose worker has died goes on carefully: each item is noted before it is touched, so that the next death has a culprit.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from mdclaims.cases.engine import TRIES, Culprit, EngineError, Key, Progress
from mdclaims.cases.store import Part, part_of, write_file

NOTES = "notes"
"""The folder of notes in a case that is on its way."""

_BARREN = 3


@dataclass(frozen=True, slots=True)
class Note:
    """What is known of a task.

    Attributes
    ----------
    parts : tuple of Part
        What this run has finished of it.
    running : bool
        True from when a worker takes it until the worker says how it ended; found by the next one, it means a death.
    careful : bool
        Each item is noted before it is read.
    at : (Key, str) or None
        The item that is read, with its address, where that is noted.
    why : str or None
        Why the worker ended itself.
    deaths : dict of Key to int
        How many workers an item has cost.
    culprits : tuple of Culprit
        Items that cost too many.
    barren : int
        Deaths in a row before anything was read.
    """

    parts: tuple[Part, ...] = ()
    running: bool = False
    careful: bool = False
    at: tuple[Key, str] | None = None
    why: str | None = None
    deaths: Mapping[Key, int] = field(default_factory=dict)
    culprits: tuple[Culprit, ...] = ()
    barren: int = 0

    def progress(self, last: Part | None) -> Progress:
        """Return where to go on; `last` is what was finished before this run."""
        return Progress(self.parts[-1] if self.parts else last, self.culprits, self.careful)

    def taken(self) -> Note:
        """Return the note of a worker that takes the task, and count the death of the one before.

        Raises
        ------
        EngineError
            If workers die before they read anything.
        """
        if not self.running:
            return replace(self, running=True, careful=False, at=None, why=None)
        taken = replace(self, careful=True, at=None, why=None)
        if self.at is None:
            if self.careful and self.barren + 1 >= _BARREN:
                raise EngineError(f"a worker ended before it read anything, {_BARREN} times; see its log")
            return replace(taken, barren=self.barren + self.careful)
        place, address = self.at
        deaths = {**self.deaths, place: self.deaths.get(place, 0) + 1}
        if deaths[place] < TRIES:
            return replace(taken, deaths=deaths)
        reason = f"{self.why or 'its worker ended'}; tried {TRIES} times"
        return replace(taken, deaths=deaths, culprits=(*self.culprits, Culprit(place, address, reason)))


def write_note(folder: Path, task: int, note: Note) -> None:
    """Write the note of a task, whole or not at all."""
    content = {**asdict(note), "deaths": [*note.deaths.items()]}
    write_file(folder / f"{task:06d}.json", json.dumps(content, ensure_ascii=False).encode())


def read_note(folder: Path, task: int) -> Note:
    """Return the note of a task, an empty one if nobody has taken it."""
    path = folder / f"{task:06d}.json"
    return _note(path) if path.exists() else Note()


def _note(path: Path) -> Note:
    row = json.loads(path.read_text(encoding="utf-8"))
    return Note(
        parts=tuple(part_of(part) for part in row["parts"]),
        running=row["running"],
        careful=row["careful"],
        at=(_key(row["at"][0]), row["at"][1]) if row["at"] else None,
        why=row["why"],
        deaths={_key(place): number for place, number in row["deaths"]},
        culprits=tuple(Culprit(_key(one["place"]), one["address"], one["reason"]) for one in row["culprits"]),
        barren=row["barren"],
    )


def _key(place: Sequence[int]) -> Key:
    first, second = place
    return first, second


def noted_parts(case: Path, known: Sequence[Part]) -> Iterator[Part]:
    """Yield the parts that earlier runs on a cluster finished and could not hand over.

    Parameters
    ----------
    case : Path
    known : sequence of Part
        What the journal has. Parts count only where they go on from these: two runs that ended pages at different
        places are not mixed.
    """
    found = {(part.task, part.number): part for part in known}
    for path in sorted((case / NOTES).glob("*/*.json")):
        for part in _note(path).parts:
            key = part.task, part.number
            if key in found and found[key] != part:
                break
            if key not in found:
                if part.number and (part.task, part.number - 1) not in found:
                    break
                found[key] = part
                yield part


def remove_notes(case: Path) -> None:
    """Remove the notes of a case that is finished."""
    shutil.rmtree(case / NOTES, ignore_errors=True)
