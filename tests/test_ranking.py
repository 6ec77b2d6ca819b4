"""What makes a rank, and what must not; what a budget promises."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overview_pages import rewritten

from mdclaims.cases.campaign import Campaign
from mdclaims.cases.casefile import open_case
from mdclaims.cases.decisions import Covered, Draft, append, read_decisions
from mdclaims.cases.ranking import MEASURES, SHARES, budget_line, budgets, rank, strongest

SCORES = st.lists(st.lists(st.floats(0.01, 1), max_size=6).map(np.array), min_size=1, max_size=12).filter(
    lambda pieces: sum(map(len, pieces)) > 0
)


def ranking_of(case, *arguments, **options):
    with open_case(case) as opened:
        return rank(opened, *arguments, **options)


@pytest.fixture(scope="module")
def ranking(ranked_case):
    return ranking_of(ranked_case)


def site(ranking, name):
    return next(entry for entry in ranking.sites if entry.site == name)


def test_sites_are_ranked_by_the_sum_of_named_points(ranking):
    assert ranking.ranked[0].site == "loud.example"
    assert [entry.rank for entry in ranking.ranked] == list(range(1, len(ranking.ranked) + 1))
    totals = [entry.total for entry in ranking.sites]
    assert totals == sorted(totals, reverse=True)
    for entry in ranking.sites:
        assert [point.measure for point in entry.points] == list(MEASURES)
        assert entry.total == pytest.approx(sum(point.points for point in entry.points))
        assert all(point.points == point.measure.points(point.count) for point in entry.points)
    assert sum(measure.most for measure in MEASURES) == 100


def test_the_reason_says_what_is_counted(ranking):
    loud = site(ranking, "loud.example")
    assert "serious conditions named: 2 (arthritis, multiple sclerosis)" in loud.reason
    assert f"distinct high claims: {loud.high};" in loud.reason
    assert "UK-CAP-12.2" in loud.reason


def test_sites_without_points_have_no_rank_and_those_not_judged_a_list_of_their_own(ranking):
    assert site(ranking, "plain.example").rank is None
    assert site(ranking, "plain.example").judged
    assert [entry.site for entry in ranking.not_judged] == ["app.example"]


def test_stigma_counts_only_if_a_campaign_asks(ranked_case, ranking):
    assert site(ranking, "slur.example").total == 0
    asking = ranking_of(ranked_case, Campaign("c", labels={"stigma_framing": 1.0}))
    assert [entry.site for entry in asking.ranked] == ["slur.example"]


def test_what_is_decided_is_not_open(ranked_case, tmp_path):
    case = rewritten(ranked_case, tmp_path / "case")
    with open_case(case) as opened:
        before = rank(opened)
        (claim,) = strongest(opened, ["loud.example"], most=1)["loud.example"]
    covered = Covered(claim.exhibit, claim.site, claim.address, claim.label, None, claim.fingerprint, claim.quote)
    append(case, [Draft("Ada", "dismissed", (covered,))])
    after = ranking_of(case, None, read_decisions(case))
    assert (
        site(after, "loud.example").open
        == site(before, "loud.example").open - 1
        == site(before, "loud.example").high - 1
    )
    assert site(after, "copy.example").open == site(before, "copy.example").high


PAGE_NAMES = st.lists(st.integers(0, 6), max_size=6)


@settings(max_examples=12)
@given(PAGE_NAMES, st.integers(0, 4))
def test_repeated_pages_and_pages_without_findings_change_nothing(ranked_case, tmp_path_factory, repeated, empty):
    names = sorted(pq.read_table(next((ranked_case / "pages").glob("*.parquet")))["page"].to_pylist())
    case = rewritten(
        ranked_case,
        tmp_path_factory.mktemp("new") / "case",
        repeated=[names[number] for number in repeated],
        empty=empty,
    )
    before, after = ranking_of(ranked_case), ranking_of(case)

    def said(ranking):
        return [(entry.site, entry.rank, entry.points, entry.reason, entry.high) for entry in ranking.sites]

    assert said(after) == said(before)
    assert after.budgets == before.budgets
    with open_case(case) as opened:
        rank(opened)
        quotes = strongest(opened, ["loud.example"])["loud.example"]
    with open_case(ranked_case) as opened:
        rank(opened)
        assert [claim.quote for claim in strongest(opened, ["loud.example"])["loud.example"]] == [
            claim.quote for claim in quotes
        ]


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from(MEASURES))
def test_points_grow_with_the_count_and_stay_below_their_most(count, more, measure):
    assert measure.points(0) == 0
    assert measure.points(count) <= measure.points(count + more) <= measure.most
    assert measure.points(measure.half) == measure.most / 2


@given(SCORES)
def test_a_budget_is_the_fewest_sites_that_are_expected_to_reach_the_share(scores):
    total = sum(piece.sum() for piece in scores)
    for budget in budgets(scores):
        reached = sum(piece.sum() for piece in scores[: budget.sites])
        assert reached / total == pytest.approx(budget.expected)
        assert budget.expected >= budget.share - 1e-9
        assert sum(piece.sum() for piece in scores[: budget.sites - 1]) < budget.share * total + 1e-9
        assert 0 <= budget.low <= budget.high <= 1
        assert budget.claims == sum(map(len, scores[: budget.sites]))
        assert budget.hours == budget.claims * 2 / 60


def test_the_interval_of_a_budget_covers_the_share_of_claims_drawn_anew():
    scores = [np.full(8, probability) for probability in np.linspace(0.95, 0.2, 40)]
    (budget,) = budgets(scores, shares=[0.8])
    generator = np.random.default_rng(7)
    draws = np.array([[(generator.random(8) < piece).sum() for piece in scores] for _ in range(2_000)])
    shares = draws[:, : budget.sites].sum(axis=1) / draws.sum(axis=1)
    covered = np.mean((budget.low <= shares) & (shares <= budget.high))
    assert 0.93 < covered < 0.97


def test_sure_claims_have_no_interval_and_no_claims_no_budget():
    (budget,) = budgets([np.ones(3), np.ones(1)], shares=[0.8])
    assert (budget.sites, budget.expected, budget.low, budget.high) == (2, 1, 1, 1)
    assert list(budgets([])) == list(budgets([np.zeros(0)])) == []


def test_the_line_of_a_budget_is_plain(ranked_case):
    ranking = ranking_of(ranked_case, minutes=6)
    assert len(ranking.budgets) == len(SHARES)
    budget = replace(ranking.budgets[1], sites=1, claims=20, hours=2.0, expected=0.8, low=0.7, high=0.9)
    assert budget_line(ranking, budget) == (
        f"Reading the first site of {len(ranking.ranked)} (20 distinct high claims, about 2.0 hours at 6 minutes a "
        "claim) is expected to reach 80 % of the high claims (95 % interval 70 % to 90 %)."
    )


def test_the_strongest_quotes_are_not_the_same_again(ranked_case):
    with open_case(ranked_case) as opened:
        ranking = rank(opened)
        quotes = strongest(opened, [entry.site for entry in ranking.sites])
    assert len(quotes["loud.example"]) == 3
    assert all(claim.priority == "high" for claim in quotes["loud.example"])
    assert quotes["plain.example"] == quotes["slur.example"] == []
