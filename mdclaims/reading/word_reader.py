"""Reads Word documents (.docx): everything that stands on their pages, in reading order, and nothing twice.

python-docx's own view of a document leaves out text boxes, content controls, footnotes and more, so the XML is
walked here, with its parser. One iterative walk over each part (the main text, headers, footers, notes)
makes a `_Paragraph` for every paragraph; those become blocks at the end, when all headings are known. What
stands only in the file (field codes, deleted text, comments, the second form of a text box) is not text.

The decoded source, into which the segments point, is made of the paragraphs in the order in which their blocks
stand, each followed by a line feed: the text of its runs, hidden ones too, with a tab for a tab and a line
feed for a break. Titles, descriptions, image texts and drawings stand in no paragraph and have no place in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree

from mdclaims.reading.inline import BlockPlace, InlineItem, add_inline
from mdclaims.reading.limits import Limits, over_limit
from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder, replace_unencodable
from mdclaims.reading.word_comments import COMMENT_MARKS, Places, read_threads
from mdclaims.reading.word_package import Story, W, WordPackage, open_package

# Namespaces as lxml writes them. ECMA-376, "transitional": what Word writes unless told otherwise.
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_V = "{urn:schemas-microsoft-com:vml}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"

# Not on the page: deleted and moved-away text, field codes, properties of former versions.
_SKIPPED = frozenset(
    f"{W}{name}"
    for name in "del moveFrom instrText delInstrText delText pPr rPr sdtPr sdtEndPr tblPr trPr tcPr sectPr".split()
)
# Text that a run holds in other ways than w:t.
_CHARACTERS = {f"{W}tab": "\t", f"{W}ptab": "\t", f"{W}noBreakHyphen": "-"}
_BREAKS = frozenset({f"{W}br", f"{W}cr"})
_NOTE_REFERENCES = {f"{W}footnoteReference": "footnotes", f"{W}endnoteReference": "endnotes"}
# A paragraph whose end is deleted goes on in the next one, but not out of these.
_CONTAINERS = frozenset(f"{W}{name}" for name in "txbxContent tc body hdr ftr footnote endnote".split())
_FALSE = frozenset({"0", "false", "off", "none"})


def read_word(data: bytes, builder: PageBuilder, *, limits: Limits) -> tuple[str | None, list[str]]:
    """Add the blocks of a Word document to `builder`.

    Parameters
    ----------
    data : bytes
        The whole .docx file.
    builder : PageBuilder
        Receives metadata, headers, main text, notes and footers, in this order.
    limits : Limits

    Returns
    -------
    title : str or None
        The title in the document's properties, else its first heading.
    notes : list of str
        What was not read.

    Raises
    ------
    ReadError
        If it is no Word document, damaged, protected by a password, or over a limit.
    """
    package = open_package(data, limits.max_unpacked_bytes)
    main, paragraphs = _paragraphs(package)
    headings = [paragraph for paragraph in main.paragraphs if paragraph.kind == "heading" and paragraph.folded]
    length = sum(paragraph.size + 1 for paragraph in paragraphs)
    if length > limits.max_chars:
        raise over_limit("max_chars", length, limits.max_chars, "characters")
    title = _add_metadata(package, builder, {paragraph.folded for paragraph in headings})
    places = Places()
    for source_start, paragraph in _placed(paragraphs):
        _add_paragraph(paragraph, builder, source_start)
        for mark in paragraph.marks:
            places.add(mark.tag, mark.name, source_start + mark.offset)
    builder.threads += read_threads(package, places)
    notes = [f"embeds {main.embedded} other documents, which were not read"] if main.embedded else []
    return title or (headings[0].text if headings else None), notes


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the decoded source, and the element that it is the text of.

    Attributes
    ----------
    start, length : int
        In the decoded source.
    element : lxml element
        The ``w:t`` whose text it is, or what stands for one character, as ``w:tab``.
    """

    start: int
    length: int
    element: Any


def locate(package: WordPackage) -> tuple[Piece, ...]:
    """Return the way from the decoded source of a document, into which segments point, back to its XML.

    Returns
    -------
    tuple of Piece
        Sorted by `start`; every character of the source except the line feeds between paragraphs lies in one.
    """
    _, paragraphs = _paragraphs(package)
    return tuple(
        Piece(source_start + start, length, element)
        for source_start, paragraph in _placed(paragraphs)
        for start, length, element in paragraph.pieces
    )


