"""``example``: texts to try the program on."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption
from mdclaims.cli.output import talk
from mdclaims.errors import UsageError


@app.command("example")
def example_command(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to write them; it must not exist.")] = Path(
        "mdclaims-example"
    ),
    debug: DebugOption = False,
) -> None:
    """Write a draft, a web page and ten saved pages of four clinics, all invented, to try the program on.

    Exit codes: 0 written, 2 the folder exists or cannot be written.
    """
    import shutil

    try:
        with as_file(files("mdclaims") / "data" / "examples") as source:
            shutil.copytree(source, folder, copy_function=shutil.copyfile)
    except FileExistsError as error:
        raise UsageError(f"{folder} is there already; choose another folder") from error
    except (OSError, shutil.Error) as error:
        raise UsageError(f"cannot write {folder} ({error}); choose another folder") from error
    talk(f"mdclaims: wrote {folder}")
