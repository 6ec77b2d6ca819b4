"""Cohen's kappa against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from helpers import ACTION, EFFICACY, LABELS, SAFETY, STIGMA, TINY_SENTENCES, line, tiny_documents, write_lines

from mdclaims.errors import CorpusError
from mdclaims.model.agreement import agreement
from mdclaims.model.corpus import read_corpus


def documents_of(tmp_path, first, second, **names):
    """One block; `first` and `second` say of each sentence whether it got the efficacy label."""
    one, two = ([[EFFICACY] if given else [] for given in row] for row in (first, second))
    entry = line(
        sentences=[f"Sentence {n}." for n in range(len(first))],
        labels=[[] for _ in first],
        annotations={"ann": one, "bob": two},
    )
    return read_corpus(write_lines(tmp_path / "a.jsonl", entry))


def efficacy(tmp_path, first, second):
    rows = agreement(documents_of(tmp_path, first, second), "ann", "bob")
    assert [row.label for row in rows] == list(LABELS)
    return rows[0]


@pytest.mark.parametrize(
    ("first", "second", "both", "kappa"),
    [
        # 8 of 10 alike, chance 1/2: (0.8 - 0.5) / 0.5
        ("1111100000", "1111000001", 4, 0.6),
        # the classic table 20, 5, 10, 15: observed 0.7, chance 0.5
        ("1" * 25 + "0" * 25, "1" * 20 + "0" * 5 + "1" * 10 + "0" * 15, 20, 0.4),
        ("1100", "1100", 2, 1.0),
        ("1100", "0011", 0, -1.0),
        ("1100", "1010", 1, 0.0),
        # skewed: 18 of 20 alike, chance 0.82 (0.9 * 0.9 + 0.1 * 0.1)
        ("1" * 18 + "00", "1" * 17 + "010", 17, (0.9 - 0.82) / 0.18),
        # one always, the other half: chance explains it all
        ("1111", "1100", 2, 0.0),
    ],
)
def test_kappa_by_hand(tmp_path, first, second, both, kappa):
    one, two = [character == "1" for character in first], [character == "1" for character in second]
    row = efficacy(tmp_path, one, two)
    assert row.sentences == len(first)
    assert (row.first, row.second, row.both) == (sum(one), sum(two), both)
    assert row.kappa == pytest.approx(kappa)


@pytest.mark.parametrize("given", [True, False])
def test_kappa_is_not_defined_where_both_always_or_never_gave_the_label(tmp_path, given):
    row = efficacy(tmp_path, [given] * 3, [given] * 3)
    assert math.isnan(row.kappa)
    assert row.both == (3 if given else 0)


def test_kappa_is_symmetric(tmp_path):
    documents = documents_of(tmp_path, [True, True, False, False, True], [True, False, False, True, True])
    one, two = agreement(documents, "ann", "bob")[0], agreement(documents, "bob", "ann")[0]
    assert one.kappa == pytest.approx(two.kappa)
    assert -1 < one.kappa < 1


def test_only_blocks_that_both_labelled_count(tmp_path):
    documents = read_corpus(
        write_lines(
            tmp_path / "a.jsonl",
            line(annotations={"ann": [[SAFETY]], "bob": [[SAFETY]]}),
            line(block=1, annotations={"ann": [[SAFETY]]}),
            line(block=2),
            line(block=3, annotations={"ann": [[]], "bob": [[]], "cleo": [[SAFETY]]}),
        )
    )
    safety = agreement(documents, "ann", "bob")[LABELS.index(SAFETY)]
    assert (safety.sentences, safety.first, safety.second, safety.both) == (2, 1, 1, 1)
    assert safety.kappa == 1
    assert agreement(documents, "ann", "cleo")[LABELS.index(SAFETY)].kappa == 0


def test_agreement_on_the_tiny_corpus():
    """There the second reader misses every stigma label of dev (3 of 14) and agrees otherwise."""
    rows = {row.label: row for row in agreement(tiny_documents(), "writer", "reader")}
    assert {row.sentences for row in rows.values()} == {TINY_SENTENCES}
    assert [rows[label].kappa for label in (EFFICACY, SAFETY, ACTION)] == [1, 1, 1]
    stigma = rows[STIGMA]
    assert (stigma.first, stigma.second, stigma.both) == (14, 11, 11)
    n = TINY_SENTENCES
    observed, chance = (n - 3) / n, 14 / n * 11 / n + (n - 14) / n * (n - 11) / n
    assert stigma.kappa == pytest.approx((observed - chance) / (1 - chance))


def test_nobody_in_common_names_the_annotators(tmp_path):
    documents = documents_of(tmp_path, [True], [False])
    with pytest.raises(CorpusError, match=r"annotated by both 'ann' and 'cleo'; annotators found: ann, bob"):
        agreement(documents, "ann", "cleo")


def test_no_annotations_at_all(tmp_path):
    documents = read_corpus(write_lines(tmp_path / "a.jsonl", line()))
    with pytest.raises(CorpusError, match="annotators found: none"):
        agreement(documents, "ann", "bob")
