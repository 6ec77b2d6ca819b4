"""Many files in several processes: equal results, in order, and what ends a process costs one file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest
from helpers import TODAY, environment

from mdclaims.cli.check import Run
from mdclaims.cli.options import Mode, with_options
from mdclaims.config import Settings
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.checking import Checker, CheckOptions
from mdclaims.findings.cleared import CLEARED_NAME
from mdclaims.findings.parallel import WorkerError, ctrl_c_put_off, examine_files
from mdclaims.reports.json_report import render_json

pytestmark = pytest.mark.e2e

DRAFT = "# Laser {n}\n\nLaser {n} relieves pain in {n} days. Side effects are rare. Call us.\n"
ADJUST = partial(with_options, mode=Mode.edit, labels=None, jurisdictions=None)


def in_child():
    return multiprocessing.parent_process() is not None


class PatientChecker(Checker):
    """In this process waits with all but the first file until another has loaded the model; some files are deadly."""

    marker: Path

    def examine_file(self, file):
        if in_child():
            if "deadly" in file.name or ("once" in file.name and not self._seen(file)):
                os.kill(os.getpid(), signal.SIGKILL)
            if file.name.startswith("wrong"):
                raise UsageError(f"{file.name} is wrong")
        elif not file.name.startswith("00"):
            deadline = time.monotonic() + 100
            while not self.marker.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.05)  # leaves most of the files to the others
        return super().examine_file(file)

    @staticmethod
    def _seen(file):
        try:
            file.with_suffix(".seen").touch(exist_ok=False)
        except FileExistsError:
            return True
        return False


@dataclass(frozen=True)
class PatientOptions(CheckOptions):
    """Makes such checkers; tells that a process has loaded the model."""

    marker: Path = Path()

    def load(self, settings):
        screener = super().load(settings)
        if in_child():
            self.marker.touch()
        return screener

    def checker(self, screener, settings, configs):
        checker = PatientChecker(screener, settings, configs, today=self.today)
        checker.marker = self.marker
        return checker


@pytest.fixture
def drafts(tmp_path, monkeypatch):
    """A folder with 30 drafts, two of which need attention of their own."""
    monkeypatch.chdir(tmp_path)
    folder = Path("drafts")
    folder.mkdir()
    for n in range(30):
        (folder / f"{n:02}.md").write_text(DRAFT.format(n=n))
    (folder / "12.md").write_text("<!-- mdclaims: ok efficacy_claim -->\nThe laser relieves pain.\n")
    (folder / "20.md").write_bytes(b"")
    Path(CLEARED_NAME).write_text(
        '[[cleared]]\nlabel = "call_to_action"\ntext = "Call us."\nscope = "everywhere"\nreason = "ours"\n'
        '[[cleared]]\nlabel = "safety_claim"\ntext = "It hurts."\nscope = "everywhere"\nreason = "gone"\n'
    )
    return folder


def examine(options, files, *, workers):
    """Return what came of files, and how a report of all of them reads."""
    configs = options.configs()
    settings = configs.config_of(None).settings
    checker = options.checker(options.load(settings), settings, configs)
    found = list(examine_files(files, checker, options, settings=settings, workers=workers, start_seconds=0))
    report = Run(options).report(checker, zip(files, found, strict=True), [], [Path()])
    return found, render_json(report)


def test_parallel_results_are_those_of_one_process_in_the_same_order(drafts, tmp_path):
    files = sorted(drafts.iterdir())
    _, alone = examine(CheckOptions(None, False, None, ADJUST, TODAY), files, workers=1)
    options = PatientOptions(None, False, None, ADJUST, TODAY, marker=tmp_path / "marker")
    _, together = examine(options, files, workers=2)
    assert options.marker.exists()
    assert together == alone
    assert '"malformed"' in alone or '"no_reason"' in alone
    assert "does nothing" in alone
    assert '"mode": "edit"' in alone
    assert '"source": "drafts/20.md"' in alone.split('"errors"')[1]
    assert not multiprocessing.active_children()


def test_parallel_a_file_that_ends_its_process_is_the_only_one_lost(drafts, tmp_path):
    for name in ("15-once", "25-deadly"):
        (drafts / f"{name}.md").write_text(DRAFT.format(n=name))
    files = sorted(drafts.iterdir())
    options = PatientOptions(None, False, None, ADJUST, TODAY, marker=tmp_path / "marker")
    found, _ = examine(options, files, workers=2)
    lost = {file.name: str(result) for file, result in zip(files, found, strict=True) if isinstance(result, ReadError)}
    assert set(lost) == {"20.md", "25-deadly.md"}
    assert "ends the process that checks it" in lost["25-deadly.md"]
    assert "\n" not in lost["25-deadly.md"]
    assert (drafts / "15-once.seen").exists()
    assert [str(file) for file in files if file.name not in lost] == [
        result.result.page.source for result in found if not isinstance(result, ReadError)
    ]


def test_parallel_an_error_about_more_than_a_file_ends_all_and_leaves_nothing(drafts, tmp_path):
    (drafts / "wrong.md").write_text("It helps.")
    options = PatientOptions(None, False, None, ADJUST, TODAY, marker=tmp_path / "marker")
    with pytest.raises(UsageError, match=r"wrong\.md is wrong"):
        examine(options, sorted(drafts.iterdir()), workers=2)
    assert not multiprocessing.active_children()


@dataclass(frozen=True)
class StillbornOptions(CheckOptions):
    """Ends every process that loads the model."""

    def load(self, settings):
        if in_child():
            os._exit(3)
        return super().load(settings)


class WaitingChecker(Checker):
    """Waits until processes have come and gone."""

    def examine_file(self, file):
        deadline = time.monotonic() + 100
        while multiprocessing.active_children() and time.monotonic() < deadline:
            time.sleep(0.01)
        return super().examine_file(file)


def test_parallel_processes_that_do_not_start_are_told(drafts):
    options = StillbornOptions(None, False, None, ADJUST, TODAY)
    screener = options.load(Settings())
    checker = WaitingChecker(screener, Settings(), options.configs(), today=TODAY)
    results = examine_files(sorted(drafts.iterdir()), checker, options, settings=Settings(), workers=2, start_seconds=0)
    with pytest.raises(WorkerError, match="--workers 1"):
        list(results)


def test_parallel_few_files_start_no_process(drafts, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a process was started")

    monkeypatch.setattr("mdclaims.findings.parallel.ProcessPoolExecutor", refuse)
    options = CheckOptions(None, False, None, ADJUST, TODAY)
    checker = options.checker(options.load(Settings()), Settings(), options.configs())
    assert len(list(examine_files([drafts / "01.md"] * 3, checker, options, settings=Settings(), workers=8))) == 3


FORCED = (
    "import mdclaims.findings.parallel as parallel; "
    "parallel.examine_files.__kwdefaults__['start_seconds'] = 0; "
    "from mdclaims.cli import main; main()"
)


@pytest.fixture
def running(tmp_path):
    """A check that has started its processes and has much left to do."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(1500):
        (folder / f"{n:04}.md").write_text(DRAFT.format(n=n) * 40)
    process = subprocess.Popen(
        [sys.executable, "-c", FORCED, "check", "--workers", "2", str(folder)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    found = psutil.Process(process.pid)
    deadline = time.monotonic() + 100
    while len(children := found.children(recursive=True)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(children) >= 2
    yield process, children
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("wait", [0.0, 4.0])
def test_parallel_ctrl_c_ends_all_quietly(running, wait):
    process, children = running
    time.sleep(wait)  # before and after the processes have loaded the model
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert output == b""
    assert errors == b""
    assert not psutil.wait_procs(children, timeout=20)[1]


def test_parallel_processes_end_with_the_one_that_started_them(running):
    process, children = running
    time.sleep(4)
    process.kill()
    assert not psutil.wait_procs(children, timeout=30)[1]


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_parallel_ctrl_c_is_put_off_while_another_thread_hears_it(handler):
    before = signal.signal(signal.SIGINT, handler)
    go_on = threading.Event()
    other = threading.Thread(target=go_on.wait)
    other.start()
    done = []
    try:
        expected = pytest.raises(KeyboardInterrupt) if handler is signal.default_int_handler else nullcontext()
        with expected, ctrl_c_put_off():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)
            done.append("started")
        assert signal.getsignal(signal.SIGINT) is handler
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT}
    finally:
        go_on.set()
        other.join()
        signal.signal(signal.SIGINT, before)
    assert done == ["started"]
