"""reading/__init__.py: formats, encodings and limits; every failure is a ReadError of one line."""

import codecs
import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mdclaims.errors import ExitCode, ReadError, UsageError
from mdclaims.reading import FORMATS, Limits, format_of, read_bytes, read_page
from mdclaims.reading.page import KINDS, REGIONS

FORMAT_NAMES = ("text", "markdown", "html")


def refusal(data, format="text", **limits):
    """Return the message with which `data` is refused: one line that begins with what is wrong."""
    with pytest.raises(ReadError) as caught:
        read_bytes(data, source="draft", format=format, limits=Limits(**limits))
    message = str(caught.value)
    assert message
    assert "\n" not in message
    assert caught.value.exit_code is ExitCode.UNREADABLE
    return message


# --- formats and files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "text"),
        ("a.md", "markdown"),
        ("a.markdown", "markdown"),
        ("a.html", "html"),
        ("a.HTM", "html"),
        ("a.b.txt", "text"),
        ("a.docx", "docx"),
        ("a.PDF", "pdf"),
        ("a.doc", None),
        ("a", None),
        (".txt", None),
    ],
)
def test_format_of(name, expected):
    assert format_of(Path(name)) == expected


def test_read_page(tmp_path):
    path = tmp_path / "a.html"
    path.write_bytes(b"<title>T</title><p>We care.</p>")
    page = read_page(path)
    assert (page.source, page.title, page.encoding, page.notes) == (str(path), "T", "utf-8", ())
    assert page.text == "T\n\nWe care."
    assert page.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("suffix", "kind"), [(".txt", "paragraph"), (".md", "link"), (".html", "paragraph")])
def test_the_suffix_chooses_the_reader(tmp_path, suffix, kind):
    path = tmp_path / f"a{suffix}"
    path.write_text("[Book](/b)")
    assert [block.kind for block in read_page(path).blocks] == [kind]


