"""`mdclaims export --letter`: what was upheld and holds, each claim once; and a page's text is text in Word."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from datetime import UTC, date, datetime
from html import escape

import pyarrow as pa
import pyarrow.parquet as pq
import pypdfium2
import pytest
from archives import answer, per_record, record
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Pt
from helpers import run_cli, run_python
from hypothesis import given
from hypothesis import strategies as st
from test_verify import mend, rewrite

from mdclaims.cases.campaign import read_campaign
from mdclaims.cases.casefile import open_case
from mdclaims.cases.decisions import Covered, Draft, append
from mdclaims.cases.letter import write_letter
from mdclaims.cases.letter_content import BrokenCaseError, LetterOptions, visited
from mdclaims.cases.letter_word import BY_HAND, DRAFT_MARK, NO_QUALIFIER, day_words, default_template, plain
from mdclaims.cases.screen import ScreenOptions, screen
from mdclaims.cli import run
from mdclaims.config import Settings
from mdclaims.errors import ReadError, UsageError

pytestmark = pytest.mark.e2e

DAY = date(2026, 11, 23)
READ, UNREAD = "UK-CAP-12.1", "UK-CAP-12.9"
CURE = "Our shockwave therapy cures knee pain for good."
SAFE = "The therapy is completely safe and has no side effects."
RISK = "Some patients feel sore for a day."
HOSTILE = (
    "Our therapy cures \u202eevery\u202c knee: <w:br/> </w:t> & {{site}} {{exhibits}} "
    '{ HYPERLINK "https://e.example" } '
    "«Field» =1+1 \U0001f600\u200e שלום \ufffe and " + "x" * 400 + " within a week."
)
PAGE = (
    "<!doctype html><html lang=en><title>{title}</title><h1>Knee pain</h1><h2>Therapy</h2><p>{text}</p>"
    "<h2>Visits</h2><p>We are open from Monday to Friday, and the house is easy to find by bus and by train.</p>"
)
PAGES = {
    "https://knee.example/a": ("Care for knees", f"{CURE} {SAFE} {RISK}", "2026-07-01T09:30:00Z"),
    "https://knee.example/b": ("Care in the north", f"{CURE} {SAFE}", "2026-07-01T09:31:00Z"),
    "https://knee.example/c": ("<i>Evil</i> & \u202e", escape(HOSTILE), "2026-07-01T09:32:00Z"),
    "https://other.example/": ("Other", CURE, "2026-07-01T09:33:00Z"),
}
STIGMA = "Addicts and junkies are weak people who only have themselves to blame."


def page(address, title, text, time):
    title = title if "<" not in title else escape(title)
    return record(answer(PAGE.format(title=title, text=text).encode()), address=address, date=time)


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """A folder with archive, files and their case, nothing decided yet."""
    folder = tmp_path_factory.mktemp("letter")
    records = [page(address, *rest) for address, rest in PAGES.items()]
    records.append(record(answer(b"<p>gone", status="404 Not Found"), address="https://knee.example/gone"))
    (folder / "sites.warc.gz").write_bytes(per_record(records))
    drafts = folder / "drafts" / "north"
    drafts.mkdir(parents=True)
    (drafts / "one.html").write_text(PAGE.format(title="File", text=f"{CURE} {STIGMA}"), encoding="utf-8")
    names = [str(folder / "sites.warc.gz"), str(folder / "drafts")]
    screen(names, folder / "case", ScreenOptions(settings=Settings(mode="screen", jurisdictions=("uk",))))
    return folder


@pytest.fixture
def copy(screened, tmp_path):
    """A copy of all that, to be decided about and changed."""
    return shutil.copytree(screened, tmp_path / "copy")


def found(case, where, *values):
    """Return what decisions need of findings."""
    with open_case(case) as opened:
        rows = opened.connection.execute(
            "SELECT exhibit, site, coalesce(address, file), label, fingerprint, quote FROM findings "
            f"WHERE {where} ORDER BY address, sentence, label",
            list(values),
        ).fetchall()
    assert rows, (where, values)
    return [Covered(key, site, address, label, None, mark, quote) for key, site, address, label, mark, quote in rows]


def uphold(case, where, *values, provision=READ, reviewer="Ada Byron", decision="upheld"):
    covers = found(case, where, *values)
    append(case, [Draft(reviewer, decision, tuple(covers), "a private note", provision)])
    return covers


def write(folder, site="knee.example", name="letter.docx", **options):
    """Write a letter; return it read back, and the result."""
    options.setdefault("day", DAY)
    options.setdefault("folders", (folder,))
    output = folder / name
    result = write_letter(folder / "case", output, LetterOptions(site=site, **options))
    return Document(output), result


def exhibits(document):
    """Return each exhibit as a dictionary of its rows."""
    tables = [{row.cells[0].text: row.cells[1].text for row in table.rows} for table in document.tables]
    return [rows for rows in tables if "Statement" in rows]


def whole_text(document):
    return "\n".join("".join(text.text or "" for text in p.iter(qn("w:t"))) for p in document.element.iter(qn("w:p")))


def body_text(document):
    """Return what stands before the schedules."""
    return whole_text(document).partition("Schedule 1:")[0]


def main_xml(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pdf_pages(path):
    """Return the text of each page, as LibreOffice shows a letter."""
    if shutil.which("soffice") is None:
        pytest.skip("needs LibreOffice")
    profile = f"-env:UserInstallation={(path.parent / 'office').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", "pdf", "--outdir", str(path.parent), str(path)]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    with pypdfium2.PdfDocument(path.with_suffix(".pdf")) as pdf:
        return [sheet.get_textpage().get_text_bounded().replace("\r", "") for sheet in pdf]


# --- what stands in it --------------------------------------------------------------------------------------------


def test_a_letter_has_each_upheld_claim_once_with_its_evidence(copy):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", SAFE)
    document, result = write(copy, timezone="Europe/London")
    assert (result.exhibits, result.left_out, result.notes) == (2, (), ())
    assert "[Name of the addressee]\n[Address of the addressee]" in [p.text for p in document.paragraphs]
    first, second = exhibits(document)
    assert first == {
        "Page": "https://knee.example/a",
        "Page title": "Care for knees",
        "Section": "Knee pain › Therapy",
        "Last visited": "2026-07-01 09:30:00 UTC; local time 2026-07-01 10:30:00 (Europe/London, UTC+01:00)",
        "Where it stands": "paragraph, main text",
        "Sentence before": "Therapy",
        "Statement": CURE,
        "Sentence after": SAFE,
        "Nearest risk, limit or source": f"{RISK}\n(a risk, 2 sentences away)",
        "Other pages that carry it": "https://knee.example/b\nSection: Knee pain › Therapy. Last visited: 2026-07-01 "
        f"09:31:00 UTC\nNearest risk, limit or source there: {NO_QUALIFIER}",
        "Possible provision": "CAP Code 12.1\nhttps://www.asa.org.uk/type/capcode/code_rule/12.11.html\n"
        "read there on 31 October 2026",
    }
    assert second["Statement"] == SAFE
    assert second["Other pages that carry it"] == "none among those that were reviewed"
    headings = [p.text for p in document.paragraphs if p.style.name == "Exhibit Heading"][:2]
    assert headings == ["Exhibit 1", "Exhibit 2"]


def test_a_letter_has_nothing_but_what_was_upheld(copy):
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", SAFE, decision="dismissed")
    document, _ = write(copy)
    (only,) = exhibits(document)
    assert only["Statement"] == CURE
    assert "https://knee.example/b" not in body_text(document)
    assert "other.example" not in whole_text(document)


def test_the_body_tells_no_score_label_model_or_reason_and_accuses_nobody(copy):
    uphold(copy / "case", "site = 'knee.example' AND kind = 'paragraph' AND label <> 'stigma_framing'")
    document, _ = write(copy)
    body = body_text(document).lower()
    for word in ("score", "efficacy", "safety_claim", "en_claims", "says it works", "priority", "a private note"):
        assert word not in body, word
    assert "breach" not in whole_text(document).lower()
    assert "possible" in body


def test_an_unverified_provision_is_never_printed(copy):
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", SAFE, provision=UNREAD)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE, provision=None)
    uphold(copy / "case", "address = 'https://knee.example/b' AND quote = ?", SAFE, provision="UK-NONE-1")
    document, result = write(copy)
    assert [rows["Possible provision"] for rows in exhibits(document)] == [BY_HAND] * 2
    assert "12.9" not in whole_text(document)
    assert len(result.notes) == 3
    assert any(f"exhibit 2: provision {UNREAD} (CAP Code 12.9) was not read at its source" in n for n in result.notes)
    assert any("UK-NONE-1 is none of this version's rules" in note for note in result.notes)
    assert "no provision was chosen, add it by hand: exhibit 1" in result.notes


def test_a_provision_that_was_read_long_ago_is_told(copy):
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    document, result = write(copy, day=date(2028, 1, 1))
    assert "CAP Code 12.1" in body_text(document)
    assert "over a year ago" in result.notes[0]


def test_a_taken_back_or_disputed_decision_is_in_no_letter(copy):
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE, decision="open")
    with pytest.raises(UsageError, match="no upheld finding; decide first"):
        write(copy)
    (first, *_) = uphold(copy / "case", "address = 'https://knee.example/b' AND quote = ?", SAFE)
    uphold(
        copy / "case", "address = 'https://knee.example/b' AND quote = ?", SAFE, decision="dismissed", reviewer="Bea"
    )
    with pytest.raises(UsageError, match=f"reviewers differ on all .*{first.exhibit}"):
        write(copy)
    uphold(copy / "case", "address = 'https://knee.example/b' AND quote = ?", CURE)
    document, result = write(copy)
    assert [rows["Statement"] for rows in exhibits(document)] == [CURE]
    assert any("reviewers differ" in note and first.exhibit in note for note in result.notes)


def test_wording_on_people_needs_a_campaign_that_asks_for_it(copy, tmp_path):
    uphold(copy / "case", "label = 'stigma_framing' AND quote = ?", STIGMA)
    with pytest.raises(UsageError, match="wording on people"):
        write(copy, site="north")
    campaign = tmp_path / "people.toml"
    campaign.write_text("[labels]\nstigma_framing = 1\n", encoding="utf-8")
    document, _ = write(copy, site="north", campaign=read_campaign(str(campaign)))
    (only,) = exhibits(document)
    assert only["Statement"] == STIGMA
    assert only["Page"] == "north/one.html"
    assert only["Last visited"] == "not known: the page came as a file"


def test_a_draft_takes_open_high_findings_and_says_so_on_every_page(copy):
    case = copy / "case"
    high = found(case, "site = 'knee.example' AND priority = 'high' AND label <> 'stigma_framing'")
    uphold(case, "address = 'https://knee.example/a' AND quote = ?", RISK)
    document, _ = write(copy, draft=True)
    told = {rows["Statement"]: rows["Review"] for rows in exhibits(document)}
    assert len(high) == 2
    assert told == {RISK: "upheld by Ada Byron"} | {exhibit.quote: "not reviewed on 1 page" for exhibit in high}
    assert "marked by the program alone" in whole_text(document)
    marks = [p for section in document.sections for p in section.header.paragraphs if p.text == DRAFT_MARK]
    assert len(marks) == 1
    plain_letter, _ = write(copy, name="plain.docx")
    assert not any(p.text == DRAFT_MARK for section in plain_letter.sections for p in section.header.paragraphs)
    assert [rows["Statement"] for rows in exhibits(plain_letter)] == [RISK]
    uphold(case, "site = 'other.example' AND quote = ?", CURE, decision="dismissed")
    with pytest.raises(UsageError, match="no upheld and no open high finding"):
        write(copy, site="other.example", name="none.docx", draft=True)


def test_schedules_tell_method_reading_and_hashes(copy):
    covers = uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    document, _ = write(copy)
    text = whole_text(document)
    schedules = text.partition("Schedule 1:")[2]
    with open_case(copy / "case") as opened:
        manifest = opened.manifest
        rows = opened.connection.execute(
            "SELECT sha256, file, \"offset\", evidence_offset FROM pages WHERE address LIKE 'https://knee.example/_'"
            " AND address <> 'https://knee.example/c'"
        ).fetchall()
    assert manifest.sha256 in schedules
    assert manifest.content["versions"]["model"]["sha256"] in schedules
    assert "Ada Byron: 1 exhibit, decided" in schedules
    assert "Says it works" in schedules
    assert "https://knee.example/gone" in schedules
    assert "answered with an error" in schedules
    for entry in covers:
        assert f"1: {entry.exhibit}" in schedules
    for digest, file, offset, evidence in rows:
        assert digest in schedules
        assert manifest.files["evidence.warc.gz"] in schedules
        assert f"{offset:,}" in schedules
        assert f"{evidence:,}" in schedules
        assert file in schedules


def test_the_accuracy_of_another_model_is_not_told_as_ours(copy):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    manifest = (copy / "case" / "manifest.json").read_text(encoding="utf-8")
    digest = re.search(r'"sha256": "(2[0-9a-f]{63})"', manifest) or re.search(
        r'"model": \{[^}]*"sha256": "([0-9a-f]{64})"', manifest
    )
    for name in ("manifest.json", "journal.jsonl"):
        path = copy / "case" / name
        path.write_text(path.read_text(encoding="utf-8").replace(digest[1], "0" * 64), encoding="utf-8", newline="")
    document, _ = write(copy)
    assert "Not known here: the case was read with another model" in whole_text(document)


def test_a_page_that_was_read_again_without_the_words_is_told(tmp_path):
    address = "https://knee.example/a"
    old = page(address, "Care", f"{CURE} {SAFE}", "2026-07-01T09:30:00Z")
    new = page(address, "Care", SAFE, "2026-08-01T09:30:00Z")
    (tmp_path / "sites.warc.gz").write_bytes(per_record([old, new]))
    screen([str(tmp_path / "sites.warc.gz")], tmp_path / "case", ScreenOptions(settings=Settings(mode="screen")))
    uphold(tmp_path / "case", "quote IN (?, ?)", CURE, SAFE)
    document, result = write(tmp_path)
    by_quote = {rows["Statement"]: rows for rows in exhibits(document)}
    assert "2026-08-01 09:30:00 UTC" in by_quote[CURE]["Read again"]
    assert by_quote[SAFE]["Last visited"].startswith("2026-08-01")
    assert "Read again" not in by_quote[SAFE]
    assert any("was read again on 2026-08-01 without these words" in note for note in result.notes)


def test_the_addressee_is_whom_the_site_names(tmp_path):
    contact = (
        "<!doctype html><html lang=en><title>Contact | Hill Knee Clinic</title><h1>Contact</h1>"
        "<p>We are open from Monday to Friday, and the house is easy to find by bus and by train.</p>"
        "<footer><p>12 High Street, Leeds LS1 4DY</p><p>desk@hillknee.co.uk</p></footer>"
    )
    address = "https://knee.example/contact"
    records = [
        page("https://knee.example/a", "Care | Hill Knee Clinic", CURE, "2026-07-01T09:30:00Z"),
        record(answer(contact.encode()), address=address, date="2026-07-01T09:31:00Z"),
    ]
    (tmp_path / "sites.warc.gz").write_bytes(per_record(records))
    screen([str(tmp_path / "sites.warc.gz")], tmp_path / "case", ScreenOptions(settings=Settings(mode="screen")))
    uphold(tmp_path / "case", "quote = ?", CURE)
    document, result = write(tmp_path)
    expected = "Hill Knee Clinic\n12 High Street, Leeds LS1 4DY\ndesk@hillknee.co.uk"
    assert document.paragraphs[2].text == expected
    assert any("the addressee was read from" in note and address in note for note in result.notes)


# --- what holds ---------------------------------------------------------------------------------------------------


def change_quote(case, old, new):
    """Change a quote in the tables and mend all hashes, as a forger would."""

    def change(rows):
        for row in rows:
            if row["quote"] == old:
                row["quote"] = new

    for path in (case / "findings").glob("*.parquet"):
        rewrite(path, change)
    mend(case)


def test_what_does_not_hold_is_left_out_and_named(copy):
    case = copy / "case"
    uphold(case, "site = 'knee.example' AND quote IN (?, ?)", CURE, RISK)
    change_quote(case, RISK, "All patients suffer.")
    document, result = write(copy)
    assert [rows["Statement"] for rows in exhibits(document)] == [CURE]
    assert result.left_out
    assert all("https://knee.example/a" in line and "its quote is" in line for line in result.left_out)
    text = whole_text(document)
    assert "Left out of this letter" in text
    assert "All patients suffer" not in body_text(document)
    change_quote(case, CURE, "It never works.")
    with pytest.raises(BrokenCaseError, match=r"none of the exhibits of knee\.example holds"):
        write(copy, name="other.docx")
    assert not (copy / "other.docx").exists()


def test_a_row_of_another_part_brings_nothing_into_a_letter(copy):
    """A finding that was put into the tables of another task is not among those that were verified."""
    case = copy / "case"
    uphold(case, "address = 'https://knee.example/a' AND quote = ?", CURE)
    paths = sorted((case / "findings").glob("*.parquet"))
    assert len(paths) > 1
    row = next(row for row in pq.read_table(paths[0]).to_pylist() if row["quote"] == CURE)
    forged = {**row, "quote": "It never works.", "fingerprint": "f" * 16}
    table = pq.read_table(paths[-1])
    merged = pa.Table.from_pylist([*table.to_pylist(), forged], schema=table.schema)
    pq.write_table(merged, paths[-1])
    mend(case)
    uphold(case, "fingerprint = ?", "f" * 16)
    document, result = write(copy)
    assert [rows["Statement"] for rows in exhibits(document)] == [CURE]
    assert "It never works" not in body_text(document)
    assert "it was not found again" in result.left_out[0]


def test_no_letter_rests_on_a_case_that_was_changed(copy):
    case = copy / "case"
    uphold(case, "address = 'https://knee.example/a' AND quote = ?", CURE)
    with pytest.raises(BrokenCaseError, match=r"manifest\.json: its SHA-256 is"):
        write(copy, digest="0" * 64)
    for path in (case / "findings").glob("*.parquet"):
        rewrite(path, lambda rows: [{**row, "score": 0.5} for row in rows])
    with pytest.raises(BrokenCaseError, match=r"findings/.*was changed.*see mdclaims verify"):
        write(copy)


def test_a_file_that_is_not_there_cannot_be_checked_and_is_left_out(copy, tmp_path):
    uphold(copy / "case", "site = 'north' AND quote = ?", CURE)
    with pytest.raises(BrokenCaseError, match="name its folder with --inputs"):
        write(copy, site="north", folders=(tmp_path / "elsewhere",))


# --- text of pages is text ----------------------------------------------------------------------------------------


def test_text_of_a_page_becomes_no_markup_field_link_or_macro(copy):
    uphold(copy / "case", "address = 'https://knee.example/c' AND kind = 'paragraph' AND quote LIKE 'Our therapy%'")
    document, _ = write(copy)
    quoted = exhibits(document)[0]
    assert quoted["Statement"].startswith(
        "Our therapy cures \ufffdevery\ufffd knee: <w:br/> </w:t> & {{site}} {{exhibits}}"
    )
    assert quoted["Statement"].endswith(f"{'x' * 400} within a week.")
    assert "\u202e" not in quoted["Page title"]
    files = main_xml(copy / "letter.docx")
    for name, data in files.items():
        assert b'TargetMode="External"' not in data, name
        assert b"relationships/hyperlink" not in data, name
        assert name.endswith((".xml", ".rels")), name
    elements = {element.tag.rpartition("}")[2] for element in document.element.iter()}
    assert elements.isdisjoint({"hyperlink", "fldSimple", "fldChar", "instrText", "object", "altChunk", "subDoc"})
    assert set(re.findall(r'w:instr="([^"]*)"', files["word/footer1.xml"].decode())) == {"PAGE", "NUMPAGES"}


@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_stands_in_a_word_file_and_is_read_back(text):
    document = default_template()
    document.add_paragraph(plain(text))
    stream = io.BytesIO()
    document.save(stream)
    kept = Document(io.BytesIO(stream.getvalue())).paragraphs[-1].text
    assert kept == plain(text)
    assert plain(kept) == kept
    assert not set(kept) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\x0b\ufffe\uffff")


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_of_a_visit_is_told_in_utc(time):
    from zoneinfo import ZoneInfo

    assert f"{time:%Y-%m-%d %H:%M:%S} UTC" in visited(time, ZoneInfo("Pacific/Auckland"))


def test_times_are_told_in_local_time_too():
    from zoneinfo import ZoneInfo

    time = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    expected = "2026-01-31 23:30:00 UTC; local time 2026-02-01 05:00:00 (Asia/Kolkata, UTC+05:30)"
    assert visited(time, ZoneInfo("Asia/Kolkata")) == expected
    assert day_words(date(2026, 2, 1)) == "1 February 2026"


# --- templates ----------------------------------------------------------------------------------------------------


def template(folder, *paragraphs, name="mine.docx", change=None):
    document = Document()
    for text in paragraphs:
        document.add_paragraph(text)
    if change is not None:
        change(document)
    document.save(folder / name)
    return folder / name


def test_a_template_keeps_its_styles_and_words_and_gets_the_exhibits(copy):
    def change(document):
        style = document.styles.add_style("Exhibit Quote", 1)
        style.font.size = Pt(23)
        divided = document.add_paragraph("Dear ")
        for piece in ("{{", "addr", "essee}", "}, on ", "{{date}}"):
            divided.add_run(piece).bold = True
        document.add_table(1, 1).cell(0, 0).text = "About {{ site }}"
        document.sections[0].footer.paragraphs[0].text = "File of {{site}}"

    path = template(copy, "Board of Knees", "{{exhibits}}", "Yours", "{{schedules}}", change=change)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    document, _ = write(copy, template=path)
    texts = [p.text for p in document.paragraphs]
    assert texts[0] == "Board of Knees"
    assert texts.index("Exhibit 1") < texts.index("Yours") < texts.index(next(t for t in texts if "Schedule 1" in t))
    assert "Dear [Name of the addressee]\n[Address of the addressee], on 23 November 2026" in texts
    assert document.styles["Exhibit Quote"].font.size == Pt(23)
    assert "About knee.example" in whole_text(document)
    assert document.sections[0].footer.paragraphs[0].text == "File of knee.example"
    assert "{{" not in whole_text(document)


@pytest.mark.parametrize(
    ("paragraphs", "said"),
    [
        (("{{exhibits}}",), r"needs \{\{schedules\}\} once"),
        (("{{exhibits}}", "{{exhibits}}", "{{schedules}}"), "it has 2"),
        (("See {{exhibits}}", "{{schedules}}"), r"needs \{\{exhibits\}\} once, alone"),
        (("{{exhibits}}", "{{schedules}}", "{{sit}}"), r"unknown placeholder \{\{sit\}\}; known are"),
    ],
)
def test_a_template_with_wrong_placeholders_is_refused(copy, paragraphs, said):
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    with pytest.raises(UsageError, match=said):
        write(copy, template=template(copy, *paragraphs))


def test_a_file_that_is_no_template_is_refused(copy):
    for name, data in (("a.docx", b"no zip"), ("b.docx", b"")):
        (copy / name).write_bytes(data)
        with pytest.raises(UsageError, match="is no Word file that can be used"):
            write(copy, template=copy / name)
    with zipfile.ZipFile(copy / "c.docx", "w") as archive:
        archive.writestr("a.xml", "<a/>")
    with pytest.raises(UsageError, match="is no Word file that can be used"):
        write(copy, template=copy / "c.docx")
    with pytest.raises(UsageError, match="cannot be read"):
        write(copy, template=copy / "none.docx")


def test_every_page_of_a_template_with_several_headers_is_marked(copy):
    def change(document):
        document.settings.odd_and_even_pages_header_footer = True
        document.add_section()
        document.add_section()
        first, second, _ = document.sections
        first.different_first_page_header_footer = True
        first.header.paragraphs[0].text = "Board of Knees"
        second.header.is_linked_to_previous = False
        second.header.paragraphs[0].text = "Appendix"

    path = template(copy, "{{exhibits}}", "{{schedules}}", change=change)
    uphold(copy / "case", "address = 'https://knee.example/a' AND quote = ?", CURE)
    document, _ = write(copy, template=path, draft=True)
    first, second, third = document.sections
    for header in (first.header, first.first_page_header, first.even_page_header, second.header):
        assert [p.text for p in header.paragraphs].count(DRAFT_MARK) == 1
    assert third.header.is_linked_to_previous
    assert "Board of Knees" in [p.text for p in first.header.paragraphs]


# --- the file -----------------------------------------------------------------------------------------------------


def test_the_builtin_template_can_be_written_and_used(copy):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    (copy / "template.docx").write_bytes(run_python("-m", "mdclaims.cases.letter_word").stdout)
    own, _ = write(copy, template=copy / "template.docx")
    built_in, _ = write(copy, name="other.docx")
    assert whole_text(own) == whole_text(built_in)


def test_a_very_long_statement_is_on_the_pages_whole(tmp_path):
    days = ", ".join(f"and the pain is gone on day {number}" for number in range(200))
    long = f"Our therapy cures knee pain for good, {days} of every week."
    record_ = page("https://knee.example/a", "Care", long, "2026-07-01T09:30:00Z")
    (tmp_path / "sites.warc.gz").write_bytes(per_record([record_]))
    screen([str(tmp_path / "sites.warc.gz")], tmp_path / "case", ScreenOptions(settings=Settings(mode="screen")))
    covers = uphold(tmp_path / "case", "quote LIKE '%day 199%'")
    document, _ = write(tmp_path)
    statement = exhibits(document)[0]["Statement"]
    assert statement == covers[0].quote
    assert len(statement) > 5_000
    assert set(statement.split()) <= set("\n".join(pdf_pages(tmp_path / "letter.docx")).split())


def test_the_same_case_and_decisions_give_the_same_bytes(copy):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    path = template(copy, "{{exhibits}}", "{{schedules}}")
    for given_template in (None, path):
        one, two, later = (f"{given_template is None}{name}.docx" for name in ("1", "2", "3"))
        write(copy, name=one, template=given_template)
        write(copy, name=two, template=given_template)
        write(copy, name=later, template=given_template, day=date(2026, 11, 24))
        assert (copy / one).read_bytes() == (copy / two).read_bytes()
        assert (copy / one).read_bytes() != (copy / later).read_bytes()


def test_a_file_that_exists_is_left_alone(copy):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE)
    (copy / "letter.docx").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists, and may hold your own changes"):
        write(copy)
    assert (copy / "letter.docx").read_bytes() == b"mine"
    with pytest.raises(UsageError, match="cannot be written"):
        write(copy, name="letter.docx/below.docx")


def test_wrong_use_is_told_in_a_line(copy, tmp_path):
    with pytest.raises(UsageError, match=r"has no site 'knee\.exmple'; did you mean knee\.example"):
        write(copy, site="knee.exmple")
    with pytest.raises(UsageError, match="--timezone 'Europe/Nowhere' is not known"):
        write(copy, timezone="Europe/Nowhere")
    with pytest.raises(UsageError, match="--timezone"):
        write(copy, timezone="../../etc/passwd")
    with pytest.raises(ReadError, match="is no folder"):
        write_letter(tmp_path / "none", tmp_path / "a.docx", LetterOptions("a", DAY))


def test_the_command_writes_a_letter_and_says_what_is_left_to_do(copy, capsys):
    uphold(copy / "case", "site = 'knee.example' AND quote = ?", CURE, provision=None)
    arguments = ["export", str(copy / "case"), "-o", str(copy / "letter.docx")]
    assert run([*arguments, "--letter", "knee.example", "--date", "2026-11-23", "--timezone", "UTC"]) == 0
    told = capsys.readouterr().err
    assert "no provision was chosen, add it by hand: exhibit 1" in told
    assert told.endswith(f"wrote {copy / 'letter.docx'}: 1 exhibit\n")
    assert run(arguments) == 2
    assert "export takes one of" in capsys.readouterr().err
    assert run([*arguments, "--letter", "knee.example", "--date", "soon"]) == 2
    assert "--date takes a day" in capsys.readouterr().err
    change_quote(copy / "case", RISK, "All suffer.")
    uphold(copy / "case", "quote = ?", "All suffer.")
    arguments[-1] = str(copy / "second.docx")
    assert run([*arguments, "--letter", "knee.example"]) == 1
    assert "left out: exhibit" in capsys.readouterr().err
    assert (copy / "second.docx").exists()


def test_help_needs_no_extra():
    result = run_cli("export", "--help")
    assert result.returncode == 0
    assert b"--letter" in result.stdout


def test_libreoffice_opens_the_letter_as_pages(copy):
    """Every page has its number, no heading stands alone at the end of one, and no exhibit is lost."""
    uphold(copy / "case", "site = 'knee.example' AND label <> 'stigma_framing'")
    _, result = write(copy, draft=True)
    pages = pdf_pages(copy / "letter.docx")
    assert len(pages) > 4
    for number, text in enumerate(pages, start=1):
        assert DRAFT_MARK in text
        assert f"Page {number} of {len(pages)}" in text
        last = [line for line in text.split("\n") if line.strip() and not line.startswith("Page ")][-1]
        assert not re.fullmatch(r"Exhibit \d+|Schedule \d:.*|Pages read|Measured accuracy", last.strip()), last
    joined = "\n".join(pages)
    for number in range(1, result.exhibits + 1):
        assert re.search(rf"^Exhibit {number}\s*$", joined, re.MULTILINE), number
