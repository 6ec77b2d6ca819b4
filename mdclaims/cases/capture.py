"""Pages of whole sites into a WARC archive, politely: `capture` runs a Scrapy crawl and writes down all of it.

Scrapy keeps the queue, the rhythm and the redirects; `fetching` asks, `warc` writes, `journal` counts. Twisted's
reactor cannot start again: a process captures once.
"""

from __future__ import annotations

import asyncio
import signal
import threading
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from scrapy import Request, Spider, signals
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.exceptions import IgnoreRequest
from scrapy.http import Headers, Response, TextResponse
from scrapy.linkextractors import LinkExtractor
from scrapy.responsetypes import responsetypes
from scrapy.utils.response import get_meta_refresh
from twisted.python.failure import Failure
from w3lib.url import canonicalize_url, safe_url_string

from mdclaims.cases.addresses import (
    Address,
    checked_address,
    is_other_file,
    parse_sitemap,
    pattern_of,
    read_addresses,
    site_of,
)
from mdclaims.cases.fetching import NotFetchedError, fetch
from mdclaims.cases.journal import CaptureOptions, CaptureResult, Journal, Target
from mdclaims.cases.warc import WarcWriter
from mdclaims.errors import ReadError, UsageError

__all__ = ["CaptureOptions", "CaptureResult", "capture"]

# One request at a time to a site; so many sites at once.
_PER_SITE = 1
_AT_ONCE = 16
# AutoThrottle waits no longer than this on its own, in seconds; a site's robots.txt may ask for more.
_LONGEST_DELAY = 60.0
_MOST_REDIRECTS = 10
_PAGES = (b"text/html", b"application/xhtml+xml")


def capture(inputs: Sequence[str], output: Path, options: CaptureOptions) -> CaptureResult:
    """Capture pages into a new archive.

    Parameters
    ----------
    inputs : sequence of str
        Addresses, lists, sitemaps, tables; see `read_addresses`.
    output : Path
        ``.warc.gz``; must not exist.
    options : CaptureOptions

    Raises
    ------
    UsageError
        If the archive exists or cannot be written.
    ReadError
        If no input holds an address.
    """
    if not output.name.endswith(".warc.gz"):
        raise UsageError(f"{output} must end in .warc.gz; name the archive so")
    addresses, problems = read_addresses(inputs, options.limits)
    if not addresses:
        raise ReadError(f"no address to capture; {'; '.join(problems) or 'the inputs are empty'}")
    with WarcWriter(output) as archive:
        journal = Journal(archive, options, inputs)
        run = _Run()
        _crawl(journal, addresses, run)
        try:
            result = journal.finish(interrupted=run.interrupted)
        except OSError as error:
            raise _unwritable(output, error) from error
    if isinstance(run.problem, OSError):
        raise _unwritable(output, run.problem) from run.problem
    if run.problem is not None:
        raise run.problem
    return CaptureResult(
        requests=result.requests,
        fetched=result.fetched,
        reasons=result.reasons,
        sites=result.sites,
        unread=(*problems, *result.unread),
        interrupted=result.interrupted,
    )


def _unwritable(output: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{output} cannot be written on ({error.strerror}); what was finished stays in it; capture the rest elsewhere"
    )


class _Run:
    """How the crawl ends: by itself, by Ctrl-C, or by an error that must not pass."""

    def __init__(self) -> None:
        self.interrupted = False
        self.problem: BaseException | None = None

    def interrupt(self) -> None:
        self.interrupted = True
        self._stop()

    def fail(self, problem: BaseException | None) -> None:
        if problem is not None:
            self.problem = self.problem or problem
            self._stop()

    def _stop(self) -> None:
        from twisted.internet import reactor

        # At once: what is open would only wait for its turn or its timeout, and the archive is whole at any time.
        if reactor.running:
            reactor.crash()  # type: ignore[misc]


