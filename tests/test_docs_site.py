"""The documentation site builds without a warning, asks no other server for anything, and works in a browser."""

import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PICTURES = sorted((ROOT / "docs/pictures").iterdir())
# The theme wraps tables, by script, in a box that scrolls on a small screen and that the keyboard does not reach.
THEME_LACKS = {"scrollable-region-focusable"}
# What a browser asks for by itself; links (`a`) it follows only when clicked.
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("link", "href"),
    ("source", "srcset"),
    ("form", "action"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    result = _build(ROOT / "mkdocs.yml", folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def _build(config, folder):
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(config),
        "--site-dir",
        str(folder),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("name", "text"), [("new.md", "# New\n"), ("word.md", None), ("word.md", "[x](nowhere.md)\n")])
def test_site_is_refused_with_a_page_that_is_missing_or_in_no_menu_and_with_a_broken_link(tmp_path, name, text):
    for part in ("docs", "scripts", "corpus", "editors"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("documents", "node_modules"))
    (card,) = (ROOT / "models").glob("*/README.md")
    (tmp_path / "models" / card.parent.name).mkdir(parents=True)
    for file in ("mkdocs.yml", "CONTRIBUTING.md", card.relative_to(ROOT)):
        shutil.copyfile(ROOT / file, tmp_path / file)
    page = tmp_path / "docs" / name
    page.unlink(missing_ok=True)
    if text is not None:
        page.write_text(text, encoding="utf-8")
    result = _build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert result.returncode != 0
    assert name in result.stderr


class _Asked(HTMLParser):
    """Collects the addresses that a page asks for when it is opened."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "link" and named.get("rel") in ("canonical", "next", "prev"):
            return
        self.addresses += [value or "" for name, value in attrs if (tag, name) in FETCHED]


def test_site_asks_no_other_server(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    asked = 0
    for page in pages:
        parser = _Asked()
        parser.feed(page.read_text(encoding="utf-8"))
        asked += len(parser.addresses)
        assert not [address for address in parser.addresses if re.match(r"\w+:|//", address)], page.name
    assert asked > 100
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet.name


def test_site_holds_the_pages_that_lie_elsewhere(site):
    for name, words in (
        ("model-card", "Typical mistakes"), ("datasheet", "Known limits"),
        ("guidelines", "stigma_framing"), ("contributing", "The house"),
    ):  # fmt: skip
        assert words in (site / f"{name}.html").read_text(encoding="utf-8")
    assert 'href="guidelines.html"' in (site / "exchange.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small_described_and_fetch_nothing(picture):
    assert picture.stat().st_size < 300_000
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    (alternative,) = re.findall(rf"!\[([^\]]*)\]\(pictures/{re.escape(picture.name)}\)", pages)
    assert len(alternative) > 40
    if picture.suffix == ".svg":
        text = picture.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\((?!#)|href=|<script", text)


@pytest.mark.e2e
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (375, "light")])
def test_site_in_a_browser(site, width, scheme):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = f"http://127.0.0.1:{server.server_port}/"
    asked, wrong = [], []
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            for name in ("index", "start-editors", "start-regulators", "limits", "commands", "model-card"):
                page.goto(f"{home}{name}.html", wait_until="networkidle")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, name
                found = Axe().run(page).response["violations"]
                told = {one["id"]: one["nodes"] for one in found if one["impact"] in ("serious", "critical")}
                assert not told.keys() - THEME_LACKS, (name, told)
            background = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 384) == (scheme == "dark")
            if width == 375:
                page.locator("label[for=__search]").first.click()
            _search(page)
            browser.close()
    finally:
        server.shutdown()
        server.server_close()
    assert len(asked) > 20
    assert not [address for address in asked if not address.startswith((home, "data:", "blob:"))]
    assert not wrong


@pytest.mark.e2e
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_site_is_searched_when_opened_from_a_disk(site):
    asked, wrong = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((site / "index.html").as_uri())
        _search(page)
        browser.close()
    assert not [address for address in asked if not address.startswith(("file:", "data:"))]
    assert not wrong


def _search(page):
    """Search for a word of one page, and expect that page."""
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("undertaking")
    first = page.locator(".md-search-result__item a").first
    first.wait_for(timeout=20_000)
    assert "compare.html" in first.get_attribute("href")
