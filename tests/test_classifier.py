"""The classifier: scores on the tiny corpus, calibration, and the rules by which thresholds are chosen."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from helpers import (
    ACTION,
    EFFICACY,
    SAFETY,
    SMALL_FEATURES,
    STIGMA,
    TINY_SENTENCES,
    fit_tiny,
    tiny_classifier,
    tiny_documents,
    tiny_inputs,
    tiny_split,
)

from mdclaims.config import MODES
from mdclaims.errors import CorpusError
from mdclaims.labels import LABELS, label_info
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.evaluation import label_matrix
from mdclaims.model.training import TrainingSettings, choose_thresholds, fit

# --- scores -----------------------------------------------------------------------------------------------------


def test_scores_are_probabilities_of_the_four_labels():
    scores = tiny_classifier().scores(tiny_inputs())
    assert scores.shape == (TINY_SENTENCES, 4)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores.std() > 0.1


def test_no_input_no_scores():
    assert tiny_classifier().scores([]).shape == (0, 4)


def test_the_labels_are_learned():
    gold = label_matrix(tiny_documents())
    scores = tiny_classifier().scores(tiny_inputs())
    for column, label in enumerate(LABELS):
        carried, not_carried = scores[gold[:, column], column], scores[~gold[:, column], column]
        assert len(carried) >= 10, label
        assert carried.mean() > not_carried.mean() + 0.3, label


def test_the_columns_of_scores_are_in_the_order_of_the_labels():
    texts = {
        EFFICACY: "It relieves and improves pain.",
        SAFETY: "Safe, painless and free of side effects.",
        STIGMA: "People feel ashamed and lazy.",
        ACTION: "Book now.",
    }
    scores = tiny_classifier().scores([SentenceInput(texts[label]) for label in LABELS])
    assert scores.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_calibration_keeps_the_order_of_decisions():
    classifier = tiny_classifier().classifiers[0]
    values = classifier.calibrate(np.array([-50.0, -1.0, 0.0, 1.0, 50.0]))
    assert (np.diff(values) >= 0).all()
    assert values[0] < 0.5 < values[-1]


def test_scores_are_the_calibrated_decisions_of_each_regression():
    classifier = tiny_classifier()
    inputs = tiny_inputs()[:5]
    features = classifier.extractor.transform(inputs)[:, classifier.columns]
    assert features.shape == (5, len(classifier.columns))
    by_hand = []
    for part in classifier.classifiers:
        decision = features.toarray().astype(np.float64) @ part.regression.coef_[0] + part.regression.intercept_[0]
        by_hand.append(1 / (1 + np.exp(-(part.calibrator.coef_[0, 0] * decision + part.calibrator.intercept_[0]))))
    np.testing.assert_allclose(classifier.scores(inputs), np.column_stack(by_hand), atol=1e-6)


def test_weights_are_those_of_the_regressions():
    classifier = tiny_classifier()
    assert classifier.weights.shape == (classifier.extractor.width, 4)
    assert classifier.weights.dtype == np.float32
    for column, part in enumerate(classifier.classifiers):
        np.testing.assert_allclose(classifier.weights[classifier.columns, column], part.regression.coef_[0], rtol=1e-6)
    assert not np.delete(classifier.weights, classifier.columns, axis=0).any()


def test_columns_are_ascending_and_within_the_features():
    classifier = tiny_classifier()
    assert len(classifier.columns) > 100
    assert (np.diff(classifier.columns) > 0).all()
    assert classifier.columns[-1] < classifier.extractor.width


def test_a_column_needs_two_training_sentences():
    documents = tiny_split("train", "dev")
    rare = fit(documents, TrainingSettings(minimum_sentences=1), SMALL_FEATURES)[0]
    common = fit(documents, TrainingSettings(minimum_sentences=4), SMALL_FEATURES)[0]
    assert set(common.columns) < set(tiny_classifier().columns) < set(rare.columns)


def test_the_pickle_leaves_the_pipeline_out():
    classifier = tiny_classifier()
    before = classifier.scores(tiny_inputs()[:3])  # makes the extractor
    again = pickle.loads(pickle.dumps(classifier))
    assert again._extractor is again._weights is None
    assert again.scores(tiny_inputs()[:3]).tobytes() == before.tobytes()


def test_fitting_twice_gives_equal_scores_and_thresholds():
    one, two = tiny_classifier(), fit_tiny()
    assert one.scores(tiny_inputs()).tobytes() == two.scores(tiny_inputs()).tobytes()
    assert one.thresholds == two.thresholds


def test_thresholds_are_there_for_every_mode_and_label():
    thresholds = tiny_classifier().thresholds
    assert set(thresholds) == set(MODES)
    for mode in MODES:
        assert tuple(thresholds[mode]) == LABELS
        assert all(0 <= value <= 1 for value in thresholds[mode].values())


# --- out-of-fold scores -----------------------------------------------------------------------------------------


def test_out_of_fold_scores_come_from_regressions_that_had_not_seen_the_site():
    documents = tiny_split("train", "dev")
    classifier, out_of_fold = fit(documents, TrainingSettings(), SMALL_FEATURES)
    inputs = [entry for document in documents for entry in document.inputs()]
    gold = label_matrix(documents)
    assert out_of_fold.shape == (len(inputs), 4)
    assert ((out_of_fold >= 0) & (out_of_fold <= 1)).all()
    # On sentences that it has seen, the model is surer of the right answer.
    error_seen = np.abs(classifier.scores(inputs) - gold).mean()
    error_unseen = np.abs(out_of_fold - gold).mean()
    assert error_seen < error_unseen


def with_labels(keep):
    """Return the training documents with every sentence's labels changed by `keep`."""
    return [
        replace(
            document,
            blocks=tuple(
                replace(block, labels=tuple(tuple(keep(labels)) for labels in block.labels))
                for block in document.blocks
            ),
        )
        for document in tiny_split("train", "dev")
    ]


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_no_training_sentence_has_is_refused(label):
    documents = with_labels(lambda labels: [name for name in labels if name != label])
    with pytest.raises(CorpusError, match=f"label {label} must be on some"):
        fit(documents, TrainingSettings(), SMALL_FEATURES)


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_every_training_sentence_has_is_refused(label):
    documents = with_labels(lambda labels: {*labels, label})
    with pytest.raises(CorpusError, match=f"label {label} must be on some"):
        fit(documents, TrainingSettings(), SMALL_FEATURES)


