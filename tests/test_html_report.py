"""The HTML report: page text never becomes markup, every claim is told once and can be reached, nothing is fetched."""

import base64
import hashlib
import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from helpers import TODAY, explained
from selectolax.lexbor import LexborHTMLParser

from mdclaims.config import Settings
from mdclaims.findings.findings import Finding, PageResult, ScoredSentence, fingerprints, groups
from mdclaims.findings.qualifiers import Qualifier
from mdclaims.labels import LABELS, label_info
from mdclaims.language.sentences import Sentence
from mdclaims.reading.page import LINE_BREAK, Fragment, PageBuilder
from mdclaims.reports.html_report import render_html
from mdclaims.reports.report import (
    CERTAINTY_LINE,
    FIRST_SHOWN,
    HIDDEN_WORDS,
    ORDER_LINE,
    InputError,
    Report,
    settings_line,
    totals_line,
)

EFFICACY, SAFETY, STIGMA, ACTION = LABELS


def result_of(*blocks, source="page.html", title=None, notes=()):
    """Build a result from (text, scores of the labels that it carries, block options); one sentence a block.

    The option `priority` goes to the block's findings.
    """
    priorities = {n: options["priority"] for n, (_, _, options) in enumerate(blocks) if "priority" in options}
    blocks = [(text, scores, {k: v for k, v in options.items() if k != "priority"}) for text, scores, options in blocks]
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
    firsts = groups([(label, sentences[n].sentence) for n, label in places])
    findings = tuple(
        Finding(
            n, label, sentences[n].scores[label], mark, (), stance=None, priority=priorities.get(n, "normal"),
            reason="because", group=marks[first], attributes=None, qualifier=None,
        )
        for (n, label), mark, first in zip(places, marks, firsts, strict=True)
    )  # fmt: skip
    return PageResult(page, sentences, findings)


def report_of(*pages, errors=(), settings=None):
    return Report(
        tool_version="1.2.3", model_name="en_test", model_version="4.5.6", model_sha256="cd" * 32,
        settings=settings or Settings(), thresholds=dict.fromkeys(LABELS, 0.4321), pages=pages, errors=errors,
        today=TODAY,
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
        (f"Head of four words {markup}", {SAFETY: 0.5}, {"kind": "heading", "level": 2}),
        (f"Claim {markup} works on people.", {EFFICACY: 0.9}, {}),
        (f"Plain {markup} text.", {}, {"kind": "list_item"}),
        source=f"{markup}.html", title=markup, notes=(markup,),
    )  # fmt: skip
    plain = result_of(
        ("Title", {}, {"kind": "title", "region": "metadata"}),
        ("Head of four words", {SAFETY: 0.5}, {"kind": "heading", "level": 2}),
        ("Claim works on people.", {EFFICACY: 0.9}, {}),
        ("Plain text.", {}, {"kind": "list_item"}),
        source="page.html", title="t", notes=("note",),
    )  # fmt: skip
    tree = LexborHTMLParser(render_html(report_of(page, errors=(InputError(markup, markup),))))
    expected = LexborHTMLParser(render_html(report_of(plain, errors=(InputError("a", "b"),))))

    def shape(parsed):
        return [(node.tag, sorted(node.attributes)) for node in parsed.css("*")]

    assert shape(tree) == shape(expected)
    assert words(tree.css_first("mark .said")).endswith(" ".join(markup.split()))
    assert [" ".join(f"Claim {markup} works on people.".split())] == [
        words(node) for node in tree.css("p.piece mark .said")
    ]
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
    for selector in (".facts dd a", ".rows a"):
        assert {node.attributes["href"][1:] for node in tree.css(selector)} == set(anchors(tree))
    quotes = [node.attributes["href"][1:] for node in tree.css(".quote a")]
    assert len(quotes) == 5
    assert set(quotes) <= set(anchors(tree))


def test_html_report_ids_stay_unique_across_equal_pages(result):
    tree = LexborHTMLParser(render_html(report_of(result, replace(result, page=replace(result.page, source="2")))))
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert len(anchors(tree)) == 12
    targets = [node.attributes["href"][1:] for node in tree.css("a")]
    assert set(targets) <= set(ids)
    # The first page's anchors do not depend on the pages after it.
    assert {f"f-{finding.fingerprint}" for finding in result.findings} <= set(anchors(tree))


