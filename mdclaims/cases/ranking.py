"""Which site to read first: a rank that is a sum of four named points, and what reading so far is expected to reach.

Nothing but distinct claims counts: a page that repeats them, and pages without findings, change no rank.
docs/overview.md tells users how the points are made.

How another module uses it::

    with open_case(folder) as case:
        ranking = rank(case, campaign)                     # groups the claims too
        for site in ranking.sites[:20]:
            site.rank, site.points, site.reason
        quotes = strongest(case, [site.site for site in ranking.sites[:20]])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mdclaims.cases.campaign import Campaign
from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.decisions import Decisions
from mdclaims.cases.distinct import ORDER, DistinctClaim, Grouping, distinct_claims, group_claims
from mdclaims.findings.similarity import NEAR, similarity, word_keys


@dataclass(frozen=True, slots=True)
class Measure:
    """What gives a site points: ``most * count / (count + half)``.

    The first of a kind weigh most, each further one less, so that no site wins by bulk alone.

    Attributes
    ----------
    name : str
    words : str
        What is counted, for people.
    most : float
        What the points come near to.
    half : float
        The count that gives half of them.
    """

    name: str
    words: str
    most: float
    half: float

    def points(self, count: float) -> float:
        """Return the points for a count."""
        return self.most * count / (count + self.half)


MEASURES: tuple[Measure, ...] = (
    Measure("high", "distinct high claims", 45, 10),
    Measure("unqualified", "claims without qualifier", 10, 20),
    Measure("serious", "serious conditions named", 30, 3),
    Measure("provisions", "provisions touched", 15, 4),
)
"""What a rank is the sum of; at most 100 together."""

SHARES = (0.5, 0.8, 0.95)
"""For which shares of the `high` claims a budget is told."""

MINUTES = 2.0
"""How long deciding a claim takes, unless the user says otherwise."""

_DRAWS = 1_000
_SEED = 1
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Point:
    """The points of a site for one measure.

    Attributes
    ----------
    measure : Measure
    count : float
        Of distinct things; with a campaign the sum of their weights.
    points : float
    """

    measure: Measure
    count: float
    points: float


@dataclass(frozen=True, slots=True)
class RankedSite:
    """A site and what its rank is made of.

    Attributes
    ----------
    site : str
    rank : int or None
        From 1; None if it has no points.
    points : tuple of Point
        In the order of `MEASURES`.
    total : float
        Their sum.
    reason : str
        The same in words.
    high : int
        Distinct `high` claims that count, whatever they weigh.
    open : int
        Those of them that nobody has decided.
    found, read : int
        Pages.
    judged : bool
        False if less than half of its pages were read.
    verdict : str
        What was read, in words.
    listed : dict of str to str
        What the user's lists say about it.
    """

    site: str
    rank: int | None
    points: tuple[Point, ...]
    total: float
    reason: str
    high: int
    open: int
    found: int
    read: int
    judged: bool
    verdict: str
    listed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Budget:
    """What reading the first sites is expected to reach.

    A distinct `high` claim counts with its score, which is calibrated: the expected number of true ones is the sum. The
    interval is that of the share when each claim is true or not by chance, with the probability of its score
    (1,000 draws of such Poisson-binomial sums). It takes the scores for right and claims for independent.

    Attributes
    ----------
    share : float
        Asked for, 0 to 1.
    sites : int
        How many of the ranked sites are to be read.
    claims : int
        Distinct `high` claims on them.
    hours : float
        To decide these.
    expected, low, high : float
        Share of the true `high` claims that is reached: expected, and the ends of its 95 % interval.
    """

    share: float
    sites: int
    claims: int
    hours: float
    expected: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """All sites of a case.

    Attributes
    ----------
    sites : tuple of RankedSite
        All, the first to be read first; those without points stand last.
    grouping : Grouping
    campaign : Campaign or None
    budgets : tuple of Budget
        For `SHARES`; none if no `high` claim was found.
    minutes : float
        For a claim, which the budgets' hours are made of.
    jurisdictions : tuple of str
        Whose rules the case was screened for.
    """

    sites: tuple[RankedSite, ...]
    grouping: Grouping
    campaign: Campaign | None
    budgets: tuple[Budget, ...]
    minutes: float
    jurisdictions: tuple[str, ...]

    @property
    def foreign_rules(self) -> tuple[str, ...]:
        """Rules that the campaign names and the case was not screened for."""
        named = () if self.campaign is None else self.campaign.rules
        return tuple(rule for rule in named if rule.partition("-")[0].lower() not in self.jurisdictions)

    @property
    def ranked(self) -> tuple[RankedSite, ...]:
        """The sites that have points."""
        return tuple(site for site in self.sites if site.rank is not None)

    @property
    def not_judged(self) -> tuple[RankedSite, ...]:
        """The sites that could not be judged, ranked or not: nothing found says nothing there."""
        return tuple(site for site in self.sites if not site.judged)


# Items of one list are one claim: what counts is the first of each group.
_LEADS = """
CREATE OR REPLACE TABLE leads AS
SELECT site, lead, max(weight) AS weight, max(weight) FILTER (urgency = 1) AS high,
  max(coalesce(score, 1)) FILTER (urgency = 1) AS score,
  bool_or(bare AND label IN ('efficacy_claim', 'safety_claim')) AS unqualified,
  bool_or(decided AND urgency = 1) AS decided
