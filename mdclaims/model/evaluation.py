"""Measures a classifier on annotated documents: what every published figure comes from.

Intervals are 95 % percentile bootstrap intervals that resample whole sites where there are at least ten, else
whole documents, because sentences of one page are not independent (Efron and Tibshirani, 1993).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, cohen_kappa_score

from mdclaims.labels import LABELS, label_info
from mdclaims.language.cues import keyword_labels
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import page_inputs, split_page
from mdclaims.model.classifier import ClaimClassifier, Scores
from mdclaims.model.corpus import CorpusDocument

Matrix = npt.NDArray[np.bool_]

BOOTSTRAP_ROUNDS = 1000
MINIMUM_SITES = 10
GROUP_SITES, GROUP_SENTENCES = 5, 100
"""A group of documents has figures of its own from this many sites and labelled sentences on."""
GROUP_SUPPORT = 10
"""Within a group, a label has an F1 from this many sentences on."""
_SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    def to_json(self) -> list[float | None]:
        """Return value, low and high, rounded; null where not defined."""
        return [rounded(self.value), rounded(self.low), rounded(self.high)]


def rounded(value: float) -> float | None:
    """Return a figure with four digits, as every published one; None for NaN."""
    return None if math.isnan(value) else round(float(value), 4)


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
    calibration_intercept : float
        What to add to every score's logit for the mean score to equal the label's rate ("calibration in the
        large", Van Calster et al., 2019): 0 is perfect, above 0 the scores are too low.
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
    calibration_intercept: float
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
        return {
            "mode": self.mode,
            "documents": self.documents,
            "sites": self.sites,
            "sentences": self.sentences,
            "intervals": f"95 % bootstrap over {self.resampled}s",
            "macro_f1": self.macro_f1.to_json(),
            "labels": {
                entry.label: {
                    "support": entry.support,
                    "precision": entry.precision.to_json(),
                    "recall": entry.recall.to_json(),
                    "f1": entry.f1.to_json(),
                    "average_precision": entry.average_precision.to_json(),
                    "brier_skill": rounded(entry.brier_skill),
                    "calibration_slope": rounded(entry.calibration_slope),
                    "calibration_intercept": rounded(entry.calibration_intercept),
                    "calibration_error": rounded(entry.calibration_error),
                }
                for entry in self.labels
            },
            "baselines": {
                entry.name: {
                    "macro_f1": rounded(entry.macro_f1),
                    **{label: rounded(f1) for label, f1 in entry.f1.items()},
                }
                for entry in self.baselines
            },
            "end_to_end": None
            if self.end_to_end is None
            else {name: rounded(value) for name, value in self.end_to_end.items()},
        }


def label_matrix(documents: Sequence[CorpusDocument]) -> Matrix:
    """Return the settled labels: shape (sentences, 4), columns in the order of `LABELS`."""
    rows = [[label in labels for label in LABELS] for document in documents for _, labels in document.sentences()]
    return np.array(rows, dtype=bool).reshape(len(rows), len(LABELS))


def evaluate(
    documents: Sequence[CorpusDocument],
    classifier: ClaimClassifier,
    *,
    mode: str,
    end_to_end: bool = False,
    scores: Scores | None = None,
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
    scores : array of float64, optional
        Shape (sentences, 4): what the classifier gives, where the caller has it already.
    """
    gold = label_matrix(documents)
    if scores is None:
        scores = classifier.scores([entry for document in documents for entry in document.inputs()])
    marked = scores >= threshold_row(classifier.thresholds[mode])
    sites = [document.site for document in documents for _ in document.sentences()]
    docs = [document.doc for document in documents for _ in document.sentences()]
    by_site = len(set(sites)) >= MINIMUM_SITES
    draws = list(_draws(sites if by_site else docs))
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


def threshold_row(thresholds: Mapping[str, float]) -> Scores:
    """Return one mode's thresholds: shape (4,), in the order of `LABELS`."""
    return np.array([thresholds[label] for label in LABELS])


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
        calibration_intercept=_calibration_intercept(gold, scores),
        calibration_error=_calibration_error(gold, scores),
    )


def _brier_skill(gold: Matrix, scores: Scores) -> float:
    rate = gold.mean() if len(gold) else 0.0
    reference = rate * (1 - rate)
    return float(1 - np.mean((scores - gold) ** 2) / reference) if reference else float("nan")


