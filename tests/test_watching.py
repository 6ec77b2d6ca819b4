"""`check --watch`: what is saved is checked again, and nothing else; the real program in a process of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers import environment, run_cli

from mdclaims.config import ConfigFinder
from mdclaims.findings import watching
from mdclaims.findings.cleared import CLEARED_NAME
from mdclaims.findings.watching import FolderWatcher, folders_below, settings_files, signature

STRONG = "# Laser\n\nThe laser cures every worn knee for good.\n"
PLAIN = "# Laser\n\nWe are open Monday to Friday.\n"


def test_watching_a_signature_changes_with_every_way_to_save(tmp_path):
    file = tmp_path / "a.md"
    assert signature(file) is None
    file.write_text("one")
    seen = [signature(file)]
    file.write_text("three")  # in place
    seen.append(signature(file))
    other = tmp_path / "a.md.tmp"
    other.write_text("seven")  # by a new file that takes the name, with the old time
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    seen.append(signature(file))
    assert len(set(seen)) == 3


def test_watching_names_every_file_that_settings_can_come_from(tmp_path):
    (tmp_path / ".git").mkdir()
    inner = tmp_path / "site" / "drafts"
    inner.mkdir(parents=True)
    (tmp_path / "mdclaims.toml").write_text('cues = ["own.toml"]\nwording = "words.toml"\n')
    found = settings_files([inner / "a.md"], [inner], ConfigFinder())
    beside = {place / name for place in (inner, inner.parent, tmp_path) for name in ("mdclaims.toml", CLEARED_NAME)}
    assert beside <= found
    assert {tmp_path / "own.toml", tmp_path / "words.toml", tmp_path / "pyproject.toml"} <= found
    assert all(path.is_relative_to(tmp_path) for path in found)


def test_watching_folders_below_are_all_of_them(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert folders_below(tmp_path) == {tmp_path, tmp_path / "a", tmp_path / "a" / "b"}


def test_watching_wait_returns_when_something_is_saved_or_a_folder_goes(tmp_path, monkeypatch):
    # Not only because it looks now and then.
    monkeypatch.setattr(watching, "_LOOK_MS", 3_600_000)
    inner = tmp_path / "inner"
    inner.mkdir()
    watcher = FolderWatcher()
    for change in (lambda: (inner / "a.md").write_text("It helps."), (inner / "a.md").unlink):
        threading.Timer(0.5, change).start()
        watcher.wait([inner])
    monkeypatch.undo()
    inner.rmdir()
    watcher.wait([tmp_path, inner])
    watcher.close()


# --- the program --------------------------------------------------------------------------------------------------


class Watch:
    """A running `check --watch`; gives its lines as they come."""

    def __init__(self, folder, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "mdclaims", "check", "--watch", "--mode", "edit", *arguments],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))

    def round(self):
        """Return what is written until it waits again."""
        lines = []
        while not lines or not re.search(r"watching .*; Ctrl-C ends it", lines[-1]):
            lines.append(self._lines.get(timeout=60))
        return "\n".join(lines)

    def end(self):
        """Press Ctrl-C, and return the exit code and what is written after it."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(timeout=30)
        time.sleep(0.1)
        return code, list(self._lines.queue)

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()


@pytest.fixture
def drafts(tmp_path):
    (tmp_path / ".git").mkdir()  # configs are looked for no further
    folder = tmp_path / "drafts"
    folder.mkdir()
    (folder / "a.md").write_text(STRONG)
    (folder / "b.md").write_text(PLAIN)
    return folder


@pytest.fixture
def watch(drafts):
    started = []

    def start(*arguments):
        started.append(Watch(drafts.parent, *arguments))
        return started[-1]

    yield start
    for entry in started:
        entry.close()


def save(file, text):
    """Save as editors do: a new file takes the name."""
    new = file.with_name(f".{file.name}.swp")
    new.write_text(text)
    new.replace(file)


@pytest.mark.e2e
def test_watch_checks_again_what_is_saved_and_that_alone(drafts, watch):
    running = watch("drafts")
    first = running.round()
    assert "drafts/a.md" in first
    assert "drafts/b.md" in first or "b.md" in first
    assert "2 inputs: 1 thing to look at first" in first
    assert "watching 2 files" in first

    save(drafts / "b.md", STRONG)
    second = running.round()
    assert "drafts/b.md" in second
    assert "a.md" not in second
    assert "2 inputs: 2 things to look at first" in second

    (drafts / "deep").mkdir()
    (drafts / "deep" / "c.txt").write_text("The laser cures every worn hip for good.\n")
    third = running.round()
    assert "drafts/deep/c.txt" in third
    assert "3 inputs: 3 things to look at first" in third

    (drafts / "a.md").rename(drafts / "z.md")
    fourth = running.round()
    assert "drafts/z.md" in fourth
    assert "drafts/a.md is gone" in fourth
    (drafts / "deep" / "c.txt").unlink()
    assert "drafts/deep/c.txt is gone" in running.round()
    assert running.end() == (130, [])


@pytest.mark.e2e
def test_watch_follows_configs_and_cleared_wording_through_mistakes(drafts, watch):
    running = watch("drafts")
    running.round()
    config = drafts.parent / "mdclaims.toml"
    save(config, 'labels = ["call_to_action"]\n')
    assert "2 inputs: nothing found" in running.round()
    save(config, "lables = []\n")
    assert "unknown key" in running.round()
    save(config, 'exclude = ["b.md"]\n')
    mended = running.round()
    assert "1 input: 1 thing to look at first" in mended
    assert "drafts/b.md is gone, or left out now" in mended
    (drafts / CLEARED_NAME).write_text(
        '[[cleared]]\nlabel = "efficacy_claim"\ntext = "The laser cures every worn knee for good."\n'
        'scope = "everywhere"\nreason = "ours"\n'
    )
    assert "1 input: nothing found" in running.round()
    assert running.end() == (130, [])


@pytest.mark.e2e
def test_watch_tells_what_cannot_be_read_and_goes_on(drafts, watch):
    running = watch("drafts/a.md")
    running.round()
    save(drafts / "a.md", "")
    assert "not read: drafts/a.md" in running.round()
    save(drafts / "b.md", STRONG)  # not watched
    save(drafts / "a.md", PLAIN)
    again = running.round()
    assert "1 input: nothing found" in again
    assert "not read" not in again
    (drafts / "a.md").unlink()
    assert "does not exist" in running.round()
    (drafts / "a.md").write_text(STRONG)
    assert "1 thing to look at first" in running.round()


@pytest.mark.e2e
def test_watch_writes_a_report_of_all_each_time_and_never_checks_it(drafts, watch):
    running = watch("drafts", "--format", "html", "--output", "drafts/report.html")
    first = running.round()
    assert "wrote drafts/report.html" in first
    report = drafts / "report.html"
    assert "cures every worn knee" in report.read_text()
    save(drafts / "b.md", "The laser cures every worn hip for good.\n")
    second = running.round()
    assert "2 inputs" in second
    text = report.read_text()
    assert "worn hip" in text
    assert "worn knee" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-"], "standard input is read once"),
        (["drafts", "--changed-since", "HEAD"], "goes without"),
        (["drafts/a.md", "--against", "drafts/b.md"], "goes without"),
        (["drafts", "--format", "json"], "--output"),
    ],
)
def test_watch_refuses_what_it_cannot_do(drafts, arguments, said):
    result = run_cli("check", "--watch", *arguments, cwd=drafts.parent)
    assert result.returncode == 2
    assert said in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1


def test_watch_without_its_extra_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(Exception, match=r'pip install "mdclaims\[watch\]"'):
        FolderWatcher()
