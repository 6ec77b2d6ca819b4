"""Undoes what HTTP did to a body on its way: chunks, and content codings (gzip, deflate, br, zstd).

Everything streams in pieces of at most 64 KiB or so, so that no bomb is ever unpacked further than somebody asks.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import brotli

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_PIECE = 2**16
# Room for a chunk's length and extensions; longer lines are no such thing.
_CHUNK_LINE = 4096
# The most that a decoder of "zstd" in HTTP has to remember (RFC 9659): 8 MiB.
_ZSTD_WINDOW_LOG = 23
_MAX_CODINGS = 4
_HEX = frozenset(b"0123456789abcdefABCDEF")


class BodyError(Exception):
    """A body that is not what its HTTP headers say; the message is a reason for people."""


def is_chunked(start: bytes) -> bool:
    """True if a body begins with the length of a chunk.

    Some archivers undo the chunks and leave the header that announces them.
    """
    line, found, _ = start[:_CHUNK_LINE].partition(b"\n")
    return bool(found) and _chunk_length(line) is not None


def _chunk_length(line: bytes) -> int | None:
    digits = line.split(b";")[0].strip()
    return int(digits, 16) if 0 < len(digits) <= 16 and set(digits) <= _HEX else None


def undo_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body without the chunked transfer coding (RFC 9112, 7.1); extensions and trailers are dropped.

    Raises
    ------
    BodyError
        If it ends before its last chunk, or a chunk's length is none.
    """
    source = iter(pieces)
    buffer = b""
    while True:
        line, buffer = _read_line(source, buffer)
        left = _chunk_length(line)
        if left is None:
            raise BodyError("its chunked body is damaged: the length of a chunk is no number")
        if left == 0:
            return
        while left:
            buffer = buffer or next(source, b"")
            if not buffer:
                raise BodyError("its chunked body ends early")
            piece, buffer = buffer[:left], buffer[left:]
            left -= len(piece)
            yield piece
        line, buffer = _read_line(source, buffer)
        if line.strip():
            raise BodyError("its chunked body is damaged: a chunk is longer than it says")


def _read_line(source: Iterator[bytes], buffer: bytes) -> tuple[bytes, bytes]:
    """Return the next line and what follows it."""
    while b"\n" not in buffer:
        more = next(source, b"")
        if not more or len(buffer) > _CHUNK_LINE:
            raise BodyError("its chunked body ends early")
        buffer += more
    line, _, rest = buffer.partition(b"\n")
    return line, rest


def split_codings(header: str) -> tuple[str, ...]:
    """Return the codings of a Content-Encoding or Transfer-Encoding header, in the order they were applied."""
    names = (name.strip().lower() for name in header.split(","))
    return tuple(name.removeprefix("x-") for name in names if name not in {"", "identity"})


