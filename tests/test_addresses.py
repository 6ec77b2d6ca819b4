"""What to capture: lists, sitemaps, tables, and the site and pattern of an address."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cases.addresses import (
    checked_address,
    is_other_file,
    parse_sitemap,
    pattern_of,
    read_addresses,
    site_of,
)
from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits

SITEMAP = """<?xml version="1.0"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.example/image">
  <url><loc> https://a.example/one </loc><image:image><image:loc>https://a.example/x</image:loc></image:image></url>
  <url><loc>https://a.example/two</loc></url>
</urlset>"""
INDEX = "<sitemapindex><sitemap><loc>https://a.example/pages.xml</loc></sitemap></sitemapindex>"


def read(*inputs, limits=None):
    addresses, problems = read_addresses([str(entry) for entry in inputs], limits or Limits())
    return [address.url for address in addresses], problems


def test_addresses_of_every_kind_of_input_come_once_each_in_order(tmp_path):
    (tmp_path / "list.txt").write_text(
        "\ufeff# ours\nhttps://a.example/one\n\n  https://b.example/ \n", encoding="utf-8"
    )
    (tmp_path / "map.xml").write_text(SITEMAP)
    (tmp_path / "map.xml.gz").write_bytes(gzip.compress(SITEMAP.replace("two", "three").encode()))
    (tmp_path / "clinics.csv").write_text('Name,URL\n"Knee, Hip",https://c.example/\nNone,\n')
    (tmp_path / "excel.csv").write_text("name;url\nKnee;https://d.example/\n")
    names = ("list.txt", "map.xml", "map.xml.gz", "clinics.csv", "excel.csv")
    urls, problems = read("https://z.example/", *(tmp_path / name for name in names), "https://z.example/")
    assert not problems
    assert urls == [
        "https://z.example/", "https://a.example/one", "https://b.example/", "https://a.example/two",
        "https://a.example/three", "https://c.example/", "https://d.example/",
    ]  # fmt: skip


def test_addresses_say_where_they_were_given_and_which_are_sitemaps(tmp_path):
    (tmp_path / "list.txt").write_text("\nhttps://a.example/map.xml.gz\n")
    (tmp_path / "index.xml").write_text(INDEX)
    addresses, _ = read_addresses(
        ["https://b.example/sitemap.xml", str(tmp_path / "list.txt"), str(tmp_path / "index.xml")], Limits()
    )
    assert [entry.given for entry in addresses] == [
        "command line", f"{tmp_path / 'list.txt'}, line 2", str(tmp_path / "index.xml"),
    ]  # fmt: skip
    assert all(entry.is_sitemap for entry in addresses)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("list.txt", b"clinic.example\nftp://a.example/", "begin it with https://"),
        ("list.txt", b"https://ann:secret@a.example/", "holds a user name"),
        ("list.txt", b"https://[::1/", "is no address"),
        ("list.txt", b"https://a.example:port/", "is no address"),
        ("list.txt", b"https://a.example/" + b"x" * 2_000, "more than 2,000 characters"),
        ("list.txt", b"https://a.example/\xff", "not UTF-8"),
        ("table.csv", b"name,address\nA,https://a.example/", "no column url"),
        ("table.csv", b"", "no column url"),
        ("map.xml", b"<html></html>", "is no sitemap"),
        ("map.xml", b"<urlset><url>", "not valid XML"),
        ("map.xml", b"", "not valid XML"),
        ("map.xml.gz", b"\x1f\x8b\x08 broken", "damaged gzip"),
        ("map.xml.gz", gzip.compress(b"<urlset>" + b" " * 10_000), "max_unpacked_bytes"),
        ("list.txt", b"#" * 3_000, "max_bytes"),
    ],
)
def test_addresses_that_cannot_be_read_give_a_line_each(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    urls, problems = read(tmp_path / name, limits=Limits(max_bytes=2_500, max_unpacked_bytes=5_000))
    assert not urls
    assert problems
    assert all(said in problem and name in problem and "\n" not in problem for problem in problems)


def test_addresses_of_a_missing_file_and_what_to_do():
    assert read("gone.txt") == (
        [],
        [
            "gone.txt cannot be read (No such file or directory); pass a file of addresses, or an address beginning "
            "with https://"
        ],
    )


def test_sitemap_resolves_no_entities():
    bomb = b'<!DOCTYPE u [<!ENTITY a "https://a.example/"><!ENTITY b SYSTEM "file:///etc/passwd">]><urlset><url><loc>'
    for entity in (b"&a;", b"&b;"):
        assert parse_sitemap(bomb + entity + b"</loc></url></urlset>", Limits()) == (False, [])


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.clinic.co.uk/a", "clinic.co.uk"),
        ("http://CLINIC.co.uk:8080", "clinic.co.uk"),
        ("https://knee.github.io/", "knee.github.io"),
        ("https://github.io/", "github.io"),
        ("https://www.clinic.example/", "clinic.example"),
        ("https://www.clinic.com./", "clinic.com"),
        ("http://localhost/", "localhost:80"),
        ("http://127.0.0.1:8000/a", "127.0.0.1:8000"),
        ("https://[::1]/", "::1:443"),
    ],
)
def test_site_of(url, site):
    assert site_of(url) == site


def test_pattern_of_forgets_numbers_and_values_alone():
    assert pattern_of("https://a.example/c/2027/03?day=12&view=week") == "a.example/c/0/0?day&view"
    assert pattern_of("https://a.example/c/1/1?view=&day") == "a.example/c/0/0?day&view"
    assert pattern_of("https://a.example/knee") != pattern_of("https://a.example/hip")
    assert pattern_of("https://a.example/c") != pattern_of("https://a.example/c?d=1")


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://a.example/leaflet.PDF?v=2", True),
        ("https://a.example/photo.jpeg", True),
        ("https://a.example/knee", False),
        ("https://a.example/index.php", False),
        ("https://a.example/pdf", False),
        ("https://a.example/v1.2/", False),
    ],
)
def test_is_other_file(url, other):
    assert is_other_file(url) is other


@given(st.one_of(st.text(), st.text().map("http://{}".format)))
def test_any_text_is_an_address_or_an_error(text):
    try:
        url = checked_address(text)
    except ReadError:
        return
    assert site_of(url)
    assert pattern_of(url)


@given(st.binary())
def test_any_bytes_are_a_sitemap_or_an_error(data):
    try:
        _, urls = parse_sitemap(data, Limits())
    except ReadError:
        return
    assert all(urls)
