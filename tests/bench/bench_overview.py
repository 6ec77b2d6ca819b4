"""Time and peak memory of ``mdclaims overview`` on a case, each format in a process of its own.

python tests/bench/large_case.py CASE BIG --findings 1000000
python tests/bench/bench_overview.py BIG
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", type=Path)
    parser.add_argument("--suffix", nargs="*", default=[".csv", ".xlsx"])
    parser.add_argument("--down-to", default="normal")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in options.suffix:
            output = Path(folder) / f"overview{suffix}"
            command = [sys.executable, "-m", "mdclaims", "overview", str(options.case), "-o", str(output)]
            started = time.perf_counter()
            subprocess.run([*command, "--down-to", options.down_to], check=True)
            # The largest of the processes so far, so that a smaller one behind a larger shows as the larger.
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            megabytes = output.stat().st_size / 1e6
            print(
                f"{suffix}: {time.perf_counter() - started:.0f} s, peak {peak:,.0f} MB, file {megabytes:,.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
