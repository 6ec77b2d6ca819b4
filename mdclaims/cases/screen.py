"""Screens what the user named into a case: inputs, tasks, workers, and the end, where the case is told whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdclaims.cases.addresses import Address
from mdclaims.cases.batch import Inputs, SourceFile, Task, find_inputs, hash_inputs, plan_tasks
from mdclaims.cases.coverage import Coverage, measure, sites_of_case, total, unreadable, write_sites
from mdclaims.cases.engine import PageLimits, ProcessEngine
from mdclaims.cases.exhibits import KEPT_SCORE
from mdclaims.cases.notes import noted_parts, remove_notes
from mdclaims.cases.recorded import is_finished
from mdclaims.cases.sites import Sites
from mdclaims.cases.store import CAPTURES, JOURNAL, MANIFEST, Case, Part, file_sha256
from mdclaims.cases.versions import versions_of
from mdclaims.cases.work import Begin
from mdclaims.config import Settings
from mdclaims.errors import UsageError
from mdclaims.findings.rules import rules_sha256
from mdclaims.findings.screening import load
from mdclaims.reading.archive import ArchiveRange

if TYPE_CHECKING:
    from mdclaims.cases.cluster import ClusterEngine


@dataclass(frozen=True, slots=True)
class ScreenOptions:
    """How to screen.

    Attributes
    ----------
    settings : Settings
    model : Path or None
        A model folder; None for the shipped model.
    trust_model : bool
    workers : int
        Processes.
    evidence : bool
        Copy the records of pages with findings to the case.
    limits : PageLimits
        What one page may take.
    cluster : str or None
        Address of a Dask scheduler, whose workers do the tasks in place of this machine's.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    settings: Settings
    model: Path | None = None
    trust_model: bool = False
    workers: int = 1
    evidence: bool = True
    limits: PageLimits = field(default_factory=PageLimits)
    cluster: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"--workers must be at least 1, not {self.workers}")
        if self.limits.seconds <= 0 or self.limits.megabytes < 1:
            raise UsageError("--page-seconds and --page-memory must be more than 0")


@dataclass(frozen=True, slots=True)
class ScreenResult:
    """What became of a screening.

    Attributes
    ----------
    digest : str
        SHA-256 of the manifest.
    sites : dict of str to Coverage
    coverage : Coverage
        Of all sites.
    problems : tuple of str
        One line for each input that could not be read.
    """

    digest: str
    sites: Mapping[str, Coverage]
    coverage: Coverage
    problems: tuple[str, ...]


Capturing = Callable[[Sequence[Address], Path], Sequence[str]]
"""Captures addresses into an archive, or goes on with it; returns a line for each that was not fetched."""


def screen(
    names: Sequence[str],
    folder: Path,
    options: ScreenOptions,
    *,
    capture: Capturing | None = None,
    on_plan: Callable[[int], None] = lambda _: None,
    on_part: Callable[[int, int], None] = lambda _pages, _bytes: None,
) -> ScreenResult:
    """Screen inputs into a case, going on where an earlier run of the same screening ended.

    Parameters
    ----------
    names : sequence of str
        Archives, folders, files, lists of addresses, addresses.
    folder : Path
        The case.
    options : ScreenOptions
    capture : Capturing, optional
        Used for addresses and lists where no archive and no file is given beside them.
    on_plan, on_part : callable
        Told how many bytes there are to read, then the pages of each part and the bytes of each task that are finished.

    Raises
    ------
    UsageError
        If nothing can be screened, the case is another one, or it cannot be written.
    """
    inputs = find_inputs(names, options.settings.limits)
    problems = list(inputs.problems)
    missed: Sequence[str] = ()
    wanted = _wanted(inputs)
    if inputs.addresses and (inputs.archives or inputs.files):
        raise UsageError("addresses go without archives and files; capture them first, then pass the archive")
    if wanted and not inputs.archives and not inputs.files:
        inputs, missed = _captured(inputs, wanted, folder, capture)
    entries, missing = hash_inputs(inputs)
    problems += missing
    if not inputs.archives and not inputs.files:
        raise UsageError(f"nothing to screen; {'; '.join(problems)}")
    tasks, damaged = plan_tasks(inputs)
    problems += damaged
    plan = _plan(inputs, entries, tasks, options)
    case = Case(folder, plan)
    try:
        if missed:
            case.add_fact("missed", list(missed))
        problems += [line for lines in case.facts("missed") for line in lines]
        return _run(case, plan, inputs, tasks, options, problems, on_plan, on_part)
    finally:
        case.close()


def _wanted(inputs: Inputs) -> list[Address]:
    """Return the addresses of all inputs, each once."""
    addresses = [Address(url, "command line") for url in inputs.addresses]
    addresses += [Address(row.url, row.given, row.is_sitemap) for row in inputs.listed]
    return list({address.url: address for address in reversed(addresses)}.values())[::-1]


