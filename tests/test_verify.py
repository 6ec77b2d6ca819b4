"""`mdclaims verify`: every change of a case's content is found, and a case made to do harm does none."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archives import answer, per_record, record
from hypothesis import assume, given
from hypothesis import strategies as st

from mdclaims.cases.engine import PageLimits
from mdclaims.cases.manifest import is_below, read_manifest
from mdclaims.cases.screen import ScreenOptions, screen
from mdclaims.cases.store import FINDINGS, OFFSETS, PAGES, connect, table_bytes
from mdclaims.cases.verify import MOST_REMARKS, Remark, VerifyOptions, VerifyResult, verify, verify_json, verify_text
from mdclaims.cli import run
from mdclaims.config import Settings
from mdclaims.errors import ReadError, UsageError
from mdclaims.reading.archive import Place, block_digest_agrees

CLAIM = (
    "<!doctype html><html lang=en><title>Knee care</title><h1>Knee pain</h1><h2>Shockwave</h2>"
    "<p>Our shockwave therapy cures knee pain for good in {} sessions. It is completely safe and has no side effects."
    " Some patients feel sore for a day.</p><h2>Visits</h2><p>We are open from Monday to Friday.</p>"
    "<footer>Call us today to book your visit. <a href=tel:+442079460000>Phone</a></footer>"
)


def page(number, body=CLAIM, *headers, date="2026-03-01T09:30:00Z"):
    """Return the record of a page with the digests that an archiver writes."""
    data = body.format(number).encode()
    block = answer(gzip.compress(data, mtime=0) if headers else data, *headers)
    sent = block.partition(b"\r\n\r\n")[2]
    digests = [
        f"WARC-Block-Digest: sha256:{hashlib.sha256(block).hexdigest()}",
        f"WARC-Payload-Digest: sha256:{hashlib.sha256(sent).hexdigest()}",
    ]
    return record(block, *digests, address=f"https://knee.example/{number}", date=date)


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """A folder with inputs and their case: an archive, two files and a list; and the digest that was printed."""
    folder = tmp_path_factory.mktemp("screened")
    moved = record(answer(b"", "Location: https://knee.example/1", status="301 Moved"), address="http://knee.example/1")
    records = [moved, page(1), page(2, CLAIM, "Content-Encoding: gzip"), page(3), page(4, "<p>Built in 19{}.</p>")]
    (folder / "sites.warc.gz").write_bytes(per_record(records))
    (folder / "drafts").mkdir()
    (folder / "drafts" / "a.html").write_text(CLAIM.format(5), encoding="utf-8")
    (folder / "drafts" / "b.md").write_text("# Backs\n\nIt ends back pain for good.\n", encoding="utf-8")
    (folder / "clinics.csv").write_text("url,case\nhttps://knee.example/,C-17\n", encoding="utf-8")
    names = [str(folder / name) for name in ("sites.warc.gz", "drafts", "clinics.csv")]
    result = screen(names, folder / "case", ScreenOptions(settings=Settings(mode="screen")))
    assert result.coverage.findings > 20
    return folder, result.digest


@pytest.fixture
def copy(screened, tmp_path):
    """A copy of all that, to be changed."""
    return shutil.copytree(screened[0], tmp_path / "copy")


def check(folder, digest=None, workers=0, **limits):
    """Verify the case in a folder, with the inputs beside it."""
    options = VerifyOptions(digest, (folder,), workers, PageLimits(**limits))
    return verify(folder / "case", options)


def reasons(result):
    return [f"{remark.where}: {remark.reason}" for remark in result.fails]


def is_found(folder, digest=None):
    """True if verify tells that something does not hold, or that the case cannot be read."""
    try:
        return not check(folder, digest).holds
    except ReadError:
        return True


def mend(case):
    """Make manifest and journal agree with the files, as somebody would who changed them."""
    manifest = json.loads((case / "manifest.json").read_bytes())
    new = {name: hashlib.sha256((case / name).read_bytes()).hexdigest() for name in manifest["files"]}
    for name in ("manifest.json", "journal.jsonl"):
        text = (case / name).read_text(encoding="utf-8")
        for file, digest in manifest["files"].items():
            text = text.replace(digest, new[file])
        (case / name).write_text(text, encoding="utf-8", newline="")


def rewrite(path, change):
    """Change the rows of a table and write it anew."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    changed = change(rows)
    path.write_bytes(table_bytes(pa.Table.from_pylist(rows if changed is None else changed, schema=table.schema)))


