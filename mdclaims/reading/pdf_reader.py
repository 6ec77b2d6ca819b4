"""Reads PDFs with a text layer: characters to lines, lines to paragraphs, paragraphs to blocks.

A PDF says where each character stands and nothing more. PDFium gives the characters in the order of the file,
which programs that export text keep to the order of reading; what stands above something else in the same
column goes before it all the same. From there on it is arithmetic with positions, in points (1/72 inch), and
the numbers it turns on stand at the top. Text in images is not read: a page without text is told in
the notes, a document without any is refused.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits, over_limit
from mdclaims.reading.page import Fragment, PageBuilder, replace_unencodable

# "Sizes" are heights of fonts. Lines within this many points are of one size: scaling leaves crumbs.
_SAME_SIZE = 0.6
# A gap of this many sizes parts two cells of a table or two columns; the gaps of justified text are narrower.
_CELL_GAP = 2.0
# The baselines of one line differ by less than this many sizes, whatever is raised or lowered in it.
_SAME_LINE = 0.45
# The lines of a paragraph follow each other as most lines of their size do in this document; where too few tell,
# by this many sizes, and never by more than the loosest.
_USUAL_PITCH = 1.5
_LOOSEST_PITCH = 2.6
_PITCH_SLACK = 1.12
_SAME_PITCH = 0.05
_TELLING_PITCHES = 3
# Headings are larger than the body text by this factor, or bold where it is not, and short.
_HEADING_RATIO = 1.12
_HEADING_WORDS = 25
_BOLD_HEADING_WORDS = 16
_DEEPEST = 6
# A block of pieces with a neighbour in their line is a table cell up to this many lines, else a column.
_CELL_LINES = 2
# Pieces shorter than this, one below the other and each with a neighbour, are cells of different rows.
_CELL_CHARACTERS = 30
# From this share of lines with a hyphen at their end on, the program that wrote the file cuts words.
_CUTTING_SHARE = 0.02
# Two lines that fill this share of their paragraph's width show that it is the column's.
_FULL_LINE = 0.9
# The white space before a word, in sizes, with some slack.
_WORD_GAP = 0.6
# A new paragraph's first line may be set in by so many sizes.
_INDENT = (0.8, 4.0)
# Headers and footers stand in this share of the page's height, at its top and bottom, ...
_MARGIN = 0.12
# ... on at least two pages and this share of them, since left and right pages often have their own.
_RUNNING_SHARE = 0.4
# A line with more numbers is no page number.
_MOST_NUMBERS = 20
# A line goes on with one of so many blocks before it: the cells of a row take turns.
_OPEN_BLOCKS = 12
# Where a page has more blocks than this, they stay in the order of the file: putting them right is quadratic.
_MOST_SORTED = 5_000
# From this share on a note tells of characters for which the file's fonts name no letter.
_UNKNOWN_SHARE = 0.01

# Marks of list items, among them those that the fonts Symbol and Wingdings have in the private area.
_DOTS = r"[•●○▪■◦‣·\uf0a7\uf0b7\uf0d8\uf0fc]"
# Without white space behind it a star is one of five, a tick an icon.
_PICTURES = r"[✓✔✅☑➤►▶➔➡→★⭐❖]\ufe0f?"
# These also stand in running text ("– J. Smith", "see page\n2. ..."), so a line must end early before them.
_WEAK_MARKS = r"(?:[*–—-]|\(?[1-9]\d?[.)]|\(?[a-z][.)])"
_BULLET = re.compile(rf"(?:{_DOTS}\s*|{_PICTURES}\s+)(?=\S)")
_WEAK_BULLET = re.compile(rf"{_WEAK_MARKS}\s+(?=\S)")
_LONE_BULLET = re.compile(rf"{_DOTS}|{_PICTURES}|{_WEAK_MARKS}")
_ENDS_SENTENCE = re.compile(r"[.!?:;…][\"'”’)\]*]*$")
_BOLD = re.compile(r"bold|black|heavy|demi", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,6}")
# A word cut at a line's end; PDFium does not tell a soft hyphen from a hard one.
_CUT = re.compile(r"(?<![-\u2010])\b(?P<start>[^\W\d_]+)(?P<hyphen>[-\u2010\u00ad])$")
_HYPHEN_AT_END = re.compile(r"\w[-\u2010]$")
_WORD_START = re.compile(r"[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
# What PDFium gives for a hyphen at a line's end.
_PDFIUM_HYPHEN = "\x02"

# PDFium keeps global state and must not be entered twice at a time (its README; pypdfium2 says the same).
_ONE_AT_A_TIME = threading.Lock()


def read_pdf(data: bytes, builder: PageBuilder, *, limits: Limits) -> tuple[str | None, list[str]]:
    """Add the blocks of a PDF to `builder`, each with the number of the page that it begins on.

    Parameters
    ----------
    data : bytes
        The whole file.
    builder : PageBuilder
        Receives the title, running headers, the text, and running footers, in this order.
    limits : Limits

    Returns
    -------
    title : str or None
        The title in the file's metadata, else its first heading.
    notes : list of str
        What was not read, or not well.

    Raises
    ------
    ReadError
        If it is damaged, protected by a password, without text, or over a limit.
    """
    with _ONE_AT_A_TIME:
        sheets, title = _read_sheets(data, limits.max_chars)
    if not any(sheet.lines for sheet in sheets):
        raise ReadError(
            "holds no text: it is a scan or made of images; run text recognition (OCR) on it, or pass the original"
        )
    running = _Running(sheets)
    look = _Look([line for sheet in sheets for line in sheet.lines if not running.holds(line)])
    spelling = _Spelling([line for sheet in sheets for line in sheet.lines])
    notes = _coverage(sheets)
    blocks: list[_Block] = []
    for sheet in sheets:
        found = _blocks([line for line in sheet.lines if not running.holds(line)], look)
        if len(found) > _MOST_SORTED:
            notes.append(f"page {sheet.number} has {len(found):,} pieces of text, read in the order of the file")
        blocks += found if len(found) > _MOST_SORTED else _in_reading_order(found)
    blocks = _across_pages(blocks, look)
    headings = [spelling.join(block.lines) for block in blocks if look.level(block) is not None]
    title = " ".join(title.split())
    if title.casefold() not in {heading.casefold() for heading in headings}:
        builder.add([Fragment(title)], kind="title", region="metadata")
    for region, parts in (("header", None), ("main", blocks), ("footer", None)):
        for block in _blocks(running.shown[region], look) if parts is None else parts:
            _add_block(block, builder, look, spelling, region)
    return title or (headings[0] if headings else None), notes


# --- characters to lines --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Character:
    """One visible character, its place turned so that its line runs from left to right.

    Attributes
    ----------
    text : str
    index : int
        PDFium's number of it on its page.
    spaced : bool
        White space stands before it in the file, or PDFium sees a gap.
    turn : int
        Quarter turns of its line against the page.
    left, right, baseline, size : float
        In points.
    """

    text: str
    index: int
    spaced: bool
    turn: int
    left: float
    right: float
    baseline: float
    size: float


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Text on one baseline, without a wide gap in it; places in points, as in `_Character`.

    Attributes
    ----------
    beside : bool
        A wide gap parts it from another piece of text in the same line.
    """

    text: str
    page: int
    turn: int
    left: float
    right: float
    baseline: float
    size: float
    bold: bool
    beside: bool


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One page of the file.

    Attributes
    ----------
    number : int
        From 1.
    lines : list of _Line
        In the order of the file.
    low, high : float
        Where its margins for headers and footers end, in points, turned as most of its lines are.
    images : bool
        It shows images; looked up only where it has no text.
    """

    number: int
    lines: list[_Line]
    low: float
    high: float
    images: bool


def _read_sheets(data: bytes, max_chars: int) -> tuple[list[_Sheet], str]:
    """Return the pages with their lines, and the title in the metadata."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise ReadError("is protected by a password; save a copy without it") from error
        raise ReadError("is damaged or no PDF; save or export it again") from error
    sheets: list[_Sheet] = []
    total = 0
    try:
        document.init_forms()
        for number in range(1, len(document) + 1):
            try:
                page = _shown_page(document, number)
                text = page.get_textpage()
            except pypdfium2.PdfiumError as error:
                raise ReadError(f"is damaged on page {number}; save or export it again") from error
            total += text.count_chars()
            if total > max_chars:
                raise over_limit("max_chars", total, max_chars, "characters", more=True)
            sheets.append(_sheet(page, text, number))
            text.close()
            page.close()
        return sheets, replace_unencodable(document.get_metadata_value("Title"))
    finally:
        document.close()


