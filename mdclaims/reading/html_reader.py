"""Reads a whole web page: metadata, headings, paragraphs, lists, cells, buttons, links and image texts.

Not "the article": marketing lives in the hero, the buttons and the footer. One iterative walk over lexbor's
tree visits every node once, with sibling counters for the selectors, so that no nesting depth loses text.
What the walk knows about a place is a `_Place`; what a tag means is in the tables below.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from selectolax.lexbor import LexborHTMLParser, LexborNode

from mdclaims.errors import ReadError
from mdclaims.reading.contact_marks import LINKS, MOST_MARKS, data_marks, link_mark, may_hold_links
from mdclaims.reading.inline import BlockPlace, InlineItem, add_inline, text_items
from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder, Unread, directive_text, replace_unencodable

# Not text to any reader: code, drawings, embedded documents.
_SKIPPED = frozenset(
    "script style template svg math canvas object embed iframe audio video map param source track link meta "
    "base".split()
)
# Elements that stand in a line of text; every other element begins and ends a block.
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd mark nobr q rp rt ruby s samp "
    "small span strike strong sub sup time tt u var wbr picture br label button input select textarea o:p".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# What the text directly inside a block element is; elements that are not listed hand down what they stand in.
_KINDS = {
    "p": "paragraph",
    "li": "list_item",
    "dt": "list_item",
    "dd": "list_item",
    "td": "cell",
    "th": "cell",
    "blockquote": "quote",
    "figcaption": "caption",
    "caption": "caption",
    "address": "other",
    "legend": "other",
    "pre": "other",
    "option": "other",
    "body": "paragraph",
    "main": "paragraph",
    "article": "paragraph",
}
# Containers whose kind a paragraph inside them keeps: a <p> in an <li> is a list item.
_STRONG_KINDS = frozenset({"list_item", "cell", "quote", "caption", "button"})
# What Word puts on the clipboard has no lists, only paragraphs that look like them.
_WORD_LIST = "MsoListParagraph"
_LANDMARKS = {"header": "header", "nav": "nav", "main": "main", "aside": "aside", "footer": "footer"}
_ROLES = {
    "banner": "header",
    "navigation": "nav",
    "menubar": "nav",
    "main": "main",
    "complementary": "aside",
    "contentinfo": "footer",
}
# Class and id names by which pages without landmarks name their regions, tried in this order. Whole names or
# telling beginnings only: a "card-footer" is no footer of the page.
_REGION_NAMES = (
    (
        "nav",
        re.compile(
            r"(?:main|primary|site|top|mobile|mob|header|nav|footer)?[-_]?(?:nav|menu|navigation)|"
            r"navbar.*|nav[-_].*|breadcrumbs?"
        ),
    ),
    (
        "footer",
        re.compile(
            r"(?:site|main|page|global)?[-_]?footer|foot|footer[-_].*|copyrights?|copyright[-_].*|site-info|colophon"
        ),
    ),
    ("aside", re.compile(r"side-?bar|sidebar[-_].*|(?:left|right)[-_]sidebar|secondary|side")),
    ("header", re.compile(r"(?:site|main|page)?[-_]?header|top-?bar|masthead")),
)  # fmt: skip
# Regions that such a name may refine: a menu stands in a header, a copyright line in a sidebar does not.
_REFINABLE = {"nav": {"main", "header"}, "footer": {"main"}, "aside": {"main"}, "header": {"main"}}
# Inside these a <header> belongs to the section, not to the page (HTML standard, 4.3.8); a <footer> likewise,
# except that <main> is no section: a footer in it is often the page's.
_SECTIONING = frozenset({"article", "section", "aside", "nav"})
_NAMED_REGION_TAGS = frozenset({"div", "ul", "ol", "table", "td", "section", "span", "p"})
_BUTTON_TOKEN = re.compile(r"(?:^|[-_])(?:btn|button|cta)(?:$|[-_])")
_NOT_SHOWN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)

_DESCRIPTION_NAMES = frozenset({"description", "og:description", "twitter:description"})
_TITLE_NAMES = frozenset({"og:title", "twitter:title"})
# JSON-LD properties (schema.org) whose values are prose that a search engine shows or reads as claims.
_JSON_LD_TEXT = frozenset(
    "name headline alternativeHeadline alternateName description text articleBody reviewBody slogan caption "
    "abstract disambiguatingDescription keywords knowsAbout indication".split()
)

# Ignored by the depth estimate: HTML closes these by itself, so unclosed ones do not nest.
_SELF_CLOSING = frozenset(
    "p li dd dt option tr td th thead tbody tfoot colgroup col br img hr input meta link area base "
    "embed param source track wbr".split()
)
_TAG = re.compile(r"<(?:!--|(/?)([a-zA-Z][^\s/>]*))")
_RAW_TEXT = frozenset({"script", "style"})
_OPTION = re.compile(r"<option\b", re.IGNORECASE)
# lexbor (selectolax 1.0.2) takes quadratic time in them: 8,000 0.2 s, 16,000 1.4 s, 32,000 6.4 s.
_MAX_OPTIONS = 10_000


class _Step:
    """A step of a selector, with the steps before it: made into text only for blocks, and once for all inside."""

    __slots__ = ("_css", "_number", "_parent", "_tag")

    def __init__(self, parent: _Step | None, tag: str, number: int) -> None:
        self._parent = parent
        self._tag = tag
        self._number = number
        self._css: str | None = None

    @property
    def css(self) -> str:
        """The selector as CSS, outermost first."""
        # A loop, because pages nest deeper than Python calls.
        unmade: list[_Step] = []
        step: _Step | None = self
        while step is not None and step._css is None:
            unmade.append(step)
            step = step._parent
        css = "" if step is None else step._css
        for step in reversed(unmade):
            css = step._css = f"{css} > {step._text}" if css else step._text
        return css or ""

    @property
    def _text(self) -> str:
        if self._tag in {"html", "body"}:
            return self._tag
        # "o:p" and its like need escaping in CSS.
        name = self._tag if self._tag.isalnum() else re.sub(r"([^\w-])", r"\\\1", self._tag)
        return f"{name}:nth-of-type({self._number})"


@dataclass(slots=True)
class _Place:
    """What the walk knows about the element it is in. Children get one of their own: none is changed once in use."""

    kind: str
    region: str
    hidden: bool
    level: int | None
    selector: _Step | None
    link: str | None
    """None outside links; "link" or "button" inside one that began within the current block."""
    sectioned: bool
    """True inside an article, section, aside or nav."""
    preformatted: bool
    in_main: bool
    block_selector: _Step | None
    """The selector of the innermost element that makes a block."""
    summary_hidden: bool | None
    """Directly inside a closed <details>: whether its summary is hidden; else None."""


class _Leave:
    """A mark on the walk's stack: everything inside an element has been seen."""

    __slots__ = ("block", "item", "place", "tag")

    def __init__(self, place: _Place, tag: str, *, block: bool, item: bool) -> None:
        self.place = place
        self.tag = tag
        self.block = block
        self.item = item


