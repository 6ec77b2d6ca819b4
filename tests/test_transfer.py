"""reading/transfer.py: chunks and content codings, in small pieces, however large the body is."""

import gzip
import sys
import zlib
from itertools import islice

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading.transfer import (
    BodyError,
    is_chunked,
    split_codings,
    undo_chunks,
    undo_coding,
    undo_codings,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = b"<p>The treatment is gentle. You may have some bruising.</p>" * 40
PACK = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}
CODINGS = pytest.mark.parametrize("coding", list(PACK))
# What a packed body of 64 KiB may swell to in one step; brotli fills blocks of its own size.
LARGEST_PIECE = 2**21


def pieces(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


def chunked(data, size, extension=b"", trailer=b""):
    chunks = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces(data, size))
    return chunks + b"0\r\n" + trailer + b"\r\n"


@given(
    data=st.binary(max_size=400),
    size=st.integers(1, 60),
    step=st.integers(1, 50),
    extension=st.sampled_from([b"", b";a=b", b' ; quoted="x"']),
    trailer=st.sampled_from([b"", b"X: y\r\n"]),
)
def test_chunks_are_undone_however_they_are_cut(data, size, step, extension, trailer):
    assert b"".join(undo_chunks(pieces(chunked(data, size, extension, trailer), step))) == data


@given(cut=st.integers(0, len(chunked(TEXT, 500)) - 6))
def test_chunks_that_end_early_are_told(cut):
    with pytest.raises(BodyError, match="its chunked body ends early"):
        list(undo_chunks([chunked(TEXT, 500)[:cut]]))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"xyz\r\nabc\r\n0\r\n\r\n", "the length of a chunk is no number"),
        (b"-3\r\nabc\r\n0\r\n\r\n", "the length of a chunk is no number"),
        (b"2\r\nabc\r\n0\r\n\r\n", "a chunk is longer than it says"),
        (b"1" * 9000, "ends early"),
    ],
)
def test_damaged_chunks(data, reason):
    with pytest.raises(BodyError, match=reason):
        list(undo_chunks(pieces(data, 5000)))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"1f4\r\n<p>", True),
        (b"A;x=y\n", True),
        (b"<html>\r\n", False),
        (b"add", False),
        (b"\r\n", False),
        (b"", False),
    ],
)
def test_a_body_in_chunks_is_told_by_its_beginning(start, expected):
    assert is_chunked(start) is expected


@CODINGS
@given(data=st.binary(max_size=300).map(lambda data: b"<p>" + data), step=st.integers(1, 100))
def test_codings_are_undone_however_they_are_cut(coding, data, step):
    assert b"".join(undo_coding(pieces(PACK[coding](data), step), coding)) == data


@CODINGS
def test_a_long_body(coding):
    data = b"".join(b"<p>Paragraph %d.</p>" % number for number in range(20_000))
    assert b"".join(undo_coding(pieces(PACK[coding](data), 2**16), coding)) == data


@CODINGS
def test_a_bomb_is_unpacked_no_further_than_asked(coding):
    bomb = PACK[coding](bytes(200_000_000))
    assert len(bomb) < 300_000
    first = list(islice(undo_coding(pieces(bomb, 2**16), coding), 5))
    assert len(first) == 5
    assert max(map(len, first)) <= LARGEST_PIECE


@CODINGS
@given(data=st.data())
def test_a_packed_body_that_ends_early_is_told(coding, data):
    packed = PACK[coding](TEXT)
    cut = data.draw(st.integers(4, len(packed) - 1))
    with pytest.raises(BodyError, match="its packed body ends early"):
        list(undo_coding([packed[:cut]], coding))


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_damaged_body_is_told(coding):
    packed = bytearray(PACK[coding](bytes(range(256)) * 20 + TEXT))
    packed[len(packed) // 2 : len(packed) // 2 + 8] = b"\xff" * 8
    with pytest.raises(BodyError, match=r"its packed body (is damaged|ends early)"):
        list(undo_coding([bytes(packed)], coding))


@CODINGS
def test_a_body_that_was_unpacked_already_is_left_as_it_is(coding):
    assert b"".join(undo_coding(pieces(TEXT, 100), coding)) == TEXT


def test_deflate_without_its_header():
    packer = zlib.compressobj(wbits=-15)
    assert b"".join(undo_coding([packer.compress(TEXT) + packer.flush()], "deflate")) == TEXT


def test_several_members_padding_and_frames():
    assert b"".join(undo_coding([gzip.compress(b"ab") + gzip.compress(b"cd") + bytes(9)], "gzip")) == b"abcd"
    assert b"".join(undo_coding([zstd.compress(b"ab") + zstd.compress(b"cd")], "zstd")) == b"abcd"


def test_a_window_that_http_does_not_allow():
    options = {zstd.CompressionParameter.window_log: 25, zstd.CompressionParameter.compression_level: 1}
    packer = zstd.ZstdCompressor(options=options)
    with pytest.raises(BodyError, match="its packed body is damaged"):
        list(undo_coding([packer.compress(bytes(100)) + packer.flush()], "zstd"))


def test_no_body_has_no_coding():
    assert list(undo_coding([], "gzip")) == []


def test_codings_one_within_the_other():
    packed = gzip.compress(brotli.compress(TEXT))
    assert b"".join(undo_codings([packed], ("br", "gzip"))) == TEXT


def test_too_many_codings():
    with pytest.raises(BodyError, match="it has 50 content codings"):
        list(undo_codings([b"x"], ("gzip",) * 50))


def test_an_unknown_coding():
    with pytest.raises(BodyError, match=r"its Content-Encoding 'aes128gcm' is none that is known"):
        list(undo_coding([b"xxxx"], "aes128gcm"))


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", ()), ("gzip", ("gzip",)), ("X-GZip", ("gzip",)), ("br, Identity ,gzip", ("br", "gzip"))],
)
def test_names_of_codings(header, expected):
    assert split_codings(header) == expected
