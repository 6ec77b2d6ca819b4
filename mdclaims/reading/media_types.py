"""Tells what kind of thing a body is: by its Content-Type, and by its beginning where that is missing or wrong."""

from __future__ import annotations

import re

SNIFF_BYTES = 1024
"""How much of a body's beginning `kind_of` looks at."""

_TYPES = {
    "text/html": "html", "application/xhtml+xml": "html",
    "text/plain": "text", "text/markdown": "markdown", "text/x-markdown": "markdown",
    "application/pdf": "pdf", "application/x-pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/css": "style", "application/json": "data", "text/xml": "data", "application/xml": "data", "text/csv": "data",
    "text/javascript": "script", "application/javascript": "script", "application/x-javascript": "script",
}  # fmt: skip
_FAMILIES = frozenset({"image", "video", "audio", "font"})
# Servers send these for files of which they know nothing.
_UNKNOWN = frozenset(
    "application/octet-stream binary/octet-stream application/unknown unknown/unknown */* application/download "
    "application/x-download application/force-download".split()
) | {""}
_TEXTUAL = frozenset({"html", "text", "markdown"})
# As in the MIME Sniffing standard (7.1), whose rules also ask for a space or ">" behind a tag.
_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[\t\n\x0c\r ]|<!--.*?-->|<\?xml[^>]*>)*"
    rb"<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
# What text in no encoding contains (MIME Sniffing standard, "binary data byte").
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_BOMS = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image"), (b"\xff\xd8\xff", "image"), (b"GIF87a", "image"), (b"GIF89a", "image"),
    (b"wOFF", "font"), (b"wOF2", "font"), (b"PK\x03\x04", "other"), (b"\x1f\x8b\x08", "other"),
)  # fmt: skip


def essence(content_type: str | None) -> str:
    """Return the media type of a Content-Type header without its parameters, in lower case; "" if there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def charset_of(content_type: str | None) -> str | None:
    """Return the charset that a Content-Type header names."""
    found = re.search(r";\s*charset\s*=\s*[\"']?([^\s\"';,]+)", content_type or "", re.IGNORECASE)
    return found.group(1) if found else None


def is_worth_sniffing(content_type: str | None) -> bool:
    """True if a body's beginning can make it a page; images, scripts and the like are believed to be what they say."""
    media_type = essence(content_type)
    return media_type in _UNKNOWN or _declared(media_type) in _TEXTUAL | {"pdf", "docx"}


def kind_of(content_type: str | None, address: str, start: bytes) -> str:
    """Return the kind of a body: a format of `read_bytes`, or "image", "script", "other", ...

    Parameters
    ----------
    content_type : str or None
        The header as the server sent it.
    address : str
        A Word file without a type is known by the ending of its path.
    start : bytes
        The first `SNIFF_BYTES` of the body, or all of it if it is shorter.
    """
    media_type = essence(content_type)
    declared = _declared(media_type)
    if not is_worth_sniffing(content_type):
        return declared
    if b"%PDF-" in start[:SNIFF_BYTES] and declared != "docx" and not _HTML.match(start):
        return "pdf"
    marked = next((kind for mark, kind in _MARKS if start.startswith(mark)), None)
    if (
        marked == "other"
        and start.startswith(b"PK")
        and (declared == "docx" or re.split(r"[?#]", address)[0].lower().endswith(".docx"))
    ):
        return "docx"
    if marked is not None:
        return marked
    if declared != "html" and _HTML.match(start):
        return "html"
    if media_type not in _UNKNOWN:
        return declared
    return "text" if start.startswith(_BOMS) or not _BINARY.search(start) else "other"


def _declared(media_type: str) -> str:
    """Return the kind that a media type stands for."""
    family, _, subtype = media_type.partition("/")
    if family in _FAMILIES:
        return family
    if subtype.endswith(("+json", "+xml")) and media_type not in _TYPES:
        return "data"
    return _TYPES.get(media_type, "other")
