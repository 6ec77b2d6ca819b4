"""Estimates from a stratified random sample: how often findings are right, and what share of claims was missed.

What the model found is known for every sentence of a case, so that the sample is weighted back to known counts
(poststratification; Cochran, 1977, chapter 5A). A proportion's interval is Wilson's with the effective sample size
of its weights (Kish, 1965) and the finite population correction; intervals of sums and ratios are put together from
those of their parts (MOVER; Zou and Donner, 2008), which stay sensible where few claims, or none, were missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.optimize import brentq
from scipy.stats import norm

from mdclaims.model.evaluation import Interval, rounded

POOLED = "any label"
"""The name of the figures over all labels: a sentence with a finding is right if it carries any label."""

_Z = float(norm.ppf(0.975))


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the population that is sampled by itself.

    Attributes
    ----------
    name : str
    size : int
        Sentences.
    found : dict of str to int
        How many of them have a finding of each label; empty where none has any.
    """

    name: str
    size: int
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence of the sample that people judged.

    Attributes
    ----------
    stratum : str
    found : frozenset of str
        The labels that the model found; empty outside the strata with findings.
    carried : dict of str to float
        For each label, and for `POOLED`, the share of its judges who say that the sentence carries it, 0 to 1.
    """

    stratum: str
    found: frozenset[str]
    carried: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LabelEstimate:
    """What the sample says of one label.

    Attributes
    ----------
    label : str
        Or `POOLED`.
    found : int
        Sentences of the population with a finding of it: known, not estimated.
    judged, right : float
        Of the sample: sentences with a finding of it, and those of them that carry it. A sentence on which two judges
        differ counts half.
    others, missed_in_sample : float
        Of the sample: sentences without a finding of it, and those of them that carry it.
    precision : Interval
        Share of its findings that are right.
    missed : Interval
        Share of the sentences carrying it that have no finding of it: 1 minus recall.
    missed_sentences : Interval
        How many those are in the population.
    """

    label: str
    found: int
    judged: int
    right: float
    others: int
    missed_in_sample: float
    precision: Interval
    missed: Interval
    missed_sentences: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON data; those that are not defined are null."""
        return {
            "found": self.found,
            "judged": self.judged,
            "right": rounded(self.right),
            "others": self.others,
            "missed_in_sample": rounded(self.missed_in_sample),
            "precision": self.precision.to_json(),
            "missed": self.missed.to_json(),
            "missed_sentences": self.missed_sentences.to_json(),
        }


