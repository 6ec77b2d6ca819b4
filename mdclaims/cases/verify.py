"""Verifies a case: every hash, every count, and every exhibit against the evidence, found again by the same code.

The case may come from anyone. Names never lead out of it, and its tables and pages are read by workers that are
watched, so that one made to do harm costs itself. docs/evidence.md tells users what is checked and what a hash proves.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mdclaims.cases.batch import Task
from mdclaims.cases.engine import PageLimits, ProcessEngine, Progress
from mdclaims.cases.manifest import (
    WHOLE_FILES,
    Manifest,
    differences_with_journal,
    is_inside,
    read_manifest,
)
from mdclaims.cases.recheck import BeginCheck, Here, PartCheck, Remark, find_input
from mdclaims.cases.sites import ListedSite
from mdclaims.cases.store import CAPTURES, JOURNAL, MANIFEST, TABLES, VIEWS, VIEWS_TEXT, Part, file_sha256
from mdclaims.errors import ReadError, UsageError
from mdclaims.model.persistence import folder_digest, shipped_model
from mdclaims.reports.controls import one_line

MOST_REMARKS = 10_000
"""How many remarks are kept and told; the others are counted."""

# What turns the bytes of a page into its text and sentences.
_READERS = ("mdclaims", "python", "selectolax", "spacy")


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """How to verify.

    Attributes
    ----------
    digest : str or None
        The manifest's SHA-256 as `screen` printed it.
    folders : tuple of Path
        Where to look for the inputs, besides the captures in the case.
    workers : int
        Processes. 0 reads in this one, which is quicker for a small case; only for a case of one's own, since nothing
        then ends a page that hangs or eats memory.
    limits : PageLimits
        What one page, or the tables of one part, may take.

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    digest: str | None = None
    folders: tuple[Path, ...] = ()
    workers: int = 1
    limits: PageLimits = field(default_factory=PageLimits)

    def __post_init__(self) -> None:
        if self.digest is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", self.digest):
            raise UsageError("--digest takes the 64 hex digits that mdclaims screen printed last")
        if self.workers < 0:
            raise UsageError(f"--workers must be at least 1, not {self.workers}")
        if self.limits.seconds <= 0 or self.limits.megabytes < 1:
            raise UsageError("--page-seconds and --page-memory must be more than 0")


@dataclass
class VerifyResult:
    """What holds of a case, and what does not.

    Attributes
    ----------
    case : Path
    digest : str
        SHA-256 of the manifest as it is.
    digest_agrees : bool or None
        Whether it is the one that was given; None if none was.
    files, inputs : int
        How many were as the manifest says.
    findings, held, unchecked : int
        All, those found again at their place, and those for which there was nothing to check against.
    fails, open : list of Remark
        What does not hold, and what could not be checked; at most `MOST_REMARKS` together.
    untold : int
        How many remarks there were beyond that.
    notes : list of str
        What else a reader should know.
    holds : bool
        False if anything does not.
    """

    case: Path
    digest: str
    digest_agrees: bool | None = None
    files: int = 0
    inputs: int = 0
    findings: int = 0
    held: int = 0
    unchecked: int = 0
    fails: list[Remark] = field(default_factory=list)
    open: list[Remark] = field(default_factory=list)
    untold: int = 0
    notes: list[str] = field(default_factory=list)
    holds: bool = True

    def add(self, remark: Remark) -> None:
        """Take in a remark."""
        if remark.kind == "fails":
            self.holds = False
        if len(self.fails) + len(self.open) >= MOST_REMARKS:
            self.untold += 1
        else:
            (self.fails if remark.kind == "fails" else self.open).append(remark)

    def add_failure(self, where: str, reason: str) -> None:
        """Take in something of the case that does not hold."""
        self.add(Remark("fails", where, reason))


