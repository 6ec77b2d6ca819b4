"""Lines, columns and offsets in files: line ends, tabs, emoji, combining characters."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading import read_bytes
from mdclaims.reading.positions import ENCODINGS, LINE_ENDS, SourcePositions


def units(text):
    return len(text.encode("utf-16-le")) // 2


def region_of(source, wanted):
    """Return the region of the only place of `wanted`, by the offsets that a page would give."""
    folded = source.replace("\r\n", "\n").replace("\r", "\n")
    assert folded.count(wanted) == 1
    start = folded.index(wanted)
    return SourcePositions(source).region(start, start + len(wanted))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("word", (1, 1, 1, 5, 0)),
        ("a\nword", (2, 1, 2, 5, 2)),
        ("a\r\nword\r\n", (2, 1, 2, 5, 3)),
        ("a\rword\rb", (2, 1, 2, 5, 2)),
        ("a\r\r\nword", (3, 1, 3, 5, 4)),
        ("a\n\r\n\nword", (4, 1, 4, 5, 5)),
        ("\tword", (1, 2, 1, 6, 1)),  # a tab is one column
        ("👍 word", (1, 4, 1, 8, 3)),  # two code units
        ("👍\r\n👩‍⚕️ word", (2, 7, 2, 11, 10)),  # a joined emoji has five
        ("e\u0301 word", (1, 4, 1, 8, 3)),  # a combining character has its own
        ("\u2028word", (1, 2, 1, 6, 1)),  # no line end in SARIF
        ("\x0cword\x85", (1, 2, 1, 6, 1)),
    ],
)
def test_places_of_a_word(source, place):
    region = region_of(source, "word")
    found = (region.start_line, region.start_column, region.end_line, region.end_column, region.offset)
    assert found == place
    assert (region.length, region.text) == (4, "word")


def test_a_region_over_lines_keeps_the_line_ends_of_the_file():
    region = region_of("x\r\n  two 👍\r\n\tlines.\r\n", "two 👍\n\tlines.")
    assert (region.start_line, region.start_column, region.end_line, region.end_column) == (2, 3, 3, 8)
    assert region.text == "two 👍\r\n\tlines."
    assert (region.offset, region.length) == (5, 15)


@given(
    st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6), min_size=1),
    st.data(),
)
def test_any_place_is_found_again_by_line_and_by_offset(lines, data):
    ends = [data.draw(st.sampled_from(LINE_ENDS)) for _ in lines[1:]]
    # An empty line between "\r" and "\n" would make one line end of two.
    ends = ["\n" if end == "\r" else end for end in ends]
    source = "".join(line + end for line, end in zip(lines, [*ends, ""], strict=True))
    folded = "\n".join(lines)
    start = data.draw(st.integers(0, len(folded)))
    end = data.draw(st.integers(start, len(folded)))
    region = SourcePositions(source).region(start, end)
    encoded = source.encode("utf-16-le")
    cut = encoded[2 * region.offset : 2 * (region.offset + region.length)].decode("utf-16-le")
    assert cut == region.text
    assert cut.replace("\r\n", "\n") == folded[start:end]
    for line, column, at in (
        (region.start_line, region.start_column, start),
        (region.end_line, region.end_column, end),
    ):
        before = folded[:at].split("\n")
        assert (line, column) == (len(before), units(before[-1]) + 1)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_pages_of_text_keep_their_file(mark):
    data = mark + "A 👍.\r\n\r\nThe  end\r\nis near.\r\n".encode()
    page = read_bytes(data, source="x", format="markdown")
    assert page.source_text == "A 👍.\r\n\r\nThe  end\r\nis near.\r\n"
    positions = SourcePositions(page.source_text)
    block = page.blocks[-1]
    region = positions.region(*page.source_span(block.start, block.end))
    # A byte-order mark counts nowhere.
    assert (region.start_line, region.start_column, region.end_line, region.end_column) == (3, 1, 4, 9)
    assert (region.offset, region.text) == (9, "The  end\r\nis near.")


def test_web_pages_have_no_such_places():
    assert read_bytes(b"<p>A.</p>", source="x", format="html").source_text is None


def test_the_text_of_a_file_holds_nothing_that_cannot_be_encoded():
    page = read_bytes(b"A\x00 b.", source="x", format="text")
    assert page.source_text == "A\ufffd b."


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\n\x0c\u2028\U0001f600\u0301"), max_size=30
    ),
    data=st.data(),
)
def test_a_place_of_a_client_is_found_and_what_is_no_place_is_the_one_before(encoding, text, data):
    positions = SourcePositions(text, encoding=encoding)
    lines = re.split("\r\n|\r|\n", text)
    line = data.draw(st.integers(0, len(lines) + 1))
    column = data.draw(st.integers(0, 130))
    found = positions.place_of(line, column)
    if line >= len(lines):
        assert found == len(text)
        return
    codec, size = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[encoding]
    before = lines[line].encode(codec)[: column * size].decode(codec, errors="ignore")
    start = [0, *(end.end() for end in re.finditer("\r\n|\r|\n", text))][line]
    assert found == start + len(before)


@pytest.mark.parametrize(("encoding", "column", "length"), [("utf-8", 9, 6), ("utf-16", 6, 3), ("utf-32", 5, 2)])
def test_regions_in_other_encodings(encoding, column, length):
    source = "a\r\ne\u0301👍 é👍"
    region = SourcePositions(source, encoding=encoding).region(6, 8)
    assert (region.start_line, region.start_column, region.length) == (2, column, length)
