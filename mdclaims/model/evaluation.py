"""Measures a classifier on annotated documents: what every published figure comes from.

Intervals are 95 % percentile bootstrap intervals that resample whole sites where there are at least ten, else
whole documents, because sentences of one page are not independent (Efron and Tibshirani, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from mdclaims.labels import LABELS
from mdclaims.language.cues import KeywordBaseline
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import page_inputs, split_page
from mdclaims.model.classifier import ClaimClassifier, Scores
from mdclaims.model.corpus import CorpusDocument

Matrix = npt.NDArray[np.bool_]

BOOTSTRAP_ROUNDS = 1000
MINIMUM_SITES = 10
_SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LabelScores:
    """How well one label is found.

    Attributes
    ----------
    label : str
    support : int
        Sentences that carry it.
    precision, recall, f1 : Interval
        At the mode's threshold.
    average_precision : Interval
        Over all thresholds.
    brier_skill : float
        1 minus the Brier score over that of always saying the label's rate; 1 is perfect, 0 no skill.
    calibration_slope : float
        Of a logistic regression of the label on the score's logit: 1 is perfect, below 1 overconfident.
    calibration_error : float
        Expected calibration error in ten bins of equal count, 0 to 1.
    """

    label: str
    support: int
    precision: Interval
    recall: Interval
    f1: Interval
    average_precision: Interval
    brier_skill: float
    calibration_slope: float
    calibration_error: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """F1 per label of a reader without a model."""

    name: str
    f1: dict[str, float]
    macro_f1: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of one evaluation.

    Attributes
    ----------
    mode : str
    documents, sites, sentences : int
    resampled : str
        "site" or "document": what the intervals resample.
    labels : tuple of LabelScores
    macro_f1 : Interval
    baselines : tuple of Baseline
    end_to_end : dict of str to float, or None
        F1 per label from text to labels, and "sentences": the share of annotated sentences found exactly.
    """

    mode: str
    documents: int
    sites: int
    sentences: int
    resampled: str
    labels: tuple[LabelScores, ...]
    macro_f1: Interval
    baselines: tuple[Baseline, ...]
    end_to_end: dict[str, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as JSON data; figures that are not defined are null."""

        def figure(value: float) -> float | None:
            return None if math.isnan(value) else round(value, 4)

        def interval(entry: Interval) -> list[float | None]:
            return [figure(entry.value), figure(entry.low), figure(entry.high)]

        return {
            "mode": self.mode,
            "documents": self.documents,
            "sites": self.sites,
            "sentences": self.sentences,
            "intervals": f"95 % bootstrap over {self.resampled}s",
            "macro_f1": interval(self.macro_f1),
            "labels": {
                entry.label: {
                    "support": entry.support,
                    "precision": interval(entry.precision),
                    "recall": interval(entry.recall),
                    "f1": interval(entry.f1),
                    "average_precision": interval(entry.average_precision),
                    "brier_skill": figure(entry.brier_skill),
                    "calibration_slope": figure(entry.calibration_slope),
                    "calibration_error": figure(entry.calibration_error),
                }
                for entry in self.labels
            },
            "baselines": {
                entry.name: {
                    "macro_f1": figure(entry.macro_f1),
                    **{label: figure(f1) for label, f1 in entry.f1.items()},
                }
                for entry in self.baselines
            },
            "end_to_end": None
            if self.end_to_end is None
            else {name: figure(value) for name, value in self.end_to_end.items()},
        }


def label_matrix(documents: Sequence[CorpusDocument]) -> Matrix:
    """Return the settled labels: shape (sentences, 4), columns in the order of `LABELS`."""
    rows = [[label in labels for label in LABELS] for document in documents for _, labels in document.sentences()]
    return np.array(rows, dtype=bool).reshape(len(rows), len(LABELS))


def evaluate(
    documents: Sequence[CorpusDocument], classifier: ClaimClassifier, *, mode: str, end_to_end: bool = False
) -> Evaluation:
    """Score annotated documents.

    Parameters
    ----------
    documents : sequence of CorpusDocument
    classifier : ClaimClassifier
    mode : str
        Whose thresholds decide.
    end_to_end : bool
        Also score from text to labels, so that splitting errors count.
    """
    gold = label_matrix(documents)
    scores = classifier.scores([entry for document in documents for entry in document.inputs()])
    marked = scores >= _thresholds(classifier, mode)
    sites = [document.site for document in documents for _ in document.sentences()]
    docs = [document.doc for document in documents for _ in document.sentences()]
    by_site = len(set(sites)) >= MINIMUM_SITES
    draws = _draws(sites if by_site else docs)
    return Evaluation(
        mode=mode,
        documents=len(documents),
        sites=len(set(sites)),
        sentences=len(gold),
        resampled="site" if by_site else "document",
        labels=tuple(
            _label_scores(label, gold[:, n], marked[:, n], scores[:, n], draws) for n, label in enumerate(LABELS)
        ),
        macro_f1=_bootstrap(lambda rows: _macro_f1(gold[rows], marked[rows]), draws, len(gold)),
        baselines=tuple(_baselines(documents, gold)),
        end_to_end=_end_to_end(documents, classifier, mode) if end_to_end else None,
    )


def _thresholds(classifier: ClaimClassifier, mode: str) -> Scores:
    return np.array([classifier.thresholds[mode][label] for label in LABELS])


# --- figures ------------------------------------------------------------------------------------------------------


def _f1(gold: Matrix, marked: Matrix) -> float:
    total = int(gold.sum() + marked.sum())
    return float(2 * (gold & marked).sum() / total) if total else float("nan")


def _precision(gold: Matrix, marked: Matrix) -> float:
    return float((gold & marked).sum() / marked.sum()) if marked.any() else float("nan")


def _recall(gold: Matrix, marked: Matrix) -> float:
    return float((gold & marked).sum() / gold.sum()) if gold.any() else float("nan")


def _macro_f1(gold: Matrix, marked: Matrix) -> float:
    return _mean([_f1(gold[:, n], marked[:, n]) for n in range(gold.shape[1])])


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the figures that are defined."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _average_precision(gold: Matrix, scores: Scores) -> float:
    return float(average_precision_score(gold, scores)) if gold.any() else float("nan")


def _label_scores(
    label: str, gold: Matrix, marked: Matrix, scores: Scores, draws: Sequence[npt.NDArray[np.int64]]
) -> LabelScores:
    def over(figure: Callable[[npt.NDArray[np.int64]], float]) -> Interval:
        return _bootstrap(figure, draws, len(gold))

    return LabelScores(
        label=label,
        support=int(gold.sum()),
        precision=over(lambda rows: _precision(gold[rows], marked[rows])),
        recall=over(lambda rows: _recall(gold[rows], marked[rows])),
        f1=over(lambda rows: _f1(gold[rows], marked[rows])),
        average_precision=over(lambda rows: _average_precision(gold[rows], scores[rows])),
        brier_skill=_brier_skill(gold, scores),
        calibration_slope=_calibration_slope(gold, scores),
        calibration_error=_calibration_error(gold, scores),
    )


def _brier_skill(gold: Matrix, scores: Scores) -> float:
    rate = gold.mean() if len(gold) else 0.0
    reference = rate * (1 - rate)
    return float(1 - np.mean((scores - gold) ** 2) / reference) if reference else float("nan")


def _calibration_slope(gold: Matrix, scores: Scores) -> float:
    if not gold.any() or gold.all():
        return float("nan")
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped / (1 - clipped))
    return float(LogisticRegression(C=1e6).fit(logits[:, None], gold).coef_[0, 0])


def _calibration_error(gold: Matrix, scores: Scores) -> float:
    if not len(gold):
        return float("nan")
    bins = np.array_split(np.argsort(scores, kind="stable"), 10)
    return float(
        sum(abs(scores[rows].mean() - gold[rows].mean()) * len(rows) for rows in bins if len(rows)) / len(gold)
    )


# --- intervals ----------------------------------------------------------------------------------------------------


def _draws(groups: Sequence[str]) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each bootstrap round: whole groups, drawn with replacement.

    One group alone tells nothing about how groups differ, so it gets no rounds and its figures no interval.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        return []
    rows: dict[str, list[int]] = {name: [] for name in names}
    for n, group in enumerate(groups):
        rows[group].append(n)
    members = [np.array(rows[name], dtype=np.int64) for name in names]
    generator = np.random.default_rng(_SEED)
    return [
        np.concatenate([members[n] for n in generator.integers(0, len(members), len(members))])
        for _ in range(BOOTSTRAP_ROUNDS)
    ]


def _bootstrap(
    figure: Callable[[npt.NDArray[np.int64]], float], draws: Sequence[npt.NDArray[np.int64]], count: int
) -> Interval:
    value = figure(np.arange(count))
    sample = np.array([figure(rows) for rows in draws])
    sample = sample[~np.isnan(sample)]
    if math.isnan(value) or not len(sample):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(sample, [2.5, 97.5])
    return Interval(value, float(low), float(high))


# --- baselines and end to end -------------------------------------------------------------------------------------


def _baselines(documents: Sequence[CorpusDocument], gold: Matrix) -> list[Baseline]:
    """Return the two readers without a model: every sentence carries the label, and a keyword list."""
    texts = [sentence for document in documents for sentence, _ in document.sentences()]
    keywords = np.zeros(gold.shape, dtype=bool)
    for row, columns in enumerate(KeywordBaseline(shared_pipeline()).predict(texts)):
        keywords[row, sorted(columns)] = True
    return [
        Baseline(
            name,
            {label: _f1(gold[:, n], marked[:, n]) for n, label in enumerate(LABELS)},
            _macro_f1(gold, marked),
        )
        for name, marked in (("every sentence", np.ones(gold.shape, dtype=bool)), ("keyword list", keywords))
    ]


def _end_to_end(documents: Sequence[CorpusDocument], classifier: ClaimClassifier, mode: str) -> dict[str, float]:
    """Score from text to labels: a (sentence, label) counts only if the sentence was found exactly."""
    thresholds = _thresholds(classifier, mode)
    gold: list[set[tuple[int, int, int]]] = [set() for _ in LABELS]
    found: list[set[tuple[int, int, int]]] = [set() for _ in LABELS]
    exact = total = 0
    for n, document in enumerate(documents):
        annotated = document.gold_sentences()
        for sentence, (_, labels) in zip(annotated, document.sentences(), strict=True):
            for label in labels:
                gold[LABELS.index(label)].add((n, sentence.start, sentence.end))
        predicted = split_page(document.page(), shared_pipeline())
        scores = classifier.scores(page_inputs(predicted))
        for sentence, row in zip(predicted, scores >= thresholds, strict=True):
            for column in np.flatnonzero(row):
                found[column].add((n, sentence.start, sentence.end))
        spans = {(sentence.start, sentence.end) for sentence in predicted}
        exact += sum((sentence.start, sentence.end) in spans for sentence in annotated)
        total += len(annotated)
    result = {label: _overlap_f1(gold[n], found[n]) for n, label in enumerate(LABELS)}
    return {**result, "macro_f1": _mean(list(result.values())), "sentences": exact / total if total else math.nan}


def _overlap_f1(gold: set[tuple[int, int, int]], found: set[tuple[int, int, int]]) -> float:
    both = len(gold) + len(found)
    return 2 * len(gold & found) / both if both else math.nan
