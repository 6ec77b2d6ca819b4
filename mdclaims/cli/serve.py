"""``serve``: pages of a local server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption
from mdclaims.cli.output import talk
from mdclaims.errors import UsageError


@app.command("serve")
def serve_command(
    case: Annotated[Path, typer.Option("--case", metavar="DIR", help="The case to decide about: what screen wrote.")],
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="An address of this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="0 for one that is free.", min=0, max=65_535)] = 8321,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    debug: DebugOption = False,
) -> None:
    """Decide about the findings of a case in the browser, one at a time; on this machine alone.

    Exit codes: 2 wrong usage or a port that is taken, 3 the case cannot be read, 130 ended with Ctrl-C.
    """
    try:
        from mdclaims.cases.casefile import open_case
        from mdclaims.desk.queue import Queue
        from mdclaims.desk.review import review_part
        from mdclaims.desk.web import serve
    except ImportError as error:
        raise UsageError(
            'the local server needs extras; install them with: pip install "mdclaims[screen,web]"'
        ) from error

    def tell(address: str) -> None:
        talk(f"mdclaims: {case} is at {address} (Ctrl-C ends)")
        if open_browser:
            import webbrowser

            webbrowser.open(address)

    with open_case(case) as opened:
        serve([review_part(Queue(opened))], host, port, tell)
