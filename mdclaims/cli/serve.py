"""``serve``: pages of a local server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import ConfigOption, DebugOption, ModelOption, TrustOption
from mdclaims.cli.output import talk
from mdclaims.errors import UsageError

if TYPE_CHECKING:
    from mdclaims.desk.web import Part


@app.command("serve")
def serve_command(
    case: Annotated[
        Path | None, typer.Option("--case", metavar="DIR", help="Decide about this case instead: what screen wrote.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="An address of this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 for one that is free.", min=0, max=65_535)] = 8321,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    config: ConfigOption = None,
    debug: DebugOption = False,
) -> None:
    """Check drafts in the browser while you write them, and answer programs at /v1/check; on this machine alone.

    With --case decide about the findings of a case instead, one at a time.

    Exit codes: 2 wrong usage or a port that is taken, 3 the case cannot be read, 130 ended with Ctrl-C.
    """
    if case is not None:
        if model is not None or trust_model or config is not None:
            raise UsageError(
                "a case has its own model and settings; --model, --trust-model and --config go without --case"
            )
        _serve_case(case, host, port, open_browser=open_browser)
    else:
        if trust_model and model is None:
            raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
        _serve_editor(config, model, host, port, trust_model=trust_model, open_browser=open_browser)


def _serve_case(case: Path, host: str, port: int, *, open_browser: bool) -> None:
    try:
        from mdclaims.cases.casefile import open_case
        from mdclaims.desk.queue import Queue
        from mdclaims.desk.review import review_part
        from mdclaims.desk.web import serve  # noqa: F401 (the extra is missing, not the case)
    except ImportError as error:
        raise UsageError(
            'the local server needs extras; install them with: pip install "mdclaims[screen,web]"'
        ) from error
    with open_case(case) as opened:
        _serve([review_part(Queue(opened))], str(case), host, port, open_browser=open_browser)


def _serve_editor(
    config: Path | None, model: Path | None, host: str, port: int, *, trust_model: bool, open_browser: bool
) -> None:
    try:
        from platformdirs import user_data_path

        from mdclaims.desk.api import api_part
        from mdclaims.desk.bodies import Bodies
        from mdclaims.desk.editor import editor_part
    except ImportError as error:
        raise UsageError('the local server needs an extra; install it with: pip install "mdclaims[web]"') from error
    from mdclaims.desk.checks import Checks
    from mdclaims.desk.corrections import FILE, Corrections
    from mdclaims.desk.worker import Options, Worker

    checks = Checks(config, model, trust_model=trust_model)
    most = checks.settings.limits.max_bytes
    bodies = Bodies(most, "max_bytes", 4 * most)
    worker = Worker(Options(config, model, trust_model, checks.settings.limits))
    corrections = Corrections(user_data_path("mdclaims", appauthor=False) / FILE)
    parts = [editor_part(checks, worker, corrections, bodies), api_part(worker, bodies)]
    _serve(parts, "the editor's desk", host, port, open_browser=open_browser)


def _serve(parts: list[Part], what: str, host: str, port: int, *, open_browser: bool) -> None:
    from mdclaims.desk.web import serve

    def tell(address: str) -> None:
        talk(f"mdclaims: {what} is at {address} (Ctrl-C ends)")
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    serve(parts, host, port, tell)