def first_part(case, table):
    return case / table / "000000-0000.parquet"


# --- what holds ---------------------------------------------------------------------------------------------------


def test_verify_finds_every_quote_of_a_case_again(screened):
    folder, digest = screened
    result = check(folder, digest)
    assert result.holds
    assert result.digest_agrees
    assert (result.fails, result.open, result.notes) == ([], [], [])
    assert result.findings == result.held > 20
    assert result.inputs == 4
    assert result.files == len(json.loads((folder / "case" / "manifest.json").read_bytes())["files"])


def test_verify_checks_without_inputs_what_has_evidence(screened, tmp_path):
    folder, _ = screened
    result = verify(folder / "case", VerifyOptions(folders=(tmp_path,), workers=0))
    assert result.holds
    assert result.inputs == 0
    assert 0 < result.unchecked < result.findings
    assert result.held + result.unchecked == result.findings
    assert {remark.where for remark in result.open} == {
        "sites.warc.gz", "clinics.csv", "drafts/a.html", "drafts/b.md",
    }  # fmt: skip


def test_verify_reads_the_archive_where_no_evidence_was_kept(screened, tmp_path):
    folder, _ = screened
    shutil.copy(folder / "sites.warc.gz", tmp_path)
    options = ScreenOptions(settings=Settings(mode="screen"), evidence=False)
    screen([str(tmp_path / "sites.warc.gz")], tmp_path / "case", options)
    assert not (tmp_path / "case" / "evidence.warc.gz").exists()
    result = check(tmp_path)
    assert result.holds
    assert result.held == result.findings > 10
    (tmp_path / "sites.warc.gz").unlink()
    result = check(tmp_path)
    assert result.holds
    assert result.unchecked == result.findings


def test_verify_finds_the_quotes_where_another_version_screened(copy):
    text = (copy / "case" / "manifest.json").read_text(encoding="utf-8")
    version = json.loads(text)["versions"]["selectolax"]
    for name in ("manifest.json", "journal.jsonl"):
        path = copy / "case" / name
        path.write_text(re.sub(rf'("selectolax": )"{version}"', r'\1"0.1"', path.read_text(encoding="utf-8")))
    result = check(copy)
    assert result.holds
    assert result.held == result.findings
    (note,) = result.notes
    assert note.startswith(
        f"screened by other versions, quotes are looked for in the whole page: selectolax 0.1, here {version}"
    )
    rewrite(first_part(copy / "case", "findings"), lambda rows: rows[0].update(quote="It cures all."))
    mend(copy / "case")
    assert reasons(check(copy)) == ["evidence.warc.gz, offset 0: its quote is nowhere on the page"]


@pytest.mark.parametrize("name", ["pypdfium2", "python-docx"])
def test_verify_names_another_version_of_a_reader_of_documents(copy, name):
    version = json.loads((copy / "case" / "manifest.json").read_text(encoding="utf-8"))["versions"][name]
    for file in ("manifest.json", "journal.jsonl"):
        path = copy / "case" / file
        path.write_text(re.sub(rf'("{name}": )"{version}"', r'\1"0.1"', path.read_text(encoding="utf-8")))
    result = check(copy)
    assert result.holds
    kind = {"pypdfium2": "pdf", "python-docx": "docx"}[name]
    assert result.notes == [
        f"screened by other versions, quotes in {kind} are looked for in the whole page: {name} 0.1, here {version}"
    ]
    # Web pages are checked as strictly as ever.
    rewrite(first_part(copy / "case", "findings"), lambda rows: rows[0].update(heading_path=["Elsewhere"]))
    mend(copy / "case")
    (told,) = reasons(check(copy))
    assert "its heading_path is ['Elsewhere'] in the case" in told


# --- what does not hold -------------------------------------------------------------------------------------------


def flip(data, at, value):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ (value % 255 + 1)]) + data[at + 1 :]


