"""Finds cues: phrases from the lists in ``data/cues/*.toml``.

A list is data: what it is about, its phrases, examples that must fire and examples that must not (run as
tests), and optionally the label for which its phrases are keywords. In a phrase, ``(a|b|)`` stands for its
alternatives, so that inflections are written out where a reader of the data sees them; they are expanded
when the lists are loaded. Phrases are compared by NORM (lower case, straight apostrophes).
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.language import Language
from spacy.tokens import Doc

from mdclaims.labels import LABELS
from mdclaims.language.hashing import Hashes, WordRows, mix, norms_of

_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_KEYS = {"about", "label", "phrases", "fires", "silent"}
_SIEVE_BITS = 20
_SIEVE_SHIFT = np.uint64(64 - _SIEVE_BITS)


@dataclass(frozen=True, slots=True)
class CueList:
    """One list of phrases.

    Attributes
    ----------
    name : str
        Unique over all files.
    about : str
        What its phrases have in common, one sentence.
    label : str or None
        The label that a keyword reader would give a sentence with one of its phrases.
    phrases : tuple of str
        With alternatives expanded.
    fires, silent : tuple of str
        Sentences in which it must, and must not, find a cue.
    """

    name: str
    about: str
    label: str | None
    phrases: tuple[str, ...]
    fires: tuple[str, ...]
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase found in a text.

    Attributes
    ----------
    name : str
        The list's name.
    start, end : int
        Half-open code-point offsets into the text that was searched.
    text : str
    """

    name: str
    start: int
    end: int
    text: str


def expand(phrase: str) -> list[str]:
    """Return what a phrase with ``(a|b|)`` alternatives stands for.

    >>> expand("eas(e|es) pain")
    ['ease pain', 'eases pain']
    """
    parts = _ALTERNATIVES.split(phrase)
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(parts)]
    return [" ".join("".join(choice).split()) for choice in itertools.product(*choices)]


@cache
def cue_lists() -> tuple[CueList, ...]:
    """Return all lists, sorted by name.

    Raises
    ------
    ValueError
        If a list has an unknown key or label, a name twice, or lacks phrases or examples.
    """
    found: dict[str, CueList] = {}
    folder = files("mdclaims") / "data" / "cues"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".toml"):
            continue
        for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            where = f"{file.name}: [{name}]"
            unknown = set(entry) - _KEYS
            if unknown:
                raise ValueError(f"{where} has unknown keys: {', '.join(sorted(unknown))}")
            if name in found:
                raise ValueError(f"{where} stands in two files")
            if entry.get("label") not in (None, *LABELS):
                raise ValueError(f"{where} has an unknown label {entry['label']!r}")
            lacking = [key for key in ("about", "phrases", "fires", "silent") if not entry.get(key)]
            if lacking:
                raise ValueError(f"{where} lacks {', '.join(lacking)}")
            phrases = dict.fromkeys(text for phrase in entry["phrases"] for text in expand(phrase))
            found[name] = CueList(
                name=name,
                about=entry["about"],
                label=entry.get("label"),
                phrases=tuple(phrases),
                fires=tuple(entry["fires"]),
                silent=tuple(entry["silent"]),
            )
    return tuple(found[name] for name in sorted(found))


