"""Shortcodes: what a CMS writes into its texts for parts that it makes itself, ``[button text="Book now"]``.

A shortcode is told from words in brackets by what no writer puts there: an attribute with its value, or an end tag.
What stands between its tags is text, or the text of a button; of its attributes only those are text that a button
shows. All else in it is code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_QUOTES = (r'"[^"\]]{0,500}"', r"'[^'\]]{0,500}'", r"[“”″][^”″\]]{0,500}[”″]")
_VALUE = f"(?:{'|'.join(_QUOTES)}|[^\\s\\]\"'“”″]{{1,500}})"
# Every repetition has an end, so that no text makes this take long.
_TAG = re.compile(rf"\[(/?)([A-Za-z][\w-]{{0,60}})((?:\s{{1,20}}[\w-]{{1,60}}={_VALUE}){{0,40}})\s{{0,20}}/?\]")
_ATTRIBUTE = re.compile(rf"([\w-]{{1,60}})=({_VALUE})")
_BUTTON = re.compile(r"(?:^|[-_])(?:btn|button|cta)s?(?:$|[-_])", re.IGNORECASE)
_SHOWN_ON_BUTTONS = frozenset({"text", "label", "title", "caption", "button_text", "btn_text", "link_text", "cta_text"})
_SHOWN_ANYWHERE = frozenset({"button_text", "btn_text", "link_text", "cta_text"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text with shortcodes: words, or the words of a button.

    Attributes
    ----------
    is_button : bool
    start, end : int
        Half-open code-point offsets.
    """

    is_button: bool
    start: int
    end: int


def split_shortcodes(text: str) -> list[Piece] | None:
    """Return what stands in a text beside its shortcodes and in them; None if it has none."""
    if "[" not in text or not ("=" in text or "[/" in text):
        return None
    tags = list(_TAG.finditer(text))
    closed = {tag[2].lower() for tag in tags if tag[1]}
    tags = [tag for tag in tags if tag[3] or tag[2].lower() in closed]
    # "[b]so[/b]" alone is how people write in forums: a CMS has attributes, or longer names.
    if not any(tag[3] or re.search("[-_]", tag[2]) or _BUTTON.search(tag[2]) for tag in tags):
        return None
    pieces: list[Piece] = []
    at = 0
    in_button = ""
    for tag in tags:
        name = tag[2].lower()
        pieces.append(Piece(bool(in_button), at, tag.start()))
        at = tag.end()
        if tag[1]:
            in_button = "" if name == in_button else in_button
            continue
        pieces += [Piece(True, *span) for span in _shown(tag, name)]
        if name in closed and _BUTTON.search(name):
            in_button = name
    pieces.append(Piece(False, at, len(text)))
    return [piece for piece in pieces if piece.start < piece.end]


def _shown(tag: re.Match[str], name: str) -> list[tuple[int, int]]:
    """Return where the attributes stand that a reader sees."""
    keys = _SHOWN_ON_BUTTONS if _BUTTON.search(name) else _SHOWN_ANYWHERE
    found = []
    for attribute in _ATTRIBUTE.finditer(tag.string, *tag.span(3)):
        if attribute[1].lower() in keys:
            start, end = attribute.span(2)
            quoted = tag.string[start] in "\"'“”″"
            found.append((start + quoted, end - quoted))
    return found