BYTES = {
    "flip": flip,
    "cut": lambda data, at, _: data[: at % len(data)],
    "append": lambda data, _, value: data + bytes([value % 256]),
}


@given(st.data())
def test_verify_finds_every_change_of_a_file(screened, tmp_path_factory, data):
    original, digest = screened
    folder = shutil.copytree(original, tmp_path_factory.mktemp("changed") / "copy")
    named = [*read_manifest(folder / "case").files, "manifest.json"]
    files = [folder / "case" / name for name in named]
    files += [folder / name for name in ("sites.warc.gz", "drafts/a.html", "drafts/b.md", "clinics.csv")]
    path = data.draw(st.sampled_from(sorted(files)))
    way = data.draw(st.sampled_from([*BYTES, "swap", "delete"]))
    if way == "delete":
        assume(path.is_relative_to(folder / "case"))  # an input that is gone is no failure
        path.unlink()
    elif way == "swap":
        other = data.draw(st.sampled_from(sorted(files)))
        one, two = path.read_bytes(), other.read_bytes()
        assume(one != two)
        path.write_bytes(two)
        other.write_bytes(one)
    else:
        at, value = data.draw(st.integers(0, 2**20)), data.draw(st.integers(0, 254))
        path.write_bytes(BYTES[way](path.read_bytes(), at, value))
    assert is_found(folder, digest), (path, way)
    shutil.rmtree(folder)


PAGE_TEXT = ("quote", "before", "after", "selector", "region", "kind", "link", "qualifier", "fingerprint", "claim")
PLACES = ("sentence", "start", "end")
OF_PAGES = ("address", "title", "sha256", "content_type", "kind", "page")


@given(
    st.sampled_from([("findings", name) for name in (*PAGE_TEXT, *PLACES, "heading_path")])
    | st.sampled_from([("pages", name) for name in (*OF_PAGES, "status", "captured", "findings", "high", "videos")])
    | st.sampled_from([("sentences", name) for name in ("text", "heading", "sentence", "page")])
    | st.sampled_from([("contacts", name) for name in ("field", "value", "shown", "register", "source", "page")]),
    st.integers(0, 100),
)
def test_verify_finds_a_changed_exhibit_though_all_hashes_are_mended(screened, tmp_path_factory, column, number):
    original, digest = screened
    table, name = column
    folder = shutil.copytree(original, tmp_path_factory.mktemp("changed") / "copy")

    def change(rows):
        # Of pages without findings no evidence is kept.
        bare = {"0-4"}
        chosen = [row for row in rows if row["page"] not in bare and (table != "pages" or row["findings"])]
        row = chosen[number % len(chosen)]
        old = row[name]
        if isinstance(old, datetime):
            row[name] = datetime(2025, 1, 1, tzinfo=UTC)
        elif isinstance(old, list):
            row[name] = [*old, "More"]
        elif isinstance(old, int):
            row[name] = old + 1
        else:
            row[name] = f"{old or ''} more"

    rewrite(first_part(folder / "case", table), change)
    mend(folder / "case")
    assert is_found(folder)
    assert read_manifest(folder / "case").sha256 != digest  # what --digest looks at
    shutil.rmtree(folder)


def test_verify_names_the_finding_whose_quote_was_replaced(copy):
    case = copy / "case"
    rewrite(first_part(case, "findings"), lambda rows: rows[3].update(quote="It is the best clinic."))
    mend(case)
    row = pq.read_table(first_part(case, "findings")).to_pylist()[3]
    result = check(copy)
    (remark,) = result.fails
    assert (remark.page, remark.finding, remark.quote) == (row["page"], row["fingerprint"], "It is the best clinic.")
    assert remark.address.startswith("https://knee.example/")
    assert remark.reason.startswith("its quote is 'It is the best clinic.' in the case and ")
    assert result.held == result.findings - 1
    text = verify_text(result)
    assert f"does not hold: finding {row['fingerprint']}, page {row['page']}, https://knee.example/" in text
    assert text.endswith("the case does not hold\n")
    told = json.loads(verify_json(result))
    assert told["holds"] is False
    assert told["fails"][0]["quote"] == "It is the best clinic."


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[1:], "by its row of pages"),
        (lambda rows: [rows[0], *rows], "has a row twice"),
        (lambda rows: [*rows[1:], rows[0]], "which is not there or stands elsewhere"),
        (lambda rows: [*rows, {**rows[0], "page": "7-7"}], "has rows of page 7-7"),
        (lambda rows: rows[0].update(priority="high"), "the priorities of page"),
        (lambda rows: rows[0].update(sentence=999), "the page has no sentence 999"),
    ],
)
def test_verify_finds_rows_that_are_missing_or_too_many(copy, change, reason):
    rewrite(first_part(copy / "case", "findings"), change)
    mend(copy / "case")
    assert any(reason in told for told in reasons(check(copy)))


