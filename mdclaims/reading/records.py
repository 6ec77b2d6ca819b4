"""Finds the records of a WARC file: where each begins, whether it is whole, and where reading goes on after damage.

WARC 1.0 and 1.1 (ISO 28500), uncompressed or gzip, with one record to a gzip member, as the standard advises, or
several. This module knows nothing of HTTP.

It is our own because an archive that is evidence must say what it lost. fastwarc 2.0.1, on each of 1,262 cuts of an
archive with a gzip member for each record, raised an error for 30 of the cuts; a caller that counts bytes notices 321
more; the rest end in silence. It stops for good at the first damaged member, in a gzip file of one member its offsets
are not those of the records, and its chunked reader refuses chunk extensions. warcio passes over cut records too (its
issue 138).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

Result = TypeVar("Result")

_PIECE = 2**16
_LONGEST_HEAD = 2**16
_GZIP = b"\x1f\x8b\x08"
_ZSTD = b"\x28\xb5\x2f\xfd"
_VERSION = b"WARC/"
_SCAN = 2**20
# So many packed bytes unpack to more than the version line even behind a long gzip header.
_GLANCE = 4096


class DamagedError(Exception):
    """Bytes that are not what the WARC, gzip or HTTP standard says; the message is a reason for people."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of an archive that could not be read.

    Attributes
    ----------
    offset, skip : int
        Where the record begins, as in `Record`.
    reason : str
        What is wrong with it.
    headers : dict of str to str
        The WARC headers of the record, empty if they are what is damaged.
    """

    offset: int
    skip: int
    reason: str
    headers: dict[str, str]


class Record:
    """One record, while its bytes stream by.

    Attributes
    ----------
    offset : int
        Byte of the file at which the record begins; in a gzip file, at which its gzip member begins.
    skip : int
        Unpacked bytes of the member before the record: 0 unless a gzip member holds several records.
    head : bytes
        Version line and headers as they stand in the file, with the blank line.
    headers : dict of str to str
        By their names in lower case.
    length : int
        Bytes of the block (the content) that the header promises.
    """

    def __init__(self, offset: int, skip: int, head: bytes, headers: dict[str, str], stream: _Stream) -> None:
        self.offset = offset
        self.skip = skip
        self.head = head
        self.headers = headers
        self.length = int(headers["content-length"])
        self._left = self.length
        self._stream = stream

    def pieces(self) -> Iterator[bytes]:
        """Yield what is left of the block in pieces of at most 64 KiB.

        Raises
        ------
        DamagedError
            If the archive or the gzip member ends within the block, or the gzip data is damaged.
        """
        while self._left:
            piece = self._stream.read(min(self._left, _PIECE))
            if not piece:
                raise DamagedError(self._stream.ended)
            self._left -= len(piece)
            yield piece

    def finish(self) -> None:
        """Pass over what nobody read of the block, and check that the record ends where it should."""
        self._stream.pass_over(self._left)
        self._left = 0
        # Two line ends close a record; some programs write one or none, which will do where the next one begins.
        closed = self._stream.pass_over_newlines() >= len(b"\r\n\r\n")
        if not closed and not _VERSION.startswith(self._stream.peek(len(_VERSION))):
            raise DamagedError("its length is not what its header says")


def read_records(
    file: BinaryIO, use: Callable[[Record], Result], *, start: int = 0, end: int | None = None
) -> Iterator[Result | Damage]:
    """Read the records that begin in a range of a WARC file, and say what could not be read.

    Parameters
    ----------
    file : BinaryIO
        The WARC file, seekable.
    use : callable
        Called with each record while its bytes stream by. What it returns is yielded once the record is known to be
        whole: as long as its header says, and with the right checksum where it has a gzip member of its own.
    start : int
        Where the first record begins: 0 or an offset from `split_offsets`.
    end : int, optional
        Records that begin here or later are left out. Default: the end of the file.

    Yields
    ------
    Result or Damage
        In the order of the file. After damage, reading goes on at the next gzip member that begins with a record, or at
        the next line of an uncompressed file that does.
    """
    magic = _bytes_at(file, 0, len(_ZSTD))
    if magic == _ZSTD:
        yield Damage(0, 0, "is packed with zstd; unpack it, or pack it anew with gzip", {})
    elif not magic:
        yield Damage(0, 0, "is empty", {})
    else:
        read = _read_member if magic.startswith(_GZIP[:2]) else _read_plain
        offset: int | None = start
        while offset is not None and (end is None or offset < end):
            offset = yield from read(file, offset, use)


def split_offsets(file: BinaryIO, target_bytes: int) -> tuple[int, ...]:
    """Return the offsets, the first of them 0, that divide a WARC file into ranges for `read_records`.

    One pass, with the very code that reads: ranges from here together give what the whole file gives. An uncompressed
    file is passed over from header to header; a gzip file has to be unpacked, for nothing but its end tells where a
    member ends.

    Parameters
    ----------
    file : BinaryIO
        The WARC file, seekable.
    target_bytes : int
        A range ends with the first record, or gzip member, that makes it so long, at least 1.
    """
    offsets = [0]
    for found in read_records(file, lambda record: record):
        if isinstance(found, Record) and found.skip == 0 and found.offset - offsets[-1] >= target_bytes:
            offsets.append(found.offset)
    return tuple(offsets)


def read_record(file: BinaryIO, use: Callable[[Record], Result], *, offset: int, skip: int = 0) -> Result:
    """Read one record again; `use` is called with it, as in `read_records`.

    Raises
    ------
    DamagedError
        If no record begins there, or it is damaged.
    """

    def use_wanted(record: Record) -> tuple[Result, ...]:
        return (use(record),) if record.skip == skip else ()

    for found in read_records(file, use_wanted, start=offset, end=offset + 1):
        if isinstance(found, Damage):
            raise DamagedError(found.reason)
        if found:
            return found[0]
    raise DamagedError("no WARC record begins here")


def copy_record(file: BinaryIO, out: BinaryIO, *, offset: int, skip: int = 0) -> int:
    """Append one record to a gzip archive, and return how many bytes that took.

    A gzip member that holds this record alone is copied byte for byte. Any other record is packed into a member of its
    own, its header and block unchanged.

    Raises
    ------
    DamagedError
        If no record begins there, or it is damaged; then nothing is written.
    """
    end = _end_of_lone_record(file, offset, skip)
    if end is not None:
        file.seek(offset)
        return sum(out.write(file.read(min(_PIECE, end - at))) for at in range(offset, end, _PIECE))
    read_record(file, lambda record: record, offset=offset, skip=skip)
    # No time stamp in the header of the member: the same record gives the same bytes.
    packer = zlib.compressobj(wbits=31)

    def write(record: Record) -> int:
        written = out.write(packer.compress(record.head))
        written += sum(out.write(packer.compress(piece)) for piece in record.pieces())
        return written + out.write(packer.compress(b"\r\n\r\n") + packer.flush())

    return read_record(file, write, offset=offset, skip=skip)


def parse_headers(head: bytes) -> tuple[str, dict[str, str]]:
    """Return the first line and the headers of a WARC or HTTP head, names in lower case.

    Lines may end in CR LF or LF alone, and go on after a line break and white space. Lines without a colon are passed
    over, as browsers do. Of several headers of a name the last counts, but codings add up.
    """
    first, *lines = head.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n")
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"}:
            if name:
                headers[name] = f"{headers[name]} {line.strip()}".strip()
            continue
        before, colon, value = line.partition(":")
        name = before.strip().lower() if colon else ""
        if name in {"content-encoding", "transfer-encoding"} and name in headers:
            headers[name] += f", {value.strip()}"
        elif name:
            headers[name] = value.strip()
    return first.strip(), headers


class _Stream:
    """Unpacked bytes, read forwards through a small buffer."""

    ended = "the archive ends within it"

    def __init__(self) -> None:
        self._buffer = b""
        self.position = 0
        """Where the next byte stands among the unpacked ones."""

    def _pull(self) -> bytes:
        """Return more bytes, none only at the end."""
        raise NotImplementedError

    def peek(self, count: int) -> bytes:
        """Return the next `count` bytes, fewer at the end, and stay before them."""
        while len(self._buffer) < count and (more := self._pull()):
            self._buffer += more
        return self._buffer[:count]

    def read(self, most: int) -> bytes:
        """Return from 1 to `most` bytes, none at the end."""
        if not self._buffer:
            self._buffer = self._pull()
        piece, self._buffer = self._buffer[:most], self._buffer[most:]
        self.position += len(piece)
        return piece

    def pass_over(self, count: int) -> None:
        """Go on by `count` bytes."""
        while count:
            piece = self.read(count)
            if not piece:
                raise DamagedError(self.ended)
            count -= len(piece)

    def pass_over_newlines(self) -> int:
        """Go on to the next byte that is neither CR nor LF; return by how many bytes."""
        begin = self.position
        while self.peek(1):
            rest = self._buffer.lstrip(b"\r\n")
            self.position += len(self._buffer) - len(rest)
            self._buffer = rest
            if rest:
                break
        return self.position - begin

    def read_head(self) -> tuple[bytes, dict[str, str]]:
        """Read a record's version line and headers; return them as bytes and parsed."""
        while (found := end_of_head(self._buffer)) is None:
            more = self._pull()
            if not more:
                cut = self._buffer.startswith(_VERSION) or _VERSION.startswith(self._buffer)
                raise DamagedError(self.ended if cut else "no WARC record begins here")
            self._buffer += more
            if len(self._buffer) > _LONGEST_HEAD + _PIECE:
                break
        if found is None or found > _LONGEST_HEAD or not self._buffer.startswith(_VERSION):
            raise DamagedError("no WARC record begins here")
        head, self._buffer = self._buffer[:found], self._buffer[found:]
        self.position += found
        return head, _checked_headers(head)


