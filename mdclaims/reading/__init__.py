"""Bytes to `Page`: finds the format and the encoding, keeps the limits, and calls the reader.

Stage 1 of the way: it imports nothing from the later stages.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from mdclaims.errors import ReadError, UsageError
from mdclaims.reading.limits import Limits, over_limit
from mdclaims.reading.page import Block, Page, PageBuilder, replace_unencodable

__all__ = ["FORMATS", "Block", "Limits", "Page", "format_of", "read_bytes", "read_decoded", "read_page", "read_stream"]

FORMATS: dict[str, str] = {
    ".txt": "text", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".docx": "docx", ".pdf": "pdf",
}  # fmt: skip
"""File suffixes and the formats they stand for."""

_EXTRAS = {"docx": ("Word files", "word"), "pdf": ("PDFs", "pdf")}
"""The formats that are documents of bytes, not of text: their name, and the extra that reads them."""


def format_of(path: Path) -> str | None:
    """Return the format that a path's suffix stands for, or None if it is not one of `FORMATS`."""
    return FORMATS.get(path.suffix.lower())


def read_page(path: Path, *, limits: Limits | None = None, apart: bool = True) -> Page:
    """Read one file.

    Parameters
    ----------
    path : Path
    limits : Limits, optional
    apart : bool
        See `read_bytes`.

    Raises
    ------
    ReadError
        If the file is missing, unreadable, empty, damaged, over a limit or of an unknown suffix.
    UsageError
        If reading its format needs an extra that is not installed.
    """
    limits = limits or Limits()
    kind = format_of(path)
    if kind is None:
        known = " ".join(FORMATS)
        raise ReadError(f"unknown suffix {path.suffix!r}; mdclaims reads {known}: export it as one of these")
    try:
        size = path.stat().st_size
        key, most = size_limit(kind, limits)
        # Checked before reading, so that a huge file never enters memory; devices and pipes have no size.
        if path.is_file() and size > most:
            raise over_limit(key, size, most, "bytes")
        with path.open("rb") as stream:
            data = read_stream(stream, format=kind, limits=limits)
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ReadError(f"cannot be read ({reason}); check the path and its permissions") from error
    return read_bytes(data, source=str(path), format=kind, limits=limits, apart=apart)


def read_stream(stream: BinaryIO, *, format: str, limits: Limits) -> bytes:
    """Read a document's bytes, no further than one byte over its limit, so that `read_bytes` refuses it."""
    _, most = size_limit(format, limits)
    return stream.read(most + 1)


def read_bytes(
    data: bytes,
    *,
    source: str,
    format: str,
    limits: Limits | None = None,
    charset: str | None = None,
    apart: bool = True,
    links: bool = False,
) -> Page:
    """Read a document from memory.

    Parameters
    ----------
    data : bytes
        The whole document.
    source : str
        What to call it in reports.
    format : str
        "text", "markdown", "html", "docx" or "pdf".
    limits : Limits, optional
    charset : str, optional
        The encoding that the server named for text, Markdown or HTML. As in browsers it counts in place of what the
        page says about itself, and a byte-order mark counts more. A label that names no encoding counts as none.
    apart : bool
        Read a PDF in a process of its own, which has limits of time and memory; see `isolation`. False is for
        processes that somebody watches already.
    links : bool
        Tell where the links of HTML and Markdown lead.

    Raises
    ------
    ReadError
        If it is empty, binary where text is expected, damaged, or over a limit.
    UsageError
        If reading the format needs an extra that is not installed.
    """
    limits = limits or Limits()
    key, most = size_limit(format, limits)
    if len(data) > most:
        raise over_limit(key, len(data), most, "bytes", more=len(data) == most + 1)
    if not data.strip():
        raise ReadError("is empty; check the file, or save the page again")
    if format == "pdf" and apart:
        from mdclaims.reading.isolation import read_pdf_apart

        if find_spec("pypdfium2") is None:
            raise _needs_extra(format)
        return read_pdf_apart(data, source=source, limits=limits)
    builder = PageBuilder(keeps_links=links)
    source_text = None
    if format in _EXTRAS:
        title, encoding, notes = _add_document(data, builder, format, limits)
    else:
        text, encoding, notes = _decode(data, is_html=format == "html", charset=charset)
        title = _add_text(text, builder, format, limits)
        source_text = None if format == "html" else replace_unencodable(text)
    page = builder.build(
        source=source,
        sha256=hashlib.sha256(data).hexdigest(),
        title=title,
        encoding=encoding,
        notes=notes,
        source_text=source_text,
    )
    return _with_text(page, format)