def _crawl(journal: Journal, addresses: list[Address], run: _Run) -> None:
    process = AsyncCrawlerProcess(_settings(journal.options))
    loop = asyncio.get_event_loop()
    task = process.crawl(CaptureSpider, journal=journal, addresses=addresses, run=run)
    task.add_done_callback(lambda done: run.fail(done.exception()))
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(run.interrupt))
    try:
        process.start(install_signal_handlers=False)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _settings(options: CaptureOptions) -> dict[str, Any]:
    """Return Scrapy's settings: exactly the parts that are named here, and none of its defaults."""
    here, scrapy = "mdclaims.cases", "scrapy.downloadermiddlewares"
    return {
        "DOWNLOAD_HANDLERS_BASE": {},
        "DOWNLOAD_HANDLERS": dict.fromkeys(("http", "https"), f"{here}.capture.RecordingHandler"),
        "DOWNLOADER_MIDDLEWARES_BASE": {
            f"{here}.capture.ScopeMiddleware": 50,
            **({f"{here}.politeness.RobotsMiddleware": 100} if options.ignore_robots is None else {}),
            f"{scrapy}.retry.RetryMiddleware": 550,
            f"{scrapy}.httpcompression.HttpCompressionMiddleware": 590,
            f"{scrapy}.redirect.RedirectMiddleware": 600,
        },
        "SPIDER_MIDDLEWARES_BASE": {},
        "EXTENSIONS_BASE": {f"{here}.politeness.Throttle": 0},
        "AUTOTHROTTLE_ENABLED": True,
        "AUTOTHROTTLE_START_DELAY": options.delay,
        "AUTOTHROTTLE_MAX_DELAY": max(_LONGEST_DELAY, options.delay),
        "DOWNLOAD_DELAY": options.delay,
        "DOWNLOAD_DELAY_JITTER": 0,  # a delay is what was said, not half of it
        "CONCURRENT_REQUESTS": _AT_ONCE,
        "CONCURRENT_REQUESTS_PER_DOMAIN": _PER_SITE,
        "DOWNLOAD_MAXSIZE": options.limits.max_bytes,  # of a body unpacked, to look for links in
        "DOWNLOAD_WARNSIZE": 0,
        "RETRY_TIMES": 1,
        "RETRY_EXCEPTIONS": [f"{here}.fetching.TransientError"],
        "REDIRECT_MAX_TIMES": _MOST_REDIRECTS,
        # Breadth first, and fairly among sites.
        "SCHEDULER_PRIORITY_QUEUE": "scrapy.pqueues.DownloaderAwarePriorityQueue",
        "SCHEDULER_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        "SCHEDULER_START_MEMORY_QUEUE": "scrapy.squeues.FifoMemoryQueue",
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "STATS_DUMP": False,
    }


