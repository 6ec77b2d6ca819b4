"""Reads captures of web pages from WARC files (``.warc``, ``.warc.gz``) and WACZ packages.

A capture is an answer of a server as an archiver kept it: address, time, status, and for what mdclaims reads the body.
What could not be read is a `Failure` beside the captures, so that nothing is lost in silence. `records.py` finds the
records, `transfer.py` undoes what HTTP did to the bodies; this module says what a record means. docs/archives.md tells
users the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urljoin

from mdclaims.errors import ReadError, UsageError
from mdclaims.reading import read_bytes, size_limit
from mdclaims.reading.limits import Limits, over_limit
from mdclaims.reading.media_types import SNIFF_BYTES, charset_of, is_worth_sniffing, kind_of
from mdclaims.reading.page import Page
from mdclaims.reading.records import (
    Damage,
    DamagedError,
    Record,
    copy_record,
    end_of_head,
    parse_headers,
    read_record,
    read_records,
    split_offsets,
)

if TYPE_CHECKING:
    from hashlib import _Hash

ARCHIVE_SUFFIXES = (".warc", ".warc.gz", ".wacz")
"""How the names of the files end that this module reads."""

PAGE_KINDS = frozenset({"html", "text", "markdown", "pdf", "docx"})
"""The kinds of capture that are read; each is a format of `read_bytes`."""

OTHER_KINDS = frozenset(
    {"redirect", "revisit", "empty", "image", "video", "audio", "font", "script", "style", "data", "other"}
)
"""The kinds that are counted and not read."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a record is, so that it can be read again.

    Attributes
    ----------
    archive : Path
        The WARC or WACZ file.
    member : str or None
        The WARC file's name inside a WACZ, else None.
    offset : int
        Byte of the WARC file at which the record begins; in a gzip file, at which its gzip member begins.
    skip : int
        Unpacked bytes of that member before the record; 0 unless the member holds several records.
    """

    archive: Path
    member: str | None
    offset: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class ArchiveRange:
    """A part of an archive that one worker reads: the records that begin at `start` or later and before `end`.

    Attributes
    ----------
    archive : Path
        The WARC or WACZ file.
    member : str or None
        The WARC file's name inside a WACZ, else None.
    start : int
        0, or an offset at which a record begins.
    end : int or None
        None for the end of the WARC file.
    """

    archive: Path
    member: str | None
    start: int = 0
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """What an archiver kept of one request.

    Attributes
    ----------
    place : Place
    record_type : str
        "response", "resource" (a file without an HTTP header) or "revisit" (the same body as in an earlier capture).
    address : str
        The address that was asked (WARC-Target-URI).
    time : datetime
        When it was captured (WARC-Date), in UTC.
    kind : str
        One of `PAGE_KINDS` or `OTHER_KINDS`.
    status : int or None
        HTTP status, None for a resource.
    content_type, content_encoding : str or None
        As the server sent them.
    redirect : str or None
        The address that a redirect leads to, absolute.
    revisit_of : tuple of (str or None) or None
        Address and time of the earlier capture with the same body, as far as a revisit record tells.
    body : bytes or None
        Chunks and content codings undone; None unless `kind` is one of `PAGE_KINDS`.
    sha256 : str or None
        Hex digest of the body without chunks, but with its content coding: the bytes that the server sent for it. None
        where the body was not read.
    payload_digest : str or None
        What the archiver says (WARC-Payload-Digest).
    digest_agrees : bool or None
        Whether the bytes agree with it; None if the body was not read, or it cannot be checked.
    notes : tuple of str
        What else a reader should know, such as that the archiver cut the body short.
    """

    place: Place
    record_type: str
    address: str
    time: datetime
    kind: str
    status: int | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    redirect: str | None = None
    revisit_of: tuple[str | None, str | None] | None = None
    body: bytes | None = None
    sha256: str | None = None
    payload_digest: str | None = None
    digest_agrees: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A record, or a stretch of an archive, that could not be read.

    Attributes
    ----------
    place : Place
        Where it begins.
    address : str or None
        The address that was asked, if that much could be read.
    reason : str
        What is wrong, to be read behind the place.
    """

    place: Place
    address: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class NotFetched:
    """What `mdclaims capture` wrote down about an address that it did not fetch.

    Attributes
    ----------
    place : Place
    address : str
    time : datetime
        When that was written, in UTC.
    reason : str
        One word, such as "robots"; docs/capture.md lists them.
    detail : str
        In words; may be empty.
    led_by : str
        The address that led there: of the page with the link, or of what was redirected. May be empty.
    """

    place: Place
    address: str
    time: datetime
    reason: str
    detail: str
    led_by: str = ""


