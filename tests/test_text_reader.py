"""text_reader.py: plain text and Markdown, and the way back to their source."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.language.sentences import split_page
from mdclaims.reading import read_bytes
from mdclaims.reading.text_reader import blocks_on_blank_lines


def read(text, format):
    return read_bytes(text.encode("utf-8"), source="draft", format=format)


def blocks(text, format):
    """Return (kind, text) of each block."""
    page = read(text, format)
    return [(block.kind, page.text[block.start : block.end]) for block in page.blocks]


# --- plain text -----------------------------------------------------------------------------------------------

WRAPPED = (
    "We see new patients within a week and we explain every\n"
    "step of the plan before anything at all is done to you\n"
    "or your knee.\n"
)
FLAT = WRAPPED.replace("\n", " ").strip()

PLAIN = {
    "a paragraph": ("We care.\n", [("paragraph", "We care.")]),
    "no line feed at the end": ("We care.", [("paragraph", "We care.")]),
    "paragraphs": ("One is here.\n\n\nTwo is here.\n", [("paragraph", "One is here."), ("paragraph", "Two is here.")]),
    "blank lines of spaces": ("One is.\n \t\nTwo is.", [("paragraph", "One is."), ("paragraph", "Two is.")]),
    "title and heading": (
        "Calder Clinic\n\nKnee pain\n\nWe treat knees.\n",
        [("title", "Calder Clinic"), ("heading", "Knee pain"), ("paragraph", "We treat knees.")],
    ),
    "title right above its paragraph": (
        "Calder Clinic\nWe treat knees and hips.\n",
        [("title", "Calder Clinic"), ("paragraph", "We treat knees and hips.")],
    ),
    "a question heads": (
        "We care.\n\nIs it safe?\n\nIt is.\n",
        [("paragraph", "We care."), ("heading", "Is it safe?"), ("paragraph", "It is.")],
    ),
    "a sentence does not head": ("It is safe.\n\nIt is.", [("paragraph", "It is safe."), ("paragraph", "It is.")]),
    "figures do not head": ("2024\n\nIt is.", [("paragraph", "2024"), ("paragraph", "It is.")]),
    "too long to head": (
        " ".join(["word"] * 17) + "\n\nIt is.",
        [("paragraph", " ".join(["word"] * 17)), ("paragraph", "It is.")],
    ),
    "the last line does not head": (
        "It is.\n\nCalder Clinic\n",
        [("paragraph", "It is."), ("paragraph", "Calder Clinic")],
    ),
    "one word": ("Hello", [("paragraph", "Hello")]),
    "a wrapped paragraph": (WRAPPED, [("paragraph", FLAT)]),
    "a wrapped paragraph under a blank line": ("Our way\n\n" + WRAPPED, [("title", "Our way"), ("paragraph", FLAT)]),
    "lines of their own": (
        "Knees ache for many reasons.\nWe look at all of them.\n",
        [("paragraph", "Knees ache for many reasons."), ("paragraph", "We look at all of them.")],
    ),
    "short lines": (
        "Botox\nLaser hair removal\nDermal fillers\n",
        [("list_item", "Botox"), ("list_item", "Laser hair removal"), ("list_item", "Dermal fillers")],
    ),
    "items": ("- One\n- Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "indented items": ("  - One\n    - Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "a heading above items": (
        "Our care\n- One\n- Two\n",
        [("title", "Our care"), ("list_item", "One"), ("list_item", "Two")],
    ),
    "a sentence above items": ("We offer these.\n- One\n", [("paragraph", "We offer these."), ("list_item", "One")]),
    "two lines above items": (
        "Knees ache\nand hips too\n- One\n",
        [("paragraph", "Knees ache and hips too"), ("list_item", "One")],
    ),
    "an item goes on, indented": ("- One is\n  here\n- Two\n", [("list_item", "One is here"), ("list_item", "Two")]),
    "an item goes on in small letters": ("- One is\nhere\n", [("list_item", "One is here")]),
    "a long item goes on": (
        "- This item is so long that its editor had to wrap it\nBefore Monday came.\n",
        [("list_item", "This item is so long that its editor had to wrap it Before Monday came.")],
    ),
    "a line behind items": (
        "- One\n- Two\nCall us.\n",
        [("list_item", "One"), ("list_item", "Two"), ("paragraph", "Call us.")],
    ),
    "items with blank lines": ("1. One\n\n2. Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "no bullet": (
        "-5 degrees outside.\n1.5 mg is enough.\n",
        [("paragraph", "-5 degrees outside."), ("paragraph", "1.5 mg is enough.")],
    ),
    "CRLF": (
        "Calder Clinic\r\n\r\n- One\r\n- Two\r\n",
        [("title", "Calder Clinic"), ("list_item", "One"), ("list_item", "Two")],
    ),
    "CR": ("One is.\r\rTwo is.", [("paragraph", "One is."), ("paragraph", "Two is.")]),
    "markup is text": ("We **care** <b>much</b> &amp; well.", [("paragraph", "We **care** <b>much</b> &amp; well.")]),
}


@pytest.mark.parametrize(("text", "expected"), PLAIN.values(), ids=PLAIN.keys())
def test_plain_text(text, expected):
    assert blocks(text, "text") == expected


def test_a_wrapped_paragraph_right_under_a_heading():
    assert blocks("Our way\n" + WRAPPED, "text") == [("title", "Our way"), ("paragraph", FLAT)]


@pytest.mark.parametrize(
    "bullet",
    "- * + • ○ ▪ ◦ ‣ – — · ✓ ✔ ✅ ☑ ➤ ★ ⭐ 🔹 1. 12. 2) (3) a. b) (c)".split(),
)
def test_bullets(bullet):
    assert blocks(f"{bullet} It eases pain.\n{bullet}  We care.\n", "text") == [
        ("list_item", "It eases pain."),
        ("list_item", "We care."),
    ]


@pytest.mark.parametrize("bullet", ["✔\ufe0f", "➡\ufe0f", "▶\ufe0f"])
def test_bullets_with_a_variation_selector(bullet):
    assert blocks(f"{bullet} It eases pain.\n{bullet} We care.\n", "text") == [
        ("list_item", "It eases pain."),
        ("list_item", "We care."),
    ]


def test_the_first_heading_of_a_text_is_its_title():
    page = read("Calder Clinic\n\nKnees\n\nWe treat knees.\n\nHips\n\n- Hips too\n", "text")
    assert page.title == "Calder Clinic"
    assert [(page.text[b.start : b.end], b.level, b.heading_path) for b in page.blocks] == [
        ("Calder Clinic", None, ()),
        ("Knees", 2, ("Calder Clinic",)),
        ("We treat knees.", None, ("Calder Clinic", "Knees")),
        ("Hips", 2, ("Calder Clinic",)),
        ("Hips too", None, ("Calder Clinic", "Hips")),
    ]


def test_a_text_that_begins_with_a_paragraph_has_no_title():
    page = read("We care.\n\nKnees\n\nWe treat knees.\n", "text")
    assert page.title is None
    assert [(b.kind, b.level) for b in page.blocks] == [("paragraph", None), ("heading", 2), ("paragraph", None)]


def test_blocks_on_blank_lines_reads_no_layout():
    page = blocks_on_blank_lines("Title\n- One\n- Two\n\n\nIs it?\n")
    assert [(b.kind, page.text[b.start : b.end]) for b in page.blocks] == [
        ("paragraph", "Title - One - Two"),
        ("paragraph", "Is it?"),
    ]
    assert page.source_span(0, 5) == (0, 5)
    assert page.source_span(19, 25) == (20, 26)


def test_blocks_on_blank_lines_of_nothing():
    assert blocks_on_blank_lines(" \n\n").blocks == ()


# --- Markdown -------------------------------------------------------------------------------------------------

MARKDOWN = {
    "paragraphs": ("One\nis here.\n\nTwo.\n", [("paragraph", "One is here."), ("paragraph", "Two.")]),
    "headings": (
        "# One\n\n### Two ###\n\nThree\n-----\n",
        [("heading", "One"), ("heading", "Two"), ("heading", "Three")],
    ),
    "emphasis": ("We *really* **care _a lot_** ~~not~~.\n", [("paragraph", "We really care a lot not.")]),
    "emphasis inside a word": ("pain**less**ly\n", [("paragraph", "painlessly")]),
    "list": ("- One\n- Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "numbered list": ("1. One\n2) Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "nested list": (
        "- One\n  - Two\n    1. Three\n- Four\n",
        [("list_item", "One"), ("list_item", "Two"), ("list_item", "Three"), ("list_item", "Four")],
    ),
    "paragraphs in an item": ("- One\n\n  Two\n", [("list_item", "One"), ("list_item", "Two")]),
    "heading in an item": ("- # One\n  two\n", [("heading", "One"), ("list_item", "two")]),
    "quote": ("> One\n> two\n>\n> Three\n", [("quote", "One two"), ("quote", "Three")]),
    "list in a quote": ("> - One\n", [("list_item", "One")]),
    "table": (
        "| Fee | Note |\n|----|:---:|\n| £40 | per *visit* |\n",
        [("cell", "Fee"), ("cell", "Note"), ("cell", "£40"), ("cell", "per visit")],
    ),
    "link alone": ("[Book now](/book)\n", [("link", "Book now")]),
    "link in a sentence": ("Please [book now](/book 'Book').\n", [("paragraph", "Please book now.")]),
    "reference link": ('See [us][1].\n\n[1]: https://x.example "Us"\n', [("paragraph", "See us.")]),
    "automatic link": ("See <https://x.example>.\n", [("paragraph", "See https://x.example.")]),
    "links in items": ("- [One](a)\n- [Two](b) is\n", [("link", "One"), ("list_item", "Two is")]),
    "image alone": ("![A *smile*](x.png)\n", [("alt", "A smile")]),
    "image in a sentence": ("See ![this](x.png) now.\n", [("paragraph", "See this now.")]),
    "image in a link": ("[![Logo](x.png)](/)\n", [("alt", "Logo")]),
    "inline code": ("Use `code` here.\n", [("paragraph", "Use code here.")]),
    "code is ignored": (
        "One\n\n```html\n<p>no</p>\n```\n\n    no\n\n~~~\nno\n~~~\ntwo\n",
        [("paragraph", "One"), ("paragraph", "two")],
    ),
    "front matter": ("---\ntitle: Knee care\ndraft: true\n---\n# One\n", [("title", "Knee care"), ("heading", "One")]),
    "front matter without text": ("---\nlayout: post\n---\n# One\n", [("heading", "One")]),
    "a shortcode": (
        'We care.\n\n[button text="Book now" link="/book"]\n\n[row a="1"]\n\nDone.\n',
        [("paragraph", "We care."), ("button", "Book now"), ("paragraph", "Done.")],
    ),
    "brackets that are no shortcode": (
        "We care [1] and [see below].\n",
        [("paragraph", "We care [1] and [see below].")],
    ),
    "comments": (
        "One <!-- no --> two\n\n<!-- no\n\nno -->\n\nthree\n",
        [("paragraph", "One two"), ("paragraph", "three")],
    ),
    "rule": ("One\n\n***\n\ntwo\n", [("paragraph", "One"), ("paragraph", "two")]),
    "HTML block": (
        "<div class='x'>\n<h2>One</h2>\n<p>two <a>three</a></p>\n</div>\n\nfour\n",
        [("heading", "One"), ("paragraph", "two three"), ("paragraph", "four")],
    ),
    "script block": ("<script>\nno()\n</script>\n\nyes\n", [("paragraph", "yes")]),
    "HTML in a line": ("One <b>two</b><span class='x'> three</span>\n", [("paragraph", "One two three")]),
    "hard breaks": ("One  \ntwo\\\nthree<br>four\n", [("paragraph", "One\ntwo\nthree\nfour")]),
    "escapes": ("5 \\* 3 \\# 2 \\_x\\_\n", [("paragraph", "5 * 3 # 2 _x_")]),
    "entities": ("Q&amp;A &copy; &#233;\n", [("paragraph", "Q&A © é")]),
    "CRLF": ("# One\r\n\r\ntwo\r\nthree\r\n", [("heading", "One"), ("paragraph", "two three")]),
    "unclosed": ("**One [two](three\n", [("paragraph", "**One [two](three")]),
}


@pytest.mark.parametrize(("text", "expected"), MARKDOWN.values(), ids=MARKDOWN.keys())
def test_markdown(text, expected):
    assert blocks(text, "markdown") == expected


def test_markdown_levels_paths_and_title():
    page = read("## Before\n\n# Calder Clinic\n\n### Knees\n\n- One\n\n# Other\n\ntwo\n", "markdown")
    assert page.title == "Calder Clinic"
    assert [(page.text[b.start : b.end], b.level, b.heading_path) for b in page.blocks] == [
        ("Before", 2, ()),
        ("Calder Clinic", 1, ()),
        ("Knees", 3, ("Calder Clinic",)),
        ("One", None, ("Calder Clinic", "Knees")),
        ("Other", 1, ()),
        ("two", None, ("Other",)),
    ]
    assert {block.region for block in page.blocks} == {"main"}


def test_markdown_without_a_first_level_heading_has_no_title():
    assert read("## One\n\ntwo\n", "markdown").title is None


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("# Relief for *everyone*!", "Relief for everyone!"),
        ("# Pain<br>relief", "Pain relief"),
        ("# A [b](c)d", "A bd"),
    ],
)
def test_the_markdown_title_is_the_text_of_its_heading(heading, title):
    assert read(heading, "markdown").title == title


@pytest.mark.parametrize(
    "text", ["> " * 25 + "deep", "".join("  " * n + f"- item {n}\n" for n in range(12)) + "  " * 12 + "- deep"]
)
def test_deeply_nested_markdown_keeps_its_text(text):
    assert read("Intro\n\n" + text + "\n", "markdown").text.endswith("deep")


# --- back to the source ---------------------------------------------------------------------------------------


def in_source(page, source, start, end):
    """Return what stands in the source where ``page.text[start:end]`` was found."""
    span = page.source_span(start, end)
    assert span is not None, page.text[start:end]
    return source[slice(*span)]


TEXT_SOURCE = """\ufeffCalder Clinic

  Our  care\u00a0team
