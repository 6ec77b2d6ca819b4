"""Draws a blind sample of a case: sentences with findings and sentences without, on a sheet that shows neither.

The population is every sentence of the pages that were judged and can be read again. Its strata have known sizes: the
sentences with findings (by the rarest label found, so that rare labels are in the sample), those that the case kept
without a finding, and those that scored below what it keeps, which are read again from evidence and inputs. What
was drawn, and how, is kept in the case under its own SHA-256; the sheet holds no score and no prediction.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mdclaims.cases.casefile import OpenCase, open_case
from mdclaims.cases.contexts import JUDGED, ContextReader, InContext
from mdclaims.cases.engine import PageLimits
from mdclaims.cases.measured import Draw, DrawnRow, draw_name
from mdclaims.cases.sheets import write_sheet
from mdclaims.cases.store import SAMPLES, write_file
from mdclaims.errors import ReadError, UsageError
from mdclaims.labels import LABELS
from mdclaims.model.survey import Stratum, allocate

MOST_SENTENCES = 20_000
"""The largest sample: more than people read."""

_KEPT, _REST = "kept without a finding", "scored below what is kept"
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How to draw.

    Attributes
    ----------
    size : int
        Sentences: half with findings, half without, as far as there are any.
    seed : int
        The same case, size and seed give the same sample.
    folders : tuple of Path
        Where to look for the inputs.
    workers : int
    limits : PageLimits

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    size: int = 200
    seed: int = 0
    folders: tuple[Path, ...] = (Path(),)
    workers: int = 1
    limits: PageLimits = field(default_factory=PageLimits)

    def __post_init__(self) -> None:
        if not 2 <= self.size <= MOST_SENTENCES:
            raise UsageError(f"--sample takes 2 to {MOST_SENTENCES:,} sentences, not {self.size:,}")
        if self.seed < 0:
            raise UsageError(f"--seed takes a whole number from 0, not {self.seed}")


def write_sample(folder: Path, output: Path, options: SampleOptions) -> Draw:
    """Draw a sample, keep the draw in the case and write the sheet.

    Parameters
    ----------
    folder : Path
        The case.
    output : Path
        The sheet (.xlsx); it must not exist.
    options : SampleOptions

    Raises
    ------
    UsageError
        If the sheet exists or cannot be written.
    ReadError
        If the folder is no finished case, or there is nothing to draw from.
    """
    if output.suffix.lower() != ".xlsx":
        raise UsageError(f"{output}: a sample is a spreadsheet; name a file that ends in .xlsx")
    if output.exists():
        raise UsageError(f"{output} is there already, perhaps with judgements in it; name another file")
    with open_case(folder) as case:
        drawn, contexts = _Drawing(case, options).draw()
    content = drawn.to_bytes()
    write_file(folder / SAMPLES / draw_name(content), content)
    sheet = io.BytesIO()
    write_sheet(sheet, draw_name(content).removesuffix(".json"), drawn.labels, contexts)
    write_file(output, sheet.getvalue())
    return drawn


class _Drawing:
    """Draws a sample from one case."""

    def __init__(self, case: OpenCase, options: SampleOptions) -> None:
        self._case = case
        self._connection = case.connection
        self._options = options
        self._reader = ContextReader(case, options.folders, workers=options.workers, limits=options.limits)
        told = case.manifest.content["settings"].get("labels")
        self._labels = tuple(label for label in LABELS if isinstance(told, list) and label in told)
        if not self._labels:
            raise ReadError(f"{case.folder}: its manifest names no label that this program knows; get the case again")
        self._random = np.random.default_rng([options.seed, int(case.manifest.sha256[:16], 16)])

    def draw(self) -> tuple[Draw, list[tuple[Mapping[str, Any], InContext]]]:
        """Return what was drawn, and for each row its page and its context, in the order of the sheet."""
        self._reader.covered()
        strata = self._strata()
        counts = self._counts(strata)
        if not sum(counts):
            raise ReadError(
                f"{self._case.folder}: no page that was judged can be read again; name the folder of its inputs with "
                "--inputs"
            )
        rows, contexts, unread = self._take(strata, counts)
        order = self._random.permutation(len(rows))
        pages = self._pages([rows[n].page for n in order])
        drawn = Draw(
            tool=version("mdclaims"),
            manifest=self._case.manifest.sha256,
            seed=self._options.seed,
            asked=self._options.size,
            labels=self._labels,
            strata=tuple(strata),
            covered=self._coverage("covered"),
            judged=self._coverage(f"pages WHERE {JUDGED}"),
            unread=tuple(sorted(unread.items())),
            rows=tuple(rows[n] for n in order),
        )
        return drawn, [(pages[rows[n].page], contexts[rows[n].page, rows[n].sentence]) for n in order]

    # --- strata ---------------------------------------------------------------------------------------------------

    def _strata(self) -> list[Stratum]:
        """Make the tables that sentences are drawn from, and return what is in them."""
        self._connection.execute(
            "CREATE TEMP TABLE found AS SELECT f.page, f.sentence, list(DISTINCT f.label) AS labels "
            "FROM findings AS f JOIN covered AS c ON c.page = f.page "
            "WHERE f.label IN (SELECT unnest(?::VARCHAR[])) GROUP BY f.page, f.sentence",
            [list(self._labels)],
        )
        self._connection.execute(
            "CREATE TEMP TABLE kept AS SELECT DISTINCT s.page, s.sentence FROM sentences AS s "
            "JOIN covered AS c ON c.page = s.page ANTI JOIN found AS f ON f.page = s.page AND f.sentence = s.sentence"
        )
        self._connection.execute(
            "CREATE TEMP TABLE rest AS SELECT c.page, greatest(0, c.sentences - count(DISTINCT s.sentence)) AS size "
            "FROM covered AS c LEFT JOIN sentences AS s ON s.page = c.page GROUP BY c.page, c.sentences"
        )
        counts = self._found_counts("TRUE")
        self._rarest = sorted(self._labels, key=lambda label: (counts[label], label))
        strata = []
        for label in self._rarest:
            where = self._where(label)
            size = self._ask(f"SELECT count(*) FROM found WHERE {where}")  # noqa: S608 (labels are ours)
            if size:
                strata.append(Stratum(f"found: {label}", size, self._found_counts(where)))
        kept = Stratum(_KEPT, self._ask("SELECT count(*) FROM kept"), {})
        return [*strata, kept, Stratum(_REST, self._ask("SELECT coalesce(sum(size), 0)::BIGINT FROM rest"), {})]

    def _where(self, label: str) -> str:
        """Return in SQL which found sentences have a label, and none that is rarer."""
        rarer = self._rarest[: self._rarest.index(label)]
        return " AND ".join(
            [*(f"NOT list_contains(labels, '{one}')" for one in rarer), f"list_contains(labels, '{label}')"]
        )

    def _found_counts(self, where: str) -> dict[str, int]:
        columns = ", ".join(f"coalesce(count_if(list_contains(labels, '{label}')), 0)" for label in self._labels)
        row = self._connection.execute(f"SELECT {columns} FROM found WHERE {where}").fetchone()  # noqa: S608
        return {label: int(count) for label, count in zip(self._labels, row or (), strict=True)}

    def _ask(self, question: str) -> int:
        row = self._connection.execute(question).fetchone()
        return int(row[0]) if row else 0

    def _coverage(self, source: str) -> tuple[int, int]:
        """Return pages and sentences of a table."""
        return self._ask(f"SELECT count(*) FROM {source}"), self._ask(  # noqa: S608 (no user text)
            f"SELECT coalesce(sum(sentences), 0)::BIGINT FROM {source}"  # noqa: S608
        )

    def _counts(self, strata: Sequence[Stratum]) -> list[int]:
        """Return how many to draw of each stratum: half of those with findings, the rarer labels above their share."""
        found = [stratum.size for stratum in strata if stratum.found]
        others = [stratum.size for stratum in strata if not stratum.found]
        half = min(self._options.size // 2, sum(found))
        of_others = min(self._options.size - half, sum(others))
        half = min(self._options.size - of_others, sum(found))
        return [*allocate(half, found, [math.sqrt(size) for size in found]), *allocate(of_others, others, [1.0, 1.0])]

    # --- drawing --------------------------------------------------------------------------------------------------

    def _take(
        self, strata: Sequence[Stratum], counts: Sequence[int]
    ) -> tuple[list[DrawnRow], dict[tuple[str, int], InContext], dict[str, str]]:
        """Draw; a sentence whose page cannot be read gives way to the next of its stratum."""
        rows: list[DrawnRow] = []
        contexts: dict[tuple[str, int], InContext] = {}
        unread: dict[str, str] = {}
        queues = {
            stratum.name: list(self._candidates(stratum, count)) for stratum, count in zip(strata, counts, strict=True)
        }
        missing = {stratum.name: count for stratum, count in zip(strata, counts, strict=True)}
        while any(missing[name] and queues[name] for name in missing):
            tried = []
            for name, queue in queues.items():
                queue[:] = [row for row in queue if row.page not in unread]
                tried += queue[: missing[name]]
                del queue[: missing[name]]
            numbers: dict[str, list[int]] = {}
            for row in tried:
                numbers.setdefault(row.page, []).append(row.sentence)
            found, failed = self._reader.read(numbers)
            unread |= failed
            contexts |= found
            taken = [row for row in tried if (row.page, row.sentence) in found]
            rows += taken
            for row in taken:
                missing[row.stratum] -= 1
        if not rows:
            raise ReadError(f"{self._case.folder}: no page could be read again ({next(iter(unread.values()))})")
        return rows, contexts, unread

    def _candidates(self, stratum: Stratum, count: int) -> Iterator[DrawnRow]:
        """Yield sentences of a stratum in random order, more than are needed."""
        if not count:
            return
        positions = self._random.choice(stratum.size, min(stratum.size, 2 * count + 20), replace=False)
        if stratum.found:
            yield from self._picked("found", positions, stratum.name)
        elif stratum.name == _KEPT:
            yield from self._picked("kept", positions, stratum.name)
        else:
            for page, sentence in self._below(positions):
                yield DrawnRow(page, sentence, stratum.name, ())

    def _picked(self, table: str, positions: _Positions, stratum: str) -> Iterator[DrawnRow]:
        where = self._where(stratum.removeprefix("found: ")) if table == "found" else "TRUE"
        labels = "labels" if table == "found" else "[]::VARCHAR[]"
        rows = self._connection.execute(
            f"SELECT n, page, sentence, labels FROM (SELECT page, sentence, {labels} AS labels, "  # noqa: S608
            f"row_number() OVER (ORDER BY page, sentence) - 1 AS n FROM {table} WHERE {where}) "
            "WHERE n IN (SELECT unnest(?::BIGINT[]))",
            [positions.tolist()],
        ).fetchall()
        by_position = {n: (page, sentence, labels) for n, page, sentence, labels in rows}
        for n in positions.tolist():
            page, sentence, found = by_position[n]
            yield DrawnRow(page, sentence, stratum, tuple(label for label in LABELS if label in found))

    def _below(self, positions: _Positions) -> Iterator[tuple[str, int]]:
        """Yield page and number of sentences that the case only counted."""
        table = self._connection.execute("SELECT page, size FROM rest ORDER BY page").fetchnumpy()
        pages, ends = table["page"], np.cumsum(table["size"].astype(np.int64))
        at = np.searchsorted(ends, positions, side="right")
        kept: dict[str, set[int]] = {}
        for page, number in self._connection.execute(
            "SELECT page, sentence FROM sentences WHERE page IN (SELECT unnest(?::VARCHAR[]))",
            [sorted({str(pages[n]) for n in at})],
        ).fetchall():
            kept.setdefault(page, set()).add(number)
        for position, n in zip(positions.tolist(), at.tolist(), strict=True):
            page = str(pages[n])
            yield page, _nth_other(kept.get(page, set()), position - (int(ends[n - 1]) if n else 0))

    def _pages(self, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        rows = self._connection.execute(
            "SELECT page, title, coalesce(address, file) FROM covered WHERE page IN (SELECT unnest(?::VARCHAR[]))",
            [sorted(set(names))],
        ).fetchall()
        return {page: {"title": title, "address": address} for page, title, address in rows}


def _nth_other(taken: set[int], n: int) -> int:
    """Return the whole number, from 0, that has `n` before it that are not taken, and is not taken itself.

    >>> [_nth_other({0, 2, 3}, n) for n in range(3)]
    [1, 4, 5]
    """
    number = n
    for other in sorted(taken):
        if other > number:
            break
        number += 1
    return number
