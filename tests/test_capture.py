"""Capturing real sites, served on loopback by the tests: what is asked, when, what is left alone, what is recorded.

Each capture is a process of its own, because Twisted's reactor starts once. One capture of a site with everything in it
serves many tests.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from helpers import ROOT, environment, run_cli, run_python
from servers import Site, http, names, page, redirect, serving

from mdclaims.cases.journal import REASONS
from mdclaims.cli import run

pytestmark = pytest.mark.e2e

CRAWL_DELAY = 0.02
MOST_BYTES = 100_000
SECTIONS, PAGES_IN_SECTION = 20, 14  # and the front page: 301


# --- the site -----------------------------------------------------------------------------------------------------


def slow(site, path):
    time.sleep(0.3)
    return http(page())


def hang(site, path):
    site.closing.wait(30)
    return b""


def trap(site, path):
    """A calendar without an end: each day leads to the next, and to another view of itself."""
    day = int(path.rpartition("=")[2])
    return http(page(f"/calendar?day={day + 1}", f"/calendar?view={day}&day={day}"))


CHUNKED_BODY = gzip.compress(page(text="Chunked and packed.").encode(), mtime=0)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nx-ODD-case: kept \r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
    % (10, CHUNKED_BODY[:10], len(CHUNKED_BODY) - 10, CHUNKED_BODY[10:])
)
PACKED_BODY = gzip.compress(page("/packed-leads-here", text="Packed.").encode(), mtime=0)
SPECIAL = (
    "/calendar?day=1", "/private/staff", "/slow", "/hang", "/chunked", "/packed", "/huge", "/endless", "/bomb",
    "/picture", "/leaflet.pdf", "/old", "/away", "/round", "/broken", "/failing", "/refreshing",
    "mailto:a@clinic.example", "https://other.example/", "http://127.0.0.1:1/else", "/" + "long" * 600, "#top",
    "javascript:void(0)",
)  # fmt: skip


def whole_site():
    sections = names("section", SECTIONS)
    answers = {
        "/robots.txt": http(
            f"User-agent: *\nDisallow: /\n\nUser-agent: mdclaims\nDisallow: /private/\nCrawl-delay: {CRAWL_DELAY}\n",
            kind="text/plain",
        ),
        "/": http(page(*sections, *SPECIAL)),
        "/calendar": trap,
        "/slow": slow,
        "/hang": hang,
        "/chunked": CHUNKED,
        "/packed": http(PACKED_BODY, extra="Content-Encoding: gzip\r\n"),
        "/packed-leads-here": http(page()),
        "/huge": http("x" * (MOST_BYTES + 1)),
        "/endless": b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"x" * (2 * MOST_BYTES),
        "/bomb": http(gzip.compress(b" " * (20 * MOST_BYTES)), extra="Content-Encoding: gzip\r\n"),
        "/picture": http(b"\x89PNG", kind="image/png"),
        "/old": redirect("/new"),
        "/new": redirect("/newest", "302 Found"),
        "/newest": http(page()),
        "/away": redirect("http://other.example/secret"),
        "/round": lambda site, path: redirect(f"/round?{len(site.log)}"),
        "/broken": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\ncut",
        "/failing": http("down", status="503 Service Unavailable"),
        "/refreshing": http('<meta http-equiv="refresh" content="0; url=/refreshed">'),
        "/refreshed": http(page()),
    }
    for section in sections:
        inside = names(section[1:], PAGES_IN_SECTION)
        answers[section] = http(page("/", *inside))
        answers |= {name: http(page("/", section, *inside, text=f"This is {name}.")) for name in inside}
    return answers


# --- the archive --------------------------------------------------------------------------------------------------


@dataclass
class Record:
    kind: str
    headers: dict[str, str]
    block: bytes

    @property
    def url(self):
        return self.headers.get("WARC-Target-URI", "")

    @property
    def path(self):
        return re.sub(r"^https?://[^/]*", "", self.url)


def records(path):
    """Return all records, with their block digests checked by fastwarc."""
    found = []
    with path.open("rb") as stream:
        for record in ArchiveIterator(stream, parse_http=False):
            assert record.verify_block_digest()
            assert record.headers.status_line == "WARC/1.1"
            found.append(Record(record.headers["WARC-Type"], record.headers.to_dict(), record.reader.read()))
    return found


def bodies(path):
    """Return the bodies of all answers by path, without their transfer coding, read by fastwarc."""
    with path.open("rb") as stream:
        return {
            re.sub(r"^https?://[^/]*", "", record.headers["WARC-Target-URI"]): record.reader.read()
            for record in ArchiveIterator(stream, WarcRecordType.response, auto_decode="transfer")
        }


def of_kind(found, kind):
    return [record for record in found if record.kind == kind]


def not_fetched(found):
    """Return what was not fetched: {path or address: (reason, data)}."""
    entries = [(record, json.loads(record.block)) for record in of_kind(found, "metadata")]
    kept = [(record, data["not_fetched"]) for record, data in entries if "not_fetched" in data]
    return {record.url: data for record, data in kept}


def figures(found):
    (last,) = [
        data["capture"] for record in of_kind(found, "metadata") if "capture" in (data := json.loads(record.block))
    ]
    return last


def capture(site, tmp_path, *options, given="/", **changes):
    output = tmp_path / "out.warc.gz"
    delay = () if "--delay" in options else ("--delay", "0")
    url = given if given.startswith(("http", str(tmp_path))) else site.url + given
    result = run_cli("capture", url, "--output", str(output), "--allow-private", *delay, *options, **changes)
    return result, output


# --- the whole site -----------------------------------------------------------------------------------------------


@dataclass
class Captured:
    site: Site
    result: object
    output: Path
    records: list


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capture")
    config = folder / "mdclaims.toml"
    config.write_text(f"max_bytes = {MOST_BYTES}\n")
    with serving(whole_site()) as site:
        result, output = capture(
            site, folder, "--config", str(config), "--max-alike", "12", "--max-depth", "30", "--timeout", "1",
            "--contact", "https://regulator.example/robot",
        )  # fmt: skip
        assert not result.stdout
        yield Captured(site, result, output, records(output))


def test_capture_asks_for_every_page_once(captured):
    asked = captured.site.paths()
    expected = {"/", *(path for section in names("section", SECTIONS) for path in (section, *names(section[1:], 14)))}
    assert len(expected) == 301
    assert expected <= set(asked)
    again = {path: asked.count(path) for path in asked if asked.count(path) > 1}
    # What may get better is asked a second time, and nothing else.
    assert again == {"/hang": 2, "/broken": 2, "/failing": 2}


def test_capture_asks_for_robots_first_and_leaves_alone_what_it_forbids(captured):
    assert captured.site.paths()[0] == "/robots.txt"
    assert not [path for path in captured.site.paths() if path.startswith("/private")]
    assert not_fetched(captured.records)[f"{captured.site.url}/private/staff"]["reason"] == "robots"


def test_capture_asks_one_at_a_time_and_no_faster_than_robots_asks(captured):
    visits = captured.site.log
    assert len(visits) > 330
    for one, other in pairwise(visits):
        # Only a request that was given up may still be at work in the server.
        assert other.begun >= one.ended or one.path == "/hang"
    # A request may be late under load, and the next one then seems early: the middle gap is not moved by that.
    assert statistics.median(other.begun - one.begun for one, other in pairwise(visits)) >= CRAWL_DELAY * 0.95


def test_capture_says_who_asks(captured):
    agents = {visit.agent for visit in captured.site.log}
    assert len(agents) == 1
    assert re.fullmatch(r"mdclaims/[\d.]+ \(\+https://regulator\.example/robot\)", agents.pop())
    assert not [visit for visit in captured.site.log if "Cookie" in visit.headers or "Referer" in visit.headers]
    info = captured.records[0]
    assert info.kind == "warcinfo"
    for line in (b"robots: obey", b"(+https://regulator.example/robot)", b"max-alike: 12", b"max-bytes: 100000"):
        assert line in info.block


def test_capture_leaves_a_trap_of_endless_links(captured):
    days = [path for path in captured.site.paths() if path.startswith("/calendar")]
    # Two patterns: with "view" and without.
    assert 12 < len(days) <= 24
    assert figures(captured.records)["sites"][f"127.0.0.1:{captured.site.port}"]["not_fetched"]["max_alike"] > 0


def test_capture_records_a_reason_for_everything_that_was_not_fetched(captured):
    url = captured.site.url
    reasons = {address: data["reason"] for address, data in not_fetched(captured.records).items()}
    alike = [address for address, reason in reasons.items() if reason == "max_alike"]
    assert alike
    assert all("/calendar?" in address for address in alike)
    round_ = [address for address, reason in reasons.items() if "/round" in address]
    assert len(round_) == 1
    assert {address: reason for address, reason in reasons.items() if address not in {*alike, *round_}} == {
        f"{url}/private/staff": "robots",
        f"{url}/hang": "timeout",
        f"{url}/huge": "too_large",
        f"{url}/endless": "too_large",
        f"{url}/bomb": "too_large",
        f"{url}/picture": "not_html",
        f"{url}/leaflet.pdf": "not_html",
        f"{url}/broken": "error",
        f"{url}/failing": "http_error",
        "http://other.example/secret": "off_site",
        "https://other.example/": "off_site",
        "http://127.0.0.1:1/else": "off_site",
        f"{url}/{'long' * 600}": "bad_address",
    }
    assert not_fetched(captured.records)["http://other.example/secret"]["asked"] == f"{url}/away"
    assert not_fetched(captured.records)[f"{url}/picture"]["found_on"] == f"{url}/"
    assert set(reasons.values()) < set(REASONS)


def test_capture_asks_nothing_of_what_it_can_tell_by_the_name(captured):
    asked = captured.site.paths()
    assert "/picture" in asked
    assert "/leaflet.pdf" not in asked
    assert not [path for path in asked if "long" in path]


def test_capture_records_each_answer_as_it_came(captured):
    answered = {record.path: record for record in of_kind(captured.records, "response")}
    checked = 0
    for path, answer in captured.site.answers.items():
        if isinstance(answer, bytes) and path in answered:
            assert answered[path].block == answer, path
            checked += 1
    assert checked > 310
    assert set(answered) == set(captured.site.paths()) - {"/hang", "/huge", "/endless", "/picture", "/broken"}


def test_capture_records_digests_times_and_addresses(captured):
    bare = bodies(captured.output)
    responses = of_kind(captured.records, "response")
    assert len(responses) > 330
    for record in responses:
        digest = f"sha256:{hashlib.sha256(bare[record.path]).hexdigest()}"
        # Of what is asked twice, fastwarc gives the last body here; both are equal.
        assert record.headers["WARC-Payload-Digest"] == digest, record.path
        assert record.headers["WARC-IP-Address"] == "127.0.0.1"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", record.headers["WARC-Date"])
        assert record.headers["WARC-Warcinfo-ID"] == captured.records[0].headers["WARC-Record-ID"]
    assert bare["/chunked"] == CHUNKED_BODY
    assert bare["/packed"] == PACKED_BODY
    assert bare["/newest"] == page().encode()


def test_capture_records_the_request_of_each_answer(captured):
    requests = {record.headers["WARC-Concurrent-To"]: record for record in of_kind(captured.records, "request")}
    responses = of_kind(captured.records, "response")
    assert len(requests) == len(responses)
    for record in responses:
        request = requests[record.headers["WARC-Record-ID"]]
        assert request.url == record.url
        line, host = request.block.split(b"\r\n")[:2]
        assert line == f"GET {record.path} HTTP/1.1".encode()
        assert host == f"Host: 127.0.0.1:{captured.site.port}".encode()


def test_capture_records_redirects_as_answers_of_their_own(captured):
    answered = {record.path: record.block for record in of_kind(captured.records, "response")}
    assert b"\r\nLocation: /new\r\n" in answered["/old"]
    assert b"\r\nLocation: /newest\r\n" in answered["/new"]
    assert answered["/newest"].startswith(b"HTTP/1.1 200 OK")
    assert "/refreshed" in answered
    # A circle ends.
    assert len([path for path in answered if path.startswith("/round")]) == 11


def test_capture_ends_with_the_figures(captured):
    line = captured.result.stderr.decode().splitlines()[-1]
    asked = len(captured.site.log)
    counted = figures(captured.records)["sites"][f"127.0.0.1:{captured.site.port}"]
    assert counted["requests"] == asked
    assert counted["fetched"] >= 301
    assert f"asked {asked} times on 1 site, fetched {counted['fetched']} pages, failed 7 (" in line
    for part in ("timeout 1", "too_large 3", "error 2", "http_error 1", "refused by robots.txt 1", "off_site 3"):
        assert part in line, line
    told = {reason: number for reason, number in counted["not_fetched"].items() if number}
    assert sum(told.values()) == len(not_fetched(captured.records))
    assert not figures(captured.records)["interrupted"]
    assert len(captured.result.stderr.decode().splitlines()) == 1
    assert captured.result.returncode == 0


# --- limits, inputs, robots ---------------------------------------------------------------------------------------


def chain(number):
    """A site whose pages lead one to the next."""
    paths = ["/", *names("page", number)]
    return {path: http(page(following)) for path, following in pairwise(paths)} | {paths[-1]: http(page())}


@pytest.mark.parametrize(
    ("options", "asked", "reason"),
    [
        (("--max-depth", "0"), 1, "max_depth"),
        (("--max-depth", "3"), 4, "max_depth"),
        (("--max-pages", "5"), 5, "max_pages"),
        (("--max-total", "2"), 2, "max_total"),
    ],
)
def test_capture_keeps_limits_and_says_where_it_ended(tmp_path, options, asked, reason):
    with serving(chain(10)) as site:
        result, output = capture(site, tmp_path, *options)
        assert site.paths() == ["/robots.txt", "/", *names("page", 10)[: asked - 1]]
        assert not_fetched(records(output)) == {
            f"{site.url}{names('page', 10)[asked - 1]}": not_fetched(records(output)).popitem()[1]
        }
    assert [data["reason"] for data in not_fetched(records(output)).values()] == [reason]
    assert result.returncode == 0


def test_capture_of_sitemaps_asks_for_what_they_name_on_their_site(tmp_path):
    with serving({}) as site:
        urls = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in ("/a", "/b?id=1", "/b?id=2"))
        urls = f"<urlset>{urls}<url><loc>http://other.example/</loc></url></urlset>"
        site.answers |= {
            "/index.xml": http(
                f"<sitemapindex><sitemap><loc>{site.url}/part.xml.gz</loc></sitemap></sitemapindex>", kind="text/xml"
            ),
            "/part.xml.gz": http(gzip.compress(urls.encode()), kind="application/gzip"),
            **{path: http(page("/c")) for path in ("/a", "/b?id=1", "/b?id=2")},
        }
        result, output = capture(site, tmp_path, "--max-depth", "0", "--max-alike", "1", given="/index.xml")
        assert site.paths() == ["/robots.txt", "/index.xml", "/part.xml.gz", "/a", "/b?id=1", "/b?id=2"]
        left = not_fetched(records(output))
        assert {url: data["reason"] for url, data in left.items()} == {
            "http://other.example/": "off_site", f"{site.url}/c": "max_depth",
        }  # fmt: skip
    assert result.returncode == 0


def test_capture_of_a_list_reports_the_addresses_it_could_not_read(tmp_path):
    answers = {"/": http(page()), "/500": http("down", status="500 Internal Server Error")}
    with serving(answers) as site:
        (tmp_path / "list.txt").write_text(f"# clinics\n{site.url}/\n{site.url}/gone\n{site.url}/500\nclinic.example\n")
        result, output = capture(site, tmp_path, given=str(tmp_path / "list.txt"))
        lines = result.stderr.decode().splitlines()
        assert result.returncode == 3
        assert [line for line in lines if "line 5" in line and "begin it with https://" in line]
        assert [line for line in lines if f"{site.url}/gone was not fetched" in line and "status 404" in line]
        assert [line for line in lines if f"{site.url}/500 was not fetched" in line]
        assert len(lines) == 4
        assert [record.path for record in of_kind(records(output), "response")].count("/gone") == 1


def robots(text="", status="200 OK", **changes):
    return {
        "/robots.txt": http(text, status=status, kind="text/plain", **changes),
        "/": http(page("/a")),
        "/a": http(page()),
    }


@pytest.mark.parametrize(
    ("answers", "asked", "reason"),
    [
        (robots("User-agent: *\nDisallow: /a"), ["/robots.txt", "/"], "robots"),
        (robots("User-agent: other\nDisallow: /"), ["/robots.txt", "/", "/a"], None),
        (robots("<html>Disallow: /", status="404 Not Found"), ["/robots.txt", "/", "/a"], None),
        (robots("oops", status="500 Oops"), ["/robots.txt", "/robots.txt"], "robots_unreadable"),
        (robots("slower", status="429 Too Many"), ["/robots.txt", "/robots.txt"], "robots_unreadable"),
        (
            {**robots(), "/robots.txt": redirect("http://other.example/robots.txt")},
            ["/robots.txt"],
            "robots_unreadable",
        ),
        (
            {**robots(), "/robots.txt": redirect("/r"), "/r": http("User-agent: *\nDisallow: /", kind="text/plain")},
            ["/robots.txt", "/r"],
            "robots",
        ),
    ],
)
def test_capture_obeys_robots(tmp_path, answers, asked, reason):
    with serving(answers) as site:
        result, output = capture(site, tmp_path)
        assert site.paths() == asked
        left = [data["reason"] for data in not_fetched(records(output)).values()]
        assert left == ([reason] if reason else [])
        # An address that the user gave and robots.txt refuses could not be read.
        assert result.returncode == (0 if "/" in asked else 3)
        assert "/robots.txt" in [record.path for record in of_kind(records(output), "response")]


def test_capture_ignores_robots_with_a_reason_that_is_recorded(tmp_path):
    with serving(robots("User-agent: *\nDisallow: /")) as site:
        result, output = capture(
            site, tmp_path, "--robots", "ignore", "--reason", "Inspection, section 4\r\nrobots: obey"
        )
        assert site.paths() == ["/", "/a"]
        assert b"\r\nrobots: ignore\r\nrobots-ignored-because: Inspection, section 4 robots: obey\r\n" in (
            records(output)[0].block
        )
    assert result.returncode == 0


def test_capture_slows_down_when_a_site_is_overloaded(tmp_path):
    answers = chain(3)
    answers["/"] = http("busy", status="503 Service Unavailable", extra="Retry-After: 1\r\n")
    with serving(answers) as site:
        capture(site, tmp_path)
        assert site.paths() == ["/robots.txt", "/", "/"]
        assert site.log[2].begun - site.log[1].begun >= 0.9


# --- private addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]"])
def test_capture_asks_no_private_address(tmp_path, host):
    with serving({"/": http(page())}) as site:
        output = tmp_path / "out.warc.gz"
        result = run_cli("capture", f"http://{host}:{site.port}/", "-o", str(output), "--delay", "0")
        assert result.returncode == 3
        assert b"not on the public internet" in result.stderr
        assert not site.log
        assert [data["reason"] for data in not_fetched(records(output)).values()] == ["private_address"]


# The system's name server and the internet stand in here: 127.0.0.1 plays a public address, all others stay private.
FAKE_NAMES = """
import socket, sys
from mdclaims.cases import fetching
from mdclaims.cli import run
real, asked = socket.getaddrinfo, []
def lookup(host, *rest, **more):
    asked.append(host)
    rebound = host == "www.clinic.example" and "{path}" == "/rebind" and asked.count(host) > 2
    return real("127.0.0.2" if rebound or host == "inside.clinic.example" else "127.0.0.1", *rest, **more)
