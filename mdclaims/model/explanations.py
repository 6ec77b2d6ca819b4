"""Explains a score as what each word and circumstance added to it.

The classifier is linear before calibration and the calibrator is linear in log-odds, so a score's log-odds
are exactly the sum of a baseline and of every feature's share. A feature of several words (an n-gram, a cue)
is divided evenly among them. Nothing here is an approximation; "The Mythos of Model Interpretability"
(Lipton, 2016) calls this decomposability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mdclaims.language.sentences import SentenceInput
from mdclaims.model.classifier import ClaimClassifier
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


def explain(classifier: ClaimClassifier, entry: SentenceInput, label: str) -> Explanation:
    """Take the score of one sentence and label apart.

    Raises
    ------
    ValueError
        If the classifier has no such label.
    """
    column = classifier.labels.index(label)
    fitted = classifier.classifiers[column]
    slope, intercept = float(fitted.calibrator.coef_[0, 0]), float(fitted.calibrator.intercept_[0])
    weights = slope * classifier.weights[:, column].astype(np.float64)
    contributions = [part for part in classifier.extractor.attribute(entry, weights) if part.weight]
    return Explanation(
        baseline=slope * float(fitted.regression.intercept_[0]) + intercept,
        contributions=tuple(sorted(contributions, key=lambda part: (-abs(part.weight), part.part, part.start or 0))),
    )
