"""`export --sample` and `evaluate --case`: a blind sheet of a real case, filled by people, weighted back."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook
from sample_case import screen_case

from mdclaims.cases.measured import read_draw, read_measured
from mdclaims.cases.sample import _nth_other
from mdclaims.cases.sheets import put_text, read_sheet
from mdclaims.cases.store import connect
from mdclaims.cli import run
from mdclaims.errors import ReadError
from mdclaims.labels import LABELS

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A case of which a sheet was exported; tests change copies alone."""
    folder = tmp_path_factory.mktemp("sample")
    case = screen_case(folder)
    assert export(case, folder / "sheet.xlsx", 40) == 0
    return folder


@pytest.fixture
def work(base, tmp_path):
    folder = tmp_path / "work"
    shutil.copytree(base, folder)
    return folder


def export(case, output, size, *more):
    inputs = () if "--inputs" in more else ("--inputs", str(case.parent))
    return run(["export", str(case), "--sample", str(size), "-o", str(output), *inputs, *more])


def draw_of(case):
    (path,) = (case / "samples").glob("*.json")
    return read_draw(case, path.stem)


def fill(source, target, answer, rows=None):
    """Fill a sheet by a function of the row's number and what the draw says of it."""
    book = load_workbook(source)
    sheet = book["Sample"]
    heads = [cell.value for cell in sheet[1]]
    drawn = draw_of(source.parent / "case").rows
    for row in sheet.iter_rows(min_row=2):
        number = int(row[0].value.partition("-")[2])
        if rows is None or number in rows:
            for name in answer(drawn[number - 1]) or ["none"]:
                row[heads.index(name)].value = "yes"
    book.save(target)
    return target


def test_the_sheet_is_blind_and_half_of_it_has_findings(base):
    drawn = draw_of(base / "case")
    book = load_workbook(base / "sheet.xlsx")
    heads, *rows = book["Sample"].iter_rows(values_only=True)
    assert heads == ("id", "heading", "before", "sentence", "after", *LABELS, "none", "note", "page", "address")
    assert len(rows) == len(drawn.rows) == 40
    assert sum(bool(row.found) for row in drawn.rows) == 20
    assert {row[5:11] for row in rows} == {(None,) * 6}
    order = [row.stratum for row in drawn.rows]
    assert order != sorted(order)
    with connect(base / "case") as connection:
        rows_kept = connection.execute("SELECT page, sentence, text FROM sentences").fetchall()
    kept = {(page, number): text for page, number, text in rows_kept}
    texts = [kept.get((row.page, row.sentence)) for row in drawn.rows]
    assert all(text in {None, row[3]} for text, row in zip(texts, rows, strict=True))
    assert None in texts, "sentences that the case only counted are in the sample"


def test_the_strata_add_up_to_all_sentences_of_the_case(base):
    drawn = draw_of(base / "case")
    with connect(base / "case") as connection:
        (total,) = connection.execute("SELECT sum(sentences) FROM pages WHERE outcome = 'read'").fetchone()
        found = dict(connection.execute("SELECT label, count(*) FROM findings GROUP BY label").fetchall())
    assert sum(stratum.size for stratum in drawn.strata) == total == drawn.covered[1] == drawn.judged[1]
    for label in LABELS:
        assert sum(stratum.found.get(label, 0) for stratum in drawn.strata) == found.get(label, 0)
    assert len({(row.page, row.sentence) for row in drawn.rows}) == 40


def test_drop_downs_and_definitions_are_there_and_no_text_is_a_formula(base):
    book = load_workbook(base / "sheet.xlsx")
    sheet = book["Sample"]
    choices = {choice.formula1 for choice in sheet.data_validations.dataValidation}
    assert choices == {'"yes,no"', '"yes"'}
    assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    told = [cell.value for row in book["Labels"].iter_rows() for cell in row if cell.value]
    assert set(LABELS) <= set(told)


@pytest.mark.parametrize("text", ["=1+1", "+44 1632", "-5 degrees", "@noon", " \n=HYPERLINK(1)", "plain", "=", "1"])
def test_texts_read_back_equal_and_never_become_formulas(tmp_path, text):
    book = Workbook()
    put_text(book.active.cell(1, 1), text)
    book.save(tmp_path / "a.xlsx")
    cell = load_workbook(tmp_path / "a.xlsx").active.cell(1, 1)
    assert (cell.value, cell.data_type) == (text, "s")
    assert cell.quotePrefix == (text.lstrip()[0] in "=+-@")


def test_control_characters_do_not_break_the_sheet(tmp_path):
    book = Workbook()
    put_text(book.active.cell(1, 1), "a\x00b\x1bc\ufffed\uffff")
    book.save(tmp_path / "a.xlsx")
    assert load_workbook(tmp_path / "a.xlsx").active.cell(1, 1).value == "a\ufffdb\ufffdc\ufffdd\ufffd"


