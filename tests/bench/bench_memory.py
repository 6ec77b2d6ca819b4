"""Memory of `screen` on a large archive beside a small one: ``python tests/bench/bench_memory.py FOLDER``.

FOLDER holds HTML files. They are repeated, each time with other words and numbers in their text, so that no page and no
site is met twice, until the archive has its size; with ``--pictures`` that share of its bytes is pictures, as in
archives of real sites. Prints the peak of resident memory of the main process and of each worker, and ends with 1 if
one needs more than 100 MB above what it needs for the small archive.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from archives import answer, record

MB = 10**6
_MOST_ABOVE = 100
_TEXT = re.compile(rb">[^<>]{20,}<")
_WORD = re.compile(rb"[A-Za-z]{4,}|\d+")
_SKIPPED = re.compile(rb"(<(?:script|style)\b.*?</(?:script|style)>)", re.DOTALL | re.IGNORECASE)


def changed(page: bytes, chance: random.Random) -> bytes:
    """Return a page with every third piece of text changed in a word or number, as from one site to the next."""

    def change(match: re.Match[bytes]) -> bytes:
        text = match.group()
        places = list(_WORD.finditer(text))
        if not places or chance.random() < 0.67:
            return text
        place = chance.choice(places)
        other = b"%d" % chance.randrange(1, 2000)
        if not place.group().isdigit():
            other = bytes(chance.choice(b"abdefgiklmnoprstu") for _ in range(chance.randrange(3, 9)))
        return text[: place.start()] + other + text[place.end() :]

    parts = _SKIPPED.split(page)
    return b"".join(part if n % 2 else _TEXT.sub(change, part) for n, part in enumerate(parts))


def records(pages: list[bytes], pictures: float) -> Iterator[tuple[bytes, int]]:
    """Yield gzip members without end, and how many bytes each unpacks to."""
    chance, seen, shown = random.Random(1), 0, 0
    for number in itertools.count():
        page = changed(pages[number % len(pages)], chance)
        address = f"https://site{number // 20}.example/{number}"
        member = gzip.compress(record(answer(page), address=address), 6, mtime=0)
        seen += len(member)
        yield member, len(page)
        while shown < seen * pictures / (1 - pictures):
            picture = record(answer(chance.randbytes(100_000), content_type="image/jpeg"), address=f"{address}.jpg")
            # Stored, not packed: what a picture's bytes come to anyway.
            packed = gzip.compress(picture, 0, mtime=0)
            shown += len(packed)
            yield packed, len(picture)


def write(path: Path, pages: list[bytes], megabytes: float, *, unpacked: bool, pictures: float) -> str:
    """Write an archive of a size; return what it holds, in words."""
    size = unpacked_size = number = 0
    with path.open("wb") as stream:
        for member, length in records(pages, pictures):
            stream.write(member)
            size, unpacked_size, number = size + len(member), unpacked_size + length, number + 1
            if (unpacked_size if unpacked else size) >= megabytes * MB:
                break
    return f"{size / MB:,.0f} MB packed, {unpacked_size / MB:,.0f} MB unpacked, {number:,} records"


def measure(archive: Path, case: Path, workers: int) -> tuple[float, dict[int, float], str]:
    """Screen an archive; return the peak of the main process, those of the workers in MB, and what was read."""
    command = [sys.executable, "-m", "mdclaims", "screen", archive, "--case", case, "--workers", str(workers)]
    main, peaks, begun = 0.0, {}, time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(list(map(str, command)), stdout=out, stderr=subprocess.STDOUT)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                main = max(main, watched.memory_info().rss / MB)
                for child in watched.children():
                    if "spawn_main" in " ".join(child.cmdline()):
                        peaks[child.pid] = max(peaks.get(child.pid, 0), child.memory_info().rss / MB)
            except psutil.Error:
                continue
            time.sleep(0.1)
        out.seek(0)
        said = out.read()
    if process.returncode:
        sys.exit(said)
    pages = json.loads((case / "manifest.json").read_text(encoding="utf-8"))["coverage"]["read"]
    seconds = time.monotonic() - begun
    return main, peaks, f"{pages:,} pages in {seconds:,.0f} s, {pages / seconds:.0f} pages/s"


def main() -> None:
    """Measure both archives and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", type=float, default=50, metavar="MB")
    parser.add_argument("--large", type=float, default=2_000, metavar="MB")
    parser.add_argument("--unpacked", action="store_true", help="sizes are of the records unpacked, not of the archive")
    parser.add_argument("--pictures", type=float, default=0.0, metavar="SHARE", help="of the bytes, 0 to 0.99")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    pages = [path.read_bytes() for path in sorted(options.folder.rglob("*")) if path.suffix in {".html", ".htm"}]
    found = {}
    for name in ("small", "large"):
        with tempfile.TemporaryDirectory(prefix="mdclaims-memory-") as folder:
            archive = Path(folder) / f"{name}.warc.gz"
            size = getattr(options, name)
            said = write(archive, pages, size, unpacked=options.unpacked, pictures=options.pictures)
            top, peaks, rate = measure(archive, Path(folder) / "case", options.workers)
        found[name] = top, max(peaks.values())
        each = ", ".join(f"{peak:.0f}" for peak in sorted(peaks.values()))
        print(f"{name}: {said}; {rate}; peak MB: main {top:.0f}, workers {each}", flush=True)
    above = [large - small for small, large in zip(found["small"], found["large"], strict=True)]
    print(f"large above small: main {above[0]:+.0f} MB, worker {above[1]:+.0f} MB")
    sys.exit(1 if max(above) > _MOST_ABOVE else 0)


if __name__ == "__main__":
    main()
