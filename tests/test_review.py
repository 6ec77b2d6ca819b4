"""The pages of a case in a real browser, from a real server: keys, undo, copies, hostile text, accessibility."""

import re
import shutil
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from cases import exhibits, make_case
from playwright.sync_api import sync_playwright

from mdclaims.cases.decisions import Draft, append, read_decisions
from mdclaims.desk.review import _own_path, _web_address

pytestmark = pytest.mark.e2e

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs a browser")
HOSTILE = "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;"
PAGE = (
    "<!doctype html><html lang=en><title>{0} care " + HOSTILE + "</title><h1>{0} pain \u202e&amp; " + HOSTILE + "</h1>"
    "<p>Our shockwave therapy cures {0} pain for good in six sessions. It is completely safe.</p>"
    "<p>" + HOSTILE + " This therapy cures " + "verylongword" * 12 + " for good.</p>"
    "<footer>Call us today to book your visit.</footer>"
)
CURE = "Our shockwave therapy cures knee pain for good in six sessions."


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    pages = {f"https://a.example/{name}": PAGE.format(name) for name in ("knee", "back")}
    return make_case(tmp_path_factory.mktemp("screened"), pages)


@pytest.fixture
def served(screened, tmp_path):
    """A copy of the case, and the address at which it is served."""
    case = shutil.copytree(screened, tmp_path / "case")
    command = [sys.executable, "-m", "mdclaims", "serve", "--case", str(case), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        yield case, re.search(r"http://\S+?(?=/ )", line)[0]
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == ""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Desk:
    """A page in the browser that keeps what went wrong on it."""

    def __init__(self, browser, base, **how):
        self.context = browser.new_context(**how)
        self.page = self.context.new_page()
        self.wrong = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.base = base

    def open(self, path):
        self.page.goto(self.base + path)

    def name(self, name):
        self.page.get_by_label("Your name").fill(name)
        self.page.keyboard.press("Enter")
        self.wait(f"Reviewer: {name}")

    def press(self, key, text):
        """Press a key and wait for a text."""
        self.page.keyboard.press(key)
        self.wait(text)

    def wait(self, text):
        """Wait for a text, and for the page with its keys."""
        self.page.get_by_text(text).first.wait_for()
        self.page.wait_for_load_state()

    @property
    def exhibit(self):
        return urlsplit(self.page.url).path.rpartition("/")[2]


def id_of(case, **columns):
    return exhibits(case, **columns)[0]["exhibit"]


@needs_browser
def test_deciding_with_the_keyboard_alone(served, browser):
    case, base = served
    desk = Desk(browser, base)
    desk.open("/case/next")
    desk.page.keyboard.press("u")
    assert desk.page.evaluate("document.activeElement.id") == "reviewer"  # nobody decides without a name
    desk.open("/")
    desk.name("Ada Ö.")
    desk.open("/case/next")
    first = desk.exhibit
    desk.page.keyboard.press("e")
    desk.page.keyboard.type("no source; undo")  # letters in a field are no keys
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("p")
    desk.page.keyboard.type("UK-CAP-12.1 ")
    desk.page.keyboard.press("Escape")
    desk.press("u", "Upheld: “")
    second = desk.exhibit
    assert second != first
    made = read_decisions(case).of(first)
    assert (made.reviewer, made.decision, made.reason) == ("Ada Ö.", "upheld", "no source; undo")
    assert made.provision.startswith("UK-CAP-12.1")
    desk.press("z", "Opened again by Ada Ö.")
    assert desk.exhibit == first
    assert read_decisions(case).of(first) is None
    desk.press("d", "Dismissed: “")
    desk.press("r", "Referred: “")
    third = desk.exhibit
    desk.page.keyboard.press("n")
    desk.page.wait_for_url("**/case/exhibit/*")
    desk.page.wait_for_function("id => !location.pathname.endsWith(id)", arg=third)
    assert {read_decisions(case).of(exhibit).decision for exhibit in (first, second)} == {"dismissed", "referred"}
    assert read_decisions(case).of(third) is None
    assert desk.wrong == []


@needs_browser
def test_one_decision_covers_all_copies_when_it_is_ticked(served, browser):
    case, base = served
    rows = exhibits(case, quote="Call us today to book your visit.", label="call_to_action")
    one, other = (row["exhibit"] for row in rows)
    desk = Desk(browser, base)
    desk.open(f"/case/exhibit/{one}")
    desk.name("Ada")
    assert not desk.page.get_by_label("The same decision for the 1 copy").is_checked()
    desk.page.keyboard.press("c")
    desk.press("u", "with 1 copy")
    assert {read_decisions(case).of(exhibit).exhibits for exhibit in (one, other)} == {(one, other)}
    desk.press("z", "Opened again")
    assert read_decisions(case).of(other) is None


@needs_browser
def test_another_reviewers_decision_is_overruled_only_on_purpose(served, browser):
    case, base = served
    exhibit = id_of(case, quote=CURE)
    desk = Desk(browser, base)
    desk.open(f"/case/exhibit/{exhibit}")
    desk.name("Ada")
    desk.press("u", "Upheld: “")
    upheld = read_decisions(case).covers(read_decisions(case).of(exhibit))
    append(case, [Draft("Bea", "upheld", upheld)])
    desk.open(f"/case/exhibit/{exhibit}")
    desk.press("d", "Not written: Bea decided otherwise")
    assert read_decisions(case).count == 2
    desk.page.keyboard.press("o")
    desk.press("d", "Dismissed: “")
    assert read_decisions(case).of(exhibit).decision == "dismissed"
    assert read_decisions(case).conflicts() == {}


@needs_browser
def test_what_somebody_decides_while_one_looks_is_not_written_over(served, browser):
    case, base = served
    exhibit = id_of(case, quote=CURE)
    desk, other = Desk(browser, base), Desk(browser, base)
    for one, name in ((desk, "Ada"), (other, "Bea")):
        one.open(f"/case/exhibit/{exhibit}")
        one.name(name)
    other.press("d", "Dismissed: “")
    desk.page.keyboard.press("e")
    desk.page.keyboard.type("my reason")
    desk.page.keyboard.press("Escape")
    desk.press("u", "Not written: Bea decided")
    assert desk.page.get_by_label("Reason").input_value() == "my reason"
    assert read_decisions(case).count == 1


@needs_browser
def test_text_of_the_page_is_text(served, browser):
    case, base = served
    desk = Desk(browser, base)
    for row in exhibits(case):
        desk.open(f"/case/exhibit/{row['exhibit']}")
        quote = desk.page.locator("mark").inner_text()
        assert " ".join(quote.split()) == " ".join(row["quote"].replace("\u202e", "\ufffd").split())
        assert desk.page.locator("img, main script, iframe").count() == 0
    assert desk.wrong == []


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_pages_are_accessible_and_fit(served, browser, width, scheme):
    case, base = served
    desk = Desk(browser, base, viewport={"width": width, "height": 812}, color_scheme=scheme)
    one = id_of(case, quote="Call us today to book your visit.", label="call_to_action")

    def look():
        found = Axe().run(desk.page).response["violations"]
        assert [entry for entry in found if entry["impact"] in {"serious", "critical"}] == []
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width

    desk.open("/")
    look()
    desk.open(f"/case/exhibit/{one}")
    look()
    desk.name("Ada")
    look()
    desk.press("u", "Upheld: “")
    for details in desk.page.locator("summary").all():
        details.click()
    look()
    desk.open(f"/case/exhibit/{one}")
    look()
    desk.open("/case/")
    look()
    desk.open("/case/exhibit/none")
    look()
    targets = "button, select, textarea, .go, input:not([type=hidden]):not([type=checkbox])"
    desk.open(f"/case/exhibit/{one}")
    for box in (target.bounding_box() for target in desk.page.locator(targets).all() if target.is_visible()):
        assert box["height"] >= 44


@needs_browser
def test_it_works_without_scripts(served, browser):
    case, base = served
    desk = Desk(browser, base, java_script_enabled=False)
    desk.open("/case/next")
    assert desk.page.get_by_role("button", name="Uphold").is_disabled()
    desk.name("Ada")
    first = desk.exhibit
    desk.page.get_by_role("button", name="Uphold").click()
    assert read_decisions(case).of(first).decision == "upheld"
    desk.page.get_by_role("button", name="Undo").click()
    assert read_decisions(case).of(first) is None


def test_forms_that_no_page_makes_write_nothing(served):
    case, base = served
    exhibit = id_of(case, quote=CURE)
    sent = {"decision": "upheld", "seen": "0", "reason": "", "provision": ""}
    named = {"origin": base, "cookie": "mdclaims_reviewer=Ada"}
    for headers, changed, status in (
        ({"origin": "http://evil.example", "cookie": named["cookie"]}, {}, 403),
        ({"cookie": named["cookie"]}, {}, 403),
        ({"origin": base}, {}, 409),
        ({**named, "cookie": "mdclaims_reviewer=%0A"}, {}, 409),
        (named, {"decision": "guilty"}, 409),
        (named, {"decision": "open"}, 409),
        (named, {"provision": "UK-NONE"}, 409),
        (named, {"copies": "7"}, 409),
        (named, {"seen": "9" * 5_000}, 303),
    ):
        answer = httpx.post(f"{base}/case/exhibit/{exhibit}", data={**sent, **changed}, headers=headers)
        assert answer.status_code == status, (changed, answer.text)
        assert read_decisions(case).count == (status == 303)
    assert httpx.post(f"{base}/case/undo", data={"of": "x", "done": "1"}, headers=named).status_code == 400
    assert httpx.post(f"{base}/case/reviewer", data={"reviewer": " "}, headers=named).status_code == 400
    assert read_decisions(case).count == 1


def test_the_record_is_a_file_to_save(served):
    case, base = served
    exhibit = id_of(case, quote=CURE)
    answer = httpx.get(f"{base}/case/exhibit/{exhibit}/record.warc.gz")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.content[:2] == b"\x1f\x8b"
    assert httpx.get(f"{base}/case/exhibit/none/record.warc.gz").status_code == 404


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "//a", "http://", "http://[", "", None])
def test_only_web_addresses_become_links(address):
    assert _web_address(address) is None
    assert _web_address("https://a.example/x") == "https://a.example/x"


@pytest.mark.parametrize(
    "path", ["//evil.example", "/", "/case", "/case/\\evil", "/case/\r\nx: y", "https://evil/case/"]
)
def test_a_form_leads_to_no_other_place(path):
    assert _own_path(path) == "/case/"
    assert _own_path("/case/exhibit/1?site=a") == "/case/exhibit/1?site=a"
