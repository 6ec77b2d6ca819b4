"""Files at a git revision: real repositories, and clear errors where there is none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from helpers import git

from mdclaims.errors import UsageError
from mdclaims.reading import revisions
from mdclaims.reading.revisions import Revisions


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit of three drafts."""
    folder = tmp_path / "site"
    (folder / "drafts").mkdir(parents=True)
    git(folder, "init", "-q")
    for name in ("a.md", "b.md", "drafts/c é.md"):
        (folder / name).write_text(
            f"This is the draft {name}, which is long enough to be known again.\n", encoding="utf-8"
        )
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def test_read_gives_the_bytes_of_the_revision(repository):
    (repository / "a.md").write_text("New.")
    revision = Revisions("HEAD").of(repository)
    name, data = revision.read(repository / "a.md")
    assert name.as_posix() == "a.md"
    assert data.startswith(b"This is the draft a.md")
    assert revision.read(repository / "new.md") is None


def test_what_is_unchanged(repository):
    (repository / "a.md").write_text("New.")
    (repository / "new.md").write_text("New.")
    found = Revisions("HEAD")
    changed = [
        name
        for name in ("a.md", "b.md", "drafts/c é.md", "new.md")
        if not found.of((repository / name).parent).is_unchanged(repository / name)
    ]
    assert changed == ["a.md", "new.md"]
    assert found.of(repository) is found.of(repository / "drafts")


def test_a_renamed_file_is_followed_and_a_deleted_one_named(repository):
    git(repository, "mv", "a.md", "drafts/z.md")
    git(repository, "rm", "-q", "b.md")
    revision = Revisions("HEAD").of(repository / "drafts")
    name, data = revision.read(repository / "drafts" / "z.md")
    assert name.as_posix() == "a.md"
    assert b"draft a.md" in data
    assert not revision.is_unchanged(repository / "drafts" / "z.md")
    assert [path.name for path in revision.deleted] == ["b.md"]


def test_a_folder_that_is_a_link(repository, tmp_path):
    (tmp_path / "link").symlink_to(repository, target_is_directory=True)
    revision = Revisions("HEAD").of(tmp_path / "link")
    assert revision.is_unchanged(tmp_path / "link" / "a.md")


@pytest.mark.parametrize("name", ["nowhere", "--help", "-x", "", "HEAD:a.md", "HEAD\nHEAD"])
def test_an_unknown_revision(repository, name):
    with pytest.raises(UsageError, match="is no revision of the repository"):
        Revisions(name).of(repository)


def test_a_folder_in_no_repository(tmp_path):
    with pytest.raises(UsageError, match="lies in no git repository that can be read \\(not a git repository"):
        Revisions("HEAD").of(tmp_path)


def test_a_repository_without_commits(tmp_path):
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError, match="'HEAD' is no revision"):
        Revisions("HEAD").of(tmp_path)


def test_git_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs git"):
        Revisions("HEAD").of(tmp_path)


def test_a_hook_of_another_repository_does_not_mislead(repository, tmp_path, monkeypatch):
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "nothing"))
    assert Revisions("HEAD").of(repository).is_unchanged(repository / "a.md")


def test_no_program_that_a_repository_names_is_run(repository, tmp_path):
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    (repository / ".gitattributes").write_text("*.md diff=trap filter=tr=ap\n")
    keys = ("diff.trap.textconv", "diff.trap.command", "diff.external", "core.fsmonitor", "core.pager")
    for key in (*keys, "filter.tr=ap.clean", "filter.tr=ap.smudge"):
        git(repository, "config", key, str(trap))
    git(repository, "config", "filter.tr=ap.required", "true")
    (repository / "a.md").write_text("New.")
    revision = Revisions("HEAD").of(repository)
    assert revision.read(repository / "a.md") is not None
    assert not (tmp_path / "sprung").exists()


def test_a_lacking_object_is_not_fetched(repository, tmp_path):
    blob = subprocess.check_output(["git", "-C", repository, "rev-parse", "HEAD:a.md"], text=True).strip()
    (repository / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", f"ext::sh -c touch% {tmp_path}/sprung"),
        ("protocol.ext.allow", "always"),
    ):
        git(repository, "config", key, value)
    revision = Revisions("HEAD").of(repository)
    with pytest.raises(UsageError, match="git cannot read the repository"):
        revision.read(repository / "a.md")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_a_folder_whose_name_is_no_utf8(repository, tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    repository.rename(folder)
    assert Revisions("HEAD").of(folder).is_unchanged(folder / "a.md")


def test_a_failure_in_between_is_one_error(repository, monkeypatch):
    def run(arguments, **options):
        if "ls-tree" in arguments:
            raise subprocess.CalledProcessError(128, arguments, stderr=b"fatal: bad\nobject\n")
        return real(arguments, **options)

    real = subprocess.run
    monkeypatch.setattr(revisions.subprocess, "run", run)
    with pytest.raises(UsageError, match=r"git cannot read the repository at .* \(bad object\)"):
        Revisions("HEAD").of(repository)
    assert os.environ.get("GIT_DIR") is None
