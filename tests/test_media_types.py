"""reading/media_types.py: what a body is, by its type and its beginning."""

import pytest

from mdclaims.reading.media_types import charset_of, essence, is_worth_sniffing, kind_of

HTML = b"<!DOCTYPE html><p>It helps.</p>"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("content_type", "start", "kind"),
    [
        ("text/html", HTML, "html"),
        ("Text/HTML; charset=utf-8", b"no markup", "html"),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html>", "html"),
        ("text/plain", b"It helps.", "text"),
        ("text/markdown", b"# Care", "markdown"),
        ("application/pdf", b"%PDF-1.7", "pdf"),
        (DOCX, b"PK\x03\x04...", "docx"),
        ("image/png", HTML, "image"),
        ("video/mp4", b"", "video"),
        ("audio/mpeg", b"", "audio"),
        ("font/woff2", b"", "font"),
        ("text/css", b"", "style"),
        ("text/javascript", HTML, "script"),
        ("application/ld+json", b"{}", "data"),
        ("image/svg+xml", b"<svg>", "image"),
        ("application/rss+xml", b"<rss>", "data"),
        ("application/zip", b"PK\x03\x04", "other"),
        ("application/msword", b"\xd0\xcf\x11\xe0", "other"),
    ],
)
def test_a_type_is_believed(content_type, start, kind):
    assert kind_of(content_type, "https://clinic.example/", start) == kind


@pytest.mark.parametrize("content_type", [None, "", "application/octet-stream", "unknown/unknown", "*/*"])
@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (HTML, "html"),
        (b"\xef\xbb\xbf \n<!-- a comment -->\n<html lang=en>", "html"),
        (b"<h1>Care</h1>", "html"),
        (b"<abbr>", "text"),
        (b"It helps.", "text"),
        ("\ufeffIt helps.".encode("utf-16"), "text"),
        (b"%PDF-1.4\n", "pdf"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\xff\xd8\xff\xe0", "image"),
        (b"GIF89a", "image"),
        (b"wOF2", "font"),
        (b"PK\x03\x04\x14\x00", "other"),
        (b"\x00\x01\x02", "other"),
    ],
)
def test_without_a_type_the_beginning_tells(content_type, start, kind):
    assert kind_of(content_type, "https://clinic.example/", start) == kind


@pytest.mark.parametrize(
    ("content_type", "start", "kind"),
    [
        ("text/html", b"%PDF-1.4", "pdf"),
        ("text/html", b"\xff\xd8\xff", "image"),
        ("text/html", b"PK\x03\x04", "other"),
        ("application/pdf", HTML, "html"),
        ("text/plain", HTML, "html"),
        ("text/html", b"<p>About the mark %PDF-</p>", "html"),
    ],
)
def test_a_wrong_type_is_put_right(content_type, start, kind):
    assert kind_of(content_type, "https://clinic.example/", start) == kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [("https://clinic.example/Price.DOCX?v=1", "docx"), ("https://clinic.example/a?b=.docx", "other")],
)
def test_a_word_file_without_a_type_is_known_by_its_name(address, kind):
    assert kind_of("application/octet-stream", address, b"PK\x03\x04") == kind


@pytest.mark.parametrize(
    ("content_type", "expected"), [(None, True), ("text/html", True), ("application/pdf", True), ("image/png", False)]
)
def test_what_is_worth_sniffing(content_type, expected):
    assert is_worth_sniffing(content_type) is expected


def test_the_parts_of_a_content_type():
    assert essence(" Text/HTML ; Charset=x") == "text/html"
    assert essence(None) == ""
    assert charset_of('text/html; a=b; Charset="windows-1252"') == "windows-1252"
    assert charset_of("text/html; charset=utf-8;x") == "utf-8"
    assert charset_of("text/html") is None
    assert charset_of(None) is None
