"""``rules`` and ``explain``: what the program knows, with its sources."""

from __future__ import annotations

from typing import Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption, JurisdictionOption, ListFormat, today
from mdclaims.cli.output import terminal, write


@app.command("rules")
def rules_command(
    jurisdiction: JurisdictionOption = None,
    format: Annotated[ListFormat, typer.Option("--format", "-f", help="text, or json with every key.")] = (
        ListFormat.text
    ),
    debug: DebugOption = False,
) -> None:
    """List the rules that a sentence may touch, with their sources; of all jurisdictions, or of those named."""
    from mdclaims.config import JURISDICTIONS
    from mdclaims.reports.reference import render_rules, rules_json

    names = [entry.value for entry in jurisdiction or ()] or list(JURISDICTIONS)
    if format is ListFormat.json:
        write(rules_json(names, on=today()))
    else:
        width, colour = terminal()
        write(render_rules(names, on=today(), width=width, colour=colour))


@app.command("explain")
def explain_command(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="A rule, a label, a stance, a cue list, or an entry on wording.")
    ],
    debug: DebugOption = False,
) -> None:
    """Say what a rule, label, stance, cue list or entry on wording means, and where it comes from."""
    from mdclaims.reports.reference import render_entry

    width, colour = terminal()
    write(render_entry(id, on=today(), width=width, colour=colour))
