"""What became of claims between two cases, really screened: nothing is called gone that may still be there."""

import json
import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from archives import answer, per_record, record
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from mdclaims.cases import exhibits
from mdclaims.cases import screen as screening
from mdclaims.cases.compare import CompareOptions, compare
from mdclaims.cases.compare_report import compare_html, compare_json, compare_text
from mdclaims.cases.decisions import Covered, Draft, append
from mdclaims.cases.engine import Here, Progress
from mdclaims.cases.pairing import LookOptions
from mdclaims.cases.same_page import page_key
from mdclaims.cases.store import connect
from mdclaims.cli import run
from mdclaims.config import Settings
from mdclaims.findings.screening import load

CLAIMS = (
    "Our shockwave therapy cures knee pain for good in three sessions.",
    "Acupuncture by Mei ends migraine in nine of ten patients.",
    "The laser removes toenail fungus completely after one visit.",
    "Botulinum injections are totally safe and have no side effects.",
    "Stem cells rebuild a worn hip without an operation.",
    "Hypnosis with Carla stops smoking within a single evening.",
)
RISK = "Some patients feel sore for a day."
FILLER = "The station was built in the year 1950."
SCRIPT = '<!doctype html><title>App</title><div id="root"></div><script src="/app.js"></script>'
FRENCH = "<!doctype html><title>Genou</title><p>" + "Nous soignons le genou avec la plus grande douceur. " * 8


def html(*paragraphs):
    body = "".join(f"<p>{text}</p>" for text in (FILLER, *paragraphs))
    return f"<!doctype html><html lang=en><title>Care</title><h1>Care</h1>{body}".encode()


def page(name, *paragraphs, site="https://clinic.example", date="2026-03-01T09:30:00Z", **how):
    body = how.pop("body", None) or html(*paragraphs)
    return record(answer(body, *how.pop("headers", ()), **how), address=f"{site}/{name}", date=date)


def moved(name, to, **how):
    return page(name, **how, body=b" ", headers=(f"Location: {to}",), status="301 Moved Permanently")


def refused(name, reason="robots", detail="", site="https://clinic.example"):
    block = json.dumps({"not_fetched": {"reason": reason, "detail": detail, "site": "clinic.example"}}).encode()
    head = (
        "WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Date: 2026-03-01T09:30:00Z\r\n"
        f"WARC-Target-URI: {site}/{name}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


class InProcess:
    """Does the tasks of a screening in this process: many small cases in little time."""

    def __init__(self, begin, *, on_part, on_done, **how):
        self.begin, self.on_part, self.on_done = begin, on_part, on_done

    def run(self, tasks, finished):
        work = self.begin.work(self.begin.screener())
        for task in tasks:
            work(task, Progress(finished.get(task.number)), Here(self.on_part))
            self.on_done(task)


@contextmanager
def in_process():
    screeners = {}

    def loaded(model=None, *, settings, **how):
        if settings not in screeners:
            screeners[settings] = load(model, settings=settings, **how)
        return screeners[settings]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "ProcessEngine", InProcess)
        patch.setattr(screening, "load", loaded)
        patch.setattr("mdclaims.cases.work.load", loaded)
        yield


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Return what makes a case of records."""
    folder = tmp_path_factory.mktemp("cases")
    count = 0

    def make(*records, listed="", **options):
        nonlocal count
        count += 1
        below = folder / str(count)
        below.mkdir()
        inputs = [below / "sites.warc.gz"]
        inputs[0].write_bytes(per_record(records))
        if listed:
            inputs.append(below / "sites.csv")
            inputs[1].write_text(listed, encoding="utf-8")
        screening.screen(
            [str(path) for path in inputs],
            below / "case",
            screening.ScreenOptions(settings=Settings(**{"mode": "screen", **options})),
        )
        return below / "case"

    with in_process():
        yield make


def compared(old, new, **options):
    """Return the comparison's sites, claims by quote, and notes."""
    look = LookOptions(folders=(old.parent, new.parent), workers=0)
    with compare(old, new, CompareOptions(look=look, **options)) as comparison:
        sites = {site.site: (site, list(claims)) for site, claims in comparison.claims()}
        return sites, {claim.quote: claim for _, claims in sites.values() for claim in claims}, comparison.notes