def test_verify_finds_pages_that_are_missing_or_twice(copy):
    case = copy / "case"
    rewrite(first_part(case, "pages"), lambda rows: [rows[0], *rows])
    mend(case)
    told = reasons(check(copy))
    assert any("missing or twice" in reason for reason in told)
    assert "manifest.json: its coverage is not what the parts add up to" in told


@pytest.mark.parametrize("table", ["sites", "redirects", "offsets"])
def test_verify_makes_the_tables_of_the_whole_case_again(copy, table):
    path = copy / "case" / f"{table}.parquet"
    rewrite(path, lambda rows: rows[:-1])
    mend(copy / "case")
    assert any(told.startswith(f"{table}.parquet") or "no evidence" in told for told in reasons(check(copy)))


def test_verify_finds_counts_and_settings_that_were_changed_in_the_manifest(copy):
    path = copy / "case" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["coverage"]["read"] += 1
    manifest["settings"]["mode"] = "edit"
    manifest["runs"]["ended"] = ["2020-01-01T00:00:00+00:00"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    told = reasons(check(copy))
    assert told == [
        "manifest.json: settings is not what journal.jsonl says",
        "manifest.json: runs is not what journal.jsonl says",
        "manifest.json: its coverage is not what the parts add up to",
    ]


def test_verify_finds_a_part_that_manifest_and_journal_no_longer_name(copy):
    case = copy / "case"
    last = max(read_manifest(case).part_names())
    name = f"{last[0]:06d}-{last[1]:04d}"
    manifest = json.loads((case / "manifest.json").read_bytes())
    manifest["files"] = {key: value for key, value in manifest["files"].items() if name not in key}
    (case / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    lines = (case / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (case / "journal.jsonl").write_text("".join(line for line in lines if name not in line), encoding="utf-8")
    told = reasons(check(copy))
    assert any(f"pages/{name}.parquet: is not in the manifest" in reason for reason in told)
    for path in case.rglob(f"{name}.parquet"):
        path.unlink()
    assert "manifest.json: its coverage is not what the parts add up to" in reasons(check(copy))


@pytest.mark.parametrize(
    "change",
    [
        (b"cures knee pain", b"eases knee pain"),
        (b"from Monday", b"since Monday"),
        (b"200 OK", b"201 OK"),
        (b"09:30", b"09:31"),
        (b"example/1", b"example/7"),
    ],
)
def test_verify_finds_a_changed_record_though_all_hashes_of_the_case_are_mended(copy, change):
    replace_record(copy / "case", 0, lambda plain: plain.replace(*change))
    mend(copy / "case")
    result = check(copy)
    wrong = [remark for remark in result.fails if remark.finding]
    assert len(wrong) == result.findings - result.held > 4
    assert {remark.where for remark in wrong} == {"evidence.warc.gz, offset 0"}


def replace_record(case, offset, change):
    """Change the plain bytes of the first record of the evidence, and move the offsets of the others."""
    path = case / "evidence.warc.gz"
    data = path.read_bytes()
    unpacker = zlib.decompressobj(wbits=31)
    plain = unpacker.decompress(data[offset:])
    rest = unpacker.unused_data
    changed = change(plain)
    assert changed != plain
    packed = gzip.compress(changed, mtime=0)
    moved = len(packed) - (len(data) - offset - len(rest))
    path.write_bytes(data[:offset] + packed + rest)

    def move(rows):
        for row in rows:
            if row["evidence_offset"] is not None and row["evidence_offset"] > offset:
                row["evidence_offset"] += moved

    rewrite(case / "offsets.parquet", move)
    rewrite(first_part(case, "pages"), move)


def test_verify_needs_the_digest_where_the_evidence_was_made_anew(copy, screened):
    """Whoever changes a page beside its quotes, and mends every hash there is, is found by the printed digest alone."""
    case = copy / "case"
    old = page(1)
    new = page(1, CLAIM.replace("from Monday", "since Sunday"))
    replace_record(case, 0, lambda plain: new if plain == old else plain)
    body = new.partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[2][:-4]
    digest = hashlib.sha256(body).hexdigest()
    rewrite(first_part(case, "pages"), lambda rows: next(r for r in rows if r["findings"]).update(sha256=digest))
    for table, names in (("findings", ("quote", "before", "after", "link")), ("sentences", ("text",))):

        def follow(rows, names=names):
            for row in rows:
                for name in names:
                    text = row[name] or ""
                    shown = text.replace("from Monday", "since Sunday").replace("from%20Monday", "since%20Sunday")
                    row[name] = shown if row["page"] == "0-1" and row[name] is not None else row[name]

        rewrite(first_part(case, table), follow)
    mend(case)
    assert check(verify_only_evidence(copy)).digest_agrees is None
    assert is_found(copy, screened[1])


def verify_only_evidence(folder):
    """Take the inputs away, which would tell of the change."""
    (folder / "sites.warc.gz").unlink()
    return folder


def test_verify_may_pass_over_what_is_no_content(copy, screened):
    """The time stamp in a gzip header is no content: with mended hashes only the digest tells of it."""
    case = copy / "case"
    data = (case / "evidence.warc.gz").read_bytes()
    (case / "evidence.warc.gz").write_bytes(data[:4] + b"\1" + data[5:])
    assert is_found(copy)
    mend(case)
    assert check(copy).holds
    assert is_found(copy, screened[1])


def test_verify_tells_evidence_that_is_gone_for_each_finding(copy):
    (copy / "case" / "evidence.warc.gz").unlink()
    result = check(copy)
    assert "evidence.warc.gz: is missing" in reasons(result)
    gone = [remark for remark in result.fails if remark.finding]
    assert len(gone) == result.findings - result.held > 10
    assert {remark.reason for remark in gone} == {"is not in the case any more"}


def test_verify_tells_what_does_not_belong_to_the_case(copy):
    (copy / "case" / "notes.txt").write_text("mine", encoding="utf-8")
    result = check(copy)
    assert result.holds
    assert [remark.where for remark in result.open] == ["notes.txt"]
    shutil.copy(first_part(copy / "case", "findings"), copy / "case" / "findings" / "extra.parquet")
    assert reasons(check(copy)) == ["findings/extra.parquet: is not in the manifest, and would be read with the case"]


def test_verify_finds_views_that_would_do_something_else(copy):
    path = copy / "case" / "views.sql"
    path.write_text(path.read_text(encoding="utf-8") + "INSTALL httpfs;\n", encoding="utf-8")
    mend(copy / "case")
    assert reasons(check(copy)) == ["views.sql: is not what mdclaims writes; do not run it"]


def test_verify_keeps_no_more_remarks_than_it_tells():
    result = VerifyResult(Path("case"), "0" * 64)
    for number in range(MOST_REMARKS + 7):
        result.add(Remark("fails", f"file {number}", "is missing"))
    assert len(result.fails) == MOST_REMARKS
    assert result.untold == 7
    assert "and 7 more of these\n" in verify_text(result)


def test_verify_block_digest_is_told_apart(tmp_path):
    path = tmp_path / "a.warc"
    good, bad = page(1), page(1).replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 Ok")
    none = record(answer(b"<p>x"))
    path.write_bytes(good + bad + none)
    found = [block_digest_agrees(Place(path, None, at)) for at in (0, len(good), len(good) + len(bad))]
    assert found == [True, False, None]
    with pytest.raises(ReadError, match="no WARC record begins here"):
        block_digest_agrees(Place(path, None, 5))


# --- cases made to do harm ----------------------------------------------------------------------------------------


class _Opened:
    """The files that this process opens, while it is switched on; an audit hook cannot be taken away."""

    def __init__(self):
        self.names = None
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if self.names is not None and event == "open":
            self.names.append(str(arguments[0]))


OPENED = _Opened()


@pytest.fixture
def secret(tmp_path):
    """A file outside the case; afterwards nobody has opened it."""
    path = tmp_path / "secret.html"
    path.write_text(CLAIM.format(77), encoding="utf-8")
    OPENED.names = []
    yield path
    names, OPENED.names = OPENED.names, None
    assert names
    assert not [name for name in names if Path(name).name == path.name]


@pytest.mark.parametrize(
    "name",
    ["../../secret.html", "/etc/passwd", "pages/../../x", "C:\\x", "..\\..\\x", "a\0b", "", "pages/../views.sql"],
)
@pytest.mark.parametrize("kind", ["files", "inputs"])
def test_verify_refuses_names_that_lead_out_of_the_case(copy, secret, name, kind):
    path = copy / "case" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    if kind == "files":
        manifest["files"][name] = "0" * 64
    else:
        manifest["inputs"].append({"name": name, "bytes": 1, "sha256": "0" * 64})
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ReadError, match="which leads out of its folder; nothing was read there"):
        check(copy)


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "C:", "~", ""]), max_size=6))
def test_verify_names_below_a_folder_stay_there_on_any_system(pieces):
    name = "".join(pieces)
    if is_below(name):
        root = Path("/case").resolve()
        assert (root / name).resolve().is_relative_to(root)


