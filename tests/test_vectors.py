"""Word vectors: means of known words, the same in any batch; files that are none are refused."""

import joblib
import numpy as np
import pytest
from helpers import ROOT, SMALL_FEATURES, tiny_inputs, tiny_split

from mdclaims.errors import ModelError
from mdclaims.language.hashing import WordRows
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.features import FeatureExtractor, FeatureSettings
from mdclaims.model.persistence import load_model, save_model, shipped_model
from mdclaims.model.training import TrainingSettings, fit, train
from mdclaims.model.vectors import VECTORS_FILE, WordVectors, read_vectors, write_vectors


def key(word):
    return shared_pipeline().vocab.strings.add(word)


@pytest.fixture(scope="module")
def vectors():
    words = {"pain": [10, 0, 0], "relief": [0, 20, 0], "safe": [0, 0, 127]}
    keys = np.array([key(word) for word in words], dtype=np.uint64)
    order = np.argsort(keys)
    table = np.array(list(words.values()), dtype=np.int8)[order]
    return WordVectors(keys[order], table, np.array([1.0, 0.5, 0.1], np.float32), "made by hand")


def row(*words):
    return np.array([key(word) for word in words], dtype=np.uint64)


def means(vectors, rows):
    return vectors.means(*WordRows.of(rows).vocabulary())


def parts_of(vectors, *rows):
    return vectors.parts(*WordRows.of(rows).vocabulary())


def test_vectors_of_one_word_have_unit_length(vectors):
    assert means(vectors, [row("pain"), row("relief"), row("safe")]) == pytest.approx(np.eye(3))


def test_vectors_are_means_of_the_scaled_words(vectors):
    (mean,) = means(vectors, [row("pain", "relief")])
    assert mean == pytest.approx(np.array([10, 10, 0]) / np.sqrt(200))


def test_vectors_leave_unknown_words_out(vectors):
    known, mixed, unknown, empty = means(vectors, [row("pain"), row("pain", "qwertz"), row("qwertz"), row()])
    assert mixed == pytest.approx(known)
    assert not unknown.any()
    assert not empty.any()


def test_vectors_do_not_depend_on_the_batch(vectors):
    rows = [row("safe", "pain", "pain"), row(), row("relief"), row("qwertz", "safe")]
    together = means(vectors, rows)
    assert len(together) == 4
    for n, entry in enumerate(rows):
        assert (means(vectors, [entry])[0] == together[n]).all()
    assert means(vectors, []).shape == (0, 3)


@pytest.mark.parametrize(
    "words",
    [(), ("pain",), ("pain", "relief", "pain"), ("qwertz", "safe", "qwertz"), ("qwertz",), ("safe",) * 40],
    ids=" ".join,
)
def test_vectors_parts_add_up_to_the_mean(vectors, words):
    parts = parts_of(vectors, row(*words))
    assert parts.shape == (len(words), 3)
    assert parts.sum(axis=0) == pytest.approx(means(vectors, [row(*words)])[0], abs=1e-6)
    for word, part in zip(words, parts, strict=True):
        assert part.any() == (word != "qwertz")


def test_vectors_parts_are_those_of_their_words(vectors):
    parts = parts_of(vectors, row(), row("pain", "qwertz", "relief"), row("relief"))
    assert parts == pytest.approx(np.array([[10, 0, 0], [0, 0, 0], [0, 10, 0], [0, np.sqrt(200), 0]]) / np.sqrt(200))


def test_vectors_survive_their_file(vectors, tmp_path):
    write_vectors(vectors, tmp_path / "a.joblib")
    write_vectors(vectors, tmp_path / "b.joblib")
    assert (tmp_path / "a.joblib").read_bytes() == (tmp_path / "b.joblib").read_bytes()
    again = read_vectors(tmp_path / "a.joblib")
    assert (again.keys == vectors.keys).all()
    assert (again.table == vectors.table).all()
    assert again.source == "made by hand"


@pytest.mark.parametrize("content", [b"", b"not a table", None])
def test_vectors_refuse_what_is_no_table(content, tmp_path):
    file = tmp_path / "x.joblib"
    if content is None:
        joblib.dump([1, 2], file)
    else:
        file.write_bytes(content)
    with pytest.raises(ModelError, match="word vectors"):
        read_vectors(file)


def test_vectors_are_a_block_of_the_features(vectors):
    settings = FeatureSettings(word_bits=12, char_bits=11, heading_bits=9, context_bits=8, vector_dimensions=3)
    extractor = FeatureExtractor(settings, vectors)
    matrix = extractor.transform([SentenceInput("Safe."), SentenceInput("Qwertz.")]).toarray()
    assert extractor.blocks["vector"] == 3
    assert matrix[:, -3:] == pytest.approx(np.array([[0, 0, settings.vector_weight], [0, 0, 0]]))


def test_vectors_must_fit_the_settings(vectors):
    with pytest.raises(ValueError, match="0 dimensions"):
        FeatureExtractor(SMALL_FEATURES, vectors)
    with pytest.raises(ValueError, match="5 dimensions"):
        FeatureExtractor(FeatureSettings(vector_dimensions=5), vectors)


def test_vectors_travel_in_a_file_of_their_own(vectors, tmp_path):
    trained = train(ROOT / "tests/data/tiny_corpus.jsonl", version="1", vectors=vectors)
    save_model(trained.classifier, trained.meta, trained.card, tmp_path)
    loaded = load_model(tmp_path, trust=True)
    inputs = tiny_inputs()
    assert len(inputs) > 50
    assert (loaded.classifier.scores(inputs) == trained.classifier.scores(inputs)).all()
    assert "made by hand" in trained.card
    (tmp_path / VECTORS_FILE).unlink()
    with pytest.raises(ModelError, match="word vectors"):
        load_model(tmp_path, trust=True)


def test_vectors_change_the_scores(vectors):
    documents, settings = tiny_split("train", "dev"), TrainingSettings()
    without = fit(documents, settings, SMALL_FEATURES)[0].scores(tiny_inputs())
    with_vectors = fit(documents, settings, SMALL_FEATURES, vectors=vectors)[0].scores(tiny_inputs())
    assert not np.allclose(without, with_vectors)


def test_vectors_of_the_shipped_model():
    vectors = read_vectors(shipped_model() / VECTORS_FILE)
    assert len(vectors.keys) > 20_000
    assert vectors.dimensions == 256
    assert (np.diff(vectors.keys.astype(object)) > 0).all()
    near, far = means(vectors, [row("painless"), row("injection")]), means(vectors, [row("gentle"), row("invoice")])
    assert float(near[0] @ far[0]) > float(near[0] @ far[1])
