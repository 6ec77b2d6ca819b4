"""`mdclaims screen --cluster` on real clusters: processes of this machine, and what becomes of a run when some end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
from archives import answer, page_record, per_record, record

from mdclaims.cases.store import connect

pytest.importorskip("distributed")
pytestmark = pytest.mark.e2e

SLOW = "<!doctype html><p>" + "word " * 900_000


def start(*command, **how):
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how
    )


def screening(folder, case, *options):
    return start("mdclaims", "screen", folder, "--case", case, *options)


def ended(process, code=0):
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err + out
    return out, err


def parts(case):
    """Return the bytes of everything that does not tell when it was made."""
    return {
        path.relative_to(case).as_posix(): path.read_bytes()
        for path in sorted(case.rglob("*"))
        if path.is_file() and path.name not in {"journal.jsonl", "manifest.json"}
    }


@contextmanager
def scheduler(folder):
    """Start a scheduler; give its process and its address."""
    file = folder / "scheduler.json"
    process = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
                    "--scheduler-file", file)  # fmt: skip
    try:
        until(file.exists, process)
        yield process, json.loads(file.read_text())["address"]
    finally:
        process.kill()
        process.communicate()


@contextmanager
def workers(folder, address, *options, threads=1, **how):
    """Start workers of a scheduler; give the process that holds their nannies."""
    process = start("distributed.cli.dask_worker", address, "--nthreads", threads, "--no-dashboard", *options,
                    cwd=folder, **how)  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    """Give the address of a cluster and the process that holds its two workers."""
    folder = tmp_path_factory.mktemp("cluster")
    with scheduler(folder) as (_, address), workers(folder, address, "--nworkers", 2) as process:
        yield address, process


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Two archives, one of them in two parts, and a file; with their case, made on this machine."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, count in (("a", 520), ("b", 60), ("c", 60)):
        (folder / f"{name}.warc.gz").write_bytes(per_record([page_record(number) for number in range(count)]))
    (folder / "page.html").write_text("<!doctype html><p>It cures knee pain for good.</p>", encoding="utf-8")
    case = tmp_path_factory.mktemp("local") / "case"
    ended(screening(folder, case, "--workers", 2))
    return folder, parts(case)


def until(condition, process=None):
    for _ in range(600):
        if condition():
            return
        if process is not None and process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(process.communicate() if process is not None else "not within half a minute")


def first_part(case):
    return lambda: list(case.glob("pages/*.parquet"))


def kill_workers(process, number):
    """End workers as the system does when memory runs out."""
    found = [one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())]
    assert len(found) == 2
    for one in found[:number]:
        one.kill()


def test_cluster_finds_the_same_as_this_machine(two_workers, inputs, tmp_path):
    folder, expected = inputs
    out, err = ended(screening(folder, tmp_path / "case", "--cluster", two_workers[0]))
    assert "641 pages found, 641 read" in out
    assert err == ""
    assert parts(tmp_path / "case") == expected


def test_cluster_loses_nothing_with_a_worker_or_itself(two_workers, inputs, tmp_path):
    folder, expected = inputs
    address, cluster = two_workers
    case = tmp_path / "case"
    process = screening(folder, case, "--cluster", address)
    until(first_part(case), process)
    kill_workers(cluster, 1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert ended(process, 130) == ("", "")

    process = screening(folder, case, "--cluster", address)
    until(lambda: len(list(case.glob("notes/*/*.json"))) > 1, process)
    kill_workers(cluster, 2)
    out, _ = ended(process)
    assert "641 pages found, 641 read" in out
    assert parts(case) == expected


def test_cluster_run_goes_on_without_a_cluster(two_workers, inputs, tmp_path):
    folder, expected = inputs
    case = tmp_path / "case"
    process = screening(folder, case, "--cluster", two_workers[0])
    until(first_part(case), process)
    process.kill()
    process.communicate()
    ended(screening(folder, case, "--workers", 1))
    assert parts(case) == expected


def test_cluster_records_a_page_that_ends_its_workers(two_workers, tmp_path):
    bad = record(answer(SLOW.encode()), address="https://slow.example/")
    records = [page_record(0), bad, page_record(1)]
    (tmp_path / "a.warc.gz").write_bytes(per_record(records))
    limits = ("--page-seconds", "0.4")
    out, _ = ended(screening(tmp_path / "a.warc.gz", tmp_path / "case", "--cluster", two_workers[0], *limits), 3)
    assert "3 pages found, 2 read" in out
    with connect(tmp_path / "case") as connection:
        rows = connection.execute("SELECT address, reason FROM pages WHERE outcome = 'failed'").fetchall()
    assert rows == [("https://slow.example/", "took longer than 0.4 seconds; tried 2 times")]


def test_cluster_that_goes_away_is_told_in_one_line(inputs, tmp_path):
    folder, _ = inputs
    case = tmp_path / "case"
    with scheduler(tmp_path) as (process, address), workers(tmp_path, address):
        run = screening(folder, case, "--cluster", address)
        until(first_part(case), run)
        process.kill()
        _, err = ended(run, 2)
    assert err == (
        f"mdclaims: the connection to the Dask scheduler at {address} is lost; what is finished stays: run the same "
        "command again to go on\n"
    )
    _, err = ended(screening(folder, case, "--cluster", address), 2)
    assert err == f"mdclaims: no Dask scheduler answers at {address}; start one with: dask scheduler\n"


def refusal(address, folder, case):
    out, err = ended(screening(folder, case, "--cluster", address), 2)
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_cluster_refuses_workers_that_are_not_fit(inputs, tmp_path):
    folder, _ = inputs
    case = tmp_path / "case"
    old = tmp_path / "old" / "mdclaims-0.0.1.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: mdclaims\nVersion: 0.0.1\n")
    path = os.pathsep.join([str(old.parent), os.environ.get("PYTHONPATH", "")])
    with scheduler(tmp_path) as (_, address):
        assert "has no workers; start some with: dask worker" in refusal(address, folder, case)
        with workers(tmp_path, address, env={**os.environ, "PYTHONPATH": path}):
            assert "has mdclaims 0.0.1 and this machine " in refusal(address, folder, case)
        with workers(tmp_path, address, threads=2):
            assert "has 2 threads; start workers with --nthreads 1" in refusal(address, folder, case)
        with workers(tmp_path, address, "--no-nanny"):
            assert "has no nanny that starts it again" in refusal(address, folder, case)
