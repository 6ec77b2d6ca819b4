"""What changed between two versions of a document, sentence by sentence: new, reworded, gone.

Sentences are compared by their text, wherever they stand, so that moving and re-wrapping are no change and two
formats can be compared.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace

from mdclaims.findings.findings import Changes, GoneSentence, PageResult, RewordedSentence, fold
from mdclaims.findings.similarity import pairs

# Dashes and hyphens that one format writes and another does not.
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")


def only_changes(new: PageResult, old: PageResult | None, *, since: str) -> PageResult:
    """Return `new` with labels and findings only where its sentences are new or reworded, and what is gone.

    Parameters
    ----------
    new : PageResult
    old : PageResult or None
        The version before; None if there was none, so that everything is new.
    since : str
        What the old version is called: a revision or a file.
    """
    before = [comparable(entry.sentence.text) for entry in old.sentences] if old else []
    left = Counter(before)
    added: list[int] = []
    for n, entry in enumerate(new.sentences):
        key = comparable(entry.sentence.text)
        if left[key]:
            left[key] -= 1
        else:
            added.append(n)
    # Of equal sentences the last are taken to be gone: which of them it was cannot be told.
    lost: list[int] = []
    for n in range(len(before) - 1, -1, -1):
        if left[before[n]]:
            left[before[n]] -= 1
            lost.append(n)
    lost.reverse()
    reworded = _pair(new, added, old, lost)
    changed = set(added)
    sentences = tuple(entry if n in changed else entry._replace(labels=()) for n, entry in enumerate(new.sentences))
    kept = set(reworded.values())
    gone = [old.sentences[n] for n in lost if n not in kept] if old else []
    return replace(
        new,
        sentences=sentences,
        findings=tuple(finding for finding in new.findings if finding.sentence in changed),
        changes=Changes(
            since=since,
            new=tuple(n for n in added if n not in reworded),
            reworded=tuple(
                RewordedSentence(n, old.sentences[reworded[n]].sentence.text) for n in added if old and n in reworded
            ),
            gone=tuple(GoneSentence(entry.sentence.text, entry.labels) for entry in gone),
        ),
    )


def _pair(new: PageResult, added: list[int], old: PageResult | None, lost: list[int]) -> dict[int, int]:
    """Return for each sentence that was reworded its number before; every old sentence is used once."""
    if old is None:
        return {}
    texts = [[result.sentences[n].sentence.text for n in numbers] for result, numbers in ((old, lost), (new, added))]
    return {added[after]: lost[before] for before, after in pairs(*texts).items()}


def comparable(text: str) -> str:
    """Return what two sentences share that differ in nothing a reader would call a change.

    Case, white space, dashes, quotation marks and compatible characters (a ligature and its letters) are no change.
    """
    return fold(unicodedata.normalize("NFKC", text)).translate(_DASHES)
