"""What a site asks of robots, and the rhythm in which it is asked: components for Scrapy."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlsplit

from protego import Protego
from scrapy import Request, Spider, signals
from scrapy.crawler import Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.extensions.throttle import AutoThrottle
from scrapy.http import Response
from scrapy.http.request import NO_CALLBACK

from mdclaims.cases.fetching import NotFetchedError

ROBOT = "mdclaims"
"""The name that rules in a robots.txt call us by (RFC 9309, the product token)."""

# RFC 9309, 2.5: a robot reads at least 500 KiB.
_LONGEST_RULES = 500 * 1024


@dataclass(frozen=True, slots=True)
class Rules:
    """What a robots.txt says.

    Attributes
    ----------
    parser : Protego or None
        None if there is none: everything is allowed.
    problem : NotFetchedError or None
        Why it could not be read: nothing is allowed.
    """

    parser: Protego | None = None
    problem: NotFetchedError | None = None

    @property
    def delay(self) -> float:
        """Seconds between two requests that it asks for."""
        if self.parser is None:
            return 0.0
        rate = self.parser.request_rate(ROBOT)
        return max(self.parser.crawl_delay(ROBOT) or 0.0, rate.seconds / rate.requests if rate else 0.0)


class RobotsMiddleware:
    """Obeys robots.txt as RFC 9309 says.

    Scrapy's own takes any answer for rules: the text of an error page allows everything. Here 4xx means that there are
    no rules; after 5xx, 429 or no answer nothing is allowed. And it keeps to ``Crawl-delay`` and ``Request-rate``.
    """

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler
        self._rules: dict[str, asyncio.Future[Rules]] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsMiddleware:
        """Return the middleware of a crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> None:
        """Refuse what robots.txt refuses."""
        if request.meta.get("is_robots"):
            return
        parts = urlsplit(request.url)
        place = f"{parts.scheme}://{parts.netloc}"
        if place not in self._rules:
            self._rules[place] = asyncio.ensure_future(self._read(place, request))
        rules = await self._rules[place]
        if rules.problem is not None:
            raise NotFetchedError(rules.problem.reason, f"{place}/robots.txt: {rules.problem.detail}")
        if rules.parser is not None and not rules.parser.can_fetch(request.url, ROBOT):
            raise NotFetchedError("robots")

    async def _read(self, place: str, request: Request) -> Rules:
        """Fetch the rules of one scheme, host and port."""
        meta = {
            "is_robots": True,
            "target": request.meta["target"],
            "download_slot": request.meta["download_slot"],
        }
        asked = Request(f"{place}/robots.txt", meta=meta, callback=NO_CALLBACK, priority=1_000)
        try:
            response = await self._crawler.engine.download_async(asked)
        except NotFetchedError as error:
            # A host that cannot be reached at all is told as that; anything else leaves the rules unknown.
            kept = error.reason in {"private_address", "error", "timeout", "bad_address"}
            return Rules(problem=error if kept else NotFetchedError("robots_unreadable", error.detail or error.reason))
        except (IgnoreRequest, OSError, EOFError) as error:  # too many redirects; a body that cannot be unpacked
            return Rules(problem=NotFetchedError("robots_unreadable", str(error)))
        if 200 <= response.status < 300:
            text = response.body[:_LONGEST_RULES].decode("utf-8", errors="replace")
            rules = Rules(Protego.parse(text))
            throttle = self._crawler.get_extension(Throttle)
            if throttle is not None:
                throttle.keep_apart(request.meta["download_slot"], rules.delay)
            return rules
        if 400 <= response.status < 500 and response.status != 429:
            return Rules()
        return Rules(problem=NotFetchedError("robots_unreadable", f"status {response.status}"))


class Throttle(AutoThrottle):
    """Scrapy's AutoThrottle, which asks as slowly as the site answers; and it keeps to what the site asked for.

    The delay never falls below that of robots.txt. It doubles when a site says that it is overloaded (429, 503), and
    is at least what ``Retry-After`` says then, up to the longest delay.
    """

    def __init__(self, crawler: Crawler) -> None:
        super().__init__(crawler)
        self._least: dict[str, float] = {}
        crawler.signals.connect(self._apply, signal=signals.request_reached_downloader)

    def keep_apart(self, slot: str, seconds: float) -> None:
        """Ask a site no more often than this."""
        self._least[slot] = max(self._least.get(slot, 0.0), seconds)

    def _apply(self, request: Request, spider: Spider) -> None:
        key, slot = self._get_slot(request, spider)
        if key is not None and slot is not None:
            slot.delay = max(slot.delay, self._least.get(key, 0.0))

    def _response_downloaded(self, response: Response, request: Request, spider: Spider) -> None:
        super()._response_downloaded(response, request, spider)
        _, slot = self._get_slot(request, spider)
        if slot is not None and response.status in {429, 503}:
            told = (response.headers.get("Retry-After") or b"").decode("latin-1")
            wait = float(told) if told.isascii() and told.isdigit() else 0.0
            slot.delay = max(slot.delay, min(max(2 * slot.delay, wait), self.maxdelay))
        self._apply(request, spider)