def _shown_page(document: Any, number: int) -> Any:
    """Return a page with its form fields, stamps and notes made part of its text, as they are shown."""
    page = document[number - 1]
    if pdfium.FPDFPage_GetAnnotCount(page) > 0:
        pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
        page.close()
        page = document[number - 1]  # only pages loaded afterwards show it
    return page


def _sheet(page: Any, text: Any, number: int) -> _Sheet:
    lines = list(_lines(_characters(text), text, number))
    images = not lines and next(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE]), None) is not None
    left, bottom, right, top = page.get_bbox()
    turn = Counter(line.turn for line in lines).most_common(1)[0][0] if lines else 0
    low, high = sorted(_turned(x, y, turn)[1] for x, y in ((left, bottom), (right, top)))
    margin = _MARGIN * (high - low)
    return _Sheet(number, lines, low + margin, high - margin, images)


def _turned(x: float, y: float, turn: int) -> tuple[float, float]:
    """Return a point in a frame in which text of `turn` quarter turns runs from left to right."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn]


def _characters(text: Any) -> Iterator[_Character]:
    """Yield the visible characters of a page in the order of the file."""
    matrix, box = pdfium.FS_MATRIX(), pdfium.FS_RECTF()
    x, y = ctypes.c_double(), ctypes.c_double()
    spaced = False
    high = ""
    for index in range(text.count_chars()):
        code = pdfium.FPDFText_GetUnicode(text, index)
        character = chr(code) if code <= 0x10FFFF else "\ufffd"
        if "\ud800" <= character <= "\udbff":  # where wchar_t has 16 bits, what is beyond U+FFFF comes in two halves
            high = character
            continue
        character = (high + character).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        high = ""
        if character.isspace():
            spaced = True
            continue
        pdfium.FPDFText_GetMatrix(text, index, matrix)
        pdfium.FPDFText_GetLooseCharBox(text, index, box)
        pdfium.FPDFText_GetCharOrigin(text, index, x, y)
        turn = (0 if matrix.a >= 0 else 2) if abs(matrix.a) >= abs(matrix.b) else (1 if matrix.b > 0 else 3)
        one, other = _turned(box.left, box.bottom, turn), _turned(box.right, box.top, turn)
        yield _Character(
            text=character.replace(_PDFIUM_HYPHEN, "-"),
            index=index,
            spaced=spaced,
            turn=turn,
            left=min(one[0], other[0]),
            right=max(one[0], other[0]),
            baseline=_turned(x.value, y.value, turn)[1],
            size=pdfium.FPDFText_GetFontSize(text, index) * ((matrix.c**2 + matrix.d**2) ** 0.5 or 1.0),
        )
        spaced = False


def _lines(characters: Iterable[_Character], text: Any, page: int) -> Iterator[_Line]:
    """Put characters together to lines, and lines apart where a wide gap is."""
    pieces: list[list[_Character]] = []  # of one line
    for character in characters:
        if pieces and not _on_line(pieces[-1], character):
            yield from _finished(pieces, text, page)
            pieces = []
        if not pieces or _is_apart(pieces[-1], character):
            pieces.append([])
        pieces[-1].append(character)
    yield from _finished(pieces, text, page)


def _on_line(before: Sequence[_Character], character: _Character) -> bool:
    last = before[-1]
    size = max(last.size, character.size)
    return (
        last.turn == character.turn
        and abs(last.baseline - character.baseline) < _SAME_LINE * size
        # Accents and kerning step back a little.
        and character.left > last.left - 0.5 * size
    )


def _is_apart(before: Sequence[_Character], character: _Character) -> bool:
    """True if a gap parts a character from those before it; the gap behind a list item's mark does not."""
    last = before[-1]
    if character.left - last.right <= _CELL_GAP * max(last.size, character.size):
        return False
    return len(before) > 4 or not _LONE_BULLET.fullmatch("".join(each.text for each in before))


