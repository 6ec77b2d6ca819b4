"""What the code of a web page, and not its text, says of whose page it is: contact links and schema.org data.

It only collects; what is a telephone number and what a postal address is judged in ``cases/contacts.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

MOST_MARKS = 60
"""More are not kept of one page: a directory of others, or made to do harm."""
_LONGEST = 300

_PROPERTIES = {
    "name": "name",
    "legalName": "legal_name",
    "telephone": "telephone",
    "email": "email",
    "identifier": "identifier",
}
# schema.org's order of an address on an envelope.
_ADDRESS = ("streetAddress", "addressLocality", "addressRegion", "postalCode", "addressCountry")
# Types of schema.org that are a business; https://schema.org/MedicalBusiness and its neighbours end like these.
_BUSINESS = re.compile(
    r"(?:Organization|Business|Clinic|Corporation|Dentist|Optician|Physician|PhysiciansOffice|Hospital|Pharmacy|Spa|"
    r"Salon|Store|HealthClub|Facility|NGO|Optometric|ProfessionalService)$"
)
_TELLING = frozenset({"telephone", "email", "address", "legalName", "openingHours", "openingHoursSpecification"})
# Objects in these are others: who wrote, who praised, who it belongs to.
_OF_OTHERS = frozenset(
    "author review reviewedBy itemReviewed parentOrganization memberOf alumniOf hospitalAffiliation affiliation "
    "recognizedBy sponsor funder brand worksFor employee founder isPartOf creator member "
    "department availableService makesOffer hasOfferCatalog hasCredential award areaServed knowsAbout".split()
)

# Cloudflare writes addresses as hex digits, each byte combined with the first one, and a script puts them back.
_SHIELDED = re.compile(r"/cdn-cgi/l/email-protection#((?:[0-9a-f]{2}){4,200})$", re.IGNORECASE)

LINKS = 'a[href^="tel:" i], a[href^="mailto:" i], a[href*="/cdn-cgi/l/email-protection#"]'
"""The elements that `link_mark` reads."""


def may_hold_links(markup: str) -> bool:
    """True if a document may have contact links: far quicker than looking for them."""
    return "tel:" in markup or "mailto:" in markup or "email-protection" in markup


def link_mark(address: str) -> tuple[str, str] | None:
    """Return what a contact link leads to.

    >>> link_mark("tel:+44-1632-960001"), link_mark("mailto:desk@clinic.example?subject=Hello")
    (('telephone', '+44-1632-960001'), ('email', 'desk@clinic.example'))
    """
    scheme, _, rest = address.strip().partition(":")
    if match := _SHIELDED.search(address):
        first, *others = bytes.fromhex(match[1])
        return "email", bytes(byte ^ first for byte in others).decode(errors="replace")[:_LONGEST]
    value = unquote(re.split("[?;]", rest, maxsplit=1)[0]).strip()[:_LONGEST]
    kind = {"tel": "telephone", "mailto": "email"}.get(scheme.lower())
    return (kind, value) if kind and value else None


def data_marks(data: Any) -> Iterator[tuple[str, str]]:
    """Yield what JSON-LD says of businesses, in its order."""
    stack: list[Any] = [data]
    while stack:
        value = stack.pop()
        if isinstance(value, list):
            stack.extend(reversed(value))
        elif isinstance(value, dict):
            # One that is only named is a partner, an insurer, a place.
            if _is_business(value) and not _TELLING.isdisjoint(value):
                yield from _business_marks(value)
            stack.extend(item for key, item in reversed(value.items()) if key not in _OF_OTHERS)


def _is_business(data: dict[str, Any]) -> bool:
    kinds = data.get("@type")
    return any(
        isinstance(kind, str) and _BUSINESS.search(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])
    )


def _business_marks(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, mark in _PROPERTIES.items():
        for text in _texts(data.get(key)):
            yield mark, text
    found = data.get("address")
    for address in found if isinstance(found, list) else [found]:
        parts = [", ".join(_texts(address.get(key))) for key in _ADDRESS] if isinstance(address, dict) else []
        joined = ", ".join(filter(None, parts or _texts(address)))
        if joined:
            yield "address", joined[:_LONGEST]


def _texts(value: Any) -> list[str]:
    """Return the texts of a property; ``{"name": ...}`` stands for its name."""
    found = []
    for item in value if isinstance(value, list) else [value]:
        text = item.get("name") or item.get("value") if isinstance(item, dict) else item
        if isinstance(text, str) and text.strip():
            found.append(text.strip()[:_LONGEST])
    return found
