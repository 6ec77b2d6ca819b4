"""The pool of processes: what kills, hangs or eats memory costs itself alone. The work is made for it, not the pool."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from mdclaims.cases.batch import Task
from mdclaims.cases.engine import EngineError, PageLimits, ProcessEngine
from mdclaims.cases.store import CaseError, Part

pytestmark = pytest.mark.e2e

ITEMS = 4


@dataclass(frozen=True)
class Begin:
    """Makes a worker whose task is four items, each a part; what one item does is written down here."""

    deeds: dict

    def __call__(self):
        return self.work

    def work(self, task, progress, tell):
        culprits = {culprit.place: culprit for culprit in progress.culprits}
        first = progress.last.place[0] + 1 if progress.last else 0
        for item in range(first, ITEMS):
            if (item, 0) in culprits:
                said = {"culprit": culprits[item, 0].reason}
            else:
                tell.reading((item, 0), f"item {item}")
                self.do(self.deeds.get((task.number, item)))
                said = {"pid": str(os.getpid())}
            tell.finished(Part(task.number, item, (item, 0), item + 1, 1, 0, said))
        return True

    def do(self, deed):
        if deed == "die":
            os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        elif deed == "exit":
            os._exit(7)
        elif deed == "hang":
            time.sleep(600)
        elif deed == "eat":
            kept = [bytearray(os.urandom(1)) * 10_000_000 for _ in range(200)]
            time.sleep(600 + len(kept))
        elif deed == "full":
            raise CaseError("the disk is full")
        elif deed and not Path(deed).exists():  # dies the first time alone
            Path(deed).touch()
            os._exit(9)


@dataclass(frozen=True)
class NoStart:
    """Makes no worker."""

    def __call__(self):
        os._exit(3)


def run(begin, tasks=2, workers=2, finished=None, **limits):
    parts, done = [], []
    engine = ProcessEngine(
        begin,
        workers=workers,
        limits=PageLimits(**limits),
        on_part=parts.append,
        on_done=lambda task: done.append(task.number),
    )
    engine.run([Task(number, 1) for number in range(tasks)], finished or {})
    return parts, done


def test_engine_does_every_item_once():
    parts, done = run(Begin({}), tasks=3)
    assert sorted((part.task, part.number) for part in parts) == [(t, n) for t in range(3) for n in range(ITEMS)]
    assert sorted(done) == [0, 1, 2]
    assert 1 <= len({part.files["pid"] for part in parts}) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_engine_goes_on_behind_what_kills_hangs_or_eats(tmp_path):
    once = str(tmp_path / "once")
    deeds = {(0, 1): "die", (0, 2): "exit", (1, 0): "hang", (1, 1): once, (2, 3): "eat"}
    parts, done = run(Begin(deeds), tasks=3, seconds=3.0, megabytes=700)
    assert sorted((part.task, part.number) for part in parts) == [(t, n) for t in range(3) for n in range(ITEMS)]
    assert sorted(done) == [0, 1, 2]
    assert {(part.task, part.number): part.files["culprit"] for part in parts if "culprit" in part.files} == {
        (0, 1): "its worker was ended by SIGKILL; tried 2 times",
        (0, 2): "its worker ended with code 7; tried 2 times",
        (1, 0): "took longer than 3 seconds; tried 2 times",
        (2, 3): "needed more than 700 MB of memory; tried 2 times",
    }


def test_engine_goes_on_behind_finished_parts():
    parts, _ = run(Begin({}), tasks=1, finished={0: Part(0, 1, (1, 0), 2, 1, 0, {})})
    assert [part.number for part in parts] == [2, 3]


def test_engine_passes_on_errors_of_ours():
    with pytest.raises(CaseError, match="the disk is full"):
        run(Begin({(0, 2): "full"}))


def test_engine_says_if_workers_do_not_start():
    with pytest.raises(EngineError, match="workers do not start"):
        run(NoStart())
