"""Unpacks zip archives without trusting what they say about themselves."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from mdclaims.errors import ReadError
from mdclaims.reading.limits import over_limit

_PIECE = 2**20
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, NotImplementedError)


def unpack(data: bytes, *, suffixes: tuple[str, ...], max_unpacked_bytes: int) -> dict[str, bytes]:
    """Return the files of a zip archive by their names in it.

    Parameters
    ----------
    data : bytes
        The archive.
    suffixes : tuple of str
        Files whose names end otherwise are not unpacked, and stand with no bytes in the result.
    max_unpacked_bytes : int
        The most that all files together may hold, unpacked or not.

    Raises
    ------
    ReadError
        If it is no zip archive, damaged, protected by a password, or over the limit.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            total = sum(member.file_size for member in members)
            if total > max_unpacked_bytes:
                raise over_limit("max_unpacked_bytes", total, max_unpacked_bytes, "bytes unpacked")
            return {
                member.filename: _read(archive, member) if member.filename.lower().endswith(suffixes) else b""
                for member in members
            }
    except _DAMAGED as error:
        raise ReadError(f"is damaged or no zip archive ({error}); save the file again") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return one file, never inflating more than a piece beyond the size that it declares.

    zipfile gives no more bytes than declared, but ``read()`` without a size first inflates all there are, and
    so do the compression methods that ECMA-376 does not allow.
    """
    if member.flag_bits & 0x1:
        raise ReadError("is protected by a password; save a copy without it")
    if member.compress_type not in _METHODS:
        raise ReadError(f"is packed with method {member.compress_type}, which Word does not read; save the file again")
    with archive.open(member) as stream:
        pieces = iter(lambda: stream.read(_PIECE), b"")
        return b"".join(pieces)