Watch = Callable[[Place, str], bool]
"""Called with the place and the address of each capture before its body is read; False leaves the capture out."""


def is_archive(path: Path) -> bool:
    """True if the name of a file is that of a web archive."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def archive_ranges(path: Path, *, target_bytes: int | None = None) -> tuple[ArchiveRange, ...]:
    """Return ranges that together hold every record of an archive, each once.

    Parameters
    ----------
    path : Path
        A WARC or WACZ file.
    target_bytes : int, optional
        How long a range should be, in bytes of the WARC file. Finding the ranges takes one pass over it, in which a
        gzip file is unpacked. A gzip file of one single member, and a WARC file packed once more in its WACZ, are one
        range each. Default: one range for each WARC file, and no pass.

    Raises
    ------
    ReadError
        If the file cannot be opened, or is a WACZ without a WARC file in it.
    """
    ranges: list[ArchiveRange] = []
    for member in _members(path):
        starts: tuple[int, ...] = (0,)
        with _as_read_errors(), _open_warc(path, member) as file:
            if target_bytes is not None and not isinstance(file, zipfile.ZipExtFile):
                starts = split_offsets(file, target_bytes)
        ranges += [
            ArchiveRange(path, member, start, end) for start, end in zip(starts, (*starts[1:], None), strict=True)
        ]
    return tuple(ranges)


def read_captures(
    part: ArchiveRange, *, limits: Limits | None = None, watch: Watch | None = None
) -> Iterator[Capture | Failure | NotFetched]:
    """Read the captures of a range of an archive, and say what could not be read.

    Requests, metadata and what else is no capture of an address on the web (http, https) is passed over. Only one
    body is in memory at a time, never more of it than its limit.

    Parameters
    ----------
    part : ArchiveRange
    limits : Limits, optional
        `max_bytes` and `max_document_bytes` hold for a body as it came and as it is unpacked.
    watch : Watch, optional
        Told of each capture before it is read, for those who must know which one a reader did not survive.

    Yields
    ------
    Capture, Failure or NotFetched
        In the order of the archive.

    Raises
    ------
    UsageError
        If the extra that reads archives is not installed.
    """
    limits = limits or Limits()
    last = part.start
    try:
        with _open_warc(part.archive, part.member) as file:
            reader = _CaptureReader(part.archive, part.member, limits, watch)
            for found in read_records(file, reader.read, start=part.start, end=part.end):
                if isinstance(found, Damage):
                    place = Place(part.archive, part.member, found.offset, found.skip)
                    yield Failure(place, _address(found.headers) or None, found.reason)
                elif found is not None:
                    yield found
                    last = found.place.offset
    except _UNREADABLE as error:
        reason = f"the archive cannot be read from here on ({_reason(error)})"
        yield Failure(Place(part.archive, part.member, last), None, reason)


def read_capture(place: Place, *, limits: Limits | None = None) -> Capture:
    """Read one capture again.

    Raises
    ------
    ReadError
        If no capture begins there, or it cannot be read.
    """
    reader = _CaptureReader(place.archive, place.member, limits or Limits())
    with _as_read_errors(), _open_warc(place.archive, place.member) as file:
        found = read_record(file, reader.read, offset=place.offset, skip=place.skip)
    if found is None or isinstance(found, NotFetched):
        raise ReadError(f"the record at offset {place.offset} is no capture of an address on the web")
    if isinstance(found, Failure):
        raise ReadError(found.reason)
    return found


def block_digest_agrees(place: Place) -> bool | None:
    """Tell whether a record's block (HTTP header and body) has the WARC-Block-Digest that its archiver wrote down.

    Returns
    -------
    bool or None
        None if the record has no digest, or one that cannot be checked.

    Raises
    ------
    ReadError
        If no record begins there, or it is damaged.
    """

    def agrees(record: Record) -> bool | None:
        expected = _parse_digest(record.headers.get("warc-block-digest"))
        if expected is None:
            return None
        hasher = hashlib.new(expected[0], usedforsecurity=False)
        deque(_hashed(record.pieces(), hasher), maxlen=0)
        return hasher.digest() == expected[1]

    with _as_read_errors(), _open_warc(place.archive, place.member) as file:
        return read_record(file, agrees, offset=place.offset, skip=place.skip)


def copy_capture(place: Place, out: BinaryIO) -> int:
    """Append the record of a capture to a gzip WARC file, unchanged; return how many bytes that took.

    A gzip member that holds the record alone is copied byte for byte; any other record is packed into one.

    Raises
    ------
    ReadError
        If no record begins there, or it is damaged; then nothing is written.
    """
    with _as_read_errors(), _open_warc(place.archive, place.member) as file:
        return copy_record(file, out, offset=place.offset, skip=place.skip)


def page_of(capture: Capture, *, limits: Limits | None = None, apart: bool = True) -> Page:
    """Read the page of a capture; the encoding that the server named counts before the page's own.

    `Page.sha256` is that of the body without its content coding, `Capture.sha256` that of the body with it. For `apart`
    see `read_bytes`.

    Raises
    ------
    ReadError
        As `read_bytes`, or if the capture is of no kind that is read.
    """
    if capture.body is None:
        raise ReadError(f"is of kind {capture.kind!r}, which is not read")
    return read_bytes(
        capture.body,
        source=capture.address,
        format=capture.kind,
        limits=limits,
        charset=charset_of(capture.content_type),
        apart=apart,
    )


# --- files ----------------------------------------------------------------------------------------------------

_WARC_MEMBER = re.compile(r"archive/[^/]+\.warc(?:\.gz)?", re.IGNORECASE)
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, ReadError)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


@contextmanager
def _as_read_errors() -> Iterator[None]:
    """Turn what goes wrong with files and records into one error of ours."""
    try:
        yield
    except ReadError:
        raise
    except (*_UNREADABLE, DamagedError) as error:
        raise ReadError(f"cannot be read ({_reason(error)}); check the path, or fetch the archive again") from error


def _members(path: Path) -> tuple[str | None, ...]:
    """Return the names of the WARC files in a WACZ; (None,) for a WARC file itself."""
    if path.suffix.lower() != ".wacz":
        return (None,)
    with _as_read_errors(), zipfile.ZipFile(path) as package:
        names = tuple(sorted(name for name in package.namelist() if _WARC_MEMBER.fullmatch(name)))
        packages = sorted(name for name in package.namelist() if name.lower().endswith(".wacz"))
    if packages and not names:
        raise ReadError(f"is a package of {len(packages)} WACZ files; unpack it (it is a zip archive) and pass those")
    if not names:
        raise ReadError("holds no WARC file in a folder archive/; it is no WACZ, or an empty one")
    return names


@contextmanager
def _open_warc(path: Path, member: str | None) -> Iterator[BinaryIO]:
    """Open a WARC file, in its WACZ if it has one: what is stored there unpacked is read in place."""
    with ExitStack() as stack:
        if member is None:
            yield stack.enter_context(path.open("rb"))
            return
        package = stack.enter_context(zipfile.ZipFile(path))
        try:
            info = package.getinfo(member)
        except KeyError as error:
            raise ReadError(f"holds no {member}; the archive is not the one that was read") from error
        if info.flag_bits & 0x1:
            raise ReadError(f"{member} is protected by a password; save a copy without it")
        if info.compress_type == zipfile.ZIP_STORED:
            file = stack.enter_context(path.open("rb"))
            window = _Window(file, _data_offset(file, info), info.file_size)
            yield cast("BinaryIO", io.BufferedReader(window))
        else:
            yield cast("BinaryIO", stack.enter_context(package.open(info)))


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a file in a zip archive begin: behind its local header (APPNOTE.TXT, 4.3.7)."""
    file.seek(info.header_offset)
    header = file.read(30)
    if len(header) < 30 or not header.startswith(b"PK\x03\x04"):
        raise zipfile.BadZipFile("a local header is missing")
    return info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


