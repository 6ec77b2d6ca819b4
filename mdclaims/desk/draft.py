"""The draft in the editor's box: blocks as the box has them, and the way from pages to drafts and back.

A draft is JSON between browser and server. Places in it are block and UTF-16 offset, which is how browsers count; this
module is where they meet our code points.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from urllib.parse import urlsplit

from mdclaims.errors import ReadError, UsageError
from mdclaims.reading.inline import BlockPlace, InlineItem, add_inline
from mdclaims.reading.page import (
    KINDS,
    LINE_BREAK,
    REGIONS,
    Fragment,
    Link,
    Page,
    PageBuilder,
    directive_text,
    replace_unencodable,
)

MOST_CHARACTERS = 200_000
"""A longer draft is not marked while somebody types: 30,000 words, which take half a second."""

MOST_BLOCKS = 20_000

_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n[\w:-]{1,60}:.*\n(?:.*\n){0,200}?---[ \t]*(?:\n|\Z)")
_MARKUP = re.compile(r"<!--\s*wp:|<(?:!doctype|html|body|p|h[1-6]|ul|ol|div|table|section)\b[^<>]*>", re.IGNORECASE)
_MARKDOWN = re.compile(r"^(?:#{1,6} \S|\[[^\]\n]+\]: |[-*] \[)|\]\((?:https?:|/)|\*\*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a block: words, and where they lead if they are a link."""

    text: str
    address: str | None = None


