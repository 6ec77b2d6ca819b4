"""Hashes of word n-grams, in numpy: the common ground of the cue lists and of the model's features.

A word is known by the 64-bit hash that spaCy gives its NORM; an n-gram's hash is mixed from those of its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.attrs import IDX, IS_SPACE, LENGTH, NORM
from spacy.language import Language
from spacy.tokens import Doc

from mdclaims.language.tokenizer import tokenizer_of

Hashes = npt.NDArray[np.uint64]

# Odd 64-bit constants of SplitMix64 (Steele et al. 2014) and of Fibonacci hashing.
_MIX_A = np.uint64(0x9E3779B97F4A7C15)
_MIX_B = np.uint64(0xBF58476D1CE4E5B9)
_MIX_C = np.uint64(0x94D049BB133111EB)
_FNV_PRIME = np.uint64(0x100000001B3)


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
        words = self.words_of(texts)
        return WordRows(self.words[words], self.owner[words], self.count)

    def words_of(self, texts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the places of the words of the texts of these numbers, rising."""
        kept = np.zeros(self.count, dtype=bool)
        kept[texts] = True
        return np.flatnonzero(kept[self.owner])

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
    rows : WordRows
    starts, ends : array of int64
        For each word of `rows` its half-open code-point offsets into its text.
    """

    texts: tuple[str, ...]
    rows: WordRows
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]

    @classmethod
    def read(cls, nlp: Language, texts: Sequence[str]) -> Lines:
        """Tokenise texts; no token reaches over a line's end, so that a text has the same words as by itself."""
        joined = "\n".join(texts)
        tokenizer = tokenizer_of(nlp)
        pieces = tokenizer.pieces(joined)
        norms = np.fromiter(map(tokenizer.norms.__getitem__, pieces), np.uint64, len(pieces))
        ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        words = np.flatnonzero(norms)
        places, ends = np.concatenate([[0], ends])[words], ends[words]
        # A piece holds the space behind its word.
        characters = np.frombuffer(joined.encode("utf-32-le", errors="surrogatepass"), np.uint32)
        return cls._of(texts, norms[words], places, ends - (characters[ends - 1] == ord(" ")))

    @classmethod
    def of(cls, doc: Doc) -> Lines:
        """Take a doc as one line."""
        tokens = np.asarray(doc.to_array([NORM, IDX, LENGTH, IS_SPACE]), np.uint64)
        norms, places, lengths, is_space = tokens.reshape(-1, 4).T
        words = np.flatnonzero(is_space == 0)
        starts = places[words].astype(np.int64)
        return cls._of((doc.text,), norms[words], starts, starts + lengths[words].astype(np.int64))

    @classmethod
    def _of(
        cls, texts: Sequence[str], norms: Hashes, places: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
    ) -> Lines:
        """Divide words among the texts that stand in them one after another, a character apart."""
        begins: npt.NDArray[np.int64] = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
        owner = np.searchsorted(begins, places, side="right") - 1
        return cls(tuple(texts), WordRows(norms, owner, len(texts)), places - begins[owner], ends - begins[owner])

    @property
    def numbers(self) -> dict[str, int]:
        """The place of each text in `texts`."""
        return {text: number for number, text in enumerate(self.texts)}

    def only(self, texts: npt.NDArray[np.int64]) -> Lines:
        """Return the same lines with the words of the texts of these numbers alone."""
        words = self.rows.words_of(texts)
        rows = WordRows(self.rows.words[words], self.rows.owner[words], self.rows.count)
        return Lines(self.texts, rows, self.starts[words], self.ends[words])


def mix(values: Hashes) -> Hashes:
    """Finalise hashes so that their top bits depend on all bits (SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_B
    values = (values ^ (values >> np.uint64(27))) * _MIX_C
    return values ^ (values >> np.uint64(31))


def hash_strings(texts: Sequence[str]) -> Hashes:
    """Hash the UTF-8 of texts by FNV-1a, 64 bits: the same on every machine and in every Python process.

    All texts take a step at a time, so that it takes as many steps as the longest has bytes.
    """
    encoded = [text.encode() for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    left = np.fromiter(map(len, encoded), np.int64, len(encoded))
    at = np.cumsum(left) - left
    hashes = np.full(len(texts), 0xCBF29CE484222325, np.uint64)
    some = np.flatnonzero(left)
    while len(some):
        hashes[some] = (hashes[some] ^ data[at[some]]) * _FNV_PRIME
        at[some] += 1
        left[some] -= 1
        some = some[left[some] > 0]
    return hashes
