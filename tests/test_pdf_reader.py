"""reading/pdf_reader.py: PDFs made here, whose text must come out in paragraphs, with pages and headings."""

import tracemalloc

import pypdfium2
import pytest
from fpdf import FPDF
from fpdf.enums import AccessPermission
from growth import grows_linearly
from hypothesis import given
from hypothesis import strategies as st
from test_reading import assert_page_holds

from mdclaims.errors import ReadError
from mdclaims.reading import Limits, read_bytes

LONG = (
    "A small hand piece sends sound waves into the tissue around the joint. Each session takes about fifteen "
    "minutes, and most people come once a week. It was first used in hospitals to break up kidney stones. "
)


def new(**options):
    pdf = FPDF(**options)
    pdf.set_font("helvetica", size=11)
    pdf.add_page()
    return pdf


def write(pdf, text, *, size=11, style="", width=0, gap=4):
    """Add a paragraph, wrapped by fpdf2, with `gap` mm of space after it."""
    pdf.set_font("helvetica", style=style, size=size)
    pdf.multi_cell(width, size * 0.45, text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(gap)


def read(pdf):
    page = read_bytes(bytes(pdf.output()), source="a.pdf", format="pdf", apart=False)
    assert_page_holds(page)
    assert page.segments == ()
    return page


def rows(page, *keys):
    return [(page.text[b.start : b.end], *(getattr(b, key) for key in keys or ("kind",))) for b in page.blocks]


def texts(page):
    return [text for text, _ in rows(page)]


# --- paragraphs, headings, lists --------------------------------------------------------------------------------


def test_headings_paragraphs_and_lists():
    pdf = new()
    pdf.set_title("Shockwave therapy")
    write(pdf, "Back on your feet", size=20)
    write(pdf, LONG * 2)
    write(pdf, "What it treats", size=15)
    for item in ("Jumper's knee", "Early osteoarthritis", LONG):
        write(pdf, f"\u00b7 {item}", gap=1)
    write(pdf, "Is it safe?", style="B")
    write(pdf, LONG)
    page = read(pdf)
    assert rows(page, "kind", "level", "page") == [
        ("Shockwave therapy", "title", None, None),
        ("Back on your feet", "heading", 1, 1),
        ((LONG * 2).strip(), "paragraph", None, 1),
        ("What it treats", "heading", 2, 1),
        ("Jumper's knee", "list_item", None, 1),
        ("Early osteoarthritis", "list_item", None, 1),
        (LONG.strip(), "list_item", None, 1),
        ("Is it safe?", "heading", 3, 1),
        (LONG.strip(), "paragraph", None, 1),
    ]
    assert (page.title, page.encoding, page.notes) == ("Shockwave therapy", "pdf", ())
    assert page.blocks[-1].heading_path == ("Back on your feet", "What it treats", "Is it safe?")
    assert page.blocks[0].region == "metadata"


def test_the_title_is_the_first_heading_where_the_file_has_none():
    def made(title):
        pdf = new()
        pdf.set_title(title)
        write(pdf, "Knee care", size=20)
        write(pdf, LONG)
        return read(pdf)

    assert made("").title == "Knee care"
    assert made("KNEE  CARE").title == "KNEE CARE"
    assert texts(made("")) == texts(made("KNEE  CARE")) == ["Knee care", LONG.strip()]


def test_paragraphs_without_space_between_them():
    pdf = new()
    for _ in range(3):
        write(pdf, LONG + "The end.", gap=0)
    assert texts(read(pdf)) == [LONG + "The end."] * 3


def test_short_lines_stay_apart():
    pdf = new()
    write(pdf, LONG)
    lines = ["Ashmere Joint Clinic", "4 Weir Lane", "Ashmere", "Open on Mondays"]
    for line in lines:
        write(pdf, line, gap=0)
    assert texts(read(pdf))[1:] == lines


def test_a_paragraph_goes_on_on_the_next_page():
    pdf = new()
    pdf.set_y(pdf.h - 28)
    write(pdf, LONG)
    assert pdf.page == 2
    write(pdf, "Another one.")
    page = read(pdf)
    assert rows(page, "page") == [(LONG.strip(), 1), ("Another one.", 2)]
    long, other = page.blocks
    ((at, number),) = long.page_breaks
    assert (number, other.page_breaks) == (2, ())
    assert 0 < at < long.end
    assert not page.text[at - 1].isspace()
    assert [long.page_at(offset) for offset in (0, at - 1, at, long.end - 1)] == [1, 1, 2, 2]
    assert " ".join(page.text[at:].split()) == pypdfium_text(pdf, 1)


def pypdfium_text(pdf, number):
    """Return the text of one page, from 0, as PDFium itself gives it, with single spaces."""
    with pypdfium2.PdfDocument(bytes(pdf.output())) as document:
        return " ".join(document[number].get_textpage().get_text_range().split())


def test_columns_are_read_one_after_the_other():
    pdf = new()
    write(pdf, LONG)
    top = pdf.y
    for n, left in enumerate((10, 110)):
        pdf.set_y(top)
        pdf.set_left_margin(left)
        pdf.set_x(left)
        write(pdf, f"Column {n}. {LONG}", width=85)
    assert texts(read(pdf)) == [LONG.strip(), f"Column 0. {LONG}".strip(), f"Column 1. {LONG}".strip()]


def test_what_is_drawn_later_but_stands_higher_is_read_first():
    pdf = new()
    pdf.set_y(100)
    write(pdf, "Second. " + LONG)
    pdf.set_y(20)
    write(pdf, "First. " + LONG)
    assert [text[:6] for text in texts(read(pdf))] == ["First.", "Second"]


def test_the_cells_of_a_table():
    pdf = new()
    write(pdf, LONG)
    for left, right in (("Single visit", "£40"), ("Five visits", "£180")):
        pdf.cell(90, 5, left)
        pdf.cell(40, 5, right, new_x="LMARGIN", new_y="NEXT")
    assert rows(read(pdf))[1:] == [
        ("Single visit", "cell"),
        ("£40", "cell"),
        ("Five visits", "cell"),
        ("£180", "cell"),
    ]


def test_text_that_runs_up_the_page():
    pdf = new()
    write(pdf, LONG)
    with pdf.rotation(90, 60, 200):
        pdf.text(60, 200, "Printed on the side of the page")
    assert texts(read(pdf)) == [LONG.strip(), "Printed on the side of the page"]


def test_links_stand_in_the_text():
    pdf = new()
    pdf.write(5, "You can ")
    pdf.write(5, "book a visit", link="https://clinic.example")
    pdf.write(5, " here.")
    assert texts(read(pdf)) == ["You can book a visit here."]


def test_form_fields_are_read_as_they_are_shown():
    # Without a table of its objects, which PDFium makes anew.
    font = "/Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    shown, field = b"BT /F 11 Tf 50 700 Td (Your visit) Tj ET", b"BT /F 11 Tf 2 5 Td (Shockwave, 40 GBP) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R] >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {font} /Contents 4 0 R /Annots [5 0 R] >>".encode(),
        b"<< /Length %d >> stream\n%s\nendstream" % (len(shown), shown),
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (x) /F 4 /Rect [50 600 250 620] /AP << /N 6 0 R >> >>",
        f"<< /Type /XObject /Subtype /Form /BBox [0 0 200 20] {font} /Length {len(field)} >> stream\n".encode()
        + field
        + b"\nendstream",
    ]
    data = b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % entry for entry in enumerate(objects, start=1))
    page = read_bytes(data + b"trailer << /Root 1 0 R >>\n%%EOF", source="", format="pdf", apart=False)
    assert texts(page) == ["Your visit", "Shockwave, 40 GBP"]