def read_decoded(text: str, *, source: str, format: str, limits: Limits | None = None) -> Page:
    """Read text that is decoded already: what stands in an editor, saved or not.

    Parameters
    ----------
    text : str
        The whole document, with its own line ends.
    source : str
        What to call it.
    format : str
        "text", "markdown" or "html".
    limits : Limits, optional

    Raises
    ------
    ReadError
        If it is empty or over a limit.
    """
    if not text.strip():
        raise ReadError("is empty; write something")
    builder = PageBuilder()
    title = _add_text(text, builder, format, limits or Limits())
    whole = replace_unencodable(text)
    page = builder.build(
        source=source,
        sha256=hashlib.sha256(whole.encode()).hexdigest(),
        title=title,
        encoding="utf-8",
        source_text=None if format == "html" else whole,
    )
    return _with_text(page, format)


def _with_text(page: Page, format: str) -> Page:
    """Return a page that has text, or say that it has none."""
    if not page.blocks:
        advice = "export it anew" if format in _EXTRAS else "if a script writes the page, save it from the browser"
        raise ReadError(f"holds no text that a reader would see; {advice}")
    return page


def size_limit(format: str, limits: Limits) -> tuple[str, int]:
    """Return the key and the value of the limit for the bytes of a document."""
    key = "max_document_bytes" if format in _EXTRAS else "max_bytes"
    return key, getattr(limits, key)


# The readers are imported where they are used: `--help` and the other formats need none of them.


def _add_text(text: str, builder: PageBuilder, format: str, limits: Limits) -> str | None:
    """Add the blocks of text, Markdown or HTML; return the title."""
    if len(text) > limits.max_chars:
        raise over_limit("max_chars", len(text), limits.max_chars, "characters")
    text = replace_unencodable(text.replace("\r\n", "\n").replace("\r", "\n") if format != "html" else text)
    if format == "html":
        from mdclaims.reading.html_reader import read_html

        title = read_html(text, builder, max_depth=limits.max_depth)
    elif format == "markdown":
        from mdclaims.reading.text_reader import read_markdown

        title = read_markdown(text, builder, max_depth=limits.max_depth)
    else:
        from mdclaims.reading.text_reader import read_text

        title = read_text(text, builder)
    return title


def _add_document(data: bytes, builder: PageBuilder, format: str, limits: Limits) -> tuple[str | None, str, list[str]]:
    """Add the blocks of a Word document or PDF; return title, the format in place of an encoding, and notes."""
    try:
        if format == "docx":
            from mdclaims.reading.word_reader import read_word as read
        else:
            from mdclaims.reading.pdf_reader import read_pdf as read
    except ImportError as error:
        raise _needs_extra(format) from error
    title, notes = read(data, builder, limits=limits)
    return title, format, notes


def _needs_extra(format: str) -> UsageError:
    name, extra = _EXTRAS[format]
    return UsageError(f'reading {name} needs an extra; install it with: pip install "mdclaims[{extra}]"')


