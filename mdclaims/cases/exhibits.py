"""What a case keeps of a page that was judged: its sentences, and an exhibit for each finding."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urldefrag

from mdclaims.findings.findings import Finding, PageResult
from mdclaims.language.sentences import Sentence

KEPT_SCORE = 0.05
"""Sentences with a score of at least this, or with a finding, are kept with all scores: thresholds can change later."""

# Longer quotes are named by their ends: addresses have limits, and a change in the middle would break the link.
_LONGEST_QUOTE = 200
_END_WORDS = 6
# What a browser does not find on the page, because it is not shown there as text.
_NOT_SHOWN = frozenset({"title", "description", "structured", "alt"})


def exhibit_id(address: str, fingerprint: str) -> str:
    """Return the id of an exhibit: the same in a later screening as long as page and claim are.

    It is the first 16 hex digits of the SHA-256 of address, line feed and fingerprint; the view `findings` makes the
    same in SQL. Two captures of one address in a case share their exhibits' ids.

    Parameters
    ----------
    address : str
        Of the page; for a page that came as a file, `file_address`.
    fingerprint : str

    >>> exhibit_id("https://clinic.example/knee", "0011223344556677")
    'aad0f1116189896e'
    """
    return hashlib.sha256(f"{address}\n{fingerprint}".encode()).hexdigest()[:16]


def file_address(file: str) -> str:
    """Return what stands for the address of a page that came as a file: its path below the input.

    >>> file_address("capture-in-may/clinic.example/knee.html")
    'clinic.example/knee.html'
    """
    return file.partition("/")[2] or file


def sentence_rows(page: str, result: PageResult) -> Iterator[dict[str, Any]]:
    """Yield the rows of the sentences that are kept."""
    for n, entry in enumerate(result.sentences):
        if entry.labels or max(entry.scores.values()) >= KEPT_SCORE:
            block = entry.sentence.block
            yield {
                "page": page,
                "sentence": n,
                "text": entry.sentence.text,
                "kind": block.kind,
                "region": block.region,
                "hidden": block.hidden,
                "heading": block.heading_path[-1] if block.heading_path else None,
                **entry.scores,
            }


def finding_rows(page: str, result: PageResult, address: str | None) -> Iterator[dict[str, Any]]:
    """Yield the exhibits of a page's findings; `address` is where it can be opened, if anywhere."""
    sentences = [entry.sentence for entry in result.sentences]
    # A sentence with several labels has a finding for each.
    shared: dict[int, dict[str, Any]] = {}
    for finding in result.findings:
        if finding.sentence not in shared:
            cues = [f"{cue.name}: {cue.text}" for cue in finding.cues]
            shared[finding.sentence] = {**quotation(sentences, finding.sentence, address), "cues": cues}
        yield {
            "page": page,
            "sentence": finding.sentence,
            "label": finding.label,
            "score": finding.score,
            "priority": finding.priority,
            "stance": finding.stance,
            "reason": finding.reason,
            **shared[finding.sentence],
            "rules": [match.id for match in finding.rules],
            **_attributes(finding),
            **_qualifier(result, finding),
            "fingerprint": finding.fingerprint,
            "claim": finding.group,
        }


def quotation(sentences: Sequence[Sentence], number: int, address: str | None) -> dict[str, Any]:
    """Return what an exhibit says of a sentence and its place: all that turns on the page alone and on no model.

    Parameters
    ----------
    sentences : sequence of Sentence
        All of the page.
    number : int
        Which of them.
    address : str or None
        Where the page can be opened, if anywhere.
    """
    sentence = sentences[number]
    block = sentence.block
    return {
        "quote": sentence.text,
        "before": sentences[number - 1].text if number else None,
        "after": sentences[number + 1].text if number + 1 < len(sentences) else None,
        "heading_path": list(block.heading_path),
        "kind": block.kind,
        "region": block.region,
        "hidden": block.hidden,
        "quoted": sentence.quoted,
        "selector": block.selector,
        "printed_page": block.page_at(sentence.start),
        "start": sentence.start,
        "end": sentence.end,
        "link": _link(sentence, address),
    }


def _link(sentence: Sentence, address: str | None) -> str | None:
    if address is None or sentence.block.hidden or sentence.block.kind in _NOT_SHOWN:
        return address
    return fragment_link(address, sentence.text)


def _attributes(finding: Finding) -> dict[str, Any]:
    facts = finding.attributes
    if facts is None:
        return {}
    return {
        "strength": facts.strength,
        "quantified": facts.quantified,
        "sourced": facts.sourced,
        "about": facts.about,
        "testimonial": facts.testimonial,
        "serious": facts.serious,
        "treatments": list(facts.treatments),
        "conditions": list(facts.conditions),
    }


def _qualifier(result: PageResult, finding: Finding) -> dict[str, Any]:
    found = finding.qualifier
    if found is None:
        return {}
    return {
        "qualifier": result.sentences[found.sentence].sentence.text,
        "qualifier_kind": found.kind,
        "qualifier_sentences_away": found.sentences_away,
        "qualifier_blocks_away": found.blocks_away,
        "qualifier_hidden": found.hidden,
    }


def fragment_link(address: str, text: str) -> str:
    """Return an address that opens the page at a text (https://wicg.github.io/scroll-to-text-fragment/).

    >>> fragment_link("https://clinic.example/knee#top", "Fast, lasting relief")
    'https://clinic.example/knee#:~:text=Fast%2C%20lasting%20relief'
    """
    lines = [line for line in text.split("\n") if line.strip()]
    words = text.split()
    if len(text) <= _LONGEST_QUOTE and len(lines) == 1:
        directive = _encoded(" ".join(words))
    elif len(words) > 2 * _END_WORDS:
        # A start lies within one line on the page, and so does an end.
        start, end = lines[0].split()[:_END_WORDS], lines[-1].split()[-_END_WORDS:]
        directive = f"{_encoded(' '.join(start))},{_encoded(' '.join(end))}"
    else:
        first, *others = [" ".join(line.split()) for line in lines]
        directive = ",".join(map(_encoded, [first[:_LONGEST_QUOTE], *others[-1:]]))
    return f"{_without_fragment(address)}#:~:text={directive}"


@lru_cache(maxsize=16)
def _without_fragment(address: str) -> str:
    return urldefrag(address).url


def _encoded(text: str) -> str:
    """Percent-encode what has a meaning of its own in a text directive: comma, hyphen and ampersand among it."""
    return quote(text, safe="").replace("-", "%2D")
