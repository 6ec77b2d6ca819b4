"""Opens a Word document's package: a zip archive of XML parts that refer to each other (ECMA-376, part 2).

Whatever is wrong with a document becomes a `ReadError` here. What its parts say is read in `word_reader`; the Word
report changes the parsed parts and packs them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.packuri import PACKAGE_URI, PackURI
from lxml import etree

from mdclaims.errors import ReadError
from mdclaims.reading.page import replace_unencodable
from mdclaims.reading.unpacking import unpack

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
"""The namespace of all that Word writes for itself, as lxml writes it: ECMA-376, "transitional"."""

COMMENT_PARTS: dict[str, str] = {
    RELATIONSHIP_TYPE.COMMENTS: "comments",
    # Which comment answers which, and which are resolved: [MS-DOCX] 2.5.
    "http://schemas.microsoft.com/office/2011/relationships/commentsExtended": "extended",
    "http://schemas.microsoft.com/office/2016/09/relationships/commentsIds": "ids",
    "http://schemas.microsoft.com/office/2018/08/relationships/commentsExtensible": "extensible",
}
"""What the parts about comments are called here, by the kind of their relationship."""

_TEXT_PARTS = (".xml", ".rels")
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STRICT_NAMESPACE = b"http://purl.oclc.org/ooxml/"
# python-docx's own parser drops white space between elements, which a document written again has to keep.
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True)


@dataclass(frozen=True, slots=True)
class Story:
    """One part with text: its root element, and its diagrams and charts by relationship id."""

    root: Any
    drawings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WordPackage:
    """Every part of a document that holds text, parsed."""

    main: Story
    running: Mapping[str, Story]
    """Headers and footers by relationship id."""
    notes: Mapping[str, Story]
    """By "footnotes" and "endnotes", as far as there are any."""
    styles: Any | None
    settings: Any | None
    title: str
    descriptions: tuple[str, ...]
    last_editor: str
    """Who saved it last, as the properties say; "" if they do not."""
    files: Mapping[str, bytes]
    """The XML parts as they are in the archive; other files stand here without their bytes."""
    main_part: PackURI
    comments: Mapping[str, tuple[PackURI, Any]]
    """The parts with comments and what is told of them, of `COMMENT_PARTS`: each with its root."""


def open_package(data: bytes, max_unpacked_bytes: int) -> WordPackage:
    """Open and parse a document; whatever is wrong with it becomes a `ReadError` here."""
    if data.startswith(_OLE_MAGIC):
        protected = "EncryptedPackage".encode("utf-16-le") in data
        raise ReadError(
            "is protected by a password; save a copy without it"
            if protected
            else "is in the Word format of before 2007; save it as .docx"
        )
    if not data.startswith(b"PK"):
        raise ReadError("is no Word document (.docx), or damaged at its beginning; save it again from Word")
    files = unpack(data, suffixes=_TEXT_PARTS, max_unpacked_bytes=max_unpacked_bytes)
    if "_rels/.rels" not in files or not any(name.startswith("word/") for name in files):
        raise ReadError("is a zip archive, but no Word document; pass the files in it one by one")
    if _STRICT_NAMESPACE in files["_rels/.rels"]:
        raise ReadError("is in the format Strict Open XML; save it as Word document (.docx), not as the strict one")
    for name, content in files.items():
        # ECMA-376 forbids them, and entities that grow or fetch files begin with one; lxml is told not to resolve
        # any, yet expands them in attributes.
        if any("<!DOCTYPE".encode(encoding) in content for encoding in ("utf-8", "utf-16-le", "utf-16-be")):
            raise ReadError(f"has a document type declaration in {name}, which Word never writes; save it again")
    try:
        return _parse(files)
    except (etree.LxmlError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ReadError(f"is a damaged Word document ({reason}); save it as .docx again") from error


def _parse(files: Mapping[str, bytes]) -> WordPackage:
    """Parse the parts that hold text.

    Not with python-docx's own reader: it refuses a document with one relationship that leads nowhere, which Word
    opens and LibreOffice writes (a link to "#"), and makes up properties where there are none.
    """
    package = list(related_parts(files, PACKAGE_URI))
    main = next((target for kind, _, target in package if kind == RELATIONSHIP_TYPE.OFFICE_DOCUMENT), None)
    if main is None:
        raise ValueError("its main part is missing")
    related = list(related_parts(files, main))
    parts = {kind: target for kind, _, target in [*package, *related]}

    def root(kind: str) -> Any | None:
        return _root(files, parts[kind]) if kind in parts else None

    running = {RELATIONSHIP_TYPE.HEADER, RELATIONSHIP_TYPE.FOOTER}
    notes = {"footnotes": RELATIONSHIP_TYPE.FOOTNOTES, "endnotes": RELATIONSHIP_TYPE.ENDNOTES}
    properties = root(RELATIONSHIP_TYPE.CORE_PROPERTIES)
    return WordPackage(
        main=_story(files, main),
        running=_stories(files, (entry for entry in related if entry[0] in running)),
        notes={name: _story(files, parts[kind]) for name, kind in notes.items() if kind in parts},
        styles=root(RELATIONSHIP_TYPE.STYLES),
        settings=root(RELATIONSHIP_TYPE.SETTINGS),
        title=_property(properties, "title"),
        descriptions=(_property(properties, "description"), _property(properties, "subject")),
        last_editor=_property(properties, "lastModifiedBy"),
        files=files,
        main_part=main,
        comments={
            COMMENT_PARTS[kind]: (target, _root(files, target))
            for kind, target in parts.items()
            if kind in COMMENT_PARTS
        },
    )


def parse_part(content: bytes) -> Any:
    """Return the root element of a part; entities are not resolved, and libxml2's limits hold."""
    return etree.fromstring(content, _PARSER)


def related_parts(files: Mapping[str, bytes], part: PackURI) -> Iterator[tuple[str, str, PackURI]]:
    """Yield type, id and name of each part with text that another part (or the package) refers to."""
    relationships = files.get(part.rels_uri.membername)
    for entry in () if relationships is None else parse_part(relationships):
        if entry.get("TargetMode") != "External":
            target = PackURI.from_rel_ref(part.baseURI, entry.get("Target") or "")
            if files.get(target.membername):
                yield entry.get("Type") or "", entry.get("Id") or "", target


def _stories(files: Mapping[str, bytes], related: Iterable[tuple[str, str, PackURI]]) -> dict[str, Story]:
    """Return the stories by relationship id; one that several relationships lead to is parsed once."""
    named = {name: target for _, name, target in related}
    made = {target: _story(files, target) for target in set(named.values())}
    return {name: made[target] for name, target in named.items()}


def _story(files: Mapping[str, bytes], part: PackURI) -> Story:
    wanted = {RELATIONSHIP_TYPE.DIAGRAM_DATA, RELATIONSHIP_TYPE.CHART}
    named = {name: target for kind, name, target in related_parts(files, part) if kind in wanted}
    roots = {target: _root(files, target) for target in set(named.values())}
    return Story(_root(files, part), {name: roots[target] for name, target in named.items()})


def _root(files: Mapping[str, bytes], part: PackURI) -> Any:
    return parse_part(files[part.membername])


def _property(properties: Any | None, name: str) -> str:
    if properties is None:
        return ""
    found = next((element for element in properties.iterchildren("*") if etree.QName(element).localname == name), None)
    return replace_unencodable(found.text or "") if found is not None else ""
