"""Faults, tried for real on `mdclaims screen`: ``python tests/bench/bench_faults.py [NAME...]``.

Prints one line for each fault with what was counted, and ends with 1 if anything was lost, counted twice or not told.
Without names all faults are tried, which takes some ten minutes on two cores and 3 GB of disk. The full disk is a small
tmpfs, which only root may mount; the lost Dask worker needs the extra ``cluster``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
from archives import answer, one_member, per_record, record, wacz
from hostile import nested_pdf

from mdclaims.cases.store import connect

MB = 10**6
PAGE = (
    "<!doctype html><html lang=en><title>Knee care {n}</title><h1>Knee pain {n}</h1><p>Our shockwave therapy cures knee"
    " pain for good in {n} sessions. It is completely safe and has no side effects. Some patients feel sore for {n}"
    " days.</p><footer>Call us today to book your visit.</footer>"
)
FAULTS: dict[str, Callable[[Bench], str]] = {}


class NotAsItShouldError(Exception):
    """Something was lost, counted twice or not told."""


def fault(tried: Callable[[Bench], str]) -> Callable[[Bench], str]:
    FAULTS[tried.__name__.replace("_", "-")] = tried
    return tried


def see(holds: bool, what: object) -> None:
    if not holds:
        raise NotAsItShouldError(what)


# --- inputs -------------------------------------------------------------------------------------------------------


def pages(number: int, site: str = "a") -> list[bytes]:
    return [
        record(answer(PAGE.format(n=n).encode()), address=f"https://{site}{n % 7}.example/{n}") for n in range(number)
    ]


def repeated(start: bytes, piece: bytes, times: int) -> bytes:
    """Pack start and a piece many times into one gzip member, in the time that one piece takes.

    A deflate stream that is flushed between two pieces stands on its own, so that its bytes can be repeated.
    """
    packer = zlib.compressobj(9, wbits=-15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    one = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(start)
    for _ in range(times):
        crc = zlib.crc32(piece, crc)
    size = (len(start) + times * len(piece)) % 2**32
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first + one * times + packer.flush() + struct.pack("<II", crc, size)


def beginning(address: str, start: bytes, more: int, **how: str) -> bytes:
    """Return the beginning of a record whose body goes on behind `start` with so many bytes."""
    head, rest = record(answer(start, **how), address=address).split(b"\r\n\r\n", 1)
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    lines.append(b"Content-Length: %d" % (len(rest) - 4 + more))
    return b"\r\n".join(lines) + b"\r\n\r\n" + rest[:-4]


def large_record(address: str, start: bytes, piece: bytes, times: int, **how: str) -> bytes:
    """Return the gzip member of a record whose body is a piece many times."""
    # The two line ends behind a record are missing, which readers accept at the end of a member.
    return repeated(beginning(address, start, times * len(piece), **how), piece, times)


# --- runs ---------------------------------------------------------------------------------------------------------


class Peaks:
    """The most resident memory of a process and of the largest of its children, in MB."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.main = self.worker = 0.0
        self._over = threading.Event()
        self._process = psutil.Process(process.pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            try:
                self.main = max(self.main, self._process.memory_info().rss / MB)
                for child in self._process.children():
                    self.worker = max(self.worker, child.memory_info().rss / MB)
            except psutil.Error:
                continue

    def end(self) -> str:
        self._over.set()
        self._thread.join()
        return f"peak memory main {self.main:.0f} MB, worker {self.worker:.0f} MB"


class Run:
    """A finished run of the command."""

    def __init__(self, code: int, out: str, err: str, seconds: float, peaks: str) -> None:
        self.code, self.out, self.err, self.seconds, self.peaks = code, out, err, seconds, peaks


class Bench:
    """A folder to work in, and the case of an undisturbed run to compare with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._whole: dict[str, bytes] | None = None

    def start(self, inputs: Path, case: Path, *options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mdclaims", "screen", inputs, "--case", case, *options]
        return subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder
        )

    def end(self, process: subprocess.Popen[str], begun: float, peaks: Peaks) -> Run:
        out, err = process.communicate(timeout=1200)
        return Run(process.returncode, out, err, time.monotonic() - begun, peaks.end())

    def screen(self, inputs: Path, case: Path, *options: object) -> Run:
        begun = time.monotonic()
        process = self.start(inputs, case, *(options or ("--workers", 2)))
        return self.end(process, begun, Peaks(process))

    @property
    def archives(self) -> Path:
        """Three archives, of six parts, two and two."""
        folder = self.folder / "archives"
        if not folder.exists():
            folder.mkdir()
            for name, number in (("a", 2_600), ("b", 600), ("c", 600)):
                (folder / f"{name}.warc.gz").write_bytes(per_record(pages(number, name)))
        return folder

    @property
    def whole(self) -> dict[str, bytes]:
        """Everything that an undisturbed run writes but times."""
        if self._whole is None:
            case = self.folder / "undisturbed"
            see(self.screen(self.archives, case).code == 0, "the undisturbed run failed")
            self._whole = contents(case)
        return self._whole

    def is_whole(self, case: Path) -> str:
        """See that a case is byte for byte that of the undisturbed run."""
        there = contents(case)
        see(set(there) == set(self.whole), f"other files: {set(there) ^ set(self.whole)}")
        different = [name for name in there if there[name] != self.whole[name]]
        see(not different, f"different: {different}")
        return f"{len(there)} files of the case byte for byte those of the undisturbed run"


def contents(case: Path) -> dict[str, bytes]:
    return {
        path.relative_to(case).as_posix(): path.read_bytes()
        for path in sorted(case.rglob("*"))
        if path.is_file() and path.name not in {"journal.jsonl", "manifest.json"}
    }


def ask(case: Path, question: str) -> list[tuple[Any, ...]]:
    with connect(case) as connection:
        return connection.execute(question).fetchall()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def parts_in(case: Path) -> int:
    journal = case / "journal.jsonl"
    return journal.read_bytes().count(b'{"part"') if journal.exists() else 0


# --- processes that end -------------------------------------------------------------------------------------------


@fault
def killed_workers(bench: Bench) -> str:
    """kill -9 of a worker, again and again."""
    chance, case = random.Random(1), bench.folder / "killed-workers"
    begun = time.monotonic()
    process = bench.start(bench.archives, case, "--workers", 2)
    peaks, killed = Peaks(process), 0
    while process.poll() is None and killed < 6:
        time.sleep(chance.uniform(1, 3))
        # Those that are at work: a worker that does not come to start three times ends the run, and should.
        for worker in [worker for worker in workers_of(process) if time.time() - worker.create_time() > 5][:1]:
            worker.kill()
            killed += 1
    run = bench.end(process, begun, peaks)
    see(run.code == 0, run.err)
    see(killed > 2, "too few were killed")
    return f"{killed} workers killed, exit 0; {bench.is_whole(case)}"


@fault
def killed_main_process(bench: Bench) -> str:
    """kill -9 of the main process, again and again, at the end too."""
    case, killed = bench.folder / "killed-main", 0
    # Behind some parts, and while the end is written.
    moments: list[Callable[[], bool]] = [lambda known=known: parts_in(case) >= known for known in (1, 3, 6)]
    moments += [
        lambda name=name: (case / name).exists() for name in ("evidence.warc.gz", "sites.parquet", "manifest.json")
    ]
    _ = bench.whole
    for reached in moments:
        process = bench.start(bench.archives, case, "--workers", 2)
        while process.poll() is None and not reached():
            time.sleep(0.005)
        workers = workers_of(process)
        if process.poll() is None:
            process.kill()
            killed += 1
        process.communicate()
        _, alive = psutil.wait_procs(workers, timeout=30)
        see(not alive, "workers outlived the main process")
    run = bench.screen(bench.archives, case)
    see(run.code == 0, run.err)
    return f"{killed} times killed and gone on, no worker left behind, exit 0; {bench.is_whole(case)}"


@fault
def interrupted(bench: Bench) -> str:
    """Ctrl-C, then another number of workers."""
    case = bench.folder / "interrupted"
    for known in (1, 2):
        process = bench.start(bench.archives, case, "--workers", known)
        while process.poll() is None and parts_in(case) < known:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        see((process.returncode, err) == (130, ""), err)
    run = bench.screen(bench.archives, case)
    return f"twice, exit 130; then exit {run.code}; {bench.is_whole(case)}"


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@fault
def full_disk(bench: Bench) -> str:
    """A disk that is full again and again, each time with a little more room."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "not tried: mounting a small tmpfs needs root"
    place = bench.folder / "disk"
    full, lines, need = 0, set(), sum(map(len, bench.whole.values())) // 1024
    with small_disk(place, "64k"):
        case = place / "case"
        for step in range(1, 40):
            subprocess.run(["mount", "-o", f"remount,size={64 + step * need // 12}k", place], check=True)
            run = bench.screen(bench.archives, case)
            if run.code == 0:
                break
            see(run.code == 2 and run.err.count("\n") == 1 and "No space left on device" in run.err, run.err)
            see("same command again" in run.err, run.err)
            full += 1
            lines.add(run.err.split(" cannot be written")[0].rpartition("/")[2].split(".")[-1])
        see(run.code == 0 and full > 3, f"{full} times full, exit {run.code}")
        return f"{full} times full, one line and exit 2 each; with room exit 0; {bench.is_whole(case)}"


@fault
def dask_worker(bench: Bench) -> str:
    """kill -9 of a Dask worker in mid-run, then of both."""
    if importlib.util.find_spec("distributed") is None:
        return 'not tried: needs the extra "cluster"'
    case, file = bench.folder / "dask", bench.folder / "scheduler.json"
    _ = bench.whole
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": bench.folder}
    dask = [sys.executable, "-m"]
    scheduler = subprocess.Popen(
        [*dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
         "--scheduler-file", file], **options,
    )  # fmt: skip
    while not file.exists():
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    nannies = subprocess.Popen(
        [*dask, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"],
        **options,
    )
    try:
        process = bench.start(bench.archives, case, "--cluster", address)
        killed = 0
        for number in (1, 2):
            before = len(list(case.glob("pages/*.parquet")))
            while process.poll() is None and len(list(case.glob("pages/*.parquet"))) <= before:
                time.sleep(0.02)
            for worker in workers_of(nannies)[:number]:
                worker.kill()
                killed += 1
        out, err = process.communicate(timeout=600)
        see(process.returncode == 0, err + out)
        return f"{killed} Dask workers killed, exit 0; {bench.is_whole(case)}"
    finally:
        nannies.terminate()
        nannies.wait()
        scheduler.terminate()
        scheduler.wait()


# --- archives that are not whole ----------------------------------------------------------------------------------


def outcomes(case: Path) -> dict[str, dict[str, int]]:
    """Return how many pages of each file came to what."""
    found: dict[str, dict[str, int]] = {}
    for file, outcome, count in ask(case, "SELECT file, outcome, count(*) FROM pages GROUP BY ALL"):
        found.setdefault(file.rpartition("/")[2], {})[outcome] = count
    return found


def found_once(case: Path) -> None:
    twice = ask(case, "SELECT file, address FROM pages WHERE address IS NOT NULL GROUP BY ALL HAVING count(*) > 1")
    see(not twice, f"counted twice: {twice[:3]}")


@fault
def truncated_archives(bench: Bench) -> str:
    """Archives of 60 pages, cut anywhere."""
    chance, folder, case = random.Random(3), bench.folder / "cut", bench.folder / "cut-case"
    folder.mkdir()
    records = pages(60)
    members = [per_record([item]) for item in records]
    expected = {}
    for n in range(20):
        data = b"".join(members)
        at = chance.randrange(1, len(data))
        sizes = [sum(map(len, members[:k])) for k in range(len(members) + 1)]
        (folder / f"{n}.warc.gz").write_bytes(data[:at])
        expected[f"{n}.warc.gz"] = (max(k for k, size in enumerate(sizes) if size <= at), at not in sizes)
    for n in range(10):
        data = b"".join(records)
        at = chance.randrange(1, len(data))
        sizes = [sum(map(len, records[:k])) for k in range(len(records) + 1)]
        (folder / f"{n}.warc").write_bytes(data[:at])
        # The two line ends behind a record may be missing.
        whole = max(k for k, size in enumerate(sizes) if size - 4 * (k > 0) <= at)
        expected[f"{n}.warc"] = (whole, at > sizes[whole])
    lone = one_member(records)
    (folder / "lone.warc.gz").write_bytes(lone[: len(lone) // 2])
    package = wacz(folder / "whole.wacz", {"archive/data.warc.gz": b"".join(members)}).read_bytes()
    (folder / "whole.wacz").unlink()
    (folder / "cut.wacz").write_bytes(package[: len(package) // 2])
    run = bench.screen(folder, case)
    see(run.code == 3, run.err)
    found = outcomes(case)
    for name, (whole, is_cut) in expected.items():
        there = found.get(name, {})
        see(there.get("read", 0) == whole, f"{name}: {there}, {whole} were whole")
        see(there.get("failed", 0) == int(is_cut), f"{name}: {there}, cut: {is_cut}")
    see(found["lone.warc.gz"]["failed"] == 1, found["lone.warc.gz"])
    see("cut.wacz: " in run.err, run.err)
    found_once(case)
    read, failed = (sum(there.get(key, 0) for there in found.values()) for key in ("read", "failed"))
    return f"{len(expected) + 2} archives cut; {read} pages before the cuts all read, {failed} failures, 1 WACZ told"


@fault
def damaged_archives(bench: Bench) -> str:
    """Archives of 60 pages with bytes changed anywhere."""
    chance, folder, case = random.Random(4), bench.folder / "damaged", bench.folder / "damaged-case"
    folder.mkdir()
    members = [per_record([item]) for item in pages(60)]
    ends = [sum(map(len, members[: k + 1])) for k in range(len(members))]
    touched = {}
    for n in range(30):
        data = bytearray(b"".join(members))
        length = chance.choice((1, 1, 40, 2_000))
        at = chance.randrange(len(data) - length)
        data[at : at + length] = chance.randbytes(length)
        (folder / f"{n}.warc.gz").write_bytes(data)
        touched[f"{n}.warc.gz"] = sum(end > at and end - len(member) < at + length
                                      for end, member in zip(ends, members, strict=True))  # fmt: skip
    run = bench.screen(folder, case)
    found = outcomes(case)
    for name, number in touched.items():
        there = found[name]
        # A changed byte may be one that says nothing, such as the time in a gzip header.
        lost = 60 - there.get("read", 0)
        see(lost <= number, f"{name}: {there}, {number} records touched")
        see(bool(there.get("failed")) == bool(lost), f"{name}: {there}, {lost} lost")
    found_once(case)
    read, failed = (sum(there.get(key, 0) for there in found.values()) for key in ("read", "failed"))
    return (
        f"30 archives, {sum(touched.values())} of 1,800 records touched; {read} read, {1800 - read} lost, {failed} "
        f"failures told, exit {run.code}"
    )


# --- pages that do harm -------------------------------------------------------------------------------------------


def beside_good_pages(bench: Bench, name: str, bad: list[bytes], *options: object) -> tuple[Run, list[tuple[Any, ...]]]:
    """Screen bad members between 40 good pages; return what was said of the bad ones."""
    folder = bench.folder / name
    folder.mkdir()
    good = [per_record([item]) for item in pages(40)]
    (folder / "a.warc.gz").write_bytes(b"".join([*good[:20], *bad, *good[20:]]))
    run = bench.screen(folder, folder / "case", *options)
    (folder / "a.warc.gz").unlink()
    see(run.code == (3 if bad else 0), run.err)
    rows = ask(folder / "case", 'SELECT address, outcome, reason FROM pages ORDER BY "offset"')
    read = [row for row in rows if row[1] == "read" and ".example/" in row[0]]
    see(len([row for row in read if row[0].startswith("https://a")]) == 40, f"{len(read)} good pages of 40 read")
    found_once(folder / "case")
    return run, [row for row in rows if not row[0].startswith("https://a")]


def told(rows: list[tuple[Any, ...]], number: int, outcome: str) -> str:
    see([row[1] for row in rows] == [outcome] * number, rows)
    return f"{number} recorded as {outcome}"


@fault
def bombs_in_pages(bench: Bench) -> str:
    """Pages whose content coding unpacks to 5 GB, once and twice packed."""
    once = repeated(b"<p>", bytes(MB), 5_000)
    twice = repeated(b"", once[: 4 * MB], 1)
    bad = [
        per_record([record(answer(body, f"Content-Encoding: {coding}"), address=f"https://bomb.example/{n}")])
        for n, (body, coding) in enumerate([(once, "gzip"), (twice, "gzip, gzip"), (once, "x-gzip")])
    ]
    run, rows = beside_good_pages(bench, "page-bombs", bad)
    return f"{told(rows, 3, 'over_limit')}, 40 good pages read, {run.seconds:.0f} s, {run.peaks}"


@fault
def bombs_as_archives(bench: Bench) -> str:
    """.warc.gz files that unpack to 5 GB: of a page, of a record that is none, of nothing; and 70 MB of them."""
    bad = [
        large_record("https://bomb.example/page", b"<p>", b"<p>word " * 125_000, 5_000),
        large_record("https://bomb.example/picture.png", b"\x89PNG", bytes(MB), 5_000).replace(
            b"text/html", b"image/png"
        ),
    ]
    folder = bench.folder / "archive-bombs"
    folder.mkdir()
    (folder / "zeros.warc.gz").write_bytes(repeated(b"", bytes(MB), 5_000))
    (folder / "many.warc.gz").write_bytes(repeated(b"", bytes(MB), 70_000))
    (folder / "good.warc.gz").write_bytes(per_record(pages(40)))
    alone = bench.screen(folder, folder / "case")
    see(alone.code == 3, alone.err)
    found = outcomes(folder / "case")
    see(found["good.warc.gz"] == {"read": 40}, found)
    see(all(found[name] == {"failed": 1} for name in ("zeros.warc.gz", "many.warc.gz")), found)
    run, rows = beside_good_pages(bench, "record-bombs", bad)
    others = ask(folder.parent / "record-bombs" / "case", "SELECT kind, captures FROM others")
    see(others == [("image", 1)], others)
    return (
        f"2 archives of zeros (5 and 70 GB) recorded as failed, {alone.seconds:.0f} s, {alone.peaks}; of 2 records of "
        f"5 GB a page {told(rows, 1, 'over_limit')}, a picture counted, 40 good pages read, {run.seconds:.0f} s, "
        f"{run.peaks}"
    )


@fault
def long_pages(bench: Bench) -> str:
    """Pages of 1 GB: in an archive, and as a file."""
    bad = [large_record("https://long.example/", b"<!doctype html>", b"<p>It cures knee pain.</p>\n" * 40_000, 950)]
    run, rows = beside_good_pages(bench, "long", bad)
    folder = bench.folder / "long-file"
    folder.mkdir()
    (folder / "good.html").write_text(PAGE.format(n=1), encoding="utf-8")
    with (folder / "long.html").open("wb") as stream:
        stream.truncate(1000 * MB)
    with (folder / "long.warc").open("wb") as stream:
        stream.write(beginning("https://long.example/plain", b"<p>", 1000 * MB))
        stream.seek(1000 * MB, os.SEEK_CUR)
        stream.write(b"\r\n\r\n")
    files = bench.screen(folder, folder / "case")
    found = outcomes(folder / "case")
    see(found["good.html"] == {"read": 1}, found)
    see(found["long.html"] == found["long.warc"] == {"over_limit": 1}, found)
    shutil.rmtree(folder)
    return f"{told(rows, 1, 'over_limit')} ({run.seconds:.0f} s, {run.peaks}), file and .warc too ({files.peaks})"


@fault
def deep_pages(bench: Bench) -> str:
    """HTML nested 100,000 deep, and variations of it."""
    claim = b"It cures knee pain for good."
    bodies = [
        b"<div>" * 100_000 + claim,
        b"<b>" * 100_000 + claim,
        b"<table><tr><td>" * 100_000 + claim,
        b"<ul><li>" * 100_000 + claim + b"</li></ul>" * 100_000,
        b"<svg>" + b"<g>" * 100_000 + claim,
        b"<p><a href=x><font>" * 100_000 + claim,
        b"<template>" * 100_000 + claim,
    ]
    bad = [per_record([record(answer(body), address=f"https://deep.example/{n}")]) for n, body in enumerate(bodies)]
    run, rows = beside_good_pages(bench, "deep", bad)
    see(len(rows) == len(bodies), rows)
    counts = {outcome: sum(row[1] == outcome for row in rows) for outcome in sorted({row[1] for row in rows})}
    see(rows[0][1] == "over_limit", rows)
    return f"{len(bodies)} pages: {counts}, 40 good pages read, {run.seconds:.0f} s, {run.peaks}"


@fault
def hanging_page(bench: Bench) -> str:
    """A PDF of 2 kB on which PDFium works for minutes, with 10 seconds for a page."""
    body = answer(nested_pdf(levels=5, fan=30), content_type="application/pdf")
    bad = [per_record([record(body, address="https://hang.example/a.pdf")])]
    run, rows = beside_good_pages(bench, "hang", bad, "--workers", 2, "--page-seconds", 10, "--page-memory", 20_000)
    see(rows[0][2] == "took longer than 10 seconds; tried 2 times", rows)
    return f"{told(rows, 1, 'failed')}, 40 good pages read, {run.seconds:.0f} s, {run.peaks}"


@fault
def eating_page(bench: Bench) -> str:
    """The same PDF with 1 GB for a page, and a page of 400,000 words that nobody ever met."""
    words = " ".join(f"word{number}" for number in range(400_000))
    bad = [
        per_record([record(answer(nested_pdf(levels=5, fan=30), content_type="application/pdf"),
                           address="https://eat.example/a.pdf")]),
        per_record([record(answer(f"<!doctype html><p>{words}.</p>".encode()), address="https://eat.example/words")]),
    ]  # fmt: skip
    run, rows = beside_good_pages(bench, "eat", bad, "--workers", 2, "--page-memory", 600)
    see({row[2] for row in rows} == {"needed more than 600 MB of memory; tried 2 times"}, rows)
    return f"{told(rows, 2, 'failed')}, 40 good pages read, {run.seconds:.0f} s, {run.peaks}"


def main() -> None:
    """Try the faults named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FAULTS))
    names = parser.parse_args().names or list(FAULTS)
    unknown = set(names) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    broken = 0
    with tempfile.TemporaryDirectory(prefix="mdclaims-faults-") as folder:
        bench = Bench(Path(folder))
        for name in names:
            begun = time.monotonic()
            try:
                said = FAULTS[name](bench)
            except NotAsItShouldError as error:
                broken += 1
                said = f"NOT AS IT SHOULD: {error}"
            print(f"{name}: {said} [{time.monotonic() - begun:.0f} s]", flush=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
