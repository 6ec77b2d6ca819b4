"""Explains a score as what each word and circumstance added to it.

The classifier is linear before calibration and the calibrator is linear in log-odds, so a score's log-odds
are exactly the sum of a baseline and of every feature's share. A feature of several words (an n-gram, a cue)
is divided evenly among them. Nothing here is an approximation; "The Mythos of Model Interpretability"
(Lipton, 2016) calls this decomposability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mdclaims.language.hashing import Lines
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.classifier import ClaimClassifier, LabelClassifier
from mdclaims.model.features import Contribution


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score taken apart.

    Attributes
    ----------
    baseline : float
        Log-odds of the label before anything is known of the sentence.
    contributions : tuple of Contribution
        In log-odds of the label, the strongest first; with `baseline` they add up to the log-odds of the score.
    """

    baseline: float
    contributions: tuple[Contribution, ...]

    @property
    def log_odds(self) -> float:
        """The score's log-odds."""
        return self.baseline + sum(entry.weight for entry in self.contributions)


# Sentences taken apart at once: each word takes some kilobytes meanwhile.
_BATCH = 1000


def explain(
    classifier: ClaimClassifier, asked: Sequence[tuple[SentenceInput, str]], lines: Lines | None = None
) -> list[Explanation]:
    """Take scores apart.

    Parameters
    ----------
    classifier : ClaimClassifier
    asked : sequence of (SentenceInput, str)
        Sentences, each with the label whose score is meant.
    lines : Lines, optional
        Of `read_inputs`, where the sentences are read already.

    Raises
    ------
    ValueError
        If the classifier has no such label.
    """
    baselines = [_baseline(fitted) for fitted in classifier.classifiers]
    out: list[Explanation] = []
    for at in range(0, len(asked), _BATCH):
        part = asked[at : at + _BATCH]
        columns = [classifier.labels.index(label) for _, label in part]
        entries = [entry for entry, _ in part]
        found = classifier.extractor.attribute(entries, classifier.log_odds_weights, columns, lines)
        out += [
            Explanation(baselines[column], tuple(sorted(filter(_has_weight, contributions), key=_strongest_first)))
            for column, contributions in zip(columns, found, strict=True)
        ]
    return out


def _baseline(fitted: LabelClassifier) -> float:
    slope, intercept = float(fitted.calibrator.coef_[0, 0]), float(fitted.calibrator.intercept_[0])
    return slope * float(fitted.regression.intercept_[0]) + intercept


def _has_weight(part: Contribution) -> bool:
    return part.weight != 0


def _strongest_first(part: Contribution) -> tuple[float, str, int]:
    return -abs(part.weight), part.part, part.start or 0
