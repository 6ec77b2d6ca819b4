"""The Word report: the author's own document, with a comment on each finding.

A comment says first what to do, in at most 40 words and none of our names for labels and rules. What is only for
information gets none, and no document more than 12 per 1,000 words: the rest stands in one comment at its end. How
comments get into the XML and out of it is `word_markup`'s business; what people answer to them is read in
`findings.review_comments`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mdclaims.errors import ReadError
from mdclaims.findings.findings import Finding, PageResult
from mdclaims.findings.review_comments import (
    LIST_END,
    is_list,
    is_ours,
    name_words,
    names_sentence,
    place_sentence,
    review_threads,
)
from mdclaims.findings.rules import check_line, rule_of
from mdclaims.labels import PRIORITIES
from mdclaims.reading import Limits, read_bytes
from mdclaims.reading.page import REVIEWER, Thread
from mdclaims.reports.report import Report, claims, one_line, quote_words, settings_line
from mdclaims.reports.word_markup import CommentedDocument, NewComment, Paragraph, Words

MOST_WORDS = 40
"""Of a comment; longer ones are not read to their end."""
MOST_COMMENTS = 12
"""For each 1,000 words of the document, and at least one."""

_INITIALS = "md"
_SHOWN = ("high", "normal")
_ROOM = 14  # words that names and place leave for what to do
_QUOTE = 120  # characters of a sentence in the list
# What to do where the lists of wording say nothing; by stance.
_ACTIONS: dict[str | None, str] = {
    "promotes": "Name the source, or say what most patients can expect.",
    "reassures": "Say which side effects happen, and how often.",
    "demeans": "Take these words out, or speak of the person first.",
    "wording": "Speak of the person first, then of the condition.",
    "presses": "Leave the hurry out, or give the terms beside it.",
}
_LOOK = "Look at these words again before they are published."


def render_word(report: Report, data: bytes, *, limits: Limits, everything: bool = False) -> bytes:
    """Return the document that was checked, with a comment on each finding.

    Comments of ours that nobody answered or resolved are taken out first. A finding about which a person has answered
    one gets no second.

    Parameters
    ----------
    report : Report
        Of one page.
    data : bytes
        The file that the page was read from.
    limits : Limits
        As it was read with.
    everything : bool
        Give every finding of priority high and normal a comment, however many there are.

    Raises
    ------
    ReadError
        If `data` is another document than the one that was checked, or has no place for a comment.
    """
    (result,) = report.pages
    if hashlib.sha256(data).hexdigest() != result.page.sha256:
        raise ReadError("was changed while it was checked; check it again")
    document = CommentedDocument(data, limits=limits)
    document.remove(_unanswered(result.page.threads))
    spots = _spots(result, report)
    most = len(spots) if everything else max(_most(result) - _open_threads(result), 0)
    shown, rest = sorted(spots[:most], key=lambda spot: spot.sentence), spots[most:]
    comments = [
        NewComment(anchor, (text,)) for spot in shown for anchor, text in _comments(document, result, report, spot)
    ]
    if rest:
        comments.append(NewComment(document.last_paragraph(), tuple(_list(result, report, rest, bool(shown)))))
    document.add(comments, author=REVIEWER, initials=_INITIALS, day=report.today)
    return document.save()


def take_out(data: bytes, *, limits: Limits) -> bytes:
    """Return a document without our comments, save those that a person has answered or resolved.

    What was reviewed and not edited since is then what it was before: the same XML in every part.

    Raises
    ------
    ReadError
        As `mdclaims.reading.read_bytes` does.
    """
    page = read_bytes(data, source="document", format="docx", limits=limits)
    document = CommentedDocument(data, limits=limits)
    document.remove(_unanswered(page.threads))
    return document.save()


def _unanswered(threads: Sequence[Thread]) -> set[str]:
    """Return the ids of our comments that no person has made theirs."""
    return {
        thread.ids[0]
        for thread in threads
        if is_ours(thread.remarks[0])
        and len(thread.remarks) == 1
        and (not thread.resolved or is_list(thread.remarks[0]))
    }


# --- which sentences get a comment ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Spot:
    """A sentence, by its index, with its findings that a comment is to tell, the strongest first."""

    sentence: int
    findings: tuple[Finding, ...]


def _spots(result: PageResult, report: Report) -> list[_Spot]:
    """Return the sentences to comment on, the strongest first: a claim before its repetitions, as in every report."""
    threads = review_threads(result.page, [entry.sentence for entry in result.sentences])
    told = {(name, n) for entry in threads if entry.answered for name in entry.names for n in entry.sentences}
    ranks: dict[int, tuple[int, bool, int]] = {}
    for claim in claims(result, report.thresholds, today=report.today):
        for place, n in enumerate(claim.findings):
            ranks[n] = PRIORITIES.index(result.findings[n].priority), place > 0, claim.number
    members: dict[int, list[int]] = {}
    for n in sorted(ranks, key=ranks.__getitem__):
        finding = result.findings[n]
        is_new = finding.suppressed is None and (finding.name, finding.sentence) not in told
        if is_new and finding.priority in _SHOWN:
            members.setdefault(finding.sentence, []).append(n)
    return [_Spot(sentence, tuple(result.findings[n] for n in numbers)) for sentence, numbers in members.items()]


def _most(result: PageResult) -> int:
    return max(len(result.page.text.split()) * MOST_COMMENTS // 1000, 1)


def _open_threads(result: PageResult) -> int:
    """Return how many comments of ours stay because somebody answered something else than "ok"."""
    threads = review_threads(result.page, [entry.sentence for entry in result.sentences])
    return sum(entry.answered and entry.answer is None for entry in threads)


# --- what a comment says --------------------------------------------------------------------------------------------


def _comments(
    document: CommentedDocument, result: PageResult, report: Report, spot: _Spot
) -> Iterator[tuple[Words | Paragraph, str]]:
    """Yield the comments of a sentence, with where they stand: one, unless its names alone are too many words."""
    anchor, place = _anchor(document, result, spot.sentence)
    findings = list(spot.findings)
    while findings:
        taken = 1
        while taken < len(findings) and _count(place, _names(findings[: taken + 1])) <= MOST_WORDS - _ROOM:
            taken += 1
        yield anchor, _text(findings[:taken], place, report)
        findings = findings[taken:]


def _anchor(document: CommentedDocument, result: PageResult, sentence: int) -> tuple[Words | Paragraph, str]:
    """Return where the comment on a sentence stands, and where the sentence does if that is elsewhere, else ""."""
    spoken = result.sentences[sentence].sentence
    span = result.page.source_cover(spoken.start, spoken.end)
    if span is not None and document.in_main_text(*span):
        return Words(*span), ""
    paragraph = None if span is None else document.paragraph_beside(span[0])
    return paragraph or _nearest(document, result, sentence), place_sentence(spoken)


def _nearest(document: CommentedDocument, result: PageResult, sentence: int) -> Paragraph:
    """Return the paragraph of the main text that stands nearest before a sentence, or else behind it."""
    for n in (*range(sentence - 1, -1, -1), *range(sentence + 1, len(result.sentences))):
        other = result.sentences[n].sentence
        span = result.page.source_cover(other.start, other.end)
        found = document.paragraph_beside(span[0]) if span and document.in_main_text(*span) else None
        if found is not None:
            return found
    return document.last_paragraph()


def _names(findings: Sequence[Finding]) -> str:
    return names_sentence(list(dict.fromkeys(finding.name for finding in findings)))


def _count(*texts: str) -> int:
    return sum(len(text.split()) for text in texts)


def _text(findings: Sequence[Finding], place: str, report: Report) -> str:
    """Return a comment: what to do, then why and what it may touch as far as there is room, the place, the names."""
    names = _names(findings)
    room = MOST_WORDS - _count(place, names)
    action = next((words for words in _actions(findings[0]) if _count(words) <= room), "")
    if not action:
        action = " ".join(_LOOK.split()[: max(room, 1)])
    parts = [action]
    for words in (*_provisions(findings, report), f"Why: {one_line(findings[0].reason)}."):
        if _count(*parts, words) <= room:
            parts.append(words)
    return " ".join([*parts, *([place] if place else []), names])


def _actions(finding: Finding) -> Iterator[str]:
    """Yield what to do about a finding, the fullest wording first."""
    for suggestion in finding.suggestions:
        if suggestion.replacement is not None:
            yield f"Write “{one_line(suggestion.replacement)}” in place of “{one_line(suggestion.text)}”."
        advice = one_line(suggestion.advice)
        if suggestion.guide is not None:
            yield advice
        else:
            yield from (_asked(words) for words in (advice, _first_sentence(advice)))
    if finding.label is None:
        check = one_line(rule_of(finding.name).check)
        yield from (_asked(words) for words in (check, _first_sentence(check)))
    yield _ACTIONS.get(finding.stance, _LOOK)


def _asked(question: str) -> str:
    first = question[:1].lower() if question[1:2].islower() else question[:1]
    return f"Check this: {first}{question[1:]}"


def _first_sentence(text: str) -> str:
    ends = [at for mark in ("? ", ". ", ": ") if (at := text.find(mark)) >= 0]
    return text[: min(ends) + 1].replace(":", ".") if ends else text


def _provisions(findings: Sequence[Finding], report: Report) -> tuple[str, ...]:
    """Return the provisions that findings may touch, each once, by what people call them."""
    lines = dict.fromkeys(
        check_line(rule_of(match.id), report.today) for finding in findings for match in finding.rules
    )
    return tuple(f"{line[:1].upper()}{line[1:]}." for line in lines)


def _list(result: PageResult, report: Report, rest: Sequence[_Spot], more: bool) -> Iterator[str]:
    """Yield the paragraphs of the comment that lists what has none of its own."""
    number = len(rest)
    these = f"{'this sentence' if number == 1 else f'these {number:,} sentences'}{' too' if more else ''}"
    yield f"Look at {these}: a review has at most {MOST_COMMENTS} comments for each 1,000 words, and --all lifts that."
    for spot in rest:
        sentence = result.sentences[spot.sentence].sentence
        names = dict.fromkeys(finding.name for finding in spot.findings)
        yield f"{quote_words(sentence, _QUOTE)}: {'; '.join(map(name_words, names))}."
    yield f"{settings_line(report.settings)} {LIST_END}"
