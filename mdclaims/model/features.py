"""Turns `SentenceInput`s into a sparse matrix, vectorised over the whole batch.

Each part of a `SentenceInput` has features of its own: a heading's words are not the sentence's words. Words
are known by the 64-bit hash that spaCy gives their NORM; n-grams are mixed from those hashes in numpy, and
the character n-grams of a word are computed once per process. Hashing follows Weinberger et al. (2009),
"Feature Hashing for Large Scale Multitask Learning", without its sign trick.

The extractor has no fitted state: the same input gives the same row, on any page, in any batch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.language import Language
from spacy.tokens import Doc

from mdclaims.labels import LABELS
from mdclaims.language.cues import CueMatcher
from mdclaims.language.hashing import Hashes, WordRows, hash_string, mix, norms_of
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.vectors import WordVectors
from mdclaims.reading.page import KINDS, REGIONS

# Kinds whose meaning often lies in the heading above them: "Anxiety" under "What TMS treats".
ITEM_KINDS = frozenset({"list_item", "cell", "link", "button", "alt", "caption"})
# Seven digits or more with the signs that stand in telephone numbers.
_DIGIT = re.compile(r"\d")
_TELEPHONE = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,}")
_FLAGS: dict[str, Callable[[SentenceInput], bool]] = {
    "first block of its region": lambda entry: entry.first_block,
    "question": lambda entry: entry.text.rstrip("\"'”’)").endswith("?"),
    "exclamation": lambda entry: "!" in entry.text,
    "figure": lambda entry: _DIGIT.search(entry.text) is not None,
    "telephone number": lambda entry: _TELEPHONE.search(entry.text) is not None,
    "no heading": lambda entry: not entry.heading,
    "heading is a question": lambda entry: entry.heading.endswith("?"),
}
_LENGTH_SUFFIX = " words or more"
_LENGTHS = (2, 3, 5, 8, 12, 18, 26, 40)
# Stands before a sentence's first word: "call" at the beginning asks, "the call" does not.
_BEGIN = np.array([1], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """Sizes of the feature blocks; part of a model's metadata.

    Attributes
    ----------
    word_bits, char_bits, heading_bits, context_bits : int
        Each hashed block has two to this power columns.
    word_orders : tuple of int
        Lengths of the word n-grams.
    char_orders : tuple of int
        Lengths of the character n-grams, within one word and its boundaries.
    word_weight, char_weight, vector_weight : float
        Lengths of these blocks' rows: how much the regularisation lets each say. Swept by mean average precision
        on a quarter of the sites of train and dev: 9, 6, 9 gave 0.904; 6, 6, 6 and 4.5, 4.5, 4.5 gave 0.902;
        3, 3, 3 gave 0.899.
    cue_weight, family_weight : float
        Lengths of the columns of a sentence's cues that are keywords of a label, and of the label's lists
        together. On text of the corpus 1 and 1 are as good (mean average precision 0.903; 2 and 3: 0.902), on
        1,584 sentences of real pages that are not part of it 2 and 3 are better (macro-F1 0.69, not 0.66): of all
        features the cues depend least on who wrote the training text.
    vector_dimensions : int
        Of the word vectors that the model brings along; 0 for none.
    """

    word_bits: int = 17
    char_bits: int = 16
    heading_bits: int = 14
    context_bits: int = 13
    word_orders: tuple[int, ...] = (1, 2, 3)
    char_orders: tuple[int, ...] = (3, 4, 5)
    word_weight: float = 9.0
    char_weight: float = 6.0
    vector_weight: float = 9.0
    cue_weight: float = 2.0
    family_weight: float = 3.0
    vector_dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one word, or one circumstance, adds to a weighted sum of the features.

    Attributes
    ----------
    part : str
        "sentence", "heading", "previous" or "next" for a word; "circumstance" for the rest.
    start, end : int or None
        Half-open code-point offsets into that part's text; None for a circumstance.
    text : str
        The word, or the circumstance ("kind: list_item", "question").
    weight : float
    """

    part: str
    start: int | None
    end: int | None
    text: str
    weight: float