FROM (SELECT *, exhibit IN (SELECT exhibit FROM decided) AS decided FROM copies)
WHERE counts AND weight > 0 AND urgency < 3
GROUP BY site, lead
"""
_SITES = """
WITH counted AS (
  SELECT site, coalesce(sum(high), 0) AS high, coalesce(sum(weight) FILTER (unqualified), 0) AS unqualified,
    count(high) AS claims, count(high) FILTER (NOT decided) AS open
  FROM leads GROUP BY site
), named AS (
  SELECT site, list_sort(list_distinct(flatten(list(serious)))) AS serious,
    list_sort(list_distinct(flatten(list(rules)))) AS rules
  FROM claims WHERE counts AND urgency < 3 GROUP BY site
)
SELECT s.site, s.found, s.read, s.judged, s.verdict, s.listed, coalesce(c.high, 0), coalesce(c.unqualified, 0),
  coalesce(n.serious, []), coalesce(n.rules, []), coalesce(c.claims, 0), coalesce(c.open, 0)
FROM sites AS s LEFT JOIN counted AS c USING (site) LEFT JOIN named AS n USING (site)
"""


def rank(
    case: OpenCase, campaign: Campaign | None = None, decisions: Decisions | None = None, *, minutes: float = MINUTES
) -> Ranking:
    """Rank the sites of a case.

    Parameters
    ----------
    case : OpenCase
    campaign : Campaign, optional
    decisions : Decisions, optional
        What was decided; None counts all as open.
    minutes : float
        For a claim.
    """
    grouping = group_claims(case, campaign)
    _add_decided(case, decisions)
    case.connection.execute(_LEADS)
    rows = case.connection.execute(_SITES).fetchall()
    unranked = sorted((_site(row, campaign) for row in rows), key=lambda site: (-site.total, -site.high, site.site))
    sites = tuple(_numbered(unranked))
    return Ranking(
        sites, grouping, campaign, tuple(budgets(_scores(case, sites), minutes=minutes)), minutes,
        tuple(case.manifest.content["settings"].get("jurisdictions", ())),
    )  # fmt: skip


def _add_decided(case: OpenCase, decisions: Decisions | None) -> None:
    import pyarrow as pa

    known = [] if decisions is None else [one for one in decisions.exhibits() if decisions.of(one) is not None]
    case.connection.register("decided_now", pa.table({"exhibit": pa.array(known, pa.string())}))
    case.connection.execute("CREATE OR REPLACE TABLE decided AS SELECT * FROM decided_now")
    case.connection.unregister("decided_now")


def _site(row: tuple[Any, ...], campaign: Campaign | None) -> RankedSite:
    site, found, read, judged, verdict, listed, high, unqualified, serious, rules, claims, still_open = row
    weights = {} if campaign is None else campaign.rules
    touched = sum(weights.get(rule, 1.0) for rule in rules)
    counts = (high, unqualified, float(len(serious)), touched)
    points = tuple(
        Point(measure, count, measure.points(count)) for measure, count in zip(MEASURES, counts, strict=True)
    )
    return RankedSite(
        site=site,
        rank=None,
        points=points,
        total=sum(point.points for point in points),
        reason=_reason(points, serious, rules),
        high=claims,
        open=still_open,
        found=found,
        read=read,
        judged=judged,
        verdict=verdict,
        listed=dict(listed),
    )


def _numbered(sites: Sequence[RankedSite]) -> Iterator[RankedSite]:
    from dataclasses import replace

    for number, site in enumerate(sites, start=1):
        yield replace(site, rank=number) if site.total > 0 else site


def _reason(points: Sequence[Point], serious: Sequence[str], rules: Sequence[str]) -> str:
    """Say in words what gave a site its points."""
    named = {"serious": serious, "provisions": rules}
    parts = []
    for point in points:
        if point.count > 0:
            names = named.get(point.measure.name, ())
            shown = ", ".join(names[:_MOST_NAMED])
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            parts.append(f"{point.measure.words}: {point.count:g}" + (f" ({shown}{more})" if names else ""))
    return "; ".join(parts) or "nothing that counts"


# --- the budget -----------------------------------------------------------------------------------------------------


def _scores(case: OpenCase, sites: Sequence[RankedSite]) -> list[npt.NDArray[np.float64]]:
    """Return for each ranked site the scores of its distinct `high` claims."""
    rows = case.connection.execute(
        "SELECT site, score FROM leads WHERE high IS NOT NULL ORDER BY site, lead"
    ).fetchnumpy()
    names, starts = np.unique(rows["site"].astype(str), return_index=True)
    pieces = np.split(np.asarray(rows["score"], np.float64), starts[1:]) if len(names) else []
    by_site = dict(zip(names.tolist(), pieces, strict=True))
    return [by_site.get(site.site, np.zeros(0)) for site in sites if site.rank is not None]


def budgets(
    scores: Sequence[npt.NDArray[np.float64]], *, minutes: float = MINUTES, shares: Sequence[float] = SHARES
) -> Iterator[Budget]:
    """Yield for each share how many sites have to be read; nothing if there are no claims.

    Parameters
    ----------
    scores : sequence of array of float
        For each site, in the order of reading, the scores of its distinct `high` claims, 0 to 1.
    minutes : float
        For a claim.
    shares : sequence of float
    """
    sizes = np.array([len(piece) for piece in scores], np.int64)
    expected = np.cumsum([piece.sum() for piece in scores])
    if not len(expected) or expected[-1] <= 0:
        return
    ends = np.cumsum(sizes)
    # The smallest number of sites that is expected to reach the share; rounding must not ask for one more.
    needed = [int(np.searchsorted(expected, share * expected[-1] * (1 - 1e-12))) for share in shares]
    drawn = _drawn_shares(np.concatenate(scores), ends[needed])
    for share, last, reached in zip(shares, needed, drawn, strict=True):
        low, high = np.quantile(reached, [0.025, 0.975])
        claims = int(ends[last])
        yield Budget(
            share=share,
            sites=last + 1,
            claims=claims,
            hours=claims * minutes / 60,
            expected=float(expected[last] / expected[-1]),
            low=float(low),
            high=float(high),
        )


def _drawn_shares(scores: npt.NDArray[np.float64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the share of true claims among the first `ends`, draw by draw: shape (len(ends), draws).

    A draw without any true claim has no share, and is left out of all.
    """
    generator = np.random.default_rng(_SEED)
    shares = []
    for _ in range(_DRAWS):
        true = np.cumsum(generator.random(len(scores)) < scores)
        if true[-1]:
            shares.append(true[ends - 1] / true[-1])
    return np.array(shares).reshape(-1, len(ends)).T


