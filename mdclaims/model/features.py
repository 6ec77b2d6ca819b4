"""Turns `SentenceInput`s into a sparse matrix, vectorised over the whole batch.

Each part of a `SentenceInput` has features of its own: a heading's words are not the sentence's words. Words
are known by the 64-bit hash that spaCy gives their NORM; n-grams are mixed from those hashes in numpy, and
the character n-grams of a word are computed once per process. Hashing follows Weinberger et al. (2009),
"Feature Hashing for Large Scale Multitask Learning", without its sign trick.

The extractor has no fitted state: the same input gives the same row, on any page, in any batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.attrs import NORM
from spacy.language import Language

from mdclaims.language.cues import CueMatcher
from mdclaims.language.sentences import SentenceInput
from mdclaims.model.vectors import WordVectors
from mdclaims.reading.page import KINDS, REGIONS

Hashes = npt.NDArray[np.uint64]

# Kinds whose meaning often lies in the heading above them: "Anxiety" under "What TMS treats".
ITEM_KINDS = frozenset({"list_item", "cell", "link", "button", "alt", "caption"})
_LENGTHS = (1, 2, 3, 5, 8, 12, 18, 26, 40)
# Odd 64-bit constants of SplitMix64 (Steele et al. 2014) and of Fibonacci hashing, for mixing.
_MIX_A = np.uint64(0x9E3779B97F4A7C15)
_MIX_B = np.uint64(0xBF58476D1CE4E5B9)
_MIX_C = np.uint64(0x94D049BB133111EB)


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
        Lengths of these blocks' rows: how much the regularisation lets each say. Of seven combinations of
        1, 2, 3, 4 and 6, in folds grouped by site on train and dev, 3 for all gave the best mean average precision
        (0.885; 1, 1, 3: 0.869; without vectors: 0.857).
    vector_dimensions : int
        Of the word vectors that the model brings along; 0 for none.
    """

    word_bits: int = 17
    char_bits: int = 16
    heading_bits: int = 14
    context_bits: int = 13
    word_orders: tuple[int, ...] = (1, 2, 3)
    char_orders: tuple[int, ...] = (3, 4, 5)
    word_weight: float = 3.0
    char_weight: float = 3.0
    vector_weight: float = 3.0
    vector_dimensions: int = 0


@dataclass(frozen=True, slots=True)
class _Text:
    """A tokenised string: the NORM hashes of its words, and how often each cue list fires."""

    norms: Hashes
    cues: npt.NDArray[np.float32]


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
            for cue in self._cues.names
        ]
        names += [f"kind:{kind}" for kind in KINDS] + [f"region:{region}" for region in REGIONS]
        names += [f"length>={length}" for length in _LENGTHS]
        names += ["first_block", "question", "exclamation", "number", "no_heading", "heading_question"]
        return tuple(names)

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
        texts = self._tokenise(inputs)
        sentence = [texts[item.text] for item in inputs]
        heading = [texts[item.heading] for item in inputs]
        previous = [texts[item.previous] for item in inputs]
        following = [texts[item.next] for item in inputs]
        is_item = np.fromiter((item.kind in ITEM_KINDS for item in inputs), dtype=bool, count=len(inputs))
        bits = self.settings
        orders = bits.word_orders
        nothing = _Text(np.empty(0, np.uint64), np.zeros(len(self._cues.names), np.float32))
        blocks = [
            _hashed([text.norms for text in sentence], orders, bits.word_bits),
            self._characters([text.norms for text in sentence]),
            _hashed(
                [(nothing if item else text).norms for text, item in zip(heading, is_item, strict=True)],
                (1, 2),
                bits.heading_bits,
            ),
            _hashed(
                [(text if item else nothing).norms for text, item in zip(heading, is_item, strict=True)],
                (1, 2),
                bits.heading_bits,
            ),
            _hashed([text.norms for text in previous], (1,), bits.context_bits),
            _hashed([text.norms for text in following], (1,), bits.context_bits),
            sparse.csr_matrix(self._dense(inputs, sentence, heading, previous, following, is_item)),
        ]
        blocks[0] *= np.float32(bits.word_weight)
        blocks[1] *= np.float32(bits.char_weight)
        if self._vectors is not None:
            means = self._vectors.means([text.norms for text in sentence])
            blocks.append(sparse.csr_matrix(means * np.float32(bits.vector_weight)))
        return sparse.hstack(blocks, format="csr", dtype=np.float32)

    def _tokenise(self, inputs: Sequence[SentenceInput]) -> dict[str, _Text]:
        """Tokenise each different string of the batch once."""
        strings = dict.fromkeys(
            string for item in inputs for string in (item.text, item.heading, item.previous, item.next)
        )
        texts: dict[str, _Text] = {}
        count = len(self._cues.names)
        for string in strings:
            doc = self._nlp.make_doc(string)
            norms = doc.to_array([NORM]).astype(np.uint64, copy=False).ravel()
            texts[string] = _Text(norms, np.bincount(self._cues.columns(doc), minlength=count).astype(np.float32))
        return texts

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
            hashes = np.fromiter((_hash_string(gram) for gram in sorted(grams)), dtype=np.uint64, count=len(grams))
            ids = _to_columns(hashes, self.settings.char_bits)
            self._char_ids[word] = ids
        return ids

    def _dense(
        self,
        inputs: Sequence[SentenceInput],
        sentence: Sequence[_Text],
        heading: Sequence[_Text],
        previous: Sequence[_Text],
        following: Sequence[_Text],
        is_item: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float32]:
        """Return the dense block; columns as `dense_names`."""

        def cues(texts: Sequence[_Text]) -> npt.NDArray[np.float32]:
            # The first hit matters most; a second and third add less and less.
            return (
                np.log1p(np.stack([text.cues for text in texts]))
                if texts
                else np.zeros((0, len(self._cues.names)), np.float32)
            )

        item = is_item[:, None]
        heading_cues = cues(heading)
        lengths = np.fromiter((len(text.norms) for text in sentence), dtype=np.int64, count=len(sentence))
        flags: tuple[Callable[[SentenceInput], bool], ...] = (
            lambda entry: entry.first_block,
            lambda entry: entry.text.rstrip("\"'”’)").endswith("?"),
            lambda entry: "!" in entry.text,
            lambda entry: any(map(str.isdigit, entry.text)),
            lambda entry: not entry.heading,
            lambda entry: entry.heading.endswith("?"),
        )
        columns = [
            cues(sentence),
            heading_cues * ~item,
            heading_cues * item,
            cues(previous),
            cues(following),
            _one_hot([entry.kind for entry in inputs], KINDS),
            _one_hot([entry.region for entry in inputs], REGIONS),
            (lengths[:, None] >= np.array(_LENGTHS)).astype(np.float32),
            np.array([[flag(entry) for flag in flags] for entry in inputs], dtype=np.float32).reshape(
                len(inputs), len(flags)
            ),
        ]
        return np.hstack(columns).astype(np.float32)


