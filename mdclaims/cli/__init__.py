"""The command line: options, help, exit codes. It holds no logic of its own, and nothing else in the program prints.

Heavy imports happen inside the commands, so that ``mdclaims --help`` needs neither spaCy nor scikit-learn.
"""

from __future__ import annotations

import os
import sys
import traceback

from mdclaims.cli import (  # noqa: F401  # each adds its commands, in the order of the help
    cases,
    check,
    compare,
    decide,
    example,
    export,
    knowledge,
    lsp,
    overview,
    serve,
    training,
)
from mdclaims.cli.app import app
from mdclaims.cli.output import talk
from mdclaims.errors import ExitCode, MdclaimsError


def main() -> None:
    """Run the command line and exit with its code: the entry point of ``mdclaims``."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; every error ends in one line on standard error."""
    debug = "--debug" in arguments
    try:
        code = app(arguments, prog_name="mdclaims", standalone_mode=False)
    except MdclaimsError as error:
        if debug:
            traceback.print_exc()
        talk(f"mdclaims: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader has seen enough ("| head"); nothing more can be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:
        return _unexpected(error, debug=debug)
    return int(code or 0)


def _unexpected(error: Exception, *, debug: bool) -> int:
    """Tell usage errors of the command line from bugs."""
    show = getattr(error, "show", None)
    if callable(show):  # click's own: unknown option, missing argument, bad choice
        show()
        return ExitCode.USAGE
    if debug:
        traceback.print_exc()
    name = type(error).__name__
    talk(f"mdclaims: internal error ({name}: {error}); run again with --debug and report the traceback")
    return ExitCode.INTERNAL
