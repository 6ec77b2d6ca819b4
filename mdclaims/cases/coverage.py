"""What was read, and what was not: of each site, and of all. Nothing found means little where little was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pyarrow as pa

from mdclaims.cases.sites import ListedSite
from mdclaims.cases.store import SITES, connect, table_bytes, write_file

# Reasons of `mdclaims capture` that say nothing of the site's pages, or bound the capture on purpose.
_LEFT_ALONE = (
    "off_site",
    "not_html",
    "max_depth",
    "max_pages",
    "max_total",
    "max_alike",
    "private_address",
    "bad_address",
)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The figures of a site, or of all.

    Attributes
    ----------
    found : int
        Pages known that could be judged: the sum of the next eight.
    read : int
        Judged.
    script_written, not_english, error_pages, failed, over_limit, refused, not_fetched : int
        Not judged, or not whole, and why: a script writes the text, another language, answered with an error, damaged
        or unreadable, over a limit, refused by robots.txt, not fetched for another reason.
    left_alone : int
        Addresses that the capture left out by its own limits.
    redirects, revisits : int
        Captures without a page of their own.
    pdfs_not_read, images_without_text, videos, frames : int
        What pages hold or link to and nobody read.
    findings, high, normal, info : int
    """

    found: int = 0
    read: int = 0
    script_written: int = 0
    not_english: int = 0
    error_pages: int = 0
    failed: int = 0
    over_limit: int = 0
    refused: int = 0
    not_fetched: int = 0
    left_alone: int = 0
    redirects: int = 0
    revisits: int = 0
    pdfs_not_read: int = 0
    images_without_text: int = 0
    videos: int = 0
    frames: int = 0
    findings: int = 0
    high: int = 0
    normal: int = 0
    info: int = 0

    @property
    def is_judged(self) -> bool:
        """False if less than half of the pages were read."""
        return self.found > 0 and 2 * self.read >= self.found

    def verdict(self) -> str:
        """Say what the figures mean, in words."""
        if not self.is_judged:
            return f"could not be judged: {self.read:,} of {self.found:,} {_pages(self.found)} read"
        if not self.findings:
            return f"nothing found in {self.read:,} {_pages(self.read)} read"
        return f"{self.findings:,} findings in {self.read:,} {_pages(self.read)} read"


def _pages(number: int) -> str:
    return "page" if number == 1 else "pages"


_COUNTED = """
SELECT site,
  count(*) FILTER (outcome = 'read') AS read,
  count(*) FILTER (outcome = 'script_written') AS script_written,
  count(*) FILTER (outcome = 'not_english') AS not_english,
  count(*) FILTER (outcome = 'error_page') AS error_pages,
  count(*) FILTER (outcome = 'failed') AS failed,
  count(*) FILTER (outcome = 'over_limit') AS over_limit,
  count(*) FILTER (outcome = 'refused') AS refused,
  count(*) FILTER (outcome = 'not_fetched' AND NOT left_alone) AS not_fetched,
  count(*) FILTER (left_alone) AS left_alone,
  count(*) FILTER (outcome = 'redirect') AS redirects,
  count(*) FILTER (outcome = 'revisit') AS revisits,
  count(*) FILTER ((kind = 'pdf' AND outcome IN ('failed', 'over_limit'))
    OR (left_alone AND lower(split_part(address, '?', 1)) LIKE '%.pdf')) AS pdfs_not_read,
  coalesce(sum(images_without_text), 0) AS images_without_text,
  coalesce(sum(videos), 0) AS videos,
  coalesce(sum(frames), 0) AS frames,
  coalesce(sum(findings), 0) AS findings,
  coalesce(sum(high), 0) AS high,
  coalesce(sum(normal), 0) AS normal,
  coalesce(sum(info), 0) AS info
FROM (SELECT *, outcome = 'not_fetched' AND split_part(reason, ':', 1) IN ? AS left_alone FROM pages)
GROUP BY site ORDER BY site NULLS LAST
"""
_FOUND = ("read", "script_written", "not_english", "error_pages", "failed", "over_limit", "refused", "not_fetched")


def measure(case: Path) -> dict[str, Coverage]:
    """Return the figures of each site of a case that has its views; "" is what belongs to no site."""
    with connect(case) as connection:
        cursor = connection.execute(_COUNTED, [list(_LEFT_ALONE)])
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return {row.pop("site") or "": Coverage(found=sum(row[name] for name in _FOUND), **row) for row in rows}


def unreadable(case: Path) -> list[str]:
    """Return a line for each file, record or stretch of an archive that could not be read, whatever it holds.

    A page that was unpacked whole and holds nothing to read, such as a scan, is counted and not listed.
    """
    with connect(case) as connection:
        rows = connection.execute(
            "SELECT file, address, reason FROM pages WHERE outcome = 'over_limit' OR outcome = 'failed' AND "
            "(kind IS NULL OR address IS NULL OR starts_with(reason, 'internal error')) ORDER BY file, page"
        ).fetchall()
    return [f"{file}: {address + ' ' if address else ''}{reason}" for file, address, reason in rows]


def total(figures: Iterable[Coverage]) -> Coverage:
    """Return the sums over sites."""
    listed = list(figures)
    return Coverage(**{entry.name: sum(getattr(one, entry.name) for one in listed) for entry in fields(Coverage)})


def sites_of_case(
    figures: Mapping[str, Coverage], listed: Iterable[ListedSite]
) -> dict[str, tuple[Coverage, dict[str, str]]]:
    """Return each site with what the user's lists say about it; a listed site without a page has no figures."""
    about: dict[str, dict[str, list[str]]] = {}
    for row in listed:
        columns = about.setdefault(row.site, {})
        for name, value in (("url", row.url), *row.about.items()):
            if value not in columns.setdefault(name, []):
                columns[name].append(value)
    names = sorted({*figures, *about} - {""})
    return {
        name: (
            figures.get(name, Coverage()),
            {column: "; ".join(values) for column, values in about.get(name, {}).items()},
        )
        for name in names
    }


def write_sites(case: Path, sites: Mapping[str, tuple[Coverage, dict[str, str]]]) -> dict[str, str]:
    """Write the sites of a case; return the file with its SHA-256."""
    return {SITES: write_file(case / SITES, table_bytes(sites_table(sites)))}


def sites_table(sites: Mapping[str, tuple[Coverage, dict[str, str]]]) -> pa.Table:
    """Return the sites of a case as a table."""
    schema = pa.schema(
        [
            ("site", pa.string()),
            ("verdict", pa.string()),
            ("judged", pa.bool_()),
            *((entry.name, pa.int64()) for entry in fields(Coverage)),
            ("listed", pa.map_(pa.string(), pa.string())),
        ]
    )
    rows = [
        {
            "site": name,
            "verdict": coverage.verdict(),
            "judged": coverage.is_judged,
            **asdict(coverage),
            "listed": list(columns.items()),
        }
        for name, (coverage, columns) in sites.items()
    ]
    return pa.Table.from_pylist(rows, schema=schema)
