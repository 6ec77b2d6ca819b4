"""What the program prints: data on standard output, talk on standard error. Nothing else prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sized
from pathlib import Path

import typer

from mdclaims.errors import UsageError

MOST_TOLD = 20
"""More notes would hide the report; the JSON has them all."""


def talk(text: str) -> None:
    """Write one line to standard error; names of files must not reach the terminal as commands."""
    from mdclaims.reports.controls import one_line

    typer.echo(one_line(text), err=True)


def save(path: Path, content: str | bytes) -> None:
    """Write a file and say so; its folder is made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise UsageError(f"cannot write {path} ({error.strerror or error}); choose another --output") from error
    talk(f"mdclaims: wrote {path}")


def write(text: str) -> None:
    """Write to standard output as UTF-8, whatever the locale: page text holds every kind of character."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write to standard output ({error.strerror or error})") from error


def terminal() -> tuple[int | None, bool]:
    """Return the width of standard output and whether it wants colour (NO_COLOR, pipes, TERM=dumb: no)."""
    from rich.console import Console

    console = Console()
    forced = bool(os.environ.get("FORCE_COLOR"))
    colour = (console.is_terminal or forced) and not console.no_color and os.environ.get("TERM") != "dumb"
    known = console.is_terminal or bool(os.environ.get("COLUMNS"))
    return (console.width if known else None), colour


def number_of(what: Sized, name: str) -> str:
    """Return how many there are, with their name: "1 site", "2 sites"."""
    return f"{len(what):,} {name}{'' if len(what) == 1 else 's'}"
