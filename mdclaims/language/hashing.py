"""Hashes of word n-grams, in numpy: the common ground of the cue lists and of the model's features.

A word is known by the 64-bit hash that spaCy gives its NORM; an n-gram's hash is mixed from those of its words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.attrs import IDX, IS_SPACE, NORM
from spacy.language import Language
from spacy.tokens import Doc

Hashes = npt.NDArray[np.uint64]

# Odd 64-bit constants of SplitMix64 (Steele et al. 2014) and of Fibonacci hashing.
_MIX_A = np.uint64(0x9E3779B97F4A7C15)
_MIX_B = np.uint64(0xBF58476D1CE4E5B9)
_MIX_C = np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class WordRows:
    """The words of several texts, end to end.

    Attributes
    ----------
    words : array of uint64
        NORM hashes.
    owner : array of int64
        The text that each word belongs to, rising.
    count : int
        Number of texts, those without words included.
    """

    words: Hashes
    owner: npt.NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, rows: Sequence[Hashes]) -> WordRows:
        """Lay rows of hashes end to end."""
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        words = np.concatenate(rows) if rows else np.empty(0, np.uint64)
        return cls(words, np.repeat(np.arange(len(rows)), lengths), len(rows))

    @classmethod
    def read(cls, nlp: Language, texts: Sequence[str]) -> WordRows:
        """Tokenise texts, as the lines of one: `Doc` by `Doc` it would take twice as long.

        No token reaches over a line's end, so that a text has the same words as by itself.
        """
        return Lines.read(nlp, texts).rows

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of words of each text: shape (count,)."""
        return np.bincount(self.owner, minlength=self.count)

    def only(self, texts: npt.NDArray[np.int64]) -> WordRows:
        """Return the same rows with the words of the texts of these numbers alone."""
        kept = np.zeros(self.count, dtype=bool)
        kept[texts] = True
        words = np.flatnonzero(kept[self.owner])
        return WordRows(self.words[words], self.owner[words], self.count)

    def vocabulary(self) -> tuple[Hashes, sparse.csr_matrix]:
        """Return the different words, and in rows where they occur.

        Returns
        -------
        words : array of uint64
            Rising.
        occurrences : scipy.sparse.csr_matrix
            Shape (count, len(words)), float32: a 1 for each word of a text, in the text's order.
        """
        words, places = np.unique(self.words, return_inverse=True)
        indptr = np.concatenate([[0], np.cumsum(self.lengths)])
        ones = np.ones(len(places), np.float32)
        return words, sparse.csr_matrix((ones, places, indptr), shape=(self.count, len(words)))

    def ngrams(self, longest: int) -> Iterator[tuple[int, Hashes, npt.NDArray[np.int64]]]:
        """Yield order, hashes and first words of the n-grams inside one text, for orders 1 to `longest`."""
        mixed = hashes = mix(self.words)
        yield 1, hashes, np.arange(len(hashes))
        for order in range(2, min(longest, len(mixed)) + 1):
            hashes = (hashes[:-1] * _MIX_A) ^ mixed[order - 1 :]
            starts = np.flatnonzero(self.owner[: len(hashes)] == self.owner[order - 1 :])
            yield order, hashes[starts], starts


@dataclass(frozen=True, slots=True)
class Lines:
    """Several texts, tokenised as the lines of one doc.

    Attributes
    ----------
    texts : tuple of str
    doc : Doc
    rows : WordRows
    tokens : array of int64
        For each word of `rows` its token in `doc`.
    begins : array of int64
        Where each text begins in `doc`, in code points.
    """

    texts: tuple[str, ...]
    doc: Doc
    rows: WordRows
    tokens: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]

    @classmethod
    def read(cls, nlp: Language, texts: Sequence[str]) -> Lines:
        """Tokenise texts; no token reaches over a line's end, so that a text has the same words as by itself."""
        begins: npt.NDArray[np.int64] = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
        doc = nlp.make_doc("\n".join(texts))
        if not texts:
            return cls((), doc, WordRows.of([]), np.empty(0, np.int64), begins[:0])
        norms, places, is_space = doc.to_array([NORM, IDX, IS_SPACE]).T
        words = np.flatnonzero(is_space == 0)
        owner = np.searchsorted(begins, places[words].astype(np.int64), side="right") - 1
        return cls(tuple(texts), doc, WordRows(norms[words], owner, len(texts)), words, begins)

    @classmethod
    def of(cls, doc: Doc) -> Lines:
        """Take a doc as one line."""
        return cls((doc.text,), doc, WordRows.of([norms_of(doc)]), np.flatnonzero(is_word(doc)), np.zeros(1, np.int64))

    def only(self, texts: Collection[str]) -> Lines:
        """Return the same lines with the words of some texts alone; no other is among `texts` of the result."""
        kept = np.fromiter((text in texts for text in self.texts), dtype=bool, count=len(self.texts))
        words = np.flatnonzero(kept[self.rows.owner])
        numbers = np.cumsum(kept) - 1
        rows = WordRows(self.rows.words[words], numbers[self.rows.owner[words]], int(kept.sum()))
        chosen = tuple(text for text, keep in zip(self.texts, kept.tolist(), strict=True) if keep)
        return Lines(chosen, self.doc, rows, self.tokens[words], self.begins[kept])


def is_word(doc: Doc) -> npt.NDArray[np.bool_]:
    """Return which tokens are words: all but white space."""
    return np.asarray(doc.to_array([IS_SPACE]).ravel() == 0)


def norms_of(doc: Doc) -> Hashes:
    """Return the NORM hashes of a text's words."""
    norms: Hashes = doc.to_array([NORM]).astype(np.uint64, copy=False).ravel()[is_word(doc)]
    return norms


def mix(values: Hashes) -> Hashes:
    """Finalise hashes so that their top bits depend on all bits (SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_B
    values = (values ^ (values >> np.uint64(27))) * _MIX_C
    return values ^ (values >> np.uint64(31))


def hash_string(text: str) -> int:
    """FNV-1a, 64 bits: the same on every machine and in every Python process."""
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