class _Window(io.RawIOBase):
    """A stretch of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        self._file = file
        self._start = start
        self._length = length
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._start + self._position)
        data = self._file.read(max(min(len(buffer), self._length - self._position), 0))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


# --- records to captures --------------------------------------------------------------------------------------

_CAPTURES = frozenset({"response", "resource", "revisit"})
_OTHER_TYPES = frozenset({"warcinfo", "request", "metadata", "conversion", "continuation"})
_LONGEST_HEAD = 2**16
_LONGEST_METADATA = 2**16
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b")


def _not_fetched(record: Record, place: Place, address: str) -> NotFetched | None:
    """Read a metadata record, if it is of our own `capture` and about an address."""
    if not address or "json" not in record.headers.get("content-type", "") or record.length > _LONGEST_METADATA:
        return None
    try:
        told = json.loads(b"".join(record.pieces()))["not_fetched"]
        time = _time(record.headers.get("warc-date", ""))
        led_by = str(told.get("found_on") or told.get("asked") or "")
        return NotFetched(place, address, time, str(told["reason"]), str(told.get("detail") or ""), led_by)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ReadError):
        return None  # somebody else's metadata


class _CaptureReader:
    """Reads the records of one WARC file as captures."""

    def __init__(self, archive: Path, member: str | None, limits: Limits, watch: Watch | None = None) -> None:
        self._archive = archive
        self._member = member
        self._limits = limits
        self._watch = watch

    def read(self, record: Record) -> Capture | Failure | NotFetched | None:
        """Read one record; None if it is no capture of an address on the web, or not wanted."""
        record_type, address = record.headers["warc-type"].lower(), _address(record.headers)
        place = Place(self._archive, self._member, record.offset, record.skip)
        if record_type == "metadata":
            return _not_fetched(record, place, address)
        if record_type in _OTHER_TYPES or (address and not address.lower().startswith(("http:", "https:"))):
            return None
        if self._watch is not None and not self._watch(place, address):
            return None
        try:
            return self._capture(record, place, address)
        except ReadError as error:
            return Failure(place, address or None, str(error))

    def _capture(self, record: Record, place: Place, address: str) -> Capture:
        record_type = record.headers["warc-type"].lower()
        if record_type not in _CAPTURES:
            raise ReadError(f"has a WARC-Type that no standard knows ({record_type[:40]!r})")
        if not address:
            raise ReadError("has no WARC-Target-URI, so that nobody can say where it was captured")
        if "warc-segment-number" in record.headers:
            raise ReadError("is one segment of a record in several; mdclaims does not put them together")
        if record_type == "resource":
            answer = _Answer(None, {"content-type": record.headers.get("content-type", "")}, record.pieces())
        else:
            answer = _read_answer(record)
        redirect = answer.redirect(address)
        if record_type == "revisit":
            body = _Body("revisit")
        elif redirect is not None:
            body = _Body("redirect")
        else:
            body = _read_body(answer, address, record.headers.get("warc-payload-digest"), self._limits)
        cut = record.headers.get("warc-truncated")
        return Capture(
            place=place,
            record_type=record_type,
            address=address,
            time=_time(record.headers.get("warc-date", "")),
            kind=body.kind,
            status=answer.status,
            content_type=answer.headers.get("content-type") or None,
            content_encoding=answer.headers.get("content-encoding"),
            redirect=redirect,
            revisit_of=_revisit_of(record.headers) if record_type == "revisit" else None,
            body=body.data,
            sha256=body.sha256,
            payload_digest=record.headers.get("warc-payload-digest"),
            digest_agrees=body.digest_agrees,
            notes=(f"the archiver cut the capture short ({cut})",) if cut else (),
        )


def _address(headers: dict[str, str]) -> str:
    """Return the address that a record is about; some programs write it between angle brackets, as WARC 1.0 said."""
    return headers.get("warc-target-uri", "").removeprefix("<").removesuffix(">")


def _time(text: str) -> datetime:
    """Return a WARC-Date, which is in UTC whether it says so or not."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ReadError(
            f"has no valid WARC-Date ({text[:40]!r}), so that nobody can say when it was captured"
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _revisit_of(headers: dict[str, str]) -> tuple[str | None, str | None]:
    address = headers.get("warc-refers-to-target-uri", "").removeprefix("<").removesuffix(">")
    return address or None, headers.get("warc-refers-to-date")