def read_html(markup: str, builder: PageBuilder, *, max_depth: int, line: int = 1) -> str | None:
    """Add the blocks of an HTML document to `builder` and return the page's title.

    Parameters
    ----------
    markup : str
        The decoded document; NUL and lone surrogates are replaced already.
    builder : PageBuilder
        Receives the blocks in reading order: the metadata first, then the body.
    max_depth : int
        Elements nested deeper than this are refused, because the HTML parsing rules take quadratic time there.
    line : int
        The line on which the markup begins in its document.

    Raises
    ------
    ReadError
        If the nesting may exceed `max_depth`.
    """
    # Most pages have fewer tags than that.
    depth = _estimate_depth(markup) if markup.count("<") - markup.count("</") > max_depth else 0
    if depth > max_depth:
        raise ReadError(
            f"nested about {depth:,} elements deep, over the limit max_depth = {max_depth:,}; "
            "repair the page or raise max_depth in the configuration"
        )
    options = len(_OPTION.findall(markup))
    if options > _MAX_OPTIONS:
        raise ReadError(
            f"holds {options:,} <option> elements, over the limit of {_MAX_OPTIONS:,}; take the long lists out"
        )
    tree = LexborHTMLParser(markup)
    root = tree.root
    if root is None:
        return None
    before = builder.blocks
    title = _add_metadata(tree, builder)
    if may_hold_links(markup):
        _add_contact_links(tree, builder)
    lines = _CommentLines(markup, line)
    # The metadata has an order of its own, so that no comment stands before one of its texts.
    for text in _comments_before_body(root, tree.head):
        builder.add_directive(text, line=lines.of(text))
    builder.place_directives(before)
    _Walk(builder, lines).run(root)
    builder.unread = _unread(tree, builder)
    return title