def test_the_same_seed_draws_the_same_and_another_another(work):
    case = work / "case"
    assert export(case, work / "again.xlsx", 40) == 0
    assert len(list((case / "samples").iterdir())) == 1
    assert export(case, work / "other.xlsx", 40, "--seed", "1") == 0
    assert len(list((case / "samples").iterdir())) == 2


def test_a_perfect_reader_finds_the_model_perfect(work):
    sheet = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: row.found)
    assert run(["evaluate", str(sheet), "--case", str(work / "case"), "--json", str(work / "out.json")]) == 0
    told = json.loads((work / "out.json").read_text(encoding="utf-8"))
    assert told == json.loads((work / "case" / "measured.json").read_text(encoding="utf-8"))
    pooled = told["figures"]["pooled"]
    assert pooled["precision"][0] == 1
    assert pooled["missed"][0] == pooled["missed"][1] == 0 < pooled["missed"][2]
    assert told["figures"]["judged"] == 40
    assert read_measured(work / "case").judged == 40


def test_all_sentences_drawn_give_the_exact_figures(work):
    """A reader who sees claims by a rule of his own: figures must be those of counting the whole case."""
    case = work / "case"
    shutil.rmtree(case / "samples")
    assert export(case, work / "all.xlsx", 1000) == 0
    drawn = draw_of(case)
    total = drawn.covered[1]
    assert len(drawn.rows) == total
    carries = {
        (row.page, row.sentence): random.Random(f"{row.page}{row.sentence}").random() < 0.5 for row in drawn.rows
    }
    label = LABELS[0]
    fill(work / "all.xlsx", work / "ann.xlsx", lambda row: [label] * carries[row.page, row.sentence])
    assert run(["evaluate", str(work / "ann.xlsx"), "--case", str(case)]) == 0
    row = read_measured(case).estimates()[0]
    found = [label in entry.found for entry in drawn.rows]
    true = list(carries.values())
    both = sum(map(all, zip(found, true, strict=True)))
    assert row.precision.low == row.precision.high == pytest.approx(both / sum(found))
    assert row.missed.low == pytest.approx(row.missed.high) == pytest.approx(1 - both / sum(true))
    assert row.missed_sentences.value == pytest.approx(sum(true) - both)


def test_half_filled_sheets_are_told(work, capsys):
    sheet = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: row.found, rows=range(1, 16))
    assert run(["evaluate", str(sheet), "--case", str(work / "case")]) == 0
    captured = capsys.readouterr()
    assert "15 of 40 sampled sentences judged blind by ann" in captured.out
    assert "ann judged 15 of 40 sentences" in captured.err


def test_two_annotators_give_agreement_and_count_half_where_they_differ(work, capsys):
    label = LABELS[0]
    one = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: [label] if label in row.found else [])
    two = fill(work / "sheet.xlsx", work / "bob.xlsx", lambda row: [])
    assert run(["evaluate", str(one), str(two), "--case", str(work / "case")]) == 0
    assert "agreement of ann and bob over 40 sentences" in capsys.readouterr().out
    row = read_measured(work / "case").estimates()[0]
    assert row.precision.value == 0.5
    assert row.right == row.judged / 2


def test_sorted_and_shortened_sheets_are_understood(work):
    path = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: row.found)
    book = load_workbook(path)
    sheet = book["Sample"]
    before = read_sheet(path, LABELS)
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    for place, values in enumerate(reversed(rows), 2):
        for column, value in enumerate(values, 1):
            sheet.cell(place, column).value = value
    sheet.delete_rows(2, 3)
    book.save(path)
    after = read_sheet(path, LABELS)
    assert after.answers == {n: answer for n, answer in before.answers.items() if n <= 37}


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("efficacy_claim", "maybe", "neither yes nor no"),
        ("id", "7", "none of a sample"),
        ("id", "000000000000-001", "2 samples"),
        ("none", "yes", "choose one"),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_place(work, column, text, message):
    path = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: [LABELS[1]])
    book = load_workbook(path)
    heads = [cell.value for cell in book["Sample"][1]]
    book["Sample"].cell(2, heads.index(column) + 1).value = text
    book.save(path)
    with pytest.raises(ReadError, match=message):
        read_sheet(path, LABELS)


def test_pages_that_are_not_at_hand_are_told_as_not_covered(base, tmp_path, capsys):
    shutil.copytree(base / "case", tmp_path / "case")
    shutil.rmtree(tmp_path / "case" / "samples")
    assert export(tmp_path / "case", tmp_path / "a.xlsx", 20, "--inputs", str(tmp_path)) == 0
    told = capsys.readouterr().err
    drawn = draw_of(tmp_path / "case")
    assert (drawn.covered[0], drawn.judged[0]) == (6, 8), "captures have their records in the case, files do not"
    assert f"not covered: {drawn.judged[1] - drawn.covered[1]} of {drawn.judged[1]} sentences" in told