@dataclass(frozen=True, slots=True)
class _Answer:
    """A server's answer: status, headers by their names in lower case, and the body as it came."""

    status: int | None
    headers: dict[str, str]
    pieces: Iterator[bytes]

    def redirect(self, address: str) -> str | None:
        """Return the absolute address that the answer to a request for `address` leads to."""
        location = self.headers.get("location")
        if self.status is None or not 300 <= self.status < 400 or not location:
            return None
        try:
            return urljoin(address, location)
        except ValueError:  # such as "http://[": no address at all, but what the server said
            return location


def _read_answer(record: Record) -> _Answer:
    """Read the HTTP head of a record; a revisit may have none."""
    pieces = record.pieces()
    start = b""
    while (end := end_of_head(start)) is None and len(start) <= _LONGEST_HEAD and (more := next(pieces, b"")):
        start += more
    # A head without a blank line behind it is one without a body.
    first, headers = parse_headers(start[:end].rstrip(b"\r\n"))
    status = _STATUS.match(first)
    if status is None and start:
        raise ReadError("has no HTTP header; the archive is damaged, or its program made a mistake")
    rest = start[end:] if end is not None else b""
    return _Answer(int(status.group(1)) if status else None, headers, chain([rest] if rest else [], pieces))


@dataclass(frozen=True, slots=True)
class _Body:
    """What came of a body; all but its kind is None if it was not read."""

    kind: str
    data: bytes | None = None
    sha256: str | None = None
    digest_agrees: bool | None = None


