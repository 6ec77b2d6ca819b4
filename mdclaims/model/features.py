"""Turns `SentenceInput`s into a sparse matrix, vectorised over the whole batch.

Each part of a `SentenceInput` has features of its own: a heading's words are not the sentence's words. Words
are known by the 64-bit hash that spaCy gives their NORM; n-grams are mixed from those hashes in numpy, and
the character n-grams of a word are computed once per process. Hashing follows Weinberger et al. (2009),
"Feature Hashing for Large Scale Multitask Learning", without its sign trick.

The extractor has no fitted state: the same input gives the same row, on any page, in any batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import matmul

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mdclaims.labels import LABELS
from mdclaims.language.cues import shared_matcher
from mdclaims.language.hashing import Hashes, Lines, WordRows, hash_strings, mix
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import ITEM_KINDS, SentenceInput
from mdclaims.model.vectors import WordVectors
from mdclaims.reading.page import KINDS, REGIONS

# Seven digits or more with the signs that stand in telephone numbers.
_TELEPHONE = re.compile(r"\+?\d(?:[\s().-]{0,2}\d){6,}")
_LENGTHS = (2, 3, 5, 8, 12, 18, 26, 40)
_LENGTH_SUFFIX = " words or more"
_FIRST, _BARE = "first block of its region", "no heading"
# The columns behind the cues: of the sentence's place, of its text, and whether it or its heading asks.
_PLACES = (*(f"kind: {kind}" for kind in KINDS), *(f"region: {region}" for region in REGIONS), _FIRST, _BARE)
_SIGNS = (*(f"{length}{_LENGTH_SUFFIX}" for length in _LENGTHS), "exclamation", "figure", "telephone number")
_CIRCUMSTANCES = (*_PLACES, *_SIGNS, "question", "heading is a question")
_IS_LENGTH = np.array([name.endswith(_LENGTH_SUFFIX) for name in _CIRCUMSTANCES])
# The parts of an input that have columns of cues, in their order.
_CUE_PARTS = ("cue", "heading", "item_heading", "previous", "next")
# The parts of an input as contributions name them.
_PARTS = ("sentence", "heading", "previous", "next")
# The empty text, in all that `read_inputs` reads: it has no features.
_EMPTY = 0
# Stands before a sentence's first word: "call" at the beginning asks, "the call" does not.
_BEGIN = np.uint64(1)


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


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Some columns of the feature matrix, as a product of sparse matrices.

    A string has the same features wherever it stands: `rows` says which input has which string, the factors are
    made once for each different string or word. Multiplied with weights from the right they take a fraction of the
    time that the whole matrix takes.

    Attributes
    ----------
    factors : tuple of scipy.sparse.csr_matrix
    rows : array of int64, optional
        For each input the row of the factors' product that is its own. Default: they have a row for each input.
    """

    factors: tuple[sparse.csr_matrix, ...]
    rows: npt.NDArray[np.int64] | None = None

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.factors[-1].shape[1])

    def matrix(self) -> sparse.csr_matrix:
        """Return the columns: shape (inputs, width)."""
        if self.rows is None:
            return reduce(matmul, self.factors)
        return reduce(matmul, (_selection(self.rows, self.factors[0].shape[0]), *self.factors))

    def __matmul__(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``matrix() @ weights``: shape (inputs, columns of weights)."""
        for factor in reversed(self.factors):
            weights = factor @ weights
        return weights if self.rows is None else weights[self.rows]


@dataclass(frozen=True, slots=True)
class _Word:
    """What is known of a word by its letters: columns of its character n-grams, and whether it has certain signs."""

    columns: npt.NDArray[np.int32]
    is_figure: bool
    exclaims: bool


class FeatureExtractor:
    """Computes the feature matrix, or its product with weights.

    Parameters
    ----------
    settings : FeatureSettings
    vectors : WordVectors, optional
        Needed if the settings give them dimensions.
    """

    def __init__(self, settings: FeatureSettings, vectors: WordVectors | None = None) -> None:
        if (vectors.dimensions if vectors else 0) != settings.vector_dimensions:
            raise ValueError(f"the settings want vectors of {settings.vector_dimensions} dimensions")
        self.settings = settings
        self._vectors = vectors
        self._nlp = shared_pipeline()
        self._cues = shared_matcher()
        families = self._cues.families
        # Beside each list its label's lists together: a rare list leans on its kin.
        self._with_families = sparse.csr_matrix(np.hstack([np.eye(len(families), dtype=np.float32), families]))
        self._cue_scale = np.concatenate(
            [np.where(families.any(axis=1), settings.cue_weight, 1), np.full(len(LABELS), settings.family_weight)]
        ).astype(np.float32)
        self._words: dict[int, _Word] = {}
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
        return (*(f"{part}:{cue}" for part in _CUE_PARTS for cue in (*self._cues.names, *LABELS)), *_CIRCUMSTANCES)

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
        return sparse.hstack(
            [block.matrix() for block in self._blocks(inputs, read_inputs(inputs))], format="csr", dtype=np.float32
        )

    def product(
        self, inputs: Sequence[SentenceInput], weights: npt.NDArray[np.float32], lines: Lines | None = None
    ) -> npt.NDArray[np.float32]:
        """Return ``transform(inputs) @ weights``, without making the matrix.

        Parameters
        ----------
        inputs : sequence of SentenceInput
        weights : array of float32
            *Shape: (width, n)*
        lines : Lines, optional
            Of `read_inputs`, where they are read already.

        Returns
        -------
        array of float32
            *Shape: (len(inputs), n)* A row is the same, to the last bit, in any batch.
        """
        total = np.zeros((len(inputs), weights.shape[1]), np.float32)
        column = 0
        for block in self._blocks(inputs, lines or read_inputs(inputs)):
            total += block @ weights[column : column + block.width]
            column += block.width
        return total

    def _blocks(self, inputs: Sequence[SentenceInput], lines: Lines) -> Iterator[FeatureBlock]:
        """Yield the columns from left to right."""
        sentence, heading, previous, following = numbers = _numbers(inputs, lines)
        # The lines may be those of a whole page, the inputs a part of it.
        texts = lines.rows.only(numbers.ravel())
        own = texts.only(sentence)
        words, occurrences = own.vocabulary()
        known = self._known(words)
        is_item = np.fromiter((entry.kind in ITEM_KINDS for entry in inputs), dtype=bool, count=len(inputs))
        above, above_item = np.where(is_item, _EMPTY, heading), np.where(is_item, heading, _EMPTY)
        bits = self.settings
        yield FeatureBlock((_hashed(_begun(own), bits.word_orders, bits.word_bits, bits.word_weight),), sentence)
        yield FeatureBlock(self._characters(known, occurrences), sentence)
        headings = _hashed(texts.only(heading), (1, 2), bits.heading_bits)
        yield FeatureBlock((headings,), above)
        yield FeatureBlock((headings,), above_item)
        neighbours = _hashed(texts, (1,), bits.context_bits)
        yield FeatureBlock((neighbours,), previous)
        yield FeatureBlock((neighbours,), following)
        cues = self._cues.counts(texts) @ self._with_families
        # The first hit matters most; a second and third add less and less.
        cues.data = np.log1p(cues.data)
        yield FeatureBlock((cues, sparse.diags_array(self._cue_scale, format="csr")), sentence)
        for rows in (above, above_item, previous, following):
            yield FeatureBlock((cues,), rows)
        signs = _signs(lines.texts, own.lengths, known, occurrences)
        yield from _circumstances(inputs, lines, sentence, heading, signs)
        if self._vectors is not None:
            means = self._vectors.means(words, occurrences) * np.float32(bits.vector_weight)
            yield FeatureBlock((_filled(means),), sentence)

    # --- the way back, from columns to words --------------------------------------------------------------------

    def attribute(
        self,
        inputs: Sequence[SentenceInput],
        weights: npt.NDArray[np.float64],
        chosen: Sequence[int],
        lines: Lines | None = None,
    ) -> list[list[Contribution]]:
        """Divide products of rows of `transform` with `weights` among words and circumstances.

        A feature of several words (an n-gram, a cue) is shared evenly by them.

        Parameters
        ----------
        inputs : sequence of SentenceInput
        weights : array of float64
            *Shape: (width, n)*
        chosen : sequence of int
            For each input the column of `weights` that is asked for.
        lines : Lines, optional
            Of `read_inputs`, where they are read already.

        Returns
        -------
        list of list of Contribution
            For each input its words and the circumstances that hold. Their weights add up to
            ``(transform([entry]) @ weights)[0, column]``, up to rounding.
        """
        lines = lines or read_inputs(inputs)
        numbers = _numbers(inputs, lines)
        lines = lines.only(numbers.ravel())
        words, occurrences = lines.rows.vocabulary()
        known = self._known(words)
        edges = np.cumsum([0, *self.blocks.values()])
        block = {name: weights[edges[n] : edges[n + 1]] for n, name in enumerate(self.blocks)}
        shares = self._word_shares(lines.rows, known, occurrences, block)
        if self._vectors is not None:
            # As a sparse product, which starts no threads for so little work.
            parts = _filled(self._vectors.parts(words, occurrences))
            shares["cue"] += parts @ block["vector"] * self.settings.vector_weight
        # The cues of all texts as well, with the weights that they have in each part.
        cues = self._cue_shares(lines.rows)
        for n, part in enumerate(_CUE_PARTS):
            scale = self._cue_scale[:, None] if part == "cue" else 1
            shares[part] += cues @ (block["dense"][n * cues.shape[1] : (n + 1) * cues.shape[1]] * scale)
        lengths = lines.rows.lengths
        signs = _signs(lines.texts, lengths, known, occurrences)
        blocks = _circumstances(inputs, lines, numbers[0], numbers[1], signs)
        values = np.hstack([part.matrix().toarray() for part in blocks])
        begins = np.cumsum([0, *lengths])
        starts, ends = lines.starts.tolist(), lines.ends.tolist()
        out: list[list[Contribution]] = []
        for entry, column, texts, value in zip(inputs, chosen, numbers.T.tolist(), values, strict=True):
            found: list[Contribution] = []
            above = "item_heading" if entry.kind in ITEM_KINDS else "heading"
            for part, name, number in zip(_PARTS, ("cue", above, "previous", "next"), texts, strict=True):
                here = slice(begins[number], begins[number + 1])
                text, share = lines.texts[number], shares[name][here, column].tolist()
                found += [
                    Contribution(part, start, end, text[start:end], weight)
                    for start, end, weight in zip(starts[here], ends[here], share, strict=True)
                ]
            added = value * block["dense"][-len(_CIRCUMSTANCES) :, column]
            found += [
                Contribution("circumstance", None, None, _CIRCUMSTANCES[n], float(added[n]))
                for n in np.flatnonzero(value * ~_IS_LENGTH).tolist()
            ]
            long = f"{lengths[texts[0]]} words long"
            out.append([*found, Contribution("circumstance", None, None, long, float(added[_IS_LENGTH].sum()))])
        return out

    def _word_shares(
        self,
        rows: WordRows,
        known: Sequence[_Word],
        occurrences: sparse.csr_matrix,
        block: Mapping[str, npt.NDArray[np.float64]],
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return what words add by themselves and in n-grams, for each part that a text may play."""
        bits = self.settings
        begun = _shares(_begun(rows), bits.word_orders, block["word"]) * bits.word_weight
        firsts = occurrences.indptr[:-1]
        begins = firsts + np.arange(rows.count)
        own = np.delete(begun, begins, axis=0) + self._character_shares(known, occurrences, block["char"])
        # What the sign before the first word has of an n-gram goes to that word.
        some = rows.lengths > 0
        own[firsts[some]] += begun[begins[some]]
        return {
            "cue": own,
            "heading": _shares(rows, (1, 2), block["heading"]),
            "item_heading": _shares(rows, (1, 2), block["item_heading"]),
            "previous": _shares(rows, (1,), block["previous"]),
            "next": _shares(rows, (1,), block["next"]),
        }

    def _cue_shares(self, rows: WordRows) -> sparse.csr_matrix:
        """Return what each word has of the cues of its text: shape (words, lists and labels)."""
        matches = self._cues.matches(rows)
        lists = self._with_families[matches.lists]
        width = lists.shape[1]
        # A row for each list of a match and for each label of that list.
        match = np.repeat(np.arange(lists.shape[0]), np.diff(lists.indptr))
        starts, lengths = matches.starts[match], (matches.ends - matches.starts)[match]
        _, kind, counts = np.unique(rows.owner[starts] * width + lists.indices, return_inverse=True, return_counts=True)
        values = (np.log1p(counts) / counts)[kind] / lengths
        places = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        columns = np.repeat(lists.indices, lengths)
        return sparse.csr_matrix((np.repeat(values, lengths), (places, columns)), shape=(len(rows.words), width))

    def _character_shares(
        self, known: Sequence[_Word], occurrences: sparse.csr_matrix, weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        ngrams = self._ngrams_of(known)
        lengths = np.sqrt(np.maximum(occurrences @ np.diff(ngrams.indptr), 1))
        of_words = (ngrams @ weights)[occurrences.indices] * self.settings.char_weight
        return np.asarray(of_words / np.repeat(lengths, np.diff(occurrences.indptr))[:, None])

    def _characters(
        self, known: Sequence[_Word], occurrences: sparse.csr_matrix
    ) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Return which words a text has, scaled so that its row has unit length, and which n-grams a word has."""
        ngrams = self._ngrams_of(known)
        scale = self.settings.char_weight / np.sqrt(np.maximum(occurrences @ np.diff(ngrams.indptr), 1))
        values = np.repeat(scale, np.diff(occurrences.indptr)).astype(np.float32)
        return sparse.csr_matrix((values, occurrences.indices, occurrences.indptr), shape=occurrences.shape), ngrams

    def _ngrams_of(self, known: Sequence[_Word]) -> sparse.csr_matrix:
        """Return the character n-grams of words: shape (words, columns of the block)."""
        rows = [word.columns for word in known]
        sizes = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        columns = np.concatenate(rows) if rows else np.empty(0, np.int32)
        return sparse.csr_matrix(
            (np.ones(len(columns), np.float32), columns, np.concatenate([[0], np.cumsum(sizes)])),
            shape=(len(known), 1 << self.settings.char_bits),
        )

    def _known(self, norms: Hashes) -> list[_Word]:
        """Return what is known of words, which is found out when they are first met."""
        known = norms.tolist()
        new = [norm for norm in known if norm not in self._words]
        if new:
            self._words.update(zip(new, self._read_words([self._nlp.vocab.strings[norm] for norm in new]), strict=True))
        return [self._words[norm] for norm in known]

    def _read_words(self, texts: Sequence[str]) -> Iterator[_Word]:
        """Yield what the letters of words tell; all n-grams are hashed at once: one by one takes most of the time."""
        orders = self.settings.char_orders
        grams: list[str] = []
        ends: list[int] = []
        for text in texts:
            marked = f"<{text}>"
            grams += sorted({marked[n : n + order] for order in orders for n in range(len(marked) - order + 1)})
            ends.append(len(grams))
        columns = np.split(_to_columns(mix(hash_strings(grams)), self.settings.char_bits), ends[:-1])
        for text, own in zip(texts, columns, strict=True):
            yield _Word(own, is_figure="0" in text, exclaims="!" in text)


def read_inputs(inputs: Sequence[SentenceInput], more: Iterable[str] = ()) -> Lines:
    """Read the different texts of inputs, and more: each once, for headings and neighbours repeat; "" is the first."""
    texts = dict.fromkeys(["", *(part for entry in inputs for part in _parts(entry)), *more])
    return Lines.read(shared_pipeline(), list(texts))


def _numbers(inputs: Sequence[SentenceInput], lines: Lines) -> npt.NDArray[np.int64]:
    """Return the places in `lines` of sentences, headings, previous and next sentences: shape (4, inputs)."""
    numbers = lines.numbers
    return np.array([numbers[part] for entry in inputs for part in _parts(entry)], np.int64).reshape(-1, 4).T


def _parts(entry: SentenceInput) -> tuple[str, str, str, str]:
    return entry.text, entry.heading, entry.previous, entry.next


def _circumstances(
    inputs: Sequence[SentenceInput],
    lines: Lines,
    sentence: npt.NDArray[np.int64],
    heading: npt.NDArray[np.int64],
    signs: npt.NDArray[np.float32],
) -> tuple[FeatureBlock, ...]:
    """Return the columns of `_CIRCUMSTANCES`: `sentence` and `heading` are places in `lines`, `signs` of each text."""
    asks = _filled(np.fromiter(map(_asks, lines.texts), dtype=np.float32, count=len(lines.texts))[:, None])
    return (
        FeatureBlock((_filled(_places(inputs)),)),
        FeatureBlock((_filled(signs),), sentence),
        FeatureBlock((asks,), sentence),
        FeatureBlock((asks,), heading),
    )


def _places(inputs: Sequence[SentenceInput]) -> npt.NDArray[np.float32]:
    """Return where sentences stand: shape (inputs, `_PLACES`)."""
    out = np.zeros((len(inputs), len(_PLACES)), np.float32)
    column = {name: n for n, name in enumerate(_PLACES)}
    every = np.arange(len(inputs))
    out[every, [column[f"kind: {entry.kind}"] for entry in inputs]] = 1
    out[every, [column[f"region: {entry.region}"] for entry in inputs]] = 1
    out[:, column[_FIRST]] = [entry.first_block for entry in inputs]
    out[:, column[_BARE]] = [not entry.heading for entry in inputs]
    return out


def _signs(
    strings: Sequence[str], lengths: npt.NDArray[np.int64], known: Sequence[_Word], occurrences: sparse.csr_matrix
) -> npt.NDArray[np.float32]:
    """Return lengths and signs of texts: shape (strings, `_SIGNS`)."""
    of_words = np.array([(word.exclaims, word.is_figure) for word in known], np.float32).reshape(-1, 2)
    exclaims, figures = (occurrences @ of_words > 0).T
    telephones = np.zeros(len(strings), dtype=bool)
    for n in np.flatnonzero(figures).tolist():
        telephones[n] = _TELEPHONE.search(strings[n]) is not None
    return np.column_stack([lengths[:, None] >= np.array(_LENGTHS), exclaims, figures, telephones]).astype(np.float32)


def _asks(text: str) -> bool:
    return "?" in text and text.rstrip("\"'”’)").endswith("?")


def _to_columns(hashes: Hashes, bits: int) -> npt.NDArray[np.int32]:
    return (hashes >> np.uint64(64 - bits)).astype(np.int32)


def _selection(chosen: npt.NDArray[np.int64], count: int) -> sparse.csr_matrix:
    """Return the matrix whose product with `count` rows has row ``chosen[n]`` of them as row n."""
    rows = len(chosen)
    return sparse.csr_matrix((np.ones(rows, np.float32), chosen, np.arange(rows + 1)), shape=(rows, count))


def _filled(dense: npt.NDArray[np.float32]) -> sparse.csr_matrix:
    """Return a dense block with all its values, zeros too: to look for them takes longer than they do."""
    rows, width = dense.shape
    columns = np.tile(np.arange(width, dtype=np.int32), rows)
    return sparse.csr_matrix((dense.ravel(), columns, np.arange(rows + 1) * width), shape=dense.shape)


def _begun(rows: WordRows) -> WordRows:
    """Return `rows` with the sign of the beginning before each text."""
    every = np.arange(rows.count)
    begins = np.searchsorted(rows.owner, every)
    return WordRows(np.insert(rows.words, begins, _BEGIN), np.insert(rows.owner, begins, every), rows.count)


def _ngrams(rows: WordRows, orders: Sequence[int]) -> Iterator[tuple[int, Hashes, npt.NDArray[np.int64]]]:
    """Yield order, hashes and first words of n-grams; the sign before the first word is none by itself."""
    for order, hashes, starts in rows.ngrams(max(orders)):
        if order == 1:
            words = np.flatnonzero(rows.words != _BEGIN)
            hashes, starts = hashes[words], starts[words]
        if order in orders:
            yield order, hashes, starts


def _hashed(rows: WordRows, orders: Sequence[int], bits: int, weight: float = 1.0) -> sparse.csr_matrix:
    """Return the word n-gram block of the given orders: shape (rows.count, 2**bits), rows of length `weight`."""
    grams = list(_ngrams(rows, orders))
    columns = np.concatenate([_to_columns(hashes, bits) for _, hashes, _ in grams])
    owners = np.concatenate([rows.owner[starts] for _, _, starts in grams])
    counts = np.bincount(owners, minlength=rows.count)
    values = np.repeat(weight / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    by_row = np.argsort(owners, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_matrix((values, columns[by_row], indptr), shape=(rows.count, 1 << bits))


def _shares(rows: WordRows, orders: Sequence[int], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what each word adds to its text's row of `_hashed` times `weights`: shape (words, columns of weights)."""
    bits = len(weights).bit_length() - 1
    grams = list(_ngrams(rows, orders))
    owners = np.concatenate([rows.owner[starts] for _, _, starts in grams])
    lengths = np.sqrt(np.maximum(np.bincount(owners, minlength=rows.count), 1))
    out = np.zeros((len(rows.words), weights.shape[1]))
    for order, hashes, starts in grams:
        share = weights[_to_columns(hashes, bits)] / lengths[rows.owner[starts], None] / order
        for n in range(order):
            out[starts + n] += share
    return out