def results(old, new, **options):
    _, claims, _ = compared(old, new, **options)
    return {quote: claim.result for quote, claim in claims.items() if quote in CLAIMS or claim.now in CLAIMS}


def by_site(old, new):
    found, _, _ = compared(old, new)
    return {
        (site, claim.quote): claim.result
        for site, (_, claims) in found.items()
        for claim in claims
        if claim.quote in CLAIMS or claim.now in CLAIMS
    }


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://clinic.example/knee", "http://www.Clinic.example:80/knee/"),
        ("https://clinic.example", "https://clinic.example/#top"),
        ("https://clinic.example/?utm_source=a&page=2&gclid=b", "https://clinic.example/?page=2"),
    ],
)
def test_addresses_of_one_page(one, other):
    assert page_key(one) == page_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://clinic.example/knee", "https://clinic.example/Knee"),
        ("https://clinic.example/knee", "https://clinic.example/knee/index.html"),
        ("https://clinic.example/?a=1&b=2", "https://clinic.example/?b=2&a=1"),
        ("https://clinic.example/", "https://clinic.example:8443/"),
        ("https://clinic.example/#/knee", "https://clinic.example/#/hip"),
        ("https://shop.clinic.example/", "https://clinic.example/"),
        ("http://[", "http://[["),
    ],
)
def test_addresses_of_two_pages(one, other):
    assert page_key(one) != page_key(other)


# --- what became of a claim -----------------------------------------------------------------------------------------


def test_every_claim_of_the_tests_is_found(cases):
    case = cases(page("a", *CLAIMS))
    with connect(case) as connection:
        assert {row[0] for row in connection.execute("SELECT quote FROM findings").fetchall()} >= set(CLAIMS)


def test_a_case_does_not_differ_from_itself(cases):
    case = cases(page("a", CLAIMS[0]), page("b", CLAIMS[0], CLAIMS[1]), page("c", body=SCRIPT.encode()))
    sites, claims, _ = compared(case, case)
    assert {claim.result for claim in claims.values()} == {"still_there"}
    assert not any(site.differs for site, _ in sites.values())


def fates(site):
    """Return what a new case can have of a page and its site, and what that makes of the page's claims."""
    here = f"https://{site}"

    def at(make, *arguments, **how):
        return make(*arguments, site=here, **how)

    return {
        "read": ([at(page, "a")], "gone"),
        "404": ([at(page, "a", status="404 Not Found")], "gone"),
        "410": ([at(page, "a", status="410 Gone")], "gone"),
        "403": ([at(page, "a", status="403 Forbidden")], "cannot_tell"),
        "503": ([at(page, "a", status="503 Busy")], "cannot_tell"),
        "robots": ([at(refused, "a")], "cannot_tell"),
        "timeout": ([at(refused, "a", "timeout", "twice")], "cannot_tell"),
        "404-twice-told": (
            [at(page, "a", status="404 Not Found"), at(refused, "a", "http_error", "status 404")],
            "gone",
        ),
        "404-once-503-once": ([at(page, "a", status="404 Not Found"), at(page, "a", status="503 Busy")], "cannot_tell"),
        "script": ([at(page, "a", body=SCRIPT.encode())], "cannot_tell"),
        "french": ([at(page, "a", body=FRENCH.encode())], "cannot_tell"),
        "not-captured": ([at(page, "b")], "cannot_tell"),
        "another-page-failed": ([at(page, "a"), at(page, "b", status="500 Error")], "gone"),
        "redirect": ([at(moved, "a", f"{here}/b"), at(page, "b")], "gone"),
        "redirect-to-404": ([at(moved, "a", f"{here}/b"), at(page, "b", status="404 Not Found")], "gone"),
        "redirect-to-nothing": ([at(moved, "a", f"{here}/b")], "cannot_tell"),
        "redirect-twice": ([at(moved, "a", f"{here}/b"), at(moved, "b", f"{here}/c"), at(page, "c")], "gone"),
        "redirect-in-circles": ([at(moved, "a", f"{here}/b"), at(moved, "b", f"{here}/a")], "cannot_tell"),
        "redirect-to-itself": ([at(moved, "a", f"http://www.{site}/a/")], "cannot_tell"),
        "redirect-away": (
            [at(moved, "a", "https://other.example/b"), page("b", site="https://other.example")],
            "cannot_tell",
        ),
    }