def _paragraphs(package: WordPackage) -> tuple[_Walk, list[_Paragraph]]:
    """Return the walk through the main text, and all paragraphs in the order in which their blocks stand."""
    styles = _Styles(package.styles)
    main = _Walk(styles, package.main).run(package.main.root)
    return main, [
        *_running(package, styles, "header"),
        *main.paragraphs,
        *_notes(package, styles, main),
        *_running(package, styles, "footer"),
    ]


def _placed(paragraphs: Iterable[_Paragraph]) -> Iterator[tuple[int, _Paragraph]]:
    """Yield each paragraph with the offset at which its source begins."""
    source_start = 0
    for paragraph in paragraphs:
        yield source_start, paragraph
        source_start += paragraph.length + 1


# --- styles ---------------------------------------------------------------------------------------------------

_HEADING_NAME = re.compile(r"heading ?([1-9])", re.IGNORECASE)
# Word's own names, and those that LibreOffice gives to an HTML block quote.
_QUOTE_NAMES = frozenset({"quote", "intense quote", "quotations", "block text"})
_BODY_LEVEL = 9
"""The outline level that stands for "body text" (ECMA-376, 17.3.1.20); 0 to 8 are headings."""
_DEEPEST = 6
"""Word has nine levels of headings, `Block` six: the last ones are told apart no more."""
_LONGEST_CHAIN = 50
"""So many styles, each based on the next, are looked at: real chains have a handful, broken ones are circles."""


@dataclass(frozen=True, slots=True)
class _Style:
    """What a style says itself, without the style that it is based on."""

    name: str
    based_on: str | None
    outline: int | None
    numbered: bool | None
    hidden: bool | None


class _Styles:
    """The document's styles, and what they make of a paragraph or a run."""

    def __init__(self, root: Any | None) -> None:
        self._styles: dict[str, _Style] = {}
        self._default: str | None = None
        for element in () if root is None else root.iterchildren(f"{W}style"):
            name = element.get(f"{W}styleId") or ""
            properties = element.find(f"{W}pPr")
            self._styles[name] = _Style(
                name=(_value(element, "name") or name).lower(),
                based_on=_value(element, "basedOn"),
                outline=_outline(properties),
                numbered=_numbered(properties),
                hidden=_vanishes(element.find(f"{W}rPr")),
            )
            if element.get(f"{W}type") == "paragraph" and _is_on(element.get(f"{W}default"), absent=False):
                self._default = name

    def _chain(self, name: str | None) -> Iterator[_Style]:
        """Yield a style and those that it is based on, the nearest first."""
        for _ in range(_LONGEST_CHAIN):
            if name is None or name not in self._styles:
                return
            yield self._styles[name]
            name = self._styles[name].based_on

    def _of_paragraph(self, properties: Any | None) -> list[_Style]:
        name = None if properties is None else _value(properties, "pStyle")
        return list(self._chain(name if name in self._styles else self._default))

    def place(self, properties: Any | None) -> tuple[str, int | None, bool]:
        """Return kind and level of a paragraph, and whether it belongs to a table of contents."""
        chain = self._of_paragraph(properties)
        contents = any(style.name.startswith("toc ") for style in chain)
        level = _heading_level(properties, chain)
        if level is not None:
            return "heading", level, contents
        names = {style.name for style in chain}
        if "caption" in names:
            return "caption", None, contents
        if names & _QUOTE_NAMES:
            return "quote", None, contents
        said = [_numbered(properties), *(style.numbered for style in chain)]
        numbered = next((value for value in said if value is not None), False)
        return "list_item" if numbered else "paragraph", None, contents

    def hides(self, run: Any, paragraph: Any | None) -> bool:
        """Return whether a run is hidden text: by itself, by its style, or by its paragraph's style."""
        properties = run.find(f"{W}rPr")
        said = [_vanishes(properties)]
        if properties is not None:
            said += [style.hidden for style in self._chain(_value(properties, "rStyle"))]
        said += [style.hidden for style in self._of_paragraph(paragraph)]
        return next((value for value in said if value is not None), False)