# --- thresholds by hand -----------------------------------------------------------------------------------------


def columns(values):
    """Give all four labels the same column."""
    return np.column_stack([np.array(values)] * 4)


#        scores       0.9   0.8   0.7   0.6   0.5   0.4   0.3   0.2   0.1   0.05
GOLD = [True, True, False, True, False, True, False, False, False, False]
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
# precision at each:  1     1     2/3    3/4   3/5    4/6
# recall:             1/4   2/4   2/4    3/4   3/4    1
# F1:                 .4    .667  .571   .75   .667   .8


def test_thresholds_by_hand():
    settings = TrainingSettings(screen_recall=0.75, edit_precision=0.9)
    thresholds = choose_thresholds(columns(GOLD), columns(SCORES), settings)
    assert set(thresholds) == {"balanced", "edit", "screen"}
    for label in LABELS:
        assert thresholds["balanced"][label] == 0.4  # the best F1, 0.8
        assert thresholds["screen"][label] == 0.4  # 0.6 would do for recall 0.75, but must not mark less than balanced
        assert thresholds["edit"][label] == 0.8  # the lowest with precision 0.9 or more


def test_screen_reaches_the_recall_aimed_at():
    thresholds = choose_thresholds(columns(GOLD), columns(SCORES), TrainingSettings(screen_recall=0.95))
    assert thresholds["screen"] == dict.fromkeys(LABELS, 0.4)  # only there every labelled sentence is found


def test_edit_follows_the_precision_aimed_at():
    thresholds = choose_thresholds(columns(GOLD), columns(SCORES), TrainingSettings(edit_precision=0.7))
    assert thresholds["edit"] == dict.fromkeys(LABELS, 0.6)  # precision 3/4