def test_gone_needs_the_page_read_again_or_answered_with_404_or_410(cases):
    expected = {}
    old, new = [], []
    for n, kind in enumerate(fates("")):
        site = f"clinic{n}.example"
        records, result = fates(site)[kind]
        old.append(page("a", *CLAIMS, site=f"https://{site}"))
        new += [*records, page("z", site=f"https://{site}")]
        expected |= {(site, quote): (kind, result) for quote in CLAIMS}
    found = by_site(cases(*old), cases(*new))
    assert {key: (kind, found[key]) for key, (kind, _) in expected.items()} == expected


def test_the_reason_for_not_knowing_is_told(cases):
    old = cases(page("a", CLAIMS[0]))
    _, claims, _ = compared(old, cases(page("a", status="403 Forbidden")))
    assert claims[CLAIMS[0]].reasons() == ["answered with status 403"]
    _, claims, _ = compared(old, cases(page("b")))
    assert claims[CLAIMS[0]].reasons() == ["not captured"]


def test_the_same_page_under_another_address(cases):
    old = cases(page("a", CLAIMS[0], site="http://www.clinic.example"))
    new = cases(page("a/?utm_medium=mail", CLAIMS[0]))
    sites, claims, _ = compared(old, new)
    assert claims[CLAIMS[0]].result == "still_there"
    assert not sites["clinic.example"][0].differs


def test_moved_names_the_page(cases):
    old = cases(page("a", CLAIMS[0]), page("b"))
    _, claims, _ = compared(old, cases(page("a"), page("b", CLAIMS[0])))
    claim = claims[CLAIMS[0]]
    assert claim.result == "moved"
    assert [page.address for page in claim.pages if page.now] == ["https://clinic.example/b"]
    _, claims, _ = compared(old, cases(moved("a", "https://clinic.example/c"), page("c", CLAIMS[0]), page("b")))
    assert claims[CLAIMS[0]].result == "moved"
    # That it left its page is not known here.
    _, claims, _ = compared(old, cases(page("b", CLAIMS[0])))
    assert claims[CLAIMS[0]].result == "still_there"


def test_reworded_shows_the_words(cases):
    old = cases(page("a", CLAIMS[0], CLAIMS[1]))
    after = CLAIMS[0].replace("cures", "may help")
    sites, claims, _ = compared(old, cases(page("a", after, CLAIMS[1])))
    claim = claims[CLAIMS[0]]
    assert (claim.result, claim.now) == ("reworded", after)
    assert [(words.before, words.after) for words in claim.words] == [("cures", "may help")]
    assert sites["clinic.example"][0].counts["new"] == 0


def test_marks_case_and_white_space_are_no_change(cases):
    old = cases(page("a", "It’s a well\u2010known fact: our shockwave  therapy cures knee pain for good."))
    new = cases(page("a", "It's a well-known FACT: our shockwave therapy cures knee pain for good."))
    sites, _, _ = compared(old, new)
    assert not sites["clinic.example"][0].differs


def test_reworded_on_another_page_needs_both_pages_known(cases):
    after = CLAIMS[0].replace("three", "four")
    old = cases(page("a", CLAIMS[0]), page("b"))
    assert results(old, cases(page("a"), page("b", after)))[CLAIMS[0]] == "reworded"
    assert results(old, cases(page("b", after)))[CLAIMS[0]] == "cannot_tell"


def test_new_needs_the_page_read_before(cases):
    old = cases(page("a", CLAIMS[0]))
    new = cases(page("a", CLAIMS[0], CLAIMS[1]), page("b", CLAIMS[2]))
    sites, claims, _ = compared(old, new)
    assert claims[CLAIMS[1]].result == "new"
    assert (claims[CLAIMS[2]].result, claims[CLAIMS[2]].found_then) == ("cannot_tell", False)
    assert sites["clinic.example"][0].counts["new_cannot_tell"] >= 1
    assert sites["clinic.example"][0].verdict == "some remain"


