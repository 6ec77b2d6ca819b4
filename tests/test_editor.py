"""The editor's desk in a real browser, from a real server: pasting, dropping, keys, corrections, the ways out."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from mdclaims.model.corpus import read_corpus

pytestmark = pytest.mark.e2e

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="needs a browser")
CURE = "Shockwave therapy cures heel pain for good."
FROM_WORD = (
    "<html><head><style>p{}</style></head><body><!--StartFragment--><h2>Our visits</h2>"
    "<p class=MsoNormal>Shockwave therapy <b>cures</b> knee pain for good. "
    "<a href='https://clinic.example/gel'>Read on</a> here.</p>"
    "<p class=MsoListParagraph><span style='mso-list:Ignore'>·&nbsp;</span>Less swelling</p>"
    "<p class=MsoListParagraph><span style='mso-list:Ignore'>·&nbsp;</span>More walks</p>"
    "<!--EndFragment--></body></html>"
)
FROM_DOCS = (
    '<meta charset="utf-8"><b style="font-weight:normal;" id="docs-internal-guid-1">'
    '<h1 dir="ltr"><span>Our visits</span></h1>'
    '<p dir="ltr"><span>Shockwave therapy cures knee pain for good. </span>'
    '<a href="https://clinic.example/gel"><span>Read on</span></a>'
    '<span> here.</span></p><ul><li dir="ltr"><p role="presentation"><span>Less swelling</span></p></li></ul></b>'
)
LINKED = ("P", "Shockwave therapy cures knee pain for good. Read on here.")
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)><p onclick=alert(4)>It cures all. "
    "<a href='javascript:alert(5)'>Press me</a> now &lt;img src=x onerror=alert(6)&gt;</p><iframe srcdoc='<script>'>"
    "</iframe><form action=//evil.example><button>Send it</button></form><a href='data:text/html,x'>data</a>"
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a server, and the folder of the user's own files."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-m", "mdclaims", "serve", "--port", "0"]
    environment = {"XDG_DATA_HOME": str(home), "PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=home, env=environment)
    try:
        line = process.stderr.readline()
        yield re.search(r"http://\S+?(?=/ )", line)[0], home
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
    """The page in the browser, which keeps what went wrong on it."""

    def __init__(self, browser, base, **how):
        how = {"viewport": {"width": 1440, "height": 900}, **how}
        self.context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **how)
        self.page = self.context.new_page()
        self.wrong = []
        self.asked = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.base = base
        self.page.goto(base + "/")
        self.settle()
        self.box = self.page.get_by_role("textbox", name="Your draft")

    def settle(self):
        """Wait until nothing is on its way to the server any more."""
        self.page.wait_for_function(
            "({ dataset, ariaBusy }) => dataset.asked && dataset.asked === dataset.shown && ariaBusy !== 'true'",
            arg=self.page.locator("#box").element_handle(),
        )

    def click(self, text):
        """Click the first words of a text in the box."""
        x, y = self.box.evaluate(
            """(box, text) => {
                const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
                while (walker.nextNode() && !walker.currentNode.data.includes(text));
                const range = document.createRange();
                const start = walker.currentNode.data.indexOf(text);
                range.setStart(walker.currentNode, start + 2);
                range.setEnd(walker.currentNode, start + 4);
                walker.currentNode.parentElement.scrollIntoView({ block: "center" });
                const at = range.getBoundingClientRect();
                return [at.x, at.y + at.height / 2];
            }""",
            text,
        )
        self.page.mouse.click(x, y)

    def paste(self, html=None, text=None):
        self.box.focus()
        self.page.evaluate(
            """([html, text]) => {
                const data = new DataTransfer();
                if (html !== null) data.setData("text/html", html);
                if (text !== null) data.setData("text/plain", text);
                const how = { clipboardData: data, bubbles: true, cancelable: true };
                document.activeElement.dispatchEvent(new ClipboardEvent("paste", how));
            }""",
            [html, text],
        )
        self.settle()

    def drop(self, name, data, kind=""):
        self.page.evaluate(
            """([name, bytes, type]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], name, { type }));
                const how = { dataTransfer: data, bubbles: true, cancelable: true };
                document.getElementById("box").dispatchEvent(new DragEvent("drop", how));
            }""",
            [name, list(data), kind],
        )
        self.settle()

    def empty(self):
        self.page.get_by_role("button", name="Empty the box").click()
        self.settle()

    def marked(self, label):
        """Return the texts that carry a mark."""
        script = "label => [...CSS.highlights.get(label)].map(range => range.toString())"
        return self.page.evaluate(script, label)

    @property
    def blocks(self):
        """Return (tag, text) of the elements in the box."""
        script = "box => [...box.querySelectorAll('h1,h2,h3,p,li,blockquote')].map(e => [e.tagName, e.innerText])"
        return [tuple(entry) for entry in self.box.evaluate(script)]

    @property
    def headline(self):
        return self.page.get_by_role("status").inner_text()


@needs_browser
def test_the_first_screen_has_a_marked_sample_and_asks_one_question(served, browser):
    desk = Desk(browser, served[0])
    assert desk.page.get_by_text("Nothing leaves this computer.").is_visible()
    assert desk.page.get_by_role("group", name="Where will this be published?").get_by_role("checkbox").count() == 5
    assert desk.page.get_by_label("Not sure").is_checked()
    assert CURE in desk.marked("efficacy_claim")
    assert "Jurisdictions: none chosen" in desk.page.locator("#settings").inner_text()
    desk.page.get_by_label("UK").check()
    desk.settle()
    assert not desk.page.get_by_label("Not sure").is_checked()
    desk.click(CURE)
    assert "possible: check CAP Code" in desk.page.locator("#detail").inner_text()
    desk.page.get_by_label("Not sure").check()
    desk.settle()
    assert "CAP Code" not in desk.page.locator("#detail").inner_text()
    assert all(url.startswith((served[0], "data:")) for url in desk.asked)
    assert desk.wrong == []


@needs_browser
@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (FROM_WORD, [("H2", "Our visits"), LINKED, ("LI", "Less swelling"), ("LI", "More walks")]),
        (FROM_DOCS, [("H1", "Our visits"), LINKED, ("LI", "Less swelling")]),
    ],
    ids=["Word", "Google Docs"],
)
def test_pasting_keeps_headings_lists_and_links(served, browser, html, expected):
    desk = Desk(browser, served[0])
    desk.paste(html, "flat")
    assert desk.blocks == expected
    assert desk.box.locator("a").get_attribute("href") == "https://clinic.example/gel"
    assert desk.marked("efficacy_claim") == ["Shockwave therapy cures knee pain for good."]
    assert desk.wrong == []


@needs_browser
def test_pasted_text_of_a_cms_is_read_as_such(served, browser):
    desk = Desk(browser, served[0])
    desk.paste(
        text="---\ntitle: Knee gel\nlayout: post\n---\n## Our visits\n\nWe care.\n\n"
        "[button text=\"Book now\" link='/b']\n"
    )
    assert [text for _, text in desk.blocks] == ["Knee gel", "Our visits", "We care.", "Book now"]
    assert desk.box.locator("[data-kind=title][data-region=metadata]").inner_text() == "Knee gel"
    assert desk.box.locator("[data-kind=button]").inner_text() == "Book now"
    desk.empty()
    desk.paste(
        text="<!-- wp:heading -->\n<h2>Our visits</h2>\n<!-- /wp:heading -->\n<!-- wp:paragraph -->\n<p>We care.</p>\n"
    )
    assert desk.blocks == [("H2", "Our visits"), ("P", "We care.")]
    assert desk.wrong == []


@needs_browser
def test_pasting_into_a_draft_adds_to_it_and_can_be_undone(served, browser):
    desk = Desk(browser, served[0])
    desk.paste(text="We care. Our gel helps.")
    desk.page.keyboard.press("Control+Home")
    desk.page.keyboard.press("End")
    desk.paste(text="It cures heel pain for good.")
    assert "".join(text for _, text in desk.blocks) == "We care. Our gel helps.It cures heel pain for good."
    desk.page.keyboard.press("Control+z")
    desk.settle()
    assert [text for _, text in desk.blocks] == ["We care. Our gel helps."]
    desk.page.keyboard.press("Control+End")
    desk.paste(FROM_DOCS)
    assert [tag for tag, _ in desk.blocks][-2:] == ["P", "LI"]
    assert desk.wrong == []


@needs_browser
def test_no_code_that_is_pasted_or_dropped_runs(served, browser):
    desk = Desk(browser, served[0])
    for way in (
        lambda: desk.paste(HOSTILE),
        lambda: desk.drop("a.html", HOSTILE.encode()),
        lambda: desk.paste(text=HOSTILE),
    ):
        way()
        assert "It cures all." in desk.box.inner_text()
        assert "<img src=x onerror=alert(6)>" in desk.box.inner_text()
        assert desk.box.locator("img, script, svg, iframe, form, button, [onclick]").count() == 0
        assert desk.box.locator("a[href^=javascript], a[href^=data]").count() == 0
        desk.box.click()
        desk.empty()
    assert desk.wrong == []
    assert all(url.startswith((served[0], "data:")) for url in desk.asked)


def word_file():
    docx = pytest.importorskip("docx")
    from io import BytesIO

    document = docx.Document()
    document.core_properties.comments = ""
    document.add_heading("Our visits", 2)
    document.add_paragraph("Shockwave therapy cures knee pain for good.")
    document.add_paragraph("Less swelling", style="List Bullet")
    stream = BytesIO()
    document.save(stream)
    return stream.getvalue()


@needs_browser
def test_dropping_files(served, browser):
    pytest.importorskip("pypdfium2")
    pdf = (Path(__file__).parent / "data").glob("*.pdf")
    desk = Desk(browser, served[0])
    expected = [("H2", "Our visits"), ("P", "Shockwave therapy cures knee pain for good."), ("LI", "Less swelling")]
    markup = "<title>Gel</title><h2>Our visits</h2><p>Shockwave therapy cures knee pain for good."
    markup += "<ul><li>Less swelling</ul>"
    for name, data in (
        ("draft.html", markup.encode()),
        ("draft.md", b"## Our visits\n\nShockwave therapy cures knee pain for good.\n\n- Less swelling\n"),
        ("draft.docx", word_file()),
    ):
        desk.empty()
        desk.drop(name, data)
        assert [block for block in desk.blocks if block[1] != "Gel"] == expected, name
        assert desk.marked("efficacy_claim") == ["Shockwave therapy cures knee pain for good."]
    for file in list(pdf)[:1]:
        desk.drop(file.name, file.read_bytes())
        assert desk.box.locator("[data-page]").count()
    desk.drop("draft.xyz", b"We care.")
    assert "unknown format" in desk.page.get_by_role("alert").inner_text()
    desk.drop("draft.docx", b"PK\x03\x04 no document")
    assert desk.page.get_by_role("alert").is_visible()
    assert len(desk.wrong) == 2  # the browser notes the two refusals
    assert all("status of 4" in text for text in desk.wrong)


@needs_browser
def test_marks_follow_what_is_typed(served, browser):
    desk = Desk(browser, served[0])
    desk.empty()
    desk.page.keyboard.type("😀 We care. Our 😀 shockwave therapy cures knee pain for good.")
    desk.settle()
    assert desk.marked("efficacy_claim") == ["Our 😀 shockwave therapy cures knee pain for good."]
    desk.page.keyboard.press("Enter")
    desk.page.keyboard.type("Call us on Monday.")
    desk.settle()
    assert len(desk.blocks) == 2
    desk.page.get_by_text("Filter", exact=True).click()
    desk.page.get_by_label("For information").check()
    assert desk.marked("call_to_action") == ["Call us on Monday."]
    desk.page.locator("#filter").get_by_label("Asks the reader to act").uncheck()
    assert desk.marked("call_to_action") == []
    assert "1 more not shown" in desk.page.locator("#folded").inner_text()
    desk.empty()
    assert desk.headline == "Write or paste a text."
    assert desk.marked("efficacy_claim") == []
    assert desk.wrong == []


@needs_browser
def test_the_mode_can_be_switched(served, browser):
    desk = Desk(browser, served[0])
    before = desk.headline
    desk.page.get_by_label("What to mark").select_option("screen")
    desk.settle()
    assert desk.headline != before
    assert desk.page.locator("#settings").inner_text().startswith("Mode: screen (few missed")


@needs_browser
def test_writing_with_the_keyboard_alone(served, browser):
    desk = Desk(browser, served[0])
    page = desk.page
    page.keyboard.press("Tab")  # skip link
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "box":
            break
    assert page.evaluate("document.activeElement.id") == "box"
    for shown in ("Heel pain gone in three visits", CURE, "Nine in ten patients walk further"):
        page.keyboard.press("F8")
        assert shown in page.get_by_role("heading", level=3).first.inner_text()
    page.keyboard.press("F8")
    assert "Diabetics who suffer from sore feet" in page.get_by_role("heading", level=3).first.inner_text()
    assert "has failed" not in page.locator("#detail").inner_text()  # that is said of the next item
    page.keyboard.press("Alt+Enter")
    assert page.evaluate("document.activeElement.id") == "detail"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "use":
            break
    name = page.evaluate("document.activeElement.textContent")
    assert name.startswith("Use “")
    page.keyboard.press("Enter")
    desk.settle()
    assert "Diabetics" not in desk.box.inner_text()
    assert name[5:-1] in desk.box.inner_text()
    assert page.evaluate("document.activeElement.id") == "box"
    page.keyboard.press("Control+z")
    desk.settle()
    assert "Diabetics who suffer" in desk.box.inner_text()
    page.keyboard.press("Shift+F8")
    assert "Nine in ten" in page.get_by_role("heading", level=3).first.inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#detail").is_hidden()
    assert desk.wrong == []


@needs_browser
def test_a_corrected_label_is_kept_shown_and_given_out_as_corpus_lines(served, browser, tmp_path):
    base, home = served
    desk = Desk(browser, base)
    desk.click(CURE)
    desk.page.get_by_text("Correct the labels").click()
    detail = desk.page.locator("#detail")
    assert detail.get_by_label("Says it works").is_checked()
    detail.get_by_label("Says it works").uncheck()
    detail.get_by_label("Asks the reader to act").check()
    detail.get_by_role("button", name="Keep my labels").click()
    desk.settle()
    assert CURE not in desk.marked("efficacy_claim")
    assert "taken back by you" in desk.page.locator("#folded").inner_text()
    assert desk.page.locator("#kept").inner_text() == "1"
    assert [path.name for path in home.rglob("*.sqlite3")] == ["corrections.sqlite3"]
    with desk.page.expect_download() as waited:
        desk.page.get_by_role("link", name="Save them as lines of the corpus").click()
    waited.value.save_as(tmp_path / "corrections.jsonl")
    (document,) = read_corpus(tmp_path / "corrections.jsonl")
    (block,) = document.blocks
    assert (block.sentences, block.labels) == ((CURE,), (("call_to_action",),))
    assert block.context["heading"] == "Walk without heel pain"
    again = Desk(browser, base)
    assert CURE not in again.marked("efficacy_claim")
    again.click(CURE)
    again.page.get_by_text("Correct the labels").click()
    again.page.locator("#detail").get_by_label("Asks the reader to act").uncheck()
    again.page.locator("#detail").get_by_label("Says it works").check()
    again.page.get_by_role("button", name="Keep my labels").click()
    again.settle()
    assert CURE in again.marked("efficacy_claim")
    assert again.page.locator("#kept").inner_text() == "0"
    assert desk.wrong == again.wrong == []


@needs_browser
def test_the_two_ways_out(served, browser, tmp_path):
    desk = Desk(browser, served[0])
    desk.paste(FROM_DOCS.replace("cures knee pain for good", "helps diabetics"))
    desk.page.keyboard.press("F8")
    desk.page.get_by_role("button", name="Use “").first.click()
    desk.settle()
    desk.page.get_by_role("button", name="Copy as corrected text").click()
    desk.page.get_by_role("button", name="Copied").wait_for()
    read = "kind => navigator.clipboard.read().then(([item]) => item.getType(kind)).then((blob) => blob.text())"
    text = desk.page.evaluate(read, "text/plain")
    assert text == "Our visits\n\nShockwave therapy helps people with diabetes. Read on here.\n\n- Less swelling"
    html = desk.page.evaluate(read, "text/html")
    assert '<a href="https://clinic.example/gel">Read on</a>' in html
    assert "<h1>Our visits</h1>" in html
    assert "<li>Less swelling</li>" in html
    desk.page.get_by_label("UK").check()
    desk.settle()
    with desk.page.expect_download() as waited:
        desk.page.get_by_role("button", name="Download with comments").click()
    assert waited.value.suggested_filename == "draft.reviewed.html"
    report = Path(waited.value.path()).read_text(encoding="utf-8")
    assert "people with diabetes" in report
    assert "Mode: edit (few false alarms). Jurisdictions: United Kingdom." in report
    assert desk.wrong == []


@needs_browser
def test_a_word_file_gets_its_comments_while_the_draft_is_what_stands_in_it(served, browser):
    docx = pytest.importorskip("docx")
    desk = Desk(browser, served[0])
    desk.drop("knee.docx", word_file())
    desk.settle()
    with desk.page.expect_download() as waited:
        desk.page.get_by_role("button", name="Download with comments").click()
    assert waited.value.suggested_filename == "draft.reviewed.docx"
    comments = [comment.text for comment in docx.Document(str(waited.value.path())).comments]
    assert comments
    desk.page.locator("#box").click()
    desk.page.keyboard.type("New. ")
    desk.settle()
    with desk.page.expect_download() as waited:
        desk.page.get_by_role("button", name="Download with comments").click()
    assert waited.value.suggested_filename == "draft.reviewed.html"
    assert desk.wrong == []


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1440])
def test_the_page_is_accessible_and_fits(served, browser, width, scheme):
    desk = Desk(browser, served[0], viewport={"width": width, "height": 812}, color_scheme=scheme)

    def look():
        found = Axe().run(desk.page).response["violations"]
        assert [
            (entry["id"], entry["nodes"][0]["html"]) for entry in found if entry["impact"] in {"serious", "critical"}
        ] == []
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= width

    look()
    desk.page.get_by_label("UK").check()
    desk.page.get_by_text("Filter", exact=True).click()
    desk.page.get_by_label("For information").check()
    desk.settle()
    desk.page.locator("#list button").nth(1).click()
    desk.page.get_by_text("Correct the labels").click()
    look()
    for target in desk.page.locator("main button, main select, .choices label").all():
        assert not target.is_visible() or target.bounding_box()["height"] >= 44
    desk.page.get_by_role("button", name="Close").click()
    desk.drop("draft.xyz", b"x")
    look()


@needs_browser
def test_without_scripts_it_says_what_to_do(served, browser):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(served[0] + "/")
    assert "needs scripts for that" in page.locator("noscript").text_content()


# --- the routes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(served):
    base, _ = served
    with httpx.Client(base_url=base, headers={"origin": base}, timeout=60) as client:
        yield lambda path, **how: client.post(path, **how)


def block(text, **more):
    return {"kind": "paragraph", "runs": [{"text": text, "address": None}], **more}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "blocks must be a list"),
        ({"blocks": []}, "holds no text"),
        ({"blocks": [block("  ")]}, "holds no text"),
        ({"blocks": [1]}, "block 0 must be an object"),
        ({"blocks": [block("x", kind="script")]}, "kind must be one of"),
        ({"blocks": [block("x", level=9)]}, "level must be"),
        ({"blocks": [block("x", page=True)]}, "page must be"),
        ({"blocks": [{"kind": "paragraph", "runs": [{"text": 1}]}]}, "a run has a text"),
        ({"blocks": [block("x")], "mode": "wild"}, "unknown mode"),
        ({"blocks": [block("x")], "jurisdictions": ["xx"]}, "unknown jurisdiction"),
        ({"blocks": [block("x")], "labels": "all"}, "labels must be a list"),
        ({"blocks": [block("x")], "more": 1}, "unknown key"),
        ({"blocks": [block("x" * 200_001)]}, "more than 200,000 characters"),
        ({"blocks": [block("x")] * 20_001}, "at most 20,000 blocks"),
    ],
)
def test_drafts_that_are_none_are_refused_in_one_line(ask, asked, told):
    answer = ask("/editor/check", json=asked)
    assert answer.status_code in {400, 422}
    assert told in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_places_are_utf16_and_whatever_stands_there_is_text(ask):
    text = "Yes 😀 \u200bwe   care.\nOur gel\u00a0cures 😀 <b>pain</b> \udc00 for good."
    data = json.dumps({"blocks": [block(""), block(text)]}).encode()
    answer = ask("/editor/check", content=data, headers={"content-type": "application/json"}).json()
    units = text.replace("\udc00", "\ufffd").encode("utf-16-le")
    found = [units[2 * one["start"] : 2 * one["end"]].decode("utf-16-le") for one in answer["sentences"]]
    assert found == ["Yes 😀 \u200bwe   care.", "Our gel\u00a0cures 😀 <b>pain</b> \ufffd for good."]
    assert {one["block"] for one in answer["sentences"]} == {1}


def test_a_directive_in_the_draft_is_obeyed(ask):
    def found(*blocks):
        return ask("/editor/check", json={"blocks": [*blocks]}).json()["headline"]

    claim = block("Shockwave therapy cures knee pain for good.")
    assert found(claim).startswith("1 thing")
    assert found(block("[mdclaims: ok efficacy_claim, reason: trial 7]"), claim) != found(claim)


def test_pages_elsewhere_cannot_ask(served):
    base, _ = served
    for headers in ({"origin": "http://evil.example"}, {}, {"sec-fetch-site": "cross-site"}):
        assert httpx.post(base + "/editor/check", json={"blocks": []}, headers=headers).status_code == 403
    assert httpx.get(base + "/", headers={"host": "evil.example"}).status_code == 403