def test_html_report_lists_claims_in_the_order_of_what_to_read_first(tree):
    claims = tree.css(".claim")
    assert [words(node.css_first(".quote")) for node in claims] == [
        "1 “Cures acne for good.”",
        "2 Button in the header: “Call us”",
        "3 “It works and does not hurt.”",
        "4 “It works and does not hurt.”",
        "5 Under “Our lasers”: “No downtime”",
    ]
    assert [words(node.css_first(".what")) for node in claims] == [
        f"{label_info()[EFFICACY].display}: clear",
        f"{label_info()[ACTION].display}: clear",
        f"{label_info()[SAFETY].display}: clear; also says it works",
        f"{label_info()[EFFICACY].display}: likely; also says how safe it is",
        f"{label_info()[SAFETY].display}: likely",
    ]
    assert [words(node.css("dd")[-1]) for node in claims] == [
        "structured data in the metadata; image description under “Our lasers”",
        "button in the header",
        "paragraph under “Our lasers”",
        "paragraph under “Our lasers”",
        f"list item, {HIDDEN_WORDS}",
    ]
    assert [words(node) for node in claims[0].css("dt")] == ["Why", "Beside it", "Where"]
    assert [words(node) for node in claims[1].css("dt")] == ["Why", "Where"]


def test_html_report_shows_the_first_claims_then_the_others_and_folds_away_what_is_for_information():
    page = result_of(
        *((f"The laser cures acne number {'abcdefg'[n]}.", {EFFICACY: 0.95}, {}) for n in range(7)),
        ("You may book a visit here.", {ACTION: 0.95}, {"priority": "info"}),
        ("The laser never fails anyone.", {EFFICACY: 0.6}, {"priority": "high"}),
    )
    tree = LexborHTMLParser(render_html(report_of(page)))
    assert words(tree.css_first(".result")) == "8 things to look at, 1 first; 1 more for information."
    first = tree.css(".wide .claim")
    assert len(first) == FIRST_SHOWN
    assert "never fails" in words(first[0])
    assert words(first[0].css_first(".what")).endswith(" · first")
    more, info = tree.css_first("details.more"), tree.css_first("details.info")
    assert [len(part.css(".claim")) for part in (more, info)] == [3, 1]
    assert [words(part.css_first("summary")) for part in (more, info)] == ["3 more to look at", "1 for information"]
    assert "open" in more.attributes
    assert "open" not in info.attributes
    assert [words(node) for node in tree.css("mark.quiet .said")] == ["You may book a visit here."]


def test_html_report_a_qualifier_is_quoted_with_a_jump_to_it():
    page = result_of(
        ("The laser cures acne today.", {EFFICACY: 0.95}, {}),
        ("We open at nine.", {}, {}),
        ("It can sting <b>a little.", {}, {"hidden": True}),
    )
    finding = replace(page.findings[0], qualifier=Qualifier(2, "risk", 2, 2, hidden=True))
    tree = LexborHTMLParser(render_html(report_of(replace(page, findings=(finding,)))))
    (link,) = [node for node in tree.css(".facts a") if "sting" in node.text()]
    assert words(link) == f"a risk, 2 sentences and 2 blocks below ({HIDDEN_WORDS}): “It can sting <b>a little.”"
    assert tree.css_first(f".text {link.attributes['href']}").next.text() == "It can sting <b>a little."


def test_html_report_marks_take_the_colour_of_the_first_claim(tree):
    (mark,) = [node for node in tree.css("mark") if "does not hurt" in node.text()]
    assert mark.attributes["data-marks"] == f"{SAFETY}:normal {EFFICACY}:normal"
    assert mark.attributes["class"] == label_info()[SAFETY].colour
    assert [words(node) for node in mark.css(".badge")] == [
        f"3 {label_info()[SAFETY].display}", f"4 {label_info()[EFFICACY].display}",
    ]  # fmt: skip
    targets = [words(tree.css_first(f"{node.attributes['href']} .number")) for node in mark.css(".badge")]
    assert targets == ["3", "4"]


@pytest.mark.parametrize(("score", "shown"), [(0.9999, "99 %"), (0.004, "1 %"), (0.505, "50 %")])
def test_html_report_scores_stand_in_the_appendix_only_and_never_claim_certainty(score, shown):
    tree = LexborHTMLParser(render_html(report_of(result_of(("It works.", {EFFICACY: score}, {})))))
    assert [words(node) for node in tree.css(".rows tbody td")[:4]] == ["1", "It works.", EFFICACY, shown]
    assert "%" not in words(tree.css_first("main"))


def test_html_report_a_filter_for_each_label_asked_for_and_for_each_priority(tree):
    filters = {node.attributes["data-label"]: node for node in tree.css("button.filter[data-label]")}
    assert list(filters) == list(LABELS)
    counts = dict(zip(LABELS, (2, 2, 0, 1), strict=True))
    for label, button in filters.items():
        info = label_info()[label]
        assert button.attributes["aria-pressed"] == "true"
        assert info.display in words(button)
        assert f"{counts[label]} claim" in words(button)
        assert words(tree.css_first(f"#{button.attributes['aria-describedby']}")) == info.meaning
    urgencies = tree.css("button.filter[data-priority]")
    assert [words(node) for node in urgencies] == ["First0 claims", "Then5 claims", "For information0 claims"]
    some = LexborHTMLParser(render_html(report_of(result_of(("a", {}, {})), settings=Settings(labels=(SAFETY,)))))
    assert [node.attributes["data-label"] for node in some.css("button.filter[data-label]")] == [SAFETY]


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


