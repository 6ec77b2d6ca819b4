"""explanations.py: a score's parts add up to it, and stand where they say."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.findings.screening import load
from mdclaims.labels import LABELS
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.explanations import explain
from mdclaims.model.features import read_inputs
from mdclaims.reading.page import KINDS, REGIONS


@pytest.fixture(scope="module")
def classifier():
    return load().model.classifier


def entry(text, *, kind="paragraph", heading="", previous="", following=""):
    return SentenceInput(text, kind, "main", heading, previous, following, False)


WORDS = (
    "call us today safe non-invasive relief of knee pain suffer from suffers Dr. Wren 70% of 😀 café "
    "www.elmtree.example me@elmtree.example (020) 7946 0123 don’t ! ? , xyzzy treats what no downtime ﬁ \n"
).split(" ")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@given(
    st.builds(
        SentenceInput,
        TEXTS.map(lambda text: f"a{text}"),
        st.sampled_from(KINDS),
        st.sampled_from(REGIONS),
        TEXTS,
        TEXTS,
        TEXTS,
        st.booleans(),
    )
)
def test_baseline_and_contributions_add_up_to_the_score(classifier, sentence):
    scores = classifier.scores([sentence])[0]
    for label, score in zip(LABELS, scores, strict=True):
        assert explain(classifier, [(sentence, label)])[0].log_odds == pytest.approx(
            math.log(score / (1 - score)), abs=1e-3
        )


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_every_word_stands_where_it_says(classifier, text, heading, previous, following):
    sentence = entry(f"a{text}", kind="list_item", heading=heading, previous=previous, following=following)
    parts = {"sentence": sentence.text, "heading": heading, "previous": previous, "next": following}
    for contribution in explain(classifier, [(sentence, "efficacy_claim")])[0].contributions:
        if contribution.part == "circumstance":
            assert (contribution.start, contribution.end) == (None, None)
        else:
            assert parts[contribution.part][contribution.start : contribution.end] == contribution.text


def strongest(classifier, sentence, label):
    return explain(classifier, [(sentence, label)])[0].contributions[0]


def test_the_word_that_makes_the_claim_leads(classifier):
    assert strongest(classifier, entry("It is safe."), "safety_claim").text == "safe"
    assert strongest(classifier, entry("She suffers from migraine."), "stigma_framing").text == "suffers"


def test_a_heading_speaks_for_its_item(classifier):
    item = entry("Anxiety", kind="list_item", heading="What TMS treats")
    (found,) = explain(classifier, [(item, "efficacy_claim")])
    heading = sum(part.weight for part in found.contributions if part.part == "heading")
    assert heading > 1
    # In running text the same heading says less.
    (found,) = explain(classifier, [(entry("Anxiety", heading="What TMS treats"), "efficacy_claim")])
    assert sum(part.weight for part in found.contributions if part.part == "heading") < heading


def test_the_strongest_come_first(classifier):
    (found,) = explain(classifier, [(entry("Laser therapy eases knee pain without surgery."), "efficacy_claim")])
    weights = [abs(part.weight) for part in found.contributions]
    assert weights == sorted(weights, reverse=True)
    assert all(weights)


def test_an_unknown_label(classifier):
    with pytest.raises(ValueError, match="tuple"):
        explain(classifier, [(entry("It works."), "nonsense")])


@given(st.lists(st.tuples(st.builds(entry, TEXTS, heading=TEXTS), st.sampled_from(LABELS)), max_size=5))
def test_a_score_is_taken_apart_the_same_alone_and_with_others(classifier, asked):
    together = explain(classifier, asked)
    lines = read_inputs([sentence for sentence, _ in asked], ["Something else"])
    assert explain(classifier, asked, lines) == together
    for one, found in zip(asked, together, strict=True):
        (alone,) = explain(classifier, [one])
        assert found.baseline == alone.baseline
        weights = [
            {(part.part, part.start, part.text): part.weight for part in explanation.contributions}
            for explanation in (found, alone)
        ]
        assert weights[0] == pytest.approx(weights[1], abs=1e-9)
