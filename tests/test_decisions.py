"""The log of decisions: nothing confirmed is lost, nothing changed goes unseen, two writers do not mix."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cases.decisions import STATES, Covered, Decisions, Draft, Origin, append, read_decisions
from mdclaims.cases.store import CaseError
from mdclaims.errors import ReadError, UsageError


def covered(number, quote="It cures knee pain."):
    return Covered(f"{number:016x}", "a.example", "https://a.example/", "efficacy_claim", None, "f", quote)


def draft(number, decision="upheld", reviewer="Ada", **more):
    return Draft(reviewer, decision, (covered(number),), **more)


def log(case):
    return case / "decisions.jsonl"


def test_a_decision_is_read_again_as_it_was_written(tmp_path):
    origin = Origin("may", "a" * 64, "b" * 64, "2026-05-01T00:00:00+00:00", "upheld", "reworded", "It heals.")
    first = Draft(
        "Ada Ö.", "upheld", (covered(1), covered(2, "It “cures”\n pain \u2028.")), "why", "UK-X", origin=origin
    )
    assert read_decisions(tmp_path).count == 0
    written = append(tmp_path, [first])
    decisions = read_decisions(tmp_path)
    assert [decisions.of(f"{n:016x}") for n in (1, 2)] == written * 2
    (decision,) = written
    assert (decision.reviewer, decision.reason, decision.provision) == ("Ada Ö.", "why", "UK-X")
    assert decision.origin == origin
    assert decisions.covers(decision) == first.covers
    assert decisions.of(f"{3:016x}") is None


def test_open_takes_a_decision_back_and_keeps_it_in_the_history(tmp_path):
    append(tmp_path, [draft(1), draft(1, "open")])
    decisions = read_decisions(tmp_path)
    assert decisions.of(f"{1:016x}") is None
    assert [entry.decision for entry in decisions.history(f"{1:016x}")] == ["upheld", "open"]


def test_conflicts_are_what_reviewers_say_differently_and_none_overrules(tmp_path):
    bea = {"reviewer": "Bea"}
    append(tmp_path, [
        draft(1), draft(1, "dismissed", **bea),                             # a conflict
        draft(2), draft(2, "upheld", **bea),                                # they agree
        draft(3), draft(3, "dismissed"),                                    # changed her mind
        draft(4), draft(4, "dismissed", **bea, overrules=True),             # overruled
        draft(5), draft(5, "dismissed", **bea), draft(5, "open", **bea),    # taken back
    ])  # fmt: skip
    decisions = read_decisions(tmp_path)
    assert {key: [entry.reviewer for entry in value] for key, value in decisions.conflicts().items()} == {
        f"{1:016x}": ["Ada", "Bea"]
    }
    append(tmp_path, [draft(1, "referred", "Cyd", overrules=True)])
    decisions.refresh()
    assert decisions.conflicts() == {}
    assert decisions.of(f"{1:016x}").decision == "referred"


@pytest.mark.parametrize(
    "wrong",
    [
        {"decision": "breach"}, {"reviewer": ""}, {"reviewer": " Ada"}, {"reviewer": "A\nB"}, {"reason": "x" * 20_001},
        {"covers": ()}, {"covers": (replace(covered(1), exhibit="../../x"),)},
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_and_writes_nothing(tmp_path, wrong):
    with pytest.raises(UsageError):
        append(tmp_path, [draft(1), replace(draft(2), **wrong)])
    assert read_decisions(tmp_path).count == 0


@given(st.data())
def test_every_change_of_a_line_that_another_follows_is_found(tmp_path_factory, data):
    case = tmp_path_factory.mktemp("case")
    append(case, [draft(n, reason=f"reason {n}") for n in range(4)])
    lines = log(case).read_bytes().splitlines(keepends=True)
    whole = b"".join(lines)
    place = data.draw(st.integers(0, sum(map(len, lines[:3])) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    log(case).write_bytes(whole[:place] + bytes([other]) + whole[place + 1 :])
    with pytest.raises(ReadError, match=r"line [1-4]"):
        read_decisions(case)


@pytest.mark.parametrize("change", [lambda rows: rows[1:], lambda rows: [rows[1], rows[0]], lambda rows: rows[:1] * 2])
def test_lines_taken_out_swapped_or_doubled_are_found(tmp_path, change):
    append(tmp_path, [draft(1), draft(2)])
    lines = log(tmp_path).read_bytes().splitlines(keepends=True)
    log(tmp_path).write_bytes(b"".join(change(lines)))
    with pytest.raises(ReadError, match="does not follow"):
        read_decisions(tmp_path)


@pytest.mark.parametrize(
    "row",
    [
        b"[]", b"{}", b"null", b"7", b"{" * 5_000, b"\xff", b"", b'{"previous": "0"}',
        *(json.dumps({"time": "2026-05-01T00:00:00+00:00", "reviewer": "A", "decision": "upheld", "reason": "",
                      "provision": None, "exhibits": ["0" * 16], "overrules": False, "origin": None,
                      "about": [{"site": "", "address": "", "label": None, "rule": None, "fingerprint": "",
                                 "quote": ""}],
                      "previous": "0" * 64} | wrong).encode() for wrong in (
            {"time": "now"}, {"time": "2026-05-01T00:00:00"}, {"decision": "guilty"}, {"exhibits": []}, {"about": []},
            {"exhibits": ["x"]}, {"about": [{}]}, {"reviewer": None}, {"provision": 1}, {"origin": {}}, {"origin": []},
        )),
    ],
)  # fmt: skip
def test_a_log_of_someone_else_is_refused_in_one_line(tmp_path, row):
    log(tmp_path).write_bytes(row + b"\n")
    with pytest.raises(ReadError, match="line 1") as error:
        read_decisions(tmp_path)
    assert "\n" not in str(error.value)


def test_a_link_is_neither_read_nor_written(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    log(tmp_path / "case").symlink_to(tmp_path / "elsewhere")
    for act in (lambda: read_decisions(tmp_path / "case"), lambda: append(tmp_path / "case", [draft(1)])):
        with pytest.raises(ReadError, match="link"):
            act()
    assert (tmp_path / "elsewhere").read_text() == "mine"


@given(st.integers(0, 2_000))
def test_a_log_cut_anywhere_keeps_its_whole_lines_and_takes_new_ones(tmp_path_factory, cut):
    case = tmp_path_factory.mktemp("case")
    append(case, [draft(n) for n in range(4)])
    data = log(case).read_bytes()
    kept = data[: min(cut, len(data))]
    log(case).write_bytes(kept)
    decisions = read_decisions(case)
    assert decisions.count == kept.count(b"\n")
    assert decisions.torn == len(kept) - (kept.rfind(b"\n") + 1)
    append(case, [draft(9)], decisions)
    again = read_decisions(case)
    assert (again.count, again.torn) == (kept.count(b"\n") + 1, 0)
    assert again.of(f"{9:016x}") is not None


def test_nobody_decides_over_what_another_decided_meanwhile(tmp_path):
    seen = read_decisions(tmp_path)
    append(tmp_path, [draft(1, "dismissed", "Bea"), draft(2, "dismissed", "Bea")])
    with pytest.raises(CaseError, match="was dismissed by Bea in the meantime"):
        append(tmp_path, [draft(3), draft(1)], seen)
    assert read_decisions(tmp_path).count == 2
    assert [entry.decision for entry in append(tmp_path, [draft(1)], seen)] == ["upheld"]  # now it has been seen


def test_a_full_disk_writes_all_or_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    append(tmp_path, [draft(1)])
    script = (
        "import resource, signal, sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from test_decisions import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))\n"
        "try: append(Path(sys.argv[1]), [draft(n) for n in range(100)])\n"
        "except CaseError as error: print(error)"
    )
    assert resource
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path, Path(__file__).parent], capture_output=True, text=True, check=True
    )
    assert "cannot be written (File too large)" in result.stdout
    decisions = read_decisions(tmp_path)
    assert (decisions.count, decisions.torn) == (1, 0)


WRITER = """
import sys; sys.path.insert(0, sys.argv[3])
from pathlib import Path
from test_decisions import *
for n in range(int(sys.argv[2]), 10**9, 1000):
    append(Path(sys.argv[1]), [draft(n, reviewer=sys.argv[2], reason="x" * (n % 5_000))])
    print(n, flush=True)
