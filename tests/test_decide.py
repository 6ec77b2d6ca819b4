"""`mdclaims decide`: sheets as people send them back, and decisions of an earlier screening."""

import csv
import hashlib
import shutil

import openpyxl
import pytest
from cases import exhibits, make_case

from mdclaims.cases.decide import COLUMNS
from mdclaims.cases.decisions import read_decisions
from mdclaims.cases.exhibits import exhibit_id, file_address
from mdclaims.cases.screen import ScreenOptions, screen
from mdclaims.cases.store import write_file
from mdclaims.cases.verify import VerifyOptions, verify
from mdclaims.cli import run
from mdclaims.config import Settings

KNEE = (
    "<!doctype html><html lang=en><title>Knee care</title><h1>Knee pain</h1>"
    "<p>Our shockwave therapy cures knee pain for good in six sessions. It is completely safe.</p>"
    "<p>We are open from Monday to Friday.</p>"
)
BACK = (
    "<!doctype html><html lang=en><title>Back care</title><h1>Back pain</h1>"
    "<p>Our “shockwave” therapy rebuilds worn discs within a month.</p>"
    "<p>Our shockwave therapy cures knee pain for good in six sessions.</p>"
)
CURE = "Our shockwave therapy cures knee pain for good in six sessions."
SAFE = "It is completely safe."
DISCS = "Our “shockwave” therapy rebuilds worn discs within a month."
RULE = "UK-CAP-12.1"


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    pages = {"https://a.example/knee": KNEE, "https://a.example/back": BACK, "https://b.example/knee": KNEE}
    return make_case(tmp_path_factory.mktemp("screened"), pages)


@pytest.fixture
def case(screened, tmp_path):
    return shutil.copytree(screened, tmp_path / "case")


def id_of(case, quote, address="https://a.example/knee", label="efficacy_claim"):
    (row,) = exhibits(case, quote=quote, address=address, label=label)
    return row["exhibit"]


def safe_id(case):
    return id_of(case, SAFE, label="safety_claim")


def sheet(path, rows, columns=COLUMNS, name="Findings"):
    """Write a sheet as overview does, or a CSV."""
    rows = [columns, *([row.get(column) for column in columns] for row in rows)]
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            csv.writer(stream).writerows(rows)
    else:
        book = openpyxl.Workbook()
        book.active.title = name
        for row in rows:
            book.active.append(row)
        book.save(path)
    return path


def decide(capsys, *arguments, code=0):
    assert run(["decide", *map(str, arguments)]) == code, capsys.readouterr()
    return capsys.readouterr()


def states(case):
    decisions = read_decisions(case)
    return {exhibit: decisions.of(exhibit).decision for exhibit in decisions.exhibits() if decisions.of(exhibit)}


def test_an_exhibits_id_is_the_same_in_sql_and_python(screened, tmp_path):
    rows = exhibits(screened)
    assert len(rows) > 6
    assert all(row["exhibit"] == exhibit_id(row["address"], row["fingerprint"]) for row in rows)
    ids = []
    for name in ("may", "june"):
        (tmp_path / name / "a.example").mkdir(parents=True)
        (tmp_path / name / "a.example" / "knee.html").write_text(KNEE, encoding="utf-8")
        screen([str(tmp_path / name)], tmp_path / f"case-{name}", ScreenOptions(settings=Settings(mode="screen")))
        rows = exhibits(tmp_path / f"case-{name}")
        assert {row["exhibit"] for row in rows} == {
            exhibit_id(file_address(row["file"]), row["fingerprint"]) for row in rows
        }
        ids.append([row["exhibit"] for row in rows])
    assert ids[0] == ids[1]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_what_a_sheet_says_is_written_once(case, tmp_path, capsys, suffix):
    cure, safe = id_of(case, CURE), safe_id(case)
    rows = [
        {
            "exhibit": cure,
            "decision": "upheld",
            "provision": RULE,
            "note": "'=no source" if suffix == ".csv" else "=no",
        },
        {"exhibit": safe, "decision": "Dismissed ", "reviewer": "Bea"},
        {"exhibit": id_of(case, DISCS, "https://a.example/back"), "note": "later"},
    ]
    path = sheet(tmp_path / f"done{suffix}", rows)
    if suffix == ".xlsx":  # what is text for us is no formula for the spreadsheet
        book = openpyxl.load_workbook(path)
        book["Findings"].cell(2, 4).data_type = "s"
        book.save(path)
    out = decide(capsys, case, path, "--reviewer", "Ada")
    assert out.out == (
        "written: 2 new, 0 changed; not written: 0 unchanged, 0 in conflict, 1 rows without a decision\n"
    )
    assert "1 notes or provisions stand in rows without a decision" in out.err
    decisions = read_decisions(case)
    upheld = decisions.of(cure)
    assert (upheld.reviewer, upheld.provision) == ("Ada", RULE)
    assert upheld.reason == ("=no source" if suffix == ".csv" else "=no")
    assert decisions.covers(upheld)[0].quote == CURE
    assert (decisions.of(safe).reviewer, decisions.of(safe).decision) == ("Bea", "dismissed")
    before = (case / "decisions.jsonl").read_bytes()
    again = decide(capsys, case, path, "--reviewer", "Ada")
    assert again.out.startswith("written: 0 new, 0 changed; not written: 2 unchanged")
    assert (case / "decisions.jsonl").read_bytes() == before


