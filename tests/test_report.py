"""What the reports share: one sentence of result, claims in the order of what to read first, plain words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from helpers import ACTION, EFFICACY, LABELS, ROOT, SAFETY, TODAY, report_of, stub_report, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.reading import read_bytes
from mdclaims.reports.html_report import render_html
from mdclaims.reports.json_report import render_json
from mdclaims.reports.junit import render_junit
from mdclaims.reports.report import (
    HIDDEN_WORDS,
    by_priority,
    certainty,
    claims,
    context_lines,
    distance,
    heading_words,
    headline,
    place_words,
    quote_words,
    quoted,
    ranked,
    totals_line,
)
from mdclaims.reports.sarif import render_sarif
from mdclaims.reports.tables import render_csv
from mdclaims.reports.terminal import render_terminal


def claims_of(text, *, format="markdown"):
    screener = stub_screener()
    result = screener.screen_page(read_bytes(text.encode(), source="x", format=format))
    return claims(result, screener.thresholds, today=TODAY)


# --- the sentence of result -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("high", "normal", "info", "said"),
    [
        (0, 0, 0, "Nothing found in the text read."),
        (0, 0, 1, "Nothing to look at; 1 for information."),
        (0, 1, 0, "1 thing to look at."),
        (1, 0, 0, "1 thing to look at first."),
        (3, 0, 0, "3 things to look at first."),
        (1, 1, 1, "2 things to look at, 1 first; 1 more for information."),
        (2, 5, 31, "7 things to look at, 2 first; 31 more for information."),
        (0, 1200, 1000, "1,200 things to look at; 1,000 more for information."),
    ],
)
def test_the_result_in_one_sentence(high, normal, info, said):
    assert headline({"high": high, "normal": normal, "info": info}) == said


def test_the_result_of_all_inputs():
    report = stub_report("The laser [e90] relieves pain.", "We close.", errors=[("a.txt", "is empty")])
    assert totals_line(report) == "2 inputs: 1 thing to look at. 1 input could not be read."
    assert totals_line(stub_report("We close.")) == "1 input: nothing found in the text read."


def test_pages_with_most_to_read_first_stand_first_and_equals_as_given():
    texts = ["We close.", "The laser [e90] helps.", "The laser [e90] always helps.", "The laser [e90] helps us."]
    screener = stub_screener()
    report = report_of(screener, [screener.screen_text(text, source=str(n)) for n, text in enumerate(texts)])
    assert [by_priority(page)["high"] for page in ranked(report)] == [1, 0, 0, 0]
    assert [page.page.source for page in ranked(report)] == ["2", "1", "3", "0"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("We close.", ()),
        ("The laser [e90] helps.", ("1 claim of benefit; no sentence tells of a risk or a limit.",)),
        ("It [s90:discloses] burns.", ("No claim of benefit; 1 sentence tells of a risk or a limit.",)),
        (
            "The laser [e90] helps. The laser [e90] works. It [s90:discloses] burns. It [e90:limits] may fail.",
            ("2 claims of benefit; 2 sentences tell of a risk or a limit.",),
        ),
    ],
)
def test_the_balance_of_benefits_and_risks(text, lines):
    result = stub_screener().screen_text(text)
    assert context_lines(result, claims_of(text), LABELS) == lines
    assert context_lines(result, claims_of(text), (EFFICACY, ACTION)) == ()


def test_claims_that_stand_only_in_the_metadata_are_said_to():
    html = "<title>Laser [e90] heals knees</title><p>We open.<p>Laser [s90] is safe."
    screener = stub_screener()
    result = screener.screen_page(read_bytes(html.encode(), source="x", format="html"))
    found = claims(result, screener.thresholds, today=TODAY)
    assert context_lines(result, found, LABELS)[1] == (
        "1 claim stands only in the metadata, which search results and previews show."
    )
    assert [claim.label for claim in found] == [SAFETY, EFFICACY]  # equal but for that: metadata last


# --- certainty --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "threshold", "word"),
    [
        (0.5, 0.5, "borderline"),
        (0.599, 0.5, "borderline"),
        (0.6, 0.5, "likely"),
        (0.899, 0.5, "likely"),
        (0.9, 0.5, "clear"),
        (1.0, 0.5, "clear"),
        # The mode's threshold counts.
        (0.69, 0.61, "borderline"),
        (0.72, 0.61, "likely"),
        # Above 0.9 a high threshold makes nothing doubtful.
        (0.95, 0.9, "clear"),
        (0.89, 0.85, "borderline"),
        # With the low thresholds of mode screen, what is more often wrong than right is not likely.
        (0.2, 0.07, "borderline"),
        (0.49, 0.07, "borderline"),
        (0.5, 0.07, "likely"),
    ],
)
def test_certainty(score, threshold, word):
    assert certainty(score, threshold) == word


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_score_is_never_less_sure(one, other, threshold):
    words = ["borderline", "likely", "clear"]
    low, high = sorted((one, other))
    assert words.index(certainty(low, threshold)) <= words.index(certainty(high, threshold))


# --- claims -----------------------------------------------------------------------------------------------------


def test_a_heading_that_belongs_to_a_claim_stands_above_its_quote():
    (claim,) = claims_of("# Sleep [e95]\n\nThe laser [e95] eases you into it.")
    assert (claim.lead, claim.quotes) == ("Under “Sleep [e95]”", ("The laser [e95] eases you into it.",))
    assert [place.words for place in claim.places] == ["heading, line 1", "paragraph, line 3"]


def test_the_order_is_priority_then_certainty_then_place():
    found = claims_of(
        "The laser [e55] eases pain.\n\nThe laser [e95] eases pain for you.\n\nThe laser [e55] always eases pain.\n\n"
        "Ring us [a95:signposts] on Monday.\n\nThe laser [e70] eases his pain.\n\nThe laser [e95] eases her pain."
    )
    assert [(claim.priority, claim.certainty) for claim in found] == [
        ("high", "borderline"), ("normal", "clear"), ("normal", "clear"), ("normal", "likely"),
        ("normal", "borderline"), ("info", "clear"),
    ]  # fmt: skip
    assert [claim.number for claim in found] == [1, 2, 3, 4, 5, 6]
    assert found[1].quotes == ("The laser [e95] eases pain for you.",)


def test_items_under_one_heading_are_one_claim_with_the_heading():
    claim = claims_of("# What it treats\n\n- Anxiety [e95]\n- Low mood [e60]\n- ANXIETY [e95]")[0]
    assert claim.lead == "Under “What it treats”"
    assert claim.quotes == ("Anxiety [e95]", "Low mood [e60]")
    assert [place.words for place in claim.places] == ["3 list items, from line 3"]
    assert (claim.score, claim.certainty) == (0.95, "clear")


def test_the_same_sentence_in_several_places_is_one_claim():
    html = (
        "<header><p>The laser [e90] helps knees.</header><main><h2>Why</h2><p>The laser [e90] helps knees.<p>No."
        "<div hidden><p>The laser [e90] helps knees.</div></main><footer><p>The LASER [e90] helps knees.</footer>"
    )
    (claim,) = claims_of(html, format="html")
    assert claim.quotes == ("The laser [e90] helps knees.",)
    assert [place.words for place in claim.places] == [
        "paragraph in the header",
        "paragraph under “Why”",
        f"paragraph under the same heading, {HIDDEN_WORDS}",
        "paragraph in the footer",
    ]


def test_another_label_of_the_sentence_is_told():
    assert [claim.said for claim in claims_of("The laser [e95][s60] helps at once.")] == [
        "Says it works: clear; also says how safe it is",
        "Says how safe it is: likely; also says it works",
    ]


def test_why_names_the_treatment_and_leaves_out_what_the_next_line_says():
    why, beside = claims_of("The laser [e95] always relieves pain.")[0].facts[:2]
    assert (why.name, why.text) == ("Why", "says that it works, leaves no exception (“always”), names “laser”")
    assert (beside.name, beside.text) == ("Beside it", "no risk, limit or source in its section of the text read")


def test_the_nearest_qualifier_is_quoted_with_its_distance():
    claim = claims_of("The laser [e95] relieves pain. It [s90:discloses] may burn.")[0]
    fact = claim.facts[1]
    assert fact.text == "a risk, in the next sentence: “It [s90:discloses] may burn.”"
    assert fact.sentence == 1


@pytest.mark.parametrize(
    ("other", "blocks", "hidden", "said"),
    [
        (4, 0, False, "in the same sentence"),
        (5, 0, False, "in the next sentence"),
        (3, 1, False, "in the sentence before"),
        (7, 0, False, "3 sentences below"),
        (2, 1, False, "2 sentences and 1 block above"),
        (9, 2, True, f"5 sentences and 2 blocks below ({HIDDEN_WORDS})"),
    ],
)
def test_distances_in_words(other, blocks, hidden, said):
    finding = replace(stub_screener().screen_text("The laser [e95] helps.").findings[0], sentence=4)
    assert distance(finding, Qualifier(other, "risk", abs(other - 4), blocks, hidden)) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It works.", "“It works.”"),
        ("“It works.”", "“It works.”"),
        ('"It works," he said.', '"It works," he said.'),
        ('"It works.', "“It works.”"),
        ('It works."', "“It works.”"),
        ("", "“”"),
    ],
)
def test_quotation_marks(text, shown):
    assert quoted(text) == shown


def test_lines_are_told_where_a_reader_can_count_them():
    text = "---\ntitle: x\n---\n\nThe laser [e95]\nhelps people.\r\n\r\nThe laser [e91] helps\nus all."
    assert [claim.places[0].words for claim in claims_of(text)] == ["paragraph, line 5", "paragraph, line 8"]
    (claim,) = claims_of("<p>The laser [e95] helps people.", format="html")
    assert claim.places[0].words == "paragraph"


def test_control_characters_of_a_page_reach_no_claim():
    html = "<h2>He\x1bad</h2><p>The laser\x9b [e95] \u202ehelps</p><ul><li>Fine\x07 [e90]"
    for claim in claims_of(html, format="html"):
        shown = [claim.lead or "", *claim.quotes, *(fact.text for fact in claim.facts)]
        shown += [place.words for place in claim.places]
        assert not set("\x1b\x9b\u202e\x07") & set("".join(shown))


# --- words for one sentence -------------------------------------------------------------------------------------


def sentences_of(html):
    result = stub_screener().screen_page(read_bytes(html.encode(), source="x", format="html"))
    return [entry.sentence for entry in result.sentences]


def test_places_in_words():
    html = "<h1>Why us</h1><p hidden>“It heals.”</p><footer><a href=/>Book now</a></footer>"
    first, second, third = sentences_of(html)
    assert place_words(first) == "heading, main text"
    assert place_words(second) == "paragraph, main text, in quotation marks, present, not shown at first"
    assert place_words(third) == "link, footer"
    assert (heading_words(first), heading_words(second), heading_words(third)) == ("", "Why us", "")


def test_a_short_quote_has_its_heading():
    sentences = sentences_of("<h1>What TMS treats</h1><ul><li>Anxiety</li><li>Worry that comes back</li></ul>")
    assert [quote_words(sentence, 12) for sentence in sentences] == [
        "“What TMS tr…”",
        "“Anxiety” (under “What TMS treats”)",
        "“Worry that …”",
    ]


# --- advice -----------------------------------------------------------------------------------------------------


def test_what_to_write_instead_stands_with_its_guide():
    (claim,) = claims_of("Tinnitus sufferers wait [g95:wording].")
    advice = [fact.text for fact in claim.facts if fact.name == "Instead"]
    assert len(advice) == 1
    assert advice[0].startswith("“Tinnitus sufferers” → “People with tinnitus” (")


def test_a_claim_has_questions_and_never_new_words():
    (claim,) = claims_of("TMS cures depression [e95].")
    names = [fact.name for fact in claim.facts]
    assert "Ask" in names
    assert "Instead" not in names


# --- the pages of a PDF -----------------------------------------------------------------------------------------


def two_pages():
    """A PDF of one paragraph that goes on on the second page, where its finding stands."""
    fpdf = pytest.importorskip("fpdf")
    pdf = fpdf.FPDF()
    pdf.set_font("helvetica", size=12)
    pdf.add_page()
    pdf.set_y(pdf.h - 28)
    pdf.multi_cell(0, 5, "We are a small clinic and open on most days of the week. " * 6 + "Cures [g95] for all.")
    assert pdf.page == 2
    return read_bytes(bytes(pdf.output()), source="a.pdf", format="pdf", apart=False)


@pytest.mark.parametrize(
    ("render", "said"),
    [
        (render_terminal, r"Where +paragraph, page 2\n"),
        (render_html, r"paragraph, page 2<"),
        (render_json, r'"quoted": false,\s+"page": 2,'),
        (lambda report: render_sarif(report, base=ROOT), r'"fullyQualifiedName": "page 2"'),
        (render_csv, r",paragraph,no,2,"),
        (render_junit, r"place: paragraph, main text, page 2\n"),
    ],
)
def test_every_format_names_the_page_that_a_finding_of_a_pdf_stands_on(render, said):
    screener = stub_screener()
    page = two_pages()
    assert [block.page for block in page.blocks] == [1]
    report = report_of(screener, [screener.screen_page(page)])
    assert report.findings == 1
    assert re.search(said, render(report))


def test_places_on_several_pages_are_told_apart():
    page = read_bytes(b"- Book [a90] now\n- Buy [a90] now\n", source="x", format="markdown")
    blocks = tuple(block._replace(page=number) for number, block in enumerate(page.blocks, start=1))
    screener = stub_screener()
    result = screener.screen_page(replace(page, blocks=blocks, source_text=None))
    places = [place.words for claim in claims(result, screener.thresholds, today=TODAY) for place in claim.places]
    assert sorted(places) == ["list item, page 1", "list item, page 2"]
