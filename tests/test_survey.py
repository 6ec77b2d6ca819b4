"""Estimates from stratified samples: exact where everything was drawn, and intervals that cover as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.model.survey import POOLED, Judged, Stratum, allocate, estimate, estimate_lines

LABELS = ("one", "two")


class Population:
    """Sentences with what the model found and what they really carry, in the strata of a case."""

    def __init__(self, seed, *, size=8000, precision=0.8, missed_near=0.1, missed_far=0.002, share=0.2):
        generator = np.random.default_rng(seed)
        self.found = generator.random((size, 2)) < (share, share / 6)
        near = ~self.found.any(axis=1) & (generator.random(size) < 0.15)
        rate = np.where(near, missed_near, missed_far)[:, None]
        self.truth = np.where(self.found, generator.random((size, 2)) < precision, generator.random((size, 2)) < rate)
        rarest = np.where(self.found[:, 1], "found two", "found one")
        self.names = np.where(self.found.any(axis=1), rarest, np.where(near, "near", "far"))

    def strata(self):
        result = []
        for name in ("found one", "found two", "near", "far"):
            inside = self.names == name
            counts = self.found[inside].sum(axis=0) if name.startswith("found") else []
            result.append(Stratum(name, int(inside.sum()), dict(zip(LABELS, map(int, counts), strict=False))))
        return result

    def row(self, n):
        carried = dict(zip(LABELS, map(float, self.truth[n]), strict=True))
        found = frozenset(label for label, is_found in zip(LABELS, self.found[n], strict=True) if is_found)
        return Judged(str(self.names[n]), found, {**carried, POOLED: float(self.truth[n].any())})

    def sample(self, total, generator):
        strata = self.strata()
        counts = [
            *allocate(total // 2, [s.size for s in strata[:2]], [math.sqrt(s.size) for s in strata[:2]]),
            *allocate(total - total // 2, [s.size for s in strata[2:]], [1, 1]),
        ]
        for stratum, count in zip(strata, counts, strict=True):
            inside = np.flatnonzero(self.names == stratum.name)
            yield from (self.row(n) for n in generator.choice(inside, count, replace=False))

    def figures(self):
        """Return (precision, share missed) of each label and pooled."""
        columns = [(self.found[:, n], self.truth[:, n]) for n in range(2)]
        columns.append((self.found.any(axis=1), self.truth.any(axis=1)))
        return [((found & true).sum() / found.sum(), (~found & true).sum() / true.sum()) for found, true in columns]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"precision": 0.97, "missed_near": 0.04, "missed_far": 0.0005},
        {"precision": 0.5, "missed_near": 0.3, "missed_far": 0.01, "share": 0.6},
        {"size": 500, "missed_near": 0.2},
    ],
)
def test_intervals_cover_at_their_nominal_rate(how):
    population = Population(1, **how)
    truth = population.figures()
    generator = np.random.default_rng(2)
    rounds = 400
    covered = np.zeros((len(truth), 2))
    for _ in range(rounds):
        for n, row in enumerate(estimate(population.strata(), list(population.sample(200, generator)), LABELS)):
            for column, interval in enumerate((row.precision, row.missed)):
                covered[n, column] += interval.low - 1e-12 <= truth[n][column] <= interval.high + 1e-12
    rates = covered / rounds
    # 95 % is nominal. Wilson's interval keeps it on average, and dips where few wrong findings can be drawn.
    assert rates.min() > 0.88, rates
    assert 0.93 < rates.mean() < 0.98, rates


def test_estimates_are_unbiased():
    population = Population(3)
    generator = np.random.default_rng(4)
    found, missed = [], []
    for _ in range(400):
        rows = estimate(population.strata(), list(population.sample(200, generator)), LABELS)
        found.append(rows[0].precision.value)
        missed.append(rows[0].missed_sentences.value)
    count = int((~population.found[:, 0] & population.truth[:, 0]).sum())
    assert np.mean(found) == pytest.approx(population.figures()[0][0], abs=3 * np.std(found) / 20)
    assert np.mean(missed) == pytest.approx(count, abs=3 * np.std(missed) / 20)


def test_everything_drawn_gives_the_truth_without_an_interval():
    population = Population(5, size=300)
    rows = [population.row(n) for n in range(300)]
    for row, (precision, missed) in zip(estimate(population.strata(), rows, LABELS), population.figures(), strict=True):
        assert (row.precision.low, row.precision.value, row.precision.high) == pytest.approx((precision,) * 3)
        assert (row.missed.low, row.missed.value, row.missed.high) == pytest.approx((missed,) * 3)


def test_no_claim_missed_in_the_sample_leaves_the_question_open():
    strata = [Stratum("found", 100, {"one": 100}), Stratum("far", 1000, {})]
    rows = [Judged("found", frozenset({"one"}), {"one": 1.0, POOLED: 1.0})] * 50
    rows += [Judged("far", frozenset(), {"one": 0.0, POOLED: 0.0})] * 50
    one, pooled = estimate(strata, rows, ["one"])
    assert (one.missed.value, one.missed.low) == (0, 0)
    assert 0.3 < one.missed.high < 0.5  # up to 68 of 1,000 may be claims beside the 100 found
    assert 0.9 < one.precision.low < one.precision.high == 1
    assert pooled.precision == one.precision


def test_what_was_not_judged_is_not_guessed():
    strata = [Stratum("found", 10, {"one": 10}), Stratum("far", 50, {})]
    rows = [Judged("found", frozenset({"one"}), {"one": 1.0, POOLED: 1.0})] * 5
    one, _ = estimate(strata, rows, ["one"])
    assert one.precision.value == 1
    assert math.isnan(one.missed.value)
    assert one.to_json()["missed"] == [None, None, None]
    assert "no sentence" in list(estimate_lines([one]))[1]


def test_a_label_without_findings_was_missed_wherever_it_stands():
    strata = [Stratum("found", 10, {"one": 10}), Stratum("far", 10, {})]
    carried = {"one": 0.0, "two": 1.0, POOLED: 1.0}
    rows = [Judged("found", frozenset({"one"}), carried)] * 10 + [Judged("far", frozenset(), carried)] * 5
    two = estimate(strata, rows, LABELS)[1]
    assert math.isnan(two.precision.value)
    assert (two.missed.value, two.missed.low, two.missed.high) == (1, 1, 1)
    assert two.missed_sentences.value == 20


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0.01, 5)), min_size=1, max_size=5),
    st.integers(0, 120),
)
def test_allocation_gives_what_there_is(strata, total):
    sizes, shares = [size for size, _ in strata], [share for _, share in strata]
    given_ = allocate(total, sizes, shares)
    assert sum(given_) == min(total, sum(sizes))
    assert all(0 <= count <= size for count, size in zip(given_, sizes, strict=True))
    if total >= len(sizes):
        assert all(count or not size for count, size in zip(given_, sizes, strict=True))


@given(st.data())
def test_intervals_hold_their_estimates(data):
    strata = [Stratum("found", 30, {"one": 20, "two": 15}), Stratum("far", 200, {})]
    sets = st.sampled_from([frozenset({"one"}), frozenset({"two"}), frozenset({"one", "two"})])
    carried = st.fixed_dictionaries({key: st.sampled_from([0.0, 0.5, 1.0]) for key in (*LABELS, POOLED)})
    rows = data.draw(st.lists(st.builds(Judged, st.just("found"), sets, carried), max_size=15))
    rows += data.draw(st.lists(st.builds(Judged, st.just("far"), st.just(frozenset()), carried), max_size=15))
    for row in estimate(strata, rows, LABELS):
        for interval in (row.precision, row.missed, row.missed_sentences):
            if not math.isnan(interval.value):
                assert 0 <= interval.low <= interval.value + 1e-9
                assert interval.value - 1e-9 <= interval.high
