"""Fits the classifier on the corpus, sets its thresholds and writes the model folder. Never imported by use."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, StrictUndefined
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve
from sklearn.model_selection import GroupKFold

from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS, label_info
from mdclaims.model.agreement import agreement
from mdclaims.model.classifier import ClaimClassifier, LabelClassifier, Scores, StanceClassifier
from mdclaims.model.corpus import SPLITS, CorpusDocument, corpus_digest, read_corpus
from mdclaims.model.evaluation import (
    GROUP_SENTENCES,
    GROUP_SITES,
    GROUP_SUPPORT,
    evaluate,
    group_scores,
    label_matrix,
    mode_figures,
    rounded,
    stance_figures,
    threshold_row,
    typical_mistakes,
)
from mdclaims.model.features import FeatureExtractor, FeatureSettings
from mdclaims.model.persistence import FORMAT_VERSION, MODEL_FILES, save_model, write_pin
from mdclaims.model.vectors import WordVectors

MODEL_NAME = "en_claims"
CARD_MODE = "balanced"
"""The mode of every figure of the card that shows one mode."""
MISTAKES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What a training run is set to; part of the model's metadata.

    Attributes
    ----------
    inverse_regularisation : float
        C of the logistic regressions. Swept over 0.5, 1 and 2 by mean average precision in folds grouped by
        site on train and dev, together with the weights of `FeatureSettings`; 1 and 2 were level.
    minimum_sentences : int
        A feature column must occur in this many training sentences to be kept.
    folds : int
        For the out-of-fold decision values; folds never divide a site.
    screen_recall, edit_precision : float
        What the thresholds of these modes aim at. Real pages, where claims are rarer than in the corpus, have about
        ten points less precision, so that editors need the higher aim.
    f1_tolerance : float
        How far below the best F1 a threshold may be to count as good as it, see `choose_thresholds`.
    seed : int
    """

    inverse_regularisation: float = 1.0
    minimum_sentences: int = 2
    folds: int = 5
    screen_recall: float = 0.95
    edit_precision: float = 0.95
    f1_tolerance: float = 0.005
    seed: int = 0


@dataclass(frozen=True)
class TrainedModel:
    """A fitted classifier and what is known of it.

    Attributes
    ----------
    classifier : ClaimClassifier
    meta : dict
        The contents of meta.json.
    card : str
        The model card, Markdown.
    """

    classifier: ClaimClassifier
    meta: dict[str, Any]
    card: str


def train(
    corpus: Path,
    *,
    version: str,
    settings: TrainingSettings | None = None,
    vectors: WordVectors | None = None,
    real_text: Path | None = None,
) -> TrainedModel:
    """Train on the splits train and dev of a corpus, and measure on its split test.

    Parameters
    ----------
    corpus : Path
        A folder or file in the corpus format; every document needs a split.
    version : str
        The model's version.
    settings : TrainingSettings, optional
    vectors : WordVectors, optional
    real_text : Path, optional
        What ``mdclaims evaluate --json`` wrote about this model on real pages. It goes into the card alone:
        such pages are not in the project, so that the metadata could not be made again from it.

    Raises
    ------
    CorpusError
        If the corpus breaks its format, a label or split is missing, or `real_text` is no evaluation.
    """
    settings = settings or TrainingSettings()
    on_real_pages = None if real_text is None else _read_evaluation(real_text)
    documents = read_corpus(corpus)
    parts = {split: [document for document in documents if document.split == split] for split in SPLITS}
    empty = [split for split, part in parts.items() if not part]
    if empty:
        raise CorpusError(f"{corpus}: no document in split {empty[0]}; give every document train, dev or test")
    fitting = parts["train"] + parts["dev"]
    classifier, out_of_fold = fit(fitting, settings, vectors=vectors)
    meta = _meta(corpus, version, settings, parts, classifier, out_of_fold)
    return TrainedModel(classifier=classifier, meta=meta, card=render_card(meta, on_real_pages))


