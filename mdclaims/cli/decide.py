"""``decide``: what people decided, from a sheet or from an earlier case into a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption
from mdclaims.cli.output import MOST_TOLD, talk
from mdclaims.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mdclaims.cases.carrying import CarryReport
    from mdclaims.cases.decide import SheetReport
    from mdclaims.cases.decisions import Decisions


@app.command("decide")
def decide_command(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder that screen wrote.")],
    sheet: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.xlsx|.csv", help="The overview's sheet Findings, with decisions filled in."),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CASE", help="Carry the decisions of this earlier case over, in place of a sheet."
        ),
    ] = None,
    reviewer: Annotated[
        str | None,
        typer.Option("--reviewer", metavar="NAME", help="Who decided, where the sheet's column reviewer does not say."),
    ] = None,
    copies: Annotated[
        bool,
        typer.Option("--copies", help="Each decision covers all open copies of its claim on the same site."),
    ] = False,
    overrule: Annotated[
        bool, typer.Option("--overrule", help="Write also what differs from another reviewer's decision.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    debug: DebugOption = False,
) -> None:
    """Bring decisions into a case from the overview's sheet, or carry them over from an earlier case.

    Exit codes: 0 all is written, 1 reviewers do not agree, 2 wrong usage or a sheet with wrong rows, 3 a case or sheet
    cannot be read.
    """
    if (sheet is None) == (earlier is None):
        raise UsageError("name a sheet (FILE.xlsx or FILE.csv), or an earlier case with --from; one of them")
    if earlier is not None and (reviewer is not None or copies or overrule):
        raise UsageError("--reviewer, --copies and --overrule are for sheets; --from keeps what was decided as it was")
    try:
        from mdclaims.cases.casefile import open_case
        from mdclaims.cases.decide import SheetError, decide
        from mdclaims.cases.decisions import read_decisions
    except ImportError as error:
        raise UsageError('deciding needs an extra; install it with: pip install "mdclaims[screen]"') from error
    with open_case(case) as opened:
        decisions = read_decisions(case)
        _tell_torn(decisions)
        if earlier is not None:
            from mdclaims.cases.carrying import carry_over

            with open_case(earlier) as before:
                earlier_decisions = read_decisions(earlier)
                _tell_torn(earlier_decisions)
                carried = carry_over(opened, before, decisions, earlier_decisions, dry_run=dry_run)
            _tell_carried(carried, dry_run=dry_run)
            return
        assert sheet is not None  # noqa: S101 (checked above)
        try:
            report = decide(
                opened, sheet, decisions, reviewer=reviewer, copies=copies, overrule=overrule, dry_run=dry_run
            )
        except SheetError as error:
            for line in error.report.problems[:MOST_TOLD]:
                talk(f"mdclaims: {line}")
            _tell_more(len(error.report.problems) + error.report.untold, "rows that cannot be written")
            raise
        _tell_sheet(report, dry_run=dry_run)
    raise typer.Exit(ExitCode.FINDINGS if report.conflicts else ExitCode.OK)


def _tell_torn(decisions: Decisions) -> None:
    from mdclaims.cases.decisions import torn_line

    if decisions.torn:
        talk(f"mdclaims: {decisions.path}: {torn_line(decisions)}")


def _tell_more(number: int, what: str) -> None:
    if number > MOST_TOLD:
        talk(f"mdclaims: and {number - MOST_TOLD:,} more {what}")


def _tell_sheet(report: SheetReport, *, dry_run: bool) -> None:
    for line in report.told[:MOST_TOLD]:
        talk(f"mdclaims: in conflict: {line}")
    _tell_more(report.conflicts, "exhibits in conflict")
    if report.notes:
        talk(f"mdclaims: {report.notes:,} notes or provisions stand in rows without a decision; they are not kept")
    copies = f", {report.copies:,} copies decided with them" if report.copies else ""
    typer.echo(
        f"{'would be written' if dry_run else 'written'}: {report.new:,} new, {report.changed:,} changed{copies}; "
        f"not written: {report.unchanged:,} unchanged, {report.conflicts:,} in conflict, {report.undecided:,} rows "
        "without a decision"
    )


def _tell_carried(report: CarryReport, *, dry_run: bool) -> None:
    again = f"{report.reworded:,} reworded, {report.moved:,} moved, {report.still_there:,} fixed and still there"
    typer.echo(
        f"{'would be carried' if dry_run else 'carried'} over: {report.carried:,}; open again with the old decision "
        f"beside: {again}; decided here already: {report.present:,}; not in this case: {report.gone:,}"
    )