_FEW_WORDS = 50
# The elements into which the common frameworks write a page; empty until their script has run.
_MOUNTS = "#root, #app, #__next, #__nuxt, #___gatsby, #svelte, #main-app, app-root, [ng-app], [data-reactroot]"
_FRAMES = "iframe, frame, object, embed, portal"


def _unread(tree: LexborHTMLParser, builder: PageBuilder) -> Unread:
    """Count what the page shows beside its text, and tell whether its text is missing."""
    types = [(node.attributes.get("type") or "").strip().lower() for node in tree.css("script")]
    scripts = sum(not kind or "javascript" in kind or kind == "module" for kind in types)
    # Trackers are pictures and frames of one point.
    images = [node for node in tree.css("img") if node.attributes.get("alt") is None and not _is_point(node.attributes)]
    frames = [node for node in tree.css(_FRAMES) if not _is_point(node.attributes)]
    needs_browser = False
    if scripts and builder.shown_words < _FEW_WORDS:
        asks = any("javascript" in node.text().lower() for node in tree.css("noscript"))
        empty = any(not node.text(strip=True) for node in tree.css(_MOUNTS))
        needs_browser = asks or empty or not builder.shown_words
    return Unread(len(images), len(tree.css("video, audio")), len(frames), scripts, needs_browser)


def _is_point(attributes: dict[str, str | None]) -> bool:
    return any((attributes.get(side) or "").strip() in {"0", "1"} for side in ("width", "height"))


def _comments_before_body(root: LexborNode, head: LexborNode | None) -> Iterator[str]:
    """Yield the comments before ``<html>`` (in a fragment: before its first element) and those in the head."""
    first = root
    while first.prev is not None:
        first = first.prev
    for start in (first, head.first_child if head is not None else None):
        node = start
        while node is not None and node.mem_id != root.mem_id:
            if node.is_comment_node:
                yield node.comment_content or ""
            node = node.next


class _CommentLines:
    """Finds the lines of comments, which the parser does not tell: each is looked for behind the one before."""

    def __init__(self, markup: str, line: int) -> None:
        self._markup = markup
        self._at = 0
        self._line = line

    def of(self, comment: str) -> int | None:
        """Return the line on which a comment that is meant for mdclaims begins."""
        if directive_text(comment) is None:
            return None
        first = comment.strip().splitlines()[0]
        found = self._markup.find(first, self._at)
        if found < 0:
            self._at = len(self._markup)  # once lost, lost: looking again for each would take quadratic time
            return None
        self._line += self._markup.count("\n", self._at, found)
        self._at = found + len(first)
        return self._line


def _estimate_depth(markup: str) -> int:
    """Return an upper bound of the element nesting, from the tags alone: an end tag closes one of its own kind.

    Comments and the contents of scripts and styles hold no tags; drawings close elements with "/>".
    """
    depth = deepest = at = 0
    opened: Counter[str] = Counter()
    while match := _TAG.search(markup, at):
        at = match.end()
        tag = (match.group(2) or "").lower()
        if not tag or (tag in _RAW_TEXT and not match.group(1)):
            at = markup.find("-->" if not tag else f"</{tag}", at)
            if at < 0:
                break
        elif tag in _SELF_CLOSING:
            continue
        elif not match.group(1):
            end = markup.find(">", at) if opened["svg"] or opened["math"] else -1
            if end > 0 and markup[end - 1] == "/":
                continue
            opened[tag] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif opened[tag]:
            opened[tag] -= 1
            depth -= 1
    return deepest


# --- metadata -------------------------------------------------------------------------------------------------


