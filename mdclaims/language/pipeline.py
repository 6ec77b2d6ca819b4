"""Builds the spaCy pipeline: our tokenizer and our norms, no tagger, no parser, nothing to download."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache

import spacy
from spacy.attrs import NORM
from spacy.language import Language

from mdclaims.language.tokenizer import TOKENIZER_NAME

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'"})
_DIGIT = re.compile(r"[0-9]")
# Of single tokens; the tokenizer keeps an address whole.
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_WEB = re.compile(
    r"https?://|www\.|[\w-]{2,}(?:\.[\w-]{2,})*\.(?!(?:pdf|docx?|xlsx?|jpe?g|png|zip|html?|php|mp4)$)[A-Za-z]{2,}(?:/|$)",
    re.IGNORECASE,
)


def norm(text: str) -> str:
    """Return the form in which words are compared: lower case, straight apostrophes, digits as "0".

    A figure matters by its size and unit, not by its value: "70%" and "85%" are the same evidence. Web and
    e-mail addresses have one form each: whose address it is tells nothing.
    """
    if text.isascii() and text.isalpha():  # most words by far: nothing below concerns them
        return text.lower()
    if _EMAIL.fullmatch(text):
        return "<email>"
    if _WEB.match(text):
        return "<url>"
    return _DIGIT.sub("0", text.lower().translate(_APOSTROPHES))


# Function words that stand in every English paragraph and hardly in other languages.
_ENGLISH = frozenset("the and of to for you your we our with are that from this have not be by or".split())
# Of 228 real English clinic pages the least had 8 %; pages in other languages 0 to 0.4 %.
_ENGLISH_SHARE = 0.02
_ENOUGH_WORDS = 12
# The modifier letter apostrophe is no letter here.
_WORD = re.compile(r"[^\W\d_ʼ]+")


def looks_english(texts: Sequence[str]) -> bool:
    """Return whether texts may be English; too few words to tell count as English."""
    text = "\n".join(texts).lower()
    # A word and what parts it from the next have two characters at least. The words between spaces alone, which are
    # found in a fraction of the time, are mostly enough to tell.
    if sum(map(_ENGLISH.__contains__, text.split())) >= _ENGLISH_SHARE * (len(text) + 1) / 2:
        return True
    words = _WORD.findall(text)
    return len(words) < _ENOUGH_WORDS or sum(map(_ENGLISH.__contains__, words)) >= _ENGLISH_SHARE * len(words)


def create_pipeline() -> Language:
    """Return a new pipeline with the registered tokenizer; its lexemes' NORM is `norm`."""
    nlp = spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER_NAME}}})
    # spaCy's limit is there for its parser and entity recogniser; the readers have limits of their own.
    nlp.max_length = sys.maxsize
    # The vocabulary's hook for lexical attributes; spaCy's type stubs leave it out.
    nlp.vocab.lex_attr_getters[NORM] = norm  # type: ignore[attr-defined]
    return nlp


@cache
def shared_pipeline() -> Language:
    """Return the pipeline of this process: its vocabulary is the cache of all word features."""
    return create_pipeline()
