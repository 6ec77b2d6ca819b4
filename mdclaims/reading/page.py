"""What every reader produces: a `Page` of `Block`s, and the builder that fixes its text once.

``Page.text`` is what a reader of the page sees: the blocks in reading order, white space folded, one blank
line between blocks. Everything later speaks in half-open code-point offsets into it. This module owns that
text, the heading paths and the way back to the source; it never looks at file formats or sentences.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import NamedTuple

KINDS: tuple[str, ...] = (
    "title", "description", "heading", "paragraph", "list_item", "cell", "button",
    "link", "alt", "quote", "caption", "structured", "other",
)  # fmt: skip
REGIONS: tuple[str, ...] = ("header", "nav", "main", "aside", "footer", "metadata")

HEADING_LENGTH = 300
"""Longer headings are cut to this many code points in heading paths; their own block keeps them whole."""

BLOCK_SEPARATOR = "\n\n"

# A run of visible characters with single spaces inside: the longest piece that needs no folding, so that it
# maps to its source as one segment.
_VISIBLE_RUN = re.compile(r"\S+(?: \S+)*")
# Present in the file, but nothing that a reader sees: zero-width characters, soft hyphens, byte-order marks.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]+")
# U+200D joins emoji, and U+200C/U+200D matter in other scripts: kept where they stand between two non-ASCII characters.
_JOINER = re.compile("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")

_SURROGATE = re.compile("[\ud800-\udfff]")


def replace_unencodable(text: str) -> str:
    """Replace NUL and lone surrogates, which neither JSON nor UTF-8 can carry, by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of ``Page.text`` that stands in the source code point for code point.

    Attributes
    ----------
    start : int
        Where it begins in ``Page.text``.
    source_start : int
        Where it begins in the decoded source; ``word_reader`` says what that is for Word.
    length : int
        Its length in code points, the same on both sides.
    """

    start: int
    source_start: int
    length: int


class Block(NamedTuple):
    """One paragraph, heading, list item, button, ... of a page.

    Attributes
    ----------
    index : int
        Position among the page's blocks, from 0.
    start, end : int
        Its text is ``page.text[start:end]``, never empty, no white space at either end.
    kind : str
        One of `KINDS`.
    region : str
        One of `REGIONS`.
    level : int or None
        1 to 6 for headings, else None.
    hidden : bool
        True if the text is present but not shown at first.
    selector : str or None
        A CSS selector of the element (HTML only).
    heading_path : tuple of str
        The headings above it in its region, outermost first; a heading's own text is not in its path.
    page : int or None
        Number of the printed page that it begins on, from 1 (PDF only).
    page_breaks : tuple of (int, int)
        Where it goes on on further pages: an offset into ``Page.text`` and the number of the page (PDF only).
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    start: int
    end: int
    kind: str
    region: str
    level: int | None
    hidden: bool
    selector: str | None
    heading_path: tuple[str, ...]
    page: int | None = None
    page_breaks: tuple[tuple[int, int], ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the printed page of a place in ``Page.text`` inside the block, or None for what has no pages."""
        passed = bisect_right(self.page_breaks, offset, key=lambda entry: entry[0])
        return self.page_breaks[passed - 1][1] if passed else self.page


@dataclass(frozen=True, slots=True)
class Directive:
    """What a document tells mdclaims in a comment, or on a line of its own: no text of the page.

    It is only recorded here. What it asks for is read in ``findings/suppressions.py``, and obeyed by `check` alone.

    Attributes
    ----------
    text : str
        What stands behind ``mdclaims:``, on one line.
    line : int or None
        The line of the source on which it begins, from 1.
    first_block, last_block : int
        The blocks that it belongs to, half-open: those it stands in, or else those of the next text; empty
        where no text follows.
    """

    text: str
    line: int | None
    first_block: int
    last_block: int


_DIRECTIVE = re.compile(r"\s*mdclaims:(.*)", re.DOTALL | re.IGNORECASE)
# Longer is no reason that anybody reads.
_DIRECTIVE_LENGTH = 2_000


def directive_text(comment: str) -> str | None:
    """Return what a comment tells mdclaims, on one line, or None if it is meant for somebody else."""
    match = _DIRECTIVE.match(comment)
    return " ".join(match.group(1).split())[:_DIRECTIVE_LENGTH] if match else None


REVIEWER = "mdclaims"
"""The author of the comments that the Word report writes."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What one person, or mdclaims, wrote in a comment: no text of the page.

    Attributes
    ----------
    author : str
    text : str
        On one line.
    """

    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Thread:
    """A comment on a document, with its answers.

    It is only recorded here. What it means is read in ``findings/review_comments.py``, and obeyed by `check` alone.

    Attributes
    ----------
    ids : tuple of str
        What the file calls its comments, in the order of `remarks`.
    remarks : tuple of Remark
        The comment, then its answers.
    resolved : bool
        Somebody said that it is settled.
    resolved_by : str
        Who answered last or, without an answer, who saved the file last: Word keeps no other name. "" if unknown.
    source_start, source_end : int or None
        The words it stands on: half-open offsets into the decoded source. None if it stands on none.
    """

    ids: tuple[str, ...]
    remarks: tuple[Remark, ...]
    resolved: bool
    resolved_by: str
    source_start: int | None
    source_end: int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """What a web page shows and mdclaims cannot read.

    Attributes
    ----------
    images : int
        Images without a text for those who cannot see them (``alt``); one with an empty text is a decoration.
    videos : int
        Videos and sound.
    frames : int
        Other pages and objects that are shown inside the page.
    scripts : int
        Scripts that may write text, without those that only hold data.
    needs_browser : bool
        The page looks as if a script writes its text: there is little without it.
    """

    images: int = 0
    videos: int = 0
    frames: int = 0
    scripts: int = 0
    needs_browser: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Words of a page that lead somewhere.

    Attributes
    ----------
    start, end : int
        Half-open code-point offsets into ``Page.text``.
    address : str
        As the document has it: anything may stand there.
    """

    start: int
    end: int
    address: str


@dataclass(frozen=True, slots=True)
class Page:
    """A document as its reader sees it.

    Attributes
    ----------
    source : str
        The path or name it was read from.
    sha256 : str
        Hex digest of the bytes read.
    title : str or None
        The document's title, if it has one.
    encoding : str
        The encoding that the bytes were decoded with; the format's name for Word and PDF.
    text : str
        All visible text; blocks are separated by one blank line.
    blocks : tuple of Block
        In reading order; they cover all of `text` that is not white space.
    segments : tuple of Segment
        Sorted by `start`; empty where the format gives no source offsets (HTML, PDF).
    notes : tuple of str
        What a user should know about the reading ("declared UTF-8, read as windows-1252").
    source_text : str or None
        The decoded file of text and Markdown, with its own line ends (`reading.positions` turns offsets into its
        lines and columns); None where `segments` do not point into a text file.
    directives : tuple of Directive
        What the document tells mdclaims about itself, in order.
    unread : Unread
        What it shows that is not in `text` (HTML only).
    contact_marks : tuple of (str, str)
        What its code, and not its text, says of whose page it is (HTML only): name, legal_name, site_name, telephone,
        email, address or identifier, each with its value as it stands there.
    threads : tuple of Thread
        The comments that stand on it (Word only), in the file's order.
    links : tuple of Link
        Where its links lead, in reading order, if it was read with them (HTML and Markdown only).
    """

    source: str
    sha256: str
    title: str | None
    encoding: str
    text: str
    blocks: tuple[Block, ...]
    segments: tuple[Segment, ...]
    notes: tuple[str, ...] = ()
    source_text: str | None = field(default=None, repr=False)
    directives: tuple[Directive, ...] = ()
    unread: Unread = Unread()
    contact_marks: tuple[tuple[str, str], ...] = ()
    threads: tuple[Thread, ...] = ()
    links: tuple[Link, ...] = ()

    def source_span(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where ``text[start:end]`` stands in the decoded source, or None if that is not known.

        Parameters
        ----------
        start, end : int
            Half-open code-point offsets into `text`; the span must not be empty and must begin and end on
            visible characters.
        """
        first = self._source_offset(start)
        last = self._source_offset(end - 1)
        return None if first is None or last is None else (first, last + 1)

    def source_cover(self, start: int, end: int) -> tuple[int, int] | None:
        """Return from where to where ``text[start:end]`` stands in the decoded source, as far as it stands there.

        Unlike `source_span`, the span may begin or end with what has no place there, as the text of an image; None if
        nothing of it has one.
        """
        at = max(bisect_right(self.segments, start, key=lambda segment: segment.start) - 1, 0)
        first: int | None = None
        last: int | None = None
        for segment in islice(self.segments, at, None):
            if segment.start >= end:
                break
            begin = max(start, segment.start)
            stop = min(end, segment.start + segment.length)
            if begin < stop:
                first = segment.source_start + begin - segment.start if first is None else first
                last = segment.source_start + stop - segment.start
        return None if first is None or last is None else (first, last)

    def _source_offset(self, offset: int) -> int | None:
        at = bisect_right(self.segments, offset, key=lambda segment: segment.start) - 1
        if at < 0:
            return None
        segment = self.segments[at]
        within = offset - segment.start
        return segment.source_start + within if within < segment.length else None


class HeadingPath:
    """Keeps the headings above the current block, one outline per region.

    A footer does not stand under the last heading of the main text, so each region has its own outline. Used
    by `PageBuilder` and by the corpus reader, so that both see the same paths.
    """

    def __init__(self) -> None:
        self._outlines: dict[str, list[tuple[int, str]]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}  # of what stands under the last heading of a region

    def enter(self, *, kind: str, region: str, level: int | None, text: str) -> tuple[str, ...]:
        """Return the path of a block and, if it is a heading, let the blocks after it stand under it.

        A title in the text itself (not in the metadata) counts as a heading of level 1.
        """
        if kind == "title" and region != "metadata":
            level = 1
        elif kind != "heading":
            return self._paths.get(region, ())
        outline = self._outlines.setdefault(region, [])
        depth = level if level is not None else 6
        while outline and outline[-1][0] >= depth:
            outline.pop()
        path = tuple(above for _, above in outline)
        # A path stands beside every sentence: without a limit one endless heading would fill the memory.
        heading = text if len(text) <= HEADING_LENGTH else f"{text[: HEADING_LENGTH - 1]}…"
        outline.append((depth, heading))
        self._paths[region] = (*path, heading)
        return path


class Fragment(NamedTuple):
    """A stretch of text on its way into a block.

    Attributes
    ----------
    text : str
        As it stands in the document, white space and all.
    source_start : int or None
        Where it stands in the decoded source, code point for code point; None if unknown.
    """

    text: str
    source_start: int | None = None


LINE_BREAK = Fragment("\n")
"""A line break that a reader sees (``<br>``): the only white space that is kept as a newline inside a block."""


def fold_white_space(fragments: Iterable[Fragment]) -> tuple[str, list[tuple[int, int, int]]]:
    """Join fragments as they are shown: runs of white space become one space, a line break one newline.

    Returns
    -------
    text : str
        Without white space at either end; invisible characters are left out.
    segments : list of (start, source_start, length)
        Offsets into `text`, for the stretches whose place in the source is known.
    """
    out: list[str] = []
    segments: list[tuple[int, int, int]] = []
    length = 0
    gap = ""
    for fragment in fragments:
        if fragment is LINE_BREAK:
            gap = "\n"
            continue
        if fragment.source_start is None and (fragment.text.isascii() or not _INVISIBLE.search(fragment.text)):
            # Without places to keep, as in HTML, splitting does the same.
            words = fragment.text.split()
            if not words:
                gap = gap or (" " if fragment.text else "")
                continue
            if length and (gap or fragment.text[0].isspace()):
                out.append(gap or " ")
                length += 1
            out.append(" ".join(words))
            length += len(out[-1])
            gap = " " if fragment.text[-1].isspace() else ""
            continue
        for span in _visible_spans(fragment.text):
            if span is None:
                gap = gap or " "
                continue
            start, end = span
            if gap and length:
                out.append(gap)
                length += 1
            gap = ""
            out.append(fragment.text[start:end])
            if fragment.source_start is not None:
                segments.append((length, fragment.source_start + start, end - start))
            length += end - start
    return "".join(out), segments


def _visible_spans(text: str) -> Iterator[tuple[int, int] | None]:
    """Yield the spans of visible runs in order, and None wherever white space stands between them."""
    for piece_start, piece_end in _visible_pieces(text):
        at = piece_start
        for run in _VISIBLE_RUN.finditer(text, piece_start, piece_end):
            if run.start() > at:
                yield None
            yield run.span()
            at = run.end()
        if at < piece_end:
            yield None


def _visible_pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the stretches of `text` between invisible characters."""
    joiners = {match.start() for match in _JOINER.finditer(text)}
    at = 0
    for match in _INVISIBLE.finditer(text):
        if len(match.group()) == 1 and match.start() in joiners:
            continue
        yield at, match.start()
        at = match.end()
    yield at, len(text)


@dataclass
class PageBuilder:
    """Collects blocks in reading order and fixes the page's text.

    One builder makes one page: call `add` for every block, then `build`.

    Attributes
    ----------
    unread : Unread
        Set by the reader.
    contact_marks : list of (str, str)
        Filled by the reader.
    threads : list of Thread
        Filled by the reader.
    keeps_links : bool
        Whether to take in where links lead.
    """

    unread: Unread = field(default_factory=Unread)
    contact_marks: list[tuple[str, str]] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    keeps_links: bool = False

    _links: list[Link] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _blocks: list[Block] = field(default_factory=list)
    _segments: list[Segment] = field(default_factory=list)
    _headings: HeadingPath = field(default_factory=HeadingPath)
    _length: int = 0
    _directives: list[Directive] = field(default_factory=list)
    _waiting: list[tuple[str, int | None]] = field(default_factory=list)

    def add(
        self,
        fragments: Sequence[Fragment],
        *,
        kind: str,
        region: str = "main",
        level: int | None = None,
        hidden: bool = False,
        selector: str | None = None,
        page: int | None = None,
        page_breaks: Sequence[tuple[int, int]] = (),
    ) -> str:
        """Add one block and return its folded text; nothing is added if no visible character is left.

        `page_breaks` are (fragment, page): from that fragment on, by its index, it stands on that page.
        """
        text, segments = fold_white_space(fragments)
        if not text:
            return ""
        start = self._length + (len(BLOCK_SEPARATOR) if self._blocks else 0)
        path = self._headings.enter(kind=kind, region=region, level=level, text=text)
        self._blocks.append(
            Block(
                index=len(self._blocks),
                start=start,
                end=start + len(text),
                kind=kind,
                region=region,
                level=level,
                hidden=hidden,
                selector=selector,
                heading_path=path,
                page=page,
                page_breaks=tuple((start + len(fold_white_space(fragments[:n])[0]), on) for n, on in page_breaks),
            )
        )
        self._segments += [Segment(start + at, source, length) for at, source, length in segments]
        self._texts.append(text)
        self._length = start + len(text)
        return text

    def add_link(self, start: int, end: int, address: str) -> None:
        """Take in where words of the last block lead; the offsets are half-open, into its text."""
        block = self._blocks[-1].start
        self._links.append(Link(block + start, block + end, address))

    def add_directive(self, comment: str, *, line: int | None = None) -> None:
        """Take a comment in, if it is meant for mdclaims; it waits for the text that it belongs to."""
        text = directive_text(comment)
        if text is not None:
            self._waiting.append((text, line))

    def place_directives(self, first_block: int) -> None:
        """Let the directives that wait belong to the blocks added since `first_block`, if there are any."""
        if first_block < len(self._blocks):
            for text, line in self._waiting:
                self._directives.append(Directive(text, line, first_block, len(self._blocks)))
            self._waiting.clear()

    @property
    def blocks(self) -> int:
        """Number of blocks so far."""
        return len(self._blocks)

    @property
    def shown_words(self) -> int:
        """Number of words so far that a reader sees at first."""
        shown = (
            text
            for text, block in zip(self._texts, self._blocks, strict=True)
            if not block.hidden and block.region != "metadata"
        )
        return sum(len(text.split()) for text in shown)

    @property
    def length(self) -> int:
        """Length of the text so far, in code points."""
        return self._length

    def build(
        self,
        *,
        source: str,
        sha256: str,
        title: str | None,
        encoding: str,
        notes: Sequence[str] = (),
        source_text: str | None = None,
    ) -> Page:
        """Return the finished page."""
        end = len(self._blocks)
        behind = [Directive(text, line, end, end) for text, line in self._waiting]
        return Page(
            source=replace_unencodable(source),  # a file's name need not be valid text
            sha256=sha256,
            title=title,
            encoding=encoding,
            text=BLOCK_SEPARATOR.join(self._texts),
            blocks=tuple(self._blocks),
            segments=tuple(self._segments),
            notes=tuple(notes),
            source_text=source_text,
            directives=(*self._directives, *behind),
            unread=self.unread,
            contact_marks=tuple(self.contact_marks),
            threads=tuple(self.threads),
            links=tuple(self._links),
        )


def line_starts(text: str) -> list[int]:
    """Return the offset at which each line of `text` begins; lines end at a line feed alone."""
    lengths = [len(line) + 1 for line in text.split("\n")]
    return [0, *accumulate(lengths)][: len(lengths)]
