"""worker.py: what takes too long or needs too much is told in one line, and the next question is answered."""

import sys
import threading

import pytest

from mdclaims.desk import worker as module
from mdclaims.desk.checks import Wishes
from mdclaims.desk.worker import Document, Options, Worker
from mdclaims.errors import MdclaimsError, ReadError, UsageError
from mdclaims.reading import Limits

pytestmark = pytest.mark.e2e
TEXT = Document(b"Shockwave therapy cures knee pain for good.", "a.txt", "text")
LONG = Document(b"Shockwave therapy cures knee pain for good in 3 visits. " * 60_000, "a.txt", "text")


@pytest.fixture
def worker():
    worker = Worker(Options(None, None, False, Limits()))
    yield worker
    worker.close()


def test_errors_come_back_and_the_process_stays(worker):
    with pytest.raises(ReadError, match="is empty"):
        worker.draft(Document(b" ", "a.txt", "text"))
    process = worker._running[0]
    with pytest.raises(UsageError, match="unknown mode"):
        worker.json(TEXT, Wishes(mode="wild"))
    assert b'"findings"' in worker.json(TEXT, Wishes())
    assert worker._running[0] is process


def test_what_takes_too_long_is_given_up(worker, monkeypatch):
    worker.json(TEXT, Wishes())
    monkeypatch.setattr(module, "SECONDS", 1.0)
    with pytest.raises(ReadError, match="takes longer than 1 seconds"):
        worker.json(LONG, Wishes())
    monkeypatch.undo()
    assert worker.draft(TEXT)[0]["runs"][0]["text"] == TEXT.data.decode()


def test_a_process_that_ends_is_told_and_followed_by_another(worker):
    worker.draft(TEXT)
    process = worker._running[0]
    timer = threading.Timer(0.5, process.kill)
    timer.start()
    with pytest.raises(MdclaimsError, match="the process that read it ended"):
        worker.json(LONG, Wishes())
    timer.join()
    assert worker.draft(TEXT)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system keeps to no bound")
def test_what_needs_too_much_memory_is_given_up(monkeypatch, tmp_path):
    from mdclaims.desk.worker import _bound_memory  # in a process of its own: a bound is for good

    assert callable(_bound_memory)
    script = (
        "from mdclaims.desk import worker; worker.MEGABYTES = 300; worker._bound_memory()\n"
        "try: bytearray(400_000_000)\nexcept MemoryError: print('refused')"
    )
    from helpers import run_python

    assert run_python("-c", script).stdout == b"refused\n"