"""


def writer(case, number):
    arguments = [sys.executable, "-c", WRITER, str(case), str(number), Path(__file__).parent]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_killed_at_any_moment_no_confirmed_decision_is_lost(tmp_path):
    confirmed = set()
    for attempt in range(4):
        processes = [writer(tmp_path, 10 * attempt + n) for n in range(2)]
        for process in processes:
            process.stdout.readline()
        time.sleep(0.05 + 0.07 * attempt)
        for process in processes:
            process.send_signal(signal.SIGKILL)
        for process in processes:
            # What comes after the last line end was not told in full.
            told = process.communicate()[0].rpartition("\n")[0]
            confirmed.update(map(int, told.split()))
    decisions = read_decisions(tmp_path)
    assert len(confirmed) > 20
    assert all(decisions.of(f"{n:016x}") for n in confirmed)
    assert {decision.reviewer for n in confirmed for decision in decisions.history(f"{n:016x}")} > {"10", "11"}


def test_many_writers_at_once_make_one_chain(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: append(tmp_path, [draft(n)]), range(80)))
    decisions = read_decisions(tmp_path)
    assert decisions.count == len(set(decisions.exhibits())) == 80
    assert isinstance(decisions, Decisions)
    assert set(STATES) >= {decisions.of(exhibit).decision for exhibit in decisions.exhibits()}