# --- hyphens ----------------------------------------------------------------------------------------------------


def two_lines(first, second, more=""):
    pdf = new()
    filler = "Waves run into the tissue around the joint and all the way to "
    pdf.cell(0, 5, filler + first, new_x="LMARGIN", new_y="NEXT")
    pdf.cell(0, 5, second, new_x="LMARGIN", new_y="NEXT")
    if more:
        pdf.ln(20)
        pdf.cell(0, 5, more)
    return texts(read(pdf))[0].removeprefix(filler)


@pytest.mark.parametrize(
    ("first", "second", "more", "expected"),
    [
        ("the treat-", "ment of pain.", "", "the treatment of pain."),
        ("a drug-", "free way.", "", "a drug-free way."),
        ("a non-", "surgical way.", "", "a non-surgical way."),
        ("an X-", "ray scan.", "X-ray scans are quick.", "an X-ray scan."),
        ("a rapid-", "healing wound.", "Rapid healing is what we see.", "a rapid-healing wound."),
        ("a tear-", "proof glove.", "It is tearproof.", "a tearproof glove."),
        ("the Smith-", "Jones method.", "", "the Smith-Jones method."),
        ("over-the-", "counter drugs.", "", "over-the-counter drugs."),
        ("Monday -", "the best day.", "", "Monday - the best day."),
        ("ther\u00ad", "apy for all.", "", "therapy for all."),
    ],
)
def test_words_cut_at_the_end_of_a_line(first, second, more, expected):
    assert two_lines(first, second, more) == expected


