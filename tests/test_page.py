"""page.py: the text that a reader sees, and the way back to the source."""

import re
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.reading.page import (
    KINDS,
    LINE_BREAK,
    REGIONS,
    Fragment,
    HeadingPath,
    PageBuilder,
    fold_white_space,
    line_starts,
    replace_unencodable,
)

# --- folding --------------------------------------------------------------------------------------------------

FOLDED = {
    "runs of spaces": (["a   b"], "a b"),
    "tabs and newlines": (["a\t\n\r b"], "a b"),
    "both ends": (["  a b\n"], "a b"),
    "no-break space": (["2.5\u00a0mg"], "2.5 mg"),
    "narrow no-break space": (["20\u202f%"], "20 %"),
    "line separator": (["a\u2028b"], "a b"),
    "zero-width space": (["ket\u200bamine"], "ketamine"),
    "soft hyphen": (["treat\u00adment"], "treatment"),
    "byte-order mark": (["\ufeffTitle"], "Title"),
    "word joiner": (["a\u2060b"], "ab"),
    "joiner between Latin letters": (["a\u200db"], "ab"),
    "joiner in an emoji": (["👩\u200d⚕️ doctor"], "👩\u200d⚕️ doctor"),
    "joiners of a family": (["👨\u200d👩\u200d👧"], "👨\u200d👩\u200d👧"),
    "joiner without a partner": (["👩\u200d"], "👩"),
    "joiner before a letter": (["👩\u200da"], "👩a"),
    "non-joiner in Persian": (["می\u200cخواهم"], "می\u200cخواهم"),
    "two joiners in a row": (["👩\u200d\u200d⚕"], "👩⚕"),
    "invisible between spaces": (["a \u200b b"], "a b"),
    "invisible at the ends": (["\u200ba\u200b"], "a"),
    "nothing visible": (["\u200b \u00ad\n"], ""),
    "no fragments": ([], ""),
    "fragments touch": (["ab", "cd"], "abcd"),
    "fragments with space": (["ab ", " cd"], "ab cd"),
    "line break": (["a", LINE_BREAK, "b"], "a\nb"),
    "line break with spaces": (["a ", LINE_BREAK, " b"], "a\nb"),
    "two line breaks": (["a", LINE_BREAK, " ", LINE_BREAK, "b"], "a\nb"),
    "line breaks at the ends": ([LINE_BREAK, "a", LINE_BREAK], "a"),
    "a newline is no line break": (["a", "\n", "b"], "a b"),
}


@pytest.mark.parametrize(("parts", "expected"), FOLDED.values(), ids=FOLDED.keys())
def test_white_space_is_folded(parts, expected):
    fragments = [part if part is LINE_BREAK else Fragment(part) for part in parts]
    assert fold_white_space(fragments) == (expected, [])


def test_an_equal_fragment_is_not_the_line_break():
    assert Fragment("\n") == LINE_BREAK
    assert fold_white_space([Fragment("a"), Fragment("\n"), Fragment("b")])[0] == "a b"


def test_segments_are_the_stretches_that_need_no_folding():
    source = "xx One two  three\u200bfour"
    text, segments = fold_white_space([Fragment(source[3:], 3)])
    assert text == "One two threefour"
    assert segments == [(0, 3, 7), (8, 12, 5), (13, 18, 4)]


def test_a_fragment_of_unknown_place_makes_no_segment():
    text, segments = fold_white_space([Fragment("a ", 0), Fragment("b"), Fragment(" c", 9)])
    assert text == "a b c"
    assert segments == [(0, 0, 1), (4, 10, 1)]


PIECES = st.text(st.sampled_from("ab.é😀 \t\n\u00a0\u00ad\u200b\u2060\ufeff"), max_size=12)


