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
from mdclaims.language.hashing import Lines
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


@dataclass(frozen=True)
class StanceClassifier:
    """Says what a sentence does with a label that it carries: a multinomial logistic regression.

    Attributes
    ----------
    stances : tuple of str
        The stances that the corpus has examples of.
    columns : array of int32
        The feature columns in use, ascending.
    weights : array of float32
        *Shape: (columns, stances)*
    intercepts : array of float32
        *Shape: (stances,)*
    """

    stances: tuple[str, ...]
    columns: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    intercepts: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the classifier says of some sentences.

    Attributes
    ----------
    scores : array of float64
        *Shape: (sentences, labels)* Calibrated, 0 to 1.
    stances : dict of str to list of str
        For each label that has a `StanceClassifier`: what each sentence does with it, if it carries it.
    """

    scores: Scores
    stances: dict[str, list[str]]

    def part(self, start: int, end: int) -> Judgement:
        """Return what it says of the sentences from `start` to before `end`."""
        stances = {label: chosen[start:end] for label, chosen in self.stances.items()}
        return Judgement(self.scores[start:end], stances)


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
    stances : mapping of str to StanceClassifier
        For the labels whose stances the training text tells.
    vectors : WordVectors, optional
        Where the settings give them dimensions.
    """

    labels: tuple[str, ...]
    settings: FeatureSettings
    columns: npt.NDArray[np.int32]
    classifiers: tuple[LabelClassifier, ...]
    thresholds: Mapping[str, Mapping[str, float]]
    stances: Mapping[str, StanceClassifier] = field(default_factory=dict)
    vectors: WordVectors | None = None
    _extractor: FeatureExtractor | None = field(default=None, repr=False, compare=False)
    _weights: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    _judging_weights: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    _log_odds_weights: npt.NDArray[np.float64] | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, object]:
        """Leave out what is made again when first used: the extractor, which holds the pipeline, and the weights."""
        return {
            **self.__dict__,
            "_extractor": None,
            "_weights": None,
            "_judging_weights": None,
            "_log_odds_weights": None,
        }

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

    @property
    def judging_weights(self) -> npt.NDArray[np.float32]:
        """`weights`, then those of all stances, label by label: shape (features, labels + stances of all labels)."""
        if self._judging_weights is None:
            parts = [self.weights]
            for stance in self.stances.values():
                parts.append(np.zeros((self.extractor.width, len(stance.stances)), np.float32))
                parts[-1][stance.columns] = stance.weights
            self._judging_weights = np.hstack(parts)
        return self._judging_weights

    @property
    def log_odds_weights(self) -> npt.NDArray[np.float64]:
        """What the features add to a score's log-odds: `weights` times the calibrators' slopes."""
        if self._log_odds_weights is None:
            slopes = [float(classifier.calibrator.coef_[0, 0]) for classifier in self.classifiers]
            self._log_odds_weights = self.weights.astype(np.float64) * slopes
        return self._log_odds_weights

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
        return self._calibrated(inputs, self._products(inputs, self.weights))

    def judge(self, inputs: Sequence[SentenceInput], lines: Lines | None = None) -> Judgement:
        """Return scores and stances; `lines` are those of `read_inputs`, where they are read already."""
        products = self._products(inputs, self.judging_weights, lines)
        stances: dict[str, list[str]] = {}
        at = len(self.labels)
        for label, stance in self.stances.items():
            values = products[:, at : at + len(stance.stances)] + stance.intercepts
            stances[label] = [stance.stances[n] for n in values.argmax(axis=1).tolist()]
            at += len(stance.stances)
        return Judgement(scores=self._calibrated(inputs, products[:, : len(self.labels)]), stances=stances)

    def _products(
        self, inputs: Sequence[SentenceInput], weights: npt.NDArray[np.float32], lines: Lines | None = None
    ) -> npt.NDArray[np.float32]:
        # In slices, so that the largest page allowed needs no more memory than a large one.
        slices = [inputs[at : at + _SLICE] for at in range(0, len(inputs), _SLICE)]
        empty = np.zeros((0, weights.shape[1]), np.float32)
        return np.vstack([empty, *(self.extractor.product(part, weights, lines) for part in slices)])

    def _calibrated(self, inputs: Sequence[SentenceInput], products: npt.NDArray[np.float32]) -> Scores:
        out = np.zeros((len(inputs), len(LABELS)))
        for column, classifier in enumerate(self.classifiers):
            out[:, column] = classifier.calibrate(products[:, column] + classifier.regression.intercept_[0])
        # What holds no letter and no digit (a rule of dashes, an arrow) says nothing.
        out[[not any(map(str.isalnum, entry.text)) for entry in inputs]] = 0
        return out