def undo_coding(pieces: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """Yield a body without one content coding, in small pieces.

    A body that does not begin as its coding must is yielded as it is: archivers that keep what the browser decoded
    often leave the header in place.

    Raises
    ------
    BodyError
        If the coding is unknown, or the data is damaged or ends early.
    """
    source = iter(pieces)
    first = next(source, b"")
    while first and len(first) < 4 and (more := next(source, b"")):
        first += more
    if not first:
        return
    pieces = chain([first], source)
    if coding not in _DECODERS:
        raise BodyError(f"its Content-Encoding {coding[:40]!r} is none that is known")
    is_coded, make = _DECODERS[coding]
    yield from make(pieces, first) if is_coded(first) else pieces


def undo_codings(pieces: Iterable[bytes], codings: tuple[str, ...]) -> Iterator[bytes]:
    """Yield a body without any of its content codings.

    Raises
    ------
    BodyError
        As `undo_coding`, or if there are more codings than any server applies.
    """
    if len(codings) > _MAX_CODINGS:
        raise BodyError(f"it has {len(codings)} content codings, one within the other")
    for coding in reversed(codings):
        pieces = undo_coding(pieces, coding)
    yield from pieces


def _inflate(pieces: Iterable[bytes], first: bytes) -> Iterator[bytes]:
    """Undo gzip, of one or several members, and deflate, with the zlib header or (wrongly, but often) without."""
    wbits = zlib.MAX_WBITS | 32 if _is_gzip(first) or _is_zlib(first) else -zlib.MAX_WBITS
    unpacker = zlib.decompressobj(wbits)
    for piece in pieces:
        data = piece
        while data:
            if unpacker.eof:
                if not _is_gzip(data):
                    return  # padding behind the data, which browsers pass over too
                unpacker = zlib.decompressobj(wbits)
            try:
                unpacked = unpacker.decompress(data, _PIECE)
            except zlib.error as error:
                raise BodyError(f"its packed body is damaged ({str(error).rpartition(': ')[2]})") from error
            if unpacked:
                yield unpacked
            data = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    yield from _rest_of_inflated(unpacker)


def _rest_of_inflated(unpacker: zlib._Decompress) -> Iterator[bytes]:
    while not unpacker.eof and (unpacked := unpacker.decompress(b"", _PIECE)):
        yield unpacked
    if not unpacker.eof:
        raise BodyError("its packed body ends early")


def _unbrotli(pieces: Iterable[bytes], _first: bytes) -> Iterator[bytes]:
    """Undo brotli."""
    unpacker = brotli.Decompressor()
    try:
        for piece in pieces:
            data = piece
            # Output beyond the limit waits in the decoder, even where `can_accept_more_data` is true.
            while unpacked := unpacker.process(data, output_buffer_limit=_PIECE):
                yield unpacked
                if unpacker.is_finished():
                    return
                data = b""
            if unpacker.is_finished():
                return
    except brotli.error as error:
        raise BodyError("its packed body is damaged (brotli)") from error
    raise BodyError("its packed body ends early")


def _unzstd(pieces: Iterable[bytes], _first: bytes) -> Iterator[bytes]:
    """Undo Zstandard, of one or several frames."""
    options: dict[int, int] = {DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    unpacker = ZstdDecompressor(options=options)
    try:
        for piece in pieces:
            data = piece
            while data or not (unpacker.eof or unpacker.needs_input):
                if unpacker.eof:
                    unpacker = ZstdDecompressor(options=options)
                yield unpacker.decompress(data, _PIECE)
                data = unpacker.unused_data if unpacker.eof else b""
    except ZstdError as error:
        raise BodyError(f"its packed body is damaged ({error})") from error
    if not unpacker.eof:
        raise BodyError("its packed body ends early")


def _is_gzip(start: bytes) -> bool:
    return start[:2] == b"\x1f\x8b"


def _is_zlib(start: bytes) -> bool:
    """True for the two bytes of a zlib header (RFC 1950)."""
    return len(start) > 1 and start[0] & 15 == 8 and (start[0] * 256 + start[1]) % 31 == 0


def _is_zstd(start: bytes) -> bool:
    """True for a frame, or one that is to be skipped (RFC 8878)."""
    return start[:4] == b"\x28\xb5\x2f\xfd" or start[1:4] == b"\x2a\x4d\x18"


def _is_no_markup(start: bytes) -> bool:
    """True unless it begins as markup does: raw deflate and brotli have no mark, and no such beginning."""
    return not start.startswith(b"<")


_DECODERS: dict[str, tuple[Callable[[bytes], bool], Callable[[Iterable[bytes], bytes], Iterator[bytes]]]] = {
    "gzip": (_is_gzip, _inflate),
    "deflate": (_is_no_markup, _inflate),
    "br": (_is_no_markup, _unbrotli),
    "zstd": (_is_zstd, _unzstd),
}
"""The codings of the HTTP registry that servers use: whether a body begins as one, and what undoes it."""
