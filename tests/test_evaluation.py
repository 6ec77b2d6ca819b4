"""Figures against numbers worked out by hand, intervals, baselines, and the way from text to labels."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from helpers import (
    ACTION,
    EFFICACY,
    LABELS,
    SAFETY,
    STIGMA,
    STUB_THRESHOLDS,
    TINY_SENTENCES,
    TINY_SITES,
    StubClassifier,
    line,
    tiny_classifier,
    tiny_documents,
    tiny_split,
    write_lines,
)

from mdclaims.config import MODES
from mdclaims.model import evaluation
from mdclaims.model.corpus import read_corpus
from mdclaims.model.evaluation import evaluate, group_scores, label_matrix, mode_figures, typical_mistakes

#  sentence        score  gold   marked at 0.5
# "Alpha [e90]"     .90   yes    yes
# "Bravo [e80]"     .80   no     yes
# "Carlo [e70]"     .70   yes    yes
# "Delta [e30]"     .30   yes    no
# "Fresh [e10]"     .10   no     no
BY_HAND = [("Alpha [e90] one.", True), ("Bravo [e80] two.", False), ("Carlo [e70] three.", True),
           ("Delta [e30] four.", True), ("Fresh [e10] five.", False)]  # fmt: skip


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    monkeypatch.setattr(evaluation, "BOOTSTRAP_ROUNDS", 200)


def documents_of(tmp_path, *rows):
    return read_corpus(write_lines(tmp_path / "gold.jsonl", *rows))


@pytest.fixture
def by_hand(tmp_path):
    """Five documents of one sentence each, on five sites."""
    return documents_of(
        tmp_path,
        *(
            line(doc=f"d{n}", site=f"s{n}", sentences=[text], labels=[[EFFICACY] if carries else []])
            for n, (text, carries) in enumerate(BY_HAND)
        ),
    )


def scores_of(result, label):
    (found,) = [entry for entry in result.labels if entry.label == label]
    return found


# --- figures ----------------------------------------------------------------------------------------------------


def test_figures_by_hand(by_hand):
    result = evaluate(by_hand, StubClassifier(), mode="balanced")
    assert (result.documents, result.sites, result.sentences) == (5, 5, 5)
    assert [entry.label for entry in result.labels] == list(LABELS)
    found = scores_of(result, EFFICACY)
    assert found.support == 3
    assert found.precision.value == pytest.approx(2 / 3)
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.f1.value == pytest.approx(2 / 3)
    assert found.average_precision.value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    # Brier: (.01 + .64 + .09 + .49 + .01) / 5 = .248; always saying 3/5 gives .24
    assert found.brier_skill == pytest.approx(1 - 0.248 / 0.24)
    # five bins of one sentence: (.1 + .8 + .3 + .7 + .1) / 5
    assert found.calibration_error == pytest.approx(0.4)
    assert 0 < found.calibration_slope < 1  # the right way round, but overconfident
    assert result.macro_f1.value == pytest.approx(2 / 3)  # the other labels are on no sentence


@pytest.mark.parametrize(
    ("mode", "precision", "recall"), [("screen", 3 / 4, 1.0), ("balanced", 2 / 3, 2 / 3), ("edit", 1 / 2, 1 / 3)]
)
def test_the_mode_decides_the_thresholds(by_hand, mode, precision, recall):
    result = evaluate(by_hand, StubClassifier(), mode=mode)
    found = scores_of(result, EFFICACY)
    assert result.mode == mode
    assert found.precision.value == pytest.approx(precision)
    assert found.recall.value == pytest.approx(recall)
    assert found.f1.value == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_score_at_the_threshold_counts(tmp_path):
    documents = documents_of(tmp_path, line(sentences=["Well [e50]."], labels=[[EFFICACY]]))
    assert scores_of(evaluate(documents, StubClassifier(), mode="balanced"), EFFICACY).recall.value == 1


def test_a_perfect_and_a_useless_model(tmp_path):
    documents = documents_of(
        tmp_path,
        line(doc="a", sentences=["One [e99]."], labels=[[EFFICACY]]),
        line(doc="b", sentences=["Two [s99]."], labels=[[STIGMA]]),
    )
    result = evaluate(documents, StubClassifier(), mode="balanced")
    assert scores_of(result, EFFICACY).f1.value == 1
    assert scores_of(result, SAFETY).precision.value == 0  # marked, but on no sentence
    assert math.isnan(scores_of(result, SAFETY).recall.value)
    assert scores_of(result, STIGMA).recall.value == 0
    assert math.isnan(scores_of(result, STIGMA).precision.value)
    assert math.isnan(scores_of(result, ACTION).f1.value)  # neither on a sentence nor marked
    assert result.macro_f1.value == pytest.approx((1 + 0 + 0) / 3)


def test_perfect_calibration_has_slope_one_and_no_error():
    gold = np.array([True, False, False, False] * 25 + [True, True, True, False] * 25)
    scores = np.array([0.25] * 100 + [0.75] * 100)
    assert evaluation._calibration_slope(gold, scores) == pytest.approx(1, abs=0.01)
    assert evaluation._calibration_intercept(gold, scores) == pytest.approx(0, abs=1e-9)
    assert evaluation._calibration_error(gold, scores) == pytest.approx(0, abs=1e-9)
    assert evaluation._brier_skill(gold, scores) == pytest.approx(1 - 0.1875 / 0.25)


def test_the_intercept_is_what_the_logits_lack():
    # One sentence in two carries the label, and every score says one in four: logit 1/2 - logit 1/4 = log 3.
    gold = np.array([True, False] * 50)
    assert evaluation._calibration_intercept(gold, np.full(100, 0.25)) == pytest.approx(math.log(3))
    assert evaluation._calibration_intercept(gold, np.full(100, 0.75)) == pytest.approx(-math.log(3))
    assert math.isnan(evaluation._calibration_intercept(gold[:1], np.array([0.5])))


def test_certain_scores_break_neither_slope_nor_intercept():
    gold = np.array([True, False, True, False])
    assert math.isfinite(evaluation._calibration_slope(gold, np.array([1.0, 0.0, 0.0, 1.0])))
    assert math.isfinite(evaluation._calibration_intercept(gold, np.ones(4)))


def test_label_matrix():
    matrix = label_matrix(tiny_documents())
    assert matrix.shape == (TINY_SENTENCES, 4)
    assert matrix.dtype == bool
    first = [labels for _, labels in tiny_documents()[0].sentences()]
    assert first[0] == (EFFICACY,)
    assert matrix[0].tolist() == [True, False, False, False]
    assert label_matrix([]).shape == (0, 4)


# --- intervals --------------------------------------------------------------------------------------------------


def intervals(result):
    found = [result.macro_f1]
    for entry in result.labels:
        found += [entry.precision, entry.recall, entry.f1, entry.average_precision]
    return [entry for entry in found if not math.isnan(entry.value)]


def test_intervals_hold_the_value(by_hand):
    found = intervals(evaluate(by_hand, StubClassifier(), mode="balanced"))
    assert len(found) == 5  # macro-F1 and four figures of the one label
    for entry in found:
        assert 0 <= entry.low <= entry.value <= entry.high <= 1
    assert any(entry.low < entry.high for entry in found)


def test_intervals_are_seeded(by_hand):
    one = evaluate(by_hand, StubClassifier(), mode="balanced").to_json()
    two = evaluate(by_hand, StubClassifier(), mode="balanced").to_json()
    assert one == two


def test_intervals_follow_the_spread(tmp_path):
    """Twenty equal documents leave nothing to chance."""
    rows = [line(doc=f"d{n}", sentences=["Yes [e90].", "No [e80]."], labels=[[EFFICACY], []]) for n in range(20)]
    precision = scores_of(
        evaluate(documents_of(tmp_path, *rows), StubClassifier(), mode="balanced"), EFFICACY
    ).precision
    assert (precision.low, precision.value, precision.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("sites", "resampled"), [(9, "document"), (10, "site")])
def test_sites_are_resampled_where_there_are_ten(tmp_path, sites, resampled):
    rows = [line(doc=f"d{n}", site=f"s{n % sites}", sentences=["Yes [e90]."], labels=[[EFFICACY]]) for n in range(12)]
    result = evaluate(documents_of(tmp_path, *rows), StubClassifier(), mode="balanced")
    assert (result.documents, result.sites) == (12, sites)
    assert result.resampled == resampled
    assert result.to_json()["intervals"] == f"95 % bootstrap over {resampled}s"


def test_draws_take_whole_groups():
    draws = list(evaluation._draws(["a", "a", "b", "c", "a"]))
    assert len(draws) == 200
    members = {"a": {0, 1, 4}, "b": {2}, "c": {3}}
    for rows in draws:
        drawn = rows.tolist()
        groups = 0
        for rows_of_group in members.values():
            counts = {drawn.count(row) for row in rows_of_group}
            assert len(counts) == 1
            groups += counts.pop()
        assert groups == 3
    assert len({tuple(rows.tolist()) for rows in draws}) > 5


def test_one_document_has_no_interval(tmp_path):
    documents = documents_of(tmp_path, line(sentences=["Yes [e90].", "No [e80]."], labels=[[EFFICACY], []]))
    precision = scores_of(evaluate(documents, StubClassifier(), mode="balanced"), EFFICACY).precision
    assert precision.value == 0.5
    assert math.isnan(precision.low)
    assert math.isnan(precision.high)


# --- modes, groups and mistakes ---------------------------------------------------------------------------------


def stub_scores(documents):
    return StubClassifier().scores([entry for document in documents for entry in document.inputs()])


def test_mode_figures_by_hand(by_hand):
    figures = mode_figures(label_matrix(by_hand), stub_scores(by_hand), STUB_THRESHOLDS)
    assert list(figures) == ["balanced", "edit", "screen"]
    found = {
        mode: (row["labels"][EFFICACY]["marked"], row["labels"][EFFICACY]["right"]) for mode, row in figures.items()
    }
    assert found == {"screen": (4, 3), "balanced": (3, 2), "edit": (2, 1)}
    assert figures["screen"]["labels"][EFFICACY] == {
        "support": 3, "marked": 4, "right": 3, "precision": 0.75, "recall": 1.0,
    }  # fmt: skip
    assert figures["screen"]["labels"][STIGMA] == {
        "support": 0, "marked": 0, "right": 0, "precision": None, "recall": None,
    }  # fmt: skip


def test_a_sentence_with_two_marks_is_read_once(tmp_path):
    documents = documents_of(tmp_path, line(sentences=["Both [e90] [s90].", "None."], labels=[[EFFICACY], []]))
    row = mode_figures(label_matrix(documents), stub_scores(documents), STUB_THRESHOLDS)["balanced"]
    assert (row["to_read"], row["sentences"]) == (1, 2)


AREAS = ["dental", "dental", "dental", "eye", "eye", None]


@pytest.fixture
def in_areas(tmp_path, monkeypatch):
    """Six sites of two labelled sentences, one of them found, and a false alarm; groups need three and six."""
    monkeypatch.setattr(evaluation, "GROUP_SITES", 3)
    monkeypatch.setattr(evaluation, "GROUP_SENTENCES", 6)
    monkeypatch.setattr(evaluation, "GROUP_SUPPORT", 4)
    rows = [
        line(
            doc=f"d{n}",
            site=f"s{n}",
            area=area,
            sentences=["Hit [e90].", "Miss [e10].", "Alarm [e90]."],
            labels=[[EFFICACY], [EFFICACY, STIGMA] if n < 3 else [EFFICACY], []],
        )
        for n, area in enumerate(AREAS)
    ]
    return documents_of(tmp_path, *rows)


def scores_by_area(documents):
    marked = stub_scores(documents) >= 0.5
    return group_scores(documents, label_matrix(documents), marked, lambda document: document.area)


def test_groups_by_hand(in_areas):
    dental, other, everything = scores_by_area(in_areas)
    assert [dental.name, other.name, everything.name] == ["dental", "other", "all"]  # "eye" and no area are pooled
    assert [row.documents for row in (dental, other, everything)] == [3, 3, 6]
    assert (dental.sites, dental.sentences, dental.labelled) == (3, 9, 6)
    assert dental.support == {EFFICACY: 6, SAFETY: 0, STIGMA: 3, ACTION: 0}
    assert dental.f1[EFFICACY] == pytest.approx(2 * 3 / (6 + 6))
    assert math.isnan(dental.f1[STIGMA])  # on too few sentences to say
    assert dental.macro_f1.value == dental.f1[EFFICACY]
    assert everything.sentences == 18


@pytest.mark.parametrize(("constant", "value"), [("GROUP_SITES", 4), ("GROUP_SENTENCES", 7)])
def test_a_group_needs_sites_and_labelled_sentences(in_areas, monkeypatch, constant, value):
    monkeypatch.setattr(evaluation, constant, value)
    assert [row.name for row in scores_by_area(in_areas)] == ["other", "all"]


def test_a_label_counts_in_a_group_from_its_support_on(in_areas, monkeypatch):
    monkeypatch.setattr(evaluation, "GROUP_SUPPORT", 3)
    dental = scores_by_area(in_areas)[0]
    assert dental.f1[STIGMA] == 0
    assert dental.macro_f1.value == pytest.approx(0.25)
    assert dental.to_json()["labels"][STIGMA] == {"f1": 0.0, "support": 3}


def test_groups_are_json_without_nan(in_areas):
    rows = json.loads(json.dumps([row.to_json() for row in scores_by_area(in_areas)], allow_nan=False))
    assert rows[0]["macro_f1"] == [0.5, 0.5, 0.5]
    assert rows[0]["labels"][STIGMA]["f1"] is None
    assert group_scores([], label_matrix([]), label_matrix([]), lambda document: document.area) == []


def mistakes_of(documents, count):
    thresholds = STUB_THRESHOLDS["balanced"]
    return typical_mistakes(documents, label_matrix(documents), stub_scores(documents), thresholds, count=count)


@pytest.fixture
def wrong(tmp_path):
    return documents_of(
        tmp_path,
        line(doc="a", kind="heading", sentences=["Our knees"], labels=[[]]),
        line(doc="a", block=1, sentences=["Alarm [e70].", "Worse [e99]."], labels=[[], [STIGMA]]),
        line(doc="a", block=2, sentences=["Missed [a05]."], labels=[[ACTION]]),
        line(doc="b", sentences=["Alarm [e80].", "Missed [s30]."], labels=[[], [SAFETY]]),
        line(doc="c", sentences=["Alarm [e75].", "Missed [s20].", "Right [e90]."], labels=[[], [SAFETY], [EFFICACY]]),
        line(doc="d", sentences=["Missed [a40]."], labels=[[ACTION]]),
        line(doc="e", sentences=["Alarm [e80]."], labels=[[]]),
    )


def test_mistakes_follow_their_rule(wrong):
    # Round one: the worst alarm (a), the worst miss of safety (c), the worst miss of action in a document not shown
    # (d, since a is); round two: b's alarm, and e's is a sentence shown already.
    found = [(row.doc, row.text, row.label, row.error, row.score) for row in mistakes_of(wrong, 10)]
    assert found == [
        ("a", "Worse [e99].", EFFICACY, "false alarm", 0.99),
        ("b", "Alarm [e80].", EFFICACY, "false alarm", 0.8),
        ("c", "Missed [s20].", SAFETY, "miss", 0.2),
        ("d", "Missed [a40].", ACTION, "miss", 0.4),
    ]


def test_mistakes_say_where_they_stand(wrong):
    worst = mistakes_of(wrong, 1)
    assert [(row.kind, row.heading, row.gold) for row in worst] == [("paragraph", "Our knees", (STIGMA,))]


def test_mistakes_are_spread_before_they_are_many(wrong):
    assert [row.doc for row in mistakes_of(wrong, 3)] == ["a", "c", "d"]


def test_no_mistakes(tmp_path):
    assert mistakes_of(documents_of(tmp_path, line(sentences=["Right [e90]."], labels=[[EFFICACY]])), 10) == []


# --- baselines --------------------------------------------------------------------------------------------------


def test_baselines(tmp_path):
    documents = documents_of(
        tmp_path,
        line(doc="a", sentences=["It relieves pain.", "Our doors are green."], labels=[[EFFICACY], []]),
        line(doc="b", sentences=["Book now.", "Ring twice."], labels=[[ACTION], [ACTION]]),
    )
    every, keywords = evaluate(documents, StubClassifier(), mode="balanced").baselines
    assert every.name == "every sentence"
    assert every.f1 == {
        EFFICACY: pytest.approx(2 / 5), SAFETY: 0, STIGMA: 0, ACTION: pytest.approx(4 / 6),
    }  # fmt: skip
    assert every.macro_f1 == pytest.approx((2 / 5 + 0 + 0 + 4 / 6) / 4)
    assert keywords.name == "keyword list"
    assert keywords.f1[EFFICACY] == 1
    assert keywords.f1[ACTION] == pytest.approx(2 / 3)  # "Book now" is in the lists, "Ring twice" is not


def test_the_tiny_model_beats_the_readers_without_a_model():
    result = evaluate(tiny_split("test"), tiny_classifier(), mode="balanced")
    assert result.sites == 3
    assert len(result.baselines) == 2
    for baseline in result.baselines:
        assert result.macro_f1.value > baseline.macro_f1


# --- end to end -------------------------------------------------------------------------------------------------


def test_end_to_end_counts_by_hand(tmp_path):
    # The splitter finds two sentences in the second block, so that one gold sentence is missed and two are new.
    documents = documents_of(
        tmp_path,
        line(sentences=["We [e90] heal."], labels=[[EFFICACY]]),
        line(block=1, sentences=["First [e90] one. Second [e90] one."], labels=[[EFFICACY]]),
    )
    result = evaluate(documents, StubClassifier(), mode="balanced", end_to_end=True)
    assert scores_of(result, EFFICACY).f1.value == 1
    assert result.end_to_end is not None
    assert result.end_to_end["sentences"] == 1 / 2
    assert result.end_to_end[EFFICACY] == pytest.approx(2 * 1 / (2 + 3))


def test_end_to_end_on_the_tiny_corpus():
    result = evaluate(tiny_documents(), tiny_classifier(), mode="balanced", end_to_end=True)
    assert result.end_to_end is not None
    assert set(result.end_to_end) == {*LABELS, "macro_f1", "sentences"}
    # Its sentences are simple enough to be split without a fault; then both ways are the same.
    assert result.end_to_end["sentences"] == 1
    for entry in result.labels:
        assert result.end_to_end[entry.label] == pytest.approx(entry.f1.value)
    assert result.end_to_end["macro_f1"] == pytest.approx(result.macro_f1.value)


def test_end_to_end_only_when_asked(by_hand):
    result = evaluate(by_hand, StubClassifier(), mode="balanced")
    assert result.end_to_end is None
    assert result.to_json()["end_to_end"] is None


def test_end_to_end_leaves_undefined_labels_out_as_macro_f1_does(tmp_path):
    documents = documents_of(tmp_path, line(sentences=["We [e90] heal."], labels=[[EFFICACY]]))
    result = evaluate(documents, StubClassifier(), mode="balanced", end_to_end=True)
    assert result.macro_f1.value == 1
    assert result.end_to_end is not None
    assert result.end_to_end["macro_f1"] == 1


# --- JSON -------------------------------------------------------------------------------------------------------


def test_json_has_no_nan_and_every_field(by_hand):
    result = evaluate(by_hand, StubClassifier(), mode="balanced", end_to_end=True)
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert set(data) == {
        "mode", "documents", "sites", "sentences", "intervals", "macro_f1", "labels", "baselines", "end_to_end",
    }  # fmt: skip
    assert list(data["labels"]) == list(LABELS)
    assert set(data["labels"][EFFICACY]) == {
        "support", "precision", "recall", "f1", "average_precision",
        "brier_skill", "calibration_slope", "calibration_intercept", "calibration_error",
    }  # fmt: skip
    assert data["labels"][EFFICACY]["precision"][0] == 0.6667
    assert data["labels"][STIGMA]["f1"] == [None, None, None]
    assert data["labels"][STIGMA]["brier_skill"] is None
    assert set(data["baselines"]) == {"every sentence", "keyword list"}
    assert set(data["baselines"]["keyword list"]) == {"macro_f1", *LABELS}


def test_known_scores_are_taken(by_hand):
    classifier = StubClassifier()
    scores = classifier.scores([entry for document in by_hand for entry in document.inputs()])
    given = evaluate(by_hand, classifier, mode="edit", scores=scores)
    assert given.to_json() == evaluate(by_hand, classifier, mode="edit").to_json()
    silent = evaluate(by_hand, classifier, mode="edit", scores=np.zeros_like(scores))
    assert scores_of(silent, EFFICACY).recall.value == 0


def test_json_of_nothing_has_no_nan():
    result = evaluate([], StubClassifier(), mode="balanced", end_to_end=True)
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["sentences"] == 0
    assert data["macro_f1"] == [None, None, None]


def test_every_mode_can_be_evaluated():
    sites = {document.site for document in tiny_documents()}
    assert len(sites) == TINY_SITES >= evaluation.MINIMUM_SITES
    results = [evaluate(tiny_documents(), tiny_classifier(), mode=mode) for mode in MODES]
    assert [result.mode for result in results] == list(MODES)
    assert {result.resampled for result in results} == {"site"}
    assert set(STUB_THRESHOLDS) == set(MODES)


def test_results_are_frozen(by_hand):
    result = evaluate(by_hand, StubClassifier(), mode="balanced")
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.mode = "edit"