def _add_metadata(tree: LexborHTMLParser, builder: PageBuilder) -> str | None:
    """Add title, descriptions, keywords and JSON-LD text, each different text once; return the title."""
    seen: set[str] = set()

    def add(text: str, kind: str, selector: str) -> str:
        folded = " ".join(text.split()).casefold()
        if not folded or folded in seen:
            return ""
        seen.add(folded)
        return builder.add([Fragment(text)], kind=kind, region="metadata", selector=selector)

    title = None
    for node in tree.css("title"):
        # An SVG drawing has titles too; the document's is the first outside of one.
        if not any(ancestor.tag == "svg" for ancestor in _ancestors(node)):
            title = add(node.text(), "title", "title") or None
            break
    metas = [(node.attributes.get("name") or node.attributes.get("property") or "", node) for node in tree.css("meta")]
    for names, kind in ((_TITLE_NAMES, "title"), (_DESCRIPTION_NAMES, "description"), ({"keywords"}, "structured")):
        for name, node in metas:
            if name.strip().lower() in names:
                attribute = "name" if node.attributes.get("name") else "property"
                text = add(node.attributes.get("content") or "", kind, f'meta[{attribute}="{name}"]')
                if kind == "title":
                    title = title or text or None
    for name, node in metas:
        if name.strip().lower() == "og:site_name":
            _add_mark(builder, "site_name", node.attributes.get("content") or "")
    for node in tree.css('script[type="application/ld+json"]'):
        data = _json_ld(node.text())
        for text in _json_ld_texts(data):
            add(text, "structured", 'script[type="application/ld+json"]')
        for kind, value in data_marks(data):
            _add_mark(builder, kind, replace_unencodable(value))
    return title


def _add_contact_links(tree: LexborHTMLParser, builder: PageBuilder) -> None:
    for node in tree.css(LINKS):
        mark = link_mark(node.attributes.get("href") or "")
        if mark is not None:
            _add_mark(builder, *mark)


def _add_mark(builder: PageBuilder, kind: str, value: str) -> None:
    marks = builder.contact_marks
    if value and (kind, value) not in marks and len(marks) < MOST_MARKS:
        marks.append((kind, value))


def _ancestors(node: LexborNode) -> Iterator[LexborNode]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _json_ld(source: str) -> Any:
    """Return the data of a JSON-LD script; one that is not valid JSON has none."""
    try:
        return json.loads(source.strip().removeprefix("<!--").removesuffix("-->"), strict=False)
    except (ValueError, RecursionError):
        return None


def _json_ld_texts(data: Any) -> list[str]:
    """Return the prose of JSON-LD data in its order."""
    texts: list[str] = []
    stack: list[tuple[str, object]] = [("", data)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict):
            stack.extend(reversed([(str(name), item) for name, item in value.items()]))
        elif isinstance(value, list):
            stack.extend((key, item) for item in reversed(value))
        elif isinstance(value, str) and key in _JSON_LD_TEXT and any(map(str.isalpha, value)):
            # Answers in an FAQPage are often HTML.
            # JSON's own escapes can bring in what the page's text was rid of.
            value = replace_unencodable(value)
            texts.append(LexborHTMLParser(value).text(separator=" ") if "<" in value else value)
    return texts


# --- the walk -------------------------------------------------------------------------------------------------


