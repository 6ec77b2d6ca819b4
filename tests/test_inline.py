"""inline.py: when a link, button or image is a block of its own."""

import pytest

from mdclaims.reading.inline import BlockPlace, InlineItem, add_inline
from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder


def item(kind, *parts, selector=None):
    return InlineItem(kind, tuple(part if part is LINE_BREAK else Fragment(part) for part in parts), selector)


def text(*parts):
    return item("text", *parts)


def blocks(items, place):
    """Return (kind, text) of the blocks that `items` make in an element of `place`."""
    builder = PageBuilder()
    add_inline(builder, items, place)
    page = builder.build(source="", sha256="", title=None, encoding="")
    return [(block.kind, page.text[block.start : block.end]) for block in page.blocks]


LINK, BUTTON, ALT = item("link", "Book now"), item("button", "Call us"), item("alt", "A smile")

IN_A_PARAGRAPH = {
    "nothing": ([], []),
    "text": ([text("We care.")], [("paragraph", "We care.")]),
    "a lone link": ([LINK], [("link", "Book now")]),
    "a lone button": ([BUTTON], [("button", "Call us")]),
    "a lone image": ([ALT], [("alt", "A smile")]),
    "a link between white space": ([text(" "), LINK, text("\n")], [("link", "Book now")]),
    "links between separators": ([LINK, text(" | "), BUTTON], [("link", "Book now"), ("button", "Call us")]),
    "separators alone": ([text(" | ")], [("paragraph", "|")]),
    "a pictogram is text": ([text("📞 "), LINK], [("paragraph", "📞 Book now")]),
    "a link in a sentence": ([text("Please "), LINK, text(".")], [("paragraph", "Please Book now.")]),
    "a link begins a sentence": ([LINK, text(" today.")], [("paragraph", "Book now today.")]),
    "a link ends a sentence": ([text("Please "), LINK], [("paragraph", "Please Book now")]),
    "a link touches words": ([text("re"), item("link", "book"), text("ing")], [("paragraph", "rebooking")]),
    "a button in a sentence": ([text("You can"), BUTTON, text("today.")], [("paragraph", "You can Call us today.")]),
    "an image in a sentence": ([text("one"), ALT, text("two")], [("paragraph", "one A smile two")]),
    "an image leads": ([ALT, text(" We care.")], [("alt", "A smile"), ("paragraph", "We care.")]),
    "an image follows": ([text("We care. "), ALT], [("paragraph", "We care."), ("alt", "A smile")]),
    "a button leads": ([BUTTON, text("We care.")], [("button", "Call us"), ("paragraph", "We care.")]),
    "image and button follow": (
        [text("We care."), ALT, text(" "), BUTTON],
        [("paragraph", "We care."), ("alt", "A smile"), ("button", "Call us")],
    ),
    "punctuation keeps an image": ([text("Call us "), ALT, text("!")], [("paragraph", "Call us A smile !")]),
    "an image behind a link": (
        [text("See "), LINK, ALT],
        [("paragraph", "See Book now"), ("alt", "A smile")],
    ),
    "a line break": ([text("One", LINE_BREAK, "two")], [("paragraph", "One\ntwo")]),
}


@pytest.mark.parametrize(("items", "expected"), IN_A_PARAGRAPH.values(), ids=IN_A_PARAGRAPH.keys())
def test_in_a_paragraph(items, expected):
    assert blocks(items, BlockPlace(kind="paragraph")) == expected


IN_A_HEADING = {
    "a link": ([LINK], [("heading", "Book now")]),
    "a button": ([BUTTON], [("heading", "Call us")]),
    "an image": ([ALT], [("heading", "A smile")]),
    "text and link": ([text("Please "), LINK], [("heading", "Please Book now")]),
    "link and image": ([LINK, ALT], [("heading", "Book now"), ("alt", "A smile")]),
    "two links": ([LINK, text(" / "), item("link", "Fees")], [("heading", "Book now / Fees")]),
    "a line break": ([text("Pain", LINE_BREAK, "relief")], [("heading", "Pain relief")]),
}


@pytest.mark.parametrize(("items", "expected"), IN_A_HEADING.values(), ids=IN_A_HEADING.keys())
def test_in_a_heading(items, expected):
    assert blocks(items, BlockPlace(kind="heading", level=2)) == expected


def test_a_button_is_one_block_whatever_stands_in_it():
    assert blocks([LINK], BlockPlace(kind="button")) == [("button", "Book now")]
    assert blocks([ALT], BlockPlace(kind="button")) == [("button", "A smile")]
    assert blocks([text("Go", LINE_BREAK, "now")], BlockPlace(kind="button")) == [("button", "Go now")]


def test_everything_about_the_place_is_handed_on():
    builder = PageBuilder()
    place = BlockPlace(kind="heading", region="footer", level=3, hidden=True, selector="h3")
    add_inline(builder, [text("We care."), item("button", "Go", selector="a"), item("alt", "No selector")], place)
    page = builder.build(source="", sha256="", title=None, encoding="")
    assert [(b.kind, b.region, b.level, b.hidden, b.selector) for b in page.blocks] == [
        ("heading", "footer", 3, True, "h3"),
        ("button", "footer", None, True, "a"),
        ("alt", "footer", None, True, "h3"),
    ]


def test_source_offsets_survive():
    builder = PageBuilder()
    items = [InlineItem("text", (Fragment("See ", 7),)), InlineItem("link", (Fragment("us", 12),))]
    add_inline(builder, items, BlockPlace(kind="paragraph"))
    page = builder.build(source="", sha256="", title=None, encoding="")
    assert page.text == "See us"
    assert page.source_span(0, 6) == (7, 14)
    assert page.source_span(4, 6) == (12, 14)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("a", True), ("7", True), ("é", True), ("📞", True), ("★", True), ("|", False), (" - ", False), ("", False)],
)
def test_has_words(content, expected):
    assert text(content).has_words is expected
