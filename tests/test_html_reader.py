"""html_reader.py: which blocks a web page is, and where they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from mdclaims.errors import ReadError
from mdclaims.reading import Limits, read_bytes
from mdclaims.reading.page import Unread


def read(markup, **limits):
    return read_bytes(markup.encode("utf-8"), source="page.html", format="html", limits=Limits(**limits))


def text_of(page, block):
    return page.text[block.start : block.end]


def blocks(markup):
    """Return (kind, text) of each block."""
    page = read(markup)
    return [(block.kind, text_of(page, block)) for block in page.blocks]


def regions(markup):
    """Return (region, text) of each block."""
    page = read(markup)
    return [(block.region, text_of(page, block)) for block in page.blocks]


def hidden(markup):
    """Return (hidden, text) of each block."""
    page = read(markup)
    return [(block.hidden, text_of(page, block)) for block in page.blocks]


# --- kinds ----------------------------------------------------------------------------------------------------

KINDS = {
    # links and buttons
    "lone link": ("<p><a href='/b'>Book now</a></p>", [("link", "Book now")]),
    "link in a sentence": ("<p>Please <a>book now</a>, today.</p>", [("paragraph", "Please book now, today.")]),
    "links in a row": ("<p><a>One</a> | <a>Two</a></p>", [("link", "One"), ("link", "Two")]),
    "link in a list item": ("<ul><li><a>Fees</a></li></ul>", [("link", "Fees")]),
    "link in a heading": ("<h2>Our <a>fees</a></h2>", [("heading", "Our fees")]),
    "heading in a link": ("<a><h2>Fees</h2></a>", [("heading", "Fees")]),
    "button class": ("<a class='btn btn-lg'>Book</a>", [("button", "Book")]),
    "cta class": ("<a class='hero-cta'>Book</a>", [("button", "Book")]),
    "button class inside a name": ("<a class='wp-block-button__link'>Book</a>", [("button", "Book")]),
    "no button class": ("<a class='buttoned'>Book</a>", [("link", "Book")]),
    "button role": ("<div role='button'>Book</div>", [("button", "Book")]),
    "link with button role": ("<a role='button'>Book</a>", [("button", "Book")]),
    "button": ("<button>Book <b>now</b></button>", [("button", "Book now")]),
    "button with words and an icon": (
        "<button><img alt='Lens'>Search</button>",
        [("button", "Lens Search")],
    ),
    "button behind a sentence": (
        "<p>We care. <a class='btn'>Book</a></p>",
        [("paragraph", "We care."), ("button", "Book")],
    ),
    "button in a sentence": ("<p>We <button>really</button> care.</p>", [("paragraph", "We really care.")]),
    # forms
    "submit input": ("<input type='submit' value='Send'>", [("button", "Send")]),
    "button inputs": ("<input type=BUTTON value=A><input type=reset value=B>", [("button", "A"), ("button", "B")]),
    "image input": ("<input type='image' alt='Go'>", [("button", "Go")]),
    "placeholder": (
        "<input placeholder='Your name'><input type='email' placeholder='Your e-mail'>",
        [("other", "Your name"), ("other", "Your e-mail")],
    ),
    "a field's value is the visitor's": ("<p>a</p><input value='Smith'>", [("paragraph", "a")]),
    "hidden and ticked inputs": (
        "<p>a</p><input type=hidden value=h placeholder=p><input type=radio value=r>",
        [("paragraph", "a")],
    ),
    "textarea's prompt": ("<textarea placeholder='Your message'></textarea>", [("other", "Your message")]),
    "options": ("<select><option>Knee</option><option>Hip</select>", [("other", "Knee"), ("other", "Hip")]),
    "label and field": ("<label>Name <input placeholder='Jo'></label>", [("other", "Name"), ("other", "Jo")]),
    # images
    "image alone": ("<img src='x' alt='Before and after'>", [("alt", "Before and after")]),
    "image in text": ("<p>See <img alt='this'> now.</p>", [("paragraph", "See this now.")]),
    "image before text": ("<p><img alt='A smile'>We care.</p>", [("alt", "A smile"), ("paragraph", "We care.")]),
    "image in a link": ("<p><a><img alt='Logo'></a></p>", [("alt", "Logo")]),
    "image without alt": ("<p>a<img alt=''><img></p>", [("paragraph", "a")]),
    "image in a heading": ("<h1><img alt='Calder Clinic'></h1>", [("heading", "Calder Clinic")]),
    "figure": ("<figure><img alt='A'><figcaption>B</figcaption></figure>", [("alt", "A"), ("caption", "B")]),
    # lists
    "list": ("<ul><li>One<li>Two</ul>", [("list_item", "One"), ("list_item", "Two")]),
    "paragraphs in an item": ("<li><p>One</p><p>Two</p></li>", [("list_item", "One"), ("list_item", "Two")]),
    "list in an item": (
        "<ul><li>One<ul><li>Two</li></ul>three</li></ul>",
        [("list_item", "One"), ("list_item", "Two"), ("list_item", "three")],
    ),
    "heading in an item": ("<ol><li><h3>One</h3><p>Two</p></li></ol>", [("heading", "One"), ("list_item", "Two")]),
    "definitions": ("<dl><dt>T<dd>D</dl>", [("list_item", "T"), ("list_item", "D")]),
    # tables
    "data cells": ("<table><tr><th>Fee</th><td>£40</td></tr></table>", [("cell", "Fee"), ("cell", "£40")]),
    "a paragraph in a cell": ("<table><tr><td><p>£40</p></td></tr></table>", [("cell", "£40")]),
    "layout cell": (
        "<table><tr><td><h2>A</h2><p>B</p></td><td>C</td></tr></table>",
        [("heading", "A"), ("paragraph", "B"), ("cell", "C")],
    ),
    "table caption": (
        "<table><caption>Fees</caption><tr><td>1</td></tr></table>",
        [("caption", "Fees"), ("cell", "1")],
    ),
    # other elements
    "headings": ("<h1>A</h1><h6>B</h6>", [("heading", "A"), ("heading", "B")]),
    "heading role": ("<div role='heading' aria-level='3'>A</div>", [("heading", "A")]),
    "summary": (
        "<details open><summary>Why?</summary><p>So.</p></details>",
        [("heading", "Why?"), ("paragraph", "So.")],
    ),
    "quote": ("<blockquote><p>Good.</p><p>Very.</p></blockquote>", [("quote", "Good."), ("quote", "Very.")]),
    "quote in a line": ("<p>He said <q>good</q>.</p>", [("paragraph", "He said good.")]),
    "address": ("<address>1 Hill St</address>", [("other", "1 Hill St")]),
    "div": ("<div>One<div>Two</div>three</div>", [("paragraph", "One"), ("paragraph", "Two"), ("paragraph", "three")]),
    "text in the body": ("One<p>Two</p>three", [("paragraph", "One"), ("paragraph", "Two"), ("paragraph", "three")]),
    "preformatted": ("<pre>One  a\n two</pre>", [("other", "One a\ntwo")]),
    # line breaks
    "line break": ("<p>One<br>two<br/>three</p>", [("paragraph", "One\ntwo\nthree")]),
    "two line breaks": ("<p>One<br><br>two</p>", [("paragraph", "One"), ("paragraph", "two")]),
    "line breaks with space between": (
        "<div>One<br> &nbsp;<br>two</div>",
        [("paragraph", "One"), ("paragraph", "two")],
    ),
    "image between line breaks": ("<p>One<br><img alt='x'><br>two</p>", [("paragraph", "One\nx\ntwo")]),
    "line break in a heading": ("<h1>Pain<br>relief</h1>", [("heading", "Pain relief")]),
    "two line breaks in a heading": ("<h1>Pain<br><br>relief</h1>", [("heading", "Pain relief")]),
    "line break at the end": ("<p>One<br></p><p>two</p>", [("paragraph", "One"), ("paragraph", "two")]),
    # inline elements and text
    "inline elements": ("<p>Pain<b>less</b> <i>and</i> safe</p>", [("paragraph", "Painless and safe")]),
    "touching spans": ("<p><span>01</span><span>Care</span></p>", [("paragraph", "01 Care")]),
    "letters in spans": ("<h1><span>C</span><span>a</span><span>r</span><span>e</span></h1>", [("heading", "Care")]),
    "entities": ("<p>Q&amp;A &lt;3 &eacute;&#233;&nbsp;x</p>", [("paragraph", "Q&A <3 éé x")]),
    "zero and surrogate entities": ("<p>a&#0;b&#xD800;</p>", [("paragraph", "a\ufffdb\ufffd")]),
    "white space": ("<p>\n  One\n\ttwo&nbsp; </p>", [("paragraph", "One two")]),
    "title and h1 agree": ("<title>A</title><h1>A</h1>", [("title", "A"), ("heading", "A")]),
    # not text
    "script and style": ("<style>p{}</style><script>no()</script><p>yes</p>", [("paragraph", "yes")]),
    "svg and math": (
        "<p>yes</p><svg><title>no</title><text>no</text></svg><math><mi>x</mi></math>",
        [("paragraph", "yes")],
    ),
    "template and canvas": ("<template><p>no</p></template><canvas>no</canvas><p>yes</p>", [("paragraph", "yes")]),
    "embedded": ("<iframe>no</iframe><object>no</object><video>no</video><p>yes</p>", [("paragraph", "yes")]),
    "comments": ("<p>y<!-- no -->es</p><!-- <p>no</p> -->", [("paragraph", "yes")]),
    # broken
    "unclosed": ("<p>One<b>two<p>three", [("paragraph", "Onetwo"), ("paragraph", "three")]),
    "crossed": ("<p><b>One<i>two</b>three</i></p>", [("paragraph", "Onetwothree")]),
    "stray ends": ("</div><p>One</span></p></p></body>two", [("paragraph", "One"), ("paragraph", "two")]),
    "cell without table": ("<td>One</td>", [("paragraph", "One")]),
    "half a tag": ("<p>One</p><a href='", [("paragraph", "One")]),
    "lonely angle": ("<p>5 < 6 and 7 > 6</p>", [("paragraph", "5 < 6 and 7 > 6")]),
    "attribute twice": ("<a class='btn' class='x'>Go</a>", [("button", "Go")]),
    "fragment": ("just text", [("paragraph", "just text")]),
}


@pytest.mark.parametrize(("markup", "expected"), KINDS.values(), ids=KINDS.keys())
def test_blocks(markup, expected):
    assert blocks(markup) == expected


def test_an_icon_is_the_text_of_its_button():
    assert blocks("<button><img alt='Search'></button>") == [("button", "Search")]


def test_the_text_typed_into_a_text_area_is_no_paragraph():
    assert blocks("<form><textarea>Dear clinic</textarea></form>") == [("other", "Dear clinic")]


def test_nul_becomes_a_replacement_character():
    page = read("<p>" + "word " * 50 + "a\x00b</p>")
    assert "\x00" not in page.text
    assert page.text.endswith("a\ufffdb")


def test_levels_and_heading_paths():
    page = read(
        "<h1>A</h1><p>a</p><h3>B</h3><p>b</p><h2>C</h2><ul><li>c</li></ul>"
        "<div role='heading' aria-level='3'>D</div><p>d</p><div role='heading'>E</div><p>e</p>"
        "<footer><p>f</p><h4>G</h4><p>g</p></footer>"
    )
    assert [(text_of(page, b), b.level, b.heading_path) for b in page.blocks] == [
        ("A", 1, ()),
        ("a", None, ("A",)),
        ("B", 3, ("A",)),
        ("b", None, ("A", "B")),
        ("C", 2, ("A",)),
        ("c", None, ("A", "C")),
        ("D", 3, ("A", "C")),
        ("d", None, ("A", "C", "D")),
        ("E", 2, ("A",)),
        ("e", None, ("A", "E")),
        ("f", None, ()),
        ("G", 4, ()),
        ("g", None, ("G",)),
    ]


@pytest.mark.parametrize(
    ("written", "level"), [("1", 1), ("6", 6), ("0", 1), ("9", 6), ("", 2), ("x", 2), ("-1", 2), ("²", 2)]
)
def test_aria_levels(written, level):
    assert read(f"<div role='heading' aria-level='{written}'>A</div>").blocks[0].level == level


def test_an_endless_aria_level_is_no_crash():
    assert read(f"<div role='heading' aria-level='{'9' * 5000}'>A</div>").blocks[0].level == 6


def test_a_summary_heads_what_it_opens():
    page = read("<details open><summary>Is it safe?</summary><p>Yes.</p></details>")
    assert [(b.level, b.heading_path) for b in page.blocks] == [(6, ()), (None, ("Is it safe?",))]


# --- regions --------------------------------------------------------------------------------------------------

REGIONS = {
    "landmarks": (
        "<header>A</header><nav>B</nav><main>C</main><aside>D</aside><footer>E</footer><p>F</p>",
        [("header", "A"), ("nav", "B"), ("main", "C"), ("aside", "D"), ("footer", "E"), ("main", "F")],
    ),
    "nested landmarks": (
        "<header><p>A</p><nav><ul><li>B</li></ul></nav>C</header>",
        [("header", "A"), ("nav", "B"), ("header", "C")],
    ),
    "header in main": ("<main><header>A</header>B</main>", [("main", "A"), ("main", "B")]),
    "header of a section": ("<section><header>A</header></section>", [("main", "A")]),
    "footer of an article": ("<article><footer>A</footer></article>", [("main", "A")]),
    "footer in main is the page's": ("<main>A<footer>B</footer></main>", [("main", "A"), ("footer", "B")]),
    "roles": (
        "<div role=banner>A</div><div role=navigation>B</div><div role=main>C</div>"
        "<div role=complementary>D</div><div role=contentinfo>E</div>",
        [("header", "A"), ("nav", "B"), ("main", "C"), ("aside", "D"), ("footer", "E")],
    ),
    "classes": (
        "<div class='x site-header'>A</div><ul class='main-menu'><li>B</li></ul><div class='sidebar'>C</div>"
        "<div class='Site-Footer'>D</div>",
        [("header", "A"), ("nav", "B"), ("aside", "C"), ("footer", "D")],
    ),
    "ids": (
        "<div id=header>A</div><div id=nav>B</div><div id=secondary>C</div><div id=footer>D</div>",
        [("header", "A"), ("nav", "B"), ("aside", "C"), ("footer", "D")],
    ),
    "parts of cards": (
        "<div class='card-header'>A</div><div class='card-footer'>B</div><div class='navy'>C</div>",
        [("main", "A"), ("main", "B"), ("main", "C")],
    ),
    "a named header in an article": ("<article><div class='header'>A</div></article>", [("main", "A")]),
    "a menu in the header": ("<header>A<div class='menu'>B</div></header>", [("header", "A"), ("nav", "B")]),
    "a copyright line in the sidebar": ("<aside><div class='copyright'>A</div></aside>", [("aside", "A")]),
    "a link and its region": ("<nav><a>A</a></nav><p><a>B</a></p>", [("nav", "A"), ("main", "B")]),
}


@pytest.mark.parametrize(("markup", "expected"), REGIONS.values(), ids=REGIONS.keys())
def test_regions(markup, expected):
    assert regions(markup) == expected


# --- hidden ---------------------------------------------------------------------------------------------------

HIDDEN = {
    "hidden attribute": ("<p hidden>A</p><p>B</p>", [(True, "A"), (False, "B")]),
    "display none": ("<p style='color:red; DISPLAY : none'>A</p>", [(True, "A")]),
    "visibility hidden": ("<p style='visibility:hidden'>A</p>", [(True, "A")]),
    "display none as part of a word": ("<p style='x-display:none'>A</p>", [(False, "A")]),
    "display block": ("<p style='display:block'>A</p>", [(False, "A")]),
    "aria-hidden": ("<div aria-hidden='true'>A</div><div aria-hidden='false'>B</div>", [(True, "A"), (False, "B")]),
    "aria-hidden icon": ("<p><span aria-hidden='true'>★</span> A</p>", [(False, "★ A")]),
    "inherited": (
        "<div hidden><p>A</p><a>B</a><img alt='C'><input placeholder='D'></div>E",
        [(True, "A"), (True, "B"), (True, "C"), (True, "D"), (False, "E")],
    ),
    "within a sentence": ("<p>A <span hidden>B</span> C</p>", [(False, "A"), (True, "B"), (False, "C")]),
    "hidden field": ("<input placeholder='A' style='display:none'>", [(True, "A")]),
    "noscript": ("<body><noscript><p>A</p></noscript><p>B</p>", [(True, "A"), (False, "B")]),
    "closed dialog": ("<dialog>A</dialog><dialog open>B</dialog>", [(True, "A"), (False, "B")]),
    "open details": ("<details open><summary>A</summary><p>B</p></details>", [(False, "A"), (False, "B")]),
}


@pytest.mark.parametrize(("markup", "expected"), HIDDEN.values(), ids=HIDDEN.keys())
def test_hidden(markup, expected):
    assert hidden(markup) == expected


def test_closed_details_hide_all_but_their_summary():
    markup = "<details><summary>A</summary><p>B</p></details><p>C</p>"
    assert hidden(markup) == [(False, "A"), (True, "B"), (False, "C")]


# --- metadata -------------------------------------------------------------------------------------------------


def test_metadata_comes_first_and_once():
    page = read(
        "<title> Pain &amp; relief </title>"
        "<meta property='og:title' content='pain & RELIEF'><meta name='twitter:title' content='Other title'>"
        "<meta property='og:description' content='We help.'><meta name='Description' content='We help. '>"
        "<meta name='keywords' content='pain, relief'><meta name='author' content='no'>"
        "<meta name='description' content=''><p>Body</p>"
    )
    assert page.title == "Pain & relief"
    assert [(b.kind, b.region, text_of(page, b)) for b in page.blocks] == [
        ("title", "metadata", "Pain & relief"),
        ("title", "metadata", "Other title"),
        ("description", "metadata", "We help."),
        ("structured", "metadata", "pain, relief"),
        ("paragraph", "main", "Body"),
    ]
    assert page.blocks[-1].heading_path == ()


def test_a_page_without_title_takes_the_one_for_sharing():
    assert read("<meta property='og:title' content='Shared'><p>a</p>").title == "Shared"
    assert read("<title> </title><p>a</p>").title is None


def test_the_title_of_a_drawing_is_not_the_page_s():
    page = read("<svg><title>Icon</title></svg><title>Clinic</title><p>a</p>")
    assert page.title == "Clinic"
    assert "Icon" not in page.text


def json_ld(source):
    """Return the texts of the blocks that one JSON-LD script makes beside a paragraph."""
    page = read(f'<script type="application/ld+json">{source}</script><p>Body</p>')
    found = [text_of(page, block) for block in page.blocks]
    assert found[-1] == "Body"
    assert {(b.kind, b.region) for b in page.blocks[:-1]} <= {("structured", "metadata")}
    return found[:-1]


JSON_LD = {
    "prose": (
        '{"@type": "MedicalClinic", "name": "Calder", "url": "https://x.example", "description": "We help."}',
        ["Calder", "We help."],
    ),
    "order and depth": (
        '{"mainEntity": [{"name": "Safe?", "acceptedAnswer": {"text": "Yes."}}, {"name": "Sure?"}]}',
        ["Safe?", "Yes.", "Sure?"],
    ),
    "list of values": ('{"keywords": ["pain", "relief"]}', ["pain", "relief"]),
    "top-level list": ('[{"name": "A"}, {"name": "B"}]', ["A", "B"]),
    "once": ('[{"name": "A"}, {"name": "a "}]', ["A"]),
    "HTML in a value": ('{"text": "<p>It <b>works</b> &amp; lasts.</p>"}', ["It works & lasts."]),
    "numbers and blanks": ('{"name": 7, "text": "", "description": "123", "headline": null}', []),
    "in a comment": ('<!-- {"name": "A"} -->', ["A"]),
    "line feed in a value": ('{"name": "A\nB"}', ["A B"]),
    "broken": ('{"name": "A",', []),
    "empty": ("", []),
    "deep": ("[" * 100_000, []),
    "not an object": ('"name"', []),
}


@pytest.mark.parametrize(("source", "expected"), JSON_LD.values(), ids=JSON_LD.keys())
def test_json_ld(source, expected):
    assert json_ld(source) == expected


@pytest.mark.parametrize("escape", ["\\ud83d", "\\u0000"])
def test_json_escapes_bring_in_nothing_that_utf_8_cannot_carry(escape):
    assert json_ld(f'{{"name": "a {escape} b"}}') == ["a \ufffd b"]


# --- selectors ------------------------------------------------------------------------------------------------


def test_selectors_are_as_documented():
    page = read("<title>T</title><div><p>A</p><p>B <a>c</a></p><p><a>D</a></p></div>")
    assert [b.selector for b in page.blocks] == [
        "title",
        "html > body > div:nth-of-type(1) > p:nth-of-type(1)",
        "html > body > div:nth-of-type(1) > p:nth-of-type(2)",
        "html > body > div:nth-of-type(1) > p:nth-of-type(3) > a:nth-of-type(1)",
    ]


def assert_selectors_find_their_texts(markup):
    """Every block's selector finds one element, and that element has the block's words in it."""
    page = read(markup)
    tree = LexborHTMLParser(markup)
    assert page.blocks
    for block in page.blocks:
        assert block.selector is not None
        found = tree.css(block.selector)
        assert len(found) == 1, block
        element = found[0]
        shown = " ".join([element.text(), *(value or "" for value in element.attributes.values())])
        for image in element.css("img"):
            shown += " " + (image.attributes.get("alt") or "")
        for word in text_of(page, block).split():
            assert word in shown, (block, shown)


@pytest.mark.parametrize(
    "markup",
    [
        "<title>T</title><meta name=description content=D><meta property='og:title' content=O>",
        "<meta name=keywords content=K><script type='application/ld+json'></script><p>a</p>",
        "<p>a</p><!-- x --><p>b</p><div>c</div><p>d</p>",
        "<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>",
        "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>",
        "<p>One <a>two</a> <img alt=three> four</p><p><a>five</a><a>six</a></p>",
        "<form><input placeholder=a><input type=submit value=b><select><option>c<option>d</select></form>",
        "<p>One<p>two<b><p>three</b>four",
        "<svg><g></g></svg><p>a</p><script>x</script><p>b</p><template><p>no</p></template><p>c</p>",
        "<my-card><p>a</p></my-card><my-card><p>b</p></my-card>",
        "text <span>in</span> the body",
        "<details><summary>a</summary>b</details><dialog>c</dialog>",
    ],
)
def test_selectors_select_exactly_their_element(markup):
    assert_selectors_find_their_texts(markup)


def test_selectors_of_elements_with_a_colon_in_their_name():
    assert_selectors_find_their_texts("<st1:place>Calder Bay</st1:place>")


@pytest.mark.parametrize("markup", ["One <a>two<p>three</p></a>", "<div>One <b><p>two</p></b></div>"])
def test_selectors_of_text_before_a_block_in_an_inline_element(markup):
    assert_selectors_find_their_texts(markup)


TAGS = st.sampled_from("p div ul li a h2 table td tr span b button section br".split())
MARKUP = st.lists(
    st.one_of(
        st.builds("<{}>".format, TAGS),
        st.builds("</{}>".format, TAGS),
        st.integers(0, 999).map("w{}x ".format),
        st.integers(0, 999).map("<img alt='w{}x'>".format),
    ),
    max_size=30,
).map("".join)


@given(MARKUP)
def test_no_word_is_lost_or_doubled(markup):
    markup = "<p>first</p>" + markup
    tree = LexborHTMLParser(markup)
    words = sorted(
        [word for word in tree.text(separator=" ").split() if word.startswith("w")]
        + [image.attributes["alt"] or "" for image in tree.css("img")]
    )
    page = read(markup)
    assert sorted(word for word in page.text.split() if word.startswith("w")) == words


BLOCK_TAGS = st.sampled_from("p div ul li h2 table td tr section blockquote br".split())


@given(
    st.lists(
        st.one_of(
            st.builds("<{}>".format, BLOCK_TAGS),
            st.builds("</{}>".format, BLOCK_TAGS),
            st.integers(0, 999).map("w{}x ".format),
            st.integers(0, 999).map("<b>w{0}x</b> <a>v{0}x</a> ".format),
        ),
        max_size=30,
    ).map("".join)
)
def test_selectors_hold_for_any_nesting_of_blocks(markup):
    assert_selectors_find_their_texts("<p>first</p>" + markup)


# --- depth ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["div", "span", "b", "blockquote", "section", "ul><li"])
def test_deep_nesting_keeps_its_text(tag):
    page = read("<p>top</p>" + f"<{tag}>" * 1500 + "deep")
    assert page.text == "top\n\ndeep"


def test_deep_blocks_have_a_selector():
    page = read("<div>" * 1500 + "deep")
    assert [block.selector for block in page.blocks] == ["html > body" + " > div:nth-of-type(1)" * 1500]


def test_nesting_over_the_limit_is_refused():
    assert read("<div>" * 10 + "a", max_depth=10).text == "a"
    with pytest.raises(ReadError, match=r"nested about 11 elements deep.*max_depth = 10"):
        read("<div>" * 11 + "a", max_depth=10)


def test_the_default_depth_limit_is_named():
    with pytest.raises(ReadError, match=r"max_depth = 2,000"):
        read("<div>" * 2_001 + "a")


def test_many_siblings_are_not_deep():
    assert len(read("<div><p>a<br></div>" * 50, max_depth=5).blocks) == 50
    assert len(read("<p>a" * 50 + "<li>b" * 50, max_depth=5).blocks) == 100


@pytest.mark.parametrize("repeated", ["<div></x>", "<optgroup>", "<rt>"])
def test_depth_cannot_be_hidden_from_the_limit(repeated):
    with pytest.raises(ReadError, match="max_depth"):
        read(repeated * 50 + "a", max_depth=20)


def test_a_page_without_text_says_what_to_do():
    with pytest.raises(ReadError, match="no text that a reader would see; if a script writes the page"):
        read("<div id='root'></div><script>render()</script>")


@pytest.mark.parametrize(
    ("markup", "unread"),
    [
        ('<p>Text</p><img src=a.jpg><img src=b.jpg alt=""><img src=p.gif width=1 height=1>', Unread(images=1)),
        ("<p>Text</p><video src=a.mp4></video><audio src=a.mp3></audio><iframe src=/b></iframe>", Unread(0, 2, 1)),
        ("<p>Text</p><script src=a.js></script>", Unread(scripts=1)),
        ("<p>Text</p><div id=root></div><script src=a.js></script>", Unread(scripts=1, needs_browser=True)),
        (f"<p>{'Text ' * 60}</p><div id=root></div><script src=a.js></script>", Unread(scripts=1)),
        ("<p>Text</p><noscript>Please enable JavaScript.</noscript><script>x</script>", Unread(0, 0, 0, 1, True)),
        ('<p>Text</p><div id=root></div><script type="application/ld+json">{"name": "Clinic"}</script>', Unread()),
        ("<title>Clinic</title><script>write()</script>", Unread(scripts=1, needs_browser=True)),
    ],
)
def test_html_reader_tells_what_it_cannot_read(markup, unread):
    assert read_bytes(markup.encode(), source="page.html", format="html").unread == unread


def test_what_word_puts_on_the_clipboard_keeps_its_lists():
    markup = (
        "<html><body><!--StartFragment--><p class=MsoTitle>Knee care</p>"
        "<p class=MsoListParagraphCxSpFirst style='mso-list:l0 level1 lfo1'><![if !supportLists]>"
        "<span style='font-family:Symbol'><span style='mso-list:Ignore'>·<span style='font:7pt'>&nbsp;&nbsp;</span>"
        "</span></span><![endif]>Less pain<o:p></o:p></p>"
        "<p class=MsoNormal>We care.</p><!--EndFragment--></body></html>"
    )
    page = read_bytes(markup.encode(), source="clipboard", format="html")
    found = [(block.kind, block.level, page.text[block.start : block.end]) for block in page.blocks]
    assert found == [("heading", 1, "Knee care"), ("list_item", None, "Less pain"), ("paragraph", None, "We care.")]


@pytest.mark.parametrize(
    ("format", "text"),
    [
        (
            "html",
            "<h2><a href='/a'>Knees</a></h2><p>We care. "
            "<a href='https://b.example'>Read<br>on</a>, on.</p><a href=c>x</a>",
        ),
        ("markdown", "## [Knees](/a)\n\nWe care. [Read\\\non](https://b.example), on.\n\n[x](c)\n"),
    ],
)
def test_links_are_told_if_asked_for(format, text):
    assert read_bytes(text.encode(), source="x", format=format).links == ()
    page = read_bytes(text.encode(), source="x", format=format, links=True)
    found = [(page.text[link.start : link.end], link.address) for link in page.links]
    assert found == [("Knees", "/a"), ("Read\non", "https://b.example"), ("x", "c")]
