"""reading/archive.py: captures of web archives, with what evidence needs; nothing is lost without a word."""

import base64
import gzip
import hashlib
import io
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import brotli
import pytest
from archives import PACKED, PAGE, answer, page_record, per_record, record, wacz
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.errors import ReadError
from mdclaims.reading import Limits
from mdclaims.reading.archive import (
    OTHER_KINDS,
    PAGE_KINDS,
    ArchiveRange,
    Capture,
    Failure,
    NotFetched,
    Place,
    archive_ranges,
    copy_capture,
    is_archive,
    page_of,
    read_capture,
    read_captures,
)

HTML = PAGE.format(0).encode()
PAGES = [page_record(number) for number in range(6)]


@pytest.fixture
def read(tmp_path):
    """Read an archive of the given bytes."""

    def read_archive(data, name="a.warc.gz", **limits):
        path = tmp_path / name
        path.write_bytes(data)
        return everything(path, **limits)

    return read_archive


def everything(path, target_bytes=None, **limits):
    ranges = archive_ranges(path, target_bytes=target_bytes)
    return [found for part in ranges for found in read_captures(part, limits=Limits(**limits))]


def only(results):
    (result,) = results
    return result


def reason(results):
    failure = only(results)
    assert isinstance(failure, Failure)
    assert "\n" not in failure.reason
    return failure.reason


# --- captures -------------------------------------------------------------------------------------------------


