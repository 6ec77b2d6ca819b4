"""Puts comments into a Word document and takes them out again, so that nothing else in it changes.

python-docx anchors comments to whole runs of a paragraph; words in links, content controls and insertions need the
XML (ECMA-376, part 1, 17.13.4). A comment is an entry in the comments part, and three marks in the main text: where its
words begin, where they end, and behind that a run of its own that refers to it.

Where words begin or end inside a run, the run is cut in two, and its second half marked by one of two revision ids
(``w:rsidR``: in which session a run was made, which no reader sees and Word keeps). By this mark alone `remove` joins
what was cut and nothing else, so that a document whose comments are taken out is again what it was.
"""

from __future__ import annotations

import copy
import io
import posixpath
import zipfile
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Any

from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from lxml import etree

from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits
from mdclaims.reading.unpacking import unpack
from mdclaims.reading.word_comments import COMMENT_MARKS
from mdclaims.reading.word_package import W, open_package, parse_part
from mdclaims.reading.word_reader import Piece, locate

_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_W15 = "{http://schemas.microsoft.com/office/word/2012/wordml}"
_IDS = "{http://schemas.microsoft.com/office/word/2016/wordml/cid}"
_EXTENSIBLE = "{http://schemas.microsoft.com/office/word/2018/wordml/cex}"
_RELATIONSHIPS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_CONTENT_TYPES = "[Content_Types].xml"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_RUN, _TEXT, _PROPERTIES, _REVISION = f"{W}r", f"{W}t", f"{W}rPr", f"{W}rsidR"

CUT_IN_TEXT, CUT_BETWEEN = "00C1A1A5", "00C1A1A6"
"""The revision ids of the second half of a run that was cut inside a ``w:t``, and between two children."""

RELATIONSHIP = "mdclaimsComments"
"""What a document's relationship to a comments part is called that it did not have before."""

# What may stand between a paragraph and a run, so that marks may stand in it as well.
_INLINE = frozenset(
    f"{W}{name}" for name in "hyperlink ins moveTo smartTag customXml sdt sdtContent fldSimple dir bdo".split()
)
_INLINE_PROPERTIES = frozenset(f"{W}{name}" for name in "sdtPr sdtEndPr smartTagPr customXmlPr fldData pPr".split())
_DAY = (1980, 1, 1, 0, 0, 0)  # the first that a zip archive can hold: equal input gives equal bytes