def sides(node):
    return [words(side) for side in node.css(".reasons")]


def test_html_report_says_word_by_word_why_for_every_claim(why):
    claims = why.css(".claim")
    assert len(claims) == 5
    for claim in claims:
        (details,) = claim.css("details.why")
        assert words(details.css_first("summary")) == "Word by word"
        assert "open" not in details.attributes
        assert sides(details) == [
            "speaks for it: “cures” +2.0, “lasers” (heading) +0.6",
            "speaks against it: kind: list item −1.2, “call” (sentence before) −0.6",
        ]
    assert "log-odds" in words(why.css_first(".appendix"))


def test_html_report_without_explanations_has_no_why(html, tree):
    assert tree.css(".why, .reasons") == []
    assert "Word by word" not in html
    assert "log-odds" not in html


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        ((("sentence", "cures", 1.0),), ["speaks for it: “cures” +1.0"]),
        ((("sentence", "we", -1.0),), ["speaks for it: nothing in particular", "speaks against it: “we” −1.0"]),
        ((("sentence", "we", 0.1),), ["speaks for it: nothing in particular"]),
    ],
)
def test_html_report_why_of_one_side(reasons, shown):
    page = explained(result_of(("Cures acne.", {EFFICACY: 0.9}, {})), *reasons)
    tree = LexborHTMLParser(render_html(report_of(page, settings=Settings(explain=True))))
    assert sides(tree) == shown


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
@pytest.mark.parametrize(
    ("pressed", "left", "marks_off"),
    [
        (f"data-label={EFFICACY}", ["2", "3", "5"], 2),
        ("data-priority=normal", [], 5),
        ("data-priority=info", ["1", "2", "3", "4", "5"], 0),
    ],
)
def test_html_report_filters_hide_claims_and_marks(result, tmp_path, pressed, left, marks_off):
    html = render_html(report_of(result))
    # The page's own policy would stop the script that presses the button.
    html = re.sub(r"<meta http-equiv=.Content-Security-Policy.[^>]*>", "", html)
    press = f"document.querySelector('.filter[{pressed}]').click()"
    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", f"<script>{press}</script></body>"), encoding="utf-8")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run([BROWSER, *arguments, page.as_uri()], capture_output=True, timeout=120, check=True)
    tree = LexborHTMLParser(done.stdout.decode("utf-8"))
    assert tree.css_first(f".filter[{pressed}]").attributes["aria-pressed"] == "false"
    assert [words(claim.css_first(".number")) for claim in tree.css(".claim:not([hidden])")] == left
    assert len(tree.css("mark.off")) == marks_off
    assert words(tree.css_first("#status")) == ("" if len(left) == 5 else f"Showing {len(left)} of 5 claims.")


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
    assert words(tree.css_first(".result")) == "5 things to look at."
    assert words(tree.css_first(".context")) == "2 claims of benefit; no sentence tells of a risk or a limit."
    assert ORDER_LINE in words(tree.body)
    assert CERTAINTY_LINE in words(tree.body)
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
    assert words(tree.css_first(".result")) == "Nothing found in the text read."
    assert tree.css(".claim, .list") == []


def test_html_report_several_pages_have_contents_with_counts(result):
    other = result_of(("Book now.", {ACTION: 0.8}, {}), source="other.txt")
    tree = LexborHTMLParser(render_html(report_of(result, other)))
    rows = tree.css(".contents tbody tr")
    assert words(tree.css_first(".result")) == totals_line(report_of(result, other))
    assert [words(row) for row in rows] == ["Laser clinic page.html 5––", "other.txt 1––"]
    for row in rows:
        assert tree.css_first(row.css_first("a").attributes["href"]).tag == "section"
    assert len(tree.css(".filters")) == 1


def test_html_report_pages_with_most_to_read_first_come_first(result):
    quiet = result_of(("We open at nine.", {}, {}), source="quiet.txt")
    urgent = result_of(("It never fails at all.", {EFFICACY: 0.8}, {"priority": "high"}), source="urgent.txt")
    tree = LexborHTMLParser(render_html(report_of(quiet, result, urgent)))
    assert [node.attributes["id"] for node in tree.css("section.page")] == ["p-3", "p-2", "p-1"]
    assert [words(node) for node in tree.css(".contents tbody a")] == ["urgent.txt", "Laser clinic", "quiet.txt"]


def test_html_report_equal_reports_are_equal_files(report, html):
    assert render_html(report) == html