def test_a_page(read, tmp_path):
    capture = only(read(record(answer(HTML), address="<https://clinic.example/knee>"), "a.warc"))
    assert capture == Capture(
        place=Place(tmp_path / "a.warc", None, 0, 0),
        record_type="response",
        address="https://clinic.example/knee",
        time=datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
        kind="html",
        status=200,
        content_type="text/html; charset=utf-8",
        body=HTML,
        sha256=hashlib.sha256(HTML).hexdigest(),
    )
    page = page_of(capture)
    assert page.title == "Knee care"
    assert page.source == "https://clinic.example/knee"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-03-01T09:30:00.123456789Z", datetime(2026, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)),
        ("2026-03-01T10:30:00+01:00", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01T09:30:00", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_times_are_in_utc(read, date, expected):
    assert only(read(record(answer(HTML), date=date))).time == expected


def chunked(body):
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize(
    ("headers", "body", "sent"),
    [
        (("Transfer-Encoding: chunked",), chunked(HTML), HTML),
        (("Transfer-Encoding: chunked",), HTML, HTML),
        (("Content-Encoding: gzip",), gzip.compress(HTML, mtime=0), gzip.compress(HTML, mtime=0)),
        (("Content-Encoding: br",), brotli.compress(HTML), brotli.compress(HTML)),
        (("Content-Encoding: gzip",), HTML, HTML),
        (
            ("Content-Encoding: br", "Transfer-Encoding: chunked"),
            chunked(brotli.compress(HTML)),
            brotli.compress(HTML),
        ),
    ],
)
def test_the_hash_is_of_the_body_without_chunks_but_with_its_coding(read, headers, body, sent):
    capture = only(read(record(answer(body, *headers))))
    assert capture.body == HTML
    assert capture.sha256 == hashlib.sha256(sent).hexdigest()


@pytest.mark.parametrize(
    ("digest", "agrees"),
    [
        ("sha1:" + base64.b32encode(hashlib.sha1(chunked(HTML)).digest()).decode(), True),
        ("sha1:" + base64.b32encode(hashlib.sha1(HTML).digest()).decode().lower(), True),
        ("sha256:" + hashlib.sha256(HTML).hexdigest(), True),
        ("SHA-256:" + base64.b32encode(hashlib.sha256(HTML).digest()).decode(), True),
        ("sha1:" + base64.b32encode(hashlib.sha1(b"other").digest()).decode(), False),
        ("sha1:short", False),
        ("sha1:!", None),
        ("crc32:abcd", None),
    ],
)
def test_the_digest_of_the_archiver(read, digest, agrees):
    block = answer(chunked(HTML), "Transfer-Encoding: chunked")
    capture = only(read(record(block, f"WARC-Payload-Digest: {digest}")))
    assert (capture.payload_digest, capture.digest_agrees) == (digest, agrees)


def test_a_resource_has_a_type_and_no_status(read):
    capture = only(read(record(HTML, "Content-Type: text/html", type="resource")))
    assert (capture.record_type, capture.kind, capture.status, capture.body) == ("resource", "html", None, HTML)


def test_a_redirect_has_its_target(read):
    moved = record(answer(b"Moved", "Location: ../new?a=b", status="301 Moved"), address="https://clinic.example/a/b")
    capture = only(read(moved))
    assert (capture.kind, capture.status, capture.redirect) == ("redirect", 301, "https://clinic.example/new?a=b")
    assert capture.body is None
    with pytest.raises(ReadError, match="is of kind 'redirect', which is not read"):
        page_of(capture)


def test_a_redirect_to_no_address_is_told_as_it_stands(read):
    assert only(read(record(answer(b"", "Location: http://[", status="302 Found")))).redirect == "http://["


@pytest.mark.parametrize("block", [b"", answer()])
def test_a_revisit_names_the_earlier_capture(read, block):
    headers = ("WARC-Refers-To-Target-URI: https://clinic.example/x", "WARC-Refers-To-Date: 2025-01-01T00:00:00Z")
    capture = only(read(record(block, *headers, type="revisit")))
    assert (capture.record_type, capture.kind, capture.body) == ("revisit", "revisit", None)
    assert capture.revisit_of == ("https://clinic.example/x", "2025-01-01T00:00:00Z")


def test_what_is_not_read_is_told_by_its_kind(read):
    records = [
        record(answer(b"\x89PNG", content_type="image/png")),
        record(answer(b"x", content_type="text/javascript")),
        record(answer(b"")),
        record(answer(b"\x00\x01", content_type=None)),
    ]
    found = read(per_record(records))
    assert [capture.kind for capture in found] == ["image", "script", "empty", "other"]
    assert {(capture.body, capture.sha256) for capture in found} == {(None, None)}
    assert not PAGE_KINDS & OTHER_KINDS


def test_requests_metadata_and_addresses_off_the_web_are_no_captures(read):
    records = [
        record(b"software: x", type="warcinfo", address=""),
        record(b"GET / HTTP/1.1\r\n\r\n", type="request"),
        record(b"{}", type="metadata"),
        record(b"It helps.", "Content-Type: text/plain", type="resource", address="urn:text:https://clinic.example/"),
        PAGES[1],
    ]
    assert only(read(per_record(records))).address == "https://clinic.example/1"


def test_the_charset_of_the_server_counts_before_the_page_s_own(read):
    body = "<meta charset=iso-8859-5><p>It costs £40, “all in”.</p>".encode("cp1252")
    page = page_of(only(read(record(answer(body, content_type="text/html; charset=windows-1252")))))
    assert page.text == "It costs £40, “all in”."


def test_a_cut_capture_is_told(read):
    capture = only(read(record(answer(HTML), "WARC-Truncated: length")))
    assert capture.notes == ("the archiver cut the capture short (length)",)


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_text_and_markdown(read, kind):
    content_type = {"text": "text/plain", "markdown": "text/markdown"}[kind]
    capture = only(read(record(answer(b"# It helps\n", content_type=content_type))))
    assert capture.kind == kind
    assert "It helps" in page_of(capture).text


# --- failures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (record(answer(HTML), date=""), "has no valid WARC-Date"),
        (record(answer(HTML), address=""), "has no WARC-Target-URI"),
        (record(answer(HTML), type="respond"), "has a WARC-Type that no standard knows ('respond')"),
        (record(answer(HTML), "WARC-Segment-Number: 1"), "is one segment of a record in several"),
        (record(b"<p>no header</p>"), "has no HTTP header"),
        (record(answer(b"5\r\nab", "Transfer-Encoding: chunked")), "its chunked body ends early"),
        (record(answer(gzip.compress(HTML)[:-9], "Content-Encoding: gzip")), "its packed body ends early"),
        (record(answer(HTML, "Content-Encoding: secret")), "its Content-Encoding 'secret' is none that is known"),
    ],
)
@pytest.mark.parametrize("packing", list(PACKED))
def test_a_capture_that_cannot_be_read_is_told_and_the_next_is_read(read, tmp_path, packing, broken, expected):
    found = read(PACKED[packing]([PAGES[0], broken, PAGES[1]]))
    assert [type(item) for item in found] == [Capture, Failure, Capture]
    assert found[1].reason.startswith(expected)
    assert found[1].address in {"https://clinic.example/", None}
    assert found[0].place < found[1].place < found[2].place
    with pytest.raises(ReadError) as caught:
        read_capture(found[1].place)
    assert str(caught.value) == found[1].reason


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<p>" + bytes(50_000), ()),
        (gzip.compress(b"<p>" + bytes(50_000_000)), ("Content-Encoding: gzip",)),
        (brotli.compress(b"<p>" + bytes(50_000_000), quality=5), ("Content-Encoding: br",)),
        (gzip.compress(gzip.compress(b"<p>" + bytes(50_000_000))), ("Content-Encoding: gzip, gzip",)),
    ],
)
@pytest.mark.parametrize("packing", list(PACKED))
def test_bombs_and_long_pages_are_over_the_limit(read, packing, body, headers):
    found = read(PACKED[packing]([PAGES[0], record(answer(body, *headers)), PAGES[1]]), max_bytes=10_000)
    assert [type(item) for item in found] == [Capture, Failure, Capture]
    assert found[1].reason.startswith("has over 10,000 bytes, over the limit max_bytes = 10,000")


