"""Labels that an editor corrected, kept in a local file and given out as lines of the corpus.

They change what the box shows of these sentences, and the model only once somebody trains with them.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mdclaims.errors import UsageError
from mdclaims.findings.findings import fold
from mdclaims.labels import LABELS
from mdclaims.language.sentences import SentenceInput

FILE = "corrections.sqlite3"
_SITE = "corrections"
_ANNOTATOR = "editor"
_TABLE = """
create table if not exists corrections (
    id text primary key, time text not null, text text not null, kind text not null, region text not null,
    level integer, heading text not null, before text not null, after text not null, first_block integer not null,
    model text not null, shown text not null, labels text not null
)
"""


class Corrections:
    """The file of corrections; from any thread.

    Parameters
    ----------
    path : Path
        Made with the first correction.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._labels: dict[str, tuple[str, ...]] | None = None

    def labels(self) -> Mapping[str, Sequence[str]]:
        """Return the labels that were given to sentences, the last ones, by their folded text.

        Raises
        ------
        UsageError
            If the file cannot be read.
        """
        if self._labels is None:
            rows = self._rows("select text, labels from corrections order by time, rowid")
            self._labels = {fold(text): tuple(json.loads(labels)) for text, labels in rows}
        return self._labels

    def count(self) -> int:
        """Return how many sentences were corrected."""
        return sum(int(row[0]) for row in self._rows("select count(*) from corrections"))

    def keep(
        self, entry: SentenceInput, level: int | None, *, shown: Sequence[str], labels: Sequence[str], model: str
    ) -> None:
        """Keep the labels of a sentence; those that the model gives it anyway take a correction back.

        Parameters
        ----------
        entry : SentenceInput
        level : int or None
            Of its block, if that is a heading.
        shown : sequence of str
            The model's labels.
        labels : sequence of str
        model : str
            Its version.

        Raises
        ------
        UsageError
            If the file cannot be written, or a label is not known.
        """
        unknown = next((label for label in labels if label not in LABELS), None)
        if unknown is not None:
            raise UsageError(f"unknown label {unknown[:60]!r}; choose from {', '.join(LABELS)}")
        settled = [label for label in LABELS if label in labels]
        place = (entry.text, entry.kind, entry.region, level, entry.heading, entry.previous, entry.next)
        key = hashlib.sha256(json.dumps(place).encode()).hexdigest()[:16]
        with self._open() as database:
            # The same words may have been corrected elsewhere; what was said last counts.
            database.execute("delete from corrections where id = ? or text = ?", (key, entry.text))
            if settled != [label for label in LABELS if label in shown]:
                given = (json.dumps(list(shown)), json.dumps(settled))
                row = (key, datetime.now(UTC).isoformat(), *place, entry.first_block, model, *given)
                database.execute(f"insert into corrections values ({', '.join('?' * len(row))})", row)  # noqa: S608
        self._labels = None

    def corpus(self) -> str:
        """Return all corrections as lines of the corpus, each sentence a document with its context.

        Raises
        ------
        UsageError
            If the file cannot be read.
        """
        from mdclaims.model.annotation_formats import Item, folded, to_corpus

        items = [
            Item(
                id=key,
                text=folded(text),
                doc=f"{_SITE}-{key}",
                site=_SITE,
                sentence=0,
                kind=kind,
                region=region,
                level=level,
                heading=heading,
                before=before,
                after=after,
                first_block=bool(first_block),
                annotations={_ANNOTATOR: tuple(json.loads(labels))},
            )
            for key, text, kind, region, level, heading, before, after, first_block, labels in self._rows(
                "select id, text, kind, region, level, heading, before, after, first_block, labels from corrections"
            )
        ]
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in to_corpus(items).lines)

    def _rows(self, question: str) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        with self._open() as database:
            return database.execute(question).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=10)) as database, database:
                database.execute(_TABLE)
                yield database
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"corrections cannot be kept in {self.path} ({error}); check the file") from error