def test_verify_reads_no_page_that_is_not_among_the_inputs(copy, secret):
    rewrite(copy / "case" / "pages" / "000001-0000.parquet", lambda rows: rows[0].update(file="../secret.html"))
    mend(copy / "case")
    assert any(told == "../secret.html: is no input of the case; not read" for told in reasons(check(copy)))


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_verify_follows_no_links_out_of_the_case(copy, secret):
    case = copy / "case"
    for name in ("evidence.warc.gz", "pages/000000-0000.parquet", "views.sql"):
        (case / name).unlink()
        (case / name).symlink_to(secret)
    (case / "elsewhere").symlink_to(secret.parent)
    result = check(copy)
    told = reasons(result)
    assert "evidence.warc.gz: is no file, or a link that leads elsewhere; not read" in told
    assert "views.sql: is no file, or a link that leads elsewhere; not read" in told
    assert [remark.where for remark in result.open] == ["elsewhere"]
    (case / "manifest.json").unlink()
    (case / "manifest.json").symlink_to(secret)
    with pytest.raises(ReadError, match="leads out of the case"):
        check(copy)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_verify_follows_no_link_from_an_input_folder(copy, secret):
    (copy / "drafts" / "a.html").unlink()
    (copy / "drafts" / "a.html").symlink_to(secret)
    result = check(copy)
    assert result.holds
    assert result.unchecked > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is damaged"),
        (b"[" * 100_000, "is damaged"),
        (b"\xff\xfe", "is damaged"),
        (b"[]", "none that mdclaims screen writes"),
        (b'{"case_version": 2}', "case_version is 2, this program reads 1"),
        (b'{"case_version": 1}', "'files' is missing"),
        (b'{"case_version": 1, "files": {"views.sql": 7}}', "'7' is no SHA-256"),
        (b'{"case_version": 1, "files": {"x.parquet": "0"}}', "a file that no case has"),
    ],
)
def test_verify_refuses_a_manifest_in_one_line(copy, text, reason):
    (copy / "case" / "manifest.json").write_bytes(text)
    with pytest.raises(ReadError) as caught:
        check(copy)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_verify_refuses_what_is_no_case(tmp_path):
    with pytest.raises(ReadError, match="is no folder"):
        verify(tmp_path / "none", VerifyOptions())
    with pytest.raises(ReadError, match="is not there"):
        verify(tmp_path, VerifyOptions())
    with pytest.raises(UsageError, match="64 hex digits"):
        VerifyOptions(digest="abc")


