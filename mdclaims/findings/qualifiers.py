"""The nearest qualifier of a claim: a risk, a limit or a source that a reader meets beside it.

Regulators ask how far a disclosure stands from the claim it belongs to, so each claim is paired with the
nearest sentence of its section that discloses a risk, limits or rebuts an effect, or names a source. A
section is the text under the same headings in the same region.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mdclaims.language.sentences import Sentence

KINDS: tuple[str, ...] = ("risk", "limit", "source")


@dataclass(frozen=True, slots=True)
class Qualifier:
    """The qualifier nearest to a claim.

    Attributes
    ----------
    sentence : int
        Index into the result's sentences; the claim's own if it qualifies itself.
    kind : str
        One of `KINDS`.
    sentences_away, blocks_away : int
        Distance from the claim, 0 if it stands in the same sentence or block.
    hidden : bool
        It is present, but not shown at first.
    """

    sentence: int
    kind: str
    sentences_away: int
    blocks_away: int
    hidden: bool


def nearest_qualifiers(
    sentences: Sequence[Sentence], kinds: Mapping[int, str], claims: Sequence[int]
) -> dict[int, Qualifier | None]:
    """Return for each claim the nearest qualifier in its section, or None if the text read has none.

    Parameters
    ----------
    sentences : sequence of Sentence
        All of a page, in order.
    kinds : mapping of int to str
        The sentences that qualify, and how.
    claims : sequence of int
        The sentences to pair.

    Notes
    -----
    Shown text is preferred to text that is not shown at first, then the nearer, then what comes after the claim.
    """
    # By section, whether shown or not.
    places: dict[tuple[tuple[str, tuple[str, ...]], bool], list[int]] = {}
    for n in sorted(kinds):
        places.setdefault((_section(sentences[n]), sentences[n].block.hidden), []).append(n)
    found: dict[int, Qualifier | None] = {}
    for claim in claims:
        section = _section(sentences[claim])
        shown, hidden = (_nearest(places.get((section, hides), []), claim) for hides in (False, True))
        best = hidden if shown is None else shown
        found[claim] = None if best is None else _qualifier(sentences, claim, best, kinds[best])
    return found


def _nearest(rising: Sequence[int], claim: int) -> int | None:
    """Return the number nearest to the claim's; of two as near, the later."""
    at = bisect_left(rising, claim)
    around = rising[max(at - 1, 0) : at + 1]
    return min(around, key=lambda n: (abs(n - claim), n < claim), default=None)


def _section(sentence: Sentence) -> tuple[str, tuple[str, ...]]:
    return sentence.block.region, sentence.block.heading_path


def _qualifier(sentences: Sequence[Sentence], claim: int, other: int, kind: str) -> Qualifier:
    return Qualifier(
        sentence=other,
        kind=kind,
        sentences_away=abs(other - claim),
        blocks_away=abs(sentences[other].block.index - sentences[claim].block.index),
        hidden=sentences[other].block.hidden,
    )
