"""What a capture was asked to do, what became of each address, and the figures at its end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from math import isfinite
from typing import Any

from mdclaims.cases.addresses import Address, site_of
from mdclaims.cases.fetching import Exchange
from mdclaims.cases.recorded import INPUTS_FIELD, Recorded, inputs_sha256, shown_inputs
from mdclaims.cases.warc import WarcWriter
from mdclaims.errors import UsageError
from mdclaims.reading.limits import Limits

REASONS: dict[str, str] = {
    "robots": "robots.txt disallows it",
    "robots_unreadable": "robots.txt could not be read, so nothing is allowed",
    "timeout": "no whole answer in time, twice",
    "too_large": "over a limit of bytes",
    "error": "no connection, no valid certificate, or a broken answer, twice where a second try may help",
    "http_error": "answered with a status other than success",
    "off_site": "on another site",
    "private_address": "not on the public internet",
    "bad_address": "cannot be asked: too long, or with a user name",
    "not_html": "no web page: a picture, a PDF",
    "max_depth": "too many links away",
    "max_pages": "the site has had its pages",
    "max_total": "the capture has had its pages",
    "max_alike": "too many addresses that differ in numbers or query values alone",
    "interrupted": "the capture ended first",
}
"""Why an address was not fetched, in the order shown."""

REFUSED = ("robots", "robots_unreadable")
FAILED = ("timeout", "too_large", "error", "http_error")

# Of each site and reason; a trap of endless links must not fill the archive. The figures count all.
_MOST_RECORDED = 1_000


@dataclass(frozen=True, slots=True)
class CaptureOptions:
    """How to capture.

    Attributes
    ----------
    contact : str or None
        Address or e-mail address for those whose pages are read; part of the user agent.
    ignore_robots : str or None
        Why robots.txt is not obeyed; None obeys it.
    delay : float
        Seconds between two requests to a site, at least.
    timeout : float
        Seconds for one request.
    max_pages : int
        Addresses asked of one site, without robots.txt and what redirects lead to.
    max_total : int
        The same for all sites together.
    max_depth : int
        Links from an address given; 0 follows none.
    max_alike : int
        Linked addresses of a site with one pattern (`pattern_of`).
    allow_private : bool
        Connect to addresses outside the public internet.
    limits : Limits

    Raises
    ------
    UsageError
        If a value is out of range.
    """

    contact: str | None = None
    ignore_robots: str | None = None
    delay: float = 1.0
    timeout: float = 30.0
    max_pages: int = 500
    max_total: int = 10_000
    max_depth: int = 8
    max_alike: int = 100
    allow_private: bool = False
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.contact is not None and not re.fullmatch(r"[!-'*-~]{3,200}", self.contact):
            raise UsageError("--contact is an e-mail or web address, without spaces and brackets")
        if self.ignore_robots is not None and not re.search(r"\w", self.ignore_robots):
            raise UsageError('--robots ignore needs --reason TEXT, such as "inspection under section 4"')
        if not (isfinite(self.delay) and self.delay >= 0):
            raise UsageError(f"--delay is a number of seconds from 0, not {self.delay:g}")
        if not (isfinite(self.timeout) and self.timeout > 0):
            raise UsageError(f"--timeout is a number of seconds above 0, not {self.timeout:g}")
        for name, least in (("max_pages", 1), ("max_total", 1), ("max_depth", 0), ("max_alike", 1)):
            if getattr(self, name) < least:
                raise UsageError(f"--{name.replace('_', '-')} is a whole number from {least}")

    @property
    def user_agent(self) -> str:
        """The name that capture gives to servers."""
        about = f" (+{self.contact})" if self.contact else ""
        return f"mdclaims/{version('mdclaims')}{about}"

    def info(self) -> dict[str, str]:
        """Return the fields of the archive's warcinfo record."""
        return {
            "software": f"mdclaims/{version('mdclaims')}",
            "format": "WARC File Format 1.1",
            "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            **({"operator": self.contact} if self.contact else {}),
            "http-header-user-agent": self.user_agent,
            "robots": "obey" if self.ignore_robots is None else "ignore",
            **({"robots-ignored-because": " ".join(self.ignore_robots.split())} if self.ignore_robots else {}),
            "delay": f"{self.delay:g}",
            "timeout": f"{self.timeout:g}",
            "max-pages": str(self.max_pages),
            "max-total": str(self.max_total),
            "max-depth": str(self.max_depth),
            "max-alike": str(self.max_alike),
            "max-bytes": str(self.limits.max_bytes),
            "allow-private": str(self.allow_private).lower(),
        }


