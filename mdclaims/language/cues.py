"""Finds cues: phrases from the lists in ``data/cues/*.toml``.

A list is data: what it is about, its phrases, examples that must fire and examples that must not (run as
tests), and optionally the label for which its phrases are keywords. In a phrase, ``(a|b|)`` stands for its
alternatives, so that inflections are written out where a reader of the data sees them; they are expanded
when the lists are loaded. Phrases are compared by NORM (lower case, straight apostrophes).
"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from spacy.language import Language
from spacy.tokens import Doc

from mdclaims.config import read_toml
from mdclaims.errors import UsageError
from mdclaims.labels import LABELS
from mdclaims.language.hashing import Lines, WordRows
from mdclaims.language.pipeline import shared_pipeline

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
    file : str
        The shipped file that holds it; "" for any other list.
    """

    name: str
    about: str
    label: str | None
    phrases: tuple[str, ...]
    fires: tuple[str, ...]
    silent: tuple[str, ...]
    file: str = ""


class Cue(NamedTuple):
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


@dataclass(frozen=True, slots=True)
class Matches:
    """Phrases found in several texts.

    Attributes
    ----------
    lists : array of int32
        The list of each, by its index into `CueMatcher.names`.
    starts, ends : array of int64
        The words of each, half-open places in the `WordRows` of the texts.
    """

    lists: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def expand(phrase: str) -> list[str]:
    """Return what a phrase with ``(a|b|)`` alternatives stands for.

    >>> expand("eas(e|es) pain")
    ['ease pain', 'eases pain']
    """
    parts = _ALTERNATIVES.split(phrase)
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(parts)]
    return [" ".join("".join(choice).split()) for choice in itertools.product(*choices)]


def choices(phrase: str) -> int:
    """Return how many phrases `expand` would make of one: "(a|b)(a|b)(a|b)" doubles with every pair."""
    return math.prod(part.count("|") + 1 for part in _ALTERNATIVES.findall(phrase))


@cache
def cue_lists() -> tuple[CueList, ...]:
    """Return all lists, sorted by name.

    Raises
    ------
    ValueError
        See `read_lists`.
    """
    folder = files("mdclaims") / "data" / "cues"
    return read_lists([file for file in folder.iterdir() if file.name.endswith(".toml")])


def read_lists(paths: Iterable[Traversable]) -> tuple[CueList, ...]:
    """Return the lists of these files, sorted by name.

    Raises
    ------
    ValueError
        If a list has an unknown key or label, a name twice, or lacks phrases or examples.
    """
    found: dict[str, CueList] = {}
    for file in sorted(paths, key=lambda entry: entry.name):
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
                file=file.name,
            )
    return tuple(found[name] for name in sorted(found))


# Of a user's lists, so that none takes long to read.
_MOST_PHRASES = 20_000
_MOST_ALTERNATIVES = 1_000
_LONGEST_PHRASE = 200


def own_matcher(paths: tuple[Path, ...]) -> CueMatcher:
    """Return the matcher of a user's own lists, for the pipeline of this process.

    The lists have the form of the shipped ones, but need no examples; the examples that they give must hold.

    Raises
    ------
    UsageError
        If a file cannot be read or breaks the format, or an example does not hold; it names file and list.
    """
    lists: dict[str, CueList] = {}
    shipped = {entry.name for entry in cue_lists()}
    for path in paths:
        for name, entry in read_toml(path, what="cue lists").items():
            where = f"cue lists {path}: [{name[:60]}]"
            if name in shipped or name in lists:
                raise UsageError(f"{where} has the name of another list; choose a name of its own")
            lists[name] = _own_list(name, entry, where)
            if sum(len(entry.phrases) for entry in lists.values()) > _MOST_PHRASES:
                raise UsageError(f"{where}: more than {_MOST_PHRASES:,} phrases in all; use fewer")
    if not lists:
        raise UsageError(f"cue lists {paths[0]} holds no list; begin one with a line such as [our_devices]")
    matcher = CueMatcher(shared_pipeline(), tuple(lists.values()))
    for entry in lists.values():
        for text, wanted in ((text, text in entry.fires) for text in (*entry.fires, *entry.silent)):
            fires = any(cue.name == entry.name for cue in matcher.find(shared_pipeline().make_doc(text)))
            if fires is not wanted:
                said = "does not fire" if wanted else "is not silent"
                raise UsageError(f"cue list [{entry.name}]: its example {text[:80]!r} {said}; mend phrases or example")
    return matcher


