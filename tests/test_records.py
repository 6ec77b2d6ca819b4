"""reading/records.py: every record once, whatever is damaged; nothing is lost without a word."""

import io
import zlib
from itertools import pairwise

import pytest
from archives import PACKED, one_member, page_record, per_record, record
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading.records import (
    Damage,
    DamagedError,
    copy_record,
    end_of_head,
    parse_headers,
    read_record,
    read_records,
    split_offsets,
)

RECORDS = [page_record(number) for number in range(5)]
PACKINGS = pytest.mark.parametrize("packing", list(PACKED))


def whole(found):
    """Read a record: place, and all its bytes but the closing line ends."""
    return found.offset, found.skip, found.head + b"".join(found.pieces())


def read(data, **options):
    return list(read_records(io.BytesIO(data), whole, **options))


def contents(results):
    return [result[2] for result in results if not isinstance(result, Damage)]


def damages(results):
    return [result for result in results if isinstance(result, Damage)]


def bare(records):
    return [item.removesuffix(b"\r\n\r\n") for item in records]


def ends(records, pack):
    """Return where each record ends in the packed file; for one member only the end of all is known."""
    return [len(pack(records[: count + 1])) for count in range(len(records))]


@PACKINGS
def test_records_are_read_in_order_with_their_places(packing):
    data = PACKED[packing](RECORDS)
    results = read(data)
    assert contents(results) == bare(RECORDS)
    lengths = [len(b"".join(RECORDS[:count])) for count in range(5)]
    if packing == "warc":
        assert [result[:2] for result in results] == [(length, 0) for length in lengths]
    elif packing == "one_member":
        assert [result[:2] for result in results] == [(0, length) for length in lengths]
    else:
        assert [result[:2] for result in results] == [(len(per_record(RECORDS[:count])), 0) for count in range(5)]


@PACKINGS
def test_records_that_nobody_reads_are_passed_over(packing):
    found = list(read_records(io.BytesIO(PACKED[packing](RECORDS)), lambda item: item.headers["warc-target-uri"]))
    assert found == [f"https://clinic.example/{number}" for number in range(5)]


def test_records_agree_with_fastwarc_on_an_archive_that_fastwarc_wrote():
    out = io.BytesIO()
    for number in range(20):
        item = WarcRecord()
        item.init_headers(WarcRecordType.resource, content_length=100 * number)
        item.headers["WARC-Target-URI"] = f"https://clinic.example/{number}"
        item.set_bytes_content(bytes([number]) * 100 * number)
        writer = GzipWriter(out)
        item.write(writer)
        writer.finish()
    theirs = [
        (item.stream_pos, item.headers["WARC-Record-ID"], item.reader.read())
        for item in ArchiveIterator(io.BytesIO(out.getvalue()), parse_http=False)
    ]
    ours = list(read_records(out, lambda item: (item.offset, item.headers["warc-record-id"], b"".join(item.pieces()))))
    assert len(ours) == 20
    assert ours == theirs


@PACKINGS
@given(data=st.data())
def test_cut_anywhere_nothing_before_the_cut_is_lost_and_one_damage_is_told(packing, data):
    pack = PACKED[packing]
    packed = pack(RECORDS)
    cut = data.draw(st.integers(0, len(packed) - 1))
    results = read(packed[:cut])
    if packing == "one_member":  # whatever the cut member unpacks to
        available = zlib.decompressobj(wbits=31).decompress(packed[:cut])
        complete = sum(len(b"".join(bare(RECORDS[: count + 1]))) + 4 * count <= len(available) for count in range(5))
        # The last of them waits for its end, which is cut.
        assert complete - 1 <= len(contents(results)) <= complete
    else:
        complete = sum(end <= cut for end in ends(RECORDS, pack))
        assert complete <= len(contents(results)) <= complete + 1
    assert contents(results) == bare(RECORDS)[: len(contents(results))]
    at_an_end = packing != "one_member" and any(
        end - (4 if packing == "warc" else 0) <= cut <= end for end in ends(RECORDS, pack)
    )
    assert len(damages(results)) == (0 if at_an_end else 1)
    if damages(results):
        assert results[-1].reason in {"the archive ends within it", "is empty", "no WARC record begins here"}


