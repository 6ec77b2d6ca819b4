"""The program that the modules of this package add their commands to."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(
    name="mdclaims",
    help="Read medical-marketing language: which sentences claim that a treatment works, speak of its safety, "
    "frame people through stigma, or ask the reader to act.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
corpus_app = typer.Typer(name="corpus", help="Check annotated documents and measure agreement.", no_args_is_help=True)
app.add_typer(corpus_app)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Run before every command."""
    if version:
        typer.echo(f"mdclaims {version_of_package()}")
        raise typer.Exit


def version_of_package() -> str:
    """Return the version of this package as it is installed."""
    from importlib.metadata import version

    return version("mdclaims")