def _read_body(answer: _Answer, address: str, digest: str | None, limits: Limits) -> _Body:
    """Read a body if it is a page's, hashing it on its way.

    The digest of the archiver may be of the body with its chunks or without: programs differ.
    """
    try:
        from mdclaims.reading.transfer import BodyError, is_chunked, split_codings, undo_chunks, undo_codings
    except ImportError as error:
        raise UsageError(
            'reading web archives needs an extra; install it with: pip install "mdclaims[screen]"'
        ) from error
    content_type = answer.headers.get("content-type")
    if not is_worth_sniffing(content_type):
        return _Body(kind_of(content_type, address, b""))
    expected = _parse_digest(digest)
    # Of the body as the archive stores it, and of the body without its chunks.
    hashers = [hashlib.new(expected[0], usedforsecurity=False) for _ in range(2)] if expected else []
    sha256 = hashlib.sha256()
    stored = _hashed(answer.pieces, *hashers[:1])
    chunked = "chunked" in split_codings(answer.headers.get("transfer-encoding", ""))
    if chunked:
        first, stored = _first_bytes(stored)
        chunked = is_chunked(first)
    sent = _hashed(undo_chunks(stored), sha256, *hashers[1:]) if chunked else _hashed(stored, sha256)
    try:
        kind, data = _collect(undo_codings(sent, split_codings(answer.headers.get("content-encoding", ""))),
                              content_type, address, limits)  # fmt: skip
        if data is None:
            return _Body(kind)
        # What lies behind the end of a packed body belongs to the digests, what lies behind the last chunk to one.
        for rest in (sent, stored):
            deque(rest, maxlen=0)
    except BodyError as error:
        raise ReadError(f"{error}; fetch the page again") from error
    agrees = any(hasher.digest() == expected[1] for hasher in hashers) if expected else None
    return _Body(kind, data, sha256.hexdigest(), agrees)


def _first_bytes(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return enough of a body to tell whether it is in chunks, and all of it."""
    start = b""
    while len(start) < SNIFF_BYTES and (more := next(pieces, b"")):
        start += more
    return start, chain([start], pieces)


def _collect(
    pieces: Iterator[bytes], content_type: str | None, address: str, limits: Limits
) -> tuple[str, bytes | None]:
    """Return kind and body; None for the body of what is not read."""
    data = bytearray()
    while len(data) < SNIFF_BYTES and (more := next(pieces, None)) is not None:
        data += more
    if not data:
        return "empty", None
    kind = kind_of(content_type, address, bytes(data[:SNIFF_BYTES]))
    if kind not in PAGE_KINDS:
        return kind, None
    key, most = size_limit(kind, limits)
    for piece in pieces:
        data += piece
        if len(data) > most:
            break
    if len(data) > most:
        raise over_limit(key, len(data), most, "bytes", more=True)
    return kind, bytes(data)


def _hashed(pieces: Iterable[bytes], *hashers: _Hash) -> Iterator[bytes]:
    """Yield the pieces, each added to the hashes first."""
    for piece in pieces:
        for hasher in hashers:
            hasher.update(piece)
        yield piece


_DIGEST_ALGORITHMS = frozenset({"md5", "sha1", "sha256", "sha512"})


def _parse_digest(text: str | None) -> tuple[str, bytes] | None:
    """Return algorithm and value of a digest such as "sha1:" and 32 letters; None if it is missing or unknown.

    The standard leaves the notation open: SHA-1 is usually in base32, SHA-256 in hex.
    """
    algorithm, _, value = (text or "").strip().partition(":")
    algorithm = algorithm.lower().replace("-", "")
    if algorithm not in _DIGEST_ALGORITHMS:
        return None
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size
    try:
        if len(value) == 2 * size:
            return algorithm, bytes.fromhex(value)
        value = value.rstrip("=")
        return algorithm, base64.b32decode(value + "=" * (-len(value) % 8), casefold=True)
    except (ValueError, binascii.Error):
        return None
