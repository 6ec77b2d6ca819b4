"""What to capture: addresses from the command line, lists, sitemaps and tables, and the site each belongs to."""

from __future__ import annotations

import csv
import gzip
import io
import ipaddress
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import lxml.etree
from tldextract import TLDExtract

from mdclaims.errors import ReadError
from mdclaims.reading.limits import Limits, over_limit

LONGEST_ADDRESS = 2_000
"""Characters of an address; longer ones are the work of scripts, and servers need not take them (RFC 9110, 4.1)."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address to capture.

    Attributes
    ----------
    url : str
    given : str
        Where the user gave it: "command line" or "clinics.txt, line 3".
    is_sitemap : bool
        A list of addresses, not a page.
    """

    url: str
    given: str
    is_sitemap: bool = False


# --- reading ------------------------------------------------------------------------------------------------------


def read_addresses(inputs: Sequence[str | Address], limits: Limits) -> tuple[list[Address], list[str]]:
    """Read the addresses of all inputs.

    Parameters
    ----------
    inputs : sequence of str or Address
        Addresses, and paths of lists (text), sitemaps (``.xml``, ``.xml.gz``) and tables (``.csv``).
    limits : Limits
        ``max_bytes`` holds for a file, ``max_unpacked_bytes`` for a packed sitemap.

    Returns
    -------
    addresses : list of Address
        Each address once, in the order given.
    problems : list of str
        One line for each input, or line of an input, that could not be read.
    """
    found: dict[str, Address] = {}
    problems: list[str] = []
    for name in inputs:
        try:
            if isinstance(name, Address):
                entries = [(name.url, name.given, name.is_sitemap)]
            else:
                entries = _read_input(name, limits)
        except ReadError as error:
            problems.append(f"{name} {error}")
            continue
        for url, given, in_index in entries:
            try:
                is_sitemap = is_sitemap_name(urlsplit(checked_address(url)).path)
                found.setdefault(url, Address(url, given, in_index or is_sitemap))
            except ReadError as error:
                problems.append(f"{given}: {url!r} {error}")
    return list(found.values()), problems


