"""Reads pages of a case again for sentences with what stands around them, which the case's tables do not hold.

The pages are read by workers that are watched, since the case may come from anyone. A page counts only if it is still
what the case describes: its bytes, the number of its sentences, and each of them that the case kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdclaims.cases.batch import Task
from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.engine import Key, PageLimits, ProcessEngine, Progress, Tell, Work
from mdclaims.cases.originals import Originals, UncheckableError, find_input
from mdclaims.cases.store import Part
from mdclaims.errors import ReadError, UsageError
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence, SentenceInput, page_inputs

_PAGES_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """Sentences of a page that are asked for.

    Attributes
    ----------
    row : dict
        Of the view `pages`.
    numbers : tuple of int
        Which sentences.
    kept : tuple of (int, str)
        Number and text of all that the case kept of the page.
    """

    row: Mapping[str, Any]
    numbers: tuple[int, ...]
    kept: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class InContext:
    """A sentence as a reader of the page meets it.

    Attributes
    ----------
    entry : SentenceInput
        What the model saw of it: its text, its neighbours, the nearest heading.
    headings : tuple of str
        All above it, from the highest.
    level : int or None
        1 to 6 for headings.
    hidden : bool
        It is present and not shown at first.
    """

    entry: SentenceInput
    headings: tuple[str, ...]
    level: int | None
    hidden: bool


@dataclass(frozen=True, slots=True)
class _PagesRead(Part):
    found: tuple[tuple[str, tuple[tuple[int, InContext], ...]], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Begin:
    """Loads what pages are read with; called in each worker, so that it must be picklable."""

    originals: Originals
    wanted: tuple[tuple[Wanted, ...], ...]

    def __call__(self) -> Work:
        shared_pipeline()  # loaded before a page is timed
        return _Reader(self).work


class _Reader:
    """Reads the pages of a task."""

    def __init__(self, begin: _Begin) -> None:
        self._begin = begin

    def work(self, task: Task, progress: Progress, tell: Tell) -> bool:
        """Read the pages of a task."""
        failed = {culprit.place: culprit.reason for culprit in progress.culprits}
        found = []
        unread = []
        wanted = self._begin.wanted[task.number]
        for n, page in enumerate(wanted):
            place: Key = (n, 0)
            name = str(page.row["page"])
            if place in failed:
                unread.append((name, failed[place]))
                continue
            tell.reading(place, str(page.row["address"] or page.row["file"]))
            try:
                found.append((name, tuple(self._read(page))))
            except (ReadError, UsageError, UncheckableError) as error:
                unread.append((name, str(error)))
            except Exception as error:  # noqa: BLE001 (whatever one page does, the others are read)
                unread.append((name, f"cannot be read ({type(error).__name__})"))
        count = len(wanted)
        tell.finished(_PagesRead(task.number, 0, (count, 0), count, count, 0, {}, tuple(found), tuple(unread)))
        return True

    def _read(self, page: Wanted) -> Iterable[tuple[int, InContext]]:
        read = self._begin.originals.reread(page.row, page.row["evidence_offset"])
        sentences = read.sentences
        if read.wrong or not _is_same(page, sentences):
            reason = read.wrong[0] if read.wrong else "this version divides it into other sentences"
            raise ReadError(f"is not what the case describes ({reason}); run mdclaims verify")
        inputs = page_inputs(sentences)
        for number in page.numbers:
            block = sentences[number].block
            yield number, InContext(inputs[number], tuple(block.heading_path), block.level, block.hidden)


def _is_same(page: Wanted, sentences: Sequence[Sentence]) -> bool:
    """True if a page has the sentences that the case says it had."""
    return len(sentences) == page.row["sentences"] and all(
        0 <= number < len(sentences) and sentences[number].text == text for number, text in page.kept
    )


class ContextReader:
    """Reads sentences of a case with what stands around them.

    Parameters
    ----------
    case : OpenCase
    folders : sequence of Path
        Where to look for the inputs, for pages whose records are not in the case.
    workers : int
    limits : PageLimits
        What one page may take.
    """

    def __init__(self, case: OpenCase, folders: Sequence[Path], *, workers: int, limits: PageLimits) -> None:
        self._case = case
        self._workers = workers
        self._limits = limits
        # Pages without findings have no copy in the evidence: theirs is the input.
        self._originals = Originals.of_case(case.folder, case.manifest, folders, evidence=False)

    def covered(self) -> None:
        """Make the table ``covered`` in the case's connection: the pages that were judged and are at hand.

        Its columns are those of the view `pages`, in the order of the pages.
        """
        connection = self._case.connection
        names = connection.execute(
            f"SELECT DISTINCT file FROM pages WHERE {JUDGED} AND evidence_offset IS NULL"  # noqa: S608 (no user text)
        ).fetchall()
        known = self._originals.names
        here = [
            name
            for (name,) in names
            if name in known and find_input(self._case.folder, self._originals.folders, name) is not None
        ]
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE covered AS SELECT * FROM pages WHERE {JUDGED} "  # noqa: S608 (no user text)
            "AND (evidence_offset IS NOT NULL OR file IN (SELECT unnest(?::VARCHAR[])))",
            [here],
        )

    def read(self, numbers: Mapping[str, Sequence[int]]) -> tuple[dict[tuple[str, int], InContext], dict[str, str]]:
        """Read sentences of covered pages.

        Parameters
        ----------
        numbers : mapping of str to sequence of int
            Which sentences of which pages.

        Returns
        -------
        found : dict
            By page and number.
        unread : dict of str to str
            Pages that could not be read as the case describes them, each with the reason.
        """
        pages = list(self._wanted(numbers))
        batches = tuple(tuple(pages[n : n + _PAGES_AT_ONCE]) for n in range(0, len(pages), _PAGES_AT_ONCE))
        found: dict[tuple[str, int], InContext] = {}
        unread: dict[str, str] = {}

        def take(part: Part) -> None:
            if isinstance(part, _PagesRead):
                found.update(((page, number), entry) for page, entries in part.found for number, entry in entries)
                unread.update(part.unread)

        begin: Callable[[], Work] = _Begin(self._originals, batches)
        tasks = [Task(n, len(batch)) for n, batch in enumerate(batches)]
        workers = max(1, min(self._workers, len(tasks)))
        ProcessEngine(begin, workers=workers, limits=self._limits, on_part=take, on_done=lambda _: None).run(tasks, {})
        return found, unread

    def _wanted(self, numbers: Mapping[str, Sequence[int]]) -> Iterable[Wanted]:
        connection = self._case.connection
        names = list(numbers)
        asked = connection.execute(
            "SELECT * FROM covered WHERE page IN (SELECT unnest(?::VARCHAR[])) ORDER BY page", [names]
        )
        columns = [column[0] for column in asked.description]
        rows = [dict(zip(columns, row, strict=True)) for row in asked.fetchall()]
        kept: dict[str, list[tuple[int, str]]] = {}
        for page, number, text in connection.execute(
            "SELECT page, sentence, text FROM sentences WHERE page IN (SELECT unnest(?::VARCHAR[]))", [names]
        ).fetchall():
            kept.setdefault(page, []).append((number, text))
        for row in rows:
            yield Wanted(row, tuple(numbers[row["page"]]), tuple(kept.get(row["page"], ())))


JUDGED = "outcome IN ('read', 'script_written') AND sentences > 0"
"""In SQL, the pages whose sentences were judged."""
