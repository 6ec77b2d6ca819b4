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
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrapy import Request, Spider, signals
from scrapy.core.downloader.handlers.base import BaseDownloadHandler
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.exceptions import DontCloseSpider, IgnoreRequest
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
from mdclaims.cases.fetching import NotFetchedError, fetch, parse_answer
from mdclaims.cases.journal import CaptureOptions, CaptureResult, Journal, Target, info_of
from mdclaims.cases.recorded import Recorded, check_same, read_recorded
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


def capture(inputs: Sequence[str | Address], output: Path, options: CaptureOptions) -> CaptureResult:
    """Capture pages into an archive; go on with one that an earlier run of the same capture did not end.

    Parameters
    ----------
    inputs : sequence of str or Address
        Addresses, lists, sitemaps, tables; see `read_addresses`.
    output : Path
        ``.warc.gz``. If it exists, it holds what the same capture fetched before it was ended.
    options : CaptureOptions

    Raises
    ------
    UsageError
        If the archive exists and is none to go on with, or cannot be written.
    ReadError
        If no input holds an address.
    """
    if not output.name.endswith(".warc.gz"):
        raise UsageError(f"{output} must end in .warc.gz; name the archive so")
    addresses, problems = read_addresses(inputs, options.limits)
    if not addresses:
        raise ReadError(f"no address to capture; {'; '.join(problems) or 'the inputs are empty'}")
    with WarcWriter(output) as archive:
        recorded = None if archive.is_new else _recorded(archive, info_of(options, inputs))
        journal = Journal(archive, options, inputs, recorded)
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


def _recorded(archive: WarcWriter, info: Mapping[str, str]) -> Recorded | None:
    """Return what the archive holds, ready to be written on; None if that is nothing."""
    if not archive.path.stat().st_size:
        return None
    recorded = read_recorded(archive.path)
    if recorded.is_finished:
        raise UsageError(f"{archive.path} holds a capture that came to its end; name another file")
    check_same(recorded, info)
    archive.go_on_at(recorded.end)
    return recorded


def _unwritable(output: Path, error: OSError) -> UsageError:
    return UsageError(
        f"{output} cannot be written on ({error.strerror}); what was finished stays in it; make room, and run the same "
        "command again to go on"
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
            f"{here}.capture.RecordedMiddleware": 75,
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


@dataclass(frozen=True, slots=True)
class _Found:
    """An address, and how it was come upon; see `Target`."""

    url: str
    site: str
    depth: int = 0
    found_on: str | None = None
    given: str | None = None
    is_sitemap: bool = False
    is_link: bool = False


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
        # As long as an earlier run is gone through again: what it did not come to, to be considered behind it.
        self._parked: list[_Found] | None = None if journal.recorded is None else []
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
        crawler.signals.connect(spider._idle, signal=signals.spider_idle)
        return spider

    async def start(self) -> AsyncIterator[Request]:
        """Ask for the addresses given."""
        # All of them are let in before the first link is looked at.
        asked = [
            self._consider(
                _Found(address.url, site_of(address.url), given=address.given, is_sitemap=address.is_sitemap)
            )
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

    def _consider(self, found: _Found) -> Request | None:
        """Return the request for an address, or None if it is known already or left alone."""
        url = safe_url_string(found.url).partition("#")[0]
        key = (found.site, canonicalize_url(url))
        if key in self._seen:
            return None
        recorded = self.journal.recorded
        is_recorded = recorded is not None and recorded.knows(url)
        if self._parked is not None and not is_recorded:
            self._parked.append(found)
            return None
        self._seen.add(key)
        target = Target(url, found.site, found.depth, found.found_on, found.given, found.is_sitemap)
        try:
            if is_recorded:
                self._check_recorded(target, is_link=found.is_link)
            else:
                self._check(target, is_link=found.is_link)
        except NotFetchedError as error:
            self.journal.not_fetched(target, error.reason, error.detail)
            return None
        self.journal.admit(target)
        return Request(
            url,
            callback=self.parse_sitemap if found.is_sitemap else self.parse,
            errback=self.not_fetched,
            priority=-found.depth,
            meta={"target": target, "download_slot": found.site},
        )

    def _check_recorded(self, target: Target, *, is_link: bool) -> None:
        """Decide as an earlier run did."""
        recorded = self.journal.recorded
        entry = recorded.unfetched.get(target.url) if recorded is not None else None
        if entry is not None and not entry.admitted:
            raise NotFetchedError(entry.reason, entry.detail)
        if is_link:
            self._alike[target.site, pattern_of(target.url)] += 1

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

    def _idle(self) -> None:
        """Go on behind the earlier run once it is gone through."""
        if self._parked is None:
            return
        parked, self._parked = self._parked, None
        requests = [request for found in parked if (request := self._consider(found)) is not None]
        for request in requests:
            self.crawler.engine.crawl(request)
        if requests:
            raise DontCloseSpider

    # --- what came back ---

    def parse(self, response: Response) -> Iterator[Request]:
        """Note a page, and follow its links."""
        target: Target = response.meta["target"]
        if not self._succeeded(response):
            return
        self.journal.fetched(target)
        for url in _links(response, self._links):
            request = self._consider(
                _Found(url, target.site, depth=target.depth + 1, found_on=response.url, is_link=True)
            )
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
            request = self._consider(
                _Found(url, target.site, depth=int(is_index), found_on=response.url, is_sitemap=is_index)
            )
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


class RecordedMiddleware:
    """Answers what an earlier run of the same capture was answered, without asking; and fails as it failed."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RecordedMiddleware:
        """Return the middleware of a crawl."""
        return cls(crawler)

    async def process_request(self, request: Request) -> Response | None:
        """Return what is recorded, if anything is."""
        spider = _spider_of(self._crawler)
        recorded, target = spider.journal.recorded, request.meta["target"]
        if recorded is None:
            return None
        try:
            raw = recorded.take(request.url)
            if raw is not None:
                return _response(request, *await parse_answer(raw))
        except OSError as error:
            spider.run.fail(error)
            raise
        entry = recorded.unfetched.get(target.url)
        if entry is not None and entry.url == request.url and not request.meta.get("is_robots", False):
            raise NotFetchedError(entry.reason, entry.detail)
        return None


def _spider_of(crawler: Crawler) -> CaptureSpider:
    spider = crawler.spider
    if not isinstance(spider, CaptureSpider):
        raise TypeError("these parts serve CaptureSpider alone")
    return spider


def _response(request: Request, status: int, fields: Iterable[tuple[bytes, bytes]], body: bytes) -> Response:
    headers = Headers()
    for name, value in fields:
        headers.appendlist(name, value)
    cls = responsetypes.from_args(headers=headers, url=request.url, body=body)
    return cls(url=request.url, status=status, headers=headers, body=body, request=request)


class RecordingHandler(BaseDownloadHandler):
    """Asks, and records each request with its answer before anything looks at it."""

    async def download_request(self, request: Request) -> Response:
        """Return the answer to a request.

        Raises
        ------
        NotFetchedError
            If there is none, or none that is wanted.
        """
        spider = _spider_of(self.crawler)
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
            on_connected=lambda: spider.journal.requested(target),
            check_head=check_head,
            max_bytes=options.limits.max_bytes,
            timeout=options.timeout,
            allow_private=options.allow_private,
        )
        try:
            spider.journal.exchanged(target, exchange)
        except OSError as error:  # a full disk
            spider.run.fail(error)
            raise
        request.meta["download_latency"] = exchange.seconds
        return _response(request, exchange.status, exchange.headers, exchange.body)