def _heading_level(properties: Any | None, chain: Sequence[_Style]) -> int | None:
    """Return the heading level, 1 to 6, that the paragraph itself or its nearest telling style gives."""
    own = _outline(properties)
    if own is not None:
        return None if own == _BODY_LEVEL else min(own + 1, _DEEPEST)
    for style in chain:
        match = _HEADING_NAME.fullmatch(style.name)
        if match:
            return min(int(match.group(1)), _DEEPEST)
        if style.name == "title":
            return 1
        if style.outline is not None:
            return None if style.outline == _BODY_LEVEL else min(style.outline + 1, _DEEPEST)
    return None


def _value(element: Any, name: str) -> str | None:
    """Return ``w:val`` of a child element, None if there is no such child."""
    child = element.find(f"{W}{name}")
    return None if child is None else child.get(f"{W}val")


def _is_on(value: str | None, *, absent: bool) -> bool:
    """Read an on/off attribute (ECMA-376, 17.17.4)."""
    return absent if value is None else value.lower() not in _FALSE


def _vanishes(properties: Any | None) -> bool | None:
    """Return what run properties say about being hidden; None: nothing."""
    mark = None if properties is None else properties.find(f"{W}vanish")
    return None if mark is None else _is_on(mark.get(f"{W}val"), absent=True)


def _outline(properties: Any | None) -> int | None:
    value = None if properties is None else _value(properties, "outlineLvl")
    return int(value) if value is not None and re.fullmatch("[0-9]", value) else None


def _numbered(properties: Any | None) -> bool | None:
    """Return whether paragraph properties make a list item; numbering 0 takes one out of its list."""
    numbering = None if properties is None else properties.find(f"{W}numPr")
    return None if numbering is None else _value(numbering, "numId") != "0"


# --- the walk -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where a comment begins, ends or is referred to: the element's tag, the comment's id, where in its paragraph."""

    tag: str
    name: str
    offset: int


@dataclass(slots=True)
class _Paragraph:
    """One paragraph, or one text that stands in none: an image's or a drawing's."""

    kind: str
    region: str
    level: int | None = None
    hidden: bool = False
    shown: list[tuple[str, list[Fragment]]] = field(default_factory=list)
    """Kind and fragments of each inline item; their places count from the beginning of the paragraph."""
    unshown: list[Fragment] = field(default_factory=list)
    """Hidden runs, the same way."""
    length: int = 0
    """Code points of its part of the source."""
    pieces: list[tuple[int, int, Any]] = field(default_factory=list)
    """Place, length and element of all text that stands in the source."""
    marks: list[_Mark] = field(default_factory=list)

    def add(self, text: str, element: Any, *, hidden: bool) -> None:
        """Add the text of an element, which stands in the source."""
        text = replace_unencodable(text)
        fragment = LINE_BREAK if text == "\n" else Fragment(text, self.length)
        if text:
            self.pieces.append((self.length, len(text), element))
        self.length += len(text)
        if hidden:
            self.unshown.append(fragment)
            return
        if not self.shown:
            self.begin("text")
        self.shown[-1][1].append(fragment)

    def begin(self, kind: str, *fragments: Fragment) -> None:
        """Begin an inline item, into which text goes from now on."""
        self.shown.append((kind, list(fragments)))

    @property
    def size(self) -> int:
        """Code points of all its text, with that of images and drawings, which stands in no source."""
        fragments = [*self.unshown, *(fragment for _, shown in self.shown for fragment in shown)]
        return sum(len(fragment.text) for fragment in fragments)

    @property
    def text(self) -> str:
        """What is shown of it, with white space folded."""
        return " ".join("".join(fragment.text for _, fragments in self.shown for fragment in fragments).split())

    @property
    def folded(self) -> str:
        """Equal for texts that a reader takes for the same."""
        return self.text.casefold()


@dataclass(frozen=True, slots=True)
class _Container:
    """A table cell or text box."""

    cell: bool
    hidden: bool