def budget_line(ranking: Ranking, budget: Budget) -> str:
    """Say a budget in a sentence."""
    ranked = len(ranking.ranked)
    sites = "the first site" if budget.sites == 1 else f"the first {budget.sites:,} sites"
    hours = f"about {budget.hours:,.1f} hours at {ranking.minutes:g} minutes a claim"
    expected, low, high = (f"{100 * share:.0f} %" for share in (budget.expected, budget.low, budget.high))
    return (
        f"Reading {sites} of {ranked:,} ({budget.claims:,} distinct high claims, {hours}) is expected to reach "
        f"{expected} of the high claims (95 % interval {low} to {high})."
    )


# --- quotes ---------------------------------------------------------------------------------------------------------


def strongest(case: OpenCase, sites: Sequence[str], most: int = 3) -> dict[str, list[DistinctClaim]]:
    """Return the strongest claims of each site, no two of them nearly the same.

    Parameters
    ----------
    case : OpenCase
        After `rank`.
    sites : sequence of str
        Some hundreds at a time; what is returned is held in memory.
    most : int
        For a site.
    """
    # Three times as many, for some will be near another.
    found = distinct_claims(
        case,
        "c.counts AND c.urgency < 3 AND list_contains(?, c.site) QUALIFY row_number() OVER "
        f"(PARTITION BY c.site ORDER BY {ORDER}) <= ?",
        [list(sites), 3 * most],
    )
    chosen: dict[str, list[DistinctClaim]] = {site: [] for site in sites}
    for claim in found:
        words = word_keys(claim.quote)
        quotes = chosen[claim.site]
        if len(quotes) < most and all(similarity(words, word_keys(other.quote)) < NEAR for other in quotes):
            quotes.append(claim)
    return chosen
