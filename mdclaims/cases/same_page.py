"""When two addresses are one page: what is left of an address once what does not name a page is taken away."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

SAME_PAGE = (
    "http and https, www., the default port, case of the host, a slash at the end of the path, fragments "
    "(not #! and #/) and the query keys of advertisers (utm_..., gclid, fbclid and the like) make no difference"
)
"""The rule, for those who read a comparison."""

# What advertisers and newsletters add to links. Each of these only tells where a visitor came from.
_TRACKING = re.compile(
    r"utm_[a-z_]+|gclid|gclsrc|dclid|gbraid|wbraid|srsltid|_gl|_ga|fbclid|msclkid|yclid|ttclid|twclid|igshid|li_fat_id"
    r"|mc_cid|mc_eid|_hsenc|_hsmi|mkt_tok"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def page_key(address: str) -> str:
    """Return what two addresses of one page share; see `SAME_PAGE`.

    Everything else tells pages apart: the case of the path, the order of the query, ``index.html``.

    >>> page_key("http://www.Clinic.example/knee/?utm_source=x#top")
    'clinic.example/knee'
    >>> page_key("https://clinic.example/?page=2")
    'clinic.example/?page=2'
    """
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return address
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return address
    host = parts.hostname.rstrip(".").removeprefix("www.")
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    query = "&".join(
        part for part in parts.query.split("&") if part and not _TRACKING.fullmatch(part.partition("=")[0].lower())
    )
    # Some sites write the page itself behind the mark; there it names what is shown.
    fragment = f"#{parts.fragment}" if parts.fragment.startswith(("!", "/")) else ""
    return f"{host}{parts.path.rstrip('/') or '/'}{'?' if query else ''}{query}{fragment}"
