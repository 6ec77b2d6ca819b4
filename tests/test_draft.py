"""draft.py: pages become drafts and drafts pages, and every place is found again in UTF-16."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.desk.draft import (
    DraftBlock,
    DraftPage,
    Run,
    draft_data,
    draft_of,
    format_of_text,
    parse_draft,
    safe_address,
)
from mdclaims.errors import ReadError
from mdclaims.language.sentences import split_page
from mdclaims.reading import read_bytes
from mdclaims.reading.page import KINDS

MARKUP = (
    "<title>Gel</title><meta name=description content='It works.'><nav><a href='/'>Home</a></nav><h1>Knees</h1>"
    "<p>We care.<br>Read <a href='https://a.example/x'>on</a>, or <a href='javascript:x'>press</a>.</p>"
    "<ul><li>One</li><li><a href=/two>Two</a></li></ul><details><summary>More</summary><p>Unseen.</p></details>"
    "<a class=btn href='/book'>Book</a><blockquote>It helped.</blockquote><footer>Call us.</footer>"
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
BLOCKS = st.builds(
    DraftBlock,
    kind=st.sampled_from(KINDS),
    runs=st.lists(st.builds(Run, TEXTS, st.sampled_from([None, "/a"])), max_size=3).map(tuple),
    level=st.sampled_from([None, 1, 3]),
)


def test_a_page_comes_back_from_its_draft():
    page = read_bytes(MARKUP.encode(), source="a.html", format="html", links=True)
    draft = draft_of(page)
    again = DraftPage(parse_draft(draft_data(draft)), "a.html").page
    assert again.text == page.text
    about = [(block.kind, block.region, block.level, block.hidden, block.heading_path) for block in page.blocks]
    assert [
        (block.kind, block.region, block.level, block.hidden, block.heading_path) for block in again.blocks
    ] == about
    assert again.title == page.title == "Gel"
    assert len(page.blocks) == 12
    runs = [(run.text, run.address) for block in draft for run in block.runs if run.address]
    assert runs == [("Home", "/"), ("on", "https://a.example/x"), ("Two", "/two"), ("Book", "/book")]


@given(st.lists(BLOCKS, max_size=5))
def test_every_sentence_is_found_in_the_draft(nlp, blocks):
    try:
        draft = DraftPage(blocks)
    except ReadError:
        return
    units = [block.text.encode("utf-16-le") for block in blocks]
    for sentence in split_page(draft.page, nlp):
        place = draft.place(sentence.start, sentence.end)
        found = units[place.block][2 * place.start : 2 * place.end].decode("utf-16-le")
        # White space is folded, and what nobody sees is left out.
        assert "".join(found.split())[:1] == sentence.text[0]
        assert found[-1] == sentence.text[-1]


@pytest.mark.parametrize("address", ["https://a.example", "mailto:a@b.example", "tel:+44", "/a:b", "a/b", "#x", "?a=b"])
def test_addresses_that_become_links(address):
    assert safe_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JavaScript:x", "data:text/html,x", "java\nscript:x", " javascript:x",
        "\x01javascript:x", "vbscript:x", "", "http://[", "x" * 3000, "blob:x", "file:///etc/passwd", "?a=b:c",
    ],
)  # fmt: skip
def test_addresses_that_become_none(address):
    assert not safe_address(address)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("We care.\n\nKnees < hips, a > b.", "text"),
        ("---\ntitle: Gel\n---\nWe care.", "markdown"),
        ("# Knees\n\nWe care.", "markdown"),
        ("Read [on](https://a.example).", "markdown"),
        ("It **works**.", "markdown"),
        ("<!-- wp:paragraph -->\n<p>We care.</p>\n<!-- /wp:paragraph -->", "html"),
        ("<!doctype html><p>We care.</p>", "html"),
        ("Use <p> tags", "text"),
        ("5 * 3 = 15 and #1 of 2", "text"),
        ("--- \n" * 9, "text"),
    ],
)
def test_what_a_pasted_text_is_written_in(text, expected):
    assert format_of_text(text) == expected


def test_hostile_texts_take_no_time():
    for text in ("---\n" + "a\n" * 500_000, "<p " * 300_000, "](" * 300_000, "[" * 300_000):
        format_of_text(text)
