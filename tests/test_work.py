"""What a worker of `screen` does with batches of pages; what it does when it dies is in test_screen.py."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mdclaims.cases import work
from mdclaims.cases.batch import SourceFile, Task
from mdclaims.cases.engine import Here, Progress
from mdclaims.cases.sites import Sites
from mdclaims.config import Settings

NAMES = [f"{letter}.txt" for letter in "abcdefg"]


class Failing:
    """A screener that a page brings down."""

    def __init__(self, screener, text):
        self.screener, self.text = screener, text

    def __getattr__(self, name):
        return getattr(self.screener, name)

    def screen_pages(self, pages):
        if any(self.text in page.text for page in pages):
            raise ZeroDivisionError("of a page")
        return self.screener.screen_pages(pages)


@pytest.fixture
def task(tmp_path):
    """Texts of a folder, one of which is empty."""
    files = []
    for number, name in enumerate(NAMES):
        path = tmp_path / name
        path.write_text(f"Our laser ends back pain number {number} for good.\n" if name != "c.txt" else "")
        files.append(SourceFile(path=path, name=name, site="a.example", size=path.stat().st_size))
    return Task(0, 1, files=tuple(files), name="drafts")


def pages(case: Path, task: Task, progress: Progress, failing: str | None = None) -> list[dict[str, object]]:
    """Do a task; return the rows of its pages."""
    begin = work.Begin(case, Settings(mode="screen"), Sites.of(()))
    screener = begin.screener()
    if failing:
        screener = Failing(screener, failing)  # type: ignore[assignment]
    assert begin.work(screener)(task, progress, Here(lambda part: None))
    return [row for path in sorted(case.glob("pages/*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_batches_of_any_size_and_careful_work_write_the_same(task, tmp_path, monkeypatch):
    whole = pages(tmp_path / "whole", task, Progress())
    assert [row["file"] for row in whole] == NAMES
    assert [row["page"] for row in whole] == [f"0-{number}" for number in range(len(NAMES))]
    assert pages(tmp_path / "careful", task, Progress(careful=True)) == whole
    for size in (1, 2, 3):
        monkeypatch.setattr(work, "_BATCH_ITEMS", size)
        assert pages(tmp_path / f"size{size}", task, Progress()) == whole


def test_a_page_that_brings_its_batch_down_is_told_and_the_others_are_judged(task, tmp_path):
    whole = pages(tmp_path / "whole", task, Progress())
    found = pages(tmp_path / "failing", task, Progress(), failing="number 4 ")
    assert [row for row in found if row["file"] != "e.txt"] == [row for row in whole if row["file"] != "e.txt"]
    (failed,) = [row for row in found if row["file"] == "e.txt"]
    assert failed["outcome"] == "failed"
    assert failed["reason"] == "internal error (ZeroDivisionError: of a page); report it with the page"
