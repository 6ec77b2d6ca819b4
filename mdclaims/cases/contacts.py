"""Whose site it is: name, postal address, telephone, e-mail and registrations, as its pages give them.

`contact_rows` reads one page while it is screened; `site_cards` puts the rows of a case together, each value with the
page it was read from. What is recognised, and what is not, is told in docs/screening.md. Telephone numbers are judged
by Google's phonenumbers; the patterns here are those of registers and postal codes alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import phonenumbers

from mdclaims.reading import Page
from mdclaims.reading.page import Block

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FIELDS = ("name", "address", "telephone", "email", "registration")
"""What a card has, in its order."""

SOURCES = ("data", "link", "footer", "text", "title")
"""Where a value stands, the most telling first: schema.org data, a contact link, header or footer, other text."""

_LONGEST = 200
_MOST_ROWS = 40
# Where pages show whose they are, besides header and footer: at the beginning, and at the end of what is above the
# footer.
_FIRST_BLOCKS = 12
_LAST_BLOCKS = 20
_LONGEST_BLOCK = 600
_LONGEST_STRETCH = 20_000
_CONTACT_PAGE = re.compile(
    r"contact|about|find[-_ ]?us|location|in[-_ ]touch|visit|impressum|imprint|legal|privacy|terms|complaint|"
    r"directions|where|who[-_ ]we|our[-_ ]team",
    re.IGNORECASE,
)


def contact_rows(name: str, page: Page, address: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table ``contacts`` for one page, in the page's order.

    Parameters
    ----------
    name : str
        The page's name in the case.
    page : Page
    address : str or None
        Where it came from; its suffix tells how telephone numbers are read.
    """
    kept: dict[tuple[str, str], _Fact] = {}
    for fact in _facts(page, address):
        known = kept.setdefault((fact.field, fact.value.casefold()), fact)
        if SOURCES.index(fact.source) < SOURCES.index(known.source):
            kept[fact.field, fact.value.casefold()] = fact
    for fact in [*kept.values()][:_MOST_ROWS]:
        yield {
            "page": name,
            "field": fact.field,
            "value": fact.value,
            "shown": fact.shown,
            "register": fact.register,
            "source": fact.source,
        }


@dataclass(frozen=True, slots=True)
class _Fact:
    """One value: in its normal form, as the page shows it, in which register, and where it stands."""

    field: str
    value: str
    shown: str
    source: str
    register: str | None = None


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a text holds; telephone numbers wait for the country."""

    facts: tuple[_Fact, ...]
    telephones: tuple[str, ...]
    country: str | None


def _facts(page: Page, address: str | None) -> Iterator[_Fact]:
    scans = [(_scan(text, source), source) for text, source in _stretches(page, address)]
    marks = page.contact_marks
    country = _country(address, marks, [scan for scan, _ in scans])
    for kind, value in marks:
        yield from _mark_facts(kind, value, country)
    for scan, source in scans:
        yield from scan.facts
        for shown in scan.telephones:
            number = _telephone(shown, country)
            if number:
                yield _Fact("telephone", number, _clean(shown), source)


# --- the card of a site -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Contact:
    """One value on a card.

    Attributes
    ----------
    field : str
        One of `FIELDS`.
    value : str
        In its normal form: a telephone number in international form, a registration without spaces.
    shown : str
        The words of the page.
    register : str or None
        Whose number a registration is.
    source : str
        One of `SOURCES`.
    page : str
        The name in the case of the page that it was read from: of several the most telling, then the first.
    address : str
        That page's address, or its file.
    pages : int
        On how many pages it stands.
    """

    field: str
    value: str
    shown: str
    register: str | None
    source: str
    page: str
    address: str
    pages: int


Card = dict[str, tuple[Contact, ...]]
"""What is known of a site by `FIELDS`, the likeliest first; an empty tuple is "not found"."""

_MOST_SHOWN = 5
# schema.org data names the business; for the rest, what stands on most pages is the site's own.
_VALUES = """
WITH known AS (
  SELECT *, list_position($sources, source) AS telling
  FROM contacts WHERE site IN (SELECT unnest($sites))),