def verify(
    case: Path,
    options: VerifyOptions,
    *,
    on_plan: Callable[[int], None] = lambda _: None,
    on_part: Callable[[int, int], None] = lambda _pages, _bytes: None,
) -> VerifyResult:
    """Verify a case.

    Parameters
    ----------
    case : Path
    options : VerifyOptions
    on_plan, on_part : callable
        Told how many bytes of tables there are to check, then the pages and the bytes of each part that is checked.

    Raises
    ------
    ReadError
        If the folder is no case, or its manifest none that `screen` writes.
    UsageError
        If the options are wrong.
    """
    if not case.is_dir():
        raise ReadError(f"{case} is no folder; name the one that mdclaims screen wrote")
    manifest = read_manifest(case)
    result = VerifyResult(case, manifest.sha256)
    if options.digest is not None:
        result.digest_agrees = manifest.sha256 == options.digest.lower()
        if not result.digest_agrees:
            result.add_failure(MANIFEST, f"its SHA-256 is {manifest.sha256}, not the one given: it was changed")
    _check_journal(case, manifest, result)
    _check_files(case, manifest, result)
    sound = _check_strays(case, manifest, result)
    _check_inputs(case, manifest, options, result)
    same_reader = _check_versions(manifest, result)
    _check_exhibits(case, manifest, options, result, same_reader, sound, on_plan, on_part)
    return result


# --- manifest, files, inputs ---------------------------------------------------------------------------------------


def _check_journal(case: Path, manifest: Manifest, result: VerifyResult) -> None:
    try:
        for difference in differences_with_journal(case, manifest):
            result.add_failure(MANIFEST, difference)
    except ReadError as error:
        reason = f"{error}; settings, versions and times of the manifest have only the manifest's digest to hold them"
        result.add(Remark("unchecked", JOURNAL, reason))


def _check_files(case: Path, manifest: Manifest, result: VerifyResult) -> None:
    """Check the hash of every file, and that none is missing in the manifest."""
    for name, digest in manifest.files.items():
        reason = _wrong_file(case, name, digest)
        if reason is None:
            result.files += 1
        else:
            result.add_failure(name, reason)
    parts = [f"{task:06d}-{number:04d}" for task, number in manifest.part_names()]
    wanted = {*WHOLE_FILES, *(f"{table}/{part}.parquet" for table in TABLES for part in parts)}
    for name in sorted(wanted - set(manifest.files)):
        result.add_failure(MANIFEST, f"does not name {name}, which every such case has")
    numbers: dict[int, list[int]] = {}
    for task, number in manifest.part_names():
        numbers.setdefault(task, []).append(number)
    for task, found in numbers.items():
        if found != list(range(len(found))) or task >= len(manifest.content["tasks"]):
            result.add_failure(MANIFEST, f"the parts of task {task} are not numbered one after another")
    if VIEWS in manifest.files and manifest.versions.get("mdclaims") == version("mdclaims"):
        path = case / VIEWS
        if is_inside(case, VIEWS) and _start(path, len(VIEWS_TEXT.encode()) + 1) != VIEWS_TEXT.encode():
            result.add_failure(VIEWS, "is not what mdclaims writes; do not run it")


def _start(path: Path, most: int) -> bytes:
    with path.open("rb") as stream:
        return stream.read(most)


def _wrong_file(case: Path, name: str, digest: str) -> str | None:
    """Say what is wrong with a file of the case; None if nothing is."""
    if not os.path.lexists(case / name):
        return "is missing"
    if not is_inside(case, name):
        return "is no file, or a link that leads elsewhere; not read"
    try:
        found = file_sha256(case / name)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found == digest else f"was changed: its SHA-256 is {found}, not {digest}"


def _check_strays(case: Path, manifest: Manifest, result: VerifyResult) -> bool:
    """Tell what lies in the case and does not belong there; return whether its tables are just those it names."""
    known = {*manifest.files, MANIFEST, JOURNAL, *(f"{CAPTURES}/{name}" for name, _, _ in manifest.inputs)}
    sound = all(is_inside(case, name) for name in manifest.files if "/" in name)
    for name in _walk(case):
        if name in known:
            continue
        folder = name.partition("/")[0]
        if folder in TABLES and name.endswith(".parquet"):
            result.add_failure(name, "is not in the manifest, and would be read with the case")
            sound = False
        else:
            result.add(Remark("unchecked", name, "does not belong to the case"))
    return sound


