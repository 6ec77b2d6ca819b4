"""``capture``, ``screen``, ``verify``: from addresses and archives to a case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import (
    ConfigOption,
    DebugOption,
    JurisdictionOption,
    ListFormat,
    Mode,
    ModelOption,
    Robots,
    TrustOption,
    cores,
    with_options,
)
from mdclaims.cli.output import MOST_TOLD, number_of, talk, write
from mdclaims.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mdclaims.cases.addresses import Address
    from mdclaims.cases.capture import CaptureResult
    from mdclaims.cases.screen import ScreenResult
    from mdclaims.config import Settings


@app.command("capture")
def capture_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="URL|FILE...", help="Addresses; lists of addresses (.txt), sitemaps (.xml .xml.gz), tables (.csv)."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.warc.gz",
            help="The archive; a capture that was ended goes on.",
        ),
    ],
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="ADDRESS", help="Your e-mail or web address, told to the servers."),
    ] = None,
    robots: Annotated[
        Robots, typer.Option("--robots", help="ignore is for bodies with that power, and needs --reason.")
    ] = Robots.obey,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why robots.txt is not obeyed; recorded.")
    ] = None,
    delay: Annotated[
        float, typer.Option("--delay", metavar="SECONDS", help="Between two requests to a site, at least.")
    ] = 1.0,
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="For one request.")] = 30.0,
    max_pages: Annotated[int, typer.Option("--max-pages", metavar="N", help="Pages of one site.")] = 500,
    max_total: Annotated[int, typer.Option("--max-total", metavar="N", help="Pages of all sites.")] = 10_000,
    max_depth: Annotated[
        int, typer.Option("--max-depth", metavar="N", help="Links from an address given; 0 follows none.")
    ] = 8,
    max_alike: Annotated[
        int,
        typer.Option(
            "--max-alike", metavar="N", help="Linked pages whose addresses differ in numbers or query values alone."
        ),
    ] = 100,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Connect to private and loopback addresses too.")
    ] = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Capture pages of sites into a WARC archive, obeying robots.txt, slowly.

    Exit codes: 0 all addresses given were fetched, 2 wrong usage, 3 an address given was not, 130 interrupted.
    """
    if (robots is Robots.ignore) != (reason is not None):
        raise UsageError("--robots ignore and --reason TEXT go together; the reason is recorded")
    try:
        from mdclaims.cases.capture import CaptureOptions, capture
    except ImportError as error:
        raise UsageError('capturing pages needs an extra; install it with: pip install "mdclaims[capture]"') from error
    from mdclaims.config import Settings, load_settings

    options = CaptureOptions(
        contact=contact,
        ignore_robots=reason,
        delay=delay,
        timeout=timeout,
        max_pages=max_pages,
        max_total=max_total,
        max_depth=max_depth,
        max_alike=max_alike,
        allow_private=allow_private,
        limits=(load_settings(config) if config else Settings()).limits,
    )
    result = capture(inputs, output, options)
    _tell_capture(result, output)
    raise typer.Exit(_capture_exit(result))


def _tell_capture(result: CaptureResult, output: Path) -> None:
    """Write what was not read of what was asked for, and the figures, to standard error."""
    for line in result.unread[:MOST_TOLD]:
        talk(f"mdclaims: {line}")
    if len(result.unread) > MOST_TOLD:
        talk(f"mdclaims: {len(result.unread) - MOST_TOLD} more addresses were not fetched; the archive names them")
    talk(f"mdclaims: {output}: {result.summary()}")


def _capture_exit(result: CaptureResult) -> ExitCode:
    if result.interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.UNREADABLE if result.unread else ExitCode.OK