def test_a_changed_mind_is_told_from_another_reviewers(case, tmp_path, capsys):
    cure = id_of(case, CURE)
    path = tmp_path / "a.csv"
    decide(capsys, case, sheet(path, [{"exhibit": cure, "decision": "upheld"}]), "--reviewer", "Ada")
    mine = sheet(path, [{"exhibit": cure, "decision": "referred", "reviewer": "Ada"}])
    assert "0 new, 1 changed" in decide(capsys, case, mine).out
    # The overview fills in who decided last; Bea changes the decision and leaves that as it is.
    hers = sheet(path, [{"exhibit": cure, "decision": "dismissed", "reviewer": "Ada"}])
    out = decide(capsys, case, hers, "--reviewer", "Bea", code=1)
    assert f"in conflict: exhibit {cure}: referred by Ada in the case, dismissed by Bea in row 2" in out.err
    assert states(case) == {cure: "referred"}
    assert "0 new, 1 changed" in decide(capsys, case, hers, "--reviewer", "Bea", "--overrule").out
    assert states(case) == {cure: "dismissed"}
    assert read_decisions(case).conflicts() == {}
    taken_back = sheet(path, [{"exhibit": cure, "decision": "open", "reviewer": "Bea"}])
    decide(capsys, case, taken_back)
    assert states(case) == {cure: "referred"}  # Bea's word is gone, Ada's stands again


def test_two_reviewers_in_one_sheet(case, tmp_path, capsys):
    cure, safe = id_of(case, CURE), safe_id(case)
    rows = [
        {"exhibit": cure, "decision": "upheld", "reviewer": "Ada"},
        {"exhibit": cure, "decision": "dismissed", "reviewer": "Bea"},
        {"exhibit": safe, "decision": "upheld", "reviewer": "Ada"},
        {"exhibit": safe, "decision": "upheld", "reviewer": "Ada"},
    ]
    out = decide(capsys, case, sheet(tmp_path / "a.xlsx", rows), code=1)
    assert "upheld by Ada in row 2, dismissed by Bea in row 3; neither is written" in out.err
    assert states(case) == {safe: "upheld"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"exhibit": "1.23E+15"}, "row 3: '1.23E+15' is no exhibit's id"),
        ({"exhibit": "0" * 16}, "row 3: exhibit 0000000000000000 is not in"),
        ({"decision": "guilty"}, "row 3: 'guilty' is no decision; choose open, upheld"),
        ({"provision": "UK-NONE"}, "row 3: 'UK-NONE' is no provision's id"),
        ({"reviewer": ""}, "row 3: it names no reviewer"),
        ({"reviewer": "A\nB"}, "row 3: a reviewer's name is one line"),
        ({"exhibit": "first"}, "row 3: Ada decided otherwise on the same exhibit in row 2"),
    ],
)
def test_a_sheet_with_a_wrong_row_writes_nothing(case, tmp_path, capsys, wrong, told):
    first = {"exhibit": id_of(case, CURE), "decision": "upheld", "reviewer": "Ada"}
    if wrong == {"exhibit": "first"}:
        wrong = {"exhibit": first["exhibit"]}
    second = {"exhibit": safe_id(case), "decision": "dismissed", "reviewer": "Ada", **wrong}
    out = decide(capsys, case, sheet(tmp_path / "a.xlsx", [first, second]), code=2)
    assert told in out.err
    assert "1 row cannot be written, so nothing was" in out.err
    assert not (case / "decisions.jsonl").exists()


