"""One calibrated classifier per label, and the thresholds of each mode.

Each label has a logistic regression on the features (additive, so that its explanations are exact) and a
calibrator that maps its decision value to a probability. The calibrator is fitted on decision values of
sentences that the regression had not seen, in folds grouped by site (Platt, 1999).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from mdclaims.labels import LABELS
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.features import FeatureExtractor, FeatureSettings
from mdclaims.model.vectors import WordVectors

Scores = npt.NDArray[np.float64]


# Sentences scored at once; of 500 to 8,000 none was clearly faster.
_SLICE = 4000


@dataclass
class LabelClassifier:
    """The classifier of one label.

    Attributes
    ----------
    regression : LogisticRegression
        Over the kept feature columns.
    calibrator : LogisticRegression
        Over one column, the regression's decision value.
    """

    regression: LogisticRegression
    calibrator: LogisticRegression

    def calibrate(self, decisions: Scores) -> Scores:
        """Return the probabilities of decision values: shape (rows,), 0 to 1."""
        return np.asarray(expit(self.calibrator.coef_[0, 0] * decisions + self.calibrator.intercept_[0]))


@dataclass
class ClaimClassifier:
    """All four labels: from `SentenceInput` to calibrated scores and to labels.

    Attributes
    ----------
    labels : tuple of str
        Column order of the scores, equal to `LABELS`.
    settings : FeatureSettings
    columns : array of int
        The feature columns that the training text used often enough, ascending.
    classifiers : tuple of LabelClassifier
        In the order of `labels`.
    thresholds : mapping of str to mapping of str to float
        ``thresholds[mode][label]``: a sentence carries the label at or above it.
    vectors : WordVectors, optional
        Where the settings give them dimensions.
    """

    labels: tuple[str, ...]
    settings: FeatureSettings
    columns: npt.NDArray[np.int32]
    classifiers: tuple[LabelClassifier, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    vectors: WordVectors | None = None
    _extractor: FeatureExtractor | None = field(default=None, repr=False, compare=False)
    _weights: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, object]:
        """Leave out what is made again when first used: the extractor, which holds the pipeline, and the weights."""
        return {**self.__dict__, "_extractor": None, "_weights": None}

    @property
    def extractor(self) -> FeatureExtractor:
        """The feature extractor, made when first used."""
        if self._extractor is None:
            self._extractor = FeatureExtractor(self.settings, self.vectors)
        return self._extractor

    @property
    def weights(self) -> npt.NDArray[np.float32]:
        """The regressions' weights: shape (features, labels); 0 for columns that are not kept."""
        if self._weights is None:
            self._weights = np.zeros((self.extractor.width, len(self.labels)), np.float32)
            for n, classifier in enumerate(self.classifiers):
                self._weights[self.columns, n] = classifier.regression.coef_[0]
        return self._weights

    def scores(self, inputs: Sequence[SentenceInput]) -> Scores:
        """Return calibrated scores.

        Parameters
        ----------
        inputs : sequence of SentenceInput

        Returns
        -------
        array of float64
            Shape (len(inputs), 4), 0 to 1, columns in the order of `LABELS`. Equal inputs score equal, to
            the last bit, whatever else is in the batch.
        """
        # In slices, so that the largest page allowed needs no more memory than a large one.
        out = np.zeros((len(inputs), len(LABELS)))
        for at in range(0, len(inputs), _SLICE):
            decisions = self.extractor.product(inputs[at : at + _SLICE], self.weights)
            for column, classifier in enumerate(self.classifiers):
                shifted = decisions[:, column] + classifier.regression.intercept_[0]
                out[at : at + _SLICE, column] = classifier.calibrate(shifted)
        # What holds no letter and no digit (a rule of dashes, an arrow) says nothing.
        out[[not any(map(str.isalnum, entry.text)) for entry in inputs]] = 0
        return out