class FeatureExtractor:
    """Computes the feature matrix.

    Parameters
    ----------
    nlp : Language
        The pipeline of `language.pipeline`; its vocabulary caches the words.
    settings : FeatureSettings
    vectors : WordVectors, optional
        Needed if the settings give them dimensions.
    """

    def __init__(self, nlp: Language, settings: FeatureSettings, vectors: WordVectors | None = None) -> None:
        if (vectors.dimensions if vectors else 0) != settings.vector_dimensions:
            raise ValueError(f"the settings want vectors of {settings.vector_dimensions} dimensions")
        self.settings = settings
        self._vectors = vectors
        self._nlp = nlp
        self._cues = CueMatcher(nlp)
        # Beside each list its label's lists together: a rare list leans on its kin.
        self._kin = np.array([[entry.label == label for label in LABELS] for entry in self._cues.lists], np.float32)
        self._cue_scale = np.concatenate(
            [
                np.where(self._kin.any(axis=1), settings.cue_weight, 1),
                np.full(len(LABELS), settings.family_weight),
            ]
        ).astype(np.float32)
        self._char_ids: dict[int, npt.NDArray[np.int32]] = {}
        self._dense_names = self._name_dense()

    # --- what the columns are -----------------------------------------------------------------------------------

    @property
    def blocks(self) -> dict[str, int]:
        """Names and widths of the feature blocks, in column order."""
        bits = self.settings
        return {
            "word": 1 << bits.word_bits,
            "char": 1 << bits.char_bits,
            "heading": 1 << bits.heading_bits,
            "item_heading": 1 << bits.heading_bits,
            "previous": 1 << bits.context_bits,
            "next": 1 << bits.context_bits,
            "dense": len(self._dense_names),
            "vector": bits.vector_dimensions,
        }

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(self.blocks.values())

    @property
    def dense_names(self) -> tuple[str, ...]:
        """Names of the columns of the dense block, in order."""
        return self._dense_names

    def _name_dense(self) -> tuple[str, ...]:
        names = [
            f"{part}:{cue}"
            for part in ("cue", "heading", "item_heading", "previous", "next")
            for cue in (*self._cues.names, *LABELS)
        ]
        names += [f"kind: {kind}" for kind in KINDS] + [f"region: {region}" for region in REGIONS]
        names += [f"{length}{_LENGTH_SUFFIX}" for length in _LENGTHS]
        return (*names, *_FLAGS)

    # --- the matrix ---------------------------------------------------------------------------------------------

    def transform(self, inputs: Sequence[SentenceInput]) -> sparse.csr_matrix:
        """Return the feature matrix.

        Parameters
        ----------
        inputs : sequence of SentenceInput

        Returns
        -------
        scipy.sparse.csr_matrix
            Shape (len(inputs), `width`), float32.
        """
        # Headings and neighbours repeat: each different string is tokenised and searched for cues once.
        strings = dict.fromkeys(["", *(part for item in inputs for part in _parts(item))])
        words = [norms_of(self._nlp.make_doc(string)) for string in strings]
        cues = self._cues.counts(WordRows.of(words))
        # The first hit matters most; a second and third add less and less.
        cues = np.log1p(np.hstack([cues, cues @ self._kin]))
        number = {string: n for n, string in enumerate(strings)}
        parts = np.array([[number[part] for part in _parts(item)] for item in inputs], dtype=np.int64).reshape(-1, 4)
        is_item = np.fromiter((item.kind in ITEM_KINDS for item in inputs), dtype=bool, count=len(inputs))
        sentence, heading, previous, following = parts.T
        above, above_item = np.where(is_item, 0, heading), np.where(is_item, heading, 0)
        bits = self.settings

        def rows(part: npt.NDArray[np.int64]) -> list[Hashes]:
            return [words[n] for n in part]

        begun = [np.concatenate((_BEGIN, row)) for row in rows(sentence)]
        blocks = [
            _hashed(begun, bits.word_orders, bits.word_bits) * np.float32(bits.word_weight),
            self._characters(rows(sentence)) * np.float32(bits.char_weight),
            _hashed(rows(above), (1, 2), bits.heading_bits),
            _hashed(rows(above_item), (1, 2), bits.heading_bits),
            _hashed(rows(previous), (1,), bits.context_bits),
            _hashed(rows(following), (1,), bits.context_bits),
            _sparse(
                np.hstack(
                    [cues[sentence] * self._cue_scale]
                    + [cues[part] for part in (above, above_item, previous, following)]
                    + [self._circumstances(inputs, np.array([len(row) for row in rows(sentence)], dtype=np.int64))]
                )
            ),
        ]
        if self._vectors is not None:
            blocks.append(_sparse(self._vectors.means(rows(sentence)) * np.float32(bits.vector_weight)))
        return sparse.hstack(blocks, format="csr", dtype=np.float32)

    # --- the way back, from columns to words --------------------------------------------------------------------

    def attribute(self, entry: SentenceInput, weights: npt.NDArray[np.float64]) -> list[Contribution]:
        """Divide the product of a row of `transform` with `weights` among words and circumstances.

        A feature of several words (an n-gram, a cue) is shared evenly by them.

        Parameters
        ----------
        entry : SentenceInput
        weights : array of float64
            *Shape: (width,)*

        Returns
        -------
        list of Contribution
            Their weights add up to ``transform([entry]) @ weights``, up to rounding.
        """
        edges = np.cumsum([0, *self.blocks.values()])
        block = {name: weights[edges[n] : edges[n + 1]] for n, name in enumerate(self.blocks)}
        scale = np.ones(len(self._dense_names))
        scale[: len(self._cue_scale)] = self._cue_scale
        dense = dict(zip(self._dense_names, block["dense"] * scale, strict=True))
        bits = self.settings
        above = "item_heading" if entry.kind in ITEM_KINDS else "heading"
        docs = [self._nlp.make_doc(part) for part in _parts(entry)]
        words = [norms_of(doc) for doc in docs]
        begun = _shares(np.concatenate((_BEGIN, words[0])), bits.word_orders, block["word"]) * bits.word_weight
        shares = [
            begun[1:] + self._character_shares(words[0], block["char"]) * bits.char_weight,
            _shares(words[1], (1, 2), block[above]),
            _shares(words[2], (1,), block["previous"]),
            _shares(words[3], (1,), block["next"]),
        ]
        # What the sign before the first word has of an n-gram goes to that word.
        shares[0][:1] += begun[0]
        if self._vectors is not None:
            shares[0] += self._vectors.parts(words[0]) @ block["vector"] * bits.vector_weight
        for name, doc, share in zip(("cue", above, "previous", "next"), docs, shares, strict=True):
            self._add_cue_shares(share, doc, name, dense)
        found = [
            Contribution(part, token.idx, token.idx + len(token), token.text, float(weight))
            for part, doc, share in zip(("sentence", "heading", "previous", "next"), docs, shares, strict=True)
            for token, weight in zip(doc, share, strict=True)
        ]
        row = self._circumstances([entry], np.array([len(words[0])]))[0]
        names = self._dense_names[len(self._dense_names) - len(row) :]
        length = 0.0
        for name, value in zip(names, row, strict=True):
            if name.endswith(_LENGTH_SUFFIX):
                length += float(value * dense[name])
            else:
                found.append(Contribution("circumstance", None, None, name, float(value * dense[name])))
        return [*found, Contribution("circumstance", None, None, f"{len(words[0])} words long", length)]

    def _add_cue_shares(self, share: npt.NDArray[np.float64], doc: Doc, part: str, dense: Mapping[str, float]) -> None:
        matches = list(self._cues.matches(doc))
        # Each list's column, and the columns of its kin, as many of them as the list has.
        names = [
            [self._cues.names[column], *(LABELS[n] for n in np.flatnonzero(self._kin[column]))]
            for column, _, _ in matches
        ]
        counts = Counter(name for row in names for name in row)
        for (_, start, end), row in zip(matches, names, strict=True):
            for name in row:
                share[start:end] += np.log1p(counts[name]) / counts[name] * dense[f"{part}:{name}"] / (end - start)

    def _character_shares(self, words: Hashes, weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ids = [self._char_ids_of(int(word)) for word in words]
        sums = np.array([weights[row].sum() for row in ids], dtype=np.float64)
        return np.asarray(sums / np.sqrt(max(sum(map(len, ids)), 1)))

    def _characters(self, rows: Sequence[Hashes]) -> sparse.csr_matrix:
        """Return the character n-gram block; a word's n-grams are looked up, not computed again."""
        flat = np.concatenate(rows) if rows else np.empty(0, np.uint64)
        words, inverse = np.unique(flat, return_inverse=True)
        tables = [self._char_ids_of(int(word)) for word in words]
        sizes = np.fromiter(map(len, tables), dtype=np.int64, count=len(tables))
        table = np.concatenate(tables) if tables else np.empty(0, np.int32)
        begins = np.cumsum(sizes) - sizes
        token_sizes = sizes[inverse] if len(flat) else np.empty(0, np.int64)
        total = int(token_sizes.sum())
        # Position within the table of every n-gram of every token, without a Python loop.
        offsets = np.arange(total) - np.repeat(np.cumsum(token_sizes) - token_sizes, token_sizes)
        ids = table[np.repeat(begins[inverse], token_sizes) + offsets] if total else np.empty(0, np.int32)
        row_of_token = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        counts = np.bincount(row_of_token, weights=token_sizes, minlength=len(rows)).astype(np.int64)
        return _rows(ids, counts, 1 << self.settings.char_bits)

    def _char_ids_of(self, word: int) -> npt.NDArray[np.int32]:
        ids = self._char_ids.get(word)
        if ids is None:
            text = f"<{self._nlp.vocab.strings[word]}>"
            grams = {text[n : n + order] for order in self.settings.char_orders for n in range(len(text) - order + 1)}
            hashes = np.fromiter((hash_string(gram) for gram in sorted(grams)), dtype=np.uint64, count=len(grams))
            ids = _to_columns(hashes, self.settings.char_bits)
            self._char_ids[word] = ids
        return ids

    def _circumstances(
        self, inputs: Sequence[SentenceInput], lengths: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Return kind, region, length and flags: the columns of `dense_names` behind the cues."""
        columns = [
            _one_hot([entry.kind for entry in inputs], KINDS),
            _one_hot([entry.region for entry in inputs], REGIONS),
            (lengths[:, None] >= np.array(_LENGTHS)).astype(np.float32),
            np.array([[flag(entry) for flag in _FLAGS.values()] for entry in inputs], dtype=np.float32).reshape(
                len(inputs), len(_FLAGS)
            ),
        ]
        return np.hstack(columns)


def _parts(entry: SentenceInput) -> tuple[str, str, str, str]:
    return entry.text, entry.heading, entry.previous, entry.next


def _one_hot(values: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.float32]:
    out = np.zeros((len(values), len(names)), np.float32)
    column = {name: n for n, name in enumerate(names)}
    for row, value in enumerate(values):
        out[row, column[value]] = 1
    return out


def _to_columns(hashes: Hashes, bits: int) -> npt.NDArray[np.int32]:
    return (mix(hashes) >> np.uint64(64 - bits)).astype(np.int32)


def _hashed(texts: Sequence[Hashes], orders: Sequence[int], bits: int) -> sparse.csr_matrix:
    """Return the word n-gram block of the given orders: shape (len(texts), 2**bits)."""
    rows = WordRows.of(texts)
    grams = [_ngrams(rows, order) for order in orders]
    ids = np.concatenate([_to_columns(hashes, bits) for hashes, _ in grams])
    owners = np.concatenate([rows.owner[starts] for _, starts in grams])
    by_row = np.argsort(owners, kind="stable")
    return _rows(ids[by_row], np.bincount(owners, minlength=rows.count), 1 << bits)


def _sparse(dense: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    """Return a dense block in rows of its non-zero values; scipy's own way leads over coordinates, and is slower."""
    filled = dense != 0
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(filled, axis=1))])
    columns = np.flatnonzero(filled) % max(dense.shape[1], 1)
    return sparse.csr_matrix((dense[filled], columns.astype(np.int32), indptr), shape=dense.shape)


def _ngrams(rows: WordRows, order: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Return the n-grams of `rows`; the sign before the first word is none by itself."""
    hashes, starts = rows.ngrams(order)
    if order == 1:
        words = np.flatnonzero(rows.words[starts] != _BEGIN)
        return hashes[words], starts[words]
    return hashes, starts


def _shares(words: Hashes, orders: Sequence[int], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what each word of one text adds to its row of `_hashed` times `weights`."""
    rows = WordRows.of([words])
    bits = len(weights).bit_length() - 1
    grams = [(order, *_ngrams(rows, order)) for order in orders]
    total = sum(len(starts) for _, _, starts in grams)
    out = np.zeros(len(words))
    for order, hashes, starts in grams:
        share = weights[_to_columns(hashes, bits)] / np.sqrt(max(total, 1)) / order
        for n in range(order):
            np.add.at(out, starts + n, share)
    return out


def _rows(ids: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], width: int) -> sparse.csr_matrix:
    """Build a matrix from column ids that lie row after row; each row gets (nearly) unit length."""
    values = np.repeat(1.0 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_matrix((values, ids, indptr), shape=(len(counts), width))