- We ease pain.  It\u200b works 😀 well.
  And it lasts.
• No downtime\ttoday

One line of a paragraph that is wrapped by its editor at
about sixty characters. It goes on here, as one would see it
in a mail. Done.
"""


@pytest.mark.parametrize("end_of_line", ["\n", "\r\n"])
def test_sentences_of_plain_text_stand_in_the_source(nlp, end_of_line):
    data = TEXT_SOURCE.replace("\n", end_of_line).encode("utf-8")
    page = read_bytes(data, source="draft", format="text")
    # Offsets count the decoded text: without its byte-order mark, lines ended by a line feed alone.
    source = TEXT_SOURCE.removeprefix("\ufeff")
    sentences = split_page(page, nlp)
    assert len(sentences) == 9
    for sentence in sentences:
        found = in_source(page, source, sentence.start, sentence.end)
        assert " ".join(found.replace("\u200b", "").split()) == " ".join(sentence.text.split())
    words = list(re.finditer(r"\S+", page.text))
    assert len(words) > 40
    for word in words:
        assert in_source(page, source, *word.span()).replace("\u200b", "") == word.group()


MARKDOWN_SOURCE = """---
slug: no relief
---
# Relief for *your* knee

We **ease** pain [without pain](/pain "pain") and pain. It works, works
and *works* [again][ref]. See ![relief](relief.png "relief") here.

