"""What an editor has open: a draft's text as its client changes it, and what a check of it came to.

Documents are kept here and not by pygls, which takes a form feed for a line end and moves positions behind the end of a
line (2.1): one such edit, and server and editor would speak of different texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lsprotocol import types
from pygls.uris import to_fs_path

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.findings.suppressions import Note
from mdclaims.language.sentences import Sentence
from mdclaims.reading import Limits, format_of
from mdclaims.reading.positions import SourcePositions

# What clients call text and Markdown.
_LANGUAGES = {"markdown": "markdown", "plaintext": "text", "text": "text", "txt": "text"}
READ = frozenset(_LANGUAGES.values())
"""The formats whose places in the file are known; HTML and PDF have none, and Word files are no text documents."""


def format_in_editor(uri: str, language: str) -> str | None:
    """Return the format of a document, None if its places are not known: by suffix, as `check`, else by language."""
    kind = format_of(Path(unquote(urlsplit(uri).path))) or _LANGUAGES.get(language.lower())
    return kind if kind in READ else None


class Document:
    """A document that a client has open.

    Parameters
    ----------
    uri : str
    format : str
        "text" or "markdown".
    text : str
    version : int
        The client's number of this text.
    folder : Path or None
        Where a document that has no file yet looks for its config.
    encoding : str
        Whose code units positions count, one of `mdclaims.reading.positions.ENCODINGS`.
    """

    def __init__(
        self, uri: str, format: str, text: str, version: int, *, folder: Path | None = None, encoding: str = "utf-16"
    ) -> None:
        self.uri = uri
        self.format = format
        self.encoding = encoding
        self.text = text
        self.version = version
        place = to_fs_path(uri) if urlsplit(uri).scheme == "file" else None
        self.file = Path(place) if place else folder / "untitled" if folder else None

    def change(self, changes: Iterable[types.TextDocumentContentChangeEvent], version: int) -> None:
        """Make a client's changes, each in the text that the one before it left."""
        for change in changes:
            if isinstance(change, types.TextDocumentContentChangePartial):
                positions = SourcePositions(self.text, encoding=self.encoding)
                start = positions.place_of(change.range.start.line, change.range.start.character)
                end = positions.place_of(change.range.end.line, change.range.end.character)
                self.text = self.text[:start] + change.text + self.text[max(start, end) :]
            else:
                self.text = change.text
        self.version = version


@dataclass(frozen=True)
class Checked:
    """What a check of a document came to.

    Attributes
    ----------
    uri : str
    format : str
    text : str
        That was checked.
    version : int
    encoding : str
    today : date
    generation : int
        A number that changes with the config, the cleared wording and the client's settings.
    result : PageResult or None
        None if the text could not be checked.
    notes : tuple of Note
        About its directives.
    thresholds : dict of str to float
    limits : Limits
    settings_line : str
        Mode and jurisdictions in plain words.
    problem : str or None
        Why the text could not be read.
    trouble : str or None
        Why nothing can be checked at all: a wrong config.
    """

    uri: str
    format: str
    text: str
    version: int
    encoding: str
    today: date
    generation: int
    result: PageResult | None = None
    notes: tuple[Note, ...] = ()
    thresholds: dict[str, float] | None = None
    limits: Limits | None = None
    settings_line: str = ""
    problem: str | None = None
    trouble: str | None = None

    @cached_property
    def positions(self) -> SourcePositions:
        """The places of the text."""
        return SourcePositions(self.text, encoding=self.encoding)

    def range_of(self, start: int, end: int) -> types.Range:
        """Return the range of offsets as ``Page.source_span`` gives them."""
        region = self.positions.region(start, end)
        return types.Range(
            types.Position(region.start_line - 1, region.start_column - 1),
            types.Position(region.end_line - 1, region.end_column - 1),
        )

    def range_of_line(self, line: int) -> types.Range:
        """Return the range of a line, from 0, without its end."""
        whole = self.text[self.positions.place_of(line, 0) : self.positions.place_of(line, len(self.text) * 4)]
        length = SourcePositions(whole, encoding=self.encoding).region(0, len(whole)).length
        return types.Range(types.Position(line, 0), types.Position(line, length))

    def range_of_sentence(self, n: int) -> types.Range:
        """Return the range of a sentence of the result.

        What stands in an HTML block of Markdown has no place of its own: its range lies between its neighbours.
        """
        start, end = self._place(n)
        return self.range_of(start, end)

    def has_place(self, sentence: Sentence) -> bool:
        """Return whether it is known where a sentence stands."""
        return self.result is not None and self.result.page.source_cover(sentence.start, sentence.end) is not None

    def _place(self, n: int) -> tuple[int, int]:
        if self.result is None:
            raise ValueError("a text that could not be checked has no sentences")
        page, sentences = self.result.page, self.result.sentences
        sentence = sentences[n].sentence
        found = page.source_cover(sentence.start, sentence.end)
        if found is not None:
            return found
        before = page.source_cover(0, sentence.start) if sentence.start else None
        behind = page.source_cover(sentence.end, len(page.text)) if sentence.end < len(page.text) else None
        folded = self.text.replace("\r\n", "\n").replace("\r", "\n")
        start = 0 if before is None else before[1]
        end = max(start, len(folded) if behind is None else behind[0])
        between = folded[start:end]
        blank = len(between) - len(between.lstrip())
        return (start + blank, start + len(between.rstrip())) if between.strip() else (start, start)

    def shown(self) -> list[Finding]:
        """Return the findings that nobody said are fine."""
        return [finding for finding in self.result.findings if finding.suppressed is None] if self.result else []
