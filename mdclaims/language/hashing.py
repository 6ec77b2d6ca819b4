"""Hashes of word n-grams, in numpy: the common ground of the cue lists and of the model's features.

A word is known by the 64-bit hash that spaCy gives its NORM; an n-gram's hash is mixed from those of its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from spacy.attrs import NORM
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

    def ngrams(self, order: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
        """Return the hash of every n-gram of `order` words inside one text, and the index of its first word."""
        count = max(len(self.words) - order + 1, 0)
        words = mix(self.words)
        mixed = np.full(count, order, np.uint64)
        for n in range(order):
            mixed = (mixed * _MIX_A) ^ words[n : n + count]
        starts: npt.NDArray[np.int64] = np.flatnonzero(self.owner[:count] == self.owner[order - 1 :])
        return mixed[starts], starts


def norms_of(doc: Doc) -> Hashes:
    """Return the NORM hashes of a text's words."""
    norms: Hashes = doc.to_array([NORM]).astype(np.uint64, copy=False).ravel()
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