@given(st.lists(st.tuples(PIECES, st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_folding_agrees_with_a_plain_reading_and_maps_back(pieces):
    source, fragments, marked, known = "", [], "", ""
    for text, is_known, breaks in pieces:
        fragments.append(Fragment(text, len(source) if is_known else None))
        source += text
        marked += text
        known += text if is_known else ""
        if breaks:
            fragments.append(LINE_BREAK)
            marked += "\x00"
    visible = re.sub("[\u00ad\u200b\u2060\ufeff]", "", marked)
    expected = re.sub(r"\s*\x00[\s\x00]*", "\n", re.sub(r"\s+", " ", visible)).strip()
    text, segments = fold_white_space(fragments)
    assert text == expected
    assert all(length > 0 for _, _, length in segments)
    assert [text[at : at + length] for at, _, length in segments] == [
        source[at : at + length] for _, at, length in segments
    ]
    ends = [0, *(at + length for at, _, length in segments)]
    assert all(at >= end for (at, _, _), end in zip(segments, ends, strict=False))
    # Every visible character of known place is in a segment.
    mapped = "".join(text[at : at + length] for at, _, length in segments)
    assert re.sub(r"\s", "", mapped) == re.sub("[\\s\u00ad\u200b\u2060\ufeff]", "", known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a\x00b", "a\ufffdb"), ("\ud83d", "\ufffd"), ("\udfff\ud800", "\ufffd\ufffd"), ("😀\x01", "😀\x01"), ("", "")],
)
def test_nul_and_lone_surrogates_are_replaced(text, expected):
    assert replace_unencodable(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", [0]), ("a", [0]), ("a\nb", [0, 2]), ("a\n\nb\n", [0, 2, 3, 5]), ("a\u2028b\rc", [0]), ("😀\nb", [0, 2])],
)
def test_lines_start_behind_line_feeds(text, expected):
    assert line_starts(text) == expected


# --- heading paths --------------------------------------------------------------------------------------------


def paths(*entries):
    """Return the path of each (kind, region, level, text)."""
    outline = HeadingPath()
    return [outline.enter(kind=kind, region=region, level=level, text=text) for kind, region, level, text in entries]


def heading(level, text, region="main"):
    return ("heading", region, level, text)


def paragraph(region="main"):
    return ("paragraph", region, None, "text")


def test_headings_stand_under_higher_headings():
    assert paths(
        heading(1, "A"), heading(2, "B"), paragraph(), heading(3, "C"), paragraph(), heading(2, "D"), paragraph()
    ) == [(), ("A",), ("A", "B"), ("A", "B"), ("A", "B", "C"), ("A",), ("A", "D")]


def test_nothing_stands_above_the_first_heading():
    assert paths(paragraph(), heading(2, "A"), paragraph()) == [(), (), ("A",)]


def test_skipped_levels_leave_no_hole():
    assert paths(heading(1, "A"), heading(4, "B"), paragraph(), heading(2, "C"), heading(3, "D"), paragraph()) == [
        (),
        ("A",),
        ("A", "B"),
        ("A",),
        ("A", "C"),
        ("A", "C", "D"),
    ]


def test_a_higher_heading_than_the_first_begins_anew():
    assert paths(heading(3, "A"), heading(1, "B"), paragraph()) == [(), (), ("B",)]


def test_each_region_has_its_own_outline():
    assert paths(
        heading(1, "A"),
        paragraph("footer"),
        heading(2, "F", "footer"),
        paragraph("footer"),
        paragraph(),
        paragraph("nav"),
    ) == [(), (), (), ("F",), ("A",), ()]


def test_a_title_in_the_text_counts_as_level_one():
    assert paths(("title", "main", None, "T"), heading(2, "A"), paragraph(), heading(1, "B"), paragraph()) == [
        (),
        ("T",),
        ("T", "A"),
        (),
        ("B",),
    ]


def test_a_title_in_the_metadata_heads_nothing():
    entries = [("title", "metadata", None, "T"), ("description", "metadata", None, "D"), paragraph()]
    assert paths(*entries) == [(), (), ()]


def test_a_heading_without_level_is_the_lowest():
    assert paths(heading(5, "A"), heading(None, "B"), paragraph(), heading(6, "C"), paragraph()) == [
        (),
        ("A",),
        ("A", "B"),
        ("A",),
        ("A", "C"),
    ]


# --- the builder ----------------------------------------------------------------------------------------------


def test_the_builder_fixes_text_offsets_and_paths():
    builder = PageBuilder()
    assert builder.length == 0
    assert builder.add([Fragment(" Pain  relief ", 4)], kind="heading", level=2) == "Pain relief"
    assert builder.length == 11
    added = builder.add([Fragment("It helps.", 30)], kind="list_item", region="aside", hidden=True, selector="li")
    assert added == "It helps."
    builder.add([Fragment("End")], kind="paragraph")
    page = builder.build(source="s", sha256="h", title="t", encoding="utf-8", notes=["n"])
    assert page.text == "Pain relief\n\nIt helps.\n\nEnd"
    assert (page.source, page.sha256, page.title, page.encoding, page.notes) == ("s", "h", "t", "utf-8", ("n",))
    assert [(block.index, block.start, block.end) for block in page.blocks] == [(0, 0, 11), (1, 13, 22), (2, 24, 27)]
    assert [block.kind for block in page.blocks] == ["heading", "list_item", "paragraph"]
    assert [block.region for block in page.blocks] == ["main", "aside", "main"]
    assert [block.level for block in page.blocks] == [2, None, None]
    assert [block.hidden for block in page.blocks] == [False, True, False]
    assert [block.selector for block in page.blocks] == [None, "li", None]
    assert [block.heading_path for block in page.blocks] == [(), (), ("Pain relief",)]
    assert [(s.start, s.source_start, s.length) for s in page.segments] == [(0, 5, 4), (5, 11, 6), (13, 30, 9)]


@pytest.mark.parametrize("nothing", [[], [Fragment("")], [Fragment(" \n\u200b")], [LINE_BREAK]])
def test_a_block_without_visible_characters_is_not_added(nothing):
    builder = PageBuilder()
    assert builder.add(nothing, kind="heading", level=1) == ""
    assert builder.length == 0
    builder.add([Fragment("a")], kind="paragraph")
    assert builder.add(nothing, kind="heading", level=1) == ""
    builder.add([Fragment("b")], kind="paragraph")
    page = builder.build(source="", sha256="", title=None, encoding="")
    assert page.text == "a\n\nb"
    assert [(block.index, block.heading_path) for block in page.blocks] == [(0, ()), (1, ())]


def test_a_page_of_nothing():
    page = PageBuilder().build(source="", sha256="", title=None, encoding="")
    assert (page.text, page.blocks, page.segments) == ("", (), ())


def test_pages_cannot_be_changed():
    page = PageBuilder().build(source="", sha256="", title=None, encoding="")
    with pytest.raises(FrozenInstanceError):
        page.text = "other"


def test_the_kinds_and_regions_of_the_corpus_format():
    assert set(KINDS) == set(
        "title description heading paragraph list_item cell button link alt quote caption structured other".split()
    )
    assert set(REGIONS) == {"header", "nav", "main", "aside", "footer", "metadata"}


# --- back to the source ---------------------------------------------------------------------------------------


@pytest.fixture
def mapped():
    """A page of known and unknown stretches: text "One two [alt] three" and "Four"."""
    builder = PageBuilder()
    builder.add([Fragment("One  two ", 10), Fragment("alt"), Fragment(" three", 40)], kind="paragraph")
    builder.add([Fragment("Four", 60)], kind="paragraph")
    return builder.build(source="", sha256="", title=None, encoding="")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One", (10, 13)),
        ("ne", (11, 13)),
        ("two", (15, 18)),
        ("One two", (10, 18)),
        ("two alt three", (15, 46)),
        ("e two alt three\n\nFo", (12, 62)),
        ("Four", (60, 64)),
        ("hree", (42, 46)),
        ("alt", None),
        ("two alt", None),
        ("lt three", None),
        ("alt three", None),
    ],
)
def test_source_span(mapped, text, expected):
    assert mapped.text == "One two alt three\n\nFour"
    start = mapped.text.index(text)
    assert mapped.source_span(start, start + len(text)) == expected


def test_source_span_of_what_touches_a_known_stretch():
    builder = PageBuilder()
    builder.add([Fragment("ab", 5), Fragment("cd"), Fragment("ef", 9)], kind="paragraph")
    page = builder.build(source="", sha256="", title=None, encoding="")
    assert page.text == "abcdef"
    assert [page.source_span(at, at + 1) for at in range(6)] == [(5, 6), (6, 7), None, None, (9, 10), (10, 11)]


def test_source_span_without_any_segment():
    builder = PageBuilder()
    builder.add([Fragment("One")], kind="paragraph")
    assert builder.build(source="", sha256="", title=None, encoding="").source_span(0, 3) is None
