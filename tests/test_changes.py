"""What changed between two versions: new, reworded, gone."""

from __future__ import annotations

from helpers import EFFICACY, stub_screener
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.changes import only_changes
from mdclaims.reading import read_bytes

OLD = "The laser [e90] relieves pain.\n\nWe close early on Mondays.\n\nCall our team [a90] today.\n"


def compare(old, new):
    screener = stub_screener()
    return only_changes(screener.screen_text(new), old and screener.screen_text(old), since="HEAD")


def said(result):
    changes = result.changes
    texts = [entry.sentence.text for entry in result.sentences]
    return (
        [texts[n] for n in changes.new],
        [(entry.before, texts[entry.sentence]) for entry in changes.reworded],
        [(entry.text, entry.labels) for entry in changes.gone],
    )


def test_new_reworded_and_gone():
    new = "The laser [e90] relieves back pain.\n\nWe close early on Mondays.\n\nA new [e95] cure is here.\n"
    result = compare(OLD, new)
    assert said(result) == (
        ["A new [e95] cure is here."],
        [("The laser [e90] relieves pain.", "The laser [e90] relieves back pain.")],
        [("Call our team [a90] today.", ("call_to_action",))],
    )
    assert [finding.sentence for finding in result.findings] == [0, 2]
    assert [entry.labels for entry in result.sentences] == [(EFFICACY,), (), (EFFICACY,)]


def test_what_did_not_change_has_no_findings():
    result = compare(OLD, OLD.replace("The laser", "THE  LASER").replace("our team", "OUR\u00a0team"))
    assert said(result) == ([], [], [])
    assert result.findings == ()
    assert result.changes.changed == frozenset()


def test_moving_is_no_change():
    one, two, three = OLD.strip().split("\n\n")
    assert said(compare(OLD, f"{three}\n\n{one}\n\n{two}")) == ([], [], [])


def test_without_an_old_version_everything_is_new():
    result = compare(None, OLD)
    assert len(result.changes.new) == 3
    assert len(result.findings) == 2


def test_a_second_copy_is_new_and_a_lost_copy_is_gone():
    claim = "The laser [e90] relieves pain today.\n\n"
    more = compare(claim, claim + "We have two rooms.\n\n" + claim)
    assert len(more.findings) == 1
    less = compare(claim + "We have two rooms.\n\n" + claim, claim)
    assert said(less) == ([], [], [("We have two rooms.", ()), ("The laser [e90] relieves pain today.", (EFFICACY,))])


def test_two_formats_are_compared_by_what_they_say():
    screener = stub_screener()
    page = read_bytes("<p>“It’s gentle – [s90] really.”</p>".encode(), source="p.html", format="html")
    text = screener.screen_text('"It\'s gentle - [s90] really."\n')
    assert said(only_changes(screener.screen_page(page), text, since="old.txt")) == ([], [], [])


PARTS = st.lists(
    st.sampled_from(["The laser [e90] heals.", "We close on Monday.", "Call us [a90] now.", "It is [s90] safe."]),
    min_size=1,
    max_size=6,
)


@given(PARTS, PARTS)
def test_counts_add_up(old, new):
    result = compare("\n\n".join(old), "\n\n".join(new))
    changes = result.changes
    kept = len(result.sentences) - len(changes.changed)
    assert len(old) == kept + len(changes.reworded) + len(changes.gone)
    assert {finding.sentence for finding in result.findings} <= changes.changed