@dataclass(frozen=True, slots=True)
class DraftBlock:
    """One block of a draft; kind, region, level, hidden and page are those of `Block`."""

    kind: str
    runs: tuple[Run, ...]
    region: str = "main"
    level: int | None = None
    hidden: bool = False
    page: int | None = None

    @property
    def text(self) -> str:
        """The words of its runs."""
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a draft.

    Attributes
    ----------
    block : int
        Index of the block.
    start, end : int
        Half-open offsets into its text, in UTF-16 code units.
    """

    block: int
    start: int
    end: int


class DraftPage:
    """A draft as a page.

    Parameters
    ----------
    blocks : sequence of DraftBlock
    source : str
        What to call it in reports.

    Attributes
    ----------
    page : Page

    Raises
    ------
    ReadError
        If it holds no text.
    """

    def __init__(self, blocks: Sequence[DraftBlock], source: str = "draft") -> None:
        self._texts = [block.text for block in blocks]
        self._starts = [0, *accumulate(len(text) for text in self._texts)]
        builder = PageBuilder()
        title = None
        for block, start in zip(blocks, self._starts, strict=False):
            added = _add_block(builder, block, start)
            if title is None and (block.kind == "title" or (block.kind == "heading" and block.level == 1)):
                title = added or None
        text = "".join(self._texts)
        self.page = builder.build(
            source=source,
            sha256=hashlib.sha256(text.encode("utf-8")).hexdigest(),
            title=title,
            encoding="utf-8",
        )
        if not self.page.blocks:
            raise ReadError("holds no text; write or paste some")

    def place(self, start: int, end: int) -> Place:
        """Return where ``page.text[start:end]`` stands in the draft; the span ends on visible characters."""
        span = self.page.source_span(start, end)
        assert span is not None  # noqa: S101 (every fragment of a draft has its place)
        block = bisect_right(self._starts, span[0]) - 1
        text, at = self._texts[block], self._starts[block]
        return Place(block, _utf16(text, span[0] - at), _utf16(text, span[1] - at))


def _utf16(text: str, offset: int) -> int:
    return offset if text.isascii() else len(text[:offset].encode("utf-16-le")) // 2


def _add_block(builder: PageBuilder, block: DraftBlock, start: int) -> str:
    """Add a block to a page, and return its text; a link alone in its block is of kind link, as in every format."""
    text = block.text.strip()
    if text.startswith("[") and text.endswith("]") and directive_text(text[1:-1]) is not None:
        builder.add_directive(text[1:-1])
        return ""
    items = []
    for run in block.runs:
        items.append(InlineItem("link" if run.address else "text", tuple(_fragments(run.text, start))))
        start += len(run.text)
    before = builder.blocks
    if any(run.address for run in block.runs):
        place = BlockPlace(block.kind, block.region, block.level, block.hidden)
        return add_inline(builder, items, place)
    fragments = [fragment for item in items for fragment in item.fragments]
    added = builder.add(
        fragments, kind=block.kind, region=block.region, level=block.level, hidden=block.hidden, page=block.page
    )
    builder.place_directives(before)
    return added


def _fragments(text: str, start: int) -> Iterator[Fragment]:
    for n, line in enumerate(text.split("\n")):
        if n:
            yield LINE_BREAK
        yield Fragment(line, start)
        start += len(line) + 1


# --- from pages and to JSON ---------------------------------------------------------------------------------------


def draft_of(page: Page) -> list[DraftBlock]:
    """Return a page as a draft; of its links those that a browser may follow."""
    out = []
    links = [link for link in page.links if safe_address(link.address)]
    for block in page.blocks:
        inside = [link for link in links if block.start <= link.start and link.end <= block.end]
        runs = tuple(_runs(page.text, block.start, block.end, inside))
        out.append(DraftBlock(block.kind, runs, block.region, block.level, block.hidden, block.page))
    return out


def _runs(text: str, start: int, end: int, links: Sequence[Link]) -> Iterator[Run]:
    for link in links:
        if link.start > start:
            yield Run(text[start : link.start])
        yield Run(text[link.start : link.end], link.address)
        start = link.end
    if start < end:
        yield Run(text[start:end])


def safe_address(address: str) -> bool:
    """Return whether an address may become a link: it opens a page or a message, and runs nothing."""
    if not address or not address.isprintable() or len(address) > 2_000:
        return False
    try:
        scheme = urlsplit(address.strip()).scheme
    except ValueError:
        return False
    return scheme in _SCHEMES or (not scheme and ":" not in address.partition("/")[0])


def draft_data(blocks: Sequence[DraftBlock]) -> list[dict[str, Any]]:
    """Return a draft as JSON data."""
    return [
        {
            "kind": block.kind,
            "region": block.region,
            "level": block.level,
            "hidden": block.hidden,
            "page": block.page,
            "runs": [{"text": run.text, "address": run.address} for run in block.runs],
        }
        for block in blocks
    ]


def parse_draft(data: object) -> list[DraftBlock]:
    """Return the draft that JSON data hold.

    Raises
    ------
    UsageError
        If they hold none, or one that is too long.
    """
    if not isinstance(data, list):
        raise UsageError("blocks must be a list")
    if len(data) > MOST_BLOCKS:
        raise UsageError(f"a draft has at most {MOST_BLOCKS:,} blocks here; check the file with mdclaims check")
    blocks = [_block(entry, f"block {n}") for n, entry in enumerate(data)]
    if sum(len(block.text) for block in blocks) > MOST_CHARACTERS:
        raise UsageError(
            f"the draft has more than {MOST_CHARACTERS:,} characters; check the file with mdclaims check instead"
        )
    return blocks


def _block(entry: object, where: str) -> DraftBlock:
    if not isinstance(entry, Mapping):
        raise UsageError(f"{where} must be an object")
    kind, region = entry.get("kind"), entry.get("region", "main")
    level, page, hidden = entry.get("level"), entry.get("page"), entry.get("hidden", False)
    if kind not in KINDS or region not in REGIONS:
        raise UsageError(f"{where}: kind must be one of {', '.join(KINDS)}, region one of {', '.join(REGIONS)}")
    if not (level is None or level in range(1, 7)) or not isinstance(hidden, bool):
        raise UsageError(f"{where}: level must be a number from 1 to 6 or null, hidden true or false")
    if not (page is None or (isinstance(page, int) and not isinstance(page, bool) and 0 < page < 10**6)):
        raise UsageError(f"{where}: page must be a number or null")
    runs = entry.get("runs")
    if not isinstance(runs, list):
        raise UsageError(f"{where}: runs must be a list")
    return DraftBlock(str(kind), tuple(_run(run, where) for run in runs), str(region), level, hidden, page)


def _run(entry: object, where: str) -> Run:
    text = entry.get("text") if isinstance(entry, Mapping) else None
    address = entry.get("address") if isinstance(entry, Mapping) else None
    if not isinstance(text, str) or not (address is None or isinstance(address, str)):
        raise UsageError(f"{where}: a run has a text, and an address or null")
    return Run(replace_unencodable(text), address)


def format_of_text(text: str) -> str:
    """Return what a text that was pasted is written in: "html" or "markdown" as a CMS keeps them, or "text"."""
    start = text[:20_000]
    if _FRONT_MATTER.match(start):
        return "markdown"
    if _MARKUP.search(start) and "</" in text:
        return "html"
    return "markdown" if _MARKDOWN.search(start) else "text"