def test_a_page_that_was_changed_gives_way_and_is_told(work, capsys):
    shutil.rmtree(work / "case" / "samples")
    (work / "drafts" / "north" / "a.html").write_text("<p>It reads otherwise now.</p>", encoding="utf-8")
    assert export(work / "case", work / "a.xlsx", 1000) == 0
    drawn = draw_of(work / "case")
    assert len(drawn.unread) == 1
    assert drawn.unread[0][0] not in {row.page for row in drawn.rows}
    assert "could not be read as the case describes" in capsys.readouterr().err


def test_verify_knows_samples_and_what_was_measured(work, capsys):
    case = work / "case"
    sheet = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: row.found)
    assert run(["evaluate", str(sheet), "--case", str(case)]) == 0
    verify = ["verify", str(case), "--inputs", str(work), "--workers", "1"]
    capsys.readouterr()
    assert run(verify) == 0
    assert "does not belong" not in capsys.readouterr().out
    content = json.loads((case / "measured.json").read_text(encoding="utf-8"))
    content["figures"]["pooled"]["precision"][0] = 0.99
    (case / "measured.json").write_text(json.dumps(content), encoding="utf-8")
    assert run(verify) == 1
    assert "its figures do not follow from its judgements" in capsys.readouterr().out


def spoil_draw(case):
    path = next((case / "samples").iterdir())
    path.write_bytes(path.read_bytes().replace(b'"asked": 40', b'"asked": 41'))


def spoil_weights(case):
    """Make a draw whose name fits and whose strata no case has."""
    import hashlib

    path = next((case / "samples").iterdir())
    told = json.loads(path.read_bytes())
    told["strata"] = [{**stratum, "size": 0} for stratum in told["strata"]]
    content = json.dumps(told).encode()
    name = hashlib.sha256(content).hexdigest()[:12]
    (case / "samples" / f"{name}.json").write_bytes(content)
    measured = json.loads((case / "measured.json").read_bytes())
    (case / "measured.json").write_text(json.dumps({**measured, "sample": name}), encoding="utf-8")


@pytest.mark.parametrize(
    "spoil",
    [
        spoil_draw,
        spoil_weights,
        lambda case: (case / "measured.json").write_text("[]", encoding="utf-8"),
        lambda case: (case / "measured.json").write_text("{" * 50, encoding="utf-8"),
        lambda case: next((case / "samples").iterdir()).unlink(),
    ],
)
def test_what_was_measured_is_not_believed_when_spoilt(work, spoil):
    case = work / "case"
    sheet = fill(work / "sheet.xlsx", work / "ann.xlsx", lambda row: row.found)
    assert run(["evaluate", str(sheet), "--case", str(case)]) == 0
    spoil(case)
    with pytest.raises(ReadError):
        read_measured(case)


def test_names_lead_nowhere_out_of_the_case(work):
    (work / "outside.json").write_text("{}", encoding="utf-8")
    (work / "case" / "measured.json").symlink_to(work / "outside.json")
    with pytest.raises(ReadError, match="no file of the case"):
        read_measured(work / "case")
    with pytest.raises(ReadError, match="has no sample"):
        read_draw(work / "case", "../outside")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "CASE", "--sample", "40", "-o", "sheet.xlsx"], 2, "is there already"),
        (["export", "CASE", "--sample", "40", "-o", "sheet.ods"], 2, "ends in .xlsx"),
        (["export", "CASE", "--sample", "1", "-o", "new.xlsx"], 2, "2 to 20,000"),
        (["export", "CASE", "--sample", "40", "--seed", "-1", "-o", "new.xlsx"], 2, "from 0"),
        (["export", "CASE", "--sample", "40", "--order", "diverse", "-o", "new.xlsx"], 2, "--order goes with --labels"),
        (["export", "CASE", "-o", "new.xlsx"], 2, "export takes one of"),
        (["export", "drafts", "--sample", "40", "-o", "new.xlsx"], 3, "is not there"),
        (["evaluate", "sheet.xlsx", "--case", "CASE"], 2, "no row is judged yet"),
        (["evaluate", "sheet.xlsx"], 2, "--case"),
        (["evaluate", "sheet.xlsx", "--case", "CASE", "--mode", "edit"], 2, "screened with"),
        (["evaluate", "sheet.xlsx", "--case", "drafts"], 3, "is no case"),
        (["evaluate", "sites.warc.gz", "--case", "CASE"], 3, "cannot be read as a spreadsheet"),
        (["evaluate", "gone.xlsx", "--case", "CASE"], 3, "cannot be read"),
    ],
)
def test_bad_input_gets_one_line(base, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(base)
    assert run([word.replace("CASE", "case") for word in arguments]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path("new.xlsx").exists()


def test_the_nth_sentence_that_is_not_kept():
    for taken in (set(), {0}, {1, 2}, {0, 3, 4, 9}):
        free = [n for n in range(30) if n not in taken]
        assert [_nth_other(taken, n) for n in range(10)] == free[:10]