@pytest.mark.parametrize("packing", ["warc", "per_record"])
@given(data=st.data())
def test_a_damaged_byte_costs_no_other_record(packing, data):
    pack = PACKED[packing]
    packed = bytearray(pack(RECORDS))
    begin, end = ends(RECORDS, pack)[1:3]
    packed[data.draw(st.integers(begin, end - 1))] ^= data.draw(st.integers(1, 255))
    found = contents(read(bytes(packed)))
    others = bare(RECORDS[:2] + RECORDS[3:])
    assert [item for item in found if item in others] == others


@given(position=st.integers(10, len(per_record(RECORDS[:1])) - 1), change=st.integers(1, 255))
def test_a_damaged_gzip_member_is_always_told(position, change):
    packed = bytearray(per_record(RECORDS))
    packed[position] ^= change
    results = read(bytes(packed))
    (damage,) = damages(results)
    assert (damage.offset, damage.skip) == (0, 0)
    assert contents(results) == bare(RECORDS[1:])


def test_a_damage_names_the_headers_of_its_record():
    (damage,) = read(RECORDS[3][:-40])
    assert damage.headers["warc-target-uri"] == "https://clinic.example/3"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"Content-Length: 99999", "the archive ends within it"),
        (b"Content-Length: 7", "its length is not what its header says"),
        (b"Content-Length: -7", "its header has no valid Content-Length"),
        (b"Content-Length: " + b"9" * 5000, "its header has no valid Content-Length"),
        (b"Content-Longth: 7", "its header has no valid Content-Length"),
    ],
)
@pytest.mark.parametrize("packing", ["warc", "per_record"])
def test_a_wrong_length_costs_one_record(packing, wrong, reason):
    head, _, rest = RECORDS[1].partition(b"Content-Length: ")
    broken = head + wrong + rest[rest.index(b"\r\n") :]
    results = read(PACKED[packing]([RECORDS[0], broken, RECORDS[2]]))
    assert contents(results) == bare([RECORDS[0], RECORDS[2]])
    if packing == "per_record" and reason.startswith("the archive"):
        reason = "its gzip member ends within it: pack the archive anew with one record to a member"
    assert [damage.reason for damage in damages(results)] == [reason]


def test_a_record_without_a_type():
    (damage,) = read(RECORDS[0].replace(b"WARC-Type", b"WARC-Tipe"))
    assert damage.reason == "its header has no WARC-Type"


def test_a_head_without_end_is_no_record():
    (damage,) = read(b"WARC/1.1\r\n" + b"X-Long: y\r\n" * 20_000)
    assert damage.reason == "no WARC record begins here"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\x28\xb5\x2f\xfd....", "is packed with zstd; unpack it, or pack it anew with gzip"),
        (b"<html>no archive</html>\n", "no WARC record begins here"),
        (b"\x1f\x8b\x08", "the archive ends within it"),
    ],
)
def test_what_is_no_archive_is_told_once(data, reason):
    (damage,) = read(data)
    assert damage == Damage(0, 0, reason, {})


def test_bytes_between_members_are_told_and_passed_over():
    data = per_record(RECORDS[:2]) + bytes(3000) + per_record(RECORDS[2:])
    results = read(data)
    assert contents(results) == bare(RECORDS)
    assert [damage.offset for damage in damages(results)] == [len(per_record(RECORDS[:2]))]


def test_empty_members_and_odd_line_ends_are_no_damage():
    data = per_record([b"", RECORDS[0].removesuffix(b"\r\n\r\n"), b"\r\n" + RECORDS[1] + b"\n", b""])
    results = read(data)
    assert not damages(results)
    assert contents(results) == bare(RECORDS[:2])