def test_what_is_no_sheet_is_told_in_one_line(case, tmp_path, capsys):
    for name, data, told in (
        ("a.xlsx", b"PK\3\4 no", "no Excel file"),
        ("a.csv", b"\xff\xfe\0", "is not UTF-8"),
        ("b.csv", b"exhibit,note\n", "has no column decision"),
        ("c.csv", b"", "has no column exhibit and no column decision"),
        ("a.ods", b"", "neither .xlsx nor .csv"),
    ):
        write_file(tmp_path / name, data)
        out = decide(capsys, case, tmp_path / name, code=3)
        assert told in out.err
        assert out.err.count("\n") == 1
    other = sheet(tmp_path / "other.xlsx", [], name="Tabelle1")
    assert "has no sheet Findings" in decide(capsys, case, other, code=3).err
    assert "cannot be read" in decide(capsys, case, tmp_path / "none.xlsx", code=3).err
    assert "cannot be read" in decide(capsys, case, tmp_path / "none.csv", code=3).err
    assert "is no folder" in decide(capsys, tmp_path / "none", other, code=3).err
    for arguments in ((case,), (case, other, "--from", case), (case, "--from", case, "--copies")):
        assert decide(capsys, *arguments, code=2).err.count("\n") == 1


def test_a_sheet_as_excel_writes_it_where_the_comma_is_the_decimal_sign(case, tmp_path, capsys):
    cure = id_of(case, CURE)
    (tmp_path / "a.csv").write_text(f"site;exhibit;decision;reviewer\r\na;{cure};upheld;Ada\r\n", encoding="utf-8-sig")
    decide(capsys, case, tmp_path / "a.csv")
    assert states(case) == {cure: "upheld"}


def test_copies_are_those_of_the_site_that_are_open(case, tmp_path, capsys):
    copies = {row["exhibit"] for row in exhibits(case, quote=CURE, site="a.example", label="efficacy_claim")}
    assert len(copies) == 2
    path = sheet(tmp_path / "a.csv", [{"exhibit": id_of(case, CURE), "decision": "upheld", "reviewer": "Ada"}])
    assert "1 new, 0 changed, 1 copies decided with them" in decide(capsys, case, path, "--copies").out
    assert states(case) == dict.fromkeys(copies, "upheld")
    (decision,) = {read_decisions(case).of(exhibit) for exhibit in copies}
    assert set(decision.exhibits) == copies


def test_copies_decided_differently_stay_apart(case, tmp_path, capsys):
    one, other = (row["exhibit"] for row in exhibits(case, quote=CURE, site="a.example", label="efficacy_claim"))
    rows = [{"exhibit": one, "decision": "upheld"}, {"exhibit": other, "decision": "dismissed"}]
    decide(capsys, case, sheet(tmp_path / "a.csv", rows), "--copies", "--reviewer", "Ada")
    assert states(case) == {one: "upheld", other: "dismissed"}


def test_a_dry_run_writes_nothing(case, tmp_path, capsys):
    path = sheet(tmp_path / "a.csv", [{"exhibit": id_of(case, CURE), "decision": "upheld", "reviewer": "Ada"}])
    for copies in ([], ["--copies"]):
        assert decide(capsys, case, path, "--dry-run", *copies).out.startswith("would be written: 1 new")
    assert not (case / "decisions.jsonl").exists()


