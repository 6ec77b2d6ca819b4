"""What is too much to read, and the one sentence that says so for every limit."""

from __future__ import annotations

from dataclasses import dataclass

from mdclaims.errors import ReadError


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much to read; over a limit nothing is read, so that nothing is cut silently.

    Attributes
    ----------
    max_bytes : int
        Bytes of a text, Markdown or HTML file.
    max_document_bytes : int
        Bytes of a Word or PDF file.
    max_unpacked_bytes : int
        Bytes of everything packed in a zip archive, which is what a Word file is.
    max_chars : int
        Code points of a decoded page.
    max_depth : int
        Nested HTML elements. Deep nesting costs quadratic time in parsing and memory in selectors; real pages
        have some dozens of levels, and browsers stop at 512.
    """

    max_bytes: int = 20_000_000
    max_document_bytes: int = 200_000_000
    max_unpacked_bytes: int = 100_000_000
    max_chars: int = 5_000_000
    max_depth: int = 2_000


def over_limit(key: str, value: int, limit: int, unit: str, *, more: bool = False) -> ReadError:
    """Return the error for an input over a limit.

    Parameters
    ----------
    key : str
        The limit's name in `Limits` and in the configuration.
    value, limit : int
        What the input has, and what is allowed.
    unit : str
        What is counted, in the plural.
    more : bool
        `value` is where counting stopped: the input has at least as many.
    """
    shown = f"over {limit:,}" if more else f"{value:,}"
    return ReadError(
        f"has {shown} {unit}, over the limit {key} = {limit:,}; raise {key} in the configuration to read it"
    )


def is_over_limit(reason: str) -> bool:
    """True if the reason of a failure is a limit: those of `over_limit`, and those that readers find themselves."""
    return ", over the limit " in reason