def _finished(pieces: Sequence[Sequence[_Character]], text: Any, page: int) -> Iterator[_Line]:
    for piece in pieces:
        first, last = piece[0], piece[-1]
        size = Counter(round(each.size, 1) for each in piece).most_common(1)[0][0]
        yield _Line(
            text=replace_unencodable("".join(f" {each.text}" if each.spaced else each.text for each in piece).strip()),
            page=page,
            turn=first.turn,
            left=min(each.left for each in piece),
            right=max(each.right for each in piece),
            baseline=Counter(round(each.baseline, 1) for each in piece).most_common(1)[0][0],
            size=size,
            bold=_is_bold(text, first.index) and _is_bold(text, last.index),
            beside=len(pieces) > 1,
        )


def _is_bold(text: Any, index: int) -> bool:
    """Return whether a character's font calls itself bold; the weight that PDFium tells is a guess."""
    name = ctypes.create_string_buffer(128)
    length = pdfium.FPDFText_GetFontInfo(text, index, name, len(name), ctypes.c_int())
    return 0 < length <= len(name) and _BOLD.search(name.value.decode("utf-8", "replace")) is not None


# --- headers and footers --------------------------------------------------------------------------------------


class _Running:
    """The lines that stand in the same margin of many pages: equal, or counting the pages."""

    def __init__(self, sheets: Sequence[_Sheet]) -> None:
        """Find them on `sheets`."""
        self.shown: dict[str, list[_Line]] = {"header": [], "main": [], "footer": []}
        """The first of each."""
        self._all: set[_Line] = set()
        enough = max(2, _RUNNING_SHARE * len(sheets))
        alike: dict[tuple[str, str, int, int], list[_Line]] = defaultdict(list)
        for sheet in sheets:
            for line in sheet.lines:
                region = "header" if line.baseline > sheet.high else "footer" if line.baseline < sheet.low else None
                if region is None:
                    continue
                folded = line.text.casefold()
                alike[region, folded, -1, 0].append(line)
                # Page numbers: equal but for a number that grows with the pages.
                numbers = list(islice(_NUMBER.finditer(folded), _MOST_NUMBERS + 1))
                for n, number in enumerate(numbers if len(numbers) <= _MOST_NUMBERS else ()):
                    rest = f"{folded[: number.start()]}#{folded[number.end() :]}"
                    alike[region, rest, n, int(number.group()) - line.page].append(line)
        for (region, *_), lines in alike.items():
            if len({line.page for line in lines}) >= enough:
                if lines[0] not in self._all:
                    self.shown[region].append(lines[0])
                self._all.update(lines)

    def holds(self, line: _Line) -> bool:
        """Return whether a line is one of them."""
        return line in self._all


