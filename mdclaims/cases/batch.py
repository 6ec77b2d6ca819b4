"""Inputs to tasks: what the user named becomes byte ranges of archives and bundles of files, the same on every run.

The tasks do not depend on how many workers there are, so neither do the parts they write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
        If nothing is named.
    """
    if not names:
        raise UsageError("no input; pass archives (.warc .warc.gz .wacz), folders, files or lists of addresses")
    archives: dict[str, Path] = {}
    files: dict[str, SourceFile] = {}
    lists: list[Path] = []
    listed: list[ListedSite] = []
    addresses: list[str] = []
    problems: list[str] = []
    for name in names:
        path = Path(name)
        if name.startswith(("http://", "https://")):
            try:
                addresses.append(checked_address(name))
            except ReadError as error:
                problems.append(f"{name}: {error}")
        elif not path.exists():
            problems.append(f"{name}: does not exist; check the path")
        elif path.is_dir():
            found = list(_walk(path, problems))
            if not found:
                problems.append(f"{name}: holds no file that screen reads; pass another folder")
            for below in found:
                shown = f"{path.name or path.absolute().name}/{below.as_posix()}"
                if is_archive(below):
                    archives[shown] = path / below
                else:
                    files[shown] = _source(path / below, shown, below.parts[0])
        elif is_archive(path):
            archives[path.name] = path
            if sum(Path(other).name == path.name for other in names) > 1:
                raise UsageError(f"two inputs are called {path.name}; rename one, for exhibits name their archive")
        elif is_list(path):
            try:
                listed += read_list(path, limits)
                lists.append(path)
            except ReadError as error:
                problems.append(f"{name}: {error}")
        elif format_of(path):
            files[path.name] = _source(path, path.name, path.name)
        else:
            problems.append(f"{name}: is nothing that screen reads; its suffix is unknown")
    return Inputs(
        tuple(sorted(archives.items())),
        tuple(files[name] for name in sorted(files)),
        tuple(lists),
        tuple(listed),
        tuple(addresses),
        tuple(problems),
    )


def _source(path: Path, name: str, site: str) -> SourceFile:
    return SourceFile(path, name, site, path.stat().st_size)


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