def test_copies_are_one_claim_with_its_pages(cases):
    old = cases(page("a", CLAIMS[0]), page("b", CLAIMS[0]), page("c", CLAIMS[0]))
    sites, claims, _ = compared(old, cases(page("a", CLAIMS[0]), page("b")))
    claim = claims[CLAIMS[0]]
    assert (claim.result, claim.differs) == ("still_there", True)
    pages = [(page.address[-1], page.then, page.now) for page in claim.pages]
    assert pages == [("a", True, True), ("b", True, False), ("c", True, None)]
    assert sites["clinic.example"][0].counts["fewer_pages"] == 1


@pytest.mark.parametrize(("before", "after"), [((), (RISK,)), ((RISK,), ())])
def test_a_qualifier_added_or_removed_is_a_change(cases, before, after):
    sites, claims, _ = compared(cases(page("a", CLAIMS[0], *before)), cases(page("a", CLAIMS[0], *after)))
    change = claims[CLAIMS[0]].qualifiers[0]
    assert (change.before, change.after) == ((RISK, None) if before else (None, RISK))
    assert claims[CLAIMS[0]].result == "still_there"
    assert sites["clinic.example"][0].differs


def test_verdicts(cases):
    old = cases(page("a", CLAIMS[0]), page("b", CLAIMS[1]))
    for records, verdict in (
        ([page("a"), page("b", CLAIMS[1])], "some remain"),
        ([page("a"), page("b")], "all gone"),
        ([page("a")], "cannot tell"),
    ):
        sites, _, _ = compared(old, cases(*records))
        assert sites["clinic.example"][0].verdict == verdict


def test_a_site_that_a_list_renames_is_the_same(cases):
    old = cases(page("a", CLAIMS[0]), page("b"))
    new = cases(page("a"), page("b", CLAIMS[0]), listed="url,site\nhttps://clinic.example/,Knee Ltd\n")
    assert results(old, new) == {CLAIMS[0]: "moved"}


def test_files_of_two_folders_are_compared_by_their_place_below(cases, tmp_path):
    for name, text in (("may", CLAIMS[0]), ("june", CLAIMS[1])):
        (tmp_path / name / "clinic").mkdir(parents=True)
        (tmp_path / name / "clinic" / "a.html").write_bytes(html(text))
        options = screening.ScreenOptions(settings=Settings(mode="screen"))
        screening.screen([str(tmp_path / name)], tmp_path / f"{name}-case", options)
    look = LookOptions(folders=(tmp_path,), workers=0)
    with compare(tmp_path / "may-case", tmp_path / "june-case", CompareOptions(look=look)) as comparison:
        assert comparison.notes == comparison.notes[-1:]
        assert comparison.total()["gone"] == comparison.total()["new"] == 1


# --- other models, modes and rules ----------------------------------------------------------------------------------


def test_what_another_mode_or_label_does_not_find_is_still_there(cases):
    old = cases(page("a", CLAIMS[0], CLAIMS[3]))
    new = cases(page("a", CLAIMS[0], CLAIMS[3]), mode="edit", labels=("call_to_action",))
    sites, claims, notes = compared(old, new)
    assert {claim.result for claim in claims.values()} == {"still_there"}
    assert not any(claim.found_now for claim in claims.values() if claim.quote in CLAIMS)
    assert not sites["clinic.example"][0].differs
    assert "mode screen, now edit" in notes[0]
    _, claims, _ = compared(new, old)
    assert {claim.result for claim in claims.values()} == {"still_there"}


def test_what_the_tables_do_not_hold_is_looked_for_in_the_page(cases, monkeypatch, tmp_path):
    old = cases(page("a", CLAIMS[0]))
    with monkeypatch.context() as patch:
        patch.setattr(exhibits, "KEPT_SCORE", 2.0)
        new = cases(page("a", CLAIMS[0]), labels=("stigma_framing",))
    with connect(new) as connection:
        assert not connection.execute("SELECT * FROM sentences").fetchall()
    assert results(old, new) == {CLAIMS[0]: "still_there"}
    look = LookOptions(folders=(tmp_path,), workers=0)
    with compare(old, new, CompareOptions(look=look)) as comparison:
        assert "1 page of the new case could not be read again" in comparison.notes[1]