counted AS (
  SELECT site, field, min_by(value, (telling, page)) AS value, min_by(shown, (telling, page)) AS shown,
    any_value(register) AS register, min_by(source, (telling, page)) AS source,
    min_by(page, (telling, page)) AS first, min_by(coalesce(address, file), (telling, page)) AS place,
    count(*) AS pages, row_number() OVER (PARTITION BY site, field ORDER BY
      CASE WHEN field = 'name' THEN min(telling) ELSE 0 END, count(*) DESC, min(telling), min(page), lower(value)) AS n
  FROM known GROUP BY site, field, lower(value))
SELECT * EXCLUDE (n) FROM counted WHERE n <= $most ORDER BY site, field, n
"""
_MOST_TITLES = 100
_TITLES = """
SELECT site, title, page, coalesce(address, file)
FROM pages WHERE site IN (SELECT unnest($sites)) AND outcome IN ('read', 'script_written') AND title IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY site ORDER BY page) <= $most
ORDER BY site, page
"""


def site_cards(connection: DuckDBPyConnection, sites: Sequence[str]) -> dict[str, Card]:
    """Return the cards of sites of a case.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With the views of the case.
    sites : sequence of str
        Names of sites; one that the case does not know has an empty card.
    """
    cards: dict[str, dict[str, list[Contact]]] = {site: {field: [] for field in FIELDS} for site in sites}
    wanted = {"sites": list(sites), "most": _MOST_SHOWN, "sources": list(SOURCES)}
    for site, field, *columns in connection.execute(_VALUES, wanted).fetchall():
        cards[site][field].append(Contact(field, *columns))
    titles: dict[str, list[tuple[str, str, str]]] = {}
    for site, title, page, address in connection.execute(
        _TITLES, {"sites": list(sites), "most": _MOST_TITLES}
    ).fetchall():
        titles.setdefault(site, []).append((title, page, address))
    for site, card in cards.items():
        known = next(iter(card["name"]), None)
        if site in titles and (known is None or known.source != "data"):
            # What the titles share outweighs a name that stands on few of the pages.
            names = {value.value.casefold() for value in card["name"]}
            named = [value for value in _title_name(site, titles[site]) if value.value.casefold() not in names]
            first = known is None or any(value.pages >= 2 * known.pages for value in named)
            card["name"] = [*named, *card["name"]] if first else [*card["name"], *named]
    return {site: {field: tuple(values) for field, values in card.items()} for site, card in cards.items()}


_TITLE_PARTS = re.compile(r"\s*[|»·•]\s*|\s+[–—:-]+\s+|:\s+")
_LONGEST_NAME = 60
# So much of a name must stand in the name of its site, if only one page is there to tell.
_SHARE_IN_SITE = 0.6


def _title_name(site: str, titles: Sequence[tuple[str, str, str]]) -> Iterator[Contact]:
    """Yield the part that the titles of a site share, or else the one that the site is named after."""
    parts: dict[str, list[int]] = {}
    for n, (title, _, _) in enumerate(titles):
        for part in dict.fromkeys(_TITLE_PARTS.split(_clean(title))):
            if 2 < len(part) <= _LONGEST_NAME and not _NO_NAME.match(part):
                parts.setdefault(part, []).append(n)
    shared = [part for part, at in parts.items() if len(at) > 1 and 2 * len(at) >= len(titles)]
    named = [part for part in parts if _share_in(part, site) >= _SHARE_IN_SITE]
    for part in sorted(shared or named, key=lambda part: (-_share_in(part, site), -len(part)))[:1]:
        title, page, address = titles[parts[part][0]]
        yield Contact("name", part, _clean(title), None, "title", page, address, len(parts[part]))


def _share_in(name: str, site: str) -> float:
    """Return which share of a name's letters are words that stand in the name of a site."""
    squashed = re.sub(r"[\W_]", "", site).casefold()
    words = re.findall(r"[^\W_]+", name.casefold())
    return sum(len(word) for word in words if len(word) > 2 and word in squashed) / max(1, sum(map(len, words)))


# --- where to look ------------------------------------------------------------------------------------------------


