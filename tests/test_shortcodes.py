"""shortcodes.py: what is text in a CMS's shortcodes, and what is theirs alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading import read_bytes
from mdclaims.reading.shortcodes import split_shortcodes


def split(text):
    """Return (is_button, words) of each stretch; None if the text has no shortcodes."""
    pieces = split_shortcodes(text)
    return pieces and [(piece.is_button, text[piece.start : piece.end]) for piece in pieces]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[button text="Book now" link="/book"]', [(True, "Book now")]),
        ("[cta_button label='Call us'/]", [(True, "Call us")]),
        ('[vc_btn title="Call us" color="x"]', [(True, "Call us")]),
        ('[button link="/a"]Book now[/button] today', [(True, "Book now"), (False, " today")]),
        ('[hero button_text="Start" title="no button"]', [(True, "Start")]),
        ("[vc_row]We care.[/vc_row]", [(False, "We care.")]),
        ('[vc_row el_class="a"][vc_column width="1/2"]We care.[/vc_column][/vc_row]', [(False, "We care.")]),
        ("[button text=“Book now”]", [(True, "Book now")]),
        ("[BUTTON text=Book]", [(True, "Book")]),
        ("[a b=1]", []),
    ],
)
def test_what_stands_in_shortcodes(text, expected):
    assert split(text) == expected


@pytest.mark.parametrize(
    "text", ["", "We care.", "See [1].", "[sic]", "[see page 2]", "[a] and [b]", "[a=b]", "[b]so[/b]", "[" * 50]
)
def test_brackets_of_a_writer_are_left_alone(text):
    assert split_shortcodes(text) is None


@given(st.text(st.sampled_from("[]/ab =\"'“”\n"), max_size=80))
def test_stretches_follow_one_another(text):
    at = 0
    for piece in split_shortcodes(text) or []:
        assert at <= piece.start < piece.end <= len(text)
        at = piece.end


def test_hostile_brackets_take_no_time():
    for text in ("[a" + " b=1" * 100_000, "[a " * 100_000, '[a b="' * 100_000, "[" * 300_000, "[a/" * 100_000):
        assert split_shortcodes(text) is None


@pytest.mark.parametrize("format", ["html", "markdown", "text"])
def test_every_format_reads_them(format):
    text = 'Our team is here.\n\n[button text="Book now" link="/b"]\n\nWe care [row a="1"]for knees[/row].\n'
    data = "".join(f"<p>{part}</p>" for part in text.split("\n\n")) if format == "html" else text
    page = read_bytes(data.encode(), source="x", format=format)
    found = [(block.kind, page.text[block.start : block.end]) for block in page.blocks]
    assert found[-2:] == [("button", "Book now"), ("paragraph", "We care for knees.")]
    assert len(found) == 3
    if format != "html":
        start = page.blocks[-2].start
        assert page.source_span(start, start + 8) == (text.index("Book"), text.index("Book") + 8)