class _Walk:
    """Visits every node of the body once and adds a block wherever one ends."""

    def __init__(self, builder: PageBuilder, lines: _CommentLines) -> None:
        self.builder = builder
        self.lines = lines
        self.items: list[InlineItem] = []  # finished inline items of the current block
        self.shows = False  # whether the current block has anything but white space
        self.fragments: list[Fragment] = []  # text of the current inline item
        self.item_kind = "text"
        self.item_selector: _Step | None = None
        self.item_address: str | None = None
        self.breaks = 0  # line breaks since the last visible character
        self.closed = ""  # the tag of the inline element whose end was the last thing seen

    def run(self, root: LexborNode) -> None:
        start = _Place(
            kind="paragraph", region="main", hidden=False, level=None, selector=None, link=None,
            sectioned=False, in_main=False, preformatted=False, block_selector=None, summary_hidden=None,
        )  # fmt: skip
        node: LexborNode | None = root
        place, counters = start, dict[str, int]()
        # The elements that are open, each with what goes on behind it: its next sibling, and its parent's place and
        # sibling counters.
        opened: list[tuple[_Leave, LexborNode | None, _Place, dict[str, int]]] = []
        while True:
            while node is None:
                if not opened:
                    return
                leave, node, place, counters = opened.pop()
                self._leave(leave)
            following = node.next
            if node.is_text_node:
                self._text(node.text_content or "", place)
            elif node.is_element_node:
                tag = node.tag or ""
                number = counters[tag] = counters.get(tag, 0) + 1
                self._part_from_neighbour(tag)
                entered = (
                    None
                    if tag in _SKIPPED or tag == "title"
                    else self._enter(node, tag, place, _Step(place.selector, tag, number))
                )
                if entered is not None:
                    opened.append((entered, following, place, counters))
                    node, place, counters = node.first_child, entered.place, {}
                    continue
            elif node.is_comment_node and (node.parent is None or node.parent.tag != "head"):
                comment = node.comment_content or ""
                self.builder.add_directive(comment, line=self.lines.of(comment))
            node = following

    def _enter(self, node: LexborNode, tag: str, parent: _Place, selector: _Step) -> _Leave | None:
        """Begin an element; return what to do at its end, or None if nothing inside it is to be visited."""
        attributes = node.attributes
        if tag == "br":
            self._line_break(parent)
            return None
        if tag == "span" and "mso-list" in (attributes.get("style") or "").lower():
            return None  # the bullet or number that Word writes before an item
        if tag in {"img", "area"}:
            self._image(attributes.get("alt") or "", parent, selector)
            return None
        if tag == "input":
            self._input(attributes, replace(parent, hidden=parent.hidden or _is_hidden(tag, attributes)), selector)
            return None
        place = self._place(node, tag, attributes, parent, selector)
        if tag in {"textarea", "select"}:
            self._flush(parent)
            prompt = attributes.get("placeholder")
            if prompt:
                self._add_at_once(prompt, "other", place)
            return _Leave(place, tag, block=True, item=False)
        role = attributes.get("role")
        is_link = parent.link is None and (tag == "a" or (role is not None and role.lower() == "button"))
        if tag == "button" or is_link:
            return self._enter_link(tag, attributes, place, parent)
        block = tag not in _INLINE or place.hidden != parent.hidden or place.region != parent.region or tag == "label"
        if block:
            self._flush(parent)
        return _Leave(place, tag, block=block, item=False)

    def _enter_link(self, tag: str, attributes: dict[str, str | None], place: _Place, parent: _Place) -> _Leave:
        """Begin a link or button: an inline item of its own."""
        kind = "button" if tag == "button" or _looks_like_button(attributes) else "link"
        block = place.hidden != parent.hidden or place.region != parent.region
        if block:
            self._flush(parent)
        self._end_item()
        self.item_kind, self.item_selector, self.item_address = kind, place.selector, attributes.get("href")
        place.link = kind
        return _Leave(place, tag, block=block, item=True)

    def _leave(self, leave: _Leave) -> None:
        if leave.item:
            self._end_item()
        if leave.block:
            self._flush(leave.place)
        self.closed = "" if leave.block else leave.tag

    def _part_from_neighbour(self, tag: str) -> None:
        """Put a space between a span and an inline element that touch: ``<span>01</span><span>Care</span>``.

        Spans are there to be styled and mostly set apart by it, as on the pages that this was read off; emphasis
        (``<b>``, ``<i>``) can go through a word.
        Single letters are left together: animated headings wrap each.
        """
        touching = "span" in {self.closed, tag} and self.closed and tag in _INLINE
        if touching and self.fragments and len(self.fragments[-1].text.strip()) > 1:
            self.fragments.append(Fragment(" "))
        self.closed = ""

    def _place(
        self, node: LexborNode, tag: str, attributes: dict[str, str | None], parent: _Place, selector: _Step
    ) -> _Place:
        """Return what is known inside an element."""
        kind, level, link = parent.kind, parent.level, parent.link
        if tag not in _INLINE:
            if link is not None:
                # A link around whole blocks: what stands directly in it is the link, its headings stay headings.
                kind, level = link, None
            heading = _HEADINGS.get(tag) or _aria_heading(attributes)
            word = (attributes.get("class") or "") if tag == "p" else ""  # Word's name of the style
            if word == "MsoTitle":
                heading = 1
            if heading is not None:
                kind, level, link = "heading", heading, None
            elif tag == "summary":
                kind, level = "heading", 6
            elif tag in {"td", "th"} and _is_layout_cell(node):
                kind, level, link = "paragraph", None, None
            elif word.startswith(_WORD_LIST):
                kind, level, link = "list_item", None, None
            elif tag in _KINDS and not (tag == "p" and parent.kind in _STRONG_KINDS):
                kind, level, link = _KINDS[tag], None, None
        elif tag in {"label", "textarea"}:
            kind, level = "other", None
        region = _region(tag, attributes, parent)
        hidden = parent.hidden or _is_hidden(tag, attributes)
        if tag == "summary" and parent.summary_hidden is not None:
            hidden = parent.summary_hidden
        closed = tag == "details" and "open" not in attributes
        block = tag not in _INLINE or tag == "label" or (region, hidden) != (parent.region, parent.hidden)
        return _Place(
            kind=kind,
            region=region,
            hidden=hidden or closed,
            level=level,
            selector=selector,
            block_selector=selector if block else parent.block_selector,
            summary_hidden=hidden if closed else None,
            link=link,
            sectioned=parent.sectioned or tag in _SECTIONING,
            in_main=parent.in_main or tag == "main",
            preformatted=parent.preformatted or tag == "pre",
        )

    # --- text -------------------------------------------------------------------------------------------------

    def _text(self, text: str, place: _Place) -> None:
        self.closed = ""
        if not text.isspace():
            self.breaks = 0
            self.shows = True
        elif self.item_kind == "text" and not (self.shows or self.fragments or self.items):
            return  # nothing to stand apart from
        if place.preformatted:
            for n, line in enumerate(text.split("\n")):
                if n:
                    self.fragments.append(LINE_BREAK)
                self.fragments.append(Fragment(line))
            return
        fragment = Fragment(text)
        if "[" not in text or self.item_kind != "text":
            self.fragments.append(fragment)
            return
        for item in text_items(fragment):
            if item.kind == "text":
                self.fragments += item.fragments
            else:
                self._end_item()
                self.items.append(item)

    def _line_break(self, place: _Place) -> None:
        self.breaks += 1
        if self.breaks == 2 and place.link is None and place.kind not in {"heading", "button"}:
            self._flush(place)  # an empty line: how pages without <p> separate paragraphs
            return
        self.fragments.append(LINE_BREAK)

    def _image(self, text: str, place: _Place, selector: _Step) -> None:
        """Add an image's text as an inline item; in a button it is the button's text."""
        if not text.strip():
            return
        if place.link == "button":
            self.shows = True
            self.fragments += [Fragment(" "), Fragment(text), Fragment(" ")]
            return
        outer = self.item_kind, self.item_selector, self.item_address
        self._end_item()
        self.breaks = 0
        self.shows = True
        self.items.append(InlineItem("alt", (Fragment(text),), _css(selector)))
        self.item_kind, self.item_selector, self.item_address = outer

    def _input(self, attributes: dict[str, str | None], place: _Place, selector: _Step) -> None:
        """Add what an input field shows: a button's value, or the prompt inside the field."""
        kind = (attributes.get("type") or "text").lower()
        if kind == "hidden":
            return
        self._flush(place)
        place = replace(place, selector=selector)
        if kind in {"submit", "button", "reset"}:
            self._add_at_once(attributes.get("value") or "", "button", place)
        elif kind == "image":
            self._add_at_once(attributes.get("alt") or "", "button", place)
        elif kind not in {"checkbox", "radio"}:
            self._add_at_once(attributes.get("placeholder") or "", "other", place)

    def _add_at_once(self, text: str, kind: str, place: _Place) -> None:
        before = self.builder.blocks
        self.builder.add(
            [Fragment(text)], kind=kind, region=place.region, hidden=place.hidden, selector=_css(place.selector)
        )
        self.builder.place_directives(before)

    def _end_item(self) -> None:
        """Close the current inline item; what follows is text until another begins."""
        if self.fragments:
            selector = _css(self.item_selector) if self.item_kind != "text" else None
            self.items.append(InlineItem(self.item_kind, tuple(self.fragments), selector, self.item_address))
            self.fragments = []
        self.item_kind, self.item_selector, self.item_address = "text", None, None

    def _flush(self, place: _Place) -> None:
        """End the current block. `place` is where its text stands."""
        item = self.item_kind, self.item_selector, self.item_address
        self.breaks = 0
        if not self.shows:
            self.fragments, self.items = [], []
            self.item_kind, self.item_selector, self.item_address = "text", None, None
        else:
            self.shows = False
            self._end_item()
            items, self.items = self.items, []
            add_inline(
                self.builder,
                items,
                BlockPlace(
                    kind=place.kind,
                    region=place.region,
                    level=place.level if place.kind == "heading" else None,
                    hidden=place.hidden,
                    selector=_css(place.block_selector),
                ),
            )
        if place.link is not None:  # still inside a link that holds several blocks
            self.item_kind, self.item_selector, self.item_address = item