class _Walk:
    """Visits every element of a part once and makes its paragraphs, in the order in which they begin.

    A text box stands inside a run of the paragraph that it is anchored to: its paragraphs come after that one.
    """

    def __init__(self, styles: _Styles, story: Story, *, region: str = "main", kind: str | None = None) -> None:
        """Walk `story`, whose blocks stand in `region` and are all of `kind`, if one is given."""
        self.paragraphs: list[_Paragraph] = []
        self.note_references: list[tuple[str, str]] = []
        self.embedded = 0  # documents in the document that Word shows and this does not read
        self._styles = styles
        self._story = story
        self._region = region
        self._kind = kind
        self._open: list[tuple[_Paragraph, Any]] = []  # the paragraphs that the walk is in, with their properties
        self._unfinished: _Paragraph | None = None  # the last one's end is deleted: the next continues it
        self._containers: list[_Container] = []
        self._runs: list[bool] = []  # of each run that the walk is in, whether it is hidden
        self._fields: list[bool] = []  # of each field that the walk is in, whether its result has begun
        self._codes = 0  # the fields of which it has not
        self._first_forms: dict[Any, Any] = {}  # of what is written in several forms, the one that is read
        self._drawn: set[Any] = set()  # diagrams and charts that were read
        self._marks: list[_Mark] = []  # of comments, met where no paragraph is open
        self._described = ""  # the last drawing's description

    def run(self, root: Any) -> _Walk:
        """Visit `root` and all that is in it."""
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            if event == "end":
                self._leave(element)
            elif element.tag in _SKIPPED or self._is_other_form(element):
                walk.skip_subtree()
            else:
                self._enter(element)
        return self

    def _enter(self, element: Any) -> None:
        tag = element.tag
        if tag in {f"{W}t", f"{_M}t"}:
            self._text(element.text or "", element)
        elif tag == f"{W}p":
            self._begin_paragraph(element)
        elif tag == f"{W}r":
            properties = self._open[-1][1] if self._open else None
            self._runs.append(self._styles.hides(element, properties))
        elif tag in _CHARACTERS:
            self._text(_CHARACTERS[tag], element)
        elif tag in _BREAKS:
            self._text("\n", element)
        elif tag == f"{W}sym":
            self._text(_symbol(element), element)
        elif tag == f"{W}hyperlink":
            self._begin_item("link")
        elif tag == f"{W}fldChar":
            self._field(element.get(f"{W}fldCharType"))
        elif tag == f"{W}tc":
            self._containers.append(_Container(cell=not _is_layout_cell(element), hidden=_is_merged_away(element)))
        elif tag == f"{W}txbxContent":
            self._containers.append(_Container(cell=False, hidden=self._hidden))
        elif tag in _NOTE_REFERENCES or tag in COMMENT_MARKS:
            self._refer(element)
        elif tag in {f"{W}altChunk", f"{W}subDoc"}:
            self.embedded += 1
        elif not tag.startswith(W):
            self._drawing(element)

    def _leave(self, element: Any) -> None:
        tag = element.tag
        if tag == f"{W}p":
            paragraph, properties = self._open.pop()
            self._unfinished = paragraph if _end_is_deleted(properties) else None
            # Field codes end in the paragraph in which they begin; a broken one must not swallow the rest.
            self._fields.clear()
            self._codes = 0
        elif tag == f"{W}r":
            self._runs.pop()
        elif tag == f"{W}hyperlink":
            self._begin_item("text")
        if tag in {f"{W}tc", f"{W}txbxContent"}:
            self._containers.pop()
        if tag in _CONTAINERS:
            self._unfinished = None

    @property
    def _hidden(self) -> bool:
        return any(self._runs) or any(container.hidden for container in self._containers)

    def _begin_paragraph(self, element: Any) -> None:
        properties = element.find(f"{W}pPr")
        kind, level, contents = self._styles.place(properties)
        if kind == "paragraph" and self._containers and self._containers[-1].cell:
            kind = "cell"
        if self._kind is not None:
            kind, level = self._kind, None
        paragraph = self._unfinished
        if paragraph is None:
            paragraph = _Paragraph(kind, self._region)
            self.paragraphs.append(paragraph)
        # Joined paragraphs are what the last one is.
        paragraph.kind, paragraph.level, paragraph.hidden = kind, level, self._hidden
        if contents and self._region == "main":
            paragraph.region = "nav"
        self._unfinished = None
        self._open.append((paragraph, properties))
        self._place_marks()

    def _refer(self, element: Any) -> None:
        """Take in what refers to a note or a comment."""
        name = element.get(f"{W}id") or ""
        if element.tag in _NOTE_REFERENCES:
            self.note_references.append((_NOTE_REFERENCES[element.tag], name))
            return
        self._marks.append(_Mark(element.tag, name, 0))
        self._place_marks()

    def _place_marks(self) -> None:
        """Give the marks of comments that wait to the paragraph that is open; between paragraphs they wait for one."""
        if self._open:
            paragraph = self._open[-1][0]
            paragraph.marks += (replace(mark, offset=paragraph.length) for mark in self._marks)
            self._marks.clear()

    def _begin_item(self, kind: str) -> None:
        if self._open:
            self._open[-1][0].begin(kind)

    def _text(self, text: str, element: Any) -> None:
        if self._open and not self._codes:
            self._open[-1][0].add(text, element, hidden=bool(self._runs) and self._runs[-1])

    def _field(self, mark: str | None) -> None:
        if mark == "begin":
            self._fields.append(False)
            self._codes += 1
        elif self._fields and mark == "separate":
            self._codes -= not self._fields[-1]
            self._fields[-1] = True
        elif self._fields and mark == "end":
            self._codes -= not self._fields.pop()

    def _drawing(self, element: Any) -> None:
        """Add what an element of a drawing says: its description, the words of a diagram, a chart or WordArt."""
        if element.tag == f"{_WP}docPr":
            self._described = element.get("descr") or ""
            self._image(self._described, in_line=element.getparent().tag == f"{_WP}inline")
        elif etree.QName(element).localname == "cNvPr" and element.get("descr") not in {None, self._described}:
            self._image(element.get("descr"), in_line=False)  # one picture of a group
        elif element.tag in {f"{_DIAGRAM}relIds", f"{_CHART}chart"}:
            root = self._story.drawings.get(element.get(f"{_R}dm") or element.get(f"{_R}id"))
            if root is not None and root not in self._drawn:
                self._drawn.add(root)
                for text in _drawing_texts(root):
                    self._own("other", text)
        elif element.tag == f"{_V}textpath":
            self._own("other", element.get("string") or "")
        elif element.tag.startswith(_V):
            self._own("alt", element.get("alt") or "")

    def _is_other_form(self, element: Any) -> bool:
        """Return whether an element is a further form of what its first form shows already.

        Word writes drawings twice, for itself and for older programs (ECMA-376, part 3).
        """
        if element.tag not in {f"{_MC}Choice", f"{_MC}Fallback"}:
            return False
        forms = element.getparent()
        if forms not in self._first_forms:
            first = forms.find(f"{_MC}Choice")
            self._first_forms[forms] = forms.find(f"{_MC}Fallback") if first is None else first
        return element is not self._first_forms[forms]

    def _image(self, text: str, *, in_line: bool) -> None:
        """Add an image's description: where the image stands in a line of text as an inline item."""
        if in_line and self._open and not self._hidden and text:
            paragraph = self._open[-1][0]
            kind = paragraph.shown[-1][0] if paragraph.shown else "text"
            paragraph.begin("alt", Fragment(replace_unencodable(text)))
            paragraph.begin(kind)
        else:
            self._own("alt", text)

    def _own(self, kind: str, text: str) -> None:
        """Add a text that stands in no paragraph."""
        fragment = Fragment(replace_unencodable(text))
        self.paragraphs.append(
            _Paragraph(self._kind or kind, self._region, hidden=self._hidden, shown=[("text", [fragment])])
        )