def _stretches(page: Page, address: str | None) -> Iterator[tuple[str, str]]:
    """Yield the texts in which contact data can stand, each with its source."""
    place = urlsplit(address).path if address else page.source.rpartition("/")[2]
    everything = _tells_of_contact(place) or _tells_of_contact(page.title or "")
    footer = next((n for n, block in enumerate(page.blocks) if block.region == "footer"), len(page.blocks))
    run: list[Block] = []
    for n, block in enumerate(page.blocks):
        near = everything or block.region in _FURNITURE or n < _FIRST_BLOCKS or n >= footer - _LAST_BLOCKS
        if not near and block.heading_path:
            near = _tells_of_contact(block.heading_path[-1])
        near = near and block.region != "metadata" and block.end - block.start <= _LONGEST_BLOCK
        if run and (not near or block.region != run[-1].region):
            yield from _stretch(page, run)
            run = []
        if near:
            run.append(block)
    yield from _stretch(page, run)


_FURNITURE = frozenset({"header", "footer", "aside", "nav"})
# Nothing that is looked for is without one of these.
_TELLING = re.compile(r"[0-9@©]|Ltd|Limited|LL[CP]")


@lru_cache(maxsize=2048)
def _tells_of_contact(name: str) -> bool:
    return _CONTACT_PAGE.search(name) is not None


def _stretch(page: Page, run: Sequence[Block]) -> Iterator[tuple[str, str]]:
    if run:
        text = page.text[run[0].start : min(run[-1].end, run[0].start + _LONGEST_STRETCH)]
        if _TELLING.search(text):
            yield text, "text" if run[0].region in {"main", "aside"} else "footer"


# --- what stands there --------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def _scan(text: str, source: str) -> _Scan:
    """Read a text; a site's footer is the same on page after page, so that it is read once."""
    facts: list[_Fact] = []
    country = None
    for value, shown, register in _registrations(text):
        facts.append(_Fact("registration", value, shown, source, register))
    for value, code in _addresses(text):
        facts.append(_Fact("address", value, value, source))
        country = country or code
    facts += [_Fact("email", email, email, source) for email in _emails(text)]
    facts += [_Fact("name", name, name, source) for name in _names(text)]
    telephones = dict.fromkeys(match[0] for match in _DIGITS.finditer(text) if _could_be_telephone(text, match))
    return _Scan(tuple(facts), tuple(telephones), country)


def _mark_facts(kind: str, value: str, country: str | None) -> Iterator[_Fact]:
    """Yield what a mark of the page's code says, if it is what it should be."""
    shown = _clean(value)
    if kind in {"name", "legal_name", "site_name"}:
        if 2 < len(shown) <= 100:
            yield _Fact("name", shown, shown, "data")
    elif kind == "address":
        if (
            "00000" not in shown
            and sum(map(str.isalpha, shown)) >= 8
            and (len(shown.split(", ")) > 1 or any(map(str.isdigit, shown)))
        ):
            yield _Fact("address", shown, shown, "data")
    elif kind == "telephone":
        number = _telephone(value, country)
        if number:
            yield _Fact("telephone", number, shown, "link")
    elif kind == "email":
        email = _email(shown)
        if email and _EMAIL.fullmatch(email):
            yield _Fact("email", email, shown, "link")
    else:
        for number, said, register in _registrations(f"NPI {value}" if value.isdigit() else value):
            yield _Fact("registration", number, said, "data", register)


def _clean(text: str) -> str:
    """Return words of a page on one line, without characters that steer a terminal or a browser."""
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(visible.split())[:_LONGEST]


# --- e-mail and telephone -----------------------------------------------------------------------------------------

_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(?![\w-])", re.IGNORECASE)
# Files on screens of two sizes, and the examples that builders of sites leave behind.
_NO_EMAIL = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|js|css)$|@(?:example|domain|email|yourdomain|sentry|wixpress|mysite)\.", re.IGNORECASE
)


def _emails(text: str) -> Iterator[str]:
    end, at = 0, text.find("@")
    while at >= 0:
        match = _EMAIL.search(text, max(end, at - 64), at + 130)
        end = match.end() if match else end
        email = _email(match[0]) if match else None
        if email:
            yield email
        at = text.find("@", max(end, at + 1))


def _email(text: str) -> str | None:
    return None if _NO_EMAIL.search(text) else text.strip(".").lower()