def info_of(options: CaptureOptions, inputs: Sequence[str | Address]) -> dict[str, str]:
    """Return the fields of the warcinfo record of a capture."""
    return {**options.info(), INPUTS_FIELD: inputs_sha256(inputs)}


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """An address that is asked or was left alone.

    Attributes
    ----------
    url : str
    site : str
    depth : int
        Links from an address given.
    found_on : str or None
        The page that links to it.
    given : str or None
        Where the user gave it.
    is_sitemap : bool
    """

    url: str
    site: str
    depth: int = 0
    found_on: str | None = None
    given: str | None = None
    is_sitemap: bool = False


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What became of a capture.

    Attributes
    ----------
    requests : int
        Sent, with robots.txt, redirects and second tries.
    fetched : int
        Addresses that gave a page, where redirects led to one included.
    reasons : dict
        How many addresses were not fetched, for each reason.
    sites : int
    unread : tuple of str
        One line for each address the user gave that was not fetched.
    interrupted : bool
    """

    requests: int
    fetched: int
    reasons: dict[str, int]
    sites: int
    unread: tuple[str, ...]
    interrupted: bool

    def summary(self) -> str:
        """Return the figures as a line."""
        failed = {reason: self.reasons[reason] for reason in FAILED if self.reasons.get(reason)}
        refused = sum(self.reasons.get(reason, 0) for reason in REFUSED)
        alone = {reason: n for reason, n in self.reasons.items() if n and reason not in {*FAILED, *REFUSED}}
        return (
            f"asked {_count(self.requests, 'time')} on {_count(self.sites, 'site')}, fetched "
            f"{_count(self.fetched, 'page')}, failed {_shares(failed)}, refused by robots.txt {refused:,}, left alone "
            f"{_shares(alone)}{'; interrupted' if self.interrupted else ''}"
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _shares(reasons: dict[str, int]) -> str:
    told = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
    return f"{sum(reasons.values()):,}{f' ({told})' if told else ''}"


class Journal:
    """Writes down what happens, into the archive and as figures.

    Parameters
    ----------
    archive : WarcWriter
    options : CaptureOptions
    inputs : sequence of str or Address
        What the user passed.
    recorded : Recorded, optional
        What the archive holds of the same capture, which goes on.
    """

    def __init__(
        self,
        archive: WarcWriter,
        options: CaptureOptions,
        inputs: Sequence[str | Address],
        recorded: Recorded | None = None,
    ) -> None:
        self.options = options
        self.recorded = recorded
        self._archive = archive
        self._inputs = shown_inputs(inputs)
        self._started = [*(recorded.started if recorded else ()), datetime.now(UTC).isoformat()]
        self._sites: dict[str, Counter[str]] = {}
        self._open: dict[Target, None] = {}
        self._unanswered: Counter[Target] = Counter()
        self._unread: list[str] = []
        if recorded is not None:
            for url, number in recorded.asked.items():
                self._site(site_of(url))["requests"] += number
            for entry in recorded.unfetched.values():
                self._site(entry.site)["requests"] += entry.unanswered
        archive.write_info(info_of(options, inputs))

    def _site(self, site: str) -> Counter[str]:
        return self._sites.setdefault(site, Counter())

    def admit(self, target: Target) -> None:
        """Note that an address is going to be asked."""
        self._open[target] = None
        self._site(target.site)["admitted"] += 1

    def admitted(self, site: str | None = None) -> int:
        """Return how many addresses were let in, of a site or in all."""
        if site is not None:
            return self._site(site)["admitted"]
        return sum(counts["admitted"] for counts in self._sites.values())

    def requested(self, target: Target) -> None:
        """Note that a request is sent."""
        self._site(target.site)["requests"] += 1
        self._unanswered[target] += 1

    def exchanged(self, target: Target, exchange: Exchange) -> None:
        """Record a request and its answer."""
        self._archive.write_exchange(exchange)
        self._unanswered[target] -= 1

    def fetched(self, target: Target) -> None:
        """Note that an address gave a page."""
        self._open.pop(target, None)
        self._site(target.site)["fetched"] += 1

    def met_again(self, target: Target) -> None:
        """Note that an address leads to one that is asked already."""
        self._open.pop(target, None)
        self._site(target.site)["met_again"] += 1

    def not_fetched(self, target: Target, reason: str, detail: str = "", *, url: str | None = None) -> None:
        """Record that an address was not fetched, and why.

        Parameters
        ----------
        target : Target
        reason : str
            A key of `REASONS`.
        detail : str
            In words.
        url : str, optional
            Where redirects from the target led.
        """
        admitted = target in self._open
        self._open.pop(target, None)
        counts = self._site(target.site)
        counts[f"not_fetched.{reason}"] += 1
        if target.given is not None:
            told = f" ({detail})" if detail else ""
            self._unread.append(f"{target.url} was not fetched: {REASONS[reason]}{told}")
        if counts[f"not_fetched.{reason}"] > _MOST_RECORDED and target.given is None:
            return
        if self.recorded is not None and target.url in self.recorded.unfetched:
            return
        about = {
            "reason": reason,
            "detail": detail,
            "site": target.site,
            "asked": target.url,
            "depth": target.depth,
            "found_on": target.found_on,
            "given": target.given,
            "admitted": admitted,
            "unanswered": self._unanswered[target],
        }
        self._archive.write_metadata({"not_fetched": about}, url or target.url)

    def finish(self, *, interrupted: bool) -> CaptureResult:
        """Record what is still open and the figures of the whole capture."""
        for target in list(self._open):
            if self.recorded is None or not self.recorded.knows(target.url):
                self.not_fetched(target, "interrupted")
        sites = {site: _figures(counts) for site, counts in sorted(self._sites.items())}
        self._archive.write_metadata(
            {
                "capture": {
                    "inputs": self._inputs,
                    "started": self._started[0],
                    "continued": self._started[1:],
                    "ended": datetime.now(UTC).isoformat(),
                    "interrupted": interrupted,
                    "sites": sites,
                }
            }
        )
        reasons = {name: sum(counts[f"not_fetched.{name}"] for counts in self._sites.values()) for name in REASONS}
        return CaptureResult(
            requests=sum(counts["requests"] for counts in self._sites.values()),
            fetched=sum(counts["fetched"] for counts in self._sites.values()),
            reasons=reasons,
            sites=len(sites),
            unread=tuple(self._unread),
            interrupted=interrupted,
        )


def _figures(counts: Counter[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {name: counts[name] for name in ("requests", "fetched", "met_again")}
    figures["not_fetched"] = {reason: counts[f"not_fetched.{reason}"] for reason in REASONS}
    return figures