def _one_hot(values: Sequence[str], names: Sequence[str]) -> npt.NDArray[np.float32]:
    out = np.zeros((len(values), len(names)), np.float32)
    column = {name: n for n, name in enumerate(names)}
    for row, value in enumerate(values):
        out[row, column[value]] = 1
    return out


def _hash_string(text: str) -> int:
    """FNV-1a, 64 bits: the same on every machine and in every Python process."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def _mix(values: Hashes) -> Hashes:
    """Finalise hashes so that their top bits depend on all bits (SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_B
    values = (values ^ (values >> np.uint64(27))) * _MIX_C
    return values ^ (values >> np.uint64(31))


def _to_columns(hashes: Hashes, bits: int) -> npt.NDArray[np.int32]:
    return (_mix(hashes) >> np.uint64(64 - bits)).astype(np.int32)


def _hashed(rows: Sequence[Hashes], orders: Sequence[int], bits: int) -> sparse.csr_matrix:
    """Return the word n-gram block of the given orders: shape (len(rows), 2**bits)."""
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = np.concatenate(rows) if rows else np.empty(0, np.uint64)
    owner = np.repeat(np.arange(len(rows)), lengths)
    ids: list[npt.NDArray[np.int32]] = []
    owners: list[npt.NDArray[np.int64]] = []
    for order in orders:
        count = len(flat) - order + 1
        if count <= 0:
            continue
        inside = owner[:count] == owner[order - 1 :]
        mixed = np.full(count, order, np.uint64)
        for n in range(order):
            mixed = (mixed * _MIX_A) ^ _mix(flat[n : n + count])
        ids.append(_to_columns(mixed[inside], bits))
        owners.append(owner[:count][inside])
    if not ids:
        return sparse.csr_matrix((len(rows), 1 << bits), dtype=np.float32)
    all_owners = np.concatenate(owners)
    order_by_row = np.argsort(all_owners, kind="stable")
    return _rows(np.concatenate(ids)[order_by_row], np.bincount(all_owners, minlength=len(rows)), 1 << bits)


def _rows(ids: npt.NDArray[np.int32], counts: npt.NDArray[np.int64], width: int) -> sparse.csr_matrix:
    """Build a matrix from column ids that lie row after row; each row gets (nearly) unit length."""
    values = np.repeat(1.0 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_matrix((values, ids, indptr), shape=(len(counts), width))