def fit(
    documents: Sequence[CorpusDocument],
    settings: TrainingSettings,
    features: FeatureSettings | None = None,
    *,
    vectors: WordVectors | None = None,
) -> tuple[ClaimClassifier, Scores]:
    """Fit a classifier and return it with its out-of-fold scores.

    Returns
    -------
    classifier : ClaimClassifier
    scores : array of float64
        Shape (sentences, 4): each sentence scored by a regression that had not seen its site.
    """
    features = replace(features or FeatureSettings(), vector_dimensions=vectors.dimensions if vectors else 0)
    inputs = [entry for document in documents for entry in document.inputs()]
    gold = label_matrix(documents)
    sites = np.array([document.site for document in documents for _ in document.sentences()])
    if len(set(sites)) < settings.folds:
        raise CorpusError(f"only {len(set(sites))} sites to train on; {settings.folds} folds need a site each")
    matrix = FeatureExtractor(features, vectors).transform(inputs)
    frequent = np.bincount(matrix.indices, minlength=matrix.shape[1]) >= settings.minimum_sentences
    columns: npt.NDArray[np.int32] = np.flatnonzero(frequent).astype(np.int32)
    matrix = matrix[:, columns]
    folds = list(GroupKFold(settings.folds, shuffle=True, random_state=settings.seed).split(matrix, groups=sites))
    for column, label in enumerate(LABELS):
        if any(len(np.unique(gold[seen, column])) < 2 for seen, _ in folds):
            raise CorpusError(
                f"label {label} must be on some training sentences of several sites and missing from others"
            )
    classifiers: list[LabelClassifier] = []
    out_of_fold = np.zeros(gold.shape)
    for column in range(len(LABELS)):
        target = gold[:, column]
        decisions = np.zeros(len(target))
        for seen, unseen in folds:
            decisions[unseen] = _regression(settings).fit(matrix[seen], target[seen]).decision_function(matrix[unseen])
        # No penalty to speak of: two parameters on thousands of points.
        calibrator = LogisticRegression(C=1e6, solver="lbfgs").fit(decisions[:, None], target)
        regression = _slim(_regression(settings).fit(matrix, target))
        classifiers.append(LabelClassifier(regression, calibrator))
        out_of_fold[:, column] = classifiers[-1].calibrate(decisions)
    thresholds = choose_thresholds(gold, out_of_fold, settings)
    stances = [row for document in documents for row in document.stances()]
    return (
        ClaimClassifier(
            labels=LABELS,
            settings=features,
            columns=columns,
            classifiers=tuple(classifiers),
            thresholds=thresholds,
            stances=_fit_stances(matrix, columns, stances, settings),
            vectors=vectors,
        ),
        out_of_fold,
    )


def _fit_stances(
    matrix: sparse.csr_matrix,
    columns: npt.NDArray[np.int32],
    stances: Sequence[Mapping[str, str]],
    settings: TrainingSettings,
) -> dict[str, StanceClassifier]:
    """Fit a classifier for each label with sentences of two stances or more.

    Parameters
    ----------
    matrix : scipy.sparse.csr_matrix
        *Shape: (sentences, columns)*
    columns : array of int32
        Which features those columns are.
    stances : sequence of mapping of str to str
        Each sentence's stance by label; empty where none was judged.
    settings : TrainingSettings
    """
    found: dict[str, StanceClassifier] = {}
    for label in LABELS:
        judged = np.flatnonzero([label in row for row in stances])
        target = np.array([stances[n][label] for n in judged.tolist()])
        if len(np.unique(target)) < 2:
            continue
        part = matrix[judged]
        used = np.flatnonzero(np.bincount(part.indices, minlength=part.shape[1]) >= settings.minimum_sentences)
        regression = LogisticRegression(C=settings.inverse_regularisation, solver="lbfgs", max_iter=1000)
        regression.fit(part[:, used], target)
        weights, intercepts = regression.coef_, regression.intercept_
        if len(regression.classes_) == 2:  # scikit-learn keeps the difference of the two alone
            weights, intercepts = (
                np.vstack([-weights / 2, weights / 2]),
                np.concatenate([-intercepts / 2, intercepts / 2]),
            )
        found[label] = StanceClassifier(
            stances=tuple(str(name) for name in regression.classes_),
            columns=columns[used],
            weights=weights.T.astype(np.float32),
            intercepts=intercepts.astype(np.float32),
        )
    return found


def _regression(settings: TrainingSettings) -> LogisticRegression:
    return LogisticRegression(C=settings.inverse_regularisation, solver="liblinear", random_state=settings.seed)


def _slim(regression: LogisticRegression) -> LogisticRegression:
    """Halve the stored size: a weight's seventh digit changes no score that is shown."""
    regression.coef_ = regression.coef_.astype(np.float32)
    return regression