def _calibration_slope(gold: Matrix, scores: Scores) -> float:
    if not gold.any() or gold.all():
        return float("nan")
    return float(LogisticRegression(C=1e6).fit(_logits(scores)[:, None], gold).coef_[0, 0])


def _calibration_intercept(gold: Matrix, scores: Scores) -> float:
    if not gold.any() or gold.all():
        return float("nan")
    logits = _logits(scores)
    # No clipped logit is beyond 14, so that at 50 every sentence has the label, and at -50 none.
    return float(brentq(lambda shift: float(expit(logits + shift).mean() - gold.mean()), -50, 50))


def _logits(scores: Scores) -> Scores:
    result: Scores = logit(np.clip(scores, 1e-6, 1 - 1e-6))
    return result


def _calibration_error(gold: Matrix, scores: Scores) -> float:
    if not len(gold):
        return float("nan")
    bins = np.array_split(np.argsort(scores, kind="stable"), 10)
    return float(
        sum(abs(scores[rows].mean() - gold[rows].mean()) * len(rows) for rows in bins if len(rows)) / len(gold)
    )


# --- modes, groups and mistakes -----------------------------------------------------------------------------------


def mode_figures(gold: Matrix, scores: Scores, thresholds: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return as JSON data, for each mode, the counts behind precision and recall.

    Parameters
    ----------
    gold : array of bool
        Shape (sentences, 4).
    scores : array of float64
        Of the same shape.
    thresholds : mapping
        ``thresholds[mode][label]``.

    Returns
    -------
    dict
        For each mode ``to_read``, the sentences that have a finding of any label, and for each label
        ``support`` (sentences that carry it), ``marked``, ``right`` (both), ``precision`` and ``recall``.
    """
    table: dict[str, Any] = {}
    for mode in sorted(thresholds):
        marked = scores >= threshold_row(thresholds[mode])
        table[mode] = {
            "sentences": len(gold),
            "to_read": int(marked.any(axis=1).sum()),
            "labels": {
                label: {
                    "support": int(gold[:, n].sum()),
                    "marked": int(marked[:, n].sum()),
                    "right": int((gold[:, n] & marked[:, n]).sum()),
                    "precision": rounded(_precision(gold[:, n], marked[:, n])),
                    "recall": rounded(_recall(gold[:, n], marked[:, n])),
                }
                for n, label in enumerate(LABELS)
            },
        }
    return table


@dataclass(frozen=True, slots=True)
class GroupScores:
    """How well labels are found in one group of documents.

    Attributes
    ----------
    name : str
        "other" for the groups too small for figures of their own, and for documents that do not say; "all" for
        everything together.
    documents, sites, sentences, labelled : int
        `labelled` counts the sentences that carry any label.
    f1 : dict of str to float
        Per label; NaN below `GROUP_SUPPORT` sentences.
    support : dict of str to int
        Sentences that carry each label.
    macro_f1 : Interval
        Over the labels that have an F1.
    """

    name: str
    documents: int
    sites: int
    sentences: int
    labelled: int
    f1: dict[str, float]
    support: dict[str, int]
    macro_f1: Interval

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON data; those that are not defined are null."""
        return {
            "name": self.name,
            "documents": self.documents,
            "sites": self.sites,
            "sentences": self.sentences,
            "labelled": self.labelled,
            "macro_f1": self.macro_f1.to_json(),
            "labels": {label: {"f1": rounded(self.f1[label]), "support": self.support[label]} for label in LABELS},
        }


def group_scores(
    documents: Sequence[CorpusDocument], gold: Matrix, marked: Matrix, key: Callable[[CorpusDocument], str | None]
) -> list[GroupScores]:
    """Score each group of documents: the most labelled sentences first, then "other" and "all".

    Parameters
    ----------
    documents : sequence of CorpusDocument
    gold, marked : array of bool
        Shape (sentences, 4): of the sentences of `documents`, in order.
    key : callable
        Gives a document's group; None where the document does not say.
    """
    names = np.array([key(document) or "" for document in documents for _ in document.sentences()], dtype=object)
    sites = np.array([document.site for document in documents for _ in document.sentences()], dtype=object)
    docs = np.array([document.doc for document in documents for _ in document.sentences()], dtype=object)
    groups = {name: np.flatnonzero(names == name) for name in sorted(set(names))}
    large = {
        name: rows
        for name, rows in groups.items()
        if name and len(set(sites[rows])) >= GROUP_SITES and gold[rows].any(axis=1).sum() >= GROUP_SENTENCES
    }
    ranked = sorted(large.items(), key=lambda item: (-int(gold[item[1]].any(axis=1).sum()), item[0]))
    rest = np.flatnonzero(~np.isin(names, list(large)))
    return [
        _group(name, docs[rows].tolist(), sites[rows].tolist(), gold[rows], marked[rows])
        for name, rows in [*ranked, ("other", rest), ("all", np.arange(len(names)))]
        if len(rows)
    ]


def _group(name: str, docs: Sequence[str], sites: Sequence[str], gold: Matrix, marked: Matrix) -> GroupScores:
    support = gold.sum(axis=0)
    shown = np.flatnonzero(support >= GROUP_SUPPORT)
    return GroupScores(
        name=name,
        documents=len(set(docs)),
        sites=len(set(sites)),
        sentences=len(gold),
        labelled=int(gold.any(axis=1).sum()),
        f1={label: _f1(gold[:, n], marked[:, n]) if n in shown else math.nan for n, label in enumerate(LABELS)},
        support={label: int(support[n]) for n, label in enumerate(LABELS)},
        macro_f1=_bootstrap(
            lambda rows: _macro_f1(gold[np.ix_(rows, shown)], marked[np.ix_(rows, shown)]), _draws(sites), len(gold)
        ),
    )


@dataclass(frozen=True, slots=True)
class Mistake:
    """One sentence that the model gets wrong.

    Attributes
    ----------
    doc, text, kind, heading : str
        The document, the sentence, its block's kind and the nearest heading above it ("" for none).
    label : str
    error : str
        "false alarm" or "miss".
    score : float
        Of that label, 0 to 1.
    gold : tuple of str
        All labels that the sentence carries.
    """

    doc: str
    text: str
    kind: str
    heading: str
    label: str
    error: str
    score: float
    gold: tuple[str, ...]


def typical_mistakes(
    documents: Sequence[CorpusDocument], gold: Matrix, scores: Scores, thresholds: Mapping[str, float], *, count: int
) -> list[Mistake]:
    """Choose mistakes to show, by a rule that nobody can bend.

    Label by label, false alarms and then misses, the most confident mistake (the highest score of a false alarm,
    the lowest of a miss) in a document, and with a text, not shown yet; round after round until there are `count`.

    Parameters
    ----------
    documents : sequence of CorpusDocument
    gold : array of bool
        Shape (sentences, 4): of the sentences of `documents`, in order.
    scores : array of float64
        Of the same shape.
    thresholds : mapping
        One mode's.
    count : int

    Returns
    -------
    list of Mistake
        In the order of `LABELS`, false alarms before misses.
    """
    sentences = [
        (document.doc, entry, labels)
        for document in documents
        for entry, (_, labels) in zip(document.inputs(), document.sentences(), strict=True)
    ]
    marked = scores >= threshold_row(thresholds)

    def ranked(column: int, error: str) -> Iterator[Mistake]:
        false_alarm = error == "false alarm"
        wrong = np.flatnonzero(
            marked[:, column] & ~gold[:, column] if false_alarm else gold[:, column] & ~marked[:, column]
        )
        confidence = scores[wrong, column] if false_alarm else -scores[wrong, column]
        for row in wrong[np.argsort(-confidence, kind="stable")]:
            doc, entry, labels = sentences[row]
            score = round(float(scores[row, column]), 4)
            yield Mistake(doc, entry.text, entry.kind, entry.heading, LABELS[column], error, score, labels)

    queues = [ranked(column, error) for column in range(len(LABELS)) for error in ("false alarm", "miss")]
    chosen: list[tuple[int, Mistake]] = []
    shown: set[str] = set()
    before = -1
    while before < len(chosen) < count:
        before = len(chosen)
        for place, queue in enumerate(queues):
            found = next((entry for entry in queue if not {entry.doc, entry.text} & shown), None)
            if found is not None and len(chosen) < count:
                chosen.append((place, found))
                shown |= {found.doc, found.text}
    return [found for _, found in sorted(chosen, key=lambda item: item[0])]


# --- intervals ----------------------------------------------------------------------------------------------------


def _draws(groups: Sequence[str]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the row numbers of each bootstrap round: whole groups, drawn with replacement.

    One group alone tells nothing about how groups differ, so it gets no rounds and its figures no interval.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        return
    rows: dict[str, list[int]] = {name: [] for name in names}
    for n, group in enumerate(groups):
        rows[group].append(n)
    members = [np.array(rows[name], dtype=np.int64) for name in names]
    generator = np.random.default_rng(_SEED)
    for _ in range(BOOTSTRAP_ROUNDS):
        yield np.concatenate([members[n] for n in generator.integers(0, len(members), len(members))])


def _bootstrap(
    figure: Callable[[npt.NDArray[np.int64]], float], draws: Iterable[npt.NDArray[np.int64]], count: int
) -> Interval:
    value = figure(np.arange(count))
    sample = np.array([figure(rows) for rows in draws])
    sample = sample[~np.isnan(sample)]
    if math.isnan(value) or not len(sample):
        return Interval(value, float("nan"), float("nan"))
    low, high = np.percentile(sample, [2.5, 97.5])
    return Interval(value, float(low), float(high))


# --- stances -----------------------------------------------------------------------------------------------------


def stance_figures(
    fitting: Sequence[CorpusDocument], test: Sequence[CorpusDocument], classifier: ClaimClassifier
) -> dict[str, Any] | None:
    """Measure the stances on the labels that sentences of `test` really carry; None if it has no stances.

    Returns
    -------
    dict
        ``accuracy`` over all labels; per label the sentences of both parts, accuracy, agreement of the two
        annotators (kappa), and per stance its support, precision and recall.
    """
    gold = [row for document in test for row in document.stances()]
    if not any(gold) or not classifier.stances:
        return None
    found = classifier.judge([entry for document in test for entry in document.inputs()]).stances
    fitted = [row for document in fitting for row in document.stances()]
    labels: dict[str, Any] = {}
    right = total = 0
    for label, predicted in found.items():
        pairs = [(row[label], guess) for row, guess in zip(gold, predicted, strict=True) if label in row]
        hits = sum(one == other for one, other in pairs)
        right, total = right + hits, total + len(pairs)
        labels[label] = {
            "fitted_on": sum(label in row for row in fitted),
            "support": len(pairs),
            "accuracy": rounded(hits / len(pairs)) if pairs else None,
            "kappa": _stance_kappa(test, label),
            "stances": {stance: _stance_row(pairs, stance) for stance in label_info()[label].stances},
        }
    accuracy = rounded(right / total) if total else None
    return {"sentences": sum(map(bool, gold)), "accuracy": accuracy, "labels": labels}


def _stance_row(pairs: Sequence[tuple[str, str]], stance: str) -> dict[str, Any]:
    support, marked = sum(one == stance for one, _ in pairs), sum(other == stance for _, other in pairs)
    both = sum(one == other == stance for one, other in pairs)
    return {
        "support": support,
        "precision": rounded(both / marked) if marked else None,
        "recall": rounded(both / support) if support else None,
    }


def _stance_kappa(documents: Sequence[CorpusDocument], label: str) -> float | None:
    """Return Cohen's kappa of the two annotators over the stances of one label."""
    pairs = [
        (one[label], other[label])
        for document in documents
        for block in document.blocks
        if len(block.stance_annotations) == 2
        for one, other in zip(*block.stance_annotations.values(), strict=True)
        if label in one and label in other
    ]
    if len({stance for pair in pairs for stance in pair}) < 2:  # kappa is not defined where nothing varies
        return None
    return rounded(float(cohen_kappa_score(*zip(*pairs, strict=True))))


# --- baselines and end to end -------------------------------------------------------------------------------------


def _baselines(documents: Sequence[CorpusDocument], gold: Matrix) -> list[Baseline]:
    """Return the two readers without a model: every sentence carries the label, and a keyword list."""
    texts = [sentence for document in documents for sentence, _ in document.sentences()]
    return [
        Baseline(
            name,
            {label: _f1(gold[:, n], marked[:, n]) for n, label in enumerate(LABELS)},
            _macro_f1(gold, marked),
        )
        for name, marked in (
            ("every sentence", np.ones(gold.shape, dtype=bool)),
            ("keyword list", keyword_labels(texts)),
        )
    ]


def _end_to_end(documents: Sequence[CorpusDocument], classifier: ClaimClassifier, mode: str) -> dict[str, float]:
    """Score from text to labels: a (sentence, label) counts only if the sentence was found exactly."""
    thresholds = threshold_row(classifier.thresholds[mode])
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
