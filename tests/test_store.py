"""The case on the disk: whole files, a journal that a cut line does not spoil, one writer, redirects."""

import json

import pytest

from mdclaims.cases.store import Case, CaseError, Part, PartWriter, chains, connect, write_file

PLAN = {"inputs": ["a"], "settings": {}, "versions": {}, "tasks": []}
PART = Part(0, 0, (120, 0), 1, 1, 0, {"pages/000000-0000.parquet": "00"})


def test_case_remembers_what_is_finished(tmp_path):
    case = Case(tmp_path / "case", PLAN)
    case.add_part(PART)
    case.add_done(0)
    case.close()
    with (tmp_path / "case" / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"part": {"task": 1, "num')
    again = Case(tmp_path / "case", PLAN)
    assert (again.parts, again.done) == ([PART], {0})
    again.add_done(1)
    again.close()
    assert len([json.loads(line) for line in (tmp_path / "case" / "journal.jsonl").read_text().splitlines()]) == 4


@pytest.mark.parametrize("key", ["inputs", "settings", "versions", "tasks"])
def test_case_is_of_one_plan(tmp_path, key):
    Case(tmp_path / "case", PLAN).close()
    with pytest.raises(CaseError, match="name another folder"):
        Case(tmp_path / "case", {**PLAN, key: ["other"]})


def test_case_has_one_writer(tmp_path):
    first = Case(tmp_path / "case", PLAN)
    with pytest.raises(CaseError, match="another process"):
        Case(tmp_path / "case", PLAN)
    first.close()
    Case(tmp_path / "case", PLAN).close()


def test_case_with_a_damaged_journal_is_refused(tmp_path):
    Case(tmp_path / "case", PLAN).close()
    (tmp_path / "case" / "journal.jsonl").write_bytes(b"{{{\n")
    with pytest.raises(CaseError, match="damaged"):
        Case(tmp_path / "case", PLAN)


def test_case_folder_may_have_any_name_but_a_pattern(tmp_path):
    with pytest.raises(CaseError, match="any name"):
        Case(tmp_path / "case[1]", PLAN)
    case = Case(tmp_path / "it's, a case", PLAN)
    writer = PartWriter(case.folder, 0, 0)
    writer.add("pages", {"page": "0-0", "site": "a.example", "file": "a", "outcome": "read"})
    files = writer.write(b"")
    case.add_part(Part(0, 0, (0, 0), 1, 1, 0, files))
    case.remove_strays()
    written = {**files, **case.join_evidence(), **case.write_redirects(), **case.write_views()}
    case.close()
    assert set(written) == {
        *(f"{table}/000000-0000.parquet" for table in ("pages", "sentences", "findings", "contacts", "others")),
        "offsets.parquet", "redirects.parquet", "views.sql",
    }  # fmt: skip
    with connect(case.folder) as connection:
        assert connection.execute("SELECT page, asked, evidence_offset FROM pages").fetchall() == [("0-0", None, None)]


def test_strays_are_removed(tmp_path):
    case = Case(tmp_path / "case", PLAN)
    write_file(case.folder / "pages" / "000007-0000.parquet", b"x")
    write_file(case.folder / "pages" / ".x.tmp", b"x")
    case.remove_strays()
    case.close()
    assert not list((case.folder / "pages").iterdir())


def test_a_case_that_is_not_finished_has_no_views(tmp_path):
    with pytest.raises(CaseError, match="no finished case"):
        connect(tmp_path)


def test_chains_of_redirects_end_where_they_lead():
    found = list(chains(iter([("w", "a", "b"), ("w", "b", "c"), ("v", "c", "d"), ("w", "x", "y"), ("w", "y", "x")])))
    ends = {(row["file"], row["asked"]): row["reached"] for row in found}
    assert ends["w", "a"] == ends["w", "b"] == "c"
    assert ends["v", "c"] == "d"
    assert ends["w", "x"] in {"x", "y"}