def test_a_gzip_header_inside_a_damaged_member_is_not_taken_for_a_record():
    hidden = record(b"x" * 200 + b"\x1f\x8b\x08 no member", type="resource")
    data = bytearray(per_record([hidden, RECORDS[0]]))
    data[20] ^= 255
    results = read(bytes(data))
    assert len(damages(results)) == 1
    assert contents(results) == bare(RECORDS[:1])


@PACKINGS
@given(count=st.integers(1, 12), target=st.integers(1, 3000), harm=st.none() | st.integers(0, 10_000))
def test_ranges_together_give_what_the_whole_file_gives(packing, count, target, harm):
    data = bytearray(PACKED[packing]([page_record(number) for number in range(count)]))
    if harm is not None:
        data[harm % len(data)] ^= 0x55
    offsets = split_offsets(io.BytesIO(data), target)
    assert offsets[0] == 0
    assert all(after - before >= target for before, after in pairwise(offsets))
    if packing == "one_member":
        assert offsets == (0,)
    parts = [
        result
        for start, end in zip(offsets, (*offsets[1:], None), strict=True)
        for result in read(bytes(data), start=start, end=end)
    ]
    assert parts == read(bytes(data))


def test_a_small_target_splits_at_every_record():
    assert len(split_offsets(io.BytesIO(per_record(RECORDS)), 1)) == 5
    assert len(split_offsets(io.BytesIO(b"".join(RECORDS)), 1)) == 5


@PACKINGS
def test_a_record_is_read_again_at_its_place(packing):
    data = PACKED[packing](RECORDS)
    results = read(data)
    assert len(results) == 5
    for offset, skip, content in results:
        assert read_record(io.BytesIO(data), whole, offset=offset, skip=skip) == (offset, skip, content)


@pytest.mark.parametrize(
    ("packing", "offset", "skip"), [("warc", 7, 0), ("per_record", 7, 0), ("per_record", 0, 9), ("warc", 9999, 0)]
)
def test_no_record_where_none_begins(packing, offset, skip):
    with pytest.raises(DamagedError, match=r"no WARC record begins here|gzip data is damaged"):
        read_record(io.BytesIO(PACKED[packing](RECORDS)), whole, offset=offset, skip=skip)


@PACKINGS
def test_copied_records_are_the_same_records(packing):
    data = PACKED[packing](RECORDS)
    out = io.BytesIO()
    for offset, skip, _ in read(data):
        before = out.tell()
        assert copy_record(io.BytesIO(data), out, offset=offset, skip=skip) == out.tell() - before
    results = read(out.getvalue())
    assert contents(results) == bare(RECORDS)
    assert [result[1] for result in results] == [0] * 5
    if packing == "per_record":
        assert out.getvalue() == data


def test_a_damaged_record_is_not_copied():
    data = bytearray(per_record(RECORDS))
    data[40] ^= 255
    out = io.BytesIO()
    with pytest.raises(DamagedError):
        copy_record(io.BytesIO(data), out, offset=0)
    assert out.getvalue() == b""


def test_members_beyond_the_first_record_are_not_copied_with_it():
    data = one_member(RECORDS)
    out = io.BytesIO()
    copy_record(io.BytesIO(data), out, offset=0, skip=0)
    assert contents(read(out.getvalue())) == bare(RECORDS[:1])


def test_headers():
    head = b"HTTP/1.1 200 OK\r\nContent-Type: a\nX: 1\r\n  2\r\nno colon\r\n folded\r\nCONTENT-TYPE : b\r\n"
    assert parse_headers(head) == ("HTTP/1.1 200 OK", {"content-type": "b", "x": "1 2"})
    assert parse_headers(b"H\nContent-Encoding: br\nContent-Encoding: gzip")[1] == {"content-encoding": "br, gzip"}
    assert parse_headers(b"H\nX: caf\xe9")[1] == {"x": "caf\ufffd"}


@pytest.mark.parametrize(("data", "end"), [(b"A\r\n\r\nx", 5), (b"A\n\nx", 3), (b"A\r\n", None), (b"", None)])
def test_the_end_of_a_head(data, end):
    assert end_of_head(data) == end