# --- lines to blocks ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """One paragraph, heading, list item or cell."""

    lines: tuple[_Line, ...]
    listed: bool = False


class _Look:
    """What the document's text looks like: its body size, the sizes of its headings, how far apart its lines stand."""

    def __init__(self, lines: Sequence[_Line]) -> None:
        """Measure `lines`, all of the main text."""
        letters: Counter[float] = Counter()
        bold = 0
        for line in lines:
            letters[round(line.size)] += len(line.text)
            bold += len(line.text) * line.bold
        self.body = letters.most_common(1)[0][0] if letters else 0.0
        self._body_is_bold = 2 * bold > letters.total()
        larger = sorted({size for size in letters if size >= _HEADING_RATIO * self.body}, reverse=True)
        self._levels = {size: min(level, _DEEPEST) for level, size in enumerate(larger, start=1)}
        self._pitches: dict[float, Counter[float]] = defaultdict(Counter)
        for above, below in pairwise(lines):
            pitch = above.baseline - below.baseline
            if _same_column(above, below) and 0 < pitch <= _LOOSEST_PITCH * below.size:
                self._pitches[round(below.size)][round(2 * pitch) / 2] += 1

    def pitch(self, size: float) -> float:
        """Return how far apart, at most, the lines of a paragraph of a size stand."""
        pitches = self._pitches.get(round(size))
        if pitches is None or pitches.total() < _TELLING_PITCHES:
            return _USUAL_PITCH * size
        return pitches.most_common(1)[0][0] * _PITCH_SLACK

    def is_large(self, line: _Line) -> bool:
        """Return whether a line is larger than body text."""
        return round(line.size) in self._levels

    def level(self, block: _Block) -> int | None:
        """Return the level of a heading, None for any other block."""
        if block.listed or len(block.lines) > _HEADING_WORDS:
            return None
        text = " ".join(line.text for line in block.lines)
        words = len(text.split())
        if not any(map(str.isalpha, text)):
            return None
        if self.is_large(block.lines[0]):
            return self._levels[round(block.lines[0].size)] if words <= _HEADING_WORDS else None
        alone = not any(line.beside for line in block.lines)
        bold = alone and not self._body_is_bold and all(line.bold for line in block.lines)
        if bold and words <= _BOLD_HEADING_WORDS and not re.search(r"[.,;]$", text):
            return min(len(self._levels) + 1, _DEEPEST)
        return None