@dataclass(frozen=True, slots=True)
class Words:
    """Where a comment stands: on the source from `start` to `end`, all of it in the main text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Where a comment stands: on all of a paragraph of the main text."""

    element: Any


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to put in.

    Attributes
    ----------
    anchor : Words or Paragraph
    paragraphs : tuple of str
        Its text, without control characters.
    """

    anchor: Words | Paragraph
    paragraphs: tuple[str, ...]


class CommentedDocument:
    """A Word document whose comments change.

    First `remove`, then ask where comments can stand and `add` them, then `save`: places are those of the document
    without the comments that were removed.

    Parameters
    ----------
    data : bytes
        The .docx file.
    limits : Limits
        As for reading: it is opened by the same code.

    Raises
    ------
    ReadError
        As `mdclaims.reading.read_bytes` does.
    """

    def __init__(self, data: bytes, *, limits: Limits) -> None:
        self._data = data
        self._limits = limits
        self._package = open_package(data, limits.max_unpacked_bytes)
        self._root = self._package.main.root
        self._changed: dict[str, Any | None] = {}  # roots of parts by name; None for one that goes
        self._comments = dict(self._package.comments)
        self._located: tuple[Piece, ...] | None = None

    # --- taking out ---

    def remove(self, ids: Collection[str]) -> None:
        """Take out comments by their ids, their marks, and join the runs that were cut for them."""
        ids = frozenset(ids)
        if not ids:
            return
        for mark in [mark for mark in self._root.iter(*COMMENT_MARKS) if mark.get(f"{W}id") in ids]:
            run = mark.getparent()
            alone = run.tag == _RUN and all(child is mark or child.tag == _PROPERTIES for child in run)
            gone = run if alone else mark
            holder = gone.getparent()
            _detach(gone)
            # Google Docs puts each mark into a content control of its own.
            if holder.tag == f"{W}sdtContent" and len(holder) == 0:
                _detach(holder.getparent())
        _join(self._root)
        self._changed[self._package.main_part.membername] = self._root
        self._located = None
        self._remove_entries(ids)

    def _remove_entries(self, ids: frozenset[str]) -> None:
        """Take comments out of the parts that tell of them."""
        if "comments" not in self._comments:
            return
        part, root = self._comments["comments"]
        gone = [comment for comment in root.iterchildren(f"{W}comment") if comment.get(f"{W}id") in ids]
        paragraphs = {p.get(f"{_W14}paraId") for comment in gone for p in comment.iter(f"{W}p")} - {None}
        for comment in gone:
            _detach(comment)
        self._changed[part.membername] = root
        self._remove_told("extended", f"{_W15}paraId", paragraphs)
        durable = self._remove_told("ids", f"{_IDS}paraId", paragraphs)
        self._remove_told("extensible", f"{_EXTENSIBLE}durableId", durable)
        if next(root.iterchildren(f"{W}comment"), None) is None:
            self._remove_part(part)

    def _remove_told(self, name: str, key: str, values: Collection[str | None]) -> set[str | None]:
        """Take out what a further part tells of comments; return the ids by which the next part calls them."""
        if name not in self._comments:
            return set()
        part, root = self._comments[name]
        gone = [entry for entry in root.iterchildren("*") if entry.get(key) in values]
        for entry in gone:
            _detach(entry)
        if gone:
            self._changed[part.membername] = root
        return {entry.get(f"{_IDS}durableId") for entry in gone} - {None}

    def _remove_part(self, part: PackURI) -> None:
        """Take out an empty comments part, if it came with comments of ours."""
        name, relationships = self._relationships()
        ours = [entry for entry in relationships if entry.get("Id") == RELATIONSHIP]
        if not ours:
            return
        for entry in ours:
            _detach(entry)
        types = self._types()
        for entry in [entry for entry in types if entry.get("PartName") == part]:
            _detach(entry)
        left = relationships if len(relationships) else None
        self._changed |= {part.membername: None, _CONTENT_TYPES: types, name: left}
        del self._comments["comments"]

    # --- places ---

    @property
    def _pieces(self) -> tuple[Piece, ...]:
        if self._located is None:
            self._located = locate(self._package)
        return self._located

    def _piece(self, offset: int) -> Piece:
        return self._pieces[bisect_right(self._pieces, offset, key=lambda piece: piece.start) - 1]

    def in_main_text(self, start: int, end: int) -> bool:
        """Return whether Word allows a comment on the source from `start` to `end`: not in headers, notes and boxes."""
        return all(
            piece.element.getroottree().getroot() is self._root
            and next(piece.element.iterancestors(f"{W}txbxContent"), None) is None
            for piece in (self._piece(start), self._piece(end - 1))
        )

    def paragraph_beside(self, offset: int) -> Paragraph | None:
        """Return the paragraph of the main text that a place belongs to, or None for one in a header or footer.

        That is the paragraph it stands in, the one that a text box is fixed to, or that refers to a note.
        """
        element = self._piece(offset).element
        if element.getroottree().getroot() is not self._root:
            note = next(element.iterancestors(f"{W}footnote", f"{W}endnote"), None)
            if note is None:
                return None
            references = self._root.iter(f"{note.tag}Reference")
            element = next((entry for entry in references if entry.get(f"{W}id") == note.get(f"{W}id")), None)
            if element is None:
                return None
        around = list(element.iterancestors(f"{W}p"))
        return Paragraph(around[-1]) if around else None

    def last_paragraph(self) -> Paragraph:
        """Return the last paragraph of the main text.

        Raises
        ------
        ReadError
            If there is none.
        """
        found = [entry for entry in self._root.iter(f"{W}p") if next(entry.iterancestors(f"{W}p"), None) is None]
        if not found:
            raise ReadError("has no paragraph in its main text that a comment can stand on; check it in another format")
        return Paragraph(found[-1])

    # --- putting in ---

    def add(self, comments: Sequence[NewComment], *, author: str, initials: str, day: date) -> None:
        """Put comments in; they get ids in this order."""
        if not comments:
            return
        root = self._comments_root()
        first = self._free_id()
        cuts: list[tuple[int, bool, Any]] = []
        for number, comment in enumerate(comments, start=first):
            name = str(number)
            entry = etree.SubElement(root, f"{W}comment")
            entry.set(f"{W}id", name)
            entry.set(f"{W}author", author)
            entry.set(f"{W}date", f"{day.isoformat()}T00:00:00Z")
            entry.set(f"{W}initials", initials)
            for text in comment.paragraphs:
                written = etree.SubElement(etree.SubElement(etree.SubElement(entry, f"{W}p"), _RUN), _TEXT)
                written.text = text
            if isinstance(comment.anchor, Paragraph):
                _mark_paragraph(comment.anchor.element, name)
            else:
                cuts += [(comment.anchor.start, True, name), (comment.anchor.end, False, name)]
        # From the end to the beginning: a cut leaves what stands before it where the pieces say. Where one comment ends
        # and another begins, the beginning comes first, so that it stands behind the end.
        for offset, begins, name in sorted(cuts, key=lambda cut: cut[:2], reverse=True):
            piece = self._piece(offset if begins else offset - 1)
            if begins:
                _mark_start(piece.element, offset - piece.start, name)
            else:
                _mark_end(piece.element, offset - piece.start, name)
        self._changed[self._package.main_part.membername] = self._root
        self._located = None

    def _free_id(self) -> int:
        entries = [*self._root.iter(*COMMENT_MARKS), *self._comments_root().iterchildren(f"{W}comment")]
        used = [name for entry in entries if (name := entry.get(f"{W}id") or "").isascii() and name.isdigit()]
        return max((int(name) for name in used), default=-1) + 1

    def _comments_root(self) -> Any:
        """Return the root of the comments part, which is made if there is none."""
        if "comments" not in self._comments:
            part = self._new_part()
            name, relationships = self._relationships()
            etree.SubElement(
                relationships,
                f"{_RELATIONSHIPS}Relationship",
                {"Id": RELATIONSHIP, "Type": RELATIONSHIP_TYPE.COMMENTS, "Target": part.relative_ref(part.baseURI)},
            )
            types = self._types()
            space = etree.QName(types).namespace
            entry = etree.SubElement(types, f"{{{space}}}Override" if space else "Override")
            entry.set("PartName", part)
            entry.set("ContentType", CONTENT_TYPE.WML_COMMENTS)
            self._changed |= {name: relationships, _CONTENT_TYPES: types}
            self._comments["comments"] = part, etree.Element(f"{W}comments", nsmap={"w": W[1:-1]})
        part, root = self._comments["comments"]
        self._changed[part.membername] = root
        return root

    def _new_part(self) -> PackURI:
        """Return the first free name for a comments part, beside the main part."""
        folder = self._package.main_part.baseURI
        names = (posixpath.join(folder, f"comments{number or ''}.xml") for number in count())
        taken = {name for name in self._package.files if name not in self._changed}
        return next(uri for uri in map(PackURI, names) if uri.membername not in taken)

    # --- parts ---

    def _relationships(self) -> tuple[str, Any]:
        """Return name and root of what the main part refers to; a document may have none."""
        name = self._package.main_part.rels_uri.membername
        return name, self._part(name) if name in self._package.files else _new_relationships(self._changed.get(name))

    def _types(self) -> Any:
        if _CONTENT_TYPES not in self._package.files:
            raise ReadError(f"lacks {_CONTENT_TYPES}, without which Word does not open it; save it again")
        return self._part(_CONTENT_TYPES)

    def _part(self, name: str) -> Any:
        known = self._changed.get(name)
        return parse_part(self._package.files[name]) if known is None else known

    def save(self) -> bytes:
        """Return the document; what did not change is byte for byte as it was, and an unchanged document altogether."""
        if not self._changed:
            return self._data
        files = unpack(self._data, suffixes=("",), max_unpacked_bytes=self._limits.max_unpacked_bytes)
        for name, root in self._changed.items():
            if root is None:
                files.pop(name, None)
            else:
                files[name] = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                info = zipfile.ZipInfo(name, _DAY)
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)
        return stream.getvalue()


def _new_relationships(made: Any | None) -> Any:
    return etree.Element(f"{_RELATIONSHIPS}Relationships", nsmap={None: _RELATIONSHIPS[1:-1]}) if made is None else made


# --- marks --------------------------------------------------------------------------------------------------------


def _mark_start(element: Any, offset: int, name: str) -> None:
    """Put the beginning of a comment in front of a character of `element`."""
    fixed = _fixed(element)
    run = element.getparent()
    if fixed is not None:
        node = fixed
    elif offset or _has_content(element.itersiblings(preceding=True)):
        node = _cut(run, element, offset)
    else:
        node = run
    _outermost(node, 0).addprevious(_mark(node, f"{W}commentRangeStart", name))


def _mark_end(element: Any, offset: int, name: str) -> None:
    """Put the end of a comment, and the run that refers to it, behind the `offset` first characters of `element`."""
    node = _fixed(element)
    if node is None:
        node = element.getparent()
        if offset < _length(element) or _has_content(element.itersiblings()):
            _cut(node, element, offset)
    end = _mark(node, f"{W}commentRangeEnd", name)
    _put_behind(_outermost(node, -1), end)
    _put_behind(end, _reference(end, name))


def _mark_paragraph(paragraph: Any, name: str) -> None:
    """Let a comment stand on a whole paragraph."""
    properties = paragraph.find(f"{W}pPr")
    start = _mark(paragraph, f"{W}commentRangeStart", name)
    if properties is None:
        paragraph.insert(0, start)
    else:
        _put_behind(properties, start)
    paragraph.append(_mark(paragraph, f"{W}commentRangeEnd", name))
    paragraph.append(_reference(paragraph, name))


def _mark(like: Any, tag: str, name: str) -> Any:
    mark = like.makeelement(tag)
    mark.set(f"{W}id", name)
    return mark


def _reference(like: Any, name: str) -> Any:
    run = like.makeelement(_RUN)
    run.append(_mark(like, f"{W}commentReference", name))
    return run


def _fixed(element: Any) -> Any | None:
    """Return what must stay whole around a text (a formula, ruby text, what Word fills in by itself), or None."""
    around = [element]
    for ancestor in element.iterancestors():
        if ancestor.tag == f"{W}p":
            break
        around.append(ancestor)
    run = around[1] if len(around) > 1 and around[1].tag == _RUN and len(element) == 0 else None
    outer = around[2:] if run is not None else around[1:] or around
    fixed = [node for node in outer if node.tag not in _INLINE or _is_bound(node)]
    return fixed[-1] if fixed else None


def _is_bound(node: Any) -> bool:
    """True for a content control whose text Word takes from elsewhere in the file whenever it opens it."""
    return node.tag == f"{W}sdt" and node.find(f"{W}sdtPr/{W}dataBinding") is not None


def _outermost(node: Any, edge: int) -> Any:
    """Return the outermost inline element that begins (`edge` 0) or ends (-1) with a node.

    So the marks of a whole link or insertion stand around it, and outlive it.
    """
    while node.getparent().tag in _INLINE:
        parent = node.getparent()
        if [child for child in parent if child.tag not in _INLINE_PROPERTIES][edge] is not node:
            break
        node = parent
    return node


# --- cutting runs, and joining them ---------------------------------------------------------------------------------


def _length(element: Any) -> int:
    return len(element.text or "") if element.tag == _TEXT else 1


def _has_content(siblings: Iterator[Any]) -> bool:
    return any(sibling.tag != _PROPERTIES for sibling in siblings)


def _cut(run: Any, element: Any, offset: int) -> Any:
    """Cut a run behind the `offset` first characters of its child `element`; return the second half."""
    second = run.makeelement(_RUN, dict(run.attrib))
    properties = run.find(_PROPERTIES)
    if properties is not None:
        second.append(_without_tail(copy.deepcopy(properties)))
    following = list(element.itersiblings())
    inside = 0 < offset < _length(element)
    if inside:
        rest = element.makeelement(_TEXT, dict(element.attrib))
        rest.text, element.text = element.text[offset:], element.text[:offset]
        rest.tail, element.tail = element.tail, None
        _keep_space(element, element.text[-1])
        _keep_space(rest, rest.text[0])
        second.append(rest)
    elif not offset:
        following.insert(0, element)
    second.set(_REVISION, CUT_IN_TEXT if inside else CUT_BETWEEN)
    for child in following:
        second.append(child)
    _put_behind(run, second)
    return second


def _without_tail(element: Any) -> Any:
    element.tail = None
    return element


def _keep_space(text: Any, edge: str) -> None:
    """Have the space at the edge of a text kept, which a cut made an edge.

    A cut has a visible character on one of its sides, so that of all pieces of a text at least one gets no mark unless
    the text had one before: `_join` goes by that.
    """
    if edge.isspace():
        text.set(_SPACE, "preserve")


def _join(root: Any) -> None:
    """Join the runs that were cut, wherever no mark stands between them any more."""
    for second in [run for run in root.iter(_RUN) if run.get(_REVISION) in {CUT_IN_TEXT, CUT_BETWEEN}]:
        run = second.getprevious()
        if run is None or run.tag != _RUN or run.tail or _properties(run) != _properties(second):
            continue  # somebody wrote or formatted something here since
        inside = second.get(_REVISION) == CUT_IN_TEXT
        parts = [child for child in second if child.tag != _PROPERTIES]
        if inside:
            last, first = (run[-1] if len(run) else None), (parts[0] if parts else None)
            if last is None or first is None or {last.tag, first.tag} != {_TEXT} or last.tail:
                continue
            last.text = (last.text or "") + (first.text or "")
            last.tail = first.tail
            if first.get(_SPACE) is None:
                last.attrib.pop(_SPACE, None)
        for child in parts[inside:]:
            run.append(child)
        _detach(second)


def _properties(run: Any) -> bytes:
    properties = run.find(_PROPERTIES)
    return b"" if properties is None else etree.tostring(properties, method="c14n", with_tail=False)


def _put_behind(element: Any, new: Any) -> None:
    """Put `new` right behind an element, in front of the white space that follows."""
    new.tail, element.tail = element.tail, None
    element.addnext(new)


def _detach(element: Any) -> None:
    """Take an element out and leave the white space behind it where it is."""
    tail, parent, before = element.tail, element.getparent(), element.getprevious()
    parent.remove(element)
    if tail and before is not None:
        before.tail = (before.tail or "") + tail
    elif tail:
        parent.text = (parent.text or "") + tail
