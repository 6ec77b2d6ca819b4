"""What a case keeps of a page that was judged: its sentences, and an exhibit for each finding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urldefrag

from mdclaims.findings.findings import Finding, PageResult

KEPT_SCORE = 0.05
"""Sentences with a score of at least this, or with a finding, are kept with all scores: thresholds can change later."""

# Longer quotes are named by their ends: addresses have limits, and a change in the middle would break the link.
_LONGEST_QUOTE = 200
_END_WORDS = 6
# What a browser does not find on the page, because it is not shown there as text.
_NOT_SHOWN = frozenset({"title", "description", "structured", "alt"})


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
    for finding in result.findings:
        sentence = result.sentences[finding.sentence].sentence
        block = sentence.block
        yield {
            "page": page,
            "sentence": finding.sentence,
            "label": finding.label,
            "score": finding.score,
            "priority": finding.priority,
            "stance": finding.stance,
            "reason": finding.reason,
            "quote": sentence.text,
            "before": _text(result, finding.sentence - 1),
            "after": _text(result, finding.sentence + 1),
            "heading_path": list(block.heading_path),
            "kind": block.kind,
            "region": block.region,
            "hidden": block.hidden,
            "quoted": sentence.quoted,
            "selector": block.selector,
            "printed_page": block.page,
            "start": sentence.start,
            "end": sentence.end,
            "cues": [f"{cue.name}: {cue.text}" for cue in finding.cues],
            "rules": [],
            **_attributes(finding),
            **_qualifier(result, finding),
            "fingerprint": finding.fingerprint,
            "claim": finding.group,
            "link": None
            if address is None
            else address
            if block.hidden or block.kind in _NOT_SHOWN
            else fragment_link(address, sentence.text),
        }


def _text(result: PageResult, number: int) -> str | None:
    return result.sentences[number].sentence.text if 0 <= number < len(result.sentences) else None


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
        "qualifier": _text(result, found.sentence),
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
    return f"{urldefrag(address).url}#:~:text={directive}"


def _encoded(text: str) -> str:
    """Percent-encode what has a meaning of its own in a text directive: comma, hyphen and ampersand among it."""
    return re.sub("-", "%2D", quote(text, safe=""))