@pytest.mark.parametrize("name", ["a.doc", "a", "a.md\n", "a.t\nxt"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path, name):
    with pytest.raises(ReadError, match="unknown suffix") as caught:
        read_page(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert len(FORMATS) == 7
    assert all(suffix in str(caught.value) for suffix in FORMATS)


def test_a_missing_file(tmp_path):
    with pytest.raises(ReadError, match=r"^cannot be read \(No such file or directory\)"):
        read_page(tmp_path / "none.txt")


def test_a_directory(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(ReadError, match=r"^cannot be read"):
        read_page(tmp_path / "folder.txt")


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("text")

    # Not by its mode: tests may run as root, who reads everything.
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ReadError, match=r"^cannot be read \(Permission denied\)"):
        read_page(path)


def test_a_file_over_the_limit_is_not_even_opened(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 150)
    monkeypatch.delattr(Path, "open")
    with pytest.raises(ReadError, match="has 150 bytes, over the limit max_bytes = 100"):
        read_page(path, limits=Limits(max_bytes=100))


# --- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_max_bytes(format):
    assert read_bytes(b"x" * 100, source="", format=format, limits=Limits(max_bytes=100)).text == "x" * 100
    message = refusal(b"x" * 1234, format, max_bytes=1000)
    assert "1,234 bytes" in message
    assert "max_bytes = 1,000" in message


def test_a_stream_is_read_no_further_than_one_byte_over_the_limit():
    assert refusal(b"x" * 101, max_bytes=100).startswith("has over 100 bytes")


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_max_chars(format):
    data = ("é" * 60).encode()
    assert read_bytes(data, source="", format=format, limits=Limits(max_chars=60)).text == "é" * 60
    message = refusal(data, format, max_chars=50)
    assert "60 characters" in message
    assert "max_chars = 50" in message


def test_the_default_limits():
    assert Limits() == Limits(
        max_bytes=20_000_000,
        max_document_bytes=200_000_000,
        max_unpacked_bytes=100_000_000,
        max_chars=5_000_000,
        max_depth=2_000,
    )


@pytest.mark.parametrize("format", ["docx", "pdf"])
def test_documents_have_a_limit_of_their_own(format, tmp_path, monkeypatch):
    limits = Limits(max_bytes=10, max_document_bytes=20)
    with pytest.raises(ReadError, match="has over 20 bytes, over the limit max_document_bytes = 20"):
        read_bytes(b"x" * 21, source="", format=format, limits=limits)
    path = tmp_path / f"a.{format}"
    path.write_bytes(b"x" * 30)
    monkeypatch.delattr(Path, "open")
    with pytest.raises(ReadError, match="has 30 bytes, over the limit max_document_bytes = 20"):
        read_page(path, limits=limits)


@pytest.mark.parametrize(
    ("format", "package", "name"),
    [("docx", "docx.opc.constants", "reading Word files"), ("pdf", "pypdfium2", "reading PDFs")],
)
def test_a_missing_extra_is_told_in_one_line(format, package, name, monkeypatch):
    for module in {"docx": ("word_reader", "word_comments", "word_package"), "pdf": ("pdf_reader",)}[format]:
        monkeypatch.delitem(sys.modules, f"mdclaims.reading.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    extra = {"docx": "word", "pdf": "pdf"}[format]
    with pytest.raises(UsageError) as caught:
        read_bytes(b"x", source="", format=format)
    assert str(caught.value) == f'{name} needs an extra; install it with: pip install "mdclaims[{extra}]"'
    assert caught.value.exit_code is ExitCode.USAGE


# --- what is no text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMAT_NAMES)
@pytest.mark.parametrize("data", [b"", b" \n\t\r\n ", b"\n"])
def test_an_empty_file(data, format):
    assert refusal(data, format).startswith("is empty")


@pytest.mark.parametrize("format", FORMAT_NAMES)
@pytest.mark.parametrize(
    "data", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF8 + b" ", "\u00a0\u200b".encode()]
)
def test_nothing_visible(data, format):
    assert "no text that a reader would see" in refusal(data, format)


def archive():
    """Return a Word file's beginning: a zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("word/document.xml", "<w:t>text</w:t>")
    return stream.getvalue()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01"
BINARY = {
    "PNG": (PNG, "a PNG image"),
    "JPEG": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG image"),
    "GIF": (b"GIF89a\x01\x00\x01\x00", "a GIF image"),
    "PDF": (b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n", "a PDF"),
    "Word": (archive(), "a zip archive or Word file"),
    "gzip": (gzip.compress(b"text" * 100, mtime=0), "gzip data"),
    "an executable": (b"\x7fELF\x02\x01\x01" + bytes(100), "looks binary"),
    "every byte": (bytes(range(256)) * 4, "looks binary"),
    "control characters": (b"ab\x01\x02" * 30, "looks binary"),
}


@pytest.mark.parametrize("format", FORMAT_NAMES)
@pytest.mark.parametrize(("data", "what"), BINARY.values(), ids=BINARY.keys())
def test_binary(data, what, format):
    assert what in refusal(data, format)


# --- encodings ------------------------------------------------------------------------------------------------

ENGLISH = (
    "Our “laser” clinic has a café – it’s only £40 per session.\n\n"
    "We explain what treatment can do, and what it can’t do, before you book.\n\nNaïve? Ask us."
)
ENCODED = {
    "UTF-8": (ENGLISH.encode("utf-8"), "utf-8"),
    "UTF-8 with a mark": (ENGLISH.encode("utf-8-sig"), "utf-8"),
    "UTF-16 with a mark": (codecs.BOM_UTF16_LE + ENGLISH.encode("utf-16-le"), "utf-16"),
    "UTF-16 big-endian with a mark": (codecs.BOM_UTF16_BE + ENGLISH.encode("utf-16-be"), "utf-16"),
    "UTF-32 with a mark": (codecs.BOM_UTF32_LE + ENGLISH.encode("utf-32-le"), "utf-32"),
    "UTF-16": (ENGLISH.encode("utf-16-le"), "utf-16-le"),
    "UTF-16 big-endian": (ENGLISH.encode("utf-16-be"), "utf-16-be"),
    "cp1252": (ENGLISH.encode("cp1252"), "cp1252"),
}


@pytest.mark.parametrize("format", FORMAT_NAMES)
@pytest.mark.parametrize(("data", "encoding"), ENCODED.values(), ids=ENCODED.keys())
def test_encodings(data, encoding, format):
    page = read_bytes(data, source="", format=format)
    assert page.encoding == encoding
    assert " ".join(page.text.split()) == " ".join(ENGLISH.split())
    assert page.sha256 == hashlib.sha256(data).hexdigest()
    told = "UTF-8" not in encoding.upper() and not data.startswith((b"\xff\xfe", b"\xfe\xff"))
    assert len(page.notes) == (1 if told else 0)
    assert all(encoding in note for note in page.notes)


def test_utf_16_of_plain_ascii_without_a_mark():
    page = read_bytes("We care.\n\nA lot.".encode("utf-16-le"), source="", format="text")
    assert (page.text, page.encoding) == ("We care.\n\nA lot.", "utf-16-le")
    assert page.notes == ("declares no encoding; read as utf-16-le",)


@pytest.mark.parametrize(
    "markup",
    [
        "<p>A £40 consultation. We’re here – naïve or not. © 2024 Clinic® Botox™</p>",
        "<p>It’s only £40.</p>",
        "<meta charset=utf-8><p>" + ENGLISH,
        "<meta charset=utf-7><p>" + ENGLISH,
    ],
)
def test_english_in_cp1252(markup):
    shown = " ".join(markup.replace("</p>", "").partition("<p>")[2].split())
    page = read_bytes(markup.encode("cp1252"), source="", format="html")
    assert " ".join(page.text.split()) == shown


@pytest.mark.parametrize("declared", ["windows-1252", "ISO-8859-1", "latin1", "us-ascii", "cp1252"])
@pytest.mark.parametrize("way", ['<meta charset="{}">', "<META http-equiv=x content='text/html; charset={}'>"])
def test_a_declared_encoding(declared, way):
    data = (way.format(declared) + "<p>It’s £40.</p>").encode("cp1252")
    page = read_bytes(data, source="", format="html")
    assert (page.text, page.encoding, page.notes) == ("It’s £40.", "cp1252", ())


def test_a_declaration_of_another_script():
    data = "<meta charset=windows-1251><p>Мы лечим.</p>".encode("cp1251")
    page = read_bytes(data, source="", format="html")
    assert (page.text, page.encoding, page.notes) == ("Мы лечим.", "cp1251", ())


def test_a_declaration_counts_in_html_only():
    data = ("<meta charset=koi8-r> " + ENGLISH).encode("cp1252")
    assert read_bytes(data, source="", format="html").encoding == "koi8-r"
    assert read_bytes(data, source="", format="text").encoding != "koi8-r"


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("windows-1252", "cp1252"), ("ISO-8859-1", "cp1252"), ("koi8-r", "koi8-r"), ("klingon", "cp1251"), ("", "cp1251")],
)
def test_the_server_s_charset_counts_before_the_page_s_own(charset, encoding):
    data = "<meta charset=windows-1251><p>Мы лечим.</p>".encode("cp1251")
    page = read_bytes(data, source="", format="html", charset=charset)
    assert page.encoding == encoding
    assert (page.text == "Мы лечим.") == (encoding == "cp1251")


def test_the_server_s_charset_counts_for_text_and_less_than_a_byte_order_mark():
    assert read_bytes("Мы лечим.".encode("koi8-r"), source="", format="text", charset="koi8-r").text == "Мы лечим."
    data = codecs.BOM_UTF8 + "Мы лечим.".encode()
    assert read_bytes(data, source="", format="text", charset="koi8-r").text == "Мы лечим."


def test_valid_utf_8_is_read_as_such_whatever_it_declares():
    data = "<meta charset=windows-1252><p>It’s £40.</p>".encode()
    page = read_bytes(data, source="", format="html")
    assert (page.text, page.encoding) == ("It’s £40.", "utf-8")
    assert page.notes == ("declares cp1252, but is valid UTF-8 and was read as such",)


def test_an_ascii_page_needs_no_note():
    page = read_bytes(b"<meta charset=windows-1252><p>It is.</p>", source="", format="html")
    assert (page.encoding, page.notes) == ("utf-8", ())


def test_a_wrong_declaration_is_noted():
    data = ("<meta charset=utf-8><p>" + ENGLISH + "</p>").encode("cp1252")
    page = read_bytes(data, source="", format="html")
    assert page.encoding != "utf-8"
    assert page.notes == (f"declares utf-8, which it is not; read as {page.encoding}",)
    assert "We explain what treatment can do" in page.text


def test_an_unknown_declaration_is_no_declaration():
    page = read_bytes(("<meta charset=klingon><p>" + ENGLISH).encode("cp1252"), source="", format="html")
    assert page.encoding == "cp1252"
    assert page.notes == ("declares no encoding and is not UTF-8; read as cp1252",)


def test_one_stray_byte_in_a_page_of_declared_utf_8():
    data = b"<meta charset=utf-8><p>" + ENGLISH.encode() + b" One stray \x92 byte.</p>"
    page = read_bytes(data, source="", format="html")
    assert "café – it’s only £40" in page.text
    assert len(page.notes) == 1


def test_a_declaration_of_utf_16_in_a_page_of_single_bytes():
    # The declaration itself could not be read if it were true (HTML standard, 13.2.3.2).
    page = read_bytes(("<meta charset=utf-16><p>" + ENGLISH + "</p>").encode("cp1252"), source="", format="html")
    assert "it’s only £40" in page.text
    assert len(page.notes) == 1


@pytest.mark.parametrize("declared", ["hex", "base64", "zlib", "rot13", "undefined"])
def test_a_declaration_of_a_codec_that_is_no_encoding(declared):
    data = (f"<meta charset={declared}><p>" + ENGLISH + "</p>").encode("cp1252")
    page = read_bytes(data, source="", format="html")
    assert "We explain what treatment can do" in page.text
    assert len(page.notes) == 1


@pytest.mark.parametrize("declared", ["unicode_escape", "raw_unicode_escape"])
def test_a_declaration_of_a_codec_for_source_text(declared):
    page = read_bytes(f"<meta charset={declared}><p>5 \\u0041 café</p>".encode("cp1252"), source="", format="html")
    assert page.text == "5 \\u0041 café"


@pytest.mark.parametrize("declared", ["idna", "punycode"])
def test_a_declaration_of_an_encoding_of_addresses(declared):
    page = read_bytes((f"<meta charset={declared}><p>" + ENGLISH).encode("cp1252"), source="", format="html")
    assert "We explain what treatment can do" in page.text
    assert len(page.notes) == 1


def test_a_mark_that_lies():
    assert "not valid utf-8" in refusal(codecs.BOM_UTF8 + b"caf\xe9")
    assert "not valid utf-16" in refusal(codecs.BOM_UTF16_LE + b"abc")


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_line_ends_are_line_feeds(format):
    page = read_bytes(b"One is.\r\n\r\nTwo is.\r\rThree is.", source="", format=format)
    assert page.text == "One is.\n\nTwo is.\n\nThree is."
    assert page.source_span(18, 27) == (18, 27)


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_a_few_nul_bytes_become_replacement_characters(format):
    page = read_bytes(b"word " * 100 + b"a\x00b", source="", format=format)
    assert page.text.endswith("a\ufffdb")


# --- any bytes ------------------------------------------------------------------------------------------------


def assert_page_holds(page, source=None):
    """The promises of `Page`; `source` is the decoded document where segments point into it."""
    assert page.blocks
    covered = 0
    for n, block in enumerate(page.blocks):
        assert block.index == n
        text = page.text[block.start : block.end]
        assert text
        assert text == text.strip()
        assert not page.text[covered : block.start].strip()
        assert block.start >= covered
        covered = block.end
        assert block.kind in KINDS
        assert block.region in REGIONS
        assert (block.level is not None) == (block.kind == "heading")
        assert block.level in (None, 1, 2, 3, 4, 5, 6)
    assert covered == len(page.text)
    assert "\x00" not in page.text
    page.text.encode("utf-8")  # no lone surrogates
    end = 0
    for segment in page.segments:
        assert segment.start >= end
        end = segment.start + segment.length
        if source is not None:
            stretch = source[segment.source_start : segment.source_start + segment.length]
            assert page.text[segment.start : end] == stretch
    assert end <= len(page.text)


SNIPPETS = st.lists(
    st.sampled_from(
        (
            "We care. |# |## |- |1. |> |\n|\n\n|\r\n|    |[a](b) |![a](b)|**|`|```\n|---\n|\\*|&amp;|&#0;|&#xD800;|<p>|"
            "</p>|<a>|</a>|<div hidden>|</div>|<br>|<!--|-->|<title>|</title>|<table>|<td>|\u200b|\u200d|\u00a0|"
            "😀|\x00|é|<li>|<h2>|<select>|<option>|<textarea>|<svg>|</svg>|<button>|<noscript>|<img alt='x'>|"
            "<plaintext>|<frameset>|[b]: c\n"
        ).split("|")
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(st.one_of(st.binary(max_size=200), SNIPPETS.map(str.encode), SNIPPETS.map(lambda s: s.encode("utf-16"))))
@example(b"\xff\xfe\x00\x00")
@example(b"\xff\xfeabc")
@example(b"<")
@example(b"&#x110000; &#xDFFF;")
@example(b"|" * 50 + b"\n" + b"|-" * 50)
@example(b"[" * 200)
@example(b"> " * 200 + b"a")
@example(b"\x85\x1c\x1d\xe2\x80\xa8")
@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_any_bytes_give_a_page_or_a_read_error(format, data):
    page = message = None
    try:
        page = read_bytes(data, source="", format=format)
    except ReadError as error:
        message = str(error)
    if page is None:
        assert message
        assert "\n" not in message
    else:
        assert_page_holds(page)


@given(SNIPPETS)
@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_segments_point_to_equal_characters(format, text):
    # Long enough that a few NULs do not make it binary.
    document = "We ease pain. " * 100 + "\n\n" + text
    page = read_bytes(document.encode("utf-8"), source="", format=format)
    source = document.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
    assert_page_holds(page, source)
    if format == "html":
        assert page.segments == ()
    else:
        assert page.source_span(0, 2) == (0, 2)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1))
def test_any_text_is_read_as_text(text):
    page = read_bytes(("We ease pain.\n\n" + text).encode("utf-8"), source="", format="text")
    assert_page_holds(page)
    assert page.encoding == "utf-8"