def choose_thresholds(
    gold: npt.NDArray[np.bool_], scores: Scores, settings: TrainingSettings
) -> dict[str, dict[str, float]]:
    """Return ``thresholds[mode][label]`` from out-of-fold scores.

    balanced: of the thresholds whose F1 is at most `f1_tolerance` below the best, the one nearest to the middle
    of their range. The curve is flat at its top, and where exactly it peaks turns on single sentences. Over 150
    random halves of the sites of 489 documents (7,500 sentences) the peak's standard deviation was 0.03 to 0.06
    for the four labels, the middle's 0.015 to 0.04, and its F1 on the other half 0.000 to 0.001 higher;
    tolerances of 0.002 and 0.01 did no better over all. A corpus of a few hundred sentences gains nothing by it.
    screen: the highest threshold that keeps the recall aimed at. edit: the lowest that reaches the precision
    aimed at; where none does, the one with the best precision among those that still find a tenth of the
    sentences. No mode marks less than a stricter one.
    """
    thresholds: dict[str, dict[str, float]] = {"balanced": {}, "edit": {}, "screen": {}}
    for column, label in enumerate(LABELS):
        precision, recall, cuts = precision_recall_curve(gold[:, column], scores[:, column])
        precision, recall = precision[:-1], recall[:-1]
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        good = cuts[f1 >= f1.max() - settings.f1_tolerance]  # ascending
        thresholds["balanced"][label] = float(good[np.argmin(np.abs(good - (good[0] + good[-1]) / 2))])
        screen = float(cuts[np.flatnonzero(recall >= settings.screen_recall)[-1]])
        exact = np.flatnonzero(precision >= settings.edit_precision)
        usable = np.flatnonzero(recall >= 0.1)
        best = exact[0] if len(exact) else usable[np.argmax(precision[usable])]
        # An easy label reaches both aims at once.
        thresholds["screen"][label] = min(screen, thresholds["balanced"][label])
        thresholds["edit"][label] = max(float(cuts[best]), thresholds["balanced"][label])
    # Rounded down, so that the sentence whose score set the threshold still reaches it.
    return {
        mode: {label: math.floor(value * 1e6) / 1e6 for label, value in row.items()} for mode, row in thresholds.items()
    }


# --- metadata and card ------------------------------------------------------------------------------------------


def _meta(
    corpus: Path,
    version: str,
    settings: TrainingSettings,
    parts: dict[str, list[CorpusDocument]],
    classifier: ClaimClassifier,
    out_of_fold: Scores,
) -> dict[str, Any]:
    fitting, test = parts["train"] + parts["dev"], parts["test"]
    gold, test_gold = label_matrix(fitting), label_matrix(test)
    test_scores = classifier.scores([entry for document in test for entry in document.inputs()])
    card_thresholds = classifier.thresholds[CARD_MODE]
    return {
        "format_version": FORMAT_VERSION,
        "name": MODEL_NAME,
        "version": version,
        "language": "en",
        "license": "MIT",
        "labels": list(LABELS),
        "scikit_learn": installed_version("scikit-learn"),
        "numpy": installed_version("numpy"),
        "spacy": installed_version("spacy"),
        "corpus": {
            "sha256": corpus_digest(corpus),
            **{
                split: {
                    "documents": len(part),
                    "sites": len({document.site for document in part}),
                    "sentences": sum(1 for document in part for _ in document.sentences()),
                }
                for split, part in parts.items()
            },
        },
        "features": {**asdict(classifier.settings), "columns": len(classifier.columns)},
        "vectors": None
        if classifier.vectors is None
        else {"words": len(classifier.vectors.keys), "source": classifier.vectors.source},
        "training": asdict(settings),
        "thresholds": {mode: dict(row) for mode, row in classifier.thresholds.items()},
        "modes": {
            "out_of_fold": mode_figures(gold, out_of_fold, classifier.thresholds),
            "test": mode_figures(test_gold, test_scores, classifier.thresholds),
        },
        "test": evaluate(test, classifier, mode=CARD_MODE, scores=test_scores).to_json(),
        "stances": stance_figures(fitting, test, classifier),
        "mistakes": [
            asdict(mistake)
            for mistake in typical_mistakes(test, test_gold, test_scores, card_thresholds, count=MISTAKES_SHOWN)
        ],
        "groups": _groups(
            fitting + test,
            np.concatenate([gold, test_gold]),
            np.concatenate([out_of_fold, test_scores]) >= threshold_row(card_thresholds),
        ),
        "agreement": _agreement(fitting + test),
    }


