"""The tokenizer: one compiled regular expression, registered with spaCy.

Made for the web's English: web addresses, e-mails, numbers, emoji and abbreviations are one token each, so that no
later stage has to put them together. Words are split at hyphens ("non-invasive" is three tokens) and kept whole at
apostrophes ("don't").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from operator import is_not

from spacy.attrs import NORM
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import DummyTokenizer, registry
from spacy.vocab import Vocab

TOKENIZER_NAME = "mdclaims.tokenizer.v1"

# Endings by which a bare name ("ourclinic.com/book") is taken for a web address. Those that are also
# English words ("in", "it", "is", "me", "us", "be", "so", "to", "am", "my", "at", "no") only in lower case
# and behind a name in lower case, or "pain.It helps" would be one.
_DOMAINS = (
    "com|org|net|edu|gov|info|biz|health|clinic|care|example|test|dental|doctor|fitness|yoga|spa|studio|online|"
    "site|shop|store|app|dev|co|io|ai|eu|uk|au|ca|ie|nz|de|fr|nl|ch|sg|za|pk|lk|ae|tv|me|in|us"
)
_EMOJI = (
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
    "[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?"
    "(?:\u200d[\u2190-\u27bf\U0001f000-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?)*"
)


@cache
def abbreviations() -> dict[str, frozenset[str]]:
    """Return the lists of ``data/language/abbreviations.toml``, lower case, without the final full stop."""
    source = files("mdclaims") / "data" / "language" / "abbreviations.toml"
    return {name: frozenset(words) for name, words in tomllib.loads(source.read_text(encoding="utf-8")).items()}


@cache
def token_pattern() -> re.Pattern[str]:
    """Return the pattern that matches one token, white space other than single spaces included."""
    lists = abbreviations()
    own = {word for name in ("never", "may_end", "may_end_before_capital", "addresses") for word in lists[name]}
    abbreviation = "|".join(re.escape(word) for word in sorted(own, key=len, reverse=True))
    tokens = "|".join(
        (
            # most tokens by far: a word with nothing behind it that could belong to it
            r"[^\W\d_]++(?=[\s,;!?)\"”]|\Z)",
            # web and e-mail addresses, without the punctuation behind them. Each can begin only at the left
            # end of a run of its characters: tried from every character, long runs would take quadratic time.
            r"(?i:https?://|www\.)[^\s<>\"”’]*[^\s<>\"”’.,;:!?)\]}'*]",
            r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}(?![\w-])",
            rf"(?<![\w@.-])(?:[a-z0-9][a-z0-9-]*+\.)+(?:{_DOMAINS})(?![\w-])(?:/[^\s<>\"”’]*[^\s<>\"”’.,;:!?)\]}}'*])?",
            r"(?<![\w@.-])(?:[A-Za-z0-9][A-Za-z0-9-]*+\.)+(?i:com|org|net|co\.uk|com\.au|example)(?![\w-])(?:/[^\s<>\"”’]*[^\s<>\"”’.,;:!?)\]}'*])?",
            r"[@#]\w[\w.]*\w",
            # file names
            r"(?<![\w-])[\w-]++\.(?:pdf|docx?|xlsx?|jpe?g|png|zip|html?|php|mp4)(?!\w)",
            # abbreviations with their full stop
            r"(?<![\w.])(?:[A-Za-z]\.){2,}(?![A-Za-z])",
            rf"(?<![\w.’'-])(?i:{abbreviation})\.(?=[^\w]|$)",
            # numbers with their inner signs, ordinals, units that are glued on
            "[0-9#*]\ufe0f?\u20e3",
            r":-?[)(D](?!\w)|;-?\)",
            r"\d++(?:[.,:/]\d++)*+(?:st|nd|rd|th)?(?![^\W\d_])",
            r"\d++(?:[.,:/]\d++)*+",
            r"\.{2,}|…+",
            r"[^\W\d_]+(?:['’][^\W\d_]+)*",
            _EMOJI,
            r"[!?]+",
            r"\w+",
            r"[^\w\s]",
        )
    )
    # Tried first: the commonest kind of token by far, which the first of `tokens` would find as well.
    word = r"[A-Za-z]++(?: |(?=[\s,;!?)\"”]|\Z))"
    # A single space behind a token goes with it; all other white space is a token of its own.
    return re.compile(rf"{word}|\n+|[^\S\n]+|(?:{tokens}) ?")


def words_of(pieces: Sequence[str]) -> list[str]:
    """Return the tokens without the space behind them."""
    return [piece[:-1] if piece[-1] == " " and not piece.isspace() else piece for piece in pieces]


def spaces_behind(words: Sequence[str], pieces: Sequence[str]) -> list[bool]:
    """Return whether a space stands behind each token; `words` are those of `words_of`."""
    return list(map(is_not, words, pieces))


class _Norms(dict[str, int]):
    """The hashes of the NORMs of pieces, computed when first asked for; 0 for white space.

    The same as the NORM of a token in a `Doc`, without a lexeme, whose other attributes nobody reads.
    """

    def __init__(self, vocab: Vocab) -> None:
        super().__init__()
        self._vocab = vocab

    def __missing__(self, piece: str) -> int:
        (word,) = words_of((piece,))
        norm = 0 if word.isspace() else self._vocab.strings.add(self._vocab.lex_attr_getters[NORM](word))  # type: ignore[attr-defined]
        self[piece] = norm
        return norm


class ClaimsTokenizer(DummyTokenizer):
    """Splits text with `token_pattern`; the `Doc` gives the text back character for character."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab
        self.pieces: Callable[[str], list[str]] = token_pattern().findall
        """Returns the tokens of a text, each with the single space behind it: together they are the text."""
        self.norms = _Norms(vocab)
        """The NORM of each piece; see `_Norms`."""

    def __call__(self, text: str) -> Doc:
        """Return the tokens of `text`."""
        pieces = self.pieces(text)
        words = words_of(pieces)
        return Doc(self.vocab, words=words, spaces=spaces_behind(words, pieces))


def tokenizer_of(nlp: Language) -> ClaimsTokenizer:
    """Return the tokenizer of a pipeline that must be ours.

    Raises
    ------
    TypeError
        If it is another.
    """
    if not isinstance(nlp.tokenizer, ClaimsTokenizer):
        raise TypeError(f"the pipeline's tokenizer must be {TOKENIZER_NAME}")
    return nlp.tokenizer


@registry.tokenizers(TOKENIZER_NAME)  # type: ignore[untyped-decorator]
def create_tokenizer() -> Callable[[Language], ClaimsTokenizer]:
    """Return the factory that spaCy calls with the pipeline."""

    def make(nlp: Language) -> ClaimsTokenizer:
        return ClaimsTokenizer(nlp.vocab)

    return make
