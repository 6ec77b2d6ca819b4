"""Looks in the whole text of pages for sentences that a case's tables do not hold.

A case keeps the sentences with a score of at least 0.05. So before a claim is called gone, the page is read again from
the evidence or the inputs, by workers that are watched, since the case may come from anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mdclaims.cases.batch import Task
from mdclaims.cases.engine import Key, PageLimits, ProcessEngine, Progress, Tell, Work
from mdclaims.cases.recheck import BeginCheck, Here, PageReader, Reread, UncheckableError
from mdclaims.cases.store import Part
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.changes import comparable

PAGES_AT_ONCE = 200
"""Pages of one task."""


@dataclass(frozen=True, slots=True)
class PagesLooked(Part):
    """What came of a task.

    Attributes
    ----------
    stand : tuple of (str, str)
        Page, and a wanted sentence that stands there.
    unread : tuple of (str, str)
        Page, and why it could not be read again.
    """

    stand: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BeginLookup:
    """Loads what pages are read with; called in each worker, so that it must be picklable.

    Attributes
    ----------
    check : BeginCheck
    wanted : Path
        A table with the columns of `pages`, ``record`` (where it begins in the evidence), ``task``, and ``texts``:
        the sentences to look for.
    anywhere : bool
        A sentence stands where its words do, whatever sentence they are part of: for pages that another version divided
        into sentences.
    """

    check: BeginCheck
    wanted: Path
    anywhere: bool

    def __call__(self) -> Work:
        """Return what looks through the pages of a task."""
        # Two screenings of one folder have inputs of one name in two places: the one that agrees is taken.
        folders = self.check.folders or (Path(),)
        return _Looker(self, [PageReader(replace(self.check, folders=(folder,))) for folder in folders]).work


class _Looker:
    """Looks through pages, one task after another."""

    def __init__(self, begin: BeginLookup, readers: Sequence[PageReader]) -> None:
        self._begin = begin
        self._readers = readers

    def work(self, task: Task, progress: Progress, tell: Tell) -> bool:
        """Look through the pages of a task."""
        failed = {culprit.place: culprit.reason for culprit in progress.culprits}
        stand: list[tuple[str, str]] = []
        unread: list[tuple[str, str]] = []
        rows = pq.read_table(self._begin.wanted, filters=[("task", "=", task.number)]).to_pylist()
        for n, row in enumerate(rows):
            place: Key = (n, 0)
            if place in failed:
                unread.append((row["page"], failed[place]))
                continue
            tell.reading(place, str(row["address"] or row["file"]))
            try:
                stand += [(row["page"], text) for text in self._standing(row)]
            except (ReadError, UsageError, UncheckableError) as error:
                unread.append((row["page"], str(error)))
            except Exception as error:  # noqa: BLE001 (whatever one page does, the others are read)
                unread.append((row["page"], f"cannot be read ({type(error).__name__})"))
        pages = len(rows)
        tell.finished(PagesLooked(task.number, 0, (pages, 0), pages, pages, 0, {}, tuple(stand), tuple(unread)))
        return True

    def _standing(self, row: Mapping[str, Any]) -> list[str]:
        """Return the wanted sentences that stand on a page."""
        found = self._read(row)
        if self._begin.anywhere:
            whole = f" {comparable(found.page.text)} "
            return [text for text in row["texts"] if f" {comparable(text)} " in whole]
        there = {comparable(sentence.text) for sentence in found.sentences}
        return [text for text in row["texts"] if comparable(text) in there]

    def _read(self, row: Mapping[str, Any]) -> Reread:
        """Read a page from the first place that has what the case describes."""
        problem: Exception = UncheckableError("it is not there")
        for reader in self._readers:
            try:
                found = reader.read(row, row["record"])
            except (ReadError, UncheckableError) as error:
                problem = error
                continue
            if not found.wrong:
                return found
            problem = ReadError(f"it is not what the case describes ({found.wrong[0]})")
        raise problem


def look(
    begin: BeginLookup,
    pages: Sequence[int],
    *,
    workers: int,
    limits: PageLimits,
    on_part: Callable[[PagesLooked], None],
) -> None:
    """Look through pages.

    Parameters
    ----------
    begin : BeginLookup
    pages : sequence of int
        How many each task has.
    workers : int
        0 reads in this process, which is quicker for a few pages; only for cases of one's own.
    limits : PageLimits
        What one page may take.
    on_part : callable
        Told what came of each task.
    """

    def take(part: Part) -> None:
        if isinstance(part, PagesLooked):
            on_part(part)

    tasks = [Task(n, size) for n, size in enumerate(pages)]
    if not workers:
        work = begin()
        for task in tasks:
            work(task, Progress(), Here(take))
        return
    ProcessEngine(begin, workers=workers, limits=limits, on_part=take, on_done=lambda _: None).run(tasks, {})