def allocate(total: int, sizes: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Divide a sample among strata.

    Parameters
    ----------
    total : int
        How many to draw.
    sizes : sequence of int
        No stratum gives more than it has; what it cannot give goes to the others.
    shares : sequence of float
        Proportions, 0 or more, in which to divide.

    Returns
    -------
    list of int
        For each stratum; at least 1 for each that has any, as far as `total` goes.

    >>> allocate(10, [100, 3, 100], [1, 1, 2])
    [3, 2, 5]
    >>> allocate(10, [100, 2, 0], [1, 8, 1])
    [8, 2, 0]
    """
    given = [0] * len(sizes)
    for n in sorted(range(len(sizes)), key=lambda n: (-shares[n], n)):
        if sizes[n] and sum(given) < total:
            given[n] = 1
    # One at a time to the stratum furthest below its share (Webster's method): sums are exact, nothing is rounded.
    while sum(given) < total:
        open_ = [n for n in range(len(sizes)) if given[n] < sizes[n] and shares[n] > 0]
        if not open_:
            break
        given[max(open_, key=lambda n: (shares[n] / (given[n] + 0.5), -n))] += 1
    return given


def estimate(strata: Sequence[Stratum], rows: Sequence[Judged], labels: Sequence[str]) -> list[LabelEstimate]:
    """Weight a sample back to its population.

    Parameters
    ----------
    strata : sequence of Stratum
        All of the population. Within each the rows are a simple random sample.
    rows : sequence of Judged
    labels : sequence of str

    Returns
    -------
    list of LabelEstimate
        One for each label, then one for `POOLED`. A figure is NaN where the sample does not say anything about it.
    """
    judged = {stratum.name: sum(row.stratum == stratum.name for row in rows) for stratum in strata}
    weights = {stratum.name: stratum.size / judged[stratum.name] for stratum in strata if judged[stratum.name]}
    return [_estimate(label, strata, rows, weights) for label in (*labels, POOLED)]


def _estimate(
    label: str, strata: Sequence[Stratum], rows: Sequence[Judged], weights: Mapping[str, float]
) -> LabelEstimate:
    def is_found(row: Judged) -> bool:
        return bool(row.found) if label == POOLED else label in row.found

    def found_in(stratum: Stratum) -> int:
        return (stratum.size if stratum.found else 0) if label == POOLED else stratum.found.get(label, 0)

    def cell(group: Sequence[Stratum], *, with_finding: bool) -> _Cell:
        names = {stratum.name for stratum in group}
        inside = [row for row in rows if row.stratum in names and is_found(row) == with_finding]
        size = sum(found_in(stratum) if with_finding else stratum.size - found_in(stratum) for stratum in group)
        return _Cell(size, [weights[row.stratum] for row in inside], [row.carried[label] for row in inside])

    with_findings = [stratum for stratum in strata if stratum.found]
    found = cell(with_findings, with_finding=True)
    groups = [with_findings, *([stratum] for stratum in strata if not stratum.found)]
    others = [cell(group, with_finding=False) for group in groups]
    return LabelEstimate(
        label=label,
        found=found.size,
        judged=len(found.carried),
        right=sum(found.carried),
        others=sum(len(other.carried) for other in others),
        missed_in_sample=sum(sum(other.carried) for other in others),
        precision=found.proportion(),
        missed=_share(_total(others), _total([found])),
        missed_sentences=_total(others),
    )


# --- intervals ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cell:
    """Sentences of the population that are alike in what the model found, and those of them that were judged."""

    size: int
    weights: Sequence[float]
    carried: Sequence[float]

    def proportion(self) -> Interval:
        """Return the share of the cell that carries the label."""
        if not self.size or not self.carried:
            return Interval(math.nan, math.nan, math.nan)
        whole = sum(self.weights)
        value = sum(weight * carried for weight, carried in zip(self.weights, self.carried, strict=True)) / whole
        # 0 where every sentence was drawn: then nothing is left to chance.
        variance = sum(weight * (weight - 1) for weight in self.weights)
        return _wilson(value, whole**2 / variance) if variance > 0 else Interval(value, value, value)


def _wilson(value: float, count: float) -> Interval:
    """Return a proportion with its score interval (Wilson, 1927)."""
    middle = value + _Z**2 / (2 * count)
    half = _Z * math.sqrt(value * (1 - value) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    # A limit that is 0 or 1 by algebra can miss it by a rounding error, or pass the value.
    low, high = max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
    return Interval(value, 0.0 if value == 0 else min(low, value), 1.0 if value == 1 else max(high, value))


def _total(cells: Sequence[_Cell]) -> Interval:
    """Return how many sentences of some cells carry the label."""
    parts = [(cell.size, cell.proportion()) for cell in cells if cell.size]
    value = sum(size * part.value for size, part in parts)
    if math.isnan(value):
        return Interval(math.nan, math.nan, math.nan)
    below = math.hypot(*(size * (part.value - part.low) for size, part in parts))
    above = math.hypot(*(size * (part.high - part.value) for size, part in parts))
    return Interval(value, max(0.0, value - below), min(float(sum(size for size, _ in parts)), value + above))


def _share(one: Interval, other: Interval) -> Interval:
    """Return ``one / (one + other)`` of two independent counts.

    A share belongs to the interval if 0 belongs to that of ``(1 - share) * one - share * other`` (Fieller's way).
    """
    both = one.value + other.value
    if math.isnan(both) or both == 0:
        return Interval(math.nan, math.nan, math.nan)

    def lower(share: float) -> float:
        spread = math.hypot((1 - share) * (one.value - one.low), share * (other.high - other.value))
        return (1 - share) * one.value - share * other.value - spread

    def upper(share: float) -> float:
        spread = math.hypot((1 - share) * (one.high - one.value), share * (other.value - other.low))
        return (1 - share) * one.value - share * other.value + spread

    value = one.value / both
    return Interval(value, _root(lower, 0.0, value), _root(upper, value, 1.0))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a falling function crosses 0 between two places, or the end at which it comes nearest."""
    if function(low) <= 0:
        return low
    return high if function(high) >= 0 else float(brentq(function, low, high))


# --- telling ------------------------------------------------------------------------------------------------------


def estimate_lines(estimates: Sequence[LabelEstimate]) -> Iterator[str]:
    """Yield a table of estimates for the terminal."""
    heads = ("label", "found", "judged", "precision", "not found, judged", "claims missed", "sentences missed")
    widths = (16, 9, 8, 20, 19, 20, 0)
    rows = [
        (
            row.label,
            f"{row.found:,}",
            f"{row.judged:,}",
            _told(row.precision, "{:.2f}"),
            f"{row.others:,}",
            _told(row.missed, "{:.2f}"),
            _told(row.missed_sentences, "{:,.0f}"),
        )
        for row in estimates
    ]
    for cells in (heads, *rows):
        yield "".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _told(interval: Interval, form: str) -> str:
    if math.isnan(interval.value):
        return "no sentence"
    return f"{form.format(interval.value)} ({form.format(interval.low)}-{form.format(interval.high)})"
