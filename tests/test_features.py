"""Features: the same input gives the same row, and each part of an input has columns of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import SMALL_FEATURES, tiny_classifier
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.features import ITEM_KINDS, FeatureExtractor, FeatureSettings
from mdclaims.reading.page import KINDS, REGIONS


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(shared_pipeline(), SMALL_FEATURES)


def block(extractor: FeatureExtractor, matrix: sparse.csr_matrix, name: str) -> np.ndarray:
    """Return the columns of one feature block."""
    names = list(extractor.blocks)
    widths = list(extractor.blocks.values())
    start = sum(widths[: names.index(name)])
    return matrix[:, start : start + extractor.blocks[name]].toarray()


def dense(extractor: FeatureExtractor, entry: SentenceInput) -> dict[str, float]:
    row = block(extractor, extractor.transform([entry]), "dense")[0]
    return dict(zip(extractor.dense_names, row.tolist(), strict=True))


WORDS = st.sampled_from(
    [
        "laser",
        "melts",
        "fat",
        "safe",
        "painless",
        "book",
        "now",
        "70%",
        "don’t",
        "ÅNGSTRÖM",
        "痛み",
        "👍",
        "drug-free",
        "!",
        "?",
        ".",
    ]
)
TEXTS = st.lists(WORDS, min_size=1, max_size=7).map(" ".join)
CONTEXTS = st.lists(WORDS, max_size=4).map(" ".join)
INPUTS = st.builds(
    SentenceInput,
    text=TEXTS,
    kind=st.sampled_from(KINDS),
    region=st.sampled_from(REGIONS),
    heading=CONTEXTS,
    previous=CONTEXTS,
    next=CONTEXTS,
    first_block=st.booleans(),
)


# --- shape ------------------------------------------------------------------------------------------------------


def test_shape_type_and_width(extractor):
    matrix = extractor.transform([SentenceInput("Laser melts fat."), SentenceInput("Book now.")])
    assert matrix.shape == (2, extractor.width)
    assert matrix.dtype == np.float32
    assert matrix.format == "csr"


def test_width_is_the_sum_of_the_blocks(extractor):
    assert list(extractor.blocks) == ["word", "char", "heading", "item_heading", "previous", "next", "dense", "vector"]
    assert extractor.blocks["word"] == 2**12
    assert extractor.blocks["char"] == 2**11
    assert extractor.blocks["heading"] == extractor.blocks["item_heading"] == 2**9
    assert extractor.blocks["previous"] == extractor.blocks["next"] == 2**8
    assert extractor.blocks["dense"] == len(extractor.dense_names) > 0
    assert extractor.blocks["vector"] == 0  # these settings use no word vectors
    assert extractor.width == sum(extractor.blocks.values())


def test_dense_names_are_unique(extractor):
    assert len(set(extractor.dense_names)) == len(extractor.dense_names)


def test_empty_batch(extractor):
    matrix = extractor.transform([])
    assert matrix.shape == (0, extractor.width)
    assert matrix.dtype == np.float32


def test_empty_text_has_only_dense_features(extractor):
    matrix = extractor.transform([SentenceInput("")])
    for name in ("word", "char", "heading", "item_heading", "previous", "next"):
        assert not block(extractor, matrix, name).any()
    assert dense(extractor, SentenceInput(""))["kind:paragraph"] == 1


def test_an_ngram_longer_than_the_text_is_left_out(extractor):
    one = block(extractor, extractor.transform([SentenceInput("Laser")]), "word")
    two = block(extractor, extractor.transform([SentenceInput("Laser melts")]), "word")
    assert np.count_nonzero(one) == 1  # one word
    assert np.count_nonzero(two) == 3  # two words, one pair, no triple


def test_rows_of_the_hashed_blocks_have_unit_length(extractor):
    matrix = extractor.transform([SentenceInput("Laser melts fat.", heading="Why it works", previous="One two three.")])
    for name, weight in (("word", extractor.settings.word_weight), ("heading", 1.0), ("previous", 1.0)):
        length = np.linalg.norm(block(extractor, matrix, name)[0])
        assert length == pytest.approx(weight, abs=1e-5), name


# --- equal inputs, equal rows -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=40)
@given(batch=st.lists(INPUTS, min_size=1, max_size=8), data=st.data())
def test_a_row_is_the_same_in_any_batch_and_order(extractor, batch, data):
    order = data.draw(st.permutations(range(len(batch))))
    together = extractor.transform(batch).toarray()
    shuffled = extractor.transform([batch[n] for n in order]).toarray()
    alone = np.vstack([extractor.transform([entry]).toarray() for entry in batch])
    np.testing.assert_array_equal(shuffled, together[list(order)])
    np.testing.assert_array_equal(alone, together)


@settings(deadline=None, max_examples=40)
@given(batch=st.lists(INPUTS, min_size=1, max_size=8))
def test_scoring_alone_equals_scoring_in_a_batch_to_the_last_bit(batch):
    classifier = tiny_classifier()
    together = classifier.scores(batch)
    alone = np.vstack([classifier.scores([entry]) for entry in batch])
    assert together.shape == (len(batch), 4)
    assert alone.tobytes() == together.tobytes()


def test_two_extractors_agree():
    inputs = [SentenceInput("Laser melts fat in 3 visits!", heading="Why us?", kind="list_item")]
    one = FeatureExtractor(shared_pipeline(), FeatureSettings()).transform(inputs)
    two = FeatureExtractor(shared_pipeline(), FeatureSettings()).transform(inputs)
    assert one.nnz > 0
    assert (one != two).nnz == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "Laser melts fat now."),
        ("kind", "button"),
        ("region", "footer"),
        ("heading", "Risks"),
        ("previous", "Book now."),
        ("next", "Book now."),
        ("first_block", True),
    ],
)
def test_every_part_of_an_input_changes_its_row(extractor, field, value):
    base = SentenceInput("Laser melts fat.", heading="Benefits", previous="Hello.", next="Bye.")
    matrix = extractor.transform([base, replace(base, **{field: value})]).toarray()
    assert not np.array_equal(matrix[0], matrix[1])


# --- columns of their own ---------------------------------------------------------------------------------------


def test_heading_words_are_other_columns_than_sentence_words(extractor):
    matrix = extractor.transform([SentenceInput("laser fat"), SentenceInput("", heading="laser fat")])
    word, heading = block(extractor, matrix, "word"), block(extractor, matrix, "heading")
    assert word[0].any()
    assert not heading[0].any()
    assert heading[1].any()
    assert not word[1].any()


def test_neighbours_are_other_columns_than_the_sentence(extractor):
    matrix = extractor.transform([SentenceInput("", previous="laser fat"), SentenceInput("", next="laser fat")])
    previous, following = block(extractor, matrix, "previous"), block(extractor, matrix, "next")
    assert previous[0].any()
    assert following[1].any()
    assert not previous[1].any()
    assert not following[0].any()
    assert not block(extractor, matrix, "word").any()


@pytest.mark.parametrize("kind", KINDS)
def test_items_and_other_kinds_keep_their_headings_apart(extractor, kind):
    matrix = extractor.transform([SentenceInput("Anxiety", kind=kind, heading="What it treats")])
    item = kind in ITEM_KINDS
    assert block(extractor, matrix, "item_heading").any() == item
    assert block(extractor, matrix, "heading").any() != item


def test_item_kinds_are_kinds():
    assert ITEM_KINDS
    assert set(KINDS) > ITEM_KINDS


def test_heading_cues_of_items_are_other_columns(extractor):
    names = [name for name in extractor.dense_names if name.startswith("cue:")]
    assert names
    heading = "It relieves and reduces pain"
    plain = dense(extractor, SentenceInput("Knee", heading=heading))
    item = dense(extractor, SentenceInput("Knee", heading=heading, kind="list_item"))
    assert plain["heading:benefit"] > 0
    assert plain["item_heading:benefit"] == 0
    assert item["heading:benefit"] == 0
    assert item["item_heading:benefit"] == plain["heading:benefit"]
    assert plain["cue:benefit"] == item["cue:benefit"] == 0


# --- dense flags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        (SentenceInput("Ready?"), "question", 1),
        (SentenceInput("“Ready?”"), "question", 1),
        (SentenceInput("Ready."), "question", 0),
        (SentenceInput("Ready!"), "exclamation", 1),
        (SentenceInput("Ready."), "exclamation", 0),
        (SentenceInput("In 3 visits"), "number", 1),
        (SentenceInput("In three visits"), "number", 0),
        (SentenceInput("Hi"), "no_heading", 1),
        (SentenceInput("Hi", heading="Hello"), "no_heading", 0),
        (SentenceInput("Hi", heading="Why us?"), "heading_question", 1),
        (SentenceInput("Hi", heading="Why us"), "heading_question", 0),
        (SentenceInput("Hi", first_block=True), "first_block", 1),
        (SentenceInput("Hi"), "first_block", 0),
        (SentenceInput("Hi", kind="button"), "kind:button", 1),
        (SentenceInput("Hi", kind="button"), "kind:paragraph", 0),
        (SentenceInput("Hi", region="footer"), "region:footer", 1),
        (SentenceInput("Hi", region="footer"), "region:main", 0),
        (SentenceInput("one two three"), "length>=3", 1),
        (SentenceInput("one two"), "length>=3", 0),
    ],
)
def test_flag(extractor, entry, name, value):
    assert dense(extractor, entry)[name] == value


# --- words ------------------------------------------------------------------------------------------------------


def test_case_and_apostrophe_and_digits_do_not_matter(extractor):
    matrix = extractor.transform([SentenceInput("DON’T wait 85 days"), SentenceInput("don't Wait 12 Days")]).toarray()
    assert matrix[0].any()
    np.testing.assert_array_equal(matrix[0], matrix[1])


def test_character_ngrams_of_a_word_are_the_same_in_another_sentence(extractor):
    matrix = extractor.transform([SentenceInput("laser"), SentenceInput("the laser works"), SentenceInput("the works")])
    char = block(extractor, matrix, "char") > 0
    assert char[0].any()
    assert char[1][char[0]].all()
    np.testing.assert_array_equal(char[1], char[0] | char[2])


def test_a_misspelling_shares_character_ngrams_but_no_word(extractor):
    matrix = extractor.transform([SentenceInput("painless"), SentenceInput("painlesss")])
    word, char = block(extractor, matrix, "word") > 0, block(extractor, matrix, "char") > 0
    assert not (word[0] & word[1]).any()
    assert (char[0] & char[1]).sum() >= 5


def test_word_order_counts_for_pairs(extractor):
    matrix = extractor.transform([SentenceInput("no pain"), SentenceInput("pain no")])
    word = block(extractor, matrix, "word")
    assert word.any()
    assert not np.array_equal(word[0], word[1])


@pytest.mark.parametrize(
    "text", ["痛みのない治療", "لا ألم", "Ünïcödé ﬁne", "👩‍⚕️ now", "\u0301", "a\u00a0b", "𝒻𝒶𝓃𝒸𝓎", "\ufffd", "x" * 5000]
)
def test_any_script_gives_a_finite_row(extractor, text):
    matrix = extractor.transform([SentenceInput(text, heading=text, previous=text, next=text)])
    assert matrix.nnz > 0
    assert np.isfinite(matrix.data).all()