# Digits as telephone numbers are written: with spaces, points, dashes and brackets between them. What must not stand
# before is looked at behind the first character, so that the engine can skip to characters that it may be.
_DIGITS = re.compile(
    r"[+(0-9](?<![\w@#£$€/.,-][+(0-9])(?: ?\+? ?[0-9])?(?:[ ().\u2010-\u2014\u00a0/-]{0,3}[0-9]){7,14}(?![\w%])"
)
_NORTH_AMERICA = re.compile(
    r"(?:1[\s.-]?)?\(?[2-9][0-9]{2}\)?[\s.\u2010-\u2014-]+[2-9][0-9]{2}[\s.\u2010-\u2014-]+[0-9]{4}"
)
_FAX = re.compile(r"\bfax\b[^0-9A-Za-z]{0,12}$|\bf[.:]\s*$", re.IGNORECASE)
# Tried in this order where nothing tells the country.
_COUNTRIES = ("GB", "US", "AU")
_SUFFIXES = {"uk": "GB", "au": "AU", "ie": "IE", "nz": "NZ", "ca": "CA", "us": "US", "gov": "US", "edu": "US"}


def _could_be_telephone(text: str, match: re.Match[str]) -> bool:
    shown = match[0]
    if _FAX.search(text[max(0, match.start() - 20) : match.start()]):
        return False
    if shown[0] in "+0(" or shown.startswith(("13", "18")):
        return True
    return _NORTH_AMERICA.fullmatch(shown) is not None


