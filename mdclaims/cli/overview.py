"""``overview``: a case as a page to look at or a spreadsheet, the sites to read first on top."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption
from mdclaims.cli.output import talk
from mdclaims.errors import UsageError


class Priority(StrEnum):
    """Down to which priority claims are listed."""

    high = "high"
    normal = "normal"
    info = "info"


@app.command("overview")
def overview_command(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder that `mdclaims screen` wrote.")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE.html|.xlsx|.csv", help="The file to write; it must not exist."),
    ],
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign", metavar="FILE.toml|NAME", help="What is of interest, and how much; the rest is counted."
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", metavar="N", help="What deciding a claim takes, for the hours it tells.")
    ] = 2.0,
    down_to: Annotated[
        Priority, typer.Option("--down-to", help="The last priority that is listed; the rest is counted.")
    ] = Priority.normal,
    first: Annotated[
        int, typer.Option("--from", metavar="RANK", help="Begin an HTML file with the site of this rank.", min=1)
    ] = 1,
    debug: DebugOption = False,
) -> None:
    """Write the overview of a case: its sites ranked, the distinct claims to decide on, and what was not read."""
    if not 0 < minutes <= 1_000:
        raise UsageError(f"--minutes must be more than 0 and at most 1,000, not {minutes:g}")
    try:
        from mdclaims.cases.campaign import read_campaign
        from mdclaims.cases.casefile import open_case
        from mdclaims.cases.decisions import read_decisions
        from mdclaims.cases.overview import head_lines, write_overview
        from mdclaims.cases.ranking import rank
    except ImportError as error:
        raise UsageError('the overview needs an extra; install it with: pip install "mdclaims[screen]"') from error
    chosen = None if campaign is None else read_campaign(campaign)
    with open_case(case) as opened:
        decisions = read_decisions(case)
        ranking = rank(opened, chosen, decisions, minutes=minutes)
        written = write_overview(opened, ranking, decisions, output, down_to=down_to.value, first=first)
    for line in head_lines(ranking):
        talk(line)
    for line in written.left_out:
        talk(f"not in the file: {line}")
    for path in written.files:
        talk(f"mdclaims: wrote {path}")
