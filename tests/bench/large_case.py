"""Makes a case of many findings by repeating a real one: other sites, and in half of the rows other words.

    python tests/bench/large_case.py CASE NEW --findings 1000000

What is new is what grouping and ranking turn on: pages, sites, quotes. A replaced word is any word of the case, so that
no copy is near another by more than chance. The evidence is not repeated: such a case does not verify.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdclaims.cases.coverage import measure, sites_of_case, write_sites
from mdclaims.cases.store import JOURNAL, MANIFEST, OFFSETS_FILE, REDIRECTS_FILE, TABLES, VIEWS, table_bytes, write_file

SHARE_OF_ROWS = 0.5
SHARE_OF_WORDS = 0.4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--findings", type=int, default=1_000_000)
    options = parser.parse_args()
    tables = {name: _whole(options.case, name) for name in TABLES}
    times = -(-options.findings // tables["findings"].num_rows)
    vocabulary = np.array(sorted({word for quote in tables["findings"]["quote"].to_pylist() for word in quote.split()}))
    generator = np.random.default_rng(1)
    files = {}
    for number in range(times):
        for name, table in tables.items():
            copy = table if number == 0 else _copy(table, name, number, vocabulary, generator)
            part = f"{name}/{number:06d}-0000.parquet"
            files[part] = write_file(options.new / part, table_bytes(copy))
    for name in (OFFSETS_FILE, REDIRECTS_FILE, VIEWS, JOURNAL):
        files[name] = write_file(options.new / name, (options.case / name).read_bytes())
    files.pop(JOURNAL)
    files |= write_sites(options.new, sites_of_case(measure(options.new), []))
    manifest = json.loads((options.case / MANIFEST).read_text(encoding="utf-8"))
    write_file(options.new / MANIFEST, json.dumps({**manifest, "files": files}).encode())
    print(f"{times * tables['findings'].num_rows:,} findings of {times} times the sites in {options.new}")


def _whole(case: Path, name: str) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted((case / name).glob("*.parquet"))])


def _copy(table: pa.Table, name: str, number: int, vocabulary: np.ndarray, generator: np.random.Generator) -> pa.Table:
    """Return a table for other pages of other sites."""
    for column in {"page", "site"} & set(table.column_names):
        table = _with(table, column, pc.binary_join_element_wise(f"{number}", table[column], "-"))
    if name == "pages":
        files = [
            None if file is None else f"copies/{number}/{file.partition('/')[2]}" for file in table["file"].to_pylist()
        ]
        table = _with(table, "file", pa.array(files, pa.string()))
    if name == "findings":
        changed = generator.random(table.num_rows) < SHARE_OF_ROWS
        quotes = [
            _reworded(quote, vocabulary, generator) if change else quote
            for quote, change in zip(table["quote"].to_pylist(), changed, strict=True)
        ]
        table = _with(table, "quote", pa.array(quotes, pa.string()))
    return table


def _with(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(column), table.schema.field(column), values)


def _reworded(quote: str, vocabulary: np.ndarray, generator: np.random.Generator) -> str:
    words = np.array(quote.split(), dtype=object)
    at = generator.random(len(words)) < SHARE_OF_WORDS
    words[at] = generator.choice(vocabulary, at.sum())
    return " ".join(words)


if __name__ == "__main__":
    main()