class CueMatcher:
    """Finds the phrases of all cue lists in tokenised text.

    A phrase is looked up by the hash of its words, all texts of a batch at once. Hyphens are passed over in
    phrases and texts alike: "drug free" is found in "drug-free" too.
    """

    def __init__(self, nlp: Language) -> None:
        self.lists = cue_lists()
        self.names = tuple(entry.name for entry in self.lists)
        self._hyphen = np.uint64(nlp.vocab.strings["-"])
        columns = np.array([column for column, entry in enumerate(self.lists) for _ in entry.phrases])
        # All phrases as the lines of one text, and all at once: one by one they would take seconds.
        norms = norms_of(nlp.make_doc("\n".join(phrase for entry in self.lists for phrase in entry.phrases)))
        breaks = norms == np.uint64(nlp.vocab.strings["\n"])
        words = np.flatnonzero(~breaks & (norms != self._hyphen))
        lines = WordRows(norms[words], np.cumsum(breaks)[words], len(columns))
        lengths = np.bincount(lines.owner, minlength=lines.count)
        self._tables: list[_PhraseTable] = []
        for order in np.unique(lengths):
            hashes, starts = lines.ngrams(int(order))
            whole = lengths[lines.owner[starts]] == order
            phrases = columns[lines.owner[starts][whole]]
            self._tables.append(_PhraseTable.of(int(order), hashes[whole], phrases, len(self.lists)))

    def counts(self, texts: WordRows) -> npt.NDArray[np.float32]:
        """Return how often each list fires in each text: shape (texts.count, len(names))."""
        total = np.zeros((texts.count, len(self.names)), np.float32)
        rows, _ = self._without_hyphens(texts)
        for table in self._tables:
            phrases, starts = table.find(rows)
            hits = np.cumsum(np.bincount(rows.owner[starts] + 1, minlength=rows.count + 1))
            found = sparse.csr_matrix(
                (np.ones(len(starts), np.float32), phrases, hits), shape=(rows.count, len(table.keys))
            )
            total += found @ table.columns
        return total

    def matches(self, doc: Doc) -> Iterator[tuple[int, int, int]]:
        """Yield every match, overlapping ones too: index into `names`, first token, token behind the last.

        The longest come first, and of one length the leftmost.
        """
        rows, places = self._without_hyphens(WordRows.of([norms_of(doc)]))
        for table in reversed(self._tables):
            for phrase, start in zip(*table.find(rows), strict=True):
                first, last = int(places[start]), int(places[start + table.order - 1])
                for column in np.flatnonzero(table.columns[phrase]):
                    yield int(column), first, last + 1

    def find(self, doc: Doc) -> list[Cue]:
        """Return the cues of `doc` by position; of overlapping matches of one list only the longest."""
        taken: dict[int, set[int]] = {}
        cues: list[Cue] = []
        for column, start, end in self.matches(doc):
            used = taken.setdefault(column, set())
            if used.isdisjoint(range(start, end)):
                used.update(range(start, end))
                span = doc[start:end]
                cues.append(Cue(self.names[column], span.start_char, span.end_char, span.text))
        return sorted(cues, key=lambda cue: (cue.start, cue.end, cue.name))

    def _without_hyphens(self, rows: WordRows) -> tuple[WordRows, npt.NDArray[np.int64]]:
        """Return `rows` without hyphens, and the places of the words that are left."""
        places: npt.NDArray[np.int64] = np.flatnonzero(rows.words != self._hyphen)
        return WordRows(rows.words[places], rows.owner[places], rows.count), places


@dataclass(frozen=True, slots=True)
class _PhraseTable:
    """All phrases of one length.

    Attributes
    ----------
    order : int
        Words in a phrase.
    keys : array of uint64
        Hashes of the phrases, rising.
    columns : array of float32
        *Shape: (phrases, lists)* 1 where the phrase belongs to the list.
    sieve : array of bool
        By the top bits of a hash, whether any phrase has them: most n-grams of a text end here.
    """

    order: int
    keys: Hashes
    columns: npt.NDArray[np.float32]
    sieve: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, order: int, hashes: Hashes, columns: npt.NDArray[np.int64], lists: int) -> _PhraseTable:
        """Make the table of phrases with these hashes, each of the list in the same place of `columns`."""
        keys, rows = np.unique(hashes, return_inverse=True)
        table = np.zeros((len(keys), lists), np.float32)
        table[rows, columns] = 1
        sieve = np.zeros(1 << _SIEVE_BITS, dtype=bool)
        sieve[mix(keys) >> _SIEVE_SHIFT] = True
        return cls(order, keys, table, sieve)

    def find(self, rows: WordRows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the row in `keys` of each phrase found, and the index of its first word."""
        hashes, starts = rows.ngrams(self.order)
        sifted = np.flatnonzero(self.sieve[mix(hashes) >> _SIEVE_SHIFT])
        hashes, starts = hashes[sifted], starts[sifted]
        at = np.minimum(np.searchsorted(self.keys, hashes), len(self.keys) - 1)
        found = self.keys[at] == hashes
        return at[found], starts[found]


class KeywordBaseline:
    """The keyword reader that every evaluation shows beside the model: a label for each phrase of its lists."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self._matcher = CueMatcher(nlp)
        self._label = [LABELS.index(entry.label) if entry.label else None for entry in self._matcher.lists]

    def predict(self, texts: Sequence[str]) -> list[set[int]]:
        """Return for each text the columns of `LABELS` whose keywords it has."""
        return [
            {label for column in np.flatnonzero(counts) if (label := self._label[column]) is not None}
            for counts in self._matcher.counts(WordRows.of([norms_of(self._nlp.make_doc(text)) for text in texts]))
        ]
