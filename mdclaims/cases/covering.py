"""What a decision covers: exhibits of a case by their ids, and on request their copies on the same site."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mdclaims.cases.decisions import Covered

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 10_000
COVERED = """f.exhibit, coalesce(f.site, '') AS site,
  coalesce(f.address, regexp_replace(f.file, '^[^/]+/', '')) AS address,
  f.label, if(f.label IS NULL, f.rules[1], NULL) AS rule, f.fingerprint, f.quote"""
"""The columns of a `Covered`, in its order, of the view `findings` under the name f."""


def covered(connection: DuckDBPyConnection, ids: Collection[str]) -> Iterator[Covered]:
    """Yield the exhibits with these ids that the case has, each once.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Of a case.
    ids : collection of str
    """
    left = set(ids)
    question = f"SELECT {COVERED} FROM findings AS f SEMI JOIN wanted USING (exhibit)"  # noqa: S608 (ours alone)
    for row in rows_of(connection, left, question):
        if row[0] in left:  # two captures of a page share their exhibits
            left.remove(row[0])
            yield Covered(*row)


def with_copies(connection: DuckDBPyConnection, ids: Collection[str]) -> Iterator[list[Covered]]:
    """Yield these exhibits with their copies: one list for each claim that is told the same way all over its site.

    A copy has the same site, label (or rule) and words; case, straight or curly quotes and white space apart.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Of a case.
    ids : collection of str
    """
    question = f"""
      WITH known AS (SELECT {COVERED} FROM findings AS f),
        sites AS (SELECT DISTINCT site FROM known SEMI JOIN wanted USING (exhibit))
      SELECT known.*, folded(quote) AS folded FROM known SEMI JOIN sites USING (site)
      ORDER BY site, label, rule, folded, exhibit"""  # noqa: S608 (ours alone)
    wanted = set(ids)
    for _, rows in groupby(rows_of(connection, wanted, question), key=itemgetter(1, 3, 4, 7)):
        claim = {row[0]: Covered(*row[:7]) for row in rows}
        if not wanted.isdisjoint(claim):
            yield list(claim.values())


def rows_of(connection: DuckDBPyConnection, ids: Collection[str], question: str) -> Iterator[tuple[Any, ...]]:
    """Yield the answer to a question in SQL in which the table `wanted` has these ids in its column `exhibit`."""
    with connection.cursor() as cursor:
        cursor.register("wanted", pa.table({"exhibit": pa.array(ids, pa.string())}))
        result = cursor.execute(question)
        while rows := result.fetchmany(_BATCH):
            yield from rows
