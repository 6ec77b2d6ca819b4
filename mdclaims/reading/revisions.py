"""Documents as they were at a revision of a git repository: their bytes, and which of them changed since.

It runs git, reads its objects, and changes nothing. No filter, hook or program that a repository names is run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mdclaims.errors import UsageError

# A hook that runs mdclaims sets these for its own repository; files are looked up where they lie.
_SET_BY_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


class Revisions:
    """One revision, in whichever repositories the files lie.

    Parameters
    ----------
    name : str
        As git knows it: a branch, a tag, a commit, ``HEAD~1``.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._of_folder: dict[Path, Revision] = {}
        self._of_root: dict[Path, Revision] = {}

    def of(self, folder: Path) -> Revision:
        """Return the revision of the repository that a folder lies in.

        Raises
        ------
        UsageError
            As `Revision`.
        """
        if folder not in self._of_folder:
            root = repository_of(folder)
            if root not in self._of_root:
                self._of_root[root] = Revision(self.name, root)
            self._of_folder[folder] = self._of_root[root]
        return self._of_folder[folder]


def repository_of(folder: Path) -> Path:
    """Return the root of the repository that a folder lies in.

    Raises
    ------
    UsageError
        If it lies in none, or git is missing.
    """
    try:
        root = _git(folder, "rev-parse", "--show-toplevel")
    except _GitError as error:
        raise UsageError(
            f"{folder} lies in no git repository that can be read ({error.said}); "
            "--changed-since compares with a revision of one"
        ) from error
    return Path(os.path.realpath(os.fsdecode(root).removesuffix("\n")))


class Revision:
    """A revision of one repository.

    Parameters
    ----------
    name : str
    root : Path
        Of the repository, as `repository_of` gives it.

    Raises
    ------
    UsageError
        If the revision is unknown.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        try:
            commit = _git(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except _GitError as error:
            raise UsageError(
                f"{name!r} is no revision of the repository {self.root}; name a branch, tag or commit"
            ) from error
        self._commit = commit.decode().strip()
        listing = _git(self.root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self._commit)
        self._names = {os.fsdecode(name) for name in listing.split(b"\0") if name}
        self._changed: set[str] = set()
        self.deleted: tuple[Path, ...] = ()
        """Files that were there and are not any more; a renamed file is still there."""
        self._before: dict[str, str] = {}
        self._read_changes()

    def _read_changes(self) -> None:
        listing = _git(self.root, "diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all", "--find-renames",
                       "--name-status", "-z", self._commit, "--", without=_filters(self.root))  # fmt: skip
        fields = iter(os.fsdecode(field) for field in listing.split(b"\0"))
        deleted: list[Path] = []
        for status in fields:
            if not status:
                break
            name = next(fields)
            if status[0] in "RC":
                name, before = next(fields), name
                self._before[name] = before
            elif status[0] == "D":
                deleted.append(self.root / name)
            self._changed.add(name)
        self.deleted = tuple(deleted)

    def is_unchanged(self, file: Path) -> bool:
        """Return whether a file is the same now, byte for byte but for line ends."""
        name = self._name(file)
        return name in self._names and name not in self._changed

    def read(self, file: Path) -> tuple[Path, bytes] | None:
        """Return the name that a file had at the revision, and its bytes then; None if it was not there."""
        name = self._name(file)
        name = self._before.get(name, name)
        if name not in self._names:
            return None
        return Path(name), _git(self.root, "cat-file", "blob", f"{self._commit}:{name}")

    def _name(self, file: Path) -> str:
        # git's root has no links in it; the file itself may be one, and git keeps it as such.
        place = Path(os.path.realpath(file.parent)) / file.name
        return Path(os.path.relpath(place, self.root)).as_posix()


class _GitError(UsageError):
    """git refused; `said` is what it said."""

    def __init__(self, folder: Path, stderr: bytes) -> None:
        self.said = " ".join(stderr.decode(errors="replace").removeprefix("fatal: ").split())[:200] or "no reason given"
        super().__init__(f"git cannot read the repository at {folder} ({self.said})")


def _filters(root: Path) -> list[str]:
    """Return the keys that name a program which git runs over a file before it compares it, or ask for one."""
    listing = _git(root, "config", "--list", "--name-only", "-z")
    keys = {os.fsdecode(key) for key in listing.split(b"\0")}
    return sorted(key for key in keys if key.startswith("filter."))


def _git(folder: Path, *arguments: str, without: Sequence[str] = ()) -> bytes:
    """Run git in a folder and return what it wrote, with the keys `without` of its config set to nothing."""
    environment = {key: value for key, value in os.environ.items() if key not in _SET_BY_HOOKS}
    environment |= {
        "GIT_OPTIONAL_LOCKS": "0",
        # What a partial clone lacks is fetched by programs that the repository can name.
        "GIT_ALLOW_PROTOCOL": "",
    }
    given = environment.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    environment["GIT_CONFIG_COUNT"] = str(first + len(without))
    for n, key in enumerate(without, start=first):
        environment |= {f"GIT_CONFIG_KEY_{n}": key, f"GIT_CONFIG_VALUE_{n}": ""}
    try:
        # A repository's own settings may name a program for fsmonitor.
        return subprocess.run(  # noqa: S603
            ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],  # noqa: S607
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        ).stdout
    except FileNotFoundError as error:
        raise UsageError("--changed-since needs git, which is not installed") from error
    except subprocess.CalledProcessError as error:
        raise _GitError(folder, error.stderr) from error
