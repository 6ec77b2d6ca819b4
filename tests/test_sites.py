"""Whose an address is, and lists that say more."""

import openpyxl
import pytest

from mdclaims.cases.sites import ListedSite, Sites, is_list, read_list, site_of
from mdclaims.errors import ReadError
from mdclaims.reading import Limits


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://www.clinic.co.uk/knee", "clinic.co.uk"),
        ("https://clinic.wixsite.com/knee", "clinic.wixsite.com"),
        ("https://medium.com/@clinic/knee-123", "medium.com/@clinic"),
        ("https://sites.google.com/view/clinic/knee", "sites.google.com/view/clinic"),
        ("https://linktr.ee/", "linktr.ee"),
        ("http://127.0.0.1:8000/x", "127.0.0.1:8000"),
        ("http://[broken/", "http://[broken/"),
    ],
)
def test_site_of(address, site):
    assert site_of(address) == site


def test_sites_take_the_names_of_lists():
    sites = Sites.of(
        [
            ListedSite("https://www.a.example/", "Clinic A", {}, "x"),
            ListedSite("https://b.example/", "b.example", {}, "x"),
        ]
    )
    assert sites.site_of("https://a.example/knee") == "Clinic A"
    assert sites.site_of("https://b.example/knee") == "b.example"


ROWS = [("url", "Case", "site"), ("https://a.example/x", "C-1", ""), ("", "C-2", ""), ("https://b.example/", "", "bee")]
LISTED = [("https://a.example/x", "a.example", {"Case": "C-1"}), ("https://b.example/", "bee", {})]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_read_list_of_a_csv_file(tmp_path, mark):
    path = tmp_path / "clinics.csv"
    path.write_text("\n".join(mark.join(row) for row in ROWS), encoding="utf-8-sig")
    found = read_list(path, Limits())
    assert [(row.url, row.site, row.about) for row in found] == LISTED
    assert found[0].given == "clinics.csv, line 2"


def test_read_list_of_a_spreadsheet(tmp_path):
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.save(tmp_path / "clinics.xlsx")
    assert [(row.url, row.site, row.about) for row in read_list(tmp_path / "clinics.xlsx", Limits())] == LISTED


def test_read_list_of_lines_and_sitemaps(tmp_path):
    (tmp_path / "a.txt").write_text("# ours\nhttps://a.example/\n\nhttps://b.example/x\n")
    (tmp_path / "a.xml").write_text(
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://a.example/1</loc></url></urlset>'
    )
    assert [row.url for row in read_list(tmp_path / "a.txt", Limits())] == ["https://a.example/", "https://b.example/x"]
    assert [row.url for row in read_list(tmp_path / "a.xml", Limits())] == ["https://a.example/1"]
    (tmp_path / "b.xml").write_text(
        "<sitemapindex><sitemap><loc>https://a.example/pages</loc></sitemap></sitemapindex>"
    )
    assert [(row.url, row.site, row.is_sitemap) for row in read_list(tmp_path / "b.xml", Limits())] == [
        ("https://a.example/pages", "a.example", True)
    ]


@pytest.mark.parametrize(
    ("name", "data", "wrong"),
    [
        ("a.csv", b"address\nhttps://a.example/\n", "no column url"),
        ("a.csv", b"url\nclinic\n", "line 2: 'clinic' is no address"),
        ("a.csv", b"url\n\xff\n", "not UTF-8"),
        ("a.xlsx", b"url", "no Excel file"),
    ],
)
def test_read_list_says_what_is_wrong(tmp_path, name, data, wrong):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ReadError, match=wrong):
        read_list(tmp_path / name, Limits())


def test_is_list_tells_addresses_from_a_page(tmp_path):
    lists = {
        "a.csv": "x",
        "b.txt": "# c\nhttps://a.example/\n",
        "c.txt": "We treat knees.\nhttps://a.example/\n",
        "d.md": "x",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    assert [is_list(tmp_path / name) for name in lists] == [True, True, False, False]
