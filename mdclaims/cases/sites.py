"""Whose page it is: the site of an address, and what the user's lists say about it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from mdclaims.cases.addresses import checked_address, is_sitemap_name, parse_sitemap
from mdclaims.cases.addresses import site_of as registrable_site
from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits, over_limit

TABLE_SUFFIXES = (".csv", ".xlsx")
"""Lists of sites with a column ``url``, whose other columns travel with the site."""


@dataclass(frozen=True, slots=True)
class ListedSite:
    """One row of the user's lists.

    Attributes
    ----------
    url : str
        As it stands there.
    site : str
        What the row says in its column ``site``, or the site of the address.
    about : dict of str to str
        The row's other columns, empty cells left out.
    given : str
        Where it stands: "clinics.csv, line 3".
    is_sitemap : bool
        The address is that of a sitemap, which an index names.
    """

    url: str
    site: str
    about: Mapping[str, str]
    given: str
    is_sitemap: bool = False


@dataclass(frozen=True, slots=True)
class Sites:
    """Tells the site of an address.

    Attributes
    ----------
    renamed : dict of str to str
        Sites that the user's lists call otherwise (their column ``site``), by the name they would have.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, listed: Iterable[ListedSite]) -> Sites:
        """Take the names of the user's lists."""
        return cls({site_of(row.url): row.site for row in listed if row.site != site_of(row.url)})

    def site_of(self, address: str) -> str:
        """Return the site of an address."""
        site = site_of(address)
        return self.renamed.get(site, site)


def site_of(address: str) -> str:
    """Return whose an address is: the registrable domain; on a shared host, host and first part of the path.

    >>> site_of("https://www.clinic.co.uk/knee"), site_of("https://sites.google.com/view/clinic/knee")
    ('clinic.co.uk', 'sites.google.com/view/clinic')
    """
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
        if host in _shared_hosts():
            path = [part for part in parts.path.split("/") if part]
            # Google puts "view" or the name of an organisation before the name of the site.
            return "/".join([host, *path[: 2 if host == "sites.google.com" else 1]])
        return registrable_site(address)
    except ValueError:  # no address; its text is the best name it has
        return address[:200]


@cache
def _shared_hosts() -> frozenset[str]:
    text = (files("mdclaims") / "data" / "sites" / "shared_hosts.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("#"))


# --- lists --------------------------------------------------------------------------------------------------------


def read_list(path: Path, limits: Limits) -> list[ListedSite]:
    """Read a list of addresses: text, a sitemap, CSV or XLSX with a column ``url``.

    Raises
    ------
    ReadError
        If it cannot be read, or a row of it is no address.
    """
    try:
        data = _read(path, limits)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ReadError(f"cannot be read ({reason}); check the path and its permissions") from error
    if path.suffix.lower() in TABLE_SUFFIXES:
        return list(_table(path, data))
    if is_sitemap_name(path.name):
        is_index, urls = parse_sitemap(data, limits)
        return [ListedSite(checked_address(url), site_of(url), {}, path.name, is_index) for url in urls]
    return [
        ListedSite(checked_address(url), site_of(url), {}, f"{path.name}, line {number}")
        for number, url in _lines(data)
    ]


def is_list(path: Path) -> bool:
    """Return whether a file that the user named is a list of addresses and no page."""
    name = path.name.lower()
    if name.endswith(TABLE_SUFFIXES) or is_sitemap_name(name):
        return True
    if path.suffix.lower() != ".txt":
        return False
    try:
        with path.open("rb") as stream:
            start = stream.read(100_000).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    lines = [line.strip() for line in start.splitlines()[:100] if line.strip() and not line.strip().startswith("#")]
    return bool(lines) and all(re.match(r"https?://\S+$", line) for line in lines)


def _read(path: Path, limits: Limits) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(limits.max_bytes + 1)
    if len(data) > limits.max_bytes:
        raise over_limit("max_bytes", len(data), limits.max_bytes, "bytes", more=True)
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError("is not UTF-8 text; save it as UTF-8") from error


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_text(data).splitlines(), start=1):
        if line.strip() and not line.strip().startswith("#"):
            yield number, line.strip()


def _table(path: Path, data: bytes) -> Iterator[ListedSite]:
    rows = _xlsx_rows(data) if path.suffix.lower() == ".xlsx" else _csv_rows(data)
    heads = [head.strip() for head in next(rows, [])]
    lower = [head.lower() for head in heads]
    if "url" not in lower:
        raise ReadError("has no column url in its first line; name the column with the addresses url")
    for number, row in enumerate(rows, start=2):
        cells = [*(cell.strip() for cell in row), *[""] * (len(heads) - len(row))]
        url = cells[lower.index("url")]
        if not url:
            continue
        try:
            checked_address(url)
        except ReadError as error:
            raise ReadError(f"line {number}: {url!r} {error}") from error
        named = cells[lower.index("site")] if "site" in lower else ""
        about = {
            head: cell
            for head, name, cell in zip(heads, lower, cells, strict=False)
            if head and cell and name not in {"url", "site"}
        }
        yield ListedSite(url, named or site_of(url), about, f"{path.name}, line {number}")


def _csv_rows(data: bytes) -> Iterator[list[str]]:
    text = _text(data)
    head = text.split("\n", 1)[0].lower()
    # Spreadsheets write semicolons where the comma is the decimal sign.
    marks = [mark for mark in ",;\t" if "url" in [cell.strip(' "\r') for cell in head.split(mark)]]
    try:
        yield from csv.reader(io.StringIO(text), delimiter=marks[0] if marks else ",")
    except csv.Error as error:
        raise ReadError(f"is not valid CSV ({error}); export it again") from error


def _xlsx_rows(data: bytes) -> Iterator[list[str]]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        rows: Sequence[Sequence[object]] = list(book.worksheets[0].iter_rows(values_only=True))
    except Exception as error:
        raise ReadError(f"is no Excel file that can be read ({error}); save it again, or as CSV") from error
    for row in rows:
        yield ["" if cell is None else str(cell) for cell in row]
