"""Features: the same input gives the same row, and each part of an input has columns of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import ACTION, EFFICACY, LABELS, SAFETY, SMALL_FEATURES, STIGMA, tiny_classifier
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mdclaims.language.cues import cue_lists
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import ITEM_KINDS, SentenceInput
from mdclaims.model.features import Contribution, FeatureExtractor, FeatureSettings, read_inputs
from mdclaims.model.vectors import WordVectors
from mdclaims.reading.page import KINDS, REGIONS


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    return FeatureExtractor(SMALL_FEATURES)


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
    assert dense(extractor, SentenceInput(""))["kind: paragraph"] == 1


def test_an_ngram_longer_than_the_text_is_left_out(extractor):
    one = block(extractor, extractor.transform([SentenceInput("Laser")]), "word")
    two = block(extractor, extractor.transform([SentenceInput("Laser melts")]), "word")
    assert np.count_nonzero(one) == 2  # the word, and that it begins
    assert np.count_nonzero(two) == 5  # two words, one pair, no triple; the beginning with one word and with two


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
    one = FeatureExtractor(FeatureSettings()).transform(inputs)
    two = FeatureExtractor(FeatureSettings()).transform(inputs)
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
    matrix = extractor.transform([base, base._replace(**{field: value})]).toarray()
    assert not np.array_equal(matrix[0], matrix[1])


@settings(deadline=None, max_examples=60)
@given(batch=st.lists(INPUTS, max_size=8))
def test_the_product_is_that_of_the_matrix(with_vectors, batch):
    weights = np.random.default_rng(3).normal(size=(with_vectors.width, 2)).astype(np.float32)
    expected = with_vectors.transform(batch) @ weights
    np.testing.assert_allclose(with_vectors.product(batch, weights), expected, atol=1e-3)


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
    assert plain["heading:effect_relief"] > 0
    assert plain["item_heading:effect_relief"] == 0
    assert item["heading:effect_relief"] == 0
    assert item["item_heading:effect_relief"] == plain["heading:effect_relief"] == pytest.approx(np.log(3))
    assert plain["cue:effect_relief"] == item["cue:effect_relief"] == 0


# --- cues of one label ------------------------------------------------------------------------------------------


def test_cues_count_less_the_more_there_are(extractor):
    for count in (1, 2, 3):
        row = dense(extractor, SentenceInput(" and ".join(["It relieves"] * count)))
        weight = extractor.settings.cue_weight
        assert row["cue:effect_relief"] == pytest.approx(weight * np.log1p(count)), count


def test_the_lists_of_a_label_count_together(extractor):
    # Where cues have no weight of their own: before the sentence, not in it.
    row = dense(extractor, SentenceInput("", previous="It relieves her and improves sleep."))
    fired = {name.removeprefix("previous:"): value for name, value in row.items() if name.startswith("previous:")}
    assert fired["effect_relief"] == fired["effect_improve"] == pytest.approx(np.log(2))
    label_of = {entry.name: entry.label for entry in cue_lists()}
    hits = sum(np.expm1(value) for name, value in fired.items() if label_of.get(name) == EFFICACY)
    assert hits >= 2
    assert [fired[label] for label in LABELS] == [pytest.approx(np.log1p(hits)), 0, 0, 0]


def test_a_sentence_says_its_keywords_louder():
    plain = {"cue_weight": 1.0, "family_weight": 1.0}
    rows = {
        name: dense(
            FeatureExtractor(replace(SMALL_FEATURES, **{**plain, **changes})),
            SentenceInput("It relieves the knee", heading="It relieves"),
        )
        for name, changes in {"plain": {}, "cue": {"cue_weight": 5.0}, "family": {"family_weight": 7.0}}.items()
    }
    assert rows["plain"]["cue:effect_relief"] > 0
    assert rows["plain"]["cue:body_part"] > 0  # its list has no label
    for changed, name, weight in (("cue", "cue:effect_relief", 5), ("family", f"cue:{EFFICACY}", 7)):
        louder = {key for key, value in rows[changed].items() if value != rows["plain"][key]}
        assert louder == {name}
        assert rows[changed][name] == pytest.approx(weight * rows["plain"][name])


def test_a_list_without_a_label_has_no_kin(extractor):
    label_of = {entry.name: entry.label for entry in cue_lists()}
    row = dense(extractor, SentenceInput("Perhaps the knee."))
    fired = {name[4:] for name, value in row.items() if name.startswith("cue:") and value}
    assert fired
    assert {label_of[name] for name in fired} == {None}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("It relieves her.", EFFICACY),
        ("Safe and gentle.", SAFETY),
        ("Addicts and junkies.", STIGMA),
        ("Call us today.", ACTION),
    ],
)
@pytest.mark.parametrize(
    ("part", "prefix", "kind"),
    [
        ("text", "cue", "paragraph"),
        ("heading", "heading", "paragraph"),
        ("heading", "item_heading", "list_item"),
        ("previous", "previous", "paragraph"),
        ("next", "next", "paragraph"),
    ],
)
def test_every_part_has_its_families(extractor, text, label, part, prefix, kind):
    row = dense(extractor, SentenceInput("", kind=kind)._replace(**{part: text}))
    assert {name for name in row if row[name] and name.split(":")[-1] in LABELS} == {f"{prefix}:{label}"}


# --- dense flags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "name", "value"),
    [
        (SentenceInput("Ready?"), "question", 1),
        (SentenceInput("“Ready?”"), "question", 1),
        (SentenceInput("Ready."), "question", 0),
        (SentenceInput("Ready!"), "exclamation", 1),
        (SentenceInput("Ready."), "exclamation", 0),
        (SentenceInput("In 3 visits"), "figure", 1),
        (SentenceInput("In three visits"), "figure", 0),
        (SentenceInput("Hi"), "no heading", 1),
        (SentenceInput("Hi", heading="Hello"), "no heading", 0),
        (SentenceInput("Hi", heading="Why us?"), "heading is a question", 1),
        (SentenceInput("Hi", heading="Why us"), "heading is a question", 0),
        (SentenceInput("Hi", first_block=True), "first block of its region", 1),
        (SentenceInput("Hi"), "first block of its region", 0),
        (SentenceInput("Hi", heading="“Why us?”"), "heading is a question", 1),
        (SentenceInput("See oak.example/b!c now"), "exclamation", 0),
        (SentenceInput("Write to no1@a.example"), "figure", 0),
        (SentenceInput("At https://a.example/5550100142"), "telephone number", 0),
        (SentenceInput("Hi", heading="Ring 555 010 0142!"), "exclamation", 0),
        (SentenceInput("Hi", heading="Ring 555 010 0142!"), "telephone number", 0),
        (SentenceInput("Hi", kind="button"), "kind: button", 1),
        (SentenceInput("Hi", kind="button"), "kind: paragraph", 0),
        (SentenceInput("Hi", region="footer"), "region: footer", 1),
        (SentenceInput("Hi", region="footer"), "region: main", 0),
        (SentenceInput("one two three"), "3 words or more", 1),
        (SentenceInput("one two"), "3 words or more", 0),
    ],
)
def test_flag(extractor, entry, name, value):
    assert dense(extractor, entry)[name] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Call (020) 7946 0123", 1),
        ("Tel. 555-010-0142.", 1),
        ("+44 20 7946 0123", 1),
        ("555.010.0142", 1),
        ("5550100", 1),
        ("In 24 hours", 0),
        ("555010", 0),  # six digits
        ("2019, 2021 and 2023", 0),
        ("10 mg, 20 mg, 30 mg, 40 mg", 0),
        ("555   010   0142", 0),  # three signs between digits are no number any more
    ],
)
def test_telephone_numbers(extractor, text, value):
    row = dense(extractor, SentenceInput(text))
    assert row["telephone number"] == value
    assert row["figure"] == 1


# --- words ------------------------------------------------------------------------------------------------------


def test_case_and_apostrophe_and_digits_do_not_matter(extractor):
    matrix = extractor.transform([SentenceInput("DON’T wait 85 days"), SentenceInput("don't Wait 12 Days")]).toarray()
    assert matrix[0].any()
    np.testing.assert_array_equal(matrix[0], matrix[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("See www.elmtree.example now", "See https://calder.example/book?a=b#c now"),
        ("Write to a@b.co", "Write to jo.wren@calder.example"),
    ],
)
def test_whose_address_it_is_does_not_matter(extractor, one, other):
    matrix = extractor.transform([SentenceInput(one), SentenceInput(other)]).toarray()
    assert matrix[0].any()
    np.testing.assert_array_equal(matrix[0], matrix[1])


def test_a_web_address_is_no_email_address_and_no_word(extractor):
    texts = ("See www.a.example", "See me@a.example", "See example")
    word = block(extractor, extractor.transform([SentenceInput(text) for text in texts]), "word") > 0
    assert [(word[0] & row).sum() for row in word] == [5, 2, 2]  # they share "see", and that it begins


def test_what_begins_a_sentence_is_known(extractor):
    texts = ("Call us", "Call them", "To call", "call")
    word = block(extractor, extractor.transform([SentenceInput(text) for text in texts]), "word") > 0
    # The word itself, and that it begins.
    assert [(word[3] & row).sum() for row in word] == [2, 2, 1, 2]
    assert (word[0] & word[1]).sum() == 2


@pytest.mark.parametrize("part", ["heading", "previous", "next"])
def test_the_beginning_of_other_parts_is_not_marked(extractor, part):
    matrix = extractor.transform([SentenceInput("")._replace(**{part: text}) for text in ("call", "to call")])
    found = block(extractor, matrix, part) > 0
    assert found[0].sum() == 1
    assert found[1][found[0]].all()


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


@settings(deadline=None, max_examples=30)
@given(batch=st.lists(INPUTS, max_size=4), more=st.lists(st.sampled_from(["laser", "Safe fat", "Book now!"])))
def test_lines_that_hold_more_change_nothing(with_vectors, batch, more):
    weights = np.random.default_rng(3).normal(size=(with_vectors.width, 2)).astype(np.float32)
    lines = read_inputs(batch, more)
    assert lines.texts[0] == ""
    assert len(set(lines.texts)) == len(lines.texts)
    expected = with_vectors.product(batch, weights)
    assert with_vectors.product(batch, weights, lines).tolist() == expected.tolist()
    if batch:
        assert with_vectors.product(batch[:1], weights, lines).tolist() == expected[:1].tolist()


# --- the way back -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_vectors() -> FeatureExtractor:
    """An extractor with all blocks: its word vectors know some of `WORDS`."""
    strings = shared_pipeline().vocab.strings
    keys = np.array(sorted(strings.add(word) for word in ("laser", "fat", "safe", "book")), dtype=np.uint64)
    table = np.array([[90, -20, 5], [-7, 80, 30], [12, 11, -100], [40, 40, 40]], dtype=np.int8)
    vectors = WordVectors(keys, table, np.array([0.1, 0.2, 0.3], np.float32), "made by hand")
    return FeatureExtractor(replace(SMALL_FEATURES, vector_dimensions=3), vectors)


def weights_of(extractor: FeatureExtractor, *names: str) -> np.ndarray:
    """Return weights that are chance in the blocks named, and 0 in the others."""
    chance = np.random.default_rng(7)
    parts = [chance.normal(size=width) * (name in names) for name, width in extractor.blocks.items()]
    return np.concatenate(parts)


def attribute(extractor: FeatureExtractor, entry: SentenceInput, weights: np.ndarray) -> list[Contribution]:
    (found,) = extractor.attribute([entry], weights[:, None], [0])
    return found


@settings(deadline=None, max_examples=60)
@given(entry=INPUTS)
def test_contributions_add_up_to_the_row_times_the_weights(with_vectors, entry):
    assert "vector" in with_vectors.blocks
    for names in (*((name,) for name in with_vectors.blocks), tuple(with_vectors.blocks)):
        weights = weights_of(with_vectors, *names)
        total = sum(part.weight for part in attribute(with_vectors, entry, weights))
        assert total == pytest.approx((with_vectors.transform([entry]) @ weights)[0], abs=1e-4), names


@settings(deadline=None, max_examples=30)
@given(entry=INPUTS)
def test_every_word_of_every_part_is_listed_once(with_vectors, entry):
    found = attribute(with_vectors, entry, weights_of(with_vectors, *with_vectors.blocks))
    texts = {"sentence": entry.text, "heading": entry.heading, "previous": entry.previous, "next": entry.next}
    listed = [(part.part, part.start, part.end, part.text) for part in found if part.part in texts]
    make_doc = shared_pipeline().make_doc
    assert listed == [
        (name, token.idx, token.idx + len(token), token.text)
        for name, text in texts.items()
        for token in make_doc(text)
    ]
    rest = [part for part in found if part.part not in texts]
    assert {(part.part, part.start, part.end) for part in rest} == {("circumstance", None, None)}
    assert [part.text for part in rest if part.text.endswith("words long")] == [
        f"{len(make_doc(entry.text))} words long"
    ]


@pytest.mark.parametrize(
    ("block_name", "kind", "part"),
    [
        ("word", "paragraph", "sentence"),
        ("char", "paragraph", "sentence"),
        ("vector", "paragraph", "sentence"),
        ("heading", "paragraph", "heading"),
        ("item_heading", "list_item", "heading"),
        ("previous", "paragraph", "previous"),
        ("next", "paragraph", "next"),
    ],
)
def test_a_block_speaks_through_its_own_part(with_vectors, block_name, kind, part):
    entry = SentenceInput("Safe laser", kind, "main", "Safe fat", "Book now.", "Laser.", first_block=False)
    found = attribute(with_vectors, entry, weights_of(with_vectors, block_name))
    assert {one.part for one in found if one.weight} == {part}


def test_the_heading_of_the_other_kind_says_nothing(with_vectors):
    entry = SentenceInput("Safe laser", kind="list_item", heading="Safe fat")
    assert not any(part.weight for part in attribute(with_vectors, entry, weights_of(with_vectors, "heading")))


def only(extractor: FeatureExtractor, name: str) -> np.ndarray:
    """Return weights of which one column of the dense block has 1."""
    weights = np.zeros(extractor.width)
    end = extractor.width - extractor.blocks["vector"]
    weights[end - extractor.blocks["dense"] + extractor.dense_names.index(name)] = 1
    return weights


def shares(extractor: FeatureExtractor, entry: SentenceInput, weights: np.ndarray) -> list[tuple[str, float]]:
    return [(part.text, part.weight) for part in attribute(extractor, entry, weights) if part.weight]


def test_a_cue_is_divided_among_its_words(extractor):
    entry = SentenceInput("It is without surgery now")
    bits = extractor.settings
    for name, weight in (("cue:noninvasive", bits.cue_weight), (f"cue:{SAFETY}", bits.family_weight)):
        half = pytest.approx(weight * np.log(2) / 2)
        assert shares(extractor, entry, only(extractor, name)) == [("without", half), ("surgery", half)]
    assert shares(extractor, entry, only(extractor, "heading:noninvasive")) == []


def test_two_cues_of_a_list_share_what_they_count(extractor):
    half = pytest.approx(extractor.settings.cue_weight * np.log(3) / 2)
    entry = SentenceInput("It relieves and relieves")
    assert shares(extractor, entry, only(extractor, "cue:effect_relief")) == [("relieves", half), ("relieves", half)]


def test_the_beginning_goes_to_the_first_word(extractor):
    weights = np.zeros(extractor.width)
    row = {text: extractor.transform([SentenceInput(text)]).toarray()[0] > 0 for text in ("call", "to call")}
    begins = row["call"] & ~row["to call"]
    begins[extractor.blocks["word"] :] = False
    assert begins.sum() == 1
    weights[begins] = 1
    assert [text for text, _ in shares(extractor, SentenceInput("Call us"), weights)] == ["Call"]
    assert shares(extractor, SentenceInput("They call"), weights) == []


def test_circumstances_bear_their_names(extractor):
    entry = SentenceInput("One two three?", kind="button", region="footer", heading="Why?")
    found = shares(extractor, entry, weights_of(extractor, "dense"))
    circumstances = {text for text, _ in found} - {"One", "two", "three", "?", "Why"}
    assert circumstances == {"kind: button", "region: footer", "question", "heading is a question", "4 words long"}


def test_lengths_are_one_circumstance(extractor):
    weights = sum(only(extractor, f"{length} words or more") for length in (2, 3, 5))
    assert shares(extractor, SentenceInput("one two three four"), weights) == [("4 words long", 2.0)]


def test_an_empty_input_has_circumstances_only(with_vectors):
    found = attribute(with_vectors, SentenceInput(""), weights_of(with_vectors, *with_vectors.blocks))
    assert {part.part for part in found} == {"circumstance"}