def _own_list(name: str, entry: object, where: str) -> CueList:
    if not isinstance(entry, dict):
        raise UsageError(f"{where} must be a table with about and phrases")
    for key in entry:
        if key not in _KEYS:
            raise UsageError(f"{where} has the unknown key {key[:60]!r}; known are {', '.join(sorted(_KEYS))}")
    if not isinstance(entry.get("about"), str):
        raise UsageError(f"{where}: about must say in one sentence what the phrases have in common")
    if entry.get("label") not in (None, *LABELS):
        raise UsageError(f"{where}: label must be one of {', '.join(LABELS)}")
    for key in ("phrases", "fires", "silent"):
        texts = entry.get(key, [])
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UsageError(f"{where}: {key} must be a list of texts")
    phrases: dict[str, None] = {}
    for phrase in entry.get("phrases", []):
        if len(phrase) > _LONGEST_PHRASE or choices(phrase) > _MOST_ALTERNATIVES:
            raise UsageError(
                f"{where}: a phrase may have {_LONGEST_PHRASE} characters and stand for {_MOST_ALTERNATIVES:,} others, "
                f"unlike {phrase[:60]!r}"
            )
        for text in expand(phrase):
            if not any(map(str.isalnum, text)):
                raise UsageError(f"{where}: the phrase {phrase[:60]!r} has no word")
            phrases[text.lower()] = None
    if not phrases:
        raise UsageError(f"{where} lacks phrases")
    return CueList(
        name=name,
        about=entry["about"],
        label=entry.get("label"),
        phrases=tuple(phrases),
        fires=tuple(entry.get("fires", [])),
        silent=tuple(entry.get("silent", [])),
    )


