"""How near two wordings are, and which words differ."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.findings import Difference
from mdclaims.findings.similarity import NEAR, Wordings, differences

CLEARED = "Shockwave therapy helps worn knees to heal."


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (CLEARED, []),
        ("SHOCKWAVE therapy helps\nworn knees to heal!", []),
        ("Shockwave therapy helps worn hips to heal.", [("knees", "hips")]),
        ("Shockwave therapy always helps worn knees to heal.", [("", "always")]),
        ("Shockwave therapy helps knees to heal.", [("worn", "")]),
        ("Laser therapy helps worn knees to heal fast.", [("Shockwave", "Laser"), ("", "fast")]),
    ],
)
def test_differences(after, expected):
    assert differences(CLEARED, after) == tuple(Difference(*pair) for pair in expected)


def test_figures_and_signs_are_words():
    assert differences("70% heal for £5.", "75% heal for $5.") == (Difference("70", "75"), Difference("£", "$"))


def test_nearest():
    wordings = Wordings(["Book now.", CLEARED, "We close early on Mondays."])
    assert wordings.nearest(CLEARED) == (1, 1.0)
    assert wordings.nearest("Shockwave therapy helps worn hips to heal.") == (1, pytest.approx(12 / 14))
    assert wordings.nearest("Our laser melts stubborn fat.") is None
    assert Wordings([]).nearest(CLEARED) is None
    assert wordings.nearest("…") is None


WORDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=9)


@given(WORDS, st.lists(WORDS, max_size=6))
def test_nearest_is_what_comparing_with_each_gives(words, others):
    def similarity(one, other):
        common = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i, a in enumerate(one):
            for j, b in enumerate(other):
                common[i + 1][j + 1] = common[i][j] + 1 if a == b else max(common[i][j + 1], common[i + 1][j])
        return 2 * common[-1][-1] / (len(one) + len(other))

    best = max((similarity(words, other) for other in others), default=0)
    found = Wordings([" ".join(other) for other in others]).nearest(" ".join(words))
    if best < NEAR - 1e-9:
        assert found is None
    elif best > NEAR + 1e-9:
        assert found is not None
        assert found[1] == pytest.approx(best)
        assert similarity(words, others[found[0]]) == pytest.approx(best)


@given(WORDS, WORDS)
def test_differences_turn_one_wording_into_the_other(before, after):
    found = differences(" ".join(before), " ".join(after))
    assert sum(len(entry.before.split()) for entry in found) - sum(len(entry.after.split()) for entry in found) == len(
        before
    ) - len(after)
    assert (not found) == (before == after)


def test_endless_texts_take_no_time():
    text = "word " * 200_000
    assert Wordings([text]).nearest(text + "x") is None
    assert len(differences(text, text + "x")) == 1