def test_where_lines_hardly_ever_end_in_a_hyphen_it_belongs_to_its_word():
    pdf = new()
    for _ in range(20):
        write(pdf, LONG * 2)
    for line in ("Waves run into the tissue around the joint and all the way, in a tear-", "proof glove."):
        pdf.cell(0, 5, line, new_x="LMARGIN", new_y="NEXT")
    assert texts(read(pdf))[-1].endswith("in a tear-proof glove.")


# --- headers and footers ----------------------------------------------------------------------------------------


class Leaflet(FPDF):
    def header(self):
        self.set_font("helvetica", size=9)
        self.cell(0, 5, "Ashmere Joint Clinic", new_x="LMARGIN", new_y="NEXT")
        self.ln(30)

    def footer(self):
        self.set_y(-15)
        self.set_font("helvetica", size=9)
        self.cell(0, 5, f"Page {self.page_no()} of 4", new_x="LMARGIN", new_y="NEXT")
        self.cell(0, 5, "Call us on 01632 960 184")


def test_headers_and_footers_once():
    pdf = Leaflet()
    for n in range(4):
        pdf.add_page()
        write(pdf, f"Part {'ABCD'[n]}. {LONG}")
    page = read(pdf)
    assert rows(page, "region", "page") == [
        ("Ashmere Joint Clinic", "header", 1),
        *[(f"Part {'ABCD'[n]}. {LONG}".strip(), "main", n + 1) for n in range(4)],
        ("Page 1 of 4", "footer", 1),
        ("Call us on 01632 960 184", "footer", 1),
    ]


def test_different_numbers_in_a_margin_are_no_page_numbers():
    pdf = new()
    for price in ("40", "95", "17"):
        pdf.set_y(5)
        write(pdf, f"Only £{price}")
        write(pdf, LONG)
        if price != "17":
            pdf.add_page()
    found = texts(read(pdf))
    assert [text for text in found if text.startswith("Only")] == ["Only £40", "Only £95", "Only £17"]


# --- what cannot be read ----------------------------------------------------------------------------------------


def refusal(data, **limits):
    with pytest.raises(ReadError) as caught:
        read_bytes(data, source="a.pdf", format="pdf", apart=False, limits=Limits(**limits))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def picture(pdf):
    from PIL import Image

    pdf.image(Image.new("RGB", (20, 20), "red"), w=100)


def scan():
    pdf = new()
    picture(pdf)
    return bytes(pdf.output())


def protected():
    pdf = new()
    write(pdf, LONG)
    pdf.set_encryption(owner_password="a", user_password="b", permissions=AccessPermission.none())
    return bytes(pdf.output())


def good():
    pdf = new()
    write(pdf, LONG)
    return bytes(pdf.output())


