"""Offsets into a source to the lines and columns of its file, counted as editors and SARIF count them.

``Page.source_span`` counts code points and takes every line end for one line feed. A file has its own line
ends, and most programs that jump to a place (VS Code, GitHub, language clients) count UTF-16 code units. This
module owns that translation, both ways; it never looks at blocks or sentences.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

LINE_ENDS: tuple[str, ...] = ("\r\n", "\r", "\n")
"""What ends a line; the reader takes each for one line feed. The longest stands first."""

_LINE_END = re.compile("|".join(LINE_ENDS))
# A character is one code unit, and one more for each of its encoding's patterns that it fits.
_WIDER: dict[str, tuple[re.Pattern[str], ...]] = {
    "utf-16": (re.compile("[\U00010000-\U0010ffff]"),),
    "utf-8": tuple(re.compile(f"[{first}-\U0010ffff]") for first in "\x80\u0800\U00010000"),
    "utf-32": (),
}
ENCODINGS: tuple[str, ...] = tuple(_WIDER)
"""The encodings whose code units columns can be counted in."""


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of a file.

    Attributes
    ----------
    start_line, end_line : int
        From 1.
    start_column, end_column : int
        From 1, in code units; `end_column` is the one behind the last character.
    offset, length : int
        In code units from the start of the file, a byte-order mark not counted.
    text : str
        The stretch as it stands in the file, line ends and all.
    """

    start_line: int
    start_column: int
    end_line: int
    end_column: int
    offset: int
    length: int
    text: str


class SourcePositions:
    """Finds regions in one file.

    Parameters
    ----------
    source : str
        The decoded file with its own line ends, as in ``Page.source_text``.
    encoding : str
        Whose code units are counted, one of `ENCODINGS`: UTF-16 is what SARIF and most language clients count in.
    """

    def __init__(self, source: str, *, encoding: str = "utf-16") -> None:
        self._source = source
        # Where each line begins: in the file, and in the text with line feeds for line ends.
        self._starts = [0]
        self._folded = [0]
        for end in _LINE_END.finditer(source):
            self._folded.append(self._folded[-1] + end.start() - self._starts[-1] + 1)
            self._starts.append(end.end())
        self._wider = [[match.start() for match in pattern.finditer(source)] for pattern in _WIDER[encoding]]

    def region(self, start: int, end: int) -> Region:
        """Return the region of a span as ``Page.source_span`` gives it.

        Parameters
        ----------
        start, end : int
            Half-open code-point offsets into the source with a line feed for every line end; both lie inside a
            line or at its end.
        """
        first_line, first = self._place(start)
        last_line, last = self._place(end)
        offset = self._units(first)
        return Region(
            start_line=first_line + 1,
            start_column=offset - self._units(self._starts[first_line]) + 1,
            end_line=last_line + 1,
            end_column=self._units(last) - self._units(self._starts[last_line]) + 1,
            offset=offset,
            length=self._units(last) - offset,
            text=self._source[first:last],
        )

    def place_of(self, line: int, column: int) -> int:
        """Return the code-point offset into the file of a line and column, both from 0, the column in code units.

        As language clients mean them: a column behind the end of its line is its end, a line behind the last is the
        end of the file, and inside a character is before it.
        """
        if line >= len(self._starts):
            return len(self._source)
        start = self._starts[line]
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self._source)
        while end > start and self._source[end - 1] in "\r\n":
            end -= 1
        before = self._units(start)
        return start + bisect_right(range(start + 1, end + 1), column, key=lambda place: self._units(place) - before)

    def _place(self, offset: int) -> tuple[int, int]:
        """Return the line, from 0, and the place in the file."""
        line = bisect_right(self._folded, offset) - 1
        return line, self._starts[line] + offset - self._folded[line]

    def _units(self, place: int) -> int:
        """Return how many code units stand before a place in the file."""
        return place + sum(bisect_left(starts, place) for starts in self._wider)