_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
         (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip
# The HTML standard looks for a declaration in the first 1,024 bytes; browsers accept a later one, as we do.
_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_DECLARATION_WINDOW = 4096
# Bytes that text of no encoding in use contains, but images, archives and programs do.
_CONTROL = bytes([*range(0x09), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_BINARY_SHARE = 0.02
_BINARY_MINIMUM = 3  # a stray control character in a short draft is no program
_EXPORT = "export it as HTML, Markdown or plain text first"
_MAGIC = {
    b"%PDF-": ("a PDF", "name it .pdf, or pass --as pdf"),
    b"PK\x03\x04": ("a zip archive or Word file", "name a Word file .docx, or pass --as docx"),
    b"\x89PNG": ("a PNG image", _EXPORT),
    b"\xff\xd8\xff": ("a JPEG image", _EXPORT),
    b"GIF8": ("a GIF image", _EXPORT),
    b"\x1f\x8b": ("gzip data", _EXPORT),
}


def _decode(data: bytes, *, is_html: bool, charset: str | None) -> tuple[str, str, list[str]]:
    """Return text, encoding name and notes.

    A byte-order mark decides; then valid UTF-8, even against a declaration (that is nearly never an accident,
    and mojibake is worse); then the declared encoding, the server's before the page's own; then the likeliest for
    English text.
    """
    for mark, name in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(name), name.removesuffix("-sig"), []
            except UnicodeDecodeError as error:
                raise ReadError(
                    f"begins with a {name} mark but is not valid {name} ({error.reason}); save it again as UTF-8"
                ) from error
    for magic, (what, advice) in _MAGIC.items():
        if data.startswith(magic):
            raise ReadError(f"is {what}, not text; {advice}")
    if len(data) - len(data.translate(None, _CONTROL)) > max(_BINARY_SHARE * len(data), _BINARY_MINIMUM):
        utf16 = _utf16_without_mark(data)
        if utf16 is None:
            raise ReadError("looks binary, not text; mdclaims reads plain text, Markdown and HTML")
        return data.decode(utf16), utf16, [f"declares no encoding; read as {utf16}"]
    declared = (charset and _encoding_named(charset)) or (_declared_encoding(data) if is_html else None)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_not_utf8(data, declared)
    if declared not in {None, "utf-8"} and not data.isascii():
        return text, "utf-8", [f"declares {declared}, but is valid UTF-8 and was read as such"]
    return text, "utf-8", []


def _decode_not_utf8(data: bytes, declared: str | None) -> tuple[str, str, list[str]]:
    """Decode what is not valid UTF-8."""
    if declared is not None and declared != "utf-8":
        try:
            return data.decode(declared), declared, []
        except UnicodeError:
            pass
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    beyond_ascii = sum(not character.isascii() for character in text)
    if broken * 2 <= beyond_ascii:  # mostly valid: a stray byte must not turn the whole page into mojibake
        return text, "utf-8", [f"{broken} bytes are not valid UTF-8 and are shown as U+FFFD"]
    guess = _guess(data)
    if guess is None:
        raise ReadError("looks binary, or its encoding cannot be told; save it as UTF-8")
    said = f"declares {declared}, which it is not" if declared else "declares no encoding and is not UTF-8"
    return data.decode(guess, errors="replace"), guess, [f"{said}; read as {guess}"]


# Codecs of Python that no page is written in; some of them would run through the text and change it.
_NO_ENCODINGS = frozenset("unicode_escape raw_unicode_escape undefined punycode idna utf_7 mbcs oem".split())


def _declared_encoding(data: bytes) -> str | None:
    """Return the codec that an HTML page declares, or None if it declares none that Python can read."""
    match = _DECLARED.search(data, 0, _DECLARATION_WINDOW)
    return None if match is None else _encoding_named(match.group(1).decode("ascii"))


def _encoding_named(label: str) -> str | None:
    """Return the codec of a label, or None if it names none that a page is written in."""
    try:
        name = codecs.lookup(label).name
        b"a".decode(name)  # refuses codecs that are no text encodings, such as "hex"
    except (LookupError, UnicodeError, ValueError):
        return None
    if name.replace("-", "_") in _NO_ENCODINGS:
        return None
    if name.startswith(("utf-16", "utf-32")):
        return "utf-8"  # a declaration that can be read as single bytes is wrong about it (Encoding standard)
    # Browsers read these labels as windows-1252 (Encoding standard), which fills their control codes.
    return "cp1252" if name in {"iso8859-1", "ascii"} else name


def _utf16_without_mark(data: bytes) -> str | None:
    """Return the UTF-16 flavour of mostly Latin text without a byte-order mark, or None."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 0.7 * half and others < 0.1 * half:
            try:
                data.decode(name)
            except UnicodeDecodeError:
                return None
            return name
    return None


# English in a single-byte encoding has few bytes beyond ASCII: quotes, dashes, accents, pound signs.
_ENGLISH_SHARE = 0.05


def _guess(data: bytes) -> str | None:
    """Return the likeliest encoding of text that declares none and is not UTF-8, or None.

    Mostly ASCII text is taken for windows-1252, by far the commonest such encoding of English; detectors, which
    weigh all languages, take short English pages for Central European or Japanese. For the rest
    charset-normalizer decides.
    """
    ascii_only = data.translate(None, bytes(range(128, 256)))
    beyond_ascii = len(data) - len(ascii_only)
    if beyond_ascii <= max(_ENGLISH_SHARE * len(data), 8):
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            return "cp1252"
    from charset_normalizer import from_bytes

    # Its detector reads everything given to it; 200 kB tell as much as 20 MB.
    best = from_bytes(data[:200_000]).best()
    return None if best is None else codecs.lookup(best.encoding).name
