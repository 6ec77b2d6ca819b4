"""``compare``: what became of the claims between two screenings."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.cases import ScreenProgress
from mdclaims.cli.options import DebugOption, cores
from mdclaims.cli.output import write
from mdclaims.errors import ExitCode, UsageError

_PIECES = 1_000


class CompareFormat(StrEnum):
    """Formats of ``compare``."""

    text = "text"
    json = "json"
    html = "html"


@app.command("compare")
def compare_command(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The case of the earlier screening.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The case of the later screening.")],
    format: Annotated[
        CompareFormat, typer.Option("--format", "-f", help="Text, JSON or one HTML file, on standard output.")
    ] = CompareFormat.text,
    site: Annotated[str | None, typer.Option("--site", metavar="SITE", help="Compare only this site.")] = None,
    upheld: Annotated[
        bool, typer.Option("--upheld", help="Only the claims that a reviewer upheld in OLD: was the undertaking kept?")
    ] = False,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--inputs",
            metavar="DIR",
            help="Look here for what was screened, by default in this folder; can be repeated.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes; by default one for each core.", min=1)
    ] = None,
    page_seconds: Annotated[
        float, typer.Option("--page-seconds", metavar="S", help="A page that takes longer is not read again.")
    ] = 120.0,
    page_memory: Annotated[
        int, typer.Option("--page-memory", metavar="MB", help="A page that needs more is not read again.")
    ] = 2_000,
    debug: DebugOption = False,
) -> None:
    """Compare two cases, claim by claim: still there, reworded, moved, new, gone, or cannot tell.

    Exit codes: 0 no difference, 1 a difference, 2 wrong usage, 3 a case cannot be read.
    """
    if page_seconds <= 0 or page_memory < 1:
        raise UsageError("--page-seconds and --page-memory must be more than 0")
    try:
        from mdclaims.cases.compare import CompareOptions, compare
        from mdclaims.cases.compare_report import compare_html, compare_json, compare_text
        from mdclaims.cases.engine import PageLimits
        from mdclaims.cases.pairing import LookOptions
    except ImportError as error:
        raise UsageError('comparing needs an extra; install it with: pip install "mdclaims[screen]"') from error
    look = LookOptions(
        folders=tuple(inputs or [Path()]),
        workers=cores() if workers is None else workers,
        limits=PageLimits(page_seconds, page_memory),
    )
    options = CompareOptions(site, upheld, look)
    with ExitStack() as stack:
        with ScreenProgress() as progress:
            comparing = compare(old, new, options, on_plan=progress.begin, on_part=progress.advance)
            comparison = stack.enter_context(comparing)
        if format is CompareFormat.html:
            write(compare_html(comparison))
        else:
            pieces = compare_json(comparison) if format is CompareFormat.json else compare_text(comparison)
            while block := "".join(islice(pieces, _PIECES)):
                write(block)
        code = ExitCode.FINDINGS if comparison.differs else ExitCode.OK
    raise typer.Exit(code)