GOOD = good()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"Just text.", "is damaged or no PDF"),
        (b"%PDF-1.7\n", "is damaged or no PDF"),
        (scan(), "holds no text: it is a scan or made of images; run text recognition (OCR) on it"),
        (bytes(new().output()), "holds no text"),
        (protected(), "is protected by a password; save a copy without it"),
    ],
    ids=["empty", "text", "beginning", "scan", "blank", "protected"],
)
def test_refusals(data, message):
    assert message in refusal(data)


def test_a_password_for_changes_alone_is_no_hindrance():
    pdf = new()
    write(pdf, LONG)
    pdf.set_encryption(owner_password="a", permissions=AccessPermission.none())
    assert texts(read(pdf)) == [LONG.strip()]


def test_pages_that_show_only_images_are_told():
    def notes(images):
        pdf = new()
        write(pdf, LONG)
        for _ in range(images):
            pdf.add_page()
            picture(pdf)
        pdf.add_page()
        return read(pdf).notes

    assert notes(0) == ()
    assert notes(1) == ("page 2 shows images and no text, so nothing was read there",)
    assert notes(2) == ("pages 2, 3 show images and no text, so nothing was read there",)


def test_max_chars():
    assert "has over 50 characters, over the limit max_chars = 50" in refusal(GOOD, max_chars=50)


def test_a_page_that_cannot_be_opened(monkeypatch):
    def fail(self, index):
        raise pypdfium2.PdfiumError("Failed to load page.")

    monkeypatch.setattr(pypdfium2.PdfDocument, "__getitem__", fail)
    assert refusal(GOOD) == "is damaged on page 1; save or export it again"


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_damage_gives_a_page_or_a_read_error(changes):
    broken = bytearray(GOOD)
    for place, value in changes:
        broken[place] = value
    page = message = None
    try:
        page = read_bytes(bytes(broken), source="", format="pdf", apart=False)
    except ReadError as error:
        message = str(error)
    if page is None:
        assert message
        assert "\n" not in message
    else:
        assert_page_holds(page)


@given(st.integers(1, len(GOOD) - 1))
def test_a_truncated_file_gives_a_page_or_a_read_error(length):
    try:
        page = read_bytes(GOOD[:length], source="", format="pdf", apart=False)
    except ReadError:
        return
    assert_page_holds(page)


WORD = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@given(
    st.lists(
        st.tuples(
            st.lists(WORD, min_size=1, max_size=60).map(" ".join),
            st.sampled_from([9, 11, 11, 11, 16, 24]),
            st.sampled_from(["", "", "B"]),
            st.sampled_from([0, 3, 8]),
            st.sampled_from([0, 60]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_word_is_found_exactly_once(paragraphs):
    pdf = new()
    for text, size, style, gap, width in paragraphs:
        write(pdf, text, size=size, style=style, gap=gap, width=width)
    page = read(pdf)
    assert sorted(page.text.split()) == sorted(" ".join(text for text, *_ in paragraphs).split())
    assert [block.page for block in page.blocks] == sorted(block.page for block in page.blocks)


# --- no file takes long -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["and some more words", "Some more words.", "and some more wo-"])
def test_a_long_paragraph_takes_no_more_than_linear_work(text):
    def reading(lines):
        pdf = FPDF(format=(210, lines))
        pdf.set_margin(0)
        pdf.add_page()
        pdf.set_font("helvetica", size=1)
        for n in range(lines):
            pdf.text(20, 0.5 * lines + 0.4 * n, text)
        data = bytes(pdf.output())
        return lambda: read_bytes(data, source="a.pdf", format="pdf", apart=False)

    assert len(reading(800)().text) > 14 * 800
    assert grows_linearly(reading, of=200)


def test_a_margin_full_of_numbers_takes_no_memory():
    pdf = new()
    pdf.set_font("helvetica", size=0.1)
    pdf.text(10, 10, "1 " * 10_000)
    data = bytes(pdf.output())
    tracemalloc.start()
    page = read_bytes(data, source="a.pdf", format="pdf", apart=False)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert page.text.count("1") == 10_000
    assert most < 50_000_000  # 200 million if the line is kept once for each number in it
