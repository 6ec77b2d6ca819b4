"""Inputs to tasks: names, order and division do not hang on anything but the inputs."""

import gzip

import pytest
from archives import page_record, per_record

from mdclaims.cases import batch
from mdclaims.cases.batch import find_inputs, hash_inputs, plan_tasks
from mdclaims.errors import UsageError
from mdclaims.reading import Limits


@pytest.fixture
def folder(tmp_path):
    """A folder with pages, an archive and something else."""
    inner = tmp_path / "drafts" / "north"
    inner.mkdir(parents=True)
    (inner / "a.html").write_text("<p>A</p>")
    (tmp_path / "drafts" / "b.md").write_text("B")
    (tmp_path / "drafts" / "notes.xyz").write_text("?")
    (tmp_path / "drafts" / "old.warc.gz").write_bytes(per_record([page_record(n) for n in range(40)]))
    return tmp_path / "drafts"


def test_find_inputs_looks_into_folders(folder):
    found = find_inputs([str(folder), "https://a.example/", "https://u@a.example/", "gone"], Limits())
    assert [name for name, _ in found.archives] == ["drafts/old.warc.gz"]
    assert [(file.name, file.site) for file in found.files] == [
        ("drafts/b.md", "b.md"),
        ("drafts/north/a.html", "north"),
    ]
    assert found.addresses == ("https://a.example/",)
    assert len(found.problems) == 2
    assert "user name" in found.problems[0]
    assert "gone: does not exist" in found.problems[1]


def test_find_inputs_refuses_two_of_one_name(folder, tmp_path):
    (tmp_path / "b.md").write_text("B")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.md").write_text("C")
    with pytest.raises(UsageError, match="would both be called b"):
        find_inputs([str(tmp_path / "b.md"), str(tmp_path / "more" / "b.md")], Limits())


def test_plan_tasks_divides_large_archives_and_bundles_files(folder, monkeypatch):
    monkeypatch.setattr(batch, "TARGET_BYTES", 2_000)
    monkeypatch.setattr(batch, "_BUNDLE_FILES", 1)
    tasks, problems = plan_tasks(find_inputs([str(folder)], Limits()))
    assert not problems
    ranges = [task.part for task in tasks if task.part]
    assert len(ranges) > 2
    assert [part.start for part in ranges[1:]] == [part.end for part in ranges[:-1]]
    assert [len(task.files) for task in tasks if task.part is None] == [1, 1]
    assert [task.number for task in tasks] == list(range(len(tasks)))


def test_plan_tasks_says_which_archive_cannot_be_read(tmp_path):
    (tmp_path / "a.wacz").write_bytes(gzip.compress(b"x"))
    inputs = find_inputs([str(tmp_path / "a.wacz")], Limits())
    tasks, problems = plan_tasks(inputs)
    assert not tasks
    assert "a.wacz: " in problems[0]
    entries, missing = hash_inputs(inputs)
    assert (entries[0]["name"], missing) == ("a.wacz", [])
