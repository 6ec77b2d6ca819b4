"""The queue of a case: its order, what is open, what somebody else decides meanwhile, and taking back."""

import gzip
import shutil

import pytest
from cases import exhibits, make_case

from mdclaims.cases.casefile import open_case
from mdclaims.cases.decisions import Draft, append, read_decisions
from mdclaims.cases.store import CaseError
from mdclaims.desk.queue import Filter, Queue
from mdclaims.labels import PRIORITIES

PAGE = (
    "<!doctype html><html lang=en><title>{0} care</title><h1>{0} pain</h1>"
    "<p>Our shockwave therapy cures {0} pain for good in six sessions. It is completely safe.</p>"
    "<p>Call us today to book your visit.</p>"
)


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    pages = {f"https://{site}.example/{name}": PAGE.format(name) for site in "ab" for name in ("knee", "back")}
    return make_case(tmp_path_factory.mktemp("screened"), pages)


@pytest.fixture
def queue(screened, tmp_path):
    with open_case(shutil.copytree(screened, tmp_path / "case")) as case:
        yield Queue(case)


def walked(queue, which):
    """Return the open exhibits in the order in which they come up, deciding about none."""
    found = [queue.next(which)]
    while len(found) < 1_000:
        following = queue.next(which, found[-1])
        if following == found[0] or following is None:
            return found
        found.append(following)
    raise AssertionError("it never ends")


def decide(queue, exhibit, decision="upheld", reviewer="Ada", seen=0, copies=(), **more):
    return queue.decide(Draft(reviewer, decision, (), **more), [exhibit, *copies], seen)


def test_the_queue_has_every_exhibit_once_the_urgent_first(queue):
    rows = {row["exhibit"]: row for row in exhibits(queue.case.folder)}
    order = walked(queue, Filter())
    assert sorted(order) == sorted(rows)
    urgency = [(PRIORITIES.index(rows[exhibit]["priority"]), rows[exhibit]["site"]) for exhibit in order]
    assert urgency == sorted(urgency)
    assert queue.counts(Filter()) == (len(rows), len(rows))


def test_a_filter_shows_one_site_or_one_urgency(queue):
    rows = {row["exhibit"]: row for row in exhibits(queue.case.folder)}
    for which, column, value in ((Filter("b.example"), "site", "b.example"), (Filter("", "high"), "priority", "high")):
        wanted = {exhibit for exhibit, row in rows.items() if row[column] == value}
        assert set(walked(queue, which)) == wanted
        assert queue.counts(which) == (len(wanted), len(wanted))
    assert queue.next(Filter("none.example")) is None


def test_what_is_decided_leaves_the_queue_and_taking_back_brings_it_back(queue):
    every, _ = queue.counts(Filter())
    first = queue.next(Filter())
    made = decide(queue, first)
    assert queue.next(Filter()) != first
    assert queue.counts(Filter()) == (every, every - 1)
    assert queue.sites()[0].findings == every // 2
    assert sum(site.open for site in queue.sites()) == every - 1
    queue.take_back(first, made.number, "Ada")
    assert queue.next(Filter()) == first
    assert queue.counts(Filter()) == (every, every)


def test_taking_a_second_thought_back_brings_the_first_back(queue):
    first = queue.next(Filter())
    decide(queue, first, reason="no source", provision="UK-CAP-12.1")
    made = decide(queue, first, "dismissed", seen=1)
    queue.take_back(first, made.number, "Ada")
    last = read_decisions(queue.case.folder).of(first)
    assert (last.decision, last.reason, last.provision) == ("upheld", "no source", "UK-CAP-12.1")


def test_only_the_last_decision_of_ones_own_is_taken_back(queue):
    first = queue.next(Filter())
    made = decide(queue, first)
    for reviewer, number in (("Bea", made.number), ("Ada", 7)):
        with pytest.raises(CaseError, match="of your own"):
            queue.take_back(first, number, reviewer)
    decide(queue, first, "dismissed", seen=made.number)
    with pytest.raises(CaseError, match="decided since"):
        queue.take_back(first, made.number, "Ada")


def test_what_somebody_else_decides_counts_at_once_and_is_not_written_over(queue):
    first = queue.next(Filter())
    covers = tuple(read_decisions(queue.case.folder).covers(decide(queue, first)))
    append(queue.case.folder, [Draft("Bea", "dismissed", covers, overrules=True)])
    with pytest.raises(CaseError, match="Bea decided about it in the meantime"):
        decide(queue, first, "referred", seen=1)
    assert queue.decisions.of(first).reviewer == "Bea"
    assert [entry.reviewer for entry in queue.recent] == ["Ada", "Bea"]
    second = queue.next(Filter())
    rows = exhibits(queue.case.folder, exhibit=second)
    other = covers[0].__class__(second, "", "", None, None, rows[0]["fingerprint"], "")
    append(queue.case.folder, [Draft("Bea", "dismissed", (other,))])
    queue.refresh()
    assert queue.next(Filter()) not in {first, second}


def test_copies_are_the_open_ones_of_the_same_site(queue):
    rows = exhibits(queue.case.folder, quote="Call us today to book your visit.", site="a.example")
    one, other = (row for row in rows if row["label"] == "call_to_action")
    assert queue.copies(one["exhibit"]) == [(other["exhibit"], other["address"])]
    made = decide(queue, one["exhibit"], copies=[other["exhibit"]])
    assert made.exhibits == (one["exhibit"], other["exhibit"])
    assert queue.copies(one["exhibit"]) == []
    queue.take_back(one["exhibit"], made.number, "Ada")
    assert len(queue.copies(one["exhibit"])) == 1


def test_an_exhibit_that_is_not_there_is_not_decided(queue):
    with pytest.raises(CaseError, match="is not in this case"):
        decide(queue, "0" * 16)
    assert queue.exhibit("0" * 16) is None
    assert queue.decisions.count == 0


def test_the_record_of_an_exhibit_is_the_one_of_its_page(queue):
    for row in exhibits(queue.case.folder):
        record = gzip.decompress(queue.evidence(queue.exhibit(row["exhibit"])))
        assert record.count(b"WARC-Target-URI") == 1
        assert f"WARC-Target-URI: {row['address']}\r\n".encode() in record
