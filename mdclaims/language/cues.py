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
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc

from mdclaims.labels import LABELS

_ALTERNATIVES = re.compile(r"\(([^()]*)\)")
_KEYS = {"about", "label", "phrases", "fires", "silent"}


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
    """Finds the phrases of all cue lists in tokenised text."""

    def __init__(self, nlp: Language) -> None:
        self.lists = cue_lists()
        self.names = tuple(entry.name for entry in self.lists)
        self._column = {nlp.vocab.strings.add(name): n for n, name in enumerate(self.names)}
        self._matcher = PhraseMatcher(nlp.vocab, attr="NORM")
        for entry in self.lists:
            # The tokenizer splits hyphens, so "drug free" and "drug-free" are different token rows; both are found.
            spellings = dict.fromkeys(
                text for phrase in entry.phrases for text in (phrase, phrase.replace("-", " ")) if text.strip()
            )
            self._matcher.add(entry.name, [nlp.make_doc(text) for text in spellings])

    def columns(self, doc: Doc) -> list[int]:
        """Return the index into `names` of every match in `doc`, in no particular order."""
        return [self._column[key] for key, _, _ in self._matcher(doc)]

    def find(self, doc: Doc) -> list[Cue]:
        """Return the cues of `doc` by position; of overlapping matches of one list only the longest."""
        matches = sorted(self._matcher(doc), key=lambda match: (match[1] - match[2], match[1]))
        taken: dict[int, set[int]] = {}
        cues: list[Cue] = []
        for key, start, end in matches:
            used = taken.setdefault(key, set())
            if used.isdisjoint(range(start, end)):
                used.update(range(start, end))
                span = doc[start:end]
                cues.append(Cue(self.names[self._column[key]], span.start_char, span.end_char, span.text))
        return sorted(cues, key=lambda cue: (cue.start, cue.end, cue.name))


class KeywordBaseline:
    """The keyword reader that every evaluation shows beside the model: a label for each phrase of its lists."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self._matcher = CueMatcher(nlp)
        self._label = [LABELS.index(entry.label) if entry.label else None for entry in self._matcher.lists]

    def predict(self, texts: Sequence[str]) -> list[set[int]]:
        """Return for each text the columns of `LABELS` whose keywords it has."""
        found: list[set[int]] = []
        for text in texts:
            columns = self._matcher.columns(self._nlp.make_doc(text))
            found.append({label for column in columns if (label := self._label[column]) is not None})
        return found
