"""Inputs to tasks: what the user named becomes byte ranges of archives and bundles of files, the same on every run.

The tasks do not depend on how many workers there are, so neither do the parts they write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mdclaims.cases.addresses import checked_address
from mdclaims.cases.sites import ListedSite, is_list, read_list
from mdclaims.cases.store import file_sha256
from mdclaims.errors import ReadError, UsageError
from mdclaims.reading import format_of
from mdclaims.reading.archive import ArchiveRange, archive_ranges, is_archive
from mdclaims.reading.limits import Limits

TARGET_BYTES = 32 * 2**20
"""How much of an archive is one task: some thousand pages, ten seconds of work or more."""

_BUNDLE_FILES = 200


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of one page.

    Attributes
    ----------
    path : Path
    name : str
        What it is called in the case: the input's name and the path below it.
    site : str
    size : int
        Bytes.
    """

    path: Path
    name: str
    site: str
    size: int


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does at a time; small enough to be sent anywhere.

    Attributes
    ----------
    number : int
        From 0, in the order of the inputs.
    size : int
        Bytes to read, for those who show progress.
    part : ArchiveRange or None
        Of an archive, or else
    files : tuple of SourceFile
    name : str
        What the archive is called in the case.
    """

    number: int
    size: int
    part: ArchiveRange | None = None
    files: tuple[SourceFile, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the user named.

    Attributes
    ----------
    archives : tuple of (str, Path)
        With the names they have in the case.
    files : tuple of SourceFile
    lists : tuple of Path
    listed : tuple of ListedSite
        The rows of the lists.
    addresses : tuple of str
        Given on the command line.
    problems : tuple of str
        One line for each input that cannot be read.
    """

    archives: tuple[tuple[str, Path], ...]
    files: tuple[SourceFile, ...]
    lists: tuple[Path, ...]
    listed: tuple[ListedSite, ...]
    addresses: tuple[str, ...]
    problems: tuple[str, ...]


def find_inputs(names: Sequence[str], limits: Limits) -> Inputs:
    """Tell archives, pages and lists apart, and look into folders.

    Raises
    ------
    UsageError
        If nothing is named, or two inputs would have one name.
    """
    if not names:
        raise UsageError("no input; pass archives (.warc .warc.gz .wacz), folders, files or lists of addresses")
    found = _Found()
    for name in names:
        try:
            _take(name, found, limits)
        except ReadError as error:
            found.problems.append(f"{name}: {error}")
    return Inputs(
        tuple(sorted(found.archives.items())),
        tuple(found.files[name] for name in sorted(found.files)),
        tuple(found.lists),
        tuple(found.listed),
        tuple(found.addresses),
        tuple(found.problems),
    )


@dataclass
class _Found:
    """What was found so far."""

    archives: dict[str, Path] = field(default_factory=dict)
    files: dict[str, SourceFile] = field(default_factory=dict)
    lists: list[Path] = field(default_factory=list)
    listed: list[ListedSite] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, path: Path, name: str, site: str) -> None:
        """Add an archive or a page; its name is what exhibits call it."""
        other = self.archives.get(name) or (self.files[name].path if name in self.files else None)
        if other is not None:
            raise UsageError(f"{other} and {path} would both be called {name} in the case; rename one, or pass it once")
        if is_archive(path):
            self.archives[name] = path
        else:
            self.files[name] = SourceFile(path, name, site, path.stat().st_size)


def _take(name: str, found: _Found, limits: Limits) -> None:
    """Add what one argument names."""
    path = Path(name)
    if name.startswith(("http://", "https://")):
        found.addresses.append(checked_address(name))
    elif not path.exists():
        raise ReadError("does not exist; check the path")
    elif path.is_dir():
        below = list(_walk(path, found.problems))
        if not below:
            raise ReadError("holds no file that screen reads; pass another folder")
        for inner in below:
            found.add(path / inner, f"{path.absolute().name}/{inner.as_posix()}", inner.parts[0])
    elif is_archive(path):
        found.add(path, path.name, path.name)
    elif is_list(path):
        found.listed += read_list(path, limits)
        found.lists.append(path)
    elif format_of(path):
        found.add(path, path.name, path.name)
    else:
        raise ReadError("is nothing that screen reads; its suffix is unknown")


def _walk(folder: Path, problems: list[str]) -> Iterator[Path]:
    """Yield the archives and pages below a folder, sorted; what may not be opened is a problem."""

    def failed(error: OSError) -> None:
        problems.append(f"{error.filename}: may not be opened ({error.strerror}); check the permissions")

    for place, folders, names in os.walk(folder, onerror=failed):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if (is_archive(path) or format_of(path)) and path.is_file():
                yield path.relative_to(folder)


def hash_inputs(inputs: Inputs) -> tuple[list[dict[str, object]], list[str]]:
    """Return name, bytes and SHA-256 of every input, and a line for each that cannot be read."""
    entries: list[dict[str, object]] = []
    problems: list[str] = []
    paths = [*inputs.archives, *((file.name, file.path) for file in inputs.files)]
    for name, path in [*paths, *((path.name, path) for path in inputs.lists)]:
        try:
            entries.append({"name": name, "bytes": path.stat().st_size, "sha256": file_sha256(path)})
        except OSError as error:
            problems.append(f"{name}: cannot be read ({error.strerror or error}); check its permissions")
    return entries, problems


def plan_tasks(inputs: Inputs) -> tuple[list[Task], list[str]]:
    """Divide the inputs into tasks, and say which archives cannot be read at all."""
    tasks: list[Task] = []
    problems: list[str] = []
    for name, path in inputs.archives:
        try:
            size = path.stat().st_size
            # Dividing costs a pass over the archive, which a small one is not worth.
            ranges = archive_ranges(path, target_bytes=TARGET_BYTES if size > 2 * TARGET_BYTES else None)
        except (ReadError, OSError) as error:
            problems.append(f"{name}: {error}")
            continue
        share = size // max(len(ranges), 1)
        tasks += [Task(len(tasks) + n, share, part=part, name=name) for n, part in enumerate(ranges)]
    bundle: list[SourceFile] = []
    for file in [*inputs.files, None]:
        full = len(bundle) >= _BUNDLE_FILES or sum(entry.size for entry in bundle) > TARGET_BYTES
        if bundle and (file is None or full):
            tasks.append(Task(len(tasks), sum(entry.size for entry in bundle), files=tuple(bundle)))
            bundle = []
        if file is not None:
            bundle.append(file)
    return tasks, problems
