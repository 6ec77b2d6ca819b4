"""Checking a folder in one process and in several, in one run: ``python tests/bench/bench_folder.py [FOLDER]``.

FOLDER holds pages; without it the example page is copied many times. The whole command is timed, from its start to its
end, three times each in turn, and the shortest counts: with `--workers 1` and with one process for each core. Prints
seconds and their ratio, how many cores were free (others may use the machine), and whether both reports are the same
byte for byte; never asserts a time. `--times N` checks N copies of the
folder, which shows from where on processes pay.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "mdclaims" / "data" / "examples" / "knee-clinic.html"
COUNT = "for _ in range(100_000_000): pass"
PROGRAM = [sys.executable, "-m", "mdclaims", "check", "--format", "json", "--exit-zero"]


def folder_of(place: Path, given: Path | None, times: int) -> Path:
    """Return a folder with so many copies of the pages of another, or of the example page."""
    found = [path for path in sorted(given.rglob("*")) if path.is_file()] if given else [EXAMPLE] * 400
    for copy in range(times):
        for n, path in enumerate(found):
            (place / f"{copy}-{n}").mkdir()
            shutil.copy(path, place / f"{copy}-{n}" / path.name)
    return place


def start_seconds() -> float:
    """Return how long a process takes until it has loaded the model."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import mdclaims; mdclaims.load()"], check=True)
    return time.perf_counter() - began


def free_cores(cores: int) -> float:
    """Return how many cores are free: how much more counting is done by so many processes than by one."""

    def seconds(processes: int) -> float:
        began = time.perf_counter()
        started = [subprocess.Popen([sys.executable, "-c", COUNT]) for _ in range(processes)]
        for process in started:
            process.wait()
        return time.perf_counter() - began

    return cores * seconds(1) / seconds(cores)


def check(folder: Path, workers: int) -> tuple[float, bytes]:
    """Return the seconds of a check, and its report."""
    began = time.perf_counter()
    result = subprocess.run([*PROGRAM, "--workers", str(workers), str(folder)], capture_output=True, check=False)
    if result.returncode not in {0, 3}:
        raise SystemExit(result.stderr.decode())
    return time.perf_counter() - began, result.stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--times", type=int, default=1)
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"cores free before: {free_cores(cores):.1f} of {cores}")
    with tempfile.TemporaryDirectory() as place:
        folder = folder_of(Path(place), arguments.folder, arguments.times)
        starts = [start_seconds() for _ in range(3)]
        print(f"start of a process and loading of the model: {min(starts):.1f} to {max(starts):.1f} s")
        seconds: dict[int, list[float]] = {1: [], cores: []}
        reports: dict[int, bytes] = {}
        for _ in range(3):
            for workers, times in seconds.items():
                spent, reports[workers] = check(folder, workers)
                times.append(spent)
        alone, together = min(seconds[1]), min(seconds[cores])
    pages = len(json.loads(reports[1])["pages"])
    print(f"{pages} pages; one process {alone:.1f} s, {cores} processes {together:.1f} s")
    print(f"cores free after: {free_cores(cores):.1f} of {cores}")
    print(f"ratio {alone / together:.2f}; reports equal byte for byte: {reports[1] == reports[cores]}")


if __name__ == "__main__":
    main()