class CaptureSpider(Spider):
    """Decides what is asked, and follows the links of a site.

    Parameters
    ----------
    journal : Journal
    addresses : list of Address
    run : _Run
    """

    name = "mdclaims"

    def __init__(self, journal: Journal, addresses: list[Address], run: _Run) -> None:
        super().__init__()
        self.journal = journal
        self.run = run
        self._addresses = addresses
        self._seen: set[tuple[str, str]] = set()
        self._alike: Counter[tuple[str, str]] = Counter()
        # Frames are part of what a reader sees, as pages of their own.
        self._links = LinkExtractor(
            tags=("a", "area", "frame", "iframe"), attrs=("href", "src"), deny_extensions=(), strip=True
        )

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **kwargs: Any) -> CaptureSpider:
        """Return the spider of a crawl; an error in it ends the crawl, instead of a line in a log."""
        spider = super().from_crawler(crawler, *args, **kwargs)
        crawler.signals.connect(spider._dropped, signal=signals.request_dropped)
        crawler.signals.connect(spider._erred, signal=signals.spider_error)
        return spider

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the addresses given."""
        # All of them are let in before the first link is looked at.
        asked = [
            self._consider(address.url, site_of(address.url), given=address.given, is_sitemap=address.is_sitemap)
            for address in self._addresses
        ]
        for request in asked:
            if request is not None:
                yield request

    def closed(self, reason: str) -> None:
        """Take note of an end that is none of ours: Scrapy would only log it."""
        if reason != "finished":
            self.run.fail(RuntimeError(f"the crawl ended early: {reason}"))

    # --- what is asked ---

    def _consider(
        self,
        url: str,
        site: str,
        *,
        depth: int = 0,
        found_on: str | None = None,
        given: str | None = None,
        is_sitemap: bool = False,
        is_link: bool = False,
    ) -> Request | None:
        """Return the request for an address, or None if it is known already or left alone."""
        url = safe_url_string(url).partition("#")[0]
        key = (site, canonicalize_url(url))
        if key in self._seen:
            return None
        self._seen.add(key)
        target = Target(url, site, depth, found_on, given, is_sitemap)
        try:
            self._check(target, is_link=is_link)
        except NotFetchedError as error:
            self.journal.not_fetched(target, error.reason, error.detail)
            return None
        self.journal.admit(target)
        return Request(
            url,
            callback=self.parse_sitemap if is_sitemap else self.parse,
            errback=self.not_fetched,
            priority=-depth,
            meta={"target": target, "download_slot": site},
        )

    def _check(self, target: Target, *, is_link: bool) -> None:
        """Raise if an address is to be left alone."""
        options, journal = self.journal.options, self.journal
        check_place(target.url, target.site)
        if is_other_file(target.url) and not target.is_sitemap:
            raise NotFetchedError("not_html", "by its name")
        if target.depth > options.max_depth and is_link:
            raise NotFetchedError("max_depth")
        if journal.admitted() >= options.max_total:
            raise NotFetchedError("max_total")
        if journal.admitted(target.site) >= options.max_pages:
            raise NotFetchedError("max_pages")
        if is_link:
            # Calendars, filters and session numbers make endless pages of one pattern. What the user or a sitemap
            # names is no such trap.
            pattern = pattern_of(target.url)
            if self._alike[target.site, pattern] >= options.max_alike:
                raise NotFetchedError("max_alike", pattern)
            self._alike[target.site, pattern] += 1

    # --- what came back ---

    def parse(self, response: Response) -> Iterator[Request]:
        """Note a page, and follow its links."""
        target: Target = response.meta["target"]
        if not self._succeeded(response):
            return
        self.journal.fetched(target)
        for url in _links(response, self._links):
            request = self._consider(url, target.site, depth=target.depth + 1, found_on=response.url, is_link=True)
            if request is not None:
                yield request

    def parse_sitemap(self, response: Response) -> Iterator[Request]:
        """Ask for what a sitemap names, on its own site."""
        target: Target = response.meta["target"]
        if not self._succeeded(response):
            return
        try:
            is_index, urls = parse_sitemap(response.body, self.journal.options.limits)
        except ReadError as error:
            self.journal.not_fetched(target, "error", f"the sitemap {error}")
            return
        if is_index and target.depth > 0:  # sitemaps.org: an index names no index
            self.journal.not_fetched(target, "error", "an index of sitemaps inside another")
            return
        self.journal.fetched(target)
        for url in urls:
            request = self._consider(url, target.site, depth=int(is_index), found_on=response.url, is_sitemap=is_index)
            if request is not None:
                yield request

    def _succeeded(self, response: Response) -> bool:
        if 200 <= response.status < 300:
            return True
        self.journal.not_fetched(response.meta["target"], "http_error", f"status {response.status}", url=response.url)
        return False

    def not_fetched(self, failure: Failure) -> None:
        """Record why an address was not fetched."""
        error, request = failure.value, failure.request  # type: ignore[attr-defined]
        target: Target = request.meta["target"]
        if isinstance(error, NotFetchedError):
            reason, detail = error.reason, error.detail
        elif isinstance(error, IgnoreRequest):
            # Scrapy says by its text alone which of the two it is.
            large = "DOWNLOAD_MAXSIZE" in str(error)
            limit = f"unpacked, over the limit max_bytes = {self.journal.options.limits.max_bytes:,}"
            reason, detail = ("too_large", limit) if large else ("error", f"more than {_MOST_REDIRECTS} redirects")
        elif isinstance(error, (OSError, EOFError, zlib.error)):
            reason, detail = "error", f"its content encoding cannot be undone ({error})"
        else:
            self.run.fail(error)
            return
        self.journal.not_fetched(target, reason, detail, url=request.url)

    def _dropped(self, request: Request) -> None:
        self.journal.met_again(request.meta["target"])

    def _erred(self, failure: Failure) -> None:
        self.run.fail(failure.value)


def check_place(url: str, site: str) -> None:
    """Raise if an address cannot be asked or lies on another site."""
    try:
        checked_address(url)
    except ReadError as error:
        raise NotFetchedError("bad_address", str(error)) from error
    if site_of(url) != site:
        raise NotFetchedError("off_site")


def _links(response: Response, extractor: LinkExtractor) -> Iterator[str]:
    """Yield the addresses that a page leads to."""
    if not isinstance(response, TextResponse):
        return
    _, refresh = get_meta_refresh(response)
    if refresh:
        yield refresh
    for link in extractor.extract_links(response):
        yield link.url


class ScopeMiddleware:
    """Refuses to leave the site, wherever redirects lead."""

    def process_request(self, request: Request) -> None:
        """Look at every request, those that redirects and robots.txt make included."""
        check_place(request.url, request.meta["target"].site)


class RecordingHandler(BaseDownloadHandler):
    """Asks, and records each request with its answer before anything looks at it."""

    async def download_request(self, request: Request) -> Response:
        """Return the answer to a request.

        Raises
        ------
        NotFetchedError
            If there is none, or none that is wanted.
        """
        spider = self.crawler.spider
        if not isinstance(spider, CaptureSpider):
            raise TypeError("this handler serves CaptureSpider alone")
        options, target = spider.journal.options, request.meta["target"]
        any_type = target.is_sitemap or request.meta.get("is_robots", False)

        def check_head(status: int, fields: dict[bytes, bytes]) -> None:
            kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
            if 200 <= status < 300 and kind and kind not in _PAGES and not any_type:
                raise NotFetchedError("not_html", f"its type is {kind.decode('latin-1')}")

        exchange = await fetch(
            request.url,
            {
                "User-Agent": options.user_agent,
                "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.1",
                "Accept-Encoding": "gzip, deflate",  # what every reader of archives can undo
            },
            on_connected=lambda: spider.journal.requested(target.site),
            check_head=check_head,
            max_bytes=options.limits.max_bytes,
            timeout=options.timeout,
            allow_private=options.allow_private,
        )
        try:
            spider.journal.exchanged(exchange)
        except OSError as error:  # a full disk
            spider.run.fail(error)
            raise
        request.meta["download_latency"] = exchange.seconds
        headers = Headers()
        for name, value in exchange.headers:
            headers.appendlist(name, value)
        cls = responsetypes.from_args(headers=headers, url=request.url, body=exchange.body)
        return cls(url=request.url, status=exchange.status, headers=headers, body=exchange.body, request=request)