_LONGEST_REMEMBERED = 500
_Told = TypeVar("_Told")


def _remembering(tell: Callable[..., _Told]) -> Callable[..., _Told]:
    """Let a function remember what class and id names tell: the same stand at element after element, page after page.

    Long ones, which are rare, would fill the memory.
    """
    remembered = lru_cache(maxsize=4096)(tell)

    def inner(names: str, *others: str) -> _Told:
        return (remembered if len(names) <= _LONGEST_REMEMBERED else tell)(names, *others)

    return inner


def _css(selector: _Step | None) -> str | None:
    return None if selector is None else selector.css


def _is_layout_cell(node: LexborNode) -> bool:
    """True for a cell with several blocks in it: a table that lays out the page, not one that holds data."""
    blocks = 0
    child = node.first_child
    while child is not None and blocks < 2:
        blocks += bool(child.is_element_node) and child.tag not in _INLINE
        child = child.next
    return blocks >= 2


def _looks_like_button(attributes: dict[str, str | None]) -> bool:
    if (attributes.get("role") or "").lower() == "button":
        return True
    names = attributes.get("class")
    return names is not None and _is_button_class(names)


@_remembering
def _is_button_class(names: str) -> bool:
    return any(_BUTTON_TOKEN.search(token) for token in names.lower().split())


