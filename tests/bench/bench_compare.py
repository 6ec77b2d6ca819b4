"""Time and memory of `mdclaims compare` on large cases: ``python tests/bench/bench_compare.py CASE FOLDER [FINDINGS]``.

CASE is a small case of files, made by ``mdclaims screen``; FOLDER is where its inputs are. Its pages are repeated until
there are FINDINGS (1,000,000), each copy on a site of its own, as an old and a new case in a temporary folder. In
the old one the sentences of a tenth of the pages differ, half of them by two words; of the new one a hundredth of
the pages is missing. Prints seconds, and the memory of the process and of its workers at their peak.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import psutil

from mdclaims.cases.store import TABLES

_PER_PART = 8
_CHANGED = "(hash(page) + $copy) % 10 = 0"
# Every second of these has other words altogether.
_WORDS = (
    f"CASE WHEN {_CHANGED} THEN if(hash({{0}}) % 2 = 0, 'perhaps at times ' || {{0}}, md5({{0}}) || ' ' || md5(page)) "
    "ELSE {0} END AS {0}"
)


def repeat(source: Path, target: Path, copies: int, *, is_old: bool) -> int:
    """Write a case that holds the pages of another so many times; return how many findings it has."""
    missing = "" if is_old else "WHERE (hash(page) + $copy) % 100 <> 1"
    extra = {
        "pages": "$copy || '-' || site AS site, 'https://s' || $copy || '.example/' || file AS address"
        # What changed is in no file: the tables have to do for it.
        + (f", if({_CHANGED}, 'then/' || file, file) AS file" if is_old else ""),
        "sentences": _WORDS.format("text") if is_old else "text AS text",
        "findings": _WORDS.format("quote") if is_old else "quote AS quote",
        "others": "$copy || '-' || site AS site",
    }
    files = {}
    findings = 0
    for start in range(0, copies, _PER_PART):
        for table in TABLES:
            (target / table).mkdir(parents=True, exist_ok=True)
            name = f"{table}/{0:06d}-{start // _PER_PART:04d}.parquet"
            parts = []
            for copy in range(start, min(start + _PER_PART, copies)):
                page = "" if table == "others" else f"'{copy}x' || page AS page, "
                where = "" if table == "others" else missing
                row = f"SELECT * REPLACE ({page}{extra[table]}) FROM read_parquet('{source}/{table}/*.parquet') {where}"
                parts.append(row.replace("$copy", str(copy)))
            duckdb.execute(f"COPY ({' UNION ALL '.join(parts)}) TO '{target / name}' (FORMAT parquet)")
            files[name] = hashlib.sha256((target / name).read_bytes()).hexdigest()
    findings = duckdb.execute(f"SELECT count(*) FROM read_parquet('{target}/findings/*.parquet')").fetchall()[0][0]
    for name in ("offsets.parquet", "redirects.parquet", "sites.parquet", "views.sql"):
        shutil.copy(source / name, target / name)
        files[name] = hashlib.sha256((target / name).read_bytes()).hexdigest()
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    (target / "manifest.json").write_text(json.dumps({**manifest, "files": files}), encoding="utf-8")
    return findings


def watched(command: list[str], output: Path) -> tuple[float, float, float]:
    """Run a command; return its seconds, and the most memory that it and that all its processes held, in MB."""
    start = time.perf_counter()
    alone = together = 0.0
    with output.open("wb") as stream, subprocess.Popen(command, stdout=stream) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                own = root.memory_info().rss
                below = 0
                for child in root.children(recursive=True):
                    below += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            alone, together = max(alone, own / 1e6), max(together, (own + below) / 1e6)
            time.sleep(0.05)
    return time.perf_counter() - start, alone, together


def main() -> None:
    """Make the cases, compare them in every format, and print."""
    source, folder = Path(sys.argv[1]).absolute(), sys.argv[2]
    wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    one = duckdb.execute(f"SELECT count(*) FROM read_parquet('{source}/findings/*.parquet')").fetchall()[0][0]
    with tempfile.TemporaryDirectory() as place:
        old, new = Path(place) / "old", Path(place) / "new"
        copies = -(-wanted // one)
        counts = [repeat(source, target, copies, is_old=target == old) for target in (old, new)]
        print(f"{counts[0]:,} and {counts[1]:,} findings, {copies:,} copies")
        for form in ("text", "json", "html"):
            command = [sys.executable, "-m", "mdclaims", "compare", str(old), str(new), "--format", form]
            output = Path(place) / f"out.{form}"
            seconds, alone, together = watched([*command, "--inputs", folder], output)
            size = output.stat().st_size / 1e6
            print(f"{form}: {seconds:.0f} s, {alone:,.0f} MB, with workers {together:,.0f} MB, writes {size:,.1f} MB")
            if form == "text":
                print("".join(output.read_text(encoding="utf-8").splitlines(keepends=True)[:4]))


if __name__ == "__main__":
    main()
