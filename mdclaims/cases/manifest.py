"""Reads the manifest of a case that may come from anyone, and never follows a name out of the case."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from mdclaims.cases.store import (
    CASE_VERSION,
    EVIDENCE,
    JOURNAL,
    MANIFEST,
    OFFSETS_FILE,
    REDIRECTS_FILE,
    SITES,
    TABLES,
    VIEWS,
    file_sha256,
)
from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits

MOST_BYTES = 64 * 2**20
"""The longest manifest, and the longest line of a journal, that is read: that of some 400,000 input files."""

WHOLE_FILES = (OFFSETS_FILE, REDIRECTS_FILE, SITES, VIEWS)
"""The files that every case has once, besides its parts."""

_PART = re.compile(rf"({'|'.join(TABLES)})/(\d{{6,9}})-(\d{{4,9}})\.parquet")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a case says of itself.

    Attributes
    ----------
    sha256 : str
        Of the manifest's own bytes.
    content : dict
        The whole of it; what the other attributes hold is checked, the rest is not.
    inputs : tuple of (str, int, str)
        Name, bytes and SHA-256 of each.
    files : dict of str to str
        The files of the case with their SHA-256.
    versions : dict of str to str
        Of the packages and of Python; the model's stand in `content`.
    limits : Limits
    evidence : bool
        The records of pages with findings were copied to the case.
    """

    sha256: str
    content: Mapping[str, Any]
    inputs: tuple[tuple[str, int, str], ...]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    limits: Limits
    evidence: bool

    def part_names(self) -> list[tuple[int, int]]:
        """Return task and number of each part that any file belongs to, in order."""
        found = (_PART.fullmatch(name) for name in self.files)
        return sorted({(int(match[2]), int(match[3])) for match in found if match})


def read_manifest(case: Path) -> Manifest:
    """Read the manifest of a case.

    Raises
    ------
    ReadError
        If the folder holds none, or none that `screen` writes: also where it names a file outside the case.
    """
    path = case / MANIFEST
    if not is_inside(case, MANIFEST):
        raise ReadError(f"{path} is not there, or leads out of the case; name the folder that mdclaims screen wrote")
    try:
        sha256 = file_sha256(path)
        if path.stat().st_size > MOST_BYTES:
            raise ReadError(f"{path} has more than {MOST_BYTES:,} bytes, which no case's has; get the case again")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path} is damaged ({type(error).__name__}: {error}); get the case again") from error
    try:
        return _checked(sha256, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ReadError(f"{path} is none that mdclaims screen writes ({reason}); get the case again") from error


def _checked(sha256: str, content: Any) -> Manifest:
    """Return a manifest whose structure is that of ours."""
    if content["case_version"] != CASE_VERSION:
        raise ValueError(f"case_version is {content['case_version']!r}, this program reads {CASE_VERSION}")
    files = {_case_name(name): _digest(digest) for name, digest in content["files"].items()}
    inputs = tuple(
        (_below(entry["name"]), _whole(entry["bytes"]), _digest(entry["sha256"])) for entry in content["inputs"]
    )
    versions = {str(name): str(value) for name, value in content["versions"].items() if name != "model"}
    limits = {str(name): _whole(value) for name, value in content["settings"]["limits"].items()}
    if set(limits) != {entry.name for entry in fields(Limits)}:
        raise ValueError("its limits are others")
    for key in ("tasks", "listed"):
        if not isinstance(content[key], list):
            raise TypeError(f"{key} is no list")
    if not isinstance(content["coverage"], dict):
        raise TypeError("coverage is no table")
    return Manifest(sha256, content, inputs, files, versions, Limits(**limits), bool(content["settings"]["evidence"]))


def _case_name(name: Any) -> str:
    """Return the name of a file that a case can have."""
    if name in {*WHOLE_FILES, EVIDENCE} or _PART.fullmatch(_below(name)):
        return str(name)
    raise ValueError(f"it names {name!r}, a file that no case has")


def _below(name: Any) -> str:
    """Return a name that leads no further than below the folder it belongs to, on any system."""
    if not isinstance(name, str) or not is_below(name):
        raise ValueError(f"it names {name!r}, which leads out of its folder; nothing was read there")
    return name


def is_below(name: str) -> bool:
    """True if a name leads below the folder it belongs to, on any system."""
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    return bool(
        name and "\0" not in name and not posix.is_absolute() and not windows.anchor and ".." not in windows.parts
    )


def is_inside(folder: Path, name: str) -> bool:
    """True if a name is that of a file below a folder, reached without a link that could lead elsewhere."""
    try:
        path = folder / name
        return path.resolve() == folder.resolve() / name and path.is_file()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        return False


def _digest(text: Any) -> str:
    if not isinstance(text, str) or not _SHA256.fullmatch(text):
        raise ValueError(f"{str(text)[:80]!r} is no SHA-256")
    return text


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 10**15:
        raise ValueError(f"{str(number)[:80]!r} is no whole number")
    return number


def differences_with_journal(case: Path, manifest: Manifest) -> Iterator[str]:
    """Say in what the manifest and the journal differ, which tell some things twice.

    Raises
    ------
    ReadError
        If there is no journal, or it cannot be read.
    """
    if not is_inside(case, JOURNAL):
        raise ReadError("is not there")
    plan: Mapping[str, Any] = {}
    times: dict[str, list[Any]] = {"started": [], "ended": []}
    files: dict[str, str] = {}
    for entry in _journal_entries(case / JOURNAL):
        plan = entry.get("plan", plan)
        for key, found in times.items():
            found += [entry[key]] if key in entry else []
        if "part" in entry:
            files.update((name, digest) for name, digest in entry["part"]["files"].items() if "evidence/" not in name)
    said = {**manifest.content, "sites": manifest.content.get("listed")}
    for key in sorted(set(plan) | {"inputs", "versions", "settings", "tasks", "sites"}):
        if plan.get(key) != said.get(key):
            yield f"{'listed' if key == 'sites' else key} is not what {JOURNAL} says"
    if manifest.content.get("runs") != times:
        yield f"runs is not what {JOURNAL} says"
    if files != {name: digest for name, digest in manifest.files.items() if "/" in name}:
        yield f"the parts are not those of {JOURNAL}"


def _journal_entries(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as stream:
            while line := stream.readline(MOST_BYTES):
                entry = json.loads(line)
                if not isinstance(entry, dict) or not isinstance(entry.get("part", {"files": {}})["files"], dict):
                    raise ReadError("is damaged (a line is none that mdclaims screen writes)")
                yield entry
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise ReadError(f"is damaged ({type(error).__name__}: {error})") from error
