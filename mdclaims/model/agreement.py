"""Agreement between annotators: Cohen's kappa per label (Cohen, 1960)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS
from mdclaims.model.corpus import CorpusDocument

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two annotators agree on one label.

    Attributes
    ----------
    label : str
    sentences : int
        Labelled by both.
    first, second : int
        How many sentences each gave the label.
    both : int
        How many both gave it.
    kappa : float
        -1 to 1; 1 is perfect, 0 what chance gives. NaN if neither ever, or both always, gave the label.
    """

    label: str
    sentences: int
    first: int
    second: int
    both: int
    kappa: float


def agreement(documents: Sequence[CorpusDocument], first: str, second: str) -> list[Agreement]:
    """Return the agreement of two annotators per label, over the sentences that both labelled.

    Raises
    ------
    CorpusError
        If no sentence carries both annotations.
    """
    rows = [
        (one, two)
        for document in documents
        for block in document.blocks
        if first in block.annotations and second in block.annotations
        for one, two in zip(block.annotations[first], block.annotations[second], strict=True)
    ]
    if not rows:
        names = sorted({name for document in documents for block in document.blocks for name in block.annotations})
        raise CorpusError(
            f"no sentence is annotated by both {first!r} and {second!r}; annotators found: {', '.join(names) or 'none'}"
        )
    return [
        label_agreement(label, [label in one for one, _ in rows], [label in two for _, two in rows]) for label in LABELS
    ]


def label_agreement(label: str, first: Sequence[bool], second: Sequence[bool]) -> Agreement:
    """Return the agreement of two annotators on one label.

    Parameters
    ----------
    label : str
    first, second : sequence of bool
        Whether each gave it to each of the same sentences; not empty.
    """
    one, two = np.array(first, dtype=bool), np.array(second, dtype=bool)
    observed = float((one == two).mean())
    expected = float(one.mean() * two.mean() + (1 - one.mean()) * (1 - two.mean()))
    kappa = (observed - expected) / (1 - expected) if expected < 1 else float("nan")
    return Agreement(label, len(one), int(one.sum()), int(two.sum()), int((one & two).sum()), kappa)


def pairwise(
    judged: Mapping[str, Mapping[K, Sequence[str]]], labels: Sequence[str]
) -> Iterator[tuple[str, str, list[Agreement]]]:
    """Yield the agreement of each two annotators over the sentences that both judged.

    Parameters
    ----------
    judged : mapping of str to mapping
        For each annotator the labels of each sentence, whatever names it.
    labels : sequence of str

    Yields
    ------
    (str, str, list of Agreement)
        The annotators, and one entry for each label; nothing for two who judged no sentence in common.
    """
    for first, second in combinations(judged, 2):
        one, other = judged[first], judged[second]
        both = [key for key in one if key in other]
        if both:
            yield (
                first,
                second,
                [
                    label_agreement(label, [label in one[key] for key in both], [label in other[key] for key in both])
                    for label in labels
                ],
            )