def test_edit_takes_the_best_precision_where_none_reaches_the_aim():
    gold = [False, True, True, False, False]
    scores = [0.9, 0.8, 0.7, 0.6, 0.5]  # precision 0, 1/2, 2/3, 1/2, 2/5
    thresholds = choose_thresholds(columns(gold), columns(scores), TrainingSettings(edit_precision=0.9))
    assert thresholds["edit"] == dict.fromkeys(LABELS, 0.7)


def test_edit_looks_only_where_a_tenth_of_the_sentences_is_found():
    # The best precision, 1/2 at 0.98, finds 1 of 20 sentences; from 0.5 on all are found, at 20/60.
    gold = [False, True, *[False] * 19, *[True] * 19, *[False] * 20]
    scores = [0.99, 0.98, *[0.6] * 19, *[0.5] * 19, *[0.1] * 20]
    thresholds = choose_thresholds(columns(gold), columns(scores), TrainingSettings(edit_precision=0.9))
    assert thresholds["edit"] == dict.fromkeys(LABELS, 0.5)


def test_labels_get_their_own_thresholds():
    gold = np.column_stack([GOLD, np.roll(GOLD, 5), GOLD, np.roll(GOLD, 5)])
    thresholds = choose_thresholds(gold, columns(SCORES), TrainingSettings())
    balanced = thresholds["balanced"]
    assert balanced[EFFICACY] == balanced[STIGMA] == 0.4
    # true at 0.4, 0.3, 0.1, ... F1 is best, 8/14 or less, at the low end
    assert balanced[SAFETY] == balanced[ACTION] < 0.4


def test_a_perfect_model_has_one_threshold():
    gold, scores = [True, True, False, False], [0.9, 0.8, 0.2, 0.1]
    thresholds = choose_thresholds(columns(gold), columns(scores), TrainingSettings())
    assert thresholds["balanced"] == thresholds["screen"] == thresholds["edit"] == dict.fromkeys(LABELS, 0.8)


def test_rounding_keeps_the_sentence_that_sets_the_threshold():
    gold, scores = columns([True, True, False]), columns([0.9, 0.1234567, 0.05])
    thresholds = choose_thresholds(gold, scores, TrainingSettings(screen_recall=0.95))
    found = scores[:, 0] >= thresholds["screen"][EFFICACY]
    assert found.tolist() == [True, True, False]


# --- stances ----------------------------------------------------------------------------------------------------


def test_judging_gives_the_scores_and_a_stance_for_each_label():
    classifier, inputs = tiny_classifier(), tiny_inputs()
    judgement = classifier.judge(inputs)
    assert judgement.scores == pytest.approx(classifier.scores(inputs), abs=1e-6)
    assert list(judgement.stances) == list(LABELS)
    for label, stances in judgement.stances.items():
        assert len(stances) == len(inputs)
        assert set(stances) <= set(label_info()[label].stances)
        assert len(set(stances)) > 1


def test_a_sentence_has_the_same_stances_alone():
    classifier, inputs = tiny_classifier(), tiny_inputs()[:20]
    together = classifier.judge(inputs)
    for n, entry in enumerate(inputs):
        alone = classifier.judge([entry])
        assert {label: row[0] for label, row in alone.stances.items()} == {
            label: row[n] for label, row in together.stances.items()
        }
        assert alone.scores[0].tobytes() == together.scores[n].tobytes()


def test_stances_of_the_training_text_are_learnt():
    classifier = tiny_classifier()
    documents = tiny_split("train", "dev")
    gold = [row for document in documents for row in document.stances()]
    found = classifier.judge([entry for document in documents for entry in document.inputs()]).stances
    pairs = [(row[label], found[label][n]) for n, row in enumerate(gold) for label in row]
    assert len(pairs) > 40
    assert sum(one == other for one, other in pairs) / len(pairs) > 0.9


def test_judging_nothing():
    judgement = tiny_classifier().judge([])
    assert judgement.scores.shape == (0, len(LABELS))
    assert all(stances == [] for stances in judgement.stances.values())
