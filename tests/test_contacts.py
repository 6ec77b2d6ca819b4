"""Whose site it is: what is read of a page, and the card that a case gives of a site."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cases.contacts import FIELDS, SOURCES, contact_rows, site_cards
from mdclaims.cases.store import CONTACTS, PAGES, TABLES, VIEWS, VIEWS_TEXT, connect, table_bytes, write_file
from mdclaims.reading import read_page
from mdclaims.reading.contact_marks import data_marks, link_mark


def rows_of(tmp_path, markup, address=None, name="page.html"):
    path = tmp_path / name
    path.write_text(markup, encoding="utf-8")
    return list(contact_rows("0-0", read_page(path), address))


def read(tmp_path, field, markup, address="https://clinic.example/"):
    """Return the values of a field that are read of a page."""
    return [row["value"] for row in rows_of(tmp_path, markup, address) if row["field"] == field]


def footer(text):
    return f"<p>We treat knees.</p><footer><p>{text}</p></footer>"


REGISTRATIONS = {
    "company": ("Registered in England and Wales No. 1234567", "Companies House", "01234567"),
    "company, in words": ("Example Health Ltd. Company Registration Number: 08123456", "Companies House", "08123456"),
    "company, Scotland": ("Registered in Scotland, company number SC123456", "Companies House", "SC123456"),
    "company, Ireland": ("Registered in Ireland No. 123456", "Companies Registration Office (Ireland)", "123456"),
    "charity": ("Registered charity no. 1098765", "charity register", "1098765"),
    "charity, Scotland": ("A charity registered in Scotland, number SC012345", "charity register", "SC012345"),
    "VAT": ("VAT No. GB 123 4567 82", "VAT", "GB123456782"),
    "CQC": ("Care Quality Commission provider ID 1-1234567890", "Care Quality Commission", "1-1234567890"),
    "GMC": ("Dr A Reader, GMC number 7654321", "General Medical Council", "7654321"),
    "GDC": ("GDC No: 123456", "General Dental Council", "123456"),
    "NMC": ("NMC PIN 12A3456B", "Nursing and Midwifery Council", "12A3456B"),
    "HCPC": ("HCPC registration PH123456", "Health and Care Professions Council", "PH123456"),
    "GPhC": ("GPhC registration number 2045678", "General Pharmaceutical Council", "2045678"),
    "GOsC": ("GOsC registration no. 12345", "General Osteopathic Council", "12345"),
    "NPI": ("NPI: 1234567893", "National Provider Identifier", "1234567893"),
    "Ahpra": ("Ahpra MED0001234567", "Ahpra", "MED0001234567"),
    "ABN": ("ABN 51 824 753 556", "Australian Business Number", "51824753556"),
    "ACN": ("A.C.N. 004 085 616", "Australian Company Number", "004085616"),
}


@pytest.mark.parametrize(("text", "register", "number"), REGISTRATIONS.values(), ids=REGISTRATIONS.keys())
def test_registration_is_read_with_its_register(tmp_path, text, register, number):
    found = [row for row in rows_of(tmp_path, footer(text)) if row["field"] == "registration"]
    assert [(row["register"], row["value"]) for row in found] == [(register, number)]
    assert found[0]["shown"] in " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "NPI: 1234567890",  # wrong last digit
        "ABN 51 824 753 557",
        "ACN 004 085 617",
        "VAT No. GB 123 4567 81",
        "We are GOsC registered since 2012",
        "Our company treated 12345 people",
        "gmc",
        "Company policy 1",
    ],
)
def test_what_fails_its_check_is_no_registration(tmp_path, text):
    assert read(tmp_path, "registration", footer(text)) == []


TELEPHONES = {
    "by the address": ("https://knee.co.uk/", "Call 01632 960 001 now", []),
    "London": ("https://knee.co.uk/", "Tel: 020 7946 0000", ["+44 20 7946 0000"]),
    "Sydney": ("https://knee.com.au/", "Phone (02) 9876 5432", ["+61 2 9876 5432"]),
    "North America": ("https://knee.example/", "Phone 212-736-5000", ["+1 212-736-5000"]),
    "by the postal address": ("https://k.example/", "1 High St, London W1G 9QD. 020 7946 0000", ["+44 20 7946 0000"]),
    "fax": ("https://knee.co.uk/", "Fax: 020 7946 0000", []),
    "a price": ("https://knee.co.uk/", "£0207 946 0000", []),
    "a span of years": ("https://knee.co.uk/", "2014 - 2019 2020", []),
    "no trunk zero": ("https://knee.co.uk/", "case 2079460000", []),
}  # fmt: skip


@pytest.mark.parametrize(("address", "text", "expected"), TELEPHONES.values(), ids=TELEPHONES.keys())
def test_telephone(tmp_path, address, text, expected):
    assert read(tmp_path, "telephone", footer(text), address) == expected


ADDRESSES = {
    "one line": ("Visit us: 12 Mill Lane, Harrowby, HX1 9ZZ", ["12 Mill Lane, Harrowby, HX1 9ZZ"]),
    "lines": ("The Old Forge<br>Mill Lane<br>Harrowby HX1 9ZZ", ["The Old Forge, Mill Lane, Harrowby HX1 9ZZ"]),
    "in a sentence": ("Our rooms are at 5-7 Park Row, Leeds LS1 5HD", ["5-7 Park Row, Leeds LS1 5HD"]),
    "US": ("200 Main St, Suite 4, Springfield, IL 62701", ["200 Main St, Suite 4, Springfield, IL 62701"]),
    "US, no comma": ("200 Main St Springfield, IL 62701", ["200 Main St Springfield, IL 62701"]),
    "AU": ("Level 2, 10 King Street, Newtown NSW 2042", ["Level 2, 10 King Street, Newtown NSW 2042"]),
    "a year before": ("2013 Example Spa, 12 Mill Lane, Harrowby, HX1 9ZZ", ["12 Mill Lane, Harrowby, HX1 9ZZ"]),
    "a postcode alone": ("We also visit people in HX1 9ZZ", []),
    "a year of New South Wales": ("NSW 2019", []),
}


@pytest.mark.parametrize(("text", "expected"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_address(tmp_path, text, expected):
    assert read(tmp_path, "address", footer(text)) == expected


NAMES = {
    "copyright": ("© 2024 Calder Knee Clinic. All rights reserved. Website by Pixel Ltd", ["Calder Knee Clinic"]),
    "copyright behind": ("Calder Knee Clinic © 2024", ["Calder Knee Clinic"]),
    "reserved": ("© All rights reserved by Calder Knee Clinic", ["Calder Knee Clinic"]),
    "company": ("Calder is a trading name of Calder Health Ltd.", ["Calder Health Ltd"]),
    "nobody": ("© 2024 All rights reserved.", []),
    "maker of the page": ("Made by Calder Web Design Ltd", []),
}


@pytest.mark.parametrize(("text", "expected"), NAMES.values(), ids=NAMES.keys())
def test_name(tmp_path, text, expected):
    assert read(tmp_path, "name", footer(text)) == expected


def test_code_of_the_page_tells(tmp_path):
    markup = """<meta property="og:site_name" content="Calder Knees"><script type="application/ld+json">{"@graph": [
      {"@type": "MedicalClinic", "name": "Calder Knee Clinic", "legalName": "Calder Health Ltd",
       "email": "a@calder.example",
       "telephone": "020 7946 0000", "identifier": {"value": "1234567893"},
       "address": {"streetAddress": "1 High Street", "addressLocality": "London", "postalCode": "W1G 9QD"},
       "memberOf": {"@type": "Organization", "name": "Knee Society", "telephone": "020 7946 0111"}},
      {"@type": "Organization", "name": "An insurer"}, {"@type": "Person", "name": "B", "telephone": "020 7946 0222"}]}
      </script><p>Knees.</p><a href="tel:+442079460001">Call</a>
      <a href="mailto:Desk@calder.example?subject=x">Mail</a>"""
    found = {field: read(tmp_path, field, markup) for field in FIELDS}
    assert found == {
        "name": ["Calder Knees", "Calder Knee Clinic", "Calder Health Ltd"],
        "address": ["1 High Street, London, W1G 9QD"],
        "telephone": ["+44 20 7946 0000", "+44 20 7946 0001"],
        "email": ["a@calder.example", "desk@calder.example"],
        "registration": ["1234567893"],
    }


def test_shielded_email_is_read():
    key = 0x5A
    hidden = bytes([key, *(byte ^ key for byte in b"desk@calder.example")]).hex()
    assert link_mark(f"/cdn-cgi/l/email-protection#{hidden}") == ("email", "desk@calder.example")


def test_email_placeholders_and_pictures_are_none(tmp_path):
    text = "you@example.com logo@2x.png name@domain.com hello@calder.example"
    assert read(tmp_path, "email", footer(text)) == ["hello@calder.example"]


def test_the_same_value_stands_once_with_its_most_telling_source(tmp_path):
    markup = '<a href="tel:02079460000">Call</a><footer>020 7946 0000</footer>'
    found = rows_of(tmp_path, markup, "https://knee.co.uk/")
    assert [(row["value"], row["source"]) for row in found] == [("+44 20 7946 0000", "link")]


def test_middle_of_a_long_page_is_not_searched(tmp_path):
    filler = "".join(f"<p>Knees are joints, paragraph {word}.</p>" for word in ["one"] * 40)
    inside = "<h2>{}</h2><p>Ring 020 7946 0000</p><h2>Knees</h2>"
    assert read(tmp_path, "telephone", filler + inside.format("Results") + filler, "https://k.co.uk/") == []
    assert read(tmp_path, "telephone", filler + inside.format("Find us") + filler, "https://k.co.uk/") != []
    assert read(tmp_path, "telephone", filler + inside.format("Results") + filler, "https://k.co.uk/contact") != []


PIECES = ["©", "Ltd", " ", "\n", "1", "0", "+44", "@", "a.b", "HX1 9ZZ", "GMC", "\u202e", "\x9b", "\u0130", "<b>"]
DATA = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["@type", "name", "address", "telephone", "x"]), inner, max_size=4)
    ),
)


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_gives_rows_that_can_be_kept(tmp_path_factory, text):
    markup = f"<p>Knees.</p><footer>{text}</footer><a href='tel:{text}'>x</a>"
    for row in rows_of(tmp_path_factory.mktemp("any"), markup):
        assert row["field"] in FIELDS
        assert row["source"] in SOURCES
        for value in (row["value"], row["shown"]):
            assert 0 < len(value) <= 300
            assert not any(unicodedata.category(character) in {"Cc", "Cf", "Cs"} for character in value)


@given(DATA)
def test_any_data_is_read(data):
    assert all(isinstance(kind, str) and isinstance(value, str) for kind, value in data_marks(data))


# --- the card -----------------------------------------------------------------------------------------------------


@pytest.fixture
def case(tmp_path):
    """The tables of a case that cards are made of."""

    def make(pages, contacts):
        for name, schema, rows in (("pages", PAGES, pages), ("contacts", CONTACTS, contacts)):
            full = [{column: row.get(column) for column in schema.names} for row in rows]
            write_file(tmp_path / name / "0.parquet", table_bytes(pa.Table.from_pylist(full, schema=schema)))
        for name, columns in (("redirects", ["file", "asked", "reached"]), ("offsets", ["page", "evidence_offset"])):
            kinds = {"evidence_offset": pa.int64()}
            schema = pa.schema([(column, kinds.get(column, pa.string())) for column in columns])
            write_file(tmp_path / f"{name}.parquet", table_bytes(pa.Table.from_pylist([], schema=schema)))
        for table in ("findings", "sentences", "others"):
            write_file(tmp_path / table / "0.parquet", table_bytes(pa.Table.from_pylist([], schema=TABLES[table])))
        (tmp_path / VIEWS).write_text(VIEWS_TEXT, encoding="utf-8")
        return tmp_path

    return make


def page_row(number, title, site="calder.example"):
    return {
        "page": f"0-{number}",
        "site": site,
        "address": f"https://{site}/{number}",
        "outcome": "read",
        "title": title,
    }


def contact(number, field, value, source="footer"):
    return {"page": f"0-{number}", "field": field, "value": value, "shown": value, "source": source}


def card_of(folder, site="calder.example"):
    with connect(folder) as connection:
        return site_cards(connection, [site])[site]


def test_card_names_page_and_number_of_pages_and_the_likeliest_first(case):
    pages = [page_row(n, None) for n in range(3)]
    contacts = [
        contact(0, "telephone", "+44 20 7946 0999", "link"),
        *(contact(n, "telephone", "+44 20 7946 0000", "footer" if n < 2 else "link") for n in range(3)),
        contact(1, "name", "Calder"),
        contact(2, "name", "Calder Ltd", "data"),
    ]
    card = card_of(case(pages, contacts))
    first = card["telephone"][0]
    assert (first.value, first.pages, first.source, first.page) == ("+44 20 7946 0000", 3, "link", "0-2")
    assert first.address == "https://calder.example/2"
    assert [one.value for one in card["name"]] == ["Calder Ltd", "Calder"]
    assert card["address"] == card["email"] == card["registration"] == ()


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (["Knees | Calder Clinic", "Hips | Calder Clinic", "Calder Clinic"], "Calder Clinic"),
        (["Calder: the knee people"], "Calder"),
        (["Home | Welcome"], None),
        (["Document", "Document"], None),
        (["Knees", "Hips"], None),
    ],
)
def test_card_takes_the_name_from_titles_if_nothing_else_tells(case, titles, expected):
    card = card_of(case([page_row(n, title) for n, title in enumerate(titles)], []))
    assert [one.value for one in card["name"]] == ([expected] if expected else [])


def test_card_of_an_unknown_site_is_empty(case):
    assert card_of(case([], []), "gone.example") == dict.fromkeys(FIELDS, ())