@app.command("screen")
def screen_command(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Archives (.warc .warc.gz .wacz), folders, pages, addresses, lists of them (.txt .xml .csv .xlsx).",
        ),
    ],
    case: Annotated[
        Path, typer.Option("--case", metavar="DIR", help="The folder to write; a run goes on where the last one ended.")
    ],
    mode: Annotated[
        Mode, typer.Option("--mode", "-m", help="screen: few missed, balanced, edit: few false alarms.")
    ] = Mode.screen,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", metavar="NAME", help="Find only this label; can be repeated.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; by default one for each core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Use the workers of this Dask scheduler: tcp://HOST:8786."),
    ] = None,
    no_evidence: Annotated[
        bool, typer.Option("--no-evidence", help="Do not copy the records of pages with findings.")
    ] = False,
    page_seconds: Annotated[
        float, typer.Option("--page-seconds", metavar="S", help="A page that takes longer is recorded as failed.")
    ] = 120.0,
    page_memory: Annotated[
        int, typer.Option("--page-memory", metavar="MB", help="A page whose worker needs more is recorded as failed.")
    ] = 2_000,
    contact: Annotated[
        str | None,
        typer.Option("--contact", metavar="ADDRESS", help="For capturing addresses: yours, told to the servers."),
    ] = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Screen the pages of many sites into a case, with an exhibit for each finding and with what was not read.

    Exit codes: 0 all inputs were read, 2 wrong usage or a case that cannot be written, 3 an input could not be read.
    """
    if trust_model and model is None:
        raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
    if cluster is not None and workers is not None:
        raise UsageError("--workers is for this machine; a cluster has as many as were started there")
    try:
        from mdclaims.cases.engine import PageLimits
        from mdclaims.cases.screen import ScreenOptions, screen
    except ImportError as error:
        raise UsageError('screening needs an extra; install it with: pip install "mdclaims[screen]"') from error
    from mdclaims.config import Settings, load_settings

    settings = with_options(load_settings(config) if config else Settings(), mode, label, jurisdiction)
    options = ScreenOptions(
        settings=settings,
        model=model,
        trust_model=trust_model,
        workers=cores() if workers is None else workers,
        evidence=not no_evidence,
        limits=PageLimits(page_seconds, page_memory),
        cluster=cluster,
    )

    def capture_first(addresses: Sequence[Address], output: Path) -> Sequence[str]:
        return _capture_first(addresses, output, contact, settings)

    with ScreenProgress() as progress:
        result = screen(inputs, case, options, capture=capture_first, on_plan=progress.begin, on_part=progress.advance)
    _tell_screening(result, case)
    raise typer.Exit(ExitCode.UNREADABLE if result.problems else ExitCode.OK)


def _capture_first(
    addresses: Sequence[Address], output: Path, contact: str | None, settings: Settings
) -> Sequence[str]:
    """Capture what was named by address; return a line for each that was not fetched."""
    try:
        from mdclaims.cases.capture import CaptureOptions, capture
    except ImportError as error:
        raise UsageError('capturing pages needs an extra; install it with: pip install "mdclaims[capture]"') from error
    talk(f"mdclaims: capturing {len(addresses):,} {'address' if len(addresses) == 1 else 'addresses'} into {output}")
    result = capture(addresses, output, CaptureOptions(contact=contact, limits=settings.limits))
    talk(f"mdclaims: {output}: {result.summary()}")
    if result.interrupted:
        raise KeyboardInterrupt
    return result.unread


class ScreenProgress:
    """Shows how far a screening has come, on a terminal alone."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[pages]:,} pages"),
            TextColumn("{task.fields[rate]:.1f} pages/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, pages=0, rate=0.0)
        self._pages = 0

    def __enter__(self) -> ScreenProgress:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def begin(self, size: int) -> None:
        """Take the bytes that there are to read."""
        self._progress.reset(self._task, total=size)

    def advance(self, pages: int, size: int) -> None:
        """Take in the pages of a part, and the bytes of a task that is done."""
        self._pages += pages
        seconds = self._progress.tasks[0].elapsed or 0
        rate = self._pages / seconds if seconds else 0.0
        self._progress.update(self._task, advance=size, pages=self._pages, rate=rate)


def _tell_screening(result: ScreenResult, case: Path) -> None:
    """Write what was read and what was not, and last the digest of the manifest."""
    for line in result.problems[:MOST_TOLD]:
        talk(f"mdclaims: not read: {line}")
    if len(result.problems) > MOST_TOLD:
        talk(f"mdclaims: {len(result.problems) - MOST_TOLD} more inputs or addresses could not be read")
    unjudged = [name for name, coverage in result.sites.items() if not coverage.is_judged]
    empty = [name for name, coverage in result.sites.items() if coverage.is_judged and not coverage.findings]
    whole = result.coverage
    counts = {
        "written by a script": whole.script_written,
        "not English": whole.not_english,
        "error pages": whole.error_pages,
        "failed": whole.failed,
        "over a limit": whole.over_limit,
        "refused by robots.txt": whole.refused,
        "not fetched": whole.not_fetched,
    }
    unread = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    typer.echo(f"{number_of(result.sites, 'site')}, {whole.found:,} pages found, {whole.read:,} read")
    if unread:
        typer.echo(f"not judged: {unread}")
    typer.echo(f"{whole.findings:,} findings: high {whole.high:,}, normal {whole.normal:,}, info {whole.info:,}")
    _tell_sites("nothing found", empty, result)
    _tell_sites("could not be judged", unjudged, result)
    typer.echo(f"{case / 'manifest.json'} sha256 {result.digest}")


def _tell_sites(what: str, names: list[str], result: ScreenResult) -> None:
    from mdclaims.reports.controls import one_line

    if names:
        typer.echo(f"{what}: {number_of(names, 'site')}")
    for name in names[:MOST_TOLD]:
        typer.echo(one_line(f"  {name}: {result.sites[name].verdict()}"))
    if len(names) > MOST_TOLD:
        typer.echo(f"  and {len(names) - MOST_TOLD:,} more, in sites.parquet")


@app.command("verify")
def verify_command(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder that screen wrote.")],
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="HEX", help="The manifest's SHA-256 that screen printed: is it still that?"),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--inputs",
            metavar="DIR",
            help="Look here for what was screened, by default in this folder; can be repeated.",
        ),
    ] = None,
    format: Annotated[ListFormat, typer.Option("--format", "-f", help="Text, or JSON.")] = ListFormat.text,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; by default one for each core.", min=1)
    ] = None,
    page_seconds: Annotated[
        float, typer.Option("--page-seconds", metavar="S", help="What takes longer to read is told as failed.")
    ] = 120.0,
    page_memory: Annotated[
        int, typer.Option("--page-memory", metavar="MB", help="What needs more to be read is told as failed.")
    ] = 2_000,
    debug: DebugOption = False,
) -> None:
    """Verify a case: every hash and count, and every quote against the evidence, read again.

    Exit codes: 0 all holds that could be checked, 1 something does not, 2 wrong usage, 3 the case cannot be read.
    """
    try:
        from mdclaims.cases.engine import PageLimits
        from mdclaims.cases.verify import VerifyOptions, verify, verify_json, verify_text
    except ImportError as error:
        raise UsageError('verifying needs an extra; install it with: pip install "mdclaims[screen]"') from error
    options = VerifyOptions(
        digest=digest,
        folders=tuple(inputs or [Path()]),
        workers=cores() if workers is None else workers,
        limits=PageLimits(page_seconds, page_memory),
    )
    with ScreenProgress() as progress:
        result = verify(case, options, on_plan=progress.begin, on_part=progress.advance)
    write(verify_json(result) if format is ListFormat.json else verify_text(result))
    raise typer.Exit(ExitCode.OK if result.holds else ExitCode.FINDINGS)