def _aria_heading(attributes: dict[str, str | None]) -> int | None:
    role = attributes.get("role")
    if not role or role.lower() != "heading":
        return None
    level = attributes.get("aria-level") or ""
    return min(max(int(level[:3]), 1), 6) if level.isascii() and level.isdigit() else 2


def _is_hidden(tag: str, attributes: dict[str, str | None]) -> bool:
    """True if this element's own markup hides what is in it at first."""
    if tag == "noscript":
        return True
    if not attributes:
        return tag == "dialog"
    if "hidden" in attributes:
        return True
    if tag not in _INLINE and (attributes.get("aria-hidden") or "").lower() == "true":
        return True  # on an inline element it marks an icon beside its text: shown, only not read aloud
    if tag == "dialog" and "open" not in attributes:
        return True
    style = attributes.get("style")
    return style is not None and _NOT_SHOWN.search(style) is not None


def _region(tag: str, attributes: dict[str, str | None], parent: _Place) -> str:
    """Return the region inside an element: landmarks first, then roles, then telling class and id names."""
    if tag in _LANDMARKS:
        if parent.sectioned and tag in {"header", "footer"}:
            return parent.region
        if tag == "header" and parent.in_main:
            return parent.region
        return _LANDMARKS[tag]
    if not attributes:
        return parent.region
    role = attributes.get("role")
    if role and role.lower() in _ROLES:
        return _ROLES[role.lower()]
    if tag in _NAMED_REGION_TAGS and not parent.sectioned:
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}"
        return _named_region(names, parent.region) or parent.region
    return parent.region


@_remembering
def _named_region(names: str, outer: str) -> str | None:
    """Return the region that class and id names tell of inside another, or None if they tell of none."""
    for token in names.lower().split():
        for region, name in _REGION_NAMES:
            if outer in _REFINABLE[region] and name.fullmatch(token):
                return region
    return None