@pytest.mark.e2e
def test_verify_survives_bombs(copy):
    """A gzip bomb, a table that unpacks to terabytes and one that says so: each costs one line, and no memory."""
    case = copy / "case"
    bomb = record(
        answer(gzip.compress(b"<p>" + b" " * 300_000_000), "Content-Encoding: gzip"), address="https://b.example/"
    )
    (case / "evidence.warc.gz").write_bytes(gzip.compress(bomb, mtime=0))
    rows = pq.read_table(first_part(case, "findings")).to_pylist()
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 30_000_000]))
    columns = {name: pa.nulls(100_000, FINDINGS.field(name).type) for name in FINDINGS.names}
    columns |= {"page": pa.array([rows[0]["page"]] * 100_000), "quote": text}
    plain = pa.Table.from_pydict(columns)
    pq.write_table(plain, case / "findings/000001-0000.parquet", store_schema=False, compression="zstd")
    assert (case / "findings/000001-0000.parquet").stat().st_size < 5_000_000
    mend(case)
    result = check(copy, workers=1, seconds=60, megabytes=1_000)
    told = reasons(result)
    assert any("over the limit max_bytes" in reason or "needed more than" in reason for reason in told)
    assert any(reason.startswith(("000001-0000:", "findings/000001-0000")) for reason in told)
    assert all("\n" not in reason for reason in told)


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.e2e
def test_verify_command_says_what_holds_and_what_does_not(copy, screened):
    arguments = ["verify", "case", "--digest", screened[1], "--workers", "1"]
    result = subprocess.run(
        [sys.executable, "-m", "mdclaims", *arguments],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith(
        f"case/manifest.json sha256 {screened[1]} (the one given)\n".replace("/", os.sep, 1)
    )
    assert result.stdout.endswith("all that could be checked holds\n")


def test_verify_command_tells_the_kinds_of_failure_apart(copy, monkeypatch, capfdbinary):
    monkeypatch.chdir(copy)
    assert run(["verify", "case", "--digest", "0" * 64, "--format", "json", "--inputs", ".", "--workers", "1"]) == 1
    told = json.loads(capfdbinary.readouterr().out)
    assert told["digest_agrees"] is False
    assert told["findings"]["held"] == told["findings"]["all"] > 20
    for arguments, code in (
        (["case", "--digest", "x"], 2),
        (["case", "--page-memory", "0"], 2),
        (["none"], 3),
        (["drafts"], 3),
    ):
        assert run(["verify", *arguments]) == code
        output = capfdbinary.readouterr()
        assert output.out == b""
        assert output.err.count(b"\n") == 1


# --- by hand ------------------------------------------------------------------------------------------------------


@pytest.mark.e2e
@pytest.mark.skipif(shutil.which("sha256sum") is None or shutil.which("dd") is None, reason="needs the usual tools")
def test_verify_by_hand_as_the_documentation_says(copy):
    text = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
    by_hand = text.split("\n## By hand", 1)[1]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", by_hand, flags=re.DOTALL | re.MULTILINE)
    case = copy / "case"
    with connect(case) as connection:
        rows = connection.execute(
            "SELECT DISTINCT page, evidence_offset, sha256 FROM findings WHERE evidence_offset IS NOT NULL ORDER BY 2"
        ).fetchall()
    assert len(rows) == 3
    ends = [*(row[1] for row in rows[1:]), (case / "evidence.warc.gz").stat().st_size]
    manifest = hashlib.sha256((case / "manifest.json").read_bytes()).hexdigest()
    for (_, offset, sha256), end in zip(rows, ends, strict=True):
        variables = {"OFFSET": str(offset), "END": str(end)}
        result = subprocess.run(
            ["bash", "-e", "-c", block], cwd=case, env={**os.environ, **variables}, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert manifest in result.stdout
        assert re.search(rf"^{sha256}  body$", result.stdout, flags=re.MULTILINE), result.stdout
        body = (case / "body").read_bytes()
        assert b"cures knee pain" in (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


def test_verify_schemas_that_the_tables_are_held_to():
    assert {"evidence_offset", "sha256"} <= set(PAGES.names)
    assert OFFSETS.names == ["page", "evidence_offset"]