def _same_column(one: _Line, other: _Line) -> bool:
    """True for lines of one size on one page, one of which stands over the other."""
    return (
        one.page == other.page
        and one.turn == other.turn
        and abs(one.size - other.size) <= _SAME_SIZE
        and one.left < other.right
        and other.left < one.right
    )


_Edge = tuple[int, int, int]


def _blocks(lines: Sequence[_Line], look: _Look) -> list[_Block]:
    """Put the lines of a page together: first those that follow each other closely, then paragraph by paragraph."""
    runs: list[list[_Line]] = []
    for line in lines:
        for run in reversed(runs[-_OPEN_BLOCKS:]):
            if _same_column(run[-1], line) and 0 < run[-1].baseline - line.baseline <= _LOOSEST_PITCH * line.size:
                run.append(line)
                break
        else:
            runs.append([line])
    columns: dict[_Edge, float] = {}
    for line in lines:
        if not line.beside:
            columns[_edge(line)] = max(columns.get(_edge(line), line.right), line.right)
    blocks = [block for run in runs for part in _close_lines(run, look) for block in _paragraphs(part, look, columns)]
    order = {line: n for n, line in enumerate(lines)}
    return sorted(blocks, key=lambda block: order[block.lines[0]])


def _close_lines(run: Sequence[_Line], look: _Look) -> Iterator[Sequence[_Line]]:
    """Split lines one below the other where the space between them is more than a line's.

    It is a line's if it is what is usual in the document, if a sentence goes on across it, or if it equals such
    a one right before or after it: each paragraph can have a spacing of its own.
    """
    pitches = [above.baseline - below.baseline for above, below in pairwise(run)]
    close = [
        pitch <= look.pitch(below.size) or _goes_on_in(above, below)
        for pitch, (above, below) in zip(pitches, pairwise(run), strict=True)
    ]
    for numbers, step in ((range(1, len(close)), -1), (range(len(close) - 2, -1, -1), 1)):
        for n in numbers:
            beside = pitches[n + step]
            close[n] = close[n] or (close[n + step] and abs(pitches[n] - beside) <= _SAME_PITCH * beside)
    start = 0
    for n, joined in enumerate(close, start=1):
        if not joined:
            yield run[start:n]
            start = n
    yield run[start:]


def _goes_on_in(above: _Line, below: _Line) -> bool:
    """True if a sentence of one line goes on in the next."""
    return below.text[0].islower() and not _ENDS_SENTENCE.search(above.text)


def _paragraphs(run: Sequence[_Line], look: _Look, columns: Mapping[_Edge, float]) -> Iterator[_Block]:
    """Split lines that follow each other closely where a paragraph, an item or a line of its own begins."""
    left, right = _sides(run)
    # A paragraph's full lines tell how wide its column is; other lines borrow from those that begin where they do.
    borrows = len(run) == 2 or sum(line.right - line.left >= _FULL_LINE * (right - left) for line in run) < 2
    breaks = [
        _ends_early(line, following, left, max(right, columns.get(_edge(line), right)) if borrows else right)
        for line, following in pairwise(run)
    ]
    # Addresses, menus, hours: as many lines end early as go on, so each stands for itself.
    apart = len(breaks) > 1 and 2 * sum(breaks) >= len(breaks) and not look.is_large(run[0])
    current: list[_Line] = [run[0]]
    for n, line in enumerate(run[1:]):
        new = (
            _BULLET.match(line.text) is not None
            or (_WEAK_BULLET.match(line.text) is not None and (breaks[n] or _is_listed(current[0])))
            or (not _goes_on_in(run[n], line) and (apart or _begins(run, n + 1, left, early=breaks[n], look=look)))
        )
        if new:
            yield _Block(tuple(current), _is_listed(current[0]))
            current = []
        current.append(line)
    yield _Block(tuple(current), _is_listed(current[0]))


