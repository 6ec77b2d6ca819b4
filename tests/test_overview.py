"""The overview as people get it: real files, read again, and none that is a danger to who opens it."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from overview_pages import FORMULA, rewritten

import mdclaims.cases.overview as module
from mdclaims.cases.casefile import open_case
from mdclaims.cases.decisions import STATES, Covered, Draft, append, read_decisions
from mdclaims.cases.overview import FINDINGS, SITES, _Sheet, write_overview
from mdclaims.cases.ranking import rank
from mdclaims.cli import run
from mdclaims.findings.rules import rules_of
from mdclaims.reports.controls import visible_controls
from mdclaims.reports.tables import original


def overview(case, path, *options, code=0):
    assert run(["overview", str(case), "-o", str(path), *options]) == code
    return path


def csv_rows(path):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return [[original(cell) for cell in row] for row in csv.reader(stream)]


def sheet_rows(path, name):
    return [
        ["" if cell is None else str(cell) for cell in row]
        for row in load_workbook(path)[name].iter_rows(values_only=True)
    ]


def as_numbers(row):
    """Return a row in which 12 and 12.0 are the same."""
    return [float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell) else cell for cell in row]


@pytest.fixture(scope="module")
def files(ranked_case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return overview(ranked_case, folder / "o.xlsx"), overview(ranked_case, folder / "o.csv")


def test_both_formats_hold_the_same_claims_and_sites(files):
    book, table = files
    assert sheet_rows(book, "Findings") == csv_rows(table)
    assert csv_rows(table)[0] == list(FINDINGS)
    sites = csv_rows(table.with_name("o-sites.csv"))
    assert sites[0] == list(SITES)
    in_book = sheet_rows(book, "Sites")
    assert [as_numbers(row) for row in in_book[in_book.index(list(SITES)) :]] == [as_numbers(row) for row in sites]
    assert sites[1][:2] == ["1", "loud.example"]


def test_the_sheets_say_what_was_read_and_what_was_not(files):
    book, _ = files
    assert load_workbook(book).sheetnames == ["Sites", "Findings", "Not judged", "Coverage", "About", "Lists"]
    assert [row[0] for row in sheet_rows(book, "Not judged")[1:]] == ["app.example"]
    head, total, *sites = sheet_rows(book, "Coverage")
    assert total[0] == "all sites"
    read = head.index("read")
    assert int(total[read]) == sum(int(row[read]) for row in sites) == 6
    about = "\n".join(row[0] for row in sheet_rows(book, "About"))
    assert re.search(r"\d distinct claims of priority info: write the overview with --down-to info", about)
    assert "Reading the first" in sheet_rows(book, "Sites")[1][0]


def test_the_drop_downs_offer_decisions_and_provisions(files):
    sheet = load_workbook(files[0])["Findings"]
    columns = {column: letter for letter, column in zip("ABCDEFGHIJKLMNOPQ", FINDINGS, strict=True)}
    offered = {str(entry.sqref): entry.formula1 for entry in sheet.data_validations.dataValidation}
    count = len(rules_of(["uk"]))
    assert offered == {
        f"{columns['decision']}2:{columns['decision']}{sheet.max_row}": f'"{",".join(STATES)}"',
        f"{columns['provision']}2:{columns['provision']}{sheet.max_row}": f"Lists!$A$2:$A${count + 1}",
    }
    assert [row[0] for row in sheet_rows(files[0], "Lists")[1:]] == [rule.id for rule in rules_of(["uk"])]


def test_page_text_is_never_a_formula(files):
    book, table = files
    quote = list(FINDINGS).index("quote")
    cells = [row[quote] for row in load_workbook(book)["Findings"].iter_rows(min_row=2)]
    (cell,) = [cell for cell in cells if cell.value == FORMULA]
    assert (cell.data_type, cell.quotePrefix) == ("s", True)
    assert f"'{FORMULA}" in table.read_text(encoding="utf-8")
    assert all(cell.data_type != "f" for sheet in load_workbook(book) for row in sheet.iter_rows() for cell in row)


@example(["\ufffe", "\uffff", "=1+1", " @x", "\x00", "\t-1"])
@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_is_read_again_as_it_was_written(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("texts") / "texts.xlsx"
    book = Workbook(write_only=True)
    sheet = _Sheet(book, "Texts", ["text"])
    assert sheet.extend([[text] for text in texts], {}) == len(texts)
    book.save(path)
    cells = [row[0] for row in load_workbook(path)["Texts"].iter_rows(min_row=2, max_row=len(texts) + 1)]
    assert [cell.value or "" for cell in cells[: len(texts)]] == [visible_controls(text) for text in texts]
    assert all(
        cell.data_type in {"s", "inlineStr", "n"} and not (cell.data_type == "n" and cell.value) for cell in cells
    )


def test_decisions_are_shown_with_who_made_them(ranked_case, tmp_path):
    case = rewritten(ranked_case, tmp_path / "case")
    first = csv_rows(overview(case, tmp_path / "a.csv"))[1]
    row = dict(zip(FINDINGS, first, strict=True))
    covered = Covered(row["exhibit"], row["site"], row["address"], "efficacy_claim", None, "f", row["quote"])
    append(case, [Draft("Ada", "upheld", (covered,), "=it promises a cure", "UK-CAP-12.1")])
    again = csv_rows(overview(case, tmp_path / "b.csv"))[1]
    assert again == [*first[:13], "upheld", "UK-CAP-12.1", "=it promises a cure", "Ada"]


def test_what_is_less_urgent_is_listed_on_request(ranked_case, tmp_path, files):
    normal = len(csv_rows(files[1]))
    assert len(csv_rows(overview(ranked_case, tmp_path / "a.csv", "--down-to", "high"))) < normal
    everything = csv_rows(overview(ranked_case, tmp_path / "b.csv", "--down-to", "info"))
    assert len(everything) > normal
    assert {row[8] for row in everything[1:]} == {"high", "normal", "info"}


def test_rows_beyond_the_limit_of_a_sheet_are_counted(ranked_case, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 8)
    with open_case(ranked_case) as opened:
        ranking = rank(opened)
        all_claims = write_overview(opened, ranking, read_decisions(ranked_case), tmp_path / "a.csv").claims
        written = write_overview(opened, ranking, read_decisions(ranked_case), tmp_path / "a.xlsx")
    assert written.claims == 7
    assert len(sheet_rows(tmp_path / "a.xlsx", "Findings")) == 8
    assert any(line.startswith(f"{all_claims - 7} rows of Findings") for line in written.left_out)


def test_a_campaign_says_what_it_hides(ranked_case, tmp_path, capsys):
    overview(ranked_case, tmp_path / "a.csv", "--campaign", "glp1-uk")
    said = capsys.readouterr().err
    assert "Campaign glp1-uk" in said
    assert re.search(r"not in the file: \d+ distinct claims that the campaign hides", said)
    assert len(csv_rows(tmp_path / "a.csv")) == 2  # the slimming injections
    overview(ranked_case, tmp_path / "b.csv", "--campaign", "testimonials-au")
    assert "not screened for that jurisdiction" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{none}", "-o", "{tmp}/a.csv"], "is no folder"),
        (["{tmp}", "-o", "{tmp}/a.csv"], "name the folder that mdclaims screen wrote"),
        (["{case}", "-o", "{tmp}/a.txt"], "must end in"),
        (["{case}", "-o", "{tmp}/there.csv"], "is there already"),
        (["{case}", "-o", "{tmp}/none/a.xlsx"], "cannot be written"),
        (["{case}", "-o", "{tmp}/a.csv", "--minutes", "0"], "--minutes must be"),
        (["{case}", "-o", "{tmp}/a.csv", "--campaign", "none"], "none that ships"),
    ],
)
def test_bad_input_is_one_line(ranked_case, tmp_path, capsys, arguments, said):
    (tmp_path / "there.csv").write_text("mine", encoding="utf-8")
    places = {"none": tmp_path / "none", "tmp": tmp_path, "case": ranked_case}
    assert run(["overview", *(argument.format(**places) for argument in arguments)]) in {2, 3}
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.csv"]


@pytest.mark.e2e
def test_help_loads_nothing_heavy():
    script = (
        "import sys; from mdclaims.cli import run; run(['overview', '--help']);"
        "print(sorted({'duckdb', 'pyarrow', 'openpyxl', 'datasketch', 'spacy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.e2e
def test_libreoffice_keeps_texts_and_drop_downs(files, tmp_path):
    program = Path("/usr/bin/soffice")
    if not program.exists():
        pytest.skip("LibreOffice is not installed")
    home = f"-env:UserInstallation=file://{tmp_path}/home"
    subprocess.run(
        [program, "--headless", home, "--convert-to", "xlsx", "--outdir", tmp_path / "out", files[0]],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    before, after = load_workbook(files[0]), load_workbook(tmp_path / "out" / "o.xlsx")
    for name in ("Sites", "Findings", "Coverage"):
        assert list(after[name].iter_rows(values_only=True)) == list(before[name].iter_rows(values_only=True))
    offered = [
        [(str(entry.sqref), entry.formula1) for entry in book["Findings"].data_validations.dataValidation]
        for book in (before, after)
    ]
    assert offered[0] == offered[1]