class CueMatcher:
    """Finds the phrases of cue lists in tokenised text: of the shipped ones, unless others are given.

    A phrase is looked up by the hash of its words, all texts of a batch at once. Hyphens are passed over in
    phrases and texts alike: "drug free" is found in "drug-free" too.

    Attributes
    ----------
    lists : tuple of CueList
    names : tuple of str
        Of the lists, in the same order.
    families : array of float32
        *Shape: (lists, labels)* 1 where a list's phrases are keywords of the label.
    """

    def __init__(self, nlp: Language, lists: tuple[CueList, ...] | None = None) -> None:
        self.lists = cue_lists() if lists is None else lists
        self.names = tuple(entry.name for entry in self.lists)
        self.families = np.array([[entry.label == label for label in LABELS] for entry in self.lists], np.float32)
        self._hyphen = np.uint64(nlp.vocab.strings["-"])
        list_of = np.array([number for number, entry in enumerate(self.lists) for _ in entry.phrases])
        read = WordRows.read(nlp, [phrase for entry in self.lists for phrase in entry.phrases])
        phrases, _ = self._without_hyphens(read)
        lengths = phrases.lengths
        self._longest = int(lengths.max())
        hashes = np.zeros(len(list_of), np.uint64)
        for order, grams, starts in phrases.ngrams(self._longest):
            whole = lengths[phrases.owner[starts]] == order
            hashes[phrases.owner[starts][whole]] = grams[whole]
        # Two phrases may have the same words ("50%" and "20%"), in one list or in several.
        self._keys, row = np.unique(hashes, return_inverse=True)
        pairs = np.unique(np.column_stack([row, list_of]), axis=0)
        self._lists_of = sparse.csr_matrix(
            (np.ones(len(pairs), np.float32), (pairs[:, 0], pairs[:, 1])), shape=(len(self._keys), len(self.lists))
        )
        # By the top bits of a hash, whether any phrase has them: most n-grams of a text end here.
        self._sieve = np.zeros(1 << _SIEVE_BITS, dtype=bool)
        self._sieve[self._keys >> _SIEVE_SHIFT] = True

    def counts(self, texts: WordRows) -> sparse.csr_matrix:
        """Return how often each list fires in each text: shape (texts.count, len(names)), float32."""
        rows, _ = self._without_hyphens(texts)
        found = [(phrases, rows.owner[starts]) for _, phrases, starts in self._find(rows)]
        phrases, owners = (np.concatenate(parts) for parts in zip(*found, strict=True))
        by_text = np.argsort(owners, kind="stable")
        indptr = np.concatenate([[0], np.cumsum(np.bincount(owners, minlength=rows.count))])
        hits = sparse.csr_matrix(
            (np.ones(len(phrases), np.float32), phrases[by_text], indptr), shape=(rows.count, len(self._keys))
        )
        return hits @ self._lists_of

    def matches(self, texts: WordRows) -> Matches:
        """Return every match, overlapping ones too; the longest come first, and of one length the leftmost."""
        rows, places = self._without_hyphens(texts)
        found = [
            (phrases, places[starts], places[starts + order - 1] + 1) for order, phrases, starts in self._find(rows)
        ]
        phrases, starts, ends = (np.concatenate(parts) for parts in zip(*reversed(found), strict=True))
        lists = self._lists_of[phrases]
        each = np.diff(lists.indptr)
        return Matches(lists.indices, np.repeat(starts, each), np.repeat(ends, each))

    def find(self, doc: Doc) -> list[Cue]:
        """Return the cues of `doc` by position; of overlapping matches of one list only the longest."""
        lines = Lines.of(doc)
        return next((cues for _, cues in self.find_lines(lines)), [])

    def find_lines(self, lines: Lines) -> Iterator[tuple[str, list[Cue]]]:
        """Yield each text with its cues, the same as `find` gives for the text alone."""
        matches = _longest_of_each(self.matches(lines.rows), len(lines.rows.words))
        owners = lines.rows.owner[matches.starts].tolist()
        starts, ends = lines.starts[matches.starts].tolist(), lines.ends[matches.ends - 1].tolist()
        found: list[list[Cue]] = [[] for _ in lines.texts]
        for number, owner, start, end in zip(matches.lists.tolist(), owners, starts, ends, strict=True):
            found[owner].append(Cue(self.names[number], start, end, lines.texts[owner][start:end]))
        for cues in found:
            cues.sort(key=_position)
        yield from zip(lines.texts, found, strict=True)

    def _find(self, rows: WordRows) -> Iterator[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """Yield order, places in `_keys` and first words of the phrases found, for orders 1 to the longest."""
        for order, hashes, starts in rows.ngrams(self._longest):
            sifted = np.flatnonzero(self._sieve[hashes >> _SIEVE_SHIFT])
            hashes, starts = hashes[sifted], starts[sifted]
            at = np.minimum(np.searchsorted(self._keys, hashes), len(self._keys) - 1)
            found = self._keys[at] == hashes
            yield order, at[found], starts[found]

    def _without_hyphens(self, rows: WordRows) -> tuple[WordRows, npt.NDArray[np.int64]]:
        """Return `rows` without hyphens, and the places of the words that are left."""
        places: npt.NDArray[np.int64] = np.flatnonzero(rows.words != self._hyphen)
        return WordRows(rows.words[places], rows.owner[places], rows.count), places


def _longest_of_each(matches: Matches, words: int) -> Matches:
    """Return the matches, longest first, without those that overlap a kept one of their list."""
    # Each list has as many places as there are words.
    shift = matches.lists.astype(np.int64) * words
    taken: set[int] = set()
    kept: list[int] = []
    for number, (start, end) in enumerate(
        zip((shift + matches.starts).tolist(), (shift + matches.ends).tolist(), strict=True)
    ):
        places = range(start, end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append(number)
    return Matches(matches.lists[kept], matches.starts[kept], matches.ends[kept])


def _position(cue: Cue) -> tuple[int, int, str]:
    return cue.start, cue.end, cue.name


@cache
def shared_matcher() -> CueMatcher:
    """Return the matcher of this process, for the pipeline of this process."""
    return CueMatcher(shared_pipeline())


def keyword_labels(texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Label texts as a keyword reader would, the baseline of every evaluation: by each phrase of the labels' lists.

    Returns
    -------
    array of bool
        *Shape: (len(texts), labels)*
    """
    matcher = shared_matcher()
    return np.asarray(matcher.counts(WordRows.read(shared_pipeline(), texts)) @ matcher.families > 0)
