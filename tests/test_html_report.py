"""The HTML report: page text never becomes markup, every finding can be reached, nothing is fetched."""

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from helpers import explained
from selectolax.lexbor import LexborHTMLParser

from mdclaims.config import Settings
from mdclaims.findings.findings import Finding, PageResult, ScoredSentence, fingerprints
from mdclaims.labels import LABELS, label_info
from mdclaims.language.sentences import Sentence
from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder
from mdclaims.reports.html_report import render_html
from mdclaims.reports.report import HIDDEN_WORDS, InputError, Report, settings_line, summary_line

EFFICACY, SAFETY, STIGMA, ACTION = LABELS


def result_of(*blocks, source="page.html", title=None, notes=()):
    """Build a result from (text, scores of the labels that it carries, block options); one sentence a block."""
    builder = PageBuilder()
    for text, _, options in blocks:
        lines = [part for line in text.split("\n") for part in (LINE_BREAK, Fragment(line))]
        builder.add(lines, **{"kind": "paragraph", **options})
    page = builder.build(source=source, sha256="ab" * 32, title=title, encoding="utf-8", notes=notes)
    assert len(page.blocks) == len(blocks)
    sentences = tuple(
        ScoredSentence(
            Sentence(block.start, block.end, page.text[block.start : block.end], block, quoted=False),
            {label: scores.get(label, 0.01) for label in LABELS},
            tuple(label for label in LABELS if label in scores),
        )
        for block, (_, scores, _) in zip(page.blocks, blocks, strict=True)
    )
    places = [(n, label) for n, entry in enumerate(sentences) for label in entry.labels]
    marks = fingerprints([(label, sentences[n].sentence.text, "") for n, label in places])
    findings = tuple(
        Finding(
            n, label, sentences[n].scores[label], mark, (), stance=None, priority="normal", reason="because",
            group=mark, attributes=None, qualifier=None,
        )
        for (n, label), mark in zip(places, marks, strict=True)
    )  # fmt: skip
    return PageResult(page, sentences, findings)


def report_of(*pages, errors=(), settings=None):
    return Report(
        tool_version="1.2.3", model_name="en_test", model_version="4.5.6", model_sha256="cd" * 32,
        settings=settings or Settings(), thresholds=dict.fromkeys(LABELS, 0.4321), pages=pages, errors=errors,
    )  # fmt: skip


@pytest.fixture(scope="session")
def result():
    """A small page with every kind of place."""
    return result_of(
        ("Laser clinic", {}, {"kind": "title", "region": "metadata"}),
        ("Cures acne for good.", {EFFICACY: 0.9}, {"kind": "structured", "region": "metadata"}),
        ("Call us", {ACTION: 0.99}, {"kind": "button", "region": "header"}),
        ("Our lasers", {}, {"kind": "heading", "level": 1}),
        ("It works and does not hurt.", {EFFICACY: 0.7, SAFETY: 0.95}, {}),
        ("We open at nine.", {}, {}),
        ("No downtime", {SAFETY: 0.6}, {"kind": "list_item", "hidden": True}),
        ("Home", {}, {"kind": "link", "region": "footer"}),
        ("Cures acne for good.", {EFFICACY: 0.9}, {"kind": "alt"}),
        title="Laser clinic",
        notes=("declared UTF-8, read as windows-1252",),
    )


@pytest.fixture(scope="session")
def report(result):
    return report_of(result)


@pytest.fixture(scope="session")
def html(report):
    return render_html(report)


@pytest.fixture(scope="session")
def tree(html):
    return LexborHTMLParser(html)


def words(node):
    return " ".join(node.text().split())


def anchors(tree):
    return [node.attributes["id"] for node in tree.css("mark .at")]


# --- safety -------------------------------------------------------------------------------------------------------

MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "</mark></style></script></title><iframe src=https://evil.example>",
    "<!-- <a href='javascript:alert(1)'>x</a> {{ report }} {% raw %}",
    "&lt;b&gt;",
)


@pytest.mark.parametrize("markup", MARKUP)
def test_html_report_page_markup_stays_text(markup):
    page = result_of(
        (f"Title {markup}", {}, {"kind": "title", "region": "metadata"}),
        (f"Head {markup}", {SAFETY: 0.5}, {"kind": "heading", "level": 2}),
        (f"Claim {markup} works.", {EFFICACY: 0.9}, {}),
        (f"Plain {markup} text.", {}, {"kind": "list_item"}),
        source=f"{markup}.html", title=markup, notes=(markup,),
    )  # fmt: skip
    plain = result_of(
        ("Title", {}, {"kind": "title", "region": "metadata"}),
        ("Head", {SAFETY: 0.5}, {"kind": "heading", "level": 2}),
        ("Claim works.", {EFFICACY: 0.9}, {}),
        ("Plain text.", {}, {"kind": "list_item"}),
        source="page.html", title="t", notes=("note",),
    )  # fmt: skip
    tree = LexborHTMLParser(render_html(report_of(page, errors=(InputError(markup, markup),))))
    expected = LexborHTMLParser(render_html(report_of(plain, errors=(InputError("a", "b"),))))

    def shape(parsed):
        return [(node.tag, sorted(node.attributes)) for node in parsed.css("*")]

    assert shape(tree) == shape(expected)
    assert words(tree.css_first("mark .said")).endswith(" ".join(markup.split()))
    assert [" ".join(f"Claim {markup} works.".split())] == [words(node) for node in tree.css("p.piece mark .said")]
    assert markup in tree.css_first("title").text()
    assert markup in tree.css_first(".errors").text()