def _is_layout_cell(cell: Any) -> bool:
    """True for a cell with several blocks in it: a table that lays out the page, not one that holds data."""
    children = cell.iterchildren(f"{W}p", f"{W}tbl")
    return sum(next(child.iter(f"{W}t"), None) is not None for child in children) > 1


def _is_merged_away(cell: Any) -> bool:
    """True for a cell that the cell above it extends over, so that nothing in it is shown."""
    properties = cell.find(f"{W}tcPr")
    merge = None if properties is None else properties.find(f"{W}vMerge")
    return merge is not None and merge.get(f"{W}val") != "restart"


def _end_is_deleted(properties: Any | None) -> bool:
    mark = None if properties is None else properties.find(f"{W}rPr")
    return mark is not None and (mark.find(f"{W}del") is not None or mark.find(f"{W}moveFrom") is not None)


def _symbol(element: Any) -> str:
    """Return the character of a symbol, or a space where only its font knows what it looks like."""
    code = element.get(f"{W}char") or ""
    character = chr(int(code, 16)) if re.fullmatch("[0-9A-Fa-f]{2,4}", code) else " "
    return " " if "\ue000" <= character <= "\uf8ff" else character


def _drawing_texts(root: Any) -> Iterator[str]:
    """Yield the paragraphs of a diagram or chart."""
    for paragraph in root.iter(f"{_A}p"):
        yield "".join(run.text or "" for run in paragraph.iter(f"{_A}t"))


