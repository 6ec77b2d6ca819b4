"""Static word vectors: what a word means, from an encoder that has read more than the corpus.

A table of quantised vectors keyed by the hash of a word's NORM. A sentence's vector is the mean of its words',
scaled to unit length; words that the table lacks do not count. The weight of a word (rare words count more,
Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings") is part of its vector.
``scripts/distil_vectors.py`` makes the table; nothing here needs the encoder.
"""

from __future__ import annotations

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

    def sums(self, words: npt.NDArray[np.uint64], occurrences: sparse.csr_matrix) -> npt.NDArray[np.float32]:
        """Add up the vectors of the words of texts.

        Parameters
        ----------
        words : array of uint64
            NORM hashes.
        occurrences : scipy.sparse.csr_matrix
            *Shape: (texts, len(words))* How often a text has a word.

        Returns
        -------
        array of float32
            *Shape: (texts, dimensions)* Zero where no word is known.
        """
        at = np.minimum(np.searchsorted(self.keys, words), len(self.keys) - 1)
        rows = self.table[at].astype(np.float32)
        rows[self.keys[at] != words] = 0
        # Sums of small integers are exact in float32, so that they do not depend on the batch.
        return np.asarray((occurrences @ rows) * self.scale)

    def means(self, words: npt.NDArray[np.uint64], occurrences: sparse.csr_matrix) -> npt.NDArray[np.float32]:
        """Return the vectors of texts: `sums` scaled to unit length, or zero."""
        sums = self.sums(words, occurrences)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        np.divide(sums, norms, out=sums, where=norms > 0)
        return sums

    def parts(self, words: npt.NDArray[np.uint64], occurrences: sparse.csr_matrix) -> npt.NDArray[np.float32]:
        """Return what each word of texts adds to its text's vector: their sums are the rows of `means`.

        Returns
        -------
        array of float32
            *Shape: (entries of occurrences, dimensions)*
        """
        rows = self.sums(words, sparse.eye(len(words), dtype=np.float32, format="csr"))[occurrences.indices]
        norms = np.linalg.norm(self.sums(words, occurrences), axis=1)
        norms[norms == 0] = 1
        return np.asarray(rows / np.repeat(norms, np.diff(occurrences.indptr))[:, None])


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
