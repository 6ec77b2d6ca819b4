"""The errors that mdclaims raises, and the exit codes that the command line makes of them.

    MdclaimsError
    ├── UsageError      a wrong option, configuration or combination
    ├── ReadError       an input that could not be read
    ├── ModelError      a refused, damaged or foreign model
    └── CorpusError     a corpus or gold file that breaks its format

Every message is one line that says what is wrong, where, and what to do next. The library raises; only
``cli`` turns an error into an exit code and never lets a traceback through unless asked with ``--debug``.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit status means; where several apply the order is 4 > 2 > 3 > 1 > 0."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    UNREADABLE = 3
    INTERNAL = 4
    INTERRUPTED = 130


class MdclaimsError(Exception):
    """Base of all errors that a user can act on."""

    exit_code: ExitCode = ExitCode.USAGE


class UsageError(MdclaimsError):
    """A wrong option, configuration key or combination of them."""


class ReadError(MdclaimsError):
    """An input that could not be read; the other inputs are still reported."""

    exit_code = ExitCode.UNREADABLE


class ModelError(MdclaimsError):
    """A model folder that is missing, damaged, foreign or made for another version."""


class CorpusError(MdclaimsError):
    """A corpus or gold file that breaks its format; the message names file and line."""