def test_verify_knows_the_log_and_finds_a_change_in_it(case, tmp_path, capsys):
    rows = [{"exhibit": id_of(case, quote), "decision": "upheld", "reviewer": "Ada"} for quote in (CURE,)]
    rows.append({"exhibit": safe_id(case), "decision": "dismissed", "reviewer": "Ada"})
    decide(capsys, case, sheet(tmp_path / "a.csv", rows))
    options = VerifyOptions(workers=0)
    result = verify(case, options)
    assert result.holds
    assert not [remark for remark in result.open if "decisions" in remark.where]
    lines = (case / "decisions.jsonl").read_bytes().splitlines()
    assert (result.decisions, result.decisions_head) == (2, hashlib.sha256(lines[-1]).hexdigest())
    (case / "decisions.jsonl").write_bytes(b"\n".join([*lines, b'{"time": "2026']))
    torn = verify(case, options)
    assert torn.holds
    assert any("cut while it was written" in remark.reason for remark in torn.open)
    (case / "decisions.jsonl").write_bytes(b"\n".join([lines[0].replace(b"Ada", b"Eve"), lines[1], b""]))
    changed = verify(case, options)
    assert not changed.holds
    assert "line 2 does not follow on the line before" in changed.fails[0].reason
    assert run(["decide", str(case), str(tmp_path / "a.csv")]) == 3  # nothing is added to it


# --- a later screening ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """The same site later: one claim reworded, one moved to another page, the others as they were."""
    pages = {
        "https://a.example/knee": KNEE.replace("for good in six", "for good in only six").replace(SAFE, ""),
        "https://a.example/about": KNEE.replace(CURE, "").replace("Knee pain", "About us"),
        "https://a.example/back": BACK,
        "https://b.example/knee": KNEE,
    }
    return make_case(tmp_path_factory.mktemp("later"), pages, date="2026-09-01T09:30:00Z")


def test_a_later_screening_carries_decisions_over(case, later, tmp_path, capsys):
    back = {"address": "https://a.example/back"}
    cure, safe = id_of(case, CURE), safe_id(case)
    same, fixed = id_of(case, CURE, **back), id_of(case, DISCS, **back)
    rows = [
        {"exhibit": cure, "decision": "upheld", "provision": RULE, "note": "no source"},
        {"exhibit": safe, "decision": "referred"},
        {"exhibit": same, "decision": "dismissed"},
        {"exhibit": fixed, "decision": "fixed"},
    ]
    decide(capsys, case, sheet(tmp_path / "a.csv", rows), "--reviewer", "Ada")
    new = shutil.copytree(later, tmp_path / "later")
    told = "carried over: 1; open again with the old decision beside: 1 reworded, 1 moved, 1 fixed and still there"
    assert f"would be {told}" in decide(capsys, new, "--from", case, "--dry-run").out
    assert told in decide(capsys, new, "--from", case).out
    assert states(new) == {same: "dismissed"}
    decisions = read_decisions(new)
    carried = decisions.of(same)
    assert (carried.reviewer, carried.origin.case, carried.origin.why) == ("Ada", "case", None)
    assert carried.origin.line == read_decisions(case).line_sha256(read_decisions(case).of(same))
    reworded = CURE.replace("in six", "in only six")
    (old,) = decisions.history(id_of(new, reworded))
    assert (old.decision, old.origin.decision, old.origin.why, old.origin.quote) == ("open", "upheld", "reworded", CURE)
    assert (old.reason, old.provision) == ("no source", RULE)
    (moved,) = decisions.history(id_of(new, SAFE, "https://a.example/about", "safety_claim"))
    assert (moved.origin.why, moved.origin.decision) == ("moved", "referred")
    assert decisions.history(fixed)[0].origin.why == "still there"
    again = decide(capsys, new, "--from", case)
    assert "carried over: 0;" in again.out
    assert "decided here already: 4; not in this case: 0" in again.out
    assert read_decisions(new).count == 4


def test_what_is_gone_is_counted(case, tmp_path, capsys):
    other = make_case(tmp_path / "other", {"https://a.example/back": BACK})
    path = sheet(tmp_path / "a.csv", [{"exhibit": safe_id(case), "decision": "upheld", "reviewer": "Ada"}])
    decide(capsys, case, path)
    assert "not in this case: 1" in decide(capsys, other, "--from", case).out
    assert not read_decisions(other).count
    assert "is the case itself" in decide(capsys, case, "--from", case, code=2).err