def test_documents_have_a_limit_of_their_own(read):
    document = record(answer(b"%PDF-1.7" + bytes(500), content_type="application/pdf"))
    assert "over the limit max_document_bytes = 400" in reason(read(document, max_document_bytes=400))
    assert only(read(document, max_bytes=400)).kind == "pdf"


def test_bombs_take_no_memory(tmp_path):
    path = tmp_path / "a.warc.gz"
    bombs = [record(answer(gzip.compress(b"<p>" + bytes(400_000_000), 1), "Content-Encoding: gzip")),
             record(answer(b"<p>" + bytes(400_000_000)))]  # fmt: skip
    path.write_bytes(b"".join(gzip.compress(item, 1) for item in [*bombs, PAGES[0]]))
    script = (
        "import resource, sys; from pathlib import Path; from mdclaims.reading.archive import *;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "before = peak(); found = list(read_captures(ArchiveRange(Path(sys.argv[1]), None)));"
        "unit = 1 if sys.platform == 'darwin' else 1024;"
        "print([type(item).__name__ for item in found], (peak() - before) * unit < 100_000_000)"
    )
    pytest.importorskip("resource")
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "['Failure', 'Failure', 'Capture'] True"


@given(data=st.data())
def test_cut_anywhere_nothing_before_is_lost(data, tmp_path_factory):
    packed = per_record(PAGES)
    cut = data.draw(st.integers(0, len(packed) - 1))
    path = tmp_path_factory.mktemp("cut") / "a.warc.gz"
    path.write_bytes(packed[:cut])
    found = everything(path)
    ends = [len(per_record(PAGES[: count + 1])) for count in range(len(PAGES))]
    complete = sum(end <= cut for end in ends)
    assert [item.address for item in found[:complete]] == [f"https://clinic.example/{n}" for n in range(complete)]
    assert [type(item) for item in found[complete:]] == ([] if cut in ends else [Failure])


SAMPLES = [
    record(answer(chunked(brotli.compress(HTML)), "Transfer-Encoding: chunked", "Content-Encoding: br")),
    record(answer(gzip.compress(HTML, mtime=0), "Content-Encoding: gzip"), "WARC-Payload-Digest: sha1:ABC"),
    record(answer(b"", "Location: /a", status="302 Found")),
    record(b"", type="revisit"),
    PAGES[0],
]


@given(
    packing=st.sampled_from(list(PACKED)),
    changes=st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=20)), max_size=6),
    inside=st.booleans(),
)
def test_any_bytes_give_captures_and_failures(packing, changes, inside, tmp_path_factory):
    data = bytearray(b"".join(SAMPLES) if inside else PACKED[packing](SAMPLES))
    for position, new in changes:
        begin = position % (len(data) + 1)
        data[begin : begin + len(new)] = new
    path = tmp_path_factory.mktemp("any") / "a.warc.gz"
    path.write_bytes(PACKED[packing]([bytes(data)]) if inside else data)
    found = everything(path)
    assert found
    assert {type(item) for item in found} <= {Capture, Failure}
    assert everything(path, target_bytes=100) == found
    for item in found:
        if isinstance(item, Capture):
            assert read_capture(item.place) == item