def test_another_model_and_a_page_that_cannot_be_read_is_not_enough(cases, tmp_path):
    old = cases(page("a", CLAIMS[0]))
    new = cases(page("a"))
    manifest = json.loads((new / "manifest.json").read_text())
    manifest["versions"]["model"]["sha256"] = "0" * 64
    (new / "manifest.json").write_text(json.dumps(manifest))
    assert results(old, new) == {CLAIMS[0]: "gone"}  # its input is there
    look = LookOptions(folders=(tmp_path,), workers=0)
    with compare(old, new, CompareOptions(look=look)) as comparison:
        assert "model" in comparison.notes[0]
        assert comparison.total()["gone"] == 0
        assert comparison.total()["cannot_tell"] >= 1


# --- properties -----------------------------------------------------------------------------------------------------

pages_of_a_site = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.sampled_from(CLAIMS[:4]), max_size=3, unique=True), min_size=1
)
# Many sites in one case: a screening costs more than a site.
many_sites = st.lists(pages_of_a_site, min_size=12, max_size=12)


def records_of(sites):
    return [
        page(name, *texts, site=f"https://clinic{n}.example")
        for n, pages in enumerate(sites)
        for name, texts in sorted(pages.items())
    ]


@settings(max_examples=4)
@given(many_sites)
def test_property_a_case_does_not_differ_from_itself(cases, sites):
    case = cases(*records_of(sites))
    found, _, _ = compared(case, case)
    assert {claim.result for _, claims in found.values() for claim in claims} <= {"still_there"}
    assert not any(site.differs for site, _ in found.values())


@settings(max_examples=5)
@given(many_sites, many_sites)
def test_property_swapping_turns_new_into_gone(cases, before, after):
    old, new = cases(*records_of(before)), cases(*records_of(after))
    there, back = by_site(old, new), by_site(new, old)
    turned = {"new": "gone", "gone": "new"}
    expected = {key: turned[result] for key, result in there.items() if result in turned}
    assert {key: result for key, result in back.items() if result in turned} == expected


@settings(max_examples=5)
@given(many_sites, st.data())
def test_property_what_moves_is_not_gone(cases, before, data):
    after = []
    for pages in before:
        source, target = data.draw(st.sampled_from(sorted(pages))), data.draw(st.sampled_from("abcd"))
        changed = {**pages, source: []}
        after.append({**changed, target: list(dict.fromkeys([*changed.get(target, []), *pages[source]]))})
    found = by_site(cases(*records_of(before)), cases(*records_of(after)))
    assert set(found.values()) <= {"still_there", "moved"}
    assert {quote for _, quote in found} == {text for pages in before for texts in pages.values() for text in texts}


@settings(max_examples=5)
@given(many_sites, st.data())
def test_property_a_page_that_is_not_captured_makes_nothing_gone(cases, before, data):
    missing = [data.draw(st.sampled_from(sorted(pages))) for pages in before]
    after = [
        {**{name: texts for name, texts in pages.items() if name != gone}, "z": []}
        for pages, gone in zip(before, missing, strict=True)
    ]
    found = by_site(cases(*records_of(before)), cases(*records_of(after)))
    assert set(found.values()) <= {"still_there", "cannot_tell"}


# --- undertakings ---------------------------------------------------------------------------------------------------


def uphold(case, quote, decision="upheld", time_of_day=""):
    with connect(case) as connection:
        rows = connection.execute(
            "SELECT exhibit, site, address, label, fingerprint, quote FROM findings WHERE quote = ?", [quote]
        ).fetchall()
    covers = tuple(Covered(row[0], row[1], row[2], row[3], None, row[4], row[5]) for row in rows)
    append(case, [Draft("A. Reviewer", decision, covers, provision="UK-CAP-12.1")])


def test_upheld_compares_only_what_was_upheld(cases):
    old = cases(page("a", *CLAIMS[:4]), page("b", CLAIMS[0]))
    uphold(old, CLAIMS[0])
    uphold(old, CLAIMS[1])
    uphold(old, CLAIMS[2])
    uphold(old, CLAIMS[2], "dismissed")
    new = cases(page("a", CLAIMS[0], date="2026-09-01T09:30:00Z"), page("b"), page("c", CLAIMS[5]))
    _, claims, _ = compared(old, new, upheld=True)
    assert {quote: claim.result for quote, claim in claims.items()} == {CLAIMS[0]: "still_there", CLAIMS[1]: "gone"}
    assert claims[CLAIMS[0]].ruling.reviewer == "A. Reviewer"
    with compare(old, new, CompareOptions(upheld=True, look=LookOptions(workers=0))) as comparison:
        text = "".join(compare_text(comparison))
        html_text = compare_html(comparison)
    assert "evidence: https://clinic.example/a, captured 2026-09-01T09:30:00Z" in text
    assert "by A. Reviewer, UK-CAP-12.1" in text
    table = LexborHTMLParser(html_text).css("table.undertaking tbody tr")
    assert len(table) == 2