@lru_cache(maxsize=1024)
def _telephone(shown: str, country: str | None) -> str | None:
    """Return a telephone number in international form, or None if it is none."""
    for region in (country,) if country else _COUNTRIES:
        try:
            number = phonenumbers.parse(shown, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return None


def _country(address: str | None, marks: Iterable[tuple[str, str]], scans: Iterable[_Scan]) -> str | None:
    """Return whose telephone numbers the page gives: by its address, its links, or the postal addresses on it."""
    host = urlsplit(address).hostname if address else None
    suffix = (host or "").rpartition(".")[2]
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    told = [_mark_country(kind, value) for kind, value in marks]
    dialled = [_dialled_country(shown) for scan in scans for shown in scan.telephones if shown.startswith("+")]
    return next((code for code in (*told, *(scan.country for scan in scans), *dialled) if code), None)


def _mark_country(kind: str, value: str) -> str | None:
    if kind == "telephone" and value.startswith("+"):
        return _dialled_country(value)
    if kind == "address":
        match = _POSTCODE.search(value) or _COUNTRY_CODE.search(value)
        return (match["code"] if match.re is _COUNTRY_CODE else match.lastgroup) if match else None
    return None


_COUNTRY_CODE = re.compile(r", (?P<code>[A-Z]{2})$")


@lru_cache(maxsize=256)
def _dialled_country(number: str) -> str | None:
    """Return the country of a number in international form."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


# --- postal addresses ---------------------------------------------------------------------------------------------

_US_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|PR|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|"
    "Florida|Georgia|Hawaii|Idaho|Illinois|Indiana|Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|"
    "Minnesota|Mississippi|Missouri|Montana|Nebraska|Nevada|New Hampshire|New Jersey|New Mexico|New York|"
    "North Carolina|North Dakota|"
    "Ohio|Oklahoma|Oregon|Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|"
    "Utah|Vermont|Virginia|Washington|West Virginia|Wisconsin|Wyoming"
)
_AU_STATES = (
    "NSW|VIC|Vic|QLD|Qld|WA|SA|TAS|Tas|ACT|NT|New South Wales|Victoria|Queensland|Western Australia|South Australia|"
    "Tasmania|Australian Capital Territory|Northern Territory"
)
# What ends an address, by country.
_POSTCODE = re.compile(
    r"(?P<GB>\b[A-Z]{1,2}[0-9][A-Z0-9]? {0,2}[0-9][ABD-HJLNP-UW-Z]{2}\b)|"
    rf"(?P<US>\b(?:{_US_STATES})\.?,?\s{{1,2}}[0-9]{{5}}(?:-[0-9]{{4}})?\b)|"
    rf"(?P<AU>\b(?:{_AU_STATES})\.?,?\s{{1,2}}[0-9]{{4}}\b(?![-/ ][0-9]))|"
    r"(?P<CA>\b[ABCEGHJ-NPRSTVXY][0-9][A-Z] ?[0-9][A-Z][0-9]\b)|"
    r"(?P<IE>\b(?:[AC-FHKNPRTV-Y][0-9]{2}|D6W) [0-9AC-FHKNPRTV-Y]{4}\b)"
)
# The digits in one, which are looked for first: states are many, and digits few.
_IN_POSTCODE = re.compile(
    r"[0-9](?:[ABD-HJLNP-UW-Z]{2}\b|[0-9]{3}\b(?<=\s[0-9]{4})|[0-9]{4}\b(?<=\s[0-9]{5})|"
    r"[A-Z] ?[0-9][A-Z][0-9]\b|[0-9W] [0-9AC-Y]{4}\b)"
)
_LONGEST_STATE = 32
_COUNTRY_AFTER = re.compile(r",?\s{1,2}(United Kingdom|UK|USA|United States|Australia|Ireland|Canada|England)\b")
_LONGEST_ADDRESS = 160
_LONGEST_PIECE = 60
_MOST_PIECES = 8
_PIECES = re.compile(r"\s*(?:\n+|[,|•·;]|\s[–—-]\s)\s*")
_LABEL = re.compile(
    r"^.*\b(?:address|office|location|visit us(?: at)?|find us(?: at)?|clinic|located at|based at|at)\s*[:–-]\s*",
    re.IGNORECASE,
)
_STREET_NUMBER = re.compile(
    r"(?<![\w.:/])(?:No\.? ?)?[0-9]{1,5}[A-Za-z]?(?: ?[-–/&] ?[0-9]{1,5}[A-Za-z]?)?,? +(?=[A-Z0-9])"
)
_PREMISES = re.compile(
    r"\b(?:suite|unit|flat|floor|level|room|house|building|centre|center|court|park|hospital|clinic|studio|shop|studios?|office|"
    r"practice|block|apartment|ste|place|plaza|mill|hall|tower|farm)\b",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|way|court|ct|place|pl|square|sq|terrace|close|"
    r"crescent|highway|hwy|parade|pde|row|hill|gardens|green|grove|mews|park|parkway|pkwy|circle|quay|walk|broadway|"
    r"gate|house|centre|center|estate|building|box|route|suite|ste|fm|pike|loop|trail)\b",
    re.IGNORECASE,
)
_NO_PIECE = re.compile(
    r"@|https?:|www\.|[!?]|\d{4}[ -]?\d{3}|©|\b(?:is|are|we|our|you|your|and the|call|tel|email|phone)\b", re.IGNORECASE
)


def _addresses(text: str) -> Iterator[tuple[str, str]]:
    """Yield postal addresses with the country of their postal code."""
    before = 0
    for digits in _IN_POSTCODE.finditer(text):
        match = _POSTCODE.search(text, max(before, digits.start() - _LONGEST_STATE), digits.end() + 5)
        if match is None or match.end() < digits.end():
            continue
        lead = _lead(text[max(before, match.start() - _LONGEST_ADDRESS) : match.start()])
        before = match.end()
        if lead:
            after = _COUNTRY_AFTER.match(text, match.end())
            ending = " ".join(match[0].split()) + (f", {after[1]}" if after else "")
            # A town stands before a state's name without a comma as often as with one.
            glue = ", " if text[: match.start()].rstrip(" ").endswith((",", "\n")) else " "
            yield _clean(f"{lead}{glue}{ending}"), str(match.lastgroup)


def _lead(text: str) -> str:
    """Return the end of a text that reads as the beginning of an address; empty if there is none."""
    block = text.rpartition("\n\n")[2]
    lines = [_piece(line) for line in block.strip(" ,\n").split("\n")]
    if len(lines) > 1 and all(_is_line(line) for line in lines):
        return ", ".join(lines)  # a block of lines is set as on an envelope
    pieces: list[str] = []
    numbered = False
    for raw in reversed(_PIECES.split(text.rstrip(" ,\n"))):
        piece = _piece(raw)
        number = _STREET_NUMBER.search(piece)
        if numbered and (_YEAR.match(piece) or not (number or _PREMISES.search(piece))):
            break
        if number and len(piece) - number.start() <= _LONGEST_PIECE:
            pieces.append(piece[number.start() :])
            if numbered or number.start():
                break
            numbered = True
        elif piece and (
            len(piece) > _LONGEST_PIECE or _NO_PIECE.search(piece) or not (piece[0].isupper() or piece[0].isdigit())
        ):
            break
        elif piece:
            pieces.append(piece)
            if numbered:
                break
        if len(pieces) == _MOST_PIECES or (piece != raw.strip(_EDGES) and pieces):
            break  # a label stands before an address
    if not numbered and not any(map(_STREET_NUMBER.match, pieces)):
        # Without a number the street or the house has a name; what stands before it is something else.
        named = (n for n, piece in enumerate(pieces) if _STREET.search(piece) or _PREMISES.search(piece))
        pieces = pieces[: max(named, default=-1) + 1]
    return ", ".join(dict.fromkeys(reversed(pieces)))


def _is_line(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_PIECE and not _NO_PIECE.search(text) and not _YEAR.match(text)


_EDGES = " .,:-–"
_YEAR = re.compile(r"(?:19|20)[0-9]{2}\b")


def _piece(text: str) -> str:
    """Return a piece of an address without its label and without what hangs on its edges."""
    return _LABEL.sub("", _clean(text)).strip(_EDGES)


# --- registers ----------------------------------------------------------------------------------------------------

# How far behind a register's name its number ends.
_LONGEST_BEHIND = 120
_NUMBER = (
    r"(?:(?:registration|registered|reg|reference|ref|identification|licen[cs]e|provider|charity|membership)\b\.?\s*)*"
    r"(?:numbers?|no|num|nr|id|pin|code)?\b\.?[\s:#()–-]*"
)


@dataclass(frozen=True, slots=True)
class _Register:
    """A register: words that name it, what follows them up to a number, and how the number is written and checked."""

    name: str
    words: tuple[str, ...]
    pattern: re.Pattern[str]
    normal: Callable[[str], str | None]


def _plain(text: str) -> str:
    return re.sub(r"[\s.-]", "", text).upper()


def _company(text: str) -> str:
    """Companies House numbers have eight places, and pages leave the zeros out."""
    number = _plain(text)
    letters = re.match("[A-Z]*", number)[0]  # type: ignore[index]  # it always matches
    return letters + number[len(letters) :].zfill(8 - len(letters))


def _npi(text: str) -> str | None:
    """National Provider Identifier: ten digits, the last by Luhn's rule over 80840 and the others (45 CFR 162.406)."""
    digits = [int(digit) for digit in "80840" + _plain(text)]
    doubled = [sum(divmod(2 * digit, 10)) if n % 2 else digit for n, digit in enumerate(reversed(digits))]
    return _plain(text) if sum(doubled) % 10 == 0 else None


def _abn(text: str) -> str | None:
    """Australian Business Number: the weighted sum, with 1 taken from the first digit, is a multiple of 89."""
    number = _plain(text)
    weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    digits = [int(number[0]) - 1, *map(int, number[1:])]
    return number if sum(a * b for a, b in zip(weights, digits, strict=True)) % 89 == 0 else None


def _acn(text: str) -> str | None:
    """Australian Company Number: the last digit completes the weighted sum of the others to a multiple of ten."""
    number = _plain(text)
    total = sum(weight * int(digit) for weight, digit in zip(range(8, 0, -1), number, strict=False))
    return number if (total + int(number[8])) % 10 == 0 else None


def _vat(text: str) -> str | None:
    """UK VAT number: its weighted sum, or that plus 55, and its last two digits make a multiple of 97."""
    number = _plain(text).removeprefix("GB")[:9]
    total = sum(weight * int(digit) for weight, digit in zip(range(8, 1, -1), number, strict=False)) + int(number[7:])
    return f"GB{number}" if total % 97 == 0 or (total + 55) % 97 == 0 else None


_AHPRA = ("ATS", "CHI", "CMR", "DEN", "MED", "MRP", "NMW", "OCC", "OPT", "OST", "PAR", "PHA", "PHY", "POD", "PSY")


def _register(
    name: str, words: str, between: str, number: str, normal: Callable[[str], str | None] = _plain
) -> _Register:
    pattern = rf"(?:{between})(?P<number>{number})(?!\w)"
    return _Register(name, tuple(words.split("|")), re.compile(pattern, re.IGNORECASE), normal)


_UK = r"(?:england(?: ?(?:and|&|/) ?wales)?|wales|scotland|northern ireland|the uk|the united kingdom|uk)"
_GAP = r"[\s.,:()-]*"
_IN_UK = rf"(?:(?:in )?{_UK}{_GAP})?"
_REGISTERS = (
    # First of all: a Scottish charity's number looks like a Scottish company's.
    _register(
        "charity register",
        "charity|charities|charitable",
        rf"(?: commission)?\b{_GAP}(?:registered\s*)?{_IN_UK}{_NUMBER}{_IN_UK}{_NUMBER}",
        r"SC ?0[0-9]{5}|NIC ?1[0-9]{5}|CHY ?[0-9]{3,5}|[0-9]{6,8}(?:-[0-9]{1,2})?",
    ),
    _register(
        "Companies House",
        "company|co. |crn|companies house|registered in|registered no|registered num|incorporated in",
        rf"{_GAP}{_IN_UK}(?:registered\b\s*)?{_IN_UK}(?:with|under|as)?\s*(?:a?\s*company\b\s*)?{_NUMBER}{_IN_UK}{_NUMBER}",
        r"(?:SC|NI|OC|SO|NC|LP|SL|NL|IP|CE|CS|RC|R0) ?[0-9]{5,6}|[0-9]{6,8}",
        _company,
    ),
    _register(
        "Companies Registration Office (Ireland)",
        "registered in ireland|registered in the republic of ireland",
        rf"{_GAP}(?:company\s*)?{_NUMBER}",
        r"[0-9]{5,6}",
    ),
    _register("VAT", "vat ", _GAP + _NUMBER, r"(?:GB)?\s?[0-9]{3}\s?[0-9]{4}\s?[0-9]{2}", _vat),
    _register("Care Quality Commission", "cqc|care quality commission", r"[^\n]{0,60}?", r"1-[0-9]{8,11}", str),
    _register("National Provider Identifier", "npi", rf"\b{_GAP}{_NUMBER}", r"[12][0-9]{9}", _npi),
    _register("Australian Business Number", "abn|a.b.n", rf"\b{_GAP}{_NUMBER}", r"[0-9]{2}(?: ?[0-9]{3}){3}", _abn),
    _register("Australian Company Number", "acn|a.c.n", rf"\b{_GAP}{_NUMBER}", r"[0-9]{3}(?: ?[0-9]{3}){2}", _acn),
    _register("General Medical Council", "gmc|general medical council", rf"\b{_GAP}{_NUMBER}", r"[0-9]{7}"),
    _register("General Dental Council", "gdc|general dental council", rf"\b{_GAP}{_NUMBER}", r"[0-9]{5,6}"),
    _register(
        "Nursing and Midwifery Council",
        "nmc|nursing and midwifery council|nursing & midwifery council",
        rf"\b{_GAP}{_NUMBER}",
        r"[0-9]{2}[A-L][0-9]{4}[A-Z]",
    ),
    _register(
        "Health and Care Professions Council",
        "hcpc|health and care professions council|health & care professions council",
        rf"\b{_GAP}{_NUMBER}",
        r"(?:AS|BS|CH|CS|DT|HAD|ODP|OR|OT|PA|PH|PO|PYL|RA|SL) ?[0-9]{4,6}",
    ),
    _register(
        "General Pharmaceutical Council",
        "gphc|general pharmaceutical council",
        rf"\b{_GAP}{_NUMBER}",
        r"[1259][0-9]{6}",
    ),
    _register(
        "General Osteopathic Council",
        "gosc|general osteopathic council",
        rf"\b{_GAP}{_NUMBER}",
        r"(?!(?:19|20)[0-9]{2}\b)[0-9]{4,5}",
    ),
    _register("General Chiropractic Council", "gcc|general chiropractic council", rf"\b{_GAP}{_NUMBER}", r"[0-9]{5}"),
    # Its numbers speak for themselves.
    *(_register("Ahpra", code.lower(), "", r" ?000[0-9]{7}", str) for code in _AHPRA),
)


def _registrations(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield number, the words it stands in, and register."""
    # The one letter whose small form has another length.
    lower = text.replace("\u0130", "I").lower()
    for register in _REGISTERS if "000" in text else _REGISTERS[: -len(_AHPRA)]:
        for word in register.words:
            at = lower.find(word)
            while at >= 0:
                end = at + len(word)
                match = register.pattern.match(text, end, end + _LONGEST_BEHIND)
                if match and not lower[at - 1 : at].isalnum():
                    found = (lower[at:end].upper() if register.name == "Ahpra" else "") + match["number"]
                    number = register.normal(found)
                    if number:
                        yield number, _clean(text[at : match.end()]), register.name
                at = lower.find(word, end)


# --- names --------------------------------------------------------------------------------------------------------

_COPYRIGHT = re.compile(
    r"(?:[ ,:©-]|\(c\)|copyright\b)*(?:[12][0-9]{3}(?:\s*[-–—/,]\s*(?:[12][0-9]{3}|present))?)?[ ,.:|©–-]*"
    r"(?:(?:all rights )?reserved (?:to|by|for)\s+|by\s+)?(?P<name>[^\n|•·©]{2,120})",
    re.IGNORECASE,
)
_NAME_ENDS = re.compile(
    r"\s*(?:\bby\s.*|[.,]?\s*\ball rights?\b.*|[|•·–—].*|\s-\s.*|[.,]\s.*|\b(?:website|site|web ?design|design(?:ed)?|"
    r"powered|created|built|developed|privacy|terms|sitemap|registered|company no|copyright)\b.*|[12][0-9]{3}.*)$",
    re.IGNORECASE | re.DOTALL,
)
_NO_NAME = re.compile(
    r"^(?:all (?:rights|content|material|text|images).*|document|home(?: ?page)?|about(?: us)?|contact(?: us)?|"
    r"untitled.*|"
    r"welcome|index|copyright.*|by|the|your (?:company|website|name).*|company name|"
    r"(?:www\.)?[\w-]+\.(?:com|co\.uk|org).*)$",
    re.IGNORECASE,
)
_COMPANY = re.compile(
    r"(?<![\w'’])(?P<name>(?:(?:[A-Z][\w'’.&-]*|&|and|of|the|for)[ ]){1,7}(?:Ltd|Limited|LLP|LLC|PLC|Plc|plc|"
    r"Pty\.? Ltd|Pty\.? Limited|Inc|PLLC|P\.?C|CIC)\b)"
)
_FORMS = (" Ltd", " Limited", " LLP", " LLC", " PLC", " Plc", " plc", " Inc", " PLLC", " P.C", " PC", " CIC")
_COMPANY_LEAD = re.compile(
    r"^(?:(?:(?:a|the)?\s*trading (?:name|style) of|t/a|part of|copyright|by|of|and|the|for|in|at|with|is|company|"
    r"owned by|registered office|privacy policy|about)\s+)+",
    re.IGNORECASE,
)
# Those who made the page, or whose services it uses.
_OTHERS = re.compile(
    r"\b(?:google|facebook|meta|microsoft|wix|squarespace|shopify|stripe|paypal|twitter|linkedin|youtube|godaddy|wordpress|"
    r"automattic|cloudflare|mailchimp|finance|financial|insurance|insurer|bank|designs?|web|media|digital|marketing)\b",
    re.IGNORECASE,
)

_MAKER = re.compile(
    r"(?:site|design\w*|development|powered|built|created|developed|made|hosted)(?: and \w+)?(?: by)?[ :]*$",
    re.IGNORECASE,
)


def _names(text: str) -> Iterator[str]:
    """Yield the names that copyright lines give, and those of companies by their form."""
    for sign in ("©", "opyright", "(c)"):
        at = text.find(sign)
        while at >= 0:
            match = _COPYRIGHT.match(text, at + len(sign), at + len(sign) + 160)
            before = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
            for said in (match["name"] if match else "", before):
                name = _NAME_ENDS.sub("", _clean(said)).strip(" .,:-–|")
                if 2 < len(name) <= 80 and not _NO_NAME.match(name) and name[0].isalnum() and not name.islower():
                    yield name
                    break
            at = text.find(sign, at + len(sign))
    for form in _FORMS:
        at = text.find(form)
        while at >= 0:
            near = text[max(0, at - 80) : at + len(form) + 8]
            match = _COMPANY.search(near)
            name = _COMPANY_LEAD.sub("", match["name"]) if match else ""
            if (
                match
                and len(name.split()) > 1
                and not _OTHERS.search(name)
                and not _MAKER.search(near[: match.start()])
            ):
                yield name
            at = text.find(form, at + len(form))