@given(data=st.binary(max_size=300))
def test_what_is_no_archive_is_one_failure(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("none") / "a.warc"
    path.write_bytes(b"%" + data.replace(b"WARC", b""))
    assert [type(item) for item in everything(path)] == [Failure]


def test_a_damaged_record_is_told_with_its_address(read, tmp_path):
    data = b"".join(PAGES[:2]) + PAGES[2][:-30]
    failure = read(data, "a.warc")[-1]
    place = Place(tmp_path / "a.warc", None, len(b"".join(PAGES[:2])))
    assert failure == Failure(place, "https://clinic.example/2", "the archive ends within it")


def test_a_missing_archive(tmp_path):
    path = tmp_path / "none.warc.gz"
    with pytest.raises(ReadError, match=r"^cannot be read \(No such file or directory\)"):
        archive_ranges(path)
    assert "No such file or directory" in reason(read_captures(ArchiveRange(path, None)))
    with pytest.raises(ReadError, match=r"^cannot be read \(No such file"):
        read_capture(Place(path, None, 0))


# --- places and ranges ----------------------------------------------------------------------------------------


def packed_wacz(path, method):
    members = {"archive/b.warc.gz": per_record(PAGES[:3]), "archive/a.warc": b"".join(PAGES[3:]), "pages/x.warc": b"x"}
    return wacz(path, members, method=method)


@pytest.fixture(params=["warc", "per_record", "one_member", "stored wacz", "deflated wacz"])
def archive(request, tmp_path):
    if request.param.endswith("wacz"):
        method = zipfile.ZIP_STORED if request.param.startswith("stored") else zipfile.ZIP_DEFLATED
        return packed_wacz(tmp_path / "a.wacz", method)
    path = tmp_path / ("a.warc" if request.param == "warc" else "a.warc.gz")
    path.write_bytes(PACKED[request.param](PAGES))
    return path


def test_every_kind_of_archive_is_read(archive):
    found = everything(archive)
    assert sorted(item.address for item in found) == [f"https://clinic.example/{number}" for number in range(6)]


def test_ranges_together_give_the_whole(archive, request):
    # One for each record, but one for what can be entered at its beginning alone.
    expected = {"one_member": 1, "deflated wacz": 2}.get(request.node.callspec.params["archive"], 6)
    assert len(archive_ranges(archive, target_bytes=1)) == expected
    assert everything(archive, target_bytes=1) == everything(archive)


def test_captures_are_read_again_at_their_places(archive):
    found = everything(archive)
    assert len(found) == 6
    assert [read_capture(capture.place) for capture in found] == found


def test_copied_captures_are_the_same(archive, tmp_path):
    copy = tmp_path / "evidence.warc.gz"
    found = everything(archive)
    with copy.open("wb") as out:
        written = sum(copy_capture(capture.place, out) for capture in found)
    assert written == copy.stat().st_size
    again = everything(copy)
    assert [(item.address, item.sha256, item.body) for item in again] == [
        (item.address, item.sha256, item.body) for item in found
    ]


def test_a_record_that_is_no_capture_is_not_read_again(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(record(b"x", type="metadata"))
    with pytest.raises(ReadError, match="the record at offset 0 is no capture"):
        read_capture(Place(path, None, 0))


def test_a_place_without_a_record(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(PAGES[0])
    with pytest.raises(ReadError, match="no WARC record begins here"):
        read_capture(Place(path, None, 3))
    with pytest.raises(ReadError, match="no WARC record begins here"):
        copy_capture(Place(path, None, 3), io.BytesIO())


@pytest.mark.parametrize(
    ("name", "expected"), [("a.warc", True), ("A.WARC.GZ", True), ("a.wacz", True), ("a.gz", False), ("warc", False)]
)
def test_names_of_archives(tmp_path, name, expected):
    assert is_archive(tmp_path / name) is expected


# --- WACZ -----------------------------------------------------------------------------------------------------


def test_the_place_in_a_wacz_is_that_in_its_warc_file(tmp_path):
    path = packed_wacz(tmp_path / "a.wacz", zipfile.ZIP_STORED)
    first, *_ = everything(path)
    assert first.place == Place(path, "archive/a.warc", 0)
    with zipfile.ZipFile(path) as package:
        last = everything(path)[-1]
        data = package.read(last.place.member)[last.place.offset :]
    assert gzip.decompress(data) == PAGES[2]


def test_a_wacz_without_archives(tmp_path):
    with pytest.raises(ReadError, match="holds no WARC file in a folder archive/"):
        archive_ranges(wacz(tmp_path / "a.wacz", {"pages/pages.jsonl": b""}))


def test_a_package_of_several_wacz_says_what_to_do(tmp_path):
    inner = wacz(tmp_path / "inner.wacz", {"archive/a.warc": PAGES[0]}).read_bytes()
    path = wacz(tmp_path / "a.wacz", {"one.wacz": inner, "two.wacz": inner})
    with pytest.raises(ReadError, match=r"is a package of 2 WACZ files; unpack it"):
        archive_ranges(path)


def test_a_wacz_that_is_no_zip(tmp_path):
    path = tmp_path / "a.wacz"
    path.write_bytes(b"no zip")
    with pytest.raises(ReadError, match=r"^cannot be read \(File is not a zip file\)"):
        archive_ranges(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_wacz_is_told(tmp_path, method):
    path = wacz(tmp_path / "a.wacz", {"archive/a.warc.gz": per_record(PAGES)}, method=method)
    data = bytearray(path.read_bytes())
    middle = data.index(b"archive/a.warc.gz") + len(per_record(PAGES)) // 2
    data[middle : middle + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    found = everything(path)
    assert [item for item in found if isinstance(item, Failure)]
    if method == zipfile.ZIP_STORED:
        assert len(found) >= 6


def test_a_wacz_behind_a_password(tmp_path):
    path = wacz(tmp_path / "a.wacz", {"archive/a.warc": PAGES[0]})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ReadError, match=r"archive/a\.warc is protected by a password"):
        archive_ranges(path)


def test_a_wacz_that_changed_between_two_readings(tmp_path):
    path = wacz(tmp_path / "a.wacz", {"archive/b.warc": PAGES[0]})
    assert "holds no archive/a.warc" in reason(read_captures(ArchiveRange(path, "archive/a.warc")))


# --- the extra ------------------------------------------------------------------------------------------------


def test_without_the_extra_one_line_says_how_to_install_it(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(PAGES[0])
    script = (
        "import sys; sys.modules['brotli'] = None\n"
        "from pathlib import Path\nfrom mdclaims.errors import UsageError\n"
        "from mdclaims.reading.archive import ArchiveRange, read_captures\n"
        "try:\n    list(read_captures(ArchiveRange(Path(sys.argv[1]), None)))\n"
        "except UsageError as error:\n    print(error)"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    expected = 'reading web archives needs an extra; install it with: pip install "mdclaims[screen]"'
    assert result.stdout.strip() == expected


def test_what_capture_left_alone_is_told(tmp_path):
    told = b'{"not_fetched": {"reason": "robots", "detail": "Disallow: /"}}'
    head = "WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Date: 2026-03-01T09:30:00Z\r\n{}Content-Type: application/json\r\n"
    about = "WARC-Target-URI: https://clinic.example/private\r\n"
    path = tmp_path / "a.warc"
    path.write_bytes(
        b"".join(
            head.format(target).encode() + b"Content-Length: %d\r\n\r\n" % len(block) + block + b"\r\n\r\n"
            for target, block in ((about, told), ("", told), (about, b'{"other": 1}'), (about, b"[1]"), (about, b"{"))
        )
    )
    found = only(everything(path))
    assert isinstance(found, NotFetched)
    assert (found.address, found.reason, found.detail) == ("https://clinic.example/private", "robots", "Disallow: /")


def test_a_watch_is_told_of_each_capture_and_can_leave_it_out(tmp_path):
    path = tmp_path / "a.warc.gz"
    path.write_bytes(per_record(PAGES))
    told = []

    def watch(place, address):
        told.append((place.offset, address))
        return len(told) != 2

    found = list(read_captures(ArchiveRange(path, None), watch=watch))
    assert [capture.address for capture in found] == [f"https://clinic.example/{n}" for n in (0, 2, 3, 4, 5)]
    assert [address for _, address in told] == [f"https://clinic.example/{n}" for n in range(6)]
    assert [offset for offset, _ in told] == sorted({offset for offset, _ in told})