> - We `ease` it.\x20\x20
>   We ease it again <b>and</b> again.

| pain | relief |
|------|--------|
| pain | relief 😀 pain |

1. [relief](relief) (relief)

[ref]: /again "again"
"""


@pytest.mark.parametrize("end_of_line", ["\n", "\r\n"])
def test_words_of_markdown_stand_in_the_source(end_of_line):
    page = read_bytes(MARKDOWN_SOURCE.replace("\n", end_of_line).encode("utf-8"), source="draft", format="markdown")
    words = list(re.finditer(r"\w+", page.text))
    assert len(words) > 35
    spans = []
    for word in words:
        assert in_source(page, MARKDOWN_SOURCE, *word.span()) == word.group()
        spans.append(page.source_span(*word.span()))
    assert spans == sorted(set(spans))  # in reading order, and none found twice
    # Nothing is found in the addresses, titles and settings of the front matter.
    concealed = [
        match.span() for match in re.finditer(r"\]\([^)]*\)|\]\[ref\]|\[ref\]:.*|^---\n.*\n---", MARKDOWN_SOURCE)
    ]
    assert len(concealed) == 6
    assert not [span for span in spans for start, end in concealed if start < span[1] and span[0] < end]


@pytest.mark.parametrize(
    "source",
    [
        "[a](/pain)pain\n",
        "[a](/x(pain)pain)pain\n",
        "[a](/x 'pain)')pain\n",
        "[a](</x pain>)pain\n",
        "[a][pain]pain\n\n[pain]: /x\n",
        "![a](/pain)pain\n",
        "<b title='pain'>a</b>pain\n",
        "a<!-- pain -->pain\n",
    ],
)
def test_text_is_not_found_in_what_a_link_or_tag_conceals(source):
    page = read(source, "markdown")
    text = " ".join(page.text.split())
    assert text in {"apain", "a pain"}
    paragraph = source.split("\n")[0]
    assert page.source_span(len(page.text) - 4, len(page.text)) == (len(paragraph) - 4, len(paragraph))


def test_sentences_of_markdown_begin_and_end_in_the_source(nlp):
    page = read(MARKDOWN_SOURCE, "markdown")
    sentences = split_page(page, nlp)
    found = [in_source(page, MARKDOWN_SOURCE, sentence.start, sentence.end) for sentence in sentences]
    assert found == [
        "Relief for *your* knee",
        'We **ease** pain [without pain](/pain "pain") and pain.',
        "It works, works\nand *works* [again][ref].",
        'See ![relief](relief.png "relief") here.',
        "We `ease` it.",
        "We ease it again <b>and</b> again.",
        "pain",
        "relief",
        "pain",
        "relief 😀 pain",
        "relief](relief) (relief)",
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("We ease 5 \\* 3 pains.\n", "We ease 5 \\* 3 pains."),
        ("Q&amp;A on pain.\n", "Q&amp;A on pain."),
        ("We ease pain &mdash; fast.\n", "We ease pain &mdash; fast."),
    ],
)
def test_sentences_with_escapes_stand_in_the_source(nlp, source, expected):
    page = read(source, "markdown")
    sentences = split_page(page, nlp)
    assert len(sentences) == 1
    assert in_source(page, source, sentences[0].start, sentences[0].end) == expected


LINES = st.lists(
    st.text(st.sampled_from("ab A.é😀\t\u00a0\u200b-•1)*"), max_size=20), min_size=1, max_size=8
).map("\n".join)  # fmt: skip


@given(LINES)
def test_any_plain_text_maps_back(text):
    source = "start\n\n" + text
    page = read(source, "text")
    visible = list(re.finditer(r"\S", page.text))
    assert len(visible) >= 5
    for character in visible:
        assert in_source(page, source, *character.span()) == character.group()


@given(LINES)
def test_plain_text_loses_nothing_but_its_bullets(text):
    lines = [line for line in ("start\n\n" + text).replace("\u200b", "").split("\n") if line.strip()]
    expected = [re.sub(r"^\s*(?:[-•*]|\(?\d{1,3}[.)]|\(?a[.)])\s+(?=\S)|\s", "", line) for line in lines]
    shown = re.sub(r"\s", "", read("start\n\n" + text, "text").text)
    assert shown == re.sub(r"\s", "", "".join(expected))
