"""``mdclaims overview -o FILE.html``: what the file says, what it allows a browser, and what it leaves out."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from cases import make_case
from overview_pages import CURE, FROM_SOURCE, PAGES, page
from selectolax.lexbor import LexborHTMLParser

from mdclaims.cases import overview_html
from mdclaims.cases.casefile import open_case
from mdclaims.cases.decisions import Covered, Draft, append, read_decisions
from mdclaims.cases.overview import head_lines, write_overview
from mdclaims.cases.ranking import rank
from mdclaims.cli import run

HOSTILE = (
    '<!doctype html><html lang=en><title>&lt;script&gt;alert(1)&lt;/script&gt;</title><h1>Knees "><img src=x></h1>'
    "<p>Our shockwave therapy cures knee pain for good &lt;script&gt;alert(2)&lt;/script&gt; \u202enow, without "
    'surgery.</p><footer>© 2024 &lt;b&gt;Calder&lt;/b&gt; Clinic. <a href="tel:+442079460000">Call</a> 12 Mill Lane, '
    "Harrowby, HX1 9ZZ</footer>"
)
NAMED = {**PAGES, "https://bold.example/": HOSTILE}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return make_case(tmp_path_factory.mktemp("overview"), NAMED)


def render(case, tmp_path, **how):
    """Write the overview; return the parsed file, its text, and what it says to leave out."""
    path = tmp_path / "overview.html"
    with open_case(case) as opened:
        decisions = read_decisions(case)
        written = write_overview(opened, rank(opened, None, decisions), decisions, path, **how)
    text = path.read_text(encoding="utf-8")
    return LexborHTMLParser(text), text, written


def words(node):
    return " ".join(node.text(separator=" ").split())


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    return render(case, tmp_path_factory.mktemp("file"))


def test_first_screen_tells_result_budget_and_each_site_in_full(case, written):
    tree, _, _ = written
    with open_case(case) as opened:
        ranking = rank(opened)
        lines = head_lines(ranking)
    header = words(tree.css_first("header")).replace("\N{NO-BREAK SPACE}", " ")
    assert re.search(r"\d+ distinct claims to read first, on \d+ of \d+ sites; all of them wait for a decision", header)
    assert all(line in header for line in lines)
    items = tree.css(".next > li")
    assert len(items) == len([site for site in ranking.ranked if site.open])
    first, site = words(items[0]), ranking.ranked[0]
    assert site.site in first
    assert site.reason[1:] in first
    assert f"{site.total:.1f} points" in first
    assert f"{site.read} of {site.found} pages read" in first
    assert f"{site.open} of {site.high} decisions open" in first
    assert 1 <= len(items[0].css("blockquote")) <= 3
    for point in site.points:
        assert f"{point.measure.words} {point.count:g} {point.points:.1f} of {point.measure.most:g}" in first


def test_site_has_card_claims_and_pages(written):
    tree, _, _ = written
    site = next(node for node in tree.css("details.site") if "bold.example" in words(node))
    card = words(site.css_first(".card"))
    assert "Postal address 12 Mill Lane, Harrowby, HX1 9ZZ from header or footer of https://bold.example/" in card
    assert "Telephone +44 20 7946 0000 from a link of https://bold.example/" in card
    assert "E-mail not found" in card
    assert "Registration not found" in card
    claim = site.css_first("ol.claims > li")
    assert "cures knee pain for good" in words(claim)
    assert re.search(r"Exhibit [0-9a-f]{16}", words(claim))
    marked = site.css(".page mark")
    assert any("cures knee pain for good" in words(mark) for mark in marked)
    anchors = [link.attributes["href"] for link in site.css(".page .marks a")]
    assert anchors
    assert all(tree.css_first(f"[id='{anchor[1:]}']") is not None for anchor in anchors)


def test_claim_of_several_sites_names_them(written):
    tree, _, _ = written
    [row] = [row for row in tree.css("#families ~ .scroll tbody tr") if "laser treatment cures acne" in words(row)]
    assert "copy.example" in words(row)
    assert "loud.example" in words(row)
    claim = next(node for node in tree.css("li.claim") if FROM_SOURCE.format("Southgate Practice") in words(node))
    assert "Also on 1 other site: loud.example" in words(claim)


def test_text_of_pages_never_becomes_markup(written):
    tree, text, _ = written
    assert "alert(2)" in text
    assert len(tree.css("script")) == 1
    assert not tree.css("img, iframe, object, embed, form, link[rel=stylesheet], [style], [onclick]")
    assert "\u202e" not in text
    assert all(
        link.attributes["href"].startswith(("#", "http://", "https://")) for link in tree.css("a")
    )  # fmt: skip


def test_file_allows_its_own_style_and_script_and_no_request(written):
    tree, text, _ = written
    policy = tree.css_first('meta[http-equiv="Content-Security-Policy"]').attributes["content"]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        block = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    ids = [node.attributes["id"] for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    assert all(link.attributes["href"][1:] in ids for link in tree.css('a[href^="#"]'))


def test_equal_cases_give_equal_files(case, written, tmp_path):
    assert render(case, tmp_path)[1] == written[1]


def test_decisions_are_shown_and_decided_sites_make_room(tmp_path):
    case = make_case(
        tmp_path, {"https://one.example/": page("Knees", CURE), "https://two.example/": page("Knees", CURE)}
    )
    with open_case(case) as opened:
        [row] = opened.connection.execute(
            "SELECT exhibit, address, fingerprint, quote, label FROM findings "
            "WHERE site = 'one.example' AND priority = 'high' AND label = 'efficacy_claim'"
        ).fetchall()
    exhibit, address, fingerprint, quote, label = row
    append(case, [Draft("Ann", "upheld", (Covered(exhibit, "one.example", address, label, None, fingerprint, quote),))])
    tree, text, _ = render(case, tmp_path)
    assert "upheld by Ann, 20" in text
    following = [words(item) for item in tree.css(".next > li")]
    assert len(following) == 1
    assert "two.example" in following[0]


def test_file_says_what_it_leaves_out_and_pages_through_the_case(case, tmp_path, monkeypatch):
    monkeypatch.setattr(overview_html, "MOST_SITES", 2)
    monkeypatch.setattr(overview_html, "MOST_CLAIMS", 1)
    monkeypatch.setattr(overview_html, "MOST_PAGES", 1)
    tree, text, written = render(case, tmp_path)
    assert len(tree.css("details.site")) == 2
    left = "\n".join(written.left_out)
    with open_case(case) as opened:
        ranked = rank(opened).ranked
    assert f"{len(ranked) - 2} ranked sites behind these 2: mdclaims overview case --from 3 -o next.html" in left
    assert re.search(r"\d+ distinct claims of the sites shown: mdclaims overview case -o overview.xlsx", left)
    assert "the text of 1 pages with findings" in left
    assert all(line.partition(":")[0] in " ".join(text.split()) for line in written.left_out)
    (tmp_path / "further").mkdir()
    tree, _, written = render(case, tmp_path / "further", first=3)
    assert tree.css_first("details.site").attributes["id"] == "s-3"
    assert "the 2 sites before them" in "\n".join(written.left_out)


def test_room_for_claims_is_shared_but_no_site_is_empty(case, tmp_path, monkeypatch):
    monkeypatch.setattr(overview_html, "MOST_ALL_CLAIMS", 0)
    monkeypatch.setattr(overview_html, "MOST_PASSAGES", 0)
    tree, _, written = render(case, tmp_path)
    assert all(site.css("ol.claims > li") for site in tree.css("details.site"))
    assert not tree.css(".page")
    assert written.claims == len(tree.css("ol.claims > li"))


def test_case_without_claims_has_an_overview(tmp_path):
    case = make_case(tmp_path, {"https://plain.example/": PAGES["https://plain.example/"]})
    tree, text, _ = render(case, tmp_path)
    assert "No site of 1 has a claim to read first." in text
    assert "No site has points" in text
    assert not tree.css("details.site")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--from", "99", "-o", "x.html"], "--from 99 is behind the last ranked site"),
        (["--from", "2", "-o", "x.csv"], "--from belongs to .html"),
        (["-o", "x.pdf"], "must end in .html, .xlsx or .csv"),
        (["-o", "no/such/folder/x.html"], "cannot be written"),
    ],
)
def test_wrong_usage_ends_in_one_line(case, tmp_path, monkeypatch, capfd, arguments, reason):
    monkeypatch.chdir(tmp_path)
    assert run(["overview", str(case), *arguments]) == 2
    assert reason in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_file_that_exists_is_never_written_over(case, tmp_path, capfd):
    (tmp_path / "x.html").write_text("mine", encoding="utf-8")
    assert run(["overview", str(case), "-o", str(tmp_path / "x.html")]) == 2
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == "mine"
    assert "is there already" in capfd.readouterr().err