def _is_listed(line: _Line) -> bool:
    return bool(_BULLET.match(line.text) or _WEAK_BULLET.match(line.text))


def _begins(run: Sequence[_Line], n: int, left: float, *, early: bool, look: _Look) -> bool:
    """True if a paragraph begins with a line; `left` is where the lines of the run begin."""
    before, line = run[n - 1], run[n]
    if look.is_large(line):  # headings are broken for looks
        return False
    if early or (before.bold and not line.bold and line.text[0].isupper()):
        return True
    indent = (line.left - left) / line.size if line.size else 0.0
    centred = abs((before.left + before.right) - (line.left + line.right)) < line.size
    return (
        _INDENT[0] <= indent <= _INDENT[1]
        and before.left - left < _INDENT[0] * line.size
        and not _is_listed(run[0])
        and not centred
        and _ENDS_SENTENCE.search(before.text) is not None
    )


def _ends_early(line: _Line, following: _Line, left: float, right: float) -> bool:
    """True if the first word of the next line would have fitted into this one, so that the line end is meant."""
    if line.beside and following.beside and len(line.text) < _CELL_CHARACTERS:
        return True
    aligned = line.left - left < line.size or following.left - left < line.size
    room = right - line.right if aligned else (right - left) - (line.right - line.left)
    word = len(following.text.split(maxsplit=1)[0]) / len(following.text) * (following.right - following.left)
    return room > word + _WORD_GAP * line.size


def _edge(line: _Line) -> _Edge:
    """Return the same for lines of one size that begin at the same place."""
    size = max(line.size, 1.0)
    return line.turn, round(size), round(line.left / size)


def _in_reading_order(blocks: Sequence[_Block]) -> list[_Block]:
    """Put a block before those that stand under it; for all others the order of the file holds."""
    ordered: list[tuple[_Block, float, float]] = []
    for block in blocks:
        left, right = _sides(block.lines)
        below = (
            n
            for n, (other, begins, ends) in enumerate(ordered)
            if left < ends and begins < right and _stands_above(block.lines[-1], other.lines[0])
        )
        ordered.insert(next(below, len(ordered)), (block, left, right))
    return [block for block, _, _ in ordered]


def _stands_above(last: _Line, first: _Line) -> bool:
    return last.turn == first.turn and last.baseline - first.baseline > max(last.size, first.size)


def _sides(lines: Sequence[_Line]) -> tuple[float, float]:
    """Return how far lines reach to the left and to the right."""
    return min(line.left for line in lines), max(line.right for line in lines)


def _across_pages(blocks: Sequence[_Block], look: _Look) -> list[_Block]:
    """Join paragraphs that go on at the top of the next column or page."""
    joined: list[_Block] = []
    for block in blocks:
        before = joined[-1] if joined else None
        if before is not None and _goes_on(before, block, look):
            joined[-1] = _Block(before.lines + block.lines, before.listed)
        else:
            joined.append(block)
    return joined


def _goes_on(before: _Block, block: _Block, look: _Look) -> bool:
    last, first = before.lines[-1], block.lines[0]
    return (
        (last.page != first.page or first.baseline > last.baseline)
        and abs(last.size - first.size) <= _SAME_SIZE
        and not block.listed
        and not last.beside
        and not first.beside
        and _goes_on_in(last, first)
        and look.level(before) is None
    )


# --- blocks to text -------------------------------------------------------------------------------------------