def _walk(case: Path) -> Iterator[str]:
    """Yield everything in the case that is no folder, and links to folders, by name."""
    for place, folders, names in os.walk(case):
        folders.sort()
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(place, name).relative_to(case).as_posix()


def _check_inputs(case: Path, manifest: Manifest, options: VerifyOptions, result: VerifyResult) -> None:
    for name, size, digest in manifest.inputs:
        path = find_input(case, options.folders, name)
        if path is None:
            reason = "the input was not found; name the folder it is in with --inputs"
            result.add(Remark("unchecked", name, reason))
            continue
        try:
            found = path.stat().st_size
            reason = f"has {found:,} bytes, not {size:,}" if found != size else ""
            if not reason and (sha256 := file_sha256(path)) != digest:
                reason = f"its SHA-256 is {sha256}, not {digest}"
        except OSError as error:
            reason = f"cannot be read ({error.strerror})"
        if reason:
            result.add_failure(str(path), f"is not the input that was screened: {reason}")
        else:
            result.inputs += 1


def _check_versions(manifest: Manifest, result: VerifyResult) -> bool:
    """Note other versions than those of the case; return whether pages are read by the same."""
    here = {name: version_here(name) for name in manifest.versions}
    others = [f"{name} {then}, here {here[name]}" for name, then in manifest.versions.items() if here[name] != then]
    model = manifest.content["versions"].get("model")
    then = str(model.get("sha256")) if isinstance(model, dict) else "none"
    if (now := folder_digest(shipped_model())) != then:
        others.append(f"model {then[:12]}, here {now[:12]} (verify needs none)")
    same = same_readers(manifest.versions, here)
    if others:
        place = "quotes are looked for at their place" if same else "quotes are looked for in the whole page"
        result.notes.append(f"screened by other versions, {place}: {'; '.join(others)}")
    return same


def same_readers(versions: Mapping[str, str], others: Mapping[str, str | None]) -> bool:
    """True if two sets of versions turn the bytes of a page into the same text and sentences."""
    return all(others.get(name) is not None and others[name] == versions.get(name) for name in _READERS)


def version_here(name: str) -> str | None:
    """Return the version of a package, or of Python; None if it is not installed."""
    try:
        return platform.python_version() if name == "python" else version(name)
    except (PackageNotFoundError, ValueError):
        return None


# --- exhibits -----------------------------------------------------------------------------------------------------


def _check_exhibits(
    case: Path,
    manifest: Manifest,
    options: VerifyOptions,
    result: VerifyResult,
    same_reader: bool,
    sound: bool,
    on_plan: Callable[[int], None],
    on_part: Callable[[int, int], None],
) -> None:
    """Read every part, and each page with findings again; what lies there as a link is not read."""
    parts = [f"{task:06d}-{number:04d}" for task, number in manifest.part_names()]
    readable = [part for part in parts if all(is_inside(case, f"{table}/{part}.parquet") for table in TABLES)]
    for part in sorted(set(parts) - set(readable)):
        result.add_failure(part, "its findings could not be checked: not all of its tables are there")
    if any(name not in manifest.files or not is_inside(case, name) for name in WHOLE_FILES):
        result.add_failure(MANIFEST, "its counts and exhibits could not be checked: files are missing")
        return
    tasks = [Task(n, (case / f"pages/{part}.parquet").stat().st_size, name=part) for n, part in enumerate(readable)]
    if sound and readable == parts:
        tasks.append(Task(len(tasks), 0))
    on_plan(sum(task.size for task in tasks))
    begin = BeginCheck(
        case,
        frozenset(name for name, _, _ in manifest.inputs),
        options.folders,
        manifest.limits,
        manifest.evidence,
        same_reader,
        tuple(_listed(manifest)),
        manifest.content["coverage"],
        tuple(parts),
    )
    checks: dict[int, tuple[int, int, int]] = {}

    def take(part: Part) -> None:
        if isinstance(part, PartCheck):
            checks[part.task] = (part.first, part.pages, part.offsets)
            result.findings += part.findings
            result.held += part.held
            result.unchecked += part.unchecked
            for remark in part.remarks:
                result.add(remark)
            result.untold += part.untold
            result.holds = result.holds and not part.untold
            on_part(part.pages, tasks[part.task].size)

    if options.workers:
        ProcessEngine(begin, workers=options.workers, limits=options.limits, on_part=take, on_done=lambda _: None).run(
            tasks, {}
        )
    else:
        _check_here(begin, tasks, take)
    _check_together(readable, checks, result)


