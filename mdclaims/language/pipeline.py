"""Builds the spaCy pipeline: our tokenizer and our norms, no tagger, no parser, nothing to download."""

from __future__ import annotations

import re
from functools import cache

import spacy
from spacy.attrs import NORM
from spacy.language import Language

from mdclaims.language.tokenizer import TOKENIZER_NAME

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_DIGIT = re.compile(r"[0-9]")


def norm(text: str) -> str:
    """Return the form in which words are compared: lower case, straight apostrophes, digits as "0".

    A figure matters by its size and unit, not by its value: "70%" and "85%" are the same evidence.
    """
    return _DIGIT.sub("0", text.lower().translate(_APOSTROPHES))


def create_pipeline() -> Language:
    """Return a new pipeline with the registered tokenizer; its lexemes' NORM is `norm`."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER_NAME}}})
    # The vocabulary's hook for lexical attributes; spaCy's type stubs leave it out.
    nlp.vocab.lex_attr_getters[NORM] = norm  # type: ignore[attr-defined]
    return nlp


@cache
def shared_pipeline() -> Language:
    """Return the pipeline of this process: its vocabulary is the cache of all word features."""
    return create_pipeline()
