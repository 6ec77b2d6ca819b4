"""Turns the inline content of one element into blocks: shared by the HTML and the Markdown reader.

A link, button or image inside running text is part of its sentence; alone it is a block of its own. What
"alone" means is decided here, in one place, for every format with links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder, fold_white_space
from mdclaims.reading.shortcodes import split_shortcodes

_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


class InlineItem(NamedTuple):
    """Text, link, button or image in the inline content of an element.

    Attributes
    ----------
    kind : str
        "text", "link", "button" or "alt".
    fragments : tuple of Fragment
        Its text.
    selector : str or None
        A CSS selector of the link, button or image itself.
    address : str or None
        Where a link or button leads.
    """

    kind: str
    fragments: tuple[Fragment, ...]
    selector: str | None = None
    address: str | None = None

    @property
    def has_words(self) -> bool:
        """True if it holds a letter, a digit or a pictogram, so that it is more than a separator."""
        return any(
            _LETTER_OR_DIGIT.search(fragment.text)
            or (not fragment.text.isascii() and "So" in map(unicodedata.category, fragment.text))
            for fragment in self.fragments
        )


class BlockPlace(NamedTuple):
    """Where a block stands: everything about it but its text.

    Attributes
    ----------
    kind : str
        The kind it has if it is not a lone link, button or image.
    region, level, hidden, selector
        As in `Block`.
    """

    kind: str
    region: str = "main"
    level: int | None = None
    hidden: bool = False
    selector: str | None = None


def text_items(fragment: Fragment) -> list[InlineItem]:
    """Return the items of a stretch of text: itself, or what its shortcodes make of it."""
    pieces = split_shortcodes(fragment.text)  # which nearly always says at once that there are none
    if pieces is None:
        return [InlineItem("text", (fragment,))]
    start = fragment.source_start
    return [
        InlineItem(
            "button" if piece.is_button else "text",
            (Fragment(fragment.text[piece.start : piece.end], None if start is None else start + piece.start),),
        )
        for piece in pieces
    ]


def add_inline(builder: PageBuilder, items: Sequence[InlineItem], place: BlockPlace) -> str:
    """Add the blocks that the inline content of one element makes, and return the text of the one of `place.kind`.

    - Headings, buttons, captions and cells of text are one block, whatever stands in them.
    - Without running text each link, button and image is a block of its own, and the separators between
      them ("|", "/") are not text.
    - Beside running text, images and buttons before its first and after its last word are blocks of their own.

    A directive that stands in them or waits before them belongs to them all.
    """
    before = builder.blocks
    text = _add_items(builder, items, place)
    builder.place_directives(before)
    return text


def _add_items(builder: PageBuilder, items: Sequence[InlineItem], place: BlockPlace) -> str:
    if len(items) == 1 and items[0].kind == "text":  # as in most elements
        return _add_one(builder, items, place)
    text_at = [i for i, item in enumerate(items) if item.kind == "text" and item.has_words]
    if not text_at:
        if place.kind in {"heading", "button"}:
            return _add_headed(builder, items, place)
        worded = [item for item in items if item.kind != "text"]
        if not worded:  # a lone separator, number sign or star: text all the same
            return _add_one(builder, items, place)
        for item in worded:
            _add_lone(builder, item, place)
        return ""
    first, last = text_at[0], text_at[-1]
    before, after = list(items[:first]), list(items[last + 1 :])
    lead = _pop_while(before, from_end=False)
    tail = _pop_while(after, from_end=True)
    for item in lead:
        _add_lone(builder, item, place)
    text = _add_one(builder, [*before, *items[first : last + 1], *after], place)
    for item in tail:
        _add_lone(builder, item, place)
    return text


def _pop_while(items: list[InlineItem], *, from_end: bool) -> list[InlineItem]:
    """Take images, buttons and wordless text off one end of `items`; return the images and buttons in order."""
    taken: list[InlineItem] = []
    while items:
        item = items[-1 if from_end else 0]
        # Punctuation stays with the text ("Call us <img>!"); only what is shown apart is taken off.
        if item.kind == "link" or (item.kind == "text" and not _is_blank(item)):
            break
        items.pop(-1 if from_end else 0)
        if item.kind != "text":
            taken.append(item)
    return taken[::-1] if from_end else taken


def _is_blank(item: InlineItem) -> bool:
    return all(fragment is LINE_BREAK or not fragment.text.strip() for fragment in item.fragments)


def _add_headed(builder: PageBuilder, items: Sequence[InlineItem], place: BlockPlace) -> str:
    """Add a heading or button whose words all stand in links or images."""
    links = [item for item in items if item.kind != "alt"]
    if not any(item.has_words for item in links):  # a logo as heading, an icon as button: the image's text is its text
        return _add_one(builder, items, place)
    text = _add_one(builder, links, place)
    for item in items:
        if item.kind == "alt":
            _add_lone(builder, item, place)
    return text


def _add_lone(builder: PageBuilder, item: InlineItem, place: BlockPlace) -> None:
    text = builder.add(
        item.fragments,
        kind=item.kind,
        region=place.region,
        hidden=place.hidden,
        selector=item.selector or place.selector,
    )
    if builder.keeps_links:
        _add_links(builder, [item], text)


def _add_one(builder: PageBuilder, items: Sequence[InlineItem], place: BlockPlace) -> str:
    fragments: list[Fragment] = []
    for item in items:
        if item.kind in {"alt", "button"}:  # shown apart from the words beside it, whatever the markup says
            fragments += [Fragment(" "), *item.fragments, Fragment(" ")]
        else:
            fragments += item.fragments
    if place.kind in {"heading", "button", "link"}:  # broken for looks, not for meaning
        fragments = [Fragment(" ") if fragment is LINE_BREAK else fragment for fragment in fragments]
    text = builder.add(
        fragments,
        kind=place.kind,
        region=place.region,
        level=place.level,
        hidden=place.hidden,
        selector=place.selector,
    )
    if builder.keeps_links:
        _add_links(builder, items, text)
    return text


def _add_links(builder: PageBuilder, items: Sequence[InlineItem], text: str) -> None:
    """Add where the links of a block lead. Its items follow one another in its text, so that each is found in turn."""
    if not any(item.address for item in items):
        return
    line = text.replace("\n", " ")
    at = 0
    for item in items:
        words = fold_white_space(item.fragments)[0].replace("\n", " ")
        found = line.find(words, at)
        if words and found >= 0:
            at = found + len(words)
            if item.address:
                builder.add_link(found, at, item.address)