def checked_address(url: str) -> str:
    """Return an address that can be asked.

    Raises
    ------
    ReadError
        If it is no address of a page, names a user, or is too long.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is no number
    except ValueError as error:
        raise ReadError(f"is no address ({error}); check it") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ReadError("is no address of a web page; begin it with https:// or http://")
    if parts.username is not None:
        raise ReadError("holds a user name; capture reads public pages only, leave it out")
    if len(url) > LONGEST_ADDRESS:
        raise ReadError(f"has more than {LONGEST_ADDRESS:,} characters; check it")
    return url


def _read_input(name: str, limits: Limits) -> list[tuple[str, str, bool]]:
    """Return (address, where it was given, whether an index of sitemaps names it) for everything in one input."""
    if re.match(r"https?://", name, re.IGNORECASE):
        return [(name, "command line", False)]
    path = Path(name)
    data = _read_file(path, limits)
    if is_sitemap_name(path.name):
        is_index, urls = parse_sitemap(data, limits)
        return [(url, name, is_index) for url in urls]
    lines = _table_lines(data) if path.suffix.lower() == ".csv" else _list_lines(data)
    return [(url, f"{name}, line {number}", False) for number, url in lines]


def _read_file(path: Path, limits: Limits) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(limits.max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with NUL in it
        reason = getattr(error, "strerror", None) or error
        raise ReadError(
            f"cannot be read ({reason}); pass a file of addresses, or an address beginning with https://"
        ) from error
    if len(data) > limits.max_bytes:
        raise over_limit("max_bytes", len(data), limits.max_bytes, "bytes", more=True)
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError("is not UTF-8 text; save it as UTF-8") from error


def _list_lines(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_text(data).splitlines(), start=1):
        url = line.strip()
        if url and not url.startswith("#"):
            yield number, url


def _table_lines(data: bytes) -> Iterator[tuple[int, str]]:
    text = _text(data)
    head = text.split("\n", 1)[0]
    # Spreadsheets write semicolons where the comma is the decimal sign.
    delimiter = next((mark for mark in ",;\t" if "url" in _cells(head.lower(), mark)), None)
    if delimiter is None:
        raise ReadError("has no column url in its first line; name the column with the addresses url")
    column = _cells(head.lower(), delimiter).index("url")
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        rows = [(reader.line_num, row) for row in reader][1:]
    except csv.Error as error:
        raise ReadError(f"is not valid CSV ({error}); export it again") from error
    return iter([(line, row[column].strip()) for line, row in rows if len(row) > column and row[column].strip()])


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.strip()], delimiter=delimiter), [])]


# --- sitemaps -----------------------------------------------------------------------------------------------------


def is_sitemap_name(path: str) -> bool:
    """Return whether the path of a file or an address is named as sitemaps are."""
    return path.lower().endswith((".xml", ".xml.gz"))


def parse_sitemap(data: bytes, limits: Limits) -> tuple[bool, list[str]]:
    """Read a sitemap, packed or not (sitemaps.org, 0.9).

    Returns
    -------
    is_index : bool
        The addresses are those of other sitemaps.
    urls : list of str
        What stands in ``<loc>``, unchecked.

    Raises
    ------
    ReadError
        If it is no sitemap, is damaged, or is over ``max_unpacked_bytes``.
    """
    if data.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(limits.max_unpacked_bytes + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ReadError(f"is damaged gzip data ({error}); save it again") from error
    if len(data) > limits.max_unpacked_bytes:
        raise over_limit("max_unpacked_bytes", len(data), limits.max_unpacked_bytes, "bytes", more=True)
    return _locations(data)


def _locations(data: bytes) -> tuple[bool, list[str]]:
    urls: list[str] = []
    root = ""
    try:
        # Entities stay unresolved and nothing is loaded: a sitemap is a stranger's file.
        for event, element in lxml.etree.iterparse(
            io.BytesIO(data), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        ):
            name = _local_name(element)
            root = root or name
            if event == "end" and name in {"url", "sitemap"}:
                urls += [(child.text or "").strip() for child in element if _local_name(child) == "loc"]
                element.clear()
    except lxml.etree.XMLSyntaxError as error:
        raise ReadError(f"is not valid XML ({error}); check that it is a sitemap") from error
    if root not in {"urlset", "sitemapindex"}:
        raise ReadError("is no sitemap (its root is neither urlset nor sitemapindex); pass another file")
    return root == "sitemapindex", [url for url in urls if url]


def _local_name(element: lxml.etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


# --- sites --------------------------------------------------------------------------------------------------------


@cache
def _suffixes() -> TLDExtract:
    # The list that comes with the package: no request, no cache folder. Names under a private suffix (a site at a
    # host of many people's sites) are sites of their own.
    return TLDExtract(suffix_list_urls=(), include_psl_private_domains=True, cache_dir=None)


def site_of(url: str) -> str:
    """Return the site of a checked address: its registrable domain, private suffixes included.

    An IP address or a name without a dot has no domain: there the host with its port is the site.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if "." not in host or _is_ip(host):
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    found = _suffixes()(host)
    if found.top_domain_under_public_suffix:
        return found.top_domain_under_public_suffix
    # Under a suffix that is not in the list the last two labels (the list's own rule); a bare suffix is itself.
    return host if found.suffix else ".".join(host.split(".")[-2:])


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def pattern_of(url: str) -> str:
    """Return what addresses have in common that differ in numbers or in the values of their query alone.

    >>> pattern_of("https://clinic.example/calendar/2027/03?day=12&view=week")
    'clinic.example/calendar/0/0?day&view'
    """
    parts = urlsplit(url)
    path = re.sub(r"\d+", "0", parts.path)
    names = sorted({re.sub(r"\d+", "0", part.partition("=")[0]) for part in parts.query.split("&") if part})
    return f"{parts.netloc}{path}{'?' if names else ''}{'&'.join(names)}"


_OTHER_FILES = frozenset(
    "7z avi bmp css csv doc docx epub exe gif gz ico ics jpeg jpg js json m4a m4v mov mp3 mp4 mpeg odt ogg pdf png ppt "
    "pptx rar rss svg tar tif tiff txt vcf wav webm webp wmv woff woff2 xls xlsx zip".split()
)


def is_other_file(url: str) -> bool:
    """Return whether an address is named as a file that is no web page: a picture, a PDF, an archive."""
    name = urlsplit(url).path.rpartition("/")[2]
    return "." in name and name.rpartition(".")[2].lower() in _OTHER_FILES
