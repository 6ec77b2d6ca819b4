"""Static word vectors: what a word means, from an encoder that has read more than the corpus.

A table of quantised vectors keyed by the hash of a word's NORM. A sentence's vector is the mean of its words',
scaled to unit length; words that the table lacks do not count. The weight of a word (rare words count more,
Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings") is part of its vector.
``scripts/distil_vectors.py`` makes the table; nothing here needs the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mdclaims.errors import ModelError

VECTORS_FILE = "vectors.joblib"


@dataclass(frozen=True)
class WordVectors:
    """The table.

    Attributes
    ----------
    keys : array of uint64
        *Shape: (words,)* NORM hashes, ascending.
    table : array of int8
        *Shape: (words, dimensions)*
    scale : array of float32
        *Shape: (dimensions,)* A vector is ``table[row] * scale``.
    source : str
        The encoder it was distilled from, with its licence.
    """

    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.int8]
    scale: npt.NDArray[np.float32]
    source: str

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.table.shape[1])

    def parts(self, words: npt.NDArray[np.uint64]) -> npt.NDArray[np.float32]:
        """Return what each word of one text adds to its vector: the rows' sum is the row of `means`.

        Returns
        -------
        array of float32
            *Shape: (len(words), dimensions)*
        """
        at = np.minimum(np.searchsorted(self.keys, words), len(self.keys) - 1)
        known = (self.keys[at] == words)[:, None]
        rows: npt.NDArray[np.float32] = np.where(known, self.table[at].astype(np.float32) * self.scale, 0)
        norm = float(np.linalg.norm(rows.sum(axis=0)))
        return rows / np.float32(norm) if norm else rows

    def means(self, rows: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.float32]:
        """Return the vectors of tokenised texts.

        Parameters
        ----------
        rows : sequence of arrays of uint64
            The NORM hashes of each text's words.

        Returns
        -------
        array of float32
            *Shape: (len(rows), dimensions)* Of unit length, or zero where no word is known.
        """
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        flat = np.concatenate(rows) if rows else np.empty(0, np.uint64)
        at = np.minimum(np.searchsorted(self.keys, flat), len(self.keys) - 1)
        known = self.keys[at] == flat
        owner = np.repeat(np.arange(len(rows)), lengths)[known]
        words, columns = np.unique(at[known], return_inverse=True)
        counts = sparse.csr_matrix(
            (np.ones(len(columns), np.float32), (owner, columns)), shape=(len(rows), len(words)), dtype=np.float32
        )
        # Sums of small integers are exact in float32, so that they do not depend on the batch.
        sums: npt.NDArray[np.float32] = (counts @ self.table[words].astype(np.float32)) * self.scale
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, norms, out=sums, where=norms > 0)
        return sums


def read_vectors(path: Path) -> WordVectors:
    """Read a table that the caller trusts: joblib runs code on load.

    Raises
    ------
    ModelError
        If the file is missing, damaged or holds something else.
    """
    import joblib

    try:
        vectors = joblib.load(path)
    except Exception as error:
        raise ModelError(f"{path} cannot be loaded as word vectors ({type(error).__name__}); make it again") from error
    if not isinstance(vectors, WordVectors):
        raise ModelError(f"{path} holds no word vectors; make it again with scripts/distil_vectors.py")
    return vectors


def write_vectors(vectors: WordVectors, path: Path) -> None:
    """Write a table; the same table gives the same bytes."""
    import joblib

    joblib.dump(vectors, path, compress=("zlib", 9))
