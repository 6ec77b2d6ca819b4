"""Writes a letter to one site; docs/letters.md tells users what stands in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from mdclaims.cases.letter_content import LetterOptions, gather
from mdclaims.cases.letter_word import letter_bytes, read_template
from mdclaims.cases.store import write_file
from mdclaims.errors import UsageError

__all__ = ["LetterOptions", "LetterResult", "write_letter"]


@dataclass(frozen=True, slots=True)
class LetterResult:
    """What became of it.

    Attributes
    ----------
    exhibits : int
        How many stand in the letter.
    left_out : tuple of str
        A line for each finding that did not hold.
    notes : tuple of str
        What is to be added or known by whoever sends it.
    """

    exhibits: int
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def write_letter(case: Path, output: Path, options: LetterOptions) -> LetterResult:
    """Write a letter.

    Parameters
    ----------
    case : Path
    output : Path
        A Word file that does not exist yet.
    options : LetterOptions

    Raises
    ------
    UsageError
        If the output exists or cannot be written, the site or time zone is unknown, the template cannot be used, or
        nothing of the site is for a letter.
    ReadError
        If the folder is no case.
    BrokenCaseError
        If the case does not hold, or none of the exhibits.
    """
    if output.exists():
        raise UsageError(f"{output} exists, and may hold your own changes; name another file, or remove it first")
    zone = _zone(options.timezone)
    template = read_template(options.template)
    letter, notes = gather(case, options, zone)
    write_file(output, letter_bytes(letter, template))
    return LetterResult(len(letter.exhibits), tuple(entry.line() for entry in letter.left_out), tuple(notes))


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError; a folder's name an OSError
        raise UsageError(f"--timezone {name!r} is not known here; give a name such as Europe/London") from error