class _Spelling:
    """How the document spells, to tell a hyphen that belongs to a word from one that cuts it at a line's end.

    The document itself is the dictionary. Where it has neither form, both halves being words of their own speak
    for a compound ("drug-free"), and so does a document that hardly ever ends a line with a hyphen: one whose
    program cuts words does so all the time.
    """

    def __init__(self, lines: Sequence[_Line]) -> None:
        """Collect the words of `lines`, without the halves that stand at their ends."""
        self._words: set[str] = set()
        cuts = 0
        was_cut = False
        for line in lines:
            text = line.text.lower()
            cut = _CUT.search(text)
            found = _WORD.findall(text[: cut.start()] if cut else text)
            self._words.update(found[1:] if was_cut else found)
            was_cut = cut is not None
            cuts += was_cut
        self._cuts_words = cuts >= _CUTTING_SHARE * len(lines)

    def is_compound(self, start: str, rest: str) -> bool:
        """Return whether the halves of a word, in lower case, belong together with a hyphen."""
        if start + rest in self._words:
            return False
        return (
            f"{start}-{rest}" in self._words
            or start in _COMPOUND_STARTS
            or rest in _COMPOUND_ENDS
            or {start, rest} <= self._words
            or not self._cuts_words
        )

    def join(self, lines: Sequence[_Line]) -> str:
        """Return the text of lines, their cut words put together."""
        parts = [lines[0].text]
        for above, line in pairwise(lines):
            cut = _CUT.search(above.text)
            rest = _WORD_START.match(line.text)
            if cut is None or rest is None or not rest.group()[0].islower():
                # A hyphen before a capital or a number is a hyphen: "Smith-\nJones", "COVID-\n19".
                parts += [] if _HYPHEN_AT_END.search(above.text) else [" "]
            elif not self.is_compound(cut.group("start").lower(), rest.group().lower()):
                parts[-1] = above.text[: cut.start("hyphen")]
            parts.append(line.text)
        return "".join(parts)


# Halves of the compounds of the trade, for documents that are too short to tell.
_COMPOUND_STARTS = frozenset("non self well drug pain long short high low all anti one two three side pre post".split())
_COMPOUND_ENDS = frozenset(
    "free based related term care up in on off looking lasting known trained led approved proven friendly old "
    "year week month day minute hour time invasive surgical surgery effective specific tailored oriented focused "
    "driven".split()
)


def _add_block(block: _Block, builder: PageBuilder, look: _Look, spelling: _Spelling, region: str) -> None:
    pieces = _by_page(block.lines, spelling)
    level = look.level(block) if region == "main" else None
    kind = "paragraph"
    if level is not None:
        kind = "heading"
    elif block.listed:
        kind = "list_item"
        mark = _BULLET.match(pieces[0][1]) or _WEAK_BULLET.match(pieces[0][1])
        pieces[0] = pieces[0][0], pieces[0][1][mark.end() if mark else 0 :]
    elif block.lines[0].beside and len(block.lines) <= _CELL_LINES:
        kind = "cell"
    builder.add(
        [Fragment(text) for _, text in pieces],
        kind=kind,
        region=region,
        level=level,
        page=pieces[0][0],
        page_breaks=[(n, page) for n, (page, _) in enumerate(pieces) if n],
    )


def _by_page(lines: Sequence[_Line], spelling: _Spelling) -> list[tuple[int, str]]:
    """Return the text of lines by the pages they stand on; one after the other they are the text of all."""
    text = spelling.join(lines)
    breaks = [n for n, (above, line) in enumerate(pairwise(lines), start=1) if above.page != line.page]
    # The lines from a break on are the end of the text, whatever became of a hyphen before them.
    starts = [0, *(len(text) - len(spelling.join(lines[n:])) for n in breaks)]
    pages = [lines[n].page for n in (0, *breaks)]
    return [(page, text[start:end]) for page, start, end in zip(pages, starts, [*starts[1:], len(text)], strict=True)]


def _coverage(sheets: Sequence[_Sheet]) -> list[str]:
    """Return notes on what was not read, or not well."""
    notes = []
    images = [str(sheet.number) for sheet in sheets if sheet.images]
    if images:
        where = f"page {images[0]} shows" if len(images) == 1 else f"pages {', '.join(images)} show"
        notes.append(f"{where} images and no text, so nothing was read there")
    text = "".join(line.text for sheet in sheets for line in sheet.lines)
    unknown = text.count("\ufffd")
    if unknown > _UNKNOWN_SHARE * len(text):
        notes.append(f"{unknown:,} of {len(text):,} characters have no letter in the file's fonts, shown as U+FFFD")
    return notes