def _captured(
    inputs: Inputs, wanted: Sequence[Address], folder: Path, capture: Capturing | None
) -> tuple[Inputs, Sequence[str]]:
    """Capture addresses into an archive of the case, once; go on where that was ended."""
    archive = folder / CAPTURES / "sites.warc.gz"
    missed: Sequence[str] = ()
    # Once a screening of it has begun, the archive stays as it is.
    if not (folder / JOURNAL).exists() and not is_finished(archive, wanted):
        if capture is None:
            raise UsageError(
                "addresses have to be captured first: mdclaims capture LIST --output sites.warc.gz --contact ADDRESS, "
                "then mdclaims screen sites.warc.gz LIST"
            )
        archive.parent.mkdir(parents=True, exist_ok=True)
        missed = capture(wanted, archive)
    return replace(inputs, archives=((archive.name, archive),)), missed


def _plan(
    inputs: Inputs, entries: Sequence[Mapping[str, object]], tasks: Sequence[Task], options: ScreenOptions
) -> dict[str, Any]:
    """Return what makes this screening the one it is; numbers of workers and limits of a page do not."""
    screener = load(options.model, trust_model=options.trust_model, settings=options.settings)
    settings = options.settings
    return {
        "inputs": [*entries],
        "versions": versions_of(screener),
        "settings": {
            "mode": settings.mode,
            "labels": list(settings.labels),
            "thresholds": screener.thresholds,
            "limits": asdict(settings.limits),
            "severities": dict(settings.severities),
            "jurisdictions": list(settings.jurisdictions),
            "rules_sha256": rules_sha256() if settings.jurisdictions else None,
            "cues": [[path.name, file_sha256(path)] for path in settings.cues],
            "kept_score": KEPT_SCORE,
            "evidence": options.evidence,
        },
        "sites": [[row.url, row.site, dict(row.about)] for row in inputs.listed],
        "tasks": [_described(task) for task in tasks],
    }


def _described(task: Task) -> dict[str, Any]:
    part: ArchiveRange | None = task.part
    if part is None:
        return {"files": [_named(file) for file in task.files]}
    return {"archive": task.name, "member": part.member, "start": part.start, "end": part.end}


def _named(file: SourceFile) -> list[str]:
    return [file.name, file.site]


def _run(
    case: Case,
    plan: Mapping[str, Any],
    inputs: Inputs,
    tasks: Sequence[Task],
    options: ScreenOptions,
    problems: list[str],
    on_plan: Callable[[int], None],
    on_part: Callable[[int, int], None],
) -> ScreenResult:
    for part in noted_parts(case.folder, case.parts):
        case.add_part(part)
    left = [task for task in tasks if task.number not in case.done]
    if left or not (case.folder / MANIFEST).exists():
        case.add_fact("started", _now())
        on_plan(sum(task.size for task in left))

        def finished(part: Part) -> None:
            case.add_part(part)
            on_part(part.seen, 0)

        def done(task: Task) -> None:
            case.add_done(task.number)
            on_part(0, task.size)

        begin = Begin(
            case.folder, options.settings, Sites.of(inputs.listed), options.model, options.trust_model, options.evidence
        )
        engine: ProcessEngine | ClusterEngine
        if options.cluster is None:
            engine = ProcessEngine(
                begin, workers=options.workers, limits=options.limits, on_part=finished, on_done=done
            )
        else:
            engine = _cluster_engine(
                begin,
                address=options.cluster,
                limits=options.limits,
                versions=plan["versions"],
                on_part=finished,
                on_done=done,
            )
        engine.run(left, {part.task: part for part in case.parts})
        case.add_fact("ended", _now())
        digest = _finish(case, plan, inputs, options)
    else:
        case.remove_joined()  # the last run may have been killed just before it
        digest = file_sha256(case.folder / MANIFEST)
    figures = measure(case.folder)
    sites = {name: coverage for name, (coverage, _) in sites_of_case(figures, inputs.listed).items()}
    return ScreenResult(digest, sites, total(figures.values()), (*problems, *unreadable(case.folder)))


def _cluster_engine(begin: Begin, **how: Any) -> ClusterEngine:
    try:
        from mdclaims.cases.cluster import ClusterEngine
    except ImportError as error:
        raise UsageError('--cluster needs an extra; install it with: pip install "mdclaims[cluster]"') from error
    return ClusterEngine(begin, **how)


def _finish(case: Case, plan: Mapping[str, Any], inputs: Inputs, options: ScreenOptions) -> str:
    """Write what only the whole case can say; return the manifest's SHA-256."""
    case.remove_strays()
    remove_notes(case.folder)
    files = {name: digest for part in case.parts for name, digest in part.files.items() if "evidence/" not in name}
    files |= case.join_evidence() | case.write_redirects() | case.write_views()
    figures = measure(case.folder)
    files |= write_sites(case.folder, sites_of_case(figures, inputs.listed))
    return case.write_manifest(
        {
            **{key: value for key, value in plan.items() if key != "sites"},
            "listed": plan["sites"],
            "runs": {"started": case.facts("started"), "ended": case.facts("ended")},
            "workers": {"page_seconds": options.limits.seconds, "page_megabytes": options.limits.megabytes},
            "coverage": asdict(total(figures.values())),
            "files": dict(sorted(files.items())),
        }
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