# --- headers, footers and notes -------------------------------------------------------------------------------


def _running(package: WordPackage, styles: _Styles, region: str) -> list[_Paragraph]:
    """Return the paragraphs of all headers or all footers, each different text once.

    Those for first or even pages are hidden where no section has such pages.
    """
    sections = list(package.main.root.iter(f"{W}sectPr"))
    shown = {
        "default": True,
        "first": any(_has_mark(section, "titlePg") for section in sections),
        "even": _has_mark(package.settings, "evenAndOddHeaders"),
    }
    stories: dict[Any, tuple[Story, bool]] = {}  # by root: each once, and whether any reference shows it
    for section in sections:
        for reference in section.iterchildren(f"{W}{region}Reference"):
            story = package.running.get(reference.get(f"{_R}id"))
            if story is not None:
                _, already = stories.get(story.root, (story, False))
                stories[story.root] = story, already or shown.get(reference.get(f"{W}type"), True)
    paragraphs: list[_Paragraph] = []
    for story, is_shown in stories.values():
        found = _Walk(styles, story, region=region).run(story.root).paragraphs
        for paragraph in found:
            paragraph.hidden = paragraph.hidden or not is_shown
        paragraphs += found
    # A shown text goes before an equal one that is hidden.
    first = {paragraph.folded: paragraph for paragraph in sorted(paragraphs, key=lambda each: each.hidden)[::-1]}
    return [paragraph for paragraph in paragraphs if first[paragraph.folded] is paragraph]


def _has_mark(element: Any | None, name: str) -> bool:
    """Return whether an element has an on/off child that is on."""
    mark = None if element is None else element.find(f"{W}{name}")
    return mark is not None and _is_on(mark.get(f"{W}val"), absent=True)


def _notes(package: WordPackage, styles: _Styles, main: _Walk) -> list[_Paragraph]:
    """Return the paragraphs of the footnotes, then the endnotes, that the main text refers to."""
    paragraphs: list[_Paragraph] = []
    for kind in dict.fromkeys(_NOTE_REFERENCES.values()):
        story = package.notes.get(kind)
        if story is None:
            continue
        notes = {note.get(f"{W}id"): note for note in story.root}
        walk = _Walk(styles, story, region="aside", kind="other")
        for name in dict.fromkeys(name for where, name in main.note_references if where == kind):
            if name in notes:
                walk.run(notes[name])
        paragraphs += walk.paragraphs
    return paragraphs


# --- to blocks ------------------------------------------------------------------------------------------------


def _add_metadata(package: WordPackage, builder: PageBuilder, headings: set[str]) -> str | None:
    """Add title and descriptions, each text once and none that is a heading of the text; return the title."""
    seen = set(headings)
    texts = [("title", package.title), *(("description", text) for text in package.descriptions)]
    for kind, text in texts:
        folded = " ".join(text.split()).casefold()
        if folded not in seen:
            seen.add(folded)
            builder.add([Fragment(text)], kind=kind, region="metadata")
    return " ".join(package.title.split()) or None


def _add_paragraph(paragraph: _Paragraph, builder: PageBuilder, source_start: int) -> None:
    """Add the blocks of one paragraph, whose source begins at `source_start`."""
    items = [
        InlineItem(kind, tuple(_moved(fragments, source_start))) for kind, fragments in paragraph.shown if fragments
    ]
    place = BlockPlace(kind=paragraph.kind, region=paragraph.region, level=paragraph.level, hidden=paragraph.hidden)
    if paragraph.text:
        add_inline(builder, items, place)
        # Hidden words in a shown paragraph: a heading must not be one for what follows.
        place = place._replace(kind="other" if place.kind == "heading" else place.kind, level=None)
    builder.add(
        list(_moved(paragraph.unshown, source_start)),
        kind=place.kind,
        region=place.region,
        level=place.level,
        hidden=True,
    )


def _moved(fragments: Iterable[Fragment], by: int) -> Iterator[Fragment]:
    for fragment in fragments:
        yield fragment if fragment.source_start is None else fragment._replace(source_start=fragment.source_start + by)