class _Plain(_Stream):
    """The bytes of an uncompressed file."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        super().__init__()
        self._file = file
        self._next = offset
        self.position = offset

    def _pull(self) -> bytes:
        piece = _bytes_at(self._file, self._next, _PIECE)
        self._next += len(piece)
        return piece

    def pass_over(self, count: int) -> None:
        """Go on by `count` bytes; what lies beyond the buffer is not read."""
        beyond = count - len(self._buffer)
        if beyond <= 0:
            super().pass_over(count)
            return
        self._next = self.position = self.position + count
        self._buffer = b""
        if not _bytes_at(self._file, self._next - 1, 1):
            raise DamagedError(self.ended)


class _Member(_Stream):
    """The unpacked bytes of one gzip member; `end`, its end in the file, is known once all are read."""

    ended = "its gzip member ends within it: pack the archive anew with one record to a member"

    def __init__(self, file: BinaryIO, offset: int, *, piece: int = _PIECE) -> None:
        super().__init__()
        self._file = file
        self._next = offset
        self._piece = piece
        self._packed = b""
        self._unpacker = zlib.decompressobj(wbits=31)
        self.end: int | None = None

    def _pull(self) -> bytes:
        while not self._unpacker.eof:
            if not self._packed:
                self._packed = _bytes_at(self._file, self._next, self._piece)
                self._next += len(self._packed)
            ended = not self._packed
            try:
                piece = self._unpacker.decompress(self._packed, _PIECE)
            except zlib.error as error:
                raise DamagedError(f"its gzip data is damaged ({_reason(error)})") from error
            self._packed = self._unpacker.unconsumed_tail
            if self._unpacker.eof:
                self.end = self._next - len(self._unpacker.unused_data)
            elif ended and not piece:
                raise DamagedError(_Stream.ended)
            if piece:
                return piece
        return b""

    def find_end(self) -> int | None:
        """Return the end of the member, whatever it holds; None if its gzip data is damaged or cut."""
        try:
            while self.read(_PIECE):
                pass
        except DamagedError:
            return None
        return self.end


def _read_plain(
    file: BinaryIO, offset: int, use: Callable[[Record], Result]
) -> Generator[Result | Damage, None, int | None]:
    """Read the record of an uncompressed file at `offset`; return where to go on, None at the end."""
    stream = _Plain(file, offset)
    stream.pass_over_newlines()
    begin = stream.position
    if not stream.peek(1):
        return None
    headers: dict[str, str] = {}
    try:
        head, headers = stream.read_head()
        record = Record(begin, 0, head, headers, stream)
        result = use(record)
        record.finish()
    except DamagedError as error:
        yield Damage(begin, 0, str(error), headers)
        # From its first line on: if its length is what is wrong, the next records lie within it.
        return _find_record(file, begin + 1)
    yield result
    return stream.position


def _read_member(
    file: BinaryIO, offset: int, use: Callable[[Record], Result]
) -> Generator[Result | Damage, None, int | None]:
    """Read the records of the gzip member at `offset`; return where to go on, None at the end."""
    stream = _Member(file, offset)
    begin = 0
    headers: dict[str, str] = {}
    try:
        stream.pass_over_newlines()
        while stream.peek(1):
            begin, headers = stream.position, {}
            head, headers = stream.read_head()
            record = Record(offset, begin, head, headers, stream)
            result = use(record)
            record.finish()
            yield result
    except DamagedError as error:
        yield Damage(offset, begin, str(error), headers)
    end = stream.find_end()
    if end is None:
        return _find_member(file, offset + 1)
    return end if _bytes_at(file, end, 1) else None


def _end_of_lone_record(file: BinaryIO, offset: int, skip: int) -> int | None:
    """Return the end of a gzip member that holds one sound record, at `skip`; None if it does not, or is none."""
    if _bytes_at(file, 0, 2) != _GZIP[:2]:
        return None
    stream = _Member(file, offset)
    try:
        stream.pass_over_newlines()
        if stream.position != skip:
            return None
        head, headers = stream.read_head()
        Record(offset, skip, head, headers, stream).finish()
        return None if stream.peek(1) else stream.end
    except DamagedError:
        return None


def _find_member(file: BinaryIO, start: int) -> int | None:
    """Return the next offset at which a gzip member begins that begins with a record."""
    for offset in _occurrences(file, _GZIP, start):
        try:
            if _Member(file, offset, piece=_GLANCE).peek(len(_VERSION)) == _VERSION:
                return offset
        except DamagedError:
            continue
    return None


def _find_record(file: BinaryIO, start: int) -> int | None:
    """Return the next offset at which a line of an uncompressed file begins a record."""
    for offset in _occurrences(file, b"\n" + _VERSION, start):
        try:
            _Plain(file, offset + 1).read_head()
        except DamagedError:
            continue
        return offset + 1
    return None


def _occurrences(file: BinaryIO, wanted: bytes, start: int) -> Iterator[int]:
    """Yield the offsets of some bytes in a file, from `start` on."""
    while block := _bytes_at(file, start, _SCAN):
        found = block.find(wanted)
        while found != -1:
            yield start + found
            found = block.find(wanted, found + 1)
        if len(block) < len(wanted):
            return
        start += len(block) - len(wanted) + 1  # the bytes may lie across two blocks


def _bytes_at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


def end_of_head(data: bytes) -> int | None:
    """Return where the blank line behind WARC or HTTP headers ends, None if there is none."""
    found = _BLANK_LINE.search(data)
    return None if found is None else found.end()


def _checked_headers(head: bytes) -> dict[str, str]:
    """Return a record's headers, if they have what a record cannot be read without."""
    _, headers = parse_headers(head)
    length = headers.get("content-length", "")
    # 18 digits are more bytes than any disk has, and no more than an offset may have.
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        raise DamagedError("its header has no valid Content-Length")
    if not headers.get("warc-type"):
        raise DamagedError("its header has no WARC-Type")
    return headers


def _reason(error: zlib.error) -> str:
    """Return what zlib says is wrong: it writes "Error -3 while decompressing data: invalid block type"."""
    return str(error).rpartition(": ")[2]