def _listed(manifest: Manifest) -> Iterator[ListedSite]:
    try:
        for url, site, about in manifest.content["listed"]:
            yield ListedSite(str(url), str(site), {str(key): str(value) for key, value in about.items()}, "")
    except (TypeError, ValueError, AttributeError) as error:
        raise ReadError(
            f"{MANIFEST} is none that mdclaims screen writes (listed: {error}); get the case again"
        ) from error


def _check_here(begin: BeginCheck, tasks: Sequence[Task], take: Callable[[Part], None]) -> None:
    work = begin()
    for task in tasks:
        work(task, Progress(), Here(take))


def _check_together(parts: Sequence[str], checks: Mapping[int, tuple[int, int, int]], result: VerifyResult) -> None:
    """Check what one part alone cannot show: pages that are missing between two, offsets that belong to none."""
    following: dict[str, int] = {}
    for n, part in enumerate(parts):
        first, pages, _ = checks[n]
        task = part.partition("-")[0]
        if first >= 0 and first != following.get(task, 0):
            result.add_failure(
                f"pages/{part}.parquet", f"begins with page {first}, where {following.get(task, 0)} should"
            )
        following[task] = max(first, 0) + pages
    if len(parts) in checks:
        known = sum(checks[n][2] for n in range(len(parts)))
        if checks[len(parts)][2] != known:
            result.add_failure("offsets.parquet", "has rows of pages that are not in the case, or pages without one")


# --- telling ------------------------------------------------------------------------------------------------------


def verify_json(result: VerifyResult) -> str:
    """Return a result as JSON; docs/evidence.md says what the keys mean."""
    content = {
        "schema_version": 1,
        "tool": {"name": "mdclaims", "version": version("mdclaims")},
        "case": str(result.case),
        "holds": result.holds,
        "digest": result.digest,
        "digest_agrees": result.digest_agrees,
        "files": result.files,
        "inputs": result.inputs,
        "findings": {"all": result.findings, "held": result.held, "unchecked": result.unchecked},
        "fails": [_as_json(remark) for remark in result.fails],
        "unchecked": [_as_json(remark) for remark in result.open],
        "untold": result.untold,
        "notes": result.notes,
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _as_json(remark: Remark) -> dict[str, Any]:
    return {name: value for name, value in asdict(remark).items() if name != "kind"}


def verify_text(result: VerifyResult) -> str:
    """Return a result in words, for a terminal."""
    wrong = result.findings - result.held - result.unchecked
    agrees = {
        True: "the one given",
        False: "NOT the one given",
        None: "compare it with what screen printed, or --digest",
    }
    lines = [
        f"{result.case / MANIFEST} sha256 {result.digest} ({agrees[result.digest_agrees]})",
        f"as they were: {result.files:,} files of the case, {result.inputs:,} inputs",
        f"{result.findings:,} findings: {result.held:,} found again at their place, {wrong:,} not, "
        f"{result.unchecked:,} could not be checked",
        *(f"note: {note}" for note in result.notes),
    ]
    for title, remarks in (("does not hold", result.fails), ("not checked", result.open)):
        lines += [f"{title}: {line}" for remark in remarks for line in _told(remark)]
    if result.untold:
        lines.append(f"and {result.untold:,} more of these")
    lines.append("all that could be checked holds" if result.holds else "the case does not hold")
    return "".join(f"{one_line(line)}\n" for line in lines)


def _told(remark: Remark) -> Iterator[str]:
    """Yield the lines of a remark."""
    if remark.finding is None:
        findings = f" ({remark.findings:,} findings)" if remark.findings else ""
        about = f", page {remark.page}, {remark.address}" if remark.page is not None else ""
        yield f"{remark.where}{about}: {remark.reason}{findings}"
    else:
        yield f"finding {remark.finding}, page {remark.page}, {remark.address} ({remark.where}): {remark.reason}"
        yield f"  its quote: {remark.quote}"