def _groups(
    documents: Sequence[CorpusDocument], gold: npt.NDArray[np.bool_], marked: npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the figures of groups over the whole corpus: the test split alone has too few pages of most areas."""
    keys = {
        # Written "TMS" in one document and "tms" in the next.
        "area": lambda document: document.area and document.area.casefold(),
        "page_kind": lambda document: document.page_kind,
        "variety": lambda document: document.variety,
    }
    return {
        "minimum_sites": GROUP_SITES,
        "minimum_labelled": GROUP_SENTENCES,
        "minimum_support": GROUP_SUPPORT,
        **{name: [row.to_json() for row in group_scores(documents, gold, marked, key)] for name, key in keys.items()},
    }


def _agreement(documents: Sequence[CorpusDocument]) -> dict[str, Any] | None:
    """Return how the corpus's two annotators agree before settling; None if it does not keep them."""
    blocks = [block for document in documents for block in document.blocks]
    if not any({"writer", "reader"} <= set(block.annotations) for block in blocks):
        return None
    rows = agreement(documents, "writer", "reader")
    return {
        "sentences": rows[0].sentences,
        "labels": {
            row.label: {
                "writer": row.first,
                "reader": row.second,
                "both": row.both,
                "kappa": rounded(row.kappa),
                "f1": rounded(2 * row.both / (row.first + row.second)) if row.first + row.second else None,
            }
            for row in rows
        },
    }


def _read_evaluation(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{file} cannot be read ({error}); pass what `mdclaims evaluate --json` wrote") from error
    needed = {"mode", "documents", "sites", "sentences", "intervals", "macro_f1", "labels"}
    if not isinstance(data, dict) or not needed <= set(data) or list(data["labels"]) != list(LABELS):
        raise CorpusError(
            f"{file} is no evaluation with {', '.join(LABELS)}; pass what `mdclaims evaluate --json` wrote"
        )
    return data


def render_card(meta: Mapping[str, Any], real_text: Mapping[str, Any] | None = None) -> str:
    """Return the model card that belongs to a model's metadata.

    Parameters
    ----------
    meta : mapping
        The contents of meta.json.
    real_text : mapping, optional
        An `Evaluation` of the same model on real pages, as JSON data.
    """
    source = (files("mdclaims") / "data" / "templates" / "model_card.md.jinja").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 (Markdown)
    environment.filters |= {"figure": _figure, "interval": _interval, "of_100": _of_100, "cell": _cell}
    return environment.from_string(source).render(
        meta=meta, labels=label_info(), card_mode=CARD_MODE, mistakes_shown=MISTAKES_SHOWN, real_text=real_text
    )


def _figure(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:z.{digits}f}"


def _interval(entry: Sequence[float | None], digits: int = 2) -> str:
    """Return "0.83 (0.80 to 0.86)"."""
    value, low, high = entry
    shown = _figure(value, digits)
    return shown if low is None else f"{shown} ({_figure(low, digits)} to {_figure(high, digits)})"


def _of_100(part: int, whole: int) -> str:
    """Return how many of a hundred, with the counts behind it: "83 (1,213 of 1,461)"."""
    return f"{100 * part / whole:.0f} ({part:,} of {whole:,})" if whole else "-"


def _cell(text: str) -> str:
    """Return a sentence as a cell of a Markdown table: shown as it is, never read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>|~&#])", r"\\\1", text)


# --- shipping ---------------------------------------------------------------------------------------------------


def write_model(model: TrainedModel, folder: Path) -> str:
    """Write the model folder ``<folder>/<name>-<version>/`` and return its digest."""
    return save_model(
        model.classifier, model.meta, model.card, folder / f"{model.meta['name']}-{model.meta['version']}"
    )


def ship(model: TrainedModel, checkout: Path) -> Path:
    """Make a model the shipped one: write its folder and the pin together, and remove the model before it.

    Parameters
    ----------
    model : TrainedModel
    checkout : Path
        The project's folder, with ``models/`` and ``mdclaims/`` in it.

    Raises
    ------
    CorpusError
        If `checkout` is no checkout of mdclaims.
    """
    package = checkout / "mdclaims"
    if not (package / "data").is_dir():
        raise CorpusError(f"{checkout} is no checkout of mdclaims; run --ship in one")
    name, version = model.meta["name"], model.meta["version"]
    folder = checkout / "models" / f"{name}-{version}"
    before = [path for path in (checkout / "models").glob(f"{name}-*") if path.is_dir()]
    for old in before:
        if {path.name for path in old.iterdir()} - MODEL_FILES:
            raise CorpusError(f"{old} holds files that no model has; move them away first")
    for old in before:
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    digest = write_model(model, checkout / "models")
    write_pin(package, name=name, version=version, sha256=digest)
    return folder
