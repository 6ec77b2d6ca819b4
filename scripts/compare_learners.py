"""Compares learners on the corpus: ``python scripts/compare_learners.py [--sentences N] [GOLD.jsonl ...]``.

Each is fitted on three quarters of the sites of train and dev and judged on the fourth; with GOLD files also on
those, at the thresholds with the best F1 on the fourth quarter. The split test is never touched. Prints a Markdown
table for the model card (some 15 minutes on two cores); with --sentences on so many of the corpus only, to try it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.model_selection import GroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from mdclaims.labels import LABELS
from mdclaims.model.corpus import CorpusDocument, read_corpus
from mdclaims.model.evaluation import label_matrix
from mdclaims.model.features import FeatureExtractor
from mdclaims.model.persistence import load_model

Array = npt.NDArray[Any]


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description="Compares learners on the corpus.")
    parser.add_argument("gold", nargs="*", type=Path, help="gold files to judge on as well")
    parser.add_argument("--sentences", type=int, help="take documents by chance until they have so many")
    arguments = parser.parse_args()
    documents = [document for document in read_corpus(Path("corpus/documents")) if document.split != "test"]
    if arguments.sentences is not None:
        documents = _some(documents, arguments.sentences)
    gold = [document for path in arguments.gold for document in read_corpus(path)]
    classifier = load_model().classifier
    extractor = FeatureExtractor(classifier.settings, classifier.vectors)

    def matrix(part: list[CorpusDocument]) -> Any:
        return extractor.transform([entry for document in part for entry in document.inputs()])

    everything, target = matrix(documents), label_matrix(documents)
    sites = np.array([document.site for document in documents for _ in document.sentences()])
    seen, unseen = next(GroupKFold(4, shuffle=True, random_state=0).split(everything, groups=sites))
    judged = [(everything[unseen], target[unseen])] + ([(matrix(gold), label_matrix(gold))] if gold else [])
    everything, target = everything[seen], target[seen]
    kept = np.flatnonzero(np.bincount(everything.indices, minlength=everything.shape[1]) >= 2)
    edges = np.cumsum([0, *extractor.blocks.values()])
    small = np.arange(edges[list(extractor.blocks).index("dense")], edges[-1])

    def scores(make: Callable[[], Any], columns: Array, *, dense: bool) -> list[Array]:
        """Return the scores of each judged set: shape (sentences, labels)."""

        def view(rows: Any) -> Any:
            return rows[:, columns].toarray() if dense else rows[:, columns]

        fitted = [make().fit(view(everything), target[:, n]) for n in range(len(LABELS))]
        return [
            np.stack([_log_odds(model.predict_proba(view(rows))[:, 1]) for model in fitted], axis=1)
            for rows, _ in judged
        ]

    found: dict[str, list[Array]] = {
        "logistic regression, all features": scores(lambda: LogisticRegression(solver="liblinear"), kept, dense=False),
        "linear SVM, calibrated, all features": scores(
            lambda: CalibratedClassifierCV(LinearSVC(C=0.05), cv=3), kept, dense=False
        ),
        "gradient boosting, cues and vectors": scores(
            lambda: HistGradientBoostingClassifier(max_iter=200, learning_rate=0.1, random_state=0), small, dense=True
        ),
        "neural network (64), cues and vectors": scores(
            lambda: MLPClassifier((64,), alpha=0.01, max_iter=12, random_state=0), small, dense=True
        ),
    }
    names = list(found)
    for other in names[2:]:
        pair = [(one + two) / 2 for one, two in zip(found[names[0]], found[other], strict=True)]
        found[f"mean of logistic regression and {other.split(',')[0]}"] = pair
    print("| learner | sites not seen: AP | F1 |" + (" gold: AP | F1 |" if gold else ""))
    print("|---|---|---|" + ("---|---|" if gold else ""))
    for name, predictions in found.items():
        cuts = [_best_threshold(judged[0][1][:, n], predictions[0][:, n]) for n in range(len(LABELS))]
        cells = [_figures(truth, predicted, cuts) for (_, truth), predicted in zip(judged, predictions, strict=True)]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _some(documents: list[CorpusDocument], sentences: int) -> list[CorpusDocument]:
    """Return documents chosen by chance that have about so many sentences together."""
    shuffled = [documents[n] for n in np.random.default_rng(0).permutation(len(documents))]
    totals = np.cumsum([len(document.inputs()) for document in shuffled])
    return shuffled[: int(np.searchsorted(totals, sentences)) + 1]


def _log_odds(probabilities: Array) -> Array:
    inside = np.clip(probabilities, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def _best_threshold(truth: Array, scores: Array) -> float:
    precision, recall, cuts = precision_recall_curve(truth, scores)
    return float(cuts[np.argmax((2 * precision * recall / np.maximum(precision + recall, 1e-12))[:-1])])


def _figures(truth: Array, scores: Array, cuts: list[float]) -> str:
    """Return mean average precision and macro-F1 of one judged set."""
    average = np.mean([average_precision_score(truth[:, n], scores[:, n]) for n in range(len(LABELS))])
    marked = scores >= np.array(cuts)
    f1 = np.mean(2 * (marked & truth).sum(axis=0) / np.maximum(marked.sum(axis=0) + truth.sum(axis=0), 1))
    return f"{average:.3f} | {f1:.3f}"


if __name__ == "__main__":
    main()