def test_upheld_without_a_decision_has_nothing_to_compare(cases):
    case = cases(page("a", CLAIMS[0]))
    with compare(case, case, CompareOptions(upheld=True, look=LookOptions(workers=0))) as comparison:
        assert "".join(compare_text(comparison)).startswith("No upheld claims to compare.")


# --- formats --------------------------------------------------------------------------------------------------------


def test_page_text_never_becomes_markup_or_control(cases):
    hostile = "Our shockwave therapy cures &lt;script&gt;alert(1)&lt;/script&gt; knee pain \u202efor good."
    old = cases(page("a?x=<b>", hostile, CLAIMS[1]))
    new = cases(page("a?x=<b>", hostile.replace("knee", "hip and knee")))
    with compare(old, new, CompareOptions(look=LookOptions(workers=0))) as comparison:
        text, page_html = "".join(compare_text(comparison)), compare_html(comparison)
    tree = LexborHTMLParser(page_html)
    assert not tree.css("script")
    assert not tree.css("b:not(.what b)")
    assert "<script>alert" not in page_html
    assert "\u202e" not in text + page_html
    assert "script" in text


def test_the_html_file_allows_its_own_style_and_nothing_else(cases):
    case = cases(page("a", CLAIMS[0]))
    with compare(case, cases(page("a")), CompareOptions(look=LookOptions(workers=0))) as comparison:
        page_html = compare_html(comparison)
    import base64
    import hashlib

    style = re.search(r"<style>(.*?)</style>", page_html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src &#39;sha256-{digest}&#39;" in page_html or f"style-src 'sha256-{digest}'" in page_html
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", page_html)


def test_json_holds_every_claim(cases):
    old, new = cases(page("a", *CLAIMS)), cases(page("a", *CLAIMS[:2]))
    with compare(old, new, CompareOptions(look=LookOptions(workers=0))) as comparison:
        content = json.loads("".join(compare_json(comparison)))
        total = comparison.total()
    assert content["counts"]["gone"] == total["gone"] == 4
    quotes = {claim["quote"] for site in content["sites"] for claim in site["claims"]}
    assert quotes >= set(CLAIMS)
    with connect(old) as connection:
        ids = {row[0] for row in connection.execute("SELECT exhibit FROM findings").fetchall()}
    told = {exhibit for site in content["sites"] for claim in site["claims"] for exhibit in claim["exhibits_then"]}
    assert told == ids


# --- the command ----------------------------------------------------------------------------------------------------


def test_exit_codes_and_one_line_for_what_is_wrong(cases, tmp_path, capsys):
    old, new = cases(page("a", *CLAIMS)), cases(page("a"))
    inputs = [f"--inputs={old.parent}", f"--inputs={new.parent}", "--workers", "1"]
    assert run(["compare", str(old), str(old)]) == 0
    assert run(["compare", str(old), str(new), *inputs]) == 1
    out = capsys.readouterr().out
    assert "clinic.example: all gone" in out
    assert run(["compare", str(old), str(new), "--site", "nobody.example"]) == 2
    assert run(["compare", str(old), str(tmp_path / "none")]) == 3
    damaged = next((new / "findings").glob("*.parquet"))
    damaged.write_bytes(b"PAR1")
    assert run(["compare", str(old), str(new)]) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 3
    assert all(line.startswith("mdclaims: ") for line in lines)


def test_one_site_alone(cases):
    old = cases(page("a", CLAIMS[0]), page("a", CLAIMS[1], site="https://other.example"))
    new = cases(page("a"), page("a", site="https://other.example"))
    found, claims, _ = compared(old, new, site="other.example")
    assert set(found) == {"other.example"}
    assert claims[CLAIMS[1]].result == "gone"


def test_nothing_is_left_behind(cases, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    case = cases(page("a", CLAIMS[0]))
    compared(case, case)
    assert not list(Path(tmp_path).iterdir())
