"""``lsp``: the language server, for editors to start."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from mdclaims.cli.app import app, version_of_package
from mdclaims.cli.options import ConfigOption, DebugOption, Jurisdiction, Mode, ModelOption, TrustOption
from mdclaims.cli.output import talk
from mdclaims.errors import UsageError


@app.command("lsp")
def lsp_command(
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", "-m", help="edit (default): few false alarms, balanced, screen: few missed."),
    ] = None,
    jurisdiction: Annotated[
        list[Jurisdiction] | None,
        typer.Option(
            "--jurisdiction", "-j", help="Show which provisions of this jurisdiction may be touched; can be repeated."
        ),
    ] = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over standard input and output: the one way, also without this.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Mark drafts in an editor while they are written: a language server, which the editor starts.

    It reads text and Markdown. What an editor sets goes before these options, and they before a config.

    Exit codes: 0 the editor has ended it, 2 wrong usage or refused model.
    """
    try:
        from mdclaims.desk.lsp import ClientSettings, serve
    except ImportError as error:
        raise UsageError('the language server needs an extra; install it with: pip install "mdclaims[lsp]"') from error
    from mdclaims.model.persistence import load_model

    if trust_model and model is None:
        raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
    loaded = load_model(model, trust=trust_model)
    if sys.stdin.isatty():
        talk("mdclaims: the language server waits for an editor (Ctrl-C ends); docs/editors.md says how one starts it")
    settings = ClientSettings(
        mode=mode.value if mode else None,
        jurisdictions=tuple(entry.value for entry in jurisdiction) if jurisdiction else None,
    )
    serve(loaded, version=version_of_package(), config=config, settings=settings)