def test_html_report_fetches_nothing_and_keeps_page_links_dead(html):
    page = result_of(("Visit https://clinic.example/book today.", {ACTION: 0.9}, {"kind": "link"}))
    for source in (html, render_html(report_of(page))):
        tree = LexborHTMLParser(source)
        targets = [
            value
            for node in tree.css("*")
            for name, value in node.attributes.items()
            if name in {"src", "href", "srcset", "action", "data", "poster", "background"}
        ]
        assert targets
        assert {target for target in targets if not target.startswith("#")} == {"data:,"}
        assert "url(" not in source
        assert "@import" not in source
        assert tree.css("iframe, object, embed, form, img, link:not([rel=icon])") == []


def test_html_report_policy_allows_its_own_style_and_script_only(tree):
    policy = tree.css_first("meta[http-equiv='Content-Security-Policy']").attributes["content"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (node,) = tree.css(tag)
        digest = base64.b64encode(hashlib.sha256(node.text().encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert [node.tag for node in tree.css("*") if any(name.startswith("on") for name in node.attributes)] == []
    assert tree.css("[style]") == []


def test_html_report_control_characters_are_replaced():
    page = result_of(
        ("Red \x1b[31m bell \x07 turn \u202e back \x9b csi.", {EFFICACY: 0.9}, {}),
        source="a\x1bb\udcff.txt", title="t\x08", notes=("n\x1b",),
    )  # fmt: skip
    html = render_html(report_of(page, errors=(InputError("e\x1b\udcff", "r\x07"),)))
    assert set(re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)) == set()
    assert "Red \ufffd[31m bell \ufffd turn \ufffd back \ufffd csi." in html
    assert "a\ufffdb\ufffd.txt" in html
    assert html.encode("utf-8")


# --- findings -----------------------------------------------------------------------------------------------------


def test_html_report_every_finding_has_a_unique_id_and_a_link(result, tree):
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert len(result.findings) == 6
    assert sorted(anchors(tree)) == sorted(f"f-{finding.fingerprint}" for finding in result.findings)
    assert sorted(node.attributes["href"][1:] for node in tree.css(".permalink")) == sorted(anchors(tree))
    quotes = {node.attributes["href"][1:] for node in tree.css(".quote")}
    assert len(quotes) == 5
    assert quotes <= set(anchors(tree))


def test_html_report_ids_stay_unique_across_equal_pages(result):
    tree = LexborHTMLParser(render_html(report_of(result, replace(result, page=replace(result.page, source="2")))))
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert len(anchors(tree)) == 12
    targets = [node.attributes["href"][1:] for node in tree.css("a")]
    assert set(targets) <= set(ids)
    # The first page's anchors do not depend on the pages after it.
    assert {f"f-{finding.fingerprint}" for finding in result.findings} <= set(anchors(tree))


def test_html_report_lists_findings_in_reading_order_under_their_headings(tree):
    assert [words(node) for node in tree.css(".entry .quote")] == [
        "Cures acne for good.", "Call us", "It works and does not hurt.", "No downtime", "Cures acne for good.",
    ]  # fmt: skip
    assert [words(node) for node in tree.css(".path")] == [
        "No heading (metadata)", "No heading (header)", "Our lasers",
    ]  # fmt: skip
    assert [words(node) for node in tree.css(".entry .place")] == [
        "structured data, metadata", "button, header", "paragraph, main text",
        f"list item, main text, {HIDDEN_WORDS}", "image description, main text",
    ]  # fmt: skip


def test_html_report_strongest_label_comes_first(tree):
    (mark,) = [node for node in tree.css("mark") if "does not hurt" in node.text()]
    assert mark.attributes["data-labels"] == f"{SAFETY} {EFFICACY}"
    assert mark.attributes["class"] == label_info()[SAFETY].colour
    assert [words(node) for node in mark.css(".badge")] == [
        f"{label_info()[SAFETY].display} 95 %", f"{label_info()[EFFICACY].display} 70 %",
    ]  # fmt: skip


@pytest.mark.parametrize(("score", "shown"), [(0.9999, "99 %"), (0.004, "1 %"), (0.505, "50 %")])
def test_html_report_percent_never_claims_certainty(score, shown):
    tree = LexborHTMLParser(render_html(report_of(result_of(("It works.", {EFFICACY: score}, {})))))
    assert words(tree.css_first("mark .badge")).endswith(f" {shown}")


def test_html_report_a_filter_for_each_label_asked_for(result, tree):
    filters = {node.attributes["data-label"]: node for node in tree.css("button.filter")}
    assert list(filters) == list(LABELS)
    for label, button in filters.items():
        info = label_info()[label]
        count = sum(finding.label == label for finding in result.findings)
        assert button.attributes["aria-pressed"] == "true"
        assert info.display in words(button)
        assert f"{count} finding" in words(button)
        assert words(tree.css_first(f"#{button.attributes['aria-describedby']}")) == info.meaning
    some = LexborHTMLParser(render_html(report_of(result, settings=Settings(labels=(SAFETY,)))))
    assert [node.attributes["data-label"] for node in some.css("button.filter")] == [SAFETY]


# --- why ----------------------------------------------------------------------------------------------------------

REASONS = (
    ("sentence", "Cures", 2.04),
    ("heading", "lasers", 0.55),
    ("circumstance", "kind: list_item", -1.25),
    ("previous", "Call", -0.61),
    ("next", "We", 0.2),
)


@pytest.fixture(scope="session")
def why(result):
    """The report of the same page with every finding explained."""
    return LexborHTMLParser(render_html(report_of(explained(result, *REASONS), settings=Settings(explain=True))))


def test_html_report_says_why_for_every_finding(result, why):
    entries = why.css(".entry")
    assert len(entries) == 5
    assert [len(entry.css("details.why")) for entry in entries] == [1] * 5
    for entry in entries:
        assert words(entry.css_first("details.why > summary")) == "Why"
        assert "open" not in entry.css_first("details.why").attributes
        labels = [node.attributes["data-label"] for node in entry.css(".reasons")]
        assert labels == [node.attributes["data-label"] for node in entry.css(".permalink")]
        assert [words(node) for node in entry.css(".reasons dt")] == [label_info()[label].display for label in labels]
    assert len(why.css(".reasons")) == len(result.findings) == 6


def test_html_report_why_names_words_and_weights(why):
    for node in why.css(".reasons"):
        assert [words(side) for side in node.css("dd")] == [
            "speaks for it: “cures” +2.0, “lasers” (heading) +0.6",
            "speaks against it: kind: list item −1.2, “call” (sentence before) −0.6",
        ]
    assert "log-odds" in words(why.css_first(".appendix"))


def test_html_report_without_explanations_has_no_why(html, tree):
    assert tree.css(".why, .reasons") == []
    assert ">Why<" not in html
    assert "log-odds" not in html


@pytest.mark.parametrize(
    ("reasons", "sides"),
    [
        ((("sentence", "cures", 1.0),), ["speaks for it: “cures” +1.0"]),
        ((("sentence", "we", -1.0),), ["speaks for it: nothing in particular", "speaks against it: “we” −1.0"]),
        ((("sentence", "we", 0.1),), ["speaks for it: nothing in particular"]),
    ],
)
def test_html_report_why_of_one_side(reasons, sides):
    page = explained(result_of(("Cures acne.", {EFFICACY: 0.9}, {})), *reasons)
    tree = LexborHTMLParser(render_html(report_of(page, settings=Settings(explain=True))))
    assert [words(side) for side in tree.css(".reasons dd")] == sides


@pytest.mark.parametrize("markup", MARKUP)
def test_html_report_why_keeps_markup_as_text(markup):
    def tree_of(word):
        page = result_of(("Cures acne.", {EFFICACY: 0.9}, {}))
        reasons = [(part, f"{word} x", 1.0) for part in ("sentence", "heading", "circumstance")]
        return LexborHTMLParser(render_html(report_of(explained(page, *reasons), settings=Settings(explain=True))))

    tree, plain = tree_of(markup), tree_of("word")
    assert [(node.tag, sorted(node.attributes)) for node in tree.css("*")] == [
        (node.tag, sorted(node.attributes)) for node in plain.css("*")
    ]
    assert len(tree.css(".reason")) == 3
    assert " ".join(f"“{markup.lower()} x”".split()) in words(tree.css_first(".reasons"))


def test_html_report_why_replaces_control_characters():
    page = explained(result_of(("Cures acne.", {EFFICACY: 0.9}, {})), ("sentence", "a\x1b\u202eb\udcff", 1.0))
    html = render_html(report_of(page, settings=Settings(explain=True)))
    assert "“a\ufffd\ufffdb\ufffd”" in html
    assert html.encode("utf-8")


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.e2e
@pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser")
def test_html_report_filter_hides_the_reasons_of_a_switched_off_label(result, tmp_path):
    html = render_html(report_of(explained(result, *REASONS), settings=Settings(explain=True)))
    # The page's own policy would stop the script that presses the button.
    html = re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", html)
    press = f"document.querySelector('.filter[data-label={EFFICACY}]').click()"
    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", f"<script>{press}</script></body>"), encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([BROWSER, *arguments, page.as_uri()], capture_output=True, timeout=120, check=True)
    tree = LexborHTMLParser(done.stdout.decode("utf-8"))
    assert tree.css_first(f".filter[data-label={EFFICACY}]").attributes["aria-pressed"] == "false"
    hidden = {(node.attributes["data-label"], "hidden" in node.attributes) for node in tree.css(".reasons")}
    assert hidden == {(EFFICACY, True), (SAFETY, False), (ACTION, False)}
    assert [words(entry.css_first(".quote")) for entry in tree.css(".entry:not([hidden])")] == [
        "Call us", "It works and does not hurt.", "No downtime",
    ]  # fmt: skip


# --- text ---------------------------------------------------------------------------------------------------------


def test_html_report_shows_every_sentence_once_in_order(result, tree):
    for gone in tree.css(".text .badges, .text .kind"):
        gone.decompose()
    shown = [words(node) for node in tree.css(".text .piece")]
    assert shown == [entry.sentence.text for entry in result.sentences]


def test_html_report_keeps_what_stands_between_sentences():
    builder = PageBuilder()
    builder.add([Fragment("It works."), LINE_BREAK, Fragment("Book now. Today.")], kind="paragraph")
    page = builder.build(source="p", sha256="0" * 64, title=None, encoding="utf-8")
    spans = [(0, 9), (10, 19), (20, 26)]
    sentences = tuple(
        ScoredSentence(Sentence(a, b, page.text[a:b], page.blocks[0], quoted=False), dict.fromkeys(LABELS, 0.1), ())
        for a, b in spans
    )
    tree = LexborHTMLParser(render_html(report_of(PageResult(page, sentences, ()))))
    assert tree.css_first(".text .piece").text() == page.text == "It works.\nBook now. Today."


def test_html_report_marks_places_in_the_text(tree):
    heading = tree.css_first(".text [role=heading]")
    assert words(heading) == "Our lasers"
    assert int(heading.attributes["aria-level"]) > 3
    assert [words(node) for node in tree.css(".meta dt")] == ["title", "structured data"]
    (hidden,) = tree.css(".region.unshown")
    assert HIDDEN_WORDS in words(hidden.css_first(".name"))
    assert "No downtime" in words(hidden)
    assert [words(node) for node in tree.css(".region.footer li.link")] == ["Home"]
    assert tree.css_first(".region.header li.button mark") is not None


# --- around it ----------------------------------------------------------------------------------------------------


def test_html_report_says_settings_result_notes_and_versions(report, result, tree):
    assert words(tree.css_first("body > header").css_first("p")) == settings_line(report.settings)
    assert words(tree.css_first(".result")) == summary_line(result, LABELS)
    assert words(tree.css_first(".note")) == result.page.notes[0]
    appendix = words(tree.css_first(".appendix"))
    for fact in ("1.2.3", "en_test 4.5.6", "cd" * 32, "ab" * 32, "utf-8", "43.2 %"):
        assert fact in appendix
    assert len(tree.css("h1")) == 1


def test_html_report_shows_errors_also_without_a_page():
    errors = (InputError("lost.html", "does not exist; check the path"), InputError("b.pdf", "is not text"))
    tree = LexborHTMLParser(render_html(report_of(errors=errors)))
    assert [words(node) for node in tree.css(".errors li")] == [f"{e.source}: {e.error}" for e in errors]
    assert "No page was read." in words(tree.body)


def test_html_report_says_when_nothing_was_found():
    tree = LexborHTMLParser(render_html(report_of(result_of(("We open at nine.", {}, {})))))
    assert tree.css("mark") == []
    assert "No sentence reached the threshold" in words(tree.css_first(".findings"))


def test_html_report_several_pages_have_contents_with_counts(result):
    other = result_of(("Book now.", {ACTION: 0.8}, {}), source="other.txt")
    tree = LexborHTMLParser(render_html(report_of(result, other)))
    entries = tree.css(".contents li")
    assert [words(entry.css_first("a")) for entry in entries] == ["Laser clinic", "other.txt"]
    assert [words(entry.css_first("p")) for entry in entries] == [summary_line(p, LABELS) for p in (result, other)]
    for entry in entries:
        assert tree.css_first(entry.css_first("a").attributes["href"]).tag == "section"


def test_html_report_equal_reports_are_equal_files(report, html):
    assert render_html(report) == html
