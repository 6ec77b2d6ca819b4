"""Time and peak memory of ``mdclaims decide`` with a decision for every exhibit: from sheets, and carried over.

python tests/bench/large_case.py CASE BIG --findings 1000000
python tests/bench/bench_decide.py BIG

Each run is a process of its own, and ends with what it wrote removed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from openpyxl import Workbook

from mdclaims.cases.casefile import open_case
from mdclaims.cases.decide import SHEET
from mdclaims.cases.store import DECISIONS

HEADS = ("exhibit", "site", "quote", "decision", "provision", "note", "reviewer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=Path)
    case = parser.parse_args().case
    if (case / DECISIONS).exists():
        parser.error(f"{case} has decisions, which this would remove")
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / name for name in ("all.csv", "all.xlsx")]
        _write_csv(names[0], case)
        _write_xlsx(names[1], case)
        for path in names:
            _run(path.name, [str(case), str(path), "--reviewer", "Bench"])
            (case / DECISIONS).unlink()
        _run("all.csv with copies", [str(case), str(names[0]), "--copies", "--reviewer", "Bench"])
        (case / DECISIONS).unlink()
        _run("all.csv", [str(case), str(names[0]), "--reviewer", "Bench"])
        _run("all.csv again", [str(case), str(names[0]), "--reviewer", "Bench"])
        other = Path(folder) / "later"
        _linked(case, other)
        _run("carried over", [str(other), "--from", str(case)])
        (case / DECISIONS).unlink()


def _rows(case: Path) -> Iterator[tuple[str, ...]]:
    with open_case(case) as opened:
        result = opened.connection.execute("SELECT DISTINCT ON (exhibit) exhibit, site, quote FROM findings")
        while rows := result.fetchmany(10_000):
            for number, row in enumerate(rows):
                decided = ("upheld", "UK-CAP-12.1", f"note {number}") if number % 3 else ("dismissed", "", "")
                yield *(str(cell) for cell in row), *decided, ""


def _write_csv(path: Path, case: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows([HEADS, *_rows(case)])


def _write_xlsx(path: Path, case: Path) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.append(HEADS)
    for row in _rows(case):
        sheet.append([f" {cell}" if cell[:1] in "=+-@" else cell for cell in row])
    book.save(path)


def _linked(case: Path, other: Path) -> None:
    """Make a case of the same files, without decisions."""
    for path in case.rglob("*"):
        if path.is_file() and path.name != DECISIONS:
            target = other / path.relative_to(case)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)


def _run(name: str, arguments: list[str]) -> None:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mdclaims", "decide", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    print(
        f"{name}: {time.perf_counter() - started:.0f} s, peak {usage.ru_maxrss / 1024:,.0f} MB, "
        f"exit code {os.waitstatus_to_exitcode(status)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
