"""Front matter: what a CMS keeps above a Markdown text. Its titles and descriptions are what search results show.

Not all of YAML is read: only ``key: value`` with a text of one line, or of indented lines behind ``|`` or ``>``, at the
top or in a table such as ``seo:``. All other keys are settings, and no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mdclaims.reading.page import Fragment, PageBuilder

_TITLES = frozenset({"title", "seo_title", "meta_title", "og_title", "page_title"})
_DESCRIPTIONS = frozenset(
    {"description", "seo_description", "meta_description", "og_description", "excerpt", "summary"}
)
_LINE = re.compile(r"(?P<indent>[ \t]*)(?P<key>[A-Za-z][\w:-]{0,40}):[ \t]+(?P<value>\S.*?)[ \t]*")
_FOLDED = re.compile(r"[|>][+-]?\d?")


def add_front_matter(text: str, start: int, end: int, builder: PageBuilder) -> str | None:
    """Add titles, then descriptions, each different text once, as metadata; return the first title.

    Parameters
    ----------
    text : str
        The document.
    start, end : int
        Where its front matter stands.
    builder : PageBuilder
    """
    found = list(_values(text, start, end))
    title = None
    seen: set[str] = set()
    for kind, keys in (("title", _TITLES), ("description", _DESCRIPTIONS)):
        for key, fragments in found:
            folded = " ".join(" ".join(fragment.text for fragment in fragments).split()).casefold()
            if key in keys and folded and folded not in seen:
                seen.add(folded)
                added = builder.add(fragments, kind=kind, region="metadata")
                title = title or (added if kind == "title" else None)
    return title


def _values(text: str, start: int, end: int) -> Iterator[tuple[str, list[Fragment]]]:
    """Yield (key, text) of every line with a value; a key as ``seoTitle`` or ``og:title`` is written ``seo_title``."""
    lines = text[start:end].split("\n")
    at = start
    folded: tuple[str, int, list[Fragment]] | None = None
    for line in lines:
        match = _LINE.fullmatch(line)
        if folded is not None and (not line.strip() or len(line) - len(line.lstrip()) > folded[1]):
            folded[2].append(Fragment(line + "\n", at))
        else:
            if folded is not None:
                yield folded[0], folded[2]
                folded = None
            if match is not None:
                key = re.sub(r"(?<=[a-z])(?=[A-Z])|[:-]", "_", match["key"]).lower()
                if _FOLDED.fullmatch(match["value"]):
                    folded = key, len(match["indent"]), []
                else:
                    yield key, [_scalar(match["value"], at + match.start("value"))]
        at += len(line) + 1
    if folded is not None:
        yield folded[0], folded[2]


def _scalar(value: str, start: int) -> Fragment:
    quoted = len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]
    return Fragment(value[1:-1], start + 1) if quoted else Fragment(value, start)