socket.getaddrinfo = lookup
fetching.is_public = lambda address: address == "127.0.0.1"
sys.exit(run(["capture", "http://www.clinic.example:{port}{path}", "-o", "{output}", "--delay", "0"]))
"""


@pytest.mark.parametrize("path", ["/redirect", "/link", "/rebind"])
def test_capture_meets_no_private_address_by_redirect_link_or_rebinding(tmp_path, path):
    with serving({}, address="") as site:
        secret = f"http://inside.clinic.example:{site.port}/secret"
        site.answers |= {
            "/redirect": redirect(secret),
            "/link": http(page(secret)),
            "/rebind": http(page("/secret")),
            "/secret": http(page(text="Secret.")),
        }
        output = tmp_path / "out.warc.gz"
        result = run_python("-c", FAKE_NAMES.format(path=path, port=site.port, output=output))
        assert site.paths() == ["/robots.txt", path], result.stderr
        left = not_fetched(records(output))
        assert [(data["reason"], url.rpartition("/")[2]) for url, data in left.items()] == [
            ("private_address", "secret")
        ]


# --- ends ---------------------------------------------------------------------------------------------------------


OPTIONS = ("--allow-private", "--delay", "0.05", "--max-depth", "300")


@contextmanager
def running(site, output, **more):
    command = ["capture", site.url + "/", "-o", str(output), *OPTIONS]
    process = subprocess.Popen(
        [sys.executable, "-m", "mdclaims", *command], env=environment(), cwd=ROOT, stderr=subprocess.PIPE, **more
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def killed(site, output, after, sign=signal.SIGKILL):
    """Capture until the site was asked so often, and end the process; return what was asked."""
    with running(site, output) as process:
        site.wait_for(after)
        process.send_signal(sign)
        process.wait(timeout=20)
        return site.paths()


def again(site, output, *options):
    return run_cli("capture", site.url + "/", "-o", str(output), *OPTIONS, *options)


def test_capture_keeps_what_is_finished_when_it_is_killed(tmp_path):
    output = tmp_path / "out.warc.gz"
    with serving(chain(200)) as site:
        seen = killed(site, output, 8)
    kept = [record.path for record in of_kind(records(output), "response")]
    assert len(kept) >= 6
    assert kept == seen[: len(kept)]


def a_bit_of_everything():
    """Pages, a redirect, a failing page, one that breaks off, a page that robots.txt forbids, and links elsewhere."""
    answers = chain(25)
    first = ("/page-aa", "/old", "/failing", "/broken", "/private/a", "https://other.example/", "/picture", "/a.pdf")
    return answers | {
        "/robots.txt": http("User-agent: *\nDisallow: /private/", kind="text/plain"),
        "/": http(page(*first)),
        "/old": redirect("/new"),
        "/new": http(page("/newer", "/private/b")),
        "/newer": http(page()),
        "/failing": http("down", status="503 Service Unavailable"),
        "/broken": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\ncut",
        "/picture": http(b"\x89PNG", kind="image/png"),
    }


def told(found):
    """Return everything that an archive says of what was asked, in one order and without times."""
    counts = figures(found)["sites"]
    reasons = sorted((url, data["reason"]) for url, data in not_fetched(found).items())
    return sorted(record.path for record in of_kind(found, "response")), reasons, counts


def test_capture_goes_on_wherever_it_was_ended(tmp_path):
    """What was fetched is not asked again, and all that is said in the end is what an undisturbed capture says."""
    with serving(a_bit_of_everything()) as site:
        result = again(site, tmp_path / "whole.warc.gz")
        assert result.returncode == 0
        whole, asked = told(records(tmp_path / "whole.warc.gz")), sorted(site.paths())
        site.log.clear()

        output = tmp_path / "out.warc.gz"
        ends = (5, signal.SIGKILL), (14, signal.SIGINT), (20, signal.SIGKILL), (26, signal.SIGINT)
        for after, sign in ends:
            killed(site, output, after, sign)
        result = again(site, output)
        assert result.returncode == 0, result.stderr
        found = records(output)
        assert told(found) == whole
        # An answer that was on its way when a run was ended is asked for anew: one for each end at the most.
        more = list(site.paths())
        for path in asked:
            more.remove(path)
        assert len(more) <= len(ends)
    assert len(of_kind(found, "warcinfo")) == len(ends) + 1
    assert len(figures(found)["continued"]) == len(ends)
    assert len(not_fetched(found)) == len([record for record in of_kind(found, "metadata") if record.url])


def test_capture_that_is_continued_keeps_its_limits(tmp_path):
    answers = {"/": http(page(*names("page", 30)))} | {name: http(page()) for name in names("page", 30)}
    limits = ("--max-pages", "12", "--max-depth", "1")
    with serving(answers) as site:
        output = tmp_path / "out.warc.gz"
        command = ["capture", site.url + "/", "-o", str(output), "--allow-private", "--delay", "0.1", *limits]
        process = subprocess.Popen([sys.executable, "-m", "mdclaims", *command], env=environment(), cwd=ROOT)
        site.wait_for(6)
        process.kill()
        process.wait()
        result = run_cli(*command)
        assert result.returncode == 0, result.stderr
        found = records(output)
        counts = figures(found)["sites"][f"127.0.0.1:{site.port}"]
        assert (counts["fetched"], counts["not_fetched"]["max_pages"]) == (12, 19)
        assert sorted(not_fetched(found)) == sorted(site.url + path for path in names("page", 30)[11:])
        assert len([record for record in of_kind(found, "response") if record.path != "/robots.txt"]) == 12


def cut(output):
    """Cut an archive in its last record, as the end of a machine does."""
    data = output.read_bytes()
    output.write_bytes(data[:-7])


def test_capture_goes_on_behind_a_record_that_was_cut(tmp_path):
    output = tmp_path / "out.warc.gz"
    with serving(chain(12)) as site:
        killed(site, output, 6)
        cut(output)
        assert again(site, output).returncode == 0
        paths = [record.path for record in of_kind(records(output), "response")]
        assert paths == ["/robots.txt", "/", *names("page", 12)]


def test_capture_writes_on_no_archive_but_its_own(tmp_path):
    output = tmp_path / "out.warc.gz"
    with serving(chain(6)) as site:
        killed(site, output, 3)
        before = output.read_bytes()
        for arguments, said in (
            ((site, output, "--delay", "1"), b"with another delay (0.05, now 1)"),
            ((site, output, "--max-pages", "9"), b"with another max-pages (500, now 9)"),
            ((Site(port=1), output), b"holds a capture of other addresses; name another file"),
        ):
            result = again(*arguments)
            assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
            assert said in result.stderr
        assert output.read_bytes() == before
        assert again(site, output).returncode == 0
        before = output.read_bytes()
        result = again(site, output)
        assert result.returncode == 2
        assert b"holds a capture that came to its end; name another file" in result.stderr
        assert output.read_bytes() == before
        for data in (b"something else", gzip.compress(b"x"), before[:400] + bytes(9) + before[409:]):
            output.write_bytes(data)
            result = again(site, output)
            assert (result.returncode, result.stderr.count(b"\n")) == (2, 1), result.stderr
            assert b"name another file" in result.stderr
            assert output.read_bytes() == data


@pytest.mark.skipif(sys.platform == "win32", reason="another kind of lock")
def test_capture_is_written_by_one_process_alone(tmp_path):
    output = tmp_path / "out.warc.gz"
    with serving(chain(200)) as site, running(site, output):
        site.wait_for(4)
        result = again(site, output)
        assert result.returncode == 2
        assert b"is being written by another capture" in result.stderr


def test_capture_ends_at_once_on_ctrl_c_with_what_is_finished(tmp_path):
    output = tmp_path / "out.warc.gz"
    answers = chain(200) | {"/": http(page("/hang", "/page-aa", "/page-zz")), "/hang": hang}
    with serving(answers) as site, running(site, output) as process:
        site.wait_for(3)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
        assert process.returncode == 130
        assert site.paths() == ["/robots.txt", "/", "/hang"]
    found = records(output)
    assert [record.path for record in of_kind(found, "response")] == ["/robots.txt", "/"]
    assert figures(found)["interrupted"]
    left = {url.rpartition("/")[2]: data["reason"] for url, data in not_fetched(found).items()}
    assert left == {"hang": "interrupted", "page-aa": "interrupted", "page-zz": "interrupted"}
    assert told.decode().rstrip().endswith("; interrupted")
    assert len(told.splitlines()) == 1


def test_capture_says_when_the_archive_cannot_grow(tmp_path):
    output = tmp_path / "out.warc.gz"

    resource = pytest.importorskip("resource")  # Unix alone has it

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    with serving(chain(50)) as site, running(site, output, preexec_fn=small_files) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2, told
    (line,) = told.decode().splitlines()
    assert "cannot be written on (File too large); what was finished stays in it" in line
    assert output.stat().st_size <= 4_000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://a.example/"], "--output"),
        (["http://a.example/", "-o", "out.warc"], "must end in .warc.gz"),
        (["http://a.example/", "-o", "gone/out.warc.gz"], "cannot be written"),
        (["http://a.example/", "-o", "o.warc.gz", "--robots", "ignore"], "go together"),
        (["http://a.example/", "-o", "o.warc.gz", "--reason", "why"], "go together"),
        (["http://a.example/", "-o", "o.warc.gz", "--robots", "ignore", "--reason", " "], "needs --reason TEXT"),
        (["http://a.example/", "-o", "o.warc.gz", "--contact", "me) (you"], "--contact is"),
        (["http://a.example/", "-o", "o.warc.gz", "--delay", "-1"], "--delay is"),
        (["http://a.example/", "-o", "o.warc.gz", "--delay", "nan"], "--delay is"),
        (["http://a.example/", "-o", "o.warc.gz", "--timeout", "0"], "--timeout is"),
        (["http://a.example/", "-o", "o.warc.gz", "--max-pages", "0"], "--max-pages is"),
    ],
)
def test_capture_refuses_wrong_usage_in_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run(["capture", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_capture_without_an_address_is_told(tmp_path):
    result = run_cli("capture", str(tmp_path / "gone.txt"), "-o", str(tmp_path / "out.warc.gz"))
    assert result.returncode == 3
    assert b"no address to capture" in result.stderr
    assert not list(tmp_path.iterdir())


def test_capture_without_its_extra_says_how_to_install_it(tmp_path):
    code = "import sys; sys.modules['scrapy'] = None; from mdclaims.cli import run; sys.exit(run(sys.argv[1:]))"
    result = run_python("-c", code, "capture", "http://a.example/", "-o", str(tmp_path / "out.warc.gz"))
    assert result.returncode == 2
    (line,) = result.stderr.decode().splitlines()
    assert line == 'mdclaims: capturing pages needs an extra; install it with: pip install "mdclaims[capture]"'


def test_capture_reads_no_other_part_of_the_project(tmp_path):
    code = (
        "import sys, mdclaims.cases.capture;"
        "names = {name.split('.')[1] for name in sys.modules if name.startswith('mdclaims.')};"
        "print(*sorted(names), 'spacy' in sys.modules)"
    )
    result = run_python("-c", code)
    assert result.stdout.decode().split() == ["cases", "errors", "reading", "False"], result.stderr
