"""hashing.py: n-grams stay inside their text, equal words hash equal, and every place counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdclaims.language.hashing import Lines, WordRows, hash_strings, mix

TEXTS = st.lists(st.lists(st.sampled_from([1, 2, 3, 2**64 - 1]), max_size=6), max_size=6)


def rows_of(texts):
    return WordRows.of([np.array(words, dtype=np.uint64) for words in texts])


def grams(texts, order):
    """Return (text, first word, the words) of every n-gram, by the definition."""
    begins = np.cumsum([0, *map(len, texts)])
    return [
        (n, int(begins[n]) + at, tuple(words[at : at + order]))
        for n, words in enumerate(texts)
        for at in range(len(words) - order + 1)
    ]


def test_rows_lie_end_to_end():
    rows = rows_of([[7, 8], [], [9]])
    assert rows.words.tolist() == [7, 8, 9]
    assert rows.words.dtype == np.uint64
    assert rows.owner.tolist() == [0, 0, 2]
    assert rows.count == 3


@pytest.mark.parametrize("texts", [[], [[]], [[], [], []]])
def test_rows_without_words(texts):
    rows = rows_of(texts)
    assert rows.count == len(texts)
    assert len(rows.words) == len(rows.owner) == 0
    for _, hashes, starts in rows.ngrams(3):
        assert hashes.shape == starts.shape == (0,)
        assert hashes.dtype == np.uint64
    words, occurrences = rows.vocabulary()
    assert words.shape == (0,)
    assert occurrences.shape == (len(texts), 0)


def ngrams(rows, order):
    """Return hashes and first words of the n-grams of one order, if the texts have any."""
    found = {length: (hashes, starts) for length, hashes, starts in rows.ngrams(order)}
    return found.get(order, (np.empty(0, np.uint64), np.empty(0, np.int64)))


@given(TEXTS, st.integers(1, 8))
def test_ngrams_come_in_all_orders_up_to_the_longest(texts, longest):
    orders = [order for order, _, _ in rows_of(texts).ngrams(longest)]
    assert orders == list(range(1, len(orders) + 1))
    assert len(orders) == max(1, min(longest, sum(map(len, texts))))


@given(TEXTS, st.integers(1, 8))
def test_ngrams_stay_inside_their_text(texts, order):
    rows = rows_of(texts)
    hashes, starts = ngrams(rows, order)
    expected = grams(texts, order)
    assert list(zip(rows.owner[starts].tolist(), starts.tolist(), strict=True)) == [gram[:2] for gram in expected]
    # Equal words have equal hashes, and different ones different hashes.
    pairs = set(zip(hashes.tolist(), [words for _, _, words in expected], strict=True))
    assert len(pairs) == len({value for value, _ in pairs}) == len({words for _, words in pairs})


@given(TEXTS, st.integers(1, 4))
def test_an_ngram_hashes_the_same_in_any_text(texts, order):
    hashes, _ = ngrams(rows_of(texts), order)
    alone = [int(ngrams(rows_of([words]), order)[0][0]) for _, _, words in grams(texts, order)]
    assert hashes.tolist() == alone


def test_ngrams_of_different_orders_and_word_orders_differ():
    texts = [[5], [5, 5], [5, 5, 5], [5, 6], [6, 5]]
    hashes = [int(ngrams(rows_of([words]), len(words))[0][0]) for words in texts]
    assert len(set(hashes)) == len(texts)


def test_norms_are_those_of_the_words(nlp):
    norms = norms_of(nlp.make_doc("DON’T wait 85 days"))
    assert norms.dtype == np.uint64
    assert [nlp.vocab.strings[int(norm)] for norm in norms] == ["don't", "wait", "00", "days"]
    assert norms.tolist() == norms_of(nlp.make_doc("don't Wait 12 Days")).tolist()


def test_norms_of_no_text_and_of_one_word(nlp):
    assert norms_of(nlp.make_doc("")).shape == (0,)
    assert norms_of(nlp.make_doc("Laser")).shape == (1,)


# Everything that could make a word reach over a line's end, or look different behind one.
PIECES = [
    "laser",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "www.a.example",
    "me@a.example",
    "e.g.",
    "!",
    "?",
    "...",
    "70%",
    "5.5",
    ":)",
    "👩‍⚕️",
    "\u200d",
    "\ufe0f",
    "'",
    "don’t",
    "-",
    "\r",
    "\u2028",
    "\x1c",
    "\x85",
    "\u00a0",
    "Dr.",
    "@b",
    "#c",
    "1st",
]


def norms_of(doc):
    return Lines.of(doc).rows.words


def words_in(lines):
    """Return the text that each word belongs to, and the word."""
    places = zip(lines.rows.owner.tolist(), lines.starts.tolist(), lines.ends.tolist(), strict=True)
    return [(owner, lines.texts[owner][start:end]) for owner, start, end in places]


@settings(deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=6))
def test_texts_read_together_have_the_words_that_each_has_alone(nlp, texts):
    together = WordRows.read(nlp, texts)
    alone = WordRows.of([norms_of(nlp.make_doc(text)) for text in texts])
    assert together.count == len(texts)
    assert together.words.tolist() == alone.words.tolist()
    assert together.owner.tolist() == alone.owner.tolist()
    assert together.lengths.tolist() == [sum(not token.is_space for token in nlp.make_doc(text)) for text in texts]


def test_white_space_is_no_word(nlp):
    assert words_in(Lines.of(nlp.make_doc(" no  pain\n\nnow\t"))) == [(0, "no"), (0, "pain"), (0, "now")]


@settings(deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=6), data=st.data())
def test_lines_know_where_their_words_stand(nlp, texts, data):
    lines = Lines.read(nlp, texts)
    expected = [
        (n, token.text) for n, text in enumerate(texts) for token in nlp.make_doc(text) if not token.text.isspace()
    ]
    assert words_in(lines) == expected
    chosen = data.draw(st.lists(st.sampled_from(range(len(texts))))) if texts else []
    some = lines.only(np.array(chosen, dtype=np.int64))
    assert some.texts == lines.texts
    assert words_in(some) == [(n, word) for n, word in expected if n in chosen]


def test_lines_are_numbered(nlp):
    assert Lines.read(nlp, ["", "no pain", "now"]).numbers == {"": 0, "no pain": 1, "now": 2}
    assert Lines.read(nlp, []).numbers == {}


@given(TEXTS, st.data())
def test_the_words_of_some_texts_alone(texts, data):
    chosen = data.draw(st.lists(st.sampled_from(range(len(texts))))) if texts else []
    rows = rows_of(texts).only(np.array(chosen, dtype=np.int64))
    expected = rows_of([words if n in chosen else [] for n, words in enumerate(texts)])
    assert rows.count == expected.count
    assert rows.words.tolist() == expected.words.tolist()
    assert rows.owner.tolist() == expected.owner.tolist()


@given(TEXTS)
def test_the_vocabulary_and_where_it_occurs(texts):
    rows = rows_of(texts)
    words, occurrences = rows.vocabulary()
    assert words.tolist() == sorted({word for text in texts for word in text})
    assert occurrences.toarray().tolist() == [[text.count(word) for word in words.tolist()] for text in texts]


def test_mixing_spreads_small_values_over_the_top_bits():
    values = np.arange(1, 4097, dtype=np.uint64)
    mixed = mix(values)
    assert len(set(mixed.tolist())) == len(values)
    # A good hash leaves about 1/e of 4,096 places empty when it fills as many.
    assert 1400 < 4096 - len(set((mixed >> np.uint64(52)).tolist())) < 1620
    assert values[0] == 1  # the argument is left alone


def test_strings_are_hashed_by_fnv_1a():
    # Test vectors of draft-eastlake-fnv, "FNV-1a, 64 bits".
    hashes = hash_strings(["", "a", "foobar", ""])
    assert hashes.tolist() == [0xCBF29CE484222325, 0xAF63DC4C8601EC8C, 0x85944171F73967E8, 0xCBF29CE484222325]
    assert hash_strings([]).shape == (0,)


@given(st.lists(st.text(max_size=8), max_size=6))
def test_strings_are_hashed_by_the_bytes_of_their_utf8(texts):
    expected = []
    for text in texts:
        value = 0xCBF29CE484222325
        for byte in text.encode():
            value = (value ^ byte) * 0x100000001B3 % 2**64
        expected.append(value)
    assert hash_strings(texts).tolist() == expected
