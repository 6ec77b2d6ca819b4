"""What a comment of ours on a Word document says of itself, and what people have answered to it.

The Word report ends every comment with the words made here, so that the next reading finds in plain words which
findings it was about: comments pass through Word, LibreOffice and Google Docs, which keep text and author and little
else. An answer "ok: reason", or a comment that is resolved, says that its findings are fine.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from mdclaims.findings.rules import rule_of, rules
from mdclaims.labels import label_info
from mdclaims.language.sentences import Sentence
from mdclaims.reading.page import REVIEWER, Page, Remark, Thread

KEEP = "To keep the words, reply “ok: reason”."
"""The end of every comment of ours."""

LIST_END = "Each review makes this list anew."
"""The end of the comment that lists what has none of its own."""

_OURS = re.compile(rf"reply .{{1,6}}: reason.{{1,3}}$|{re.escape(LIST_END)}$", re.IGNORECASE)
_NAMES = re.compile(r"Found here: (.*)\. To keep the words, reply [^.]*\.$")
_OK = re.compile(r"ok\s*:\s*(.*)", re.IGNORECASE | re.DOTALL)
_RESOLVED = "the comment is resolved"
_LONGEST_REASON = 2_000  # as for directives

PLACES: dict[str, str] = {
    "header": "the header",
    "footer": "the footer",
    "aside": "a note",
    "metadata": "the document’s properties",
    "main": "a text box or drawing",
}
"""Where a sentence stands that Word allows no comment on, by the region of its block."""

_QUOTE_WORDS = 8
_QUOTED = re.compile(rf"It stands in ({'|'.join(map(re.escape, PLACES.values()))}): “([^“”]*)”\.")
_WORD = re.compile(r"\w+")


def is_ours(remark: Remark) -> bool:
    """Return whether a comment is one of ours: by its author, and by the words that end it."""
    return remark.author == REVIEWER and _OURS.search(remark.text) is not None


def is_list(remark: Remark) -> bool:
    """Return whether a comment of ours is the list of what has none of its own."""
    return remark.text.endswith(LIST_END)


# --- which findings a comment is about ------------------------------------------------------------------------------


def name_words(name: str) -> str:
    """Return in plain words what a finding is called in a comment: its label as shown, or the title of its rule."""
    labels = label_info()
    return labels[name].display.lower() if name in labels else f"to check: {rule_of(name).title}"


@cache
def _by_words() -> dict[str, str]:
    names = [*label_info(), *(rule.id for rule in rules() if not rule.needs_label)]
    return {name_words(name).casefold(): name for name in names}


def names_sentence(names: Sequence[str]) -> str:
    """Return the end of a comment: what was found, by its names, and how to say that it is fine."""
    return f"Found here: {'; '.join(map(name_words, names))}. {KEEP}"


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the findings that a comment of ours is about; none if its end was changed."""
    match = _NAMES.search(text)
    parts = match.group(1).split("; ") if match else []
    return tuple(_by_words()[part.casefold()] for part in parts if part.casefold() in _by_words())


def place_sentence(sentence: Sentence) -> str:
    """Return where a sentence stands that Word allows no comment on, with its first words."""
    words = re.sub("[“”]", "", sentence.text).split()
    quote = " ".join(words[:_QUOTE_WORDS]) + (" …" if len(words) > _QUOTE_WORDS else "")
    return f"It stands in {PLACES[_place(sentence)]}: “{quote.rstrip('.')}”."


def _place(sentence: Sentence) -> str:
    return sentence.block.region if sentence.block.region in PLACES else "main"


def _key(text: str) -> tuple[str, ...]:
    """Return what the first words of two equal sentences share, whatever became of marks and spaces."""
    words = re.sub("[“”]", "", text).split()[:_QUOTE_WORDS]
    return tuple(_WORD.findall(" ".join(words).casefold()))


# --- what comments of ours are there --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReviewThread:
    """A comment of ours on a document, with what people made of it.

    Attributes
    ----------
    thread : Thread
    names : tuple of str
        Of the findings that it is about.
    sentences : tuple of int
        Indices of the sentences that it is about now: one, unless equal words stand in several headers or notes.
    answer : str or None
        What people say is fine about it, as the fields of a directive ("reason: ..., owner: ..."); None: nothing.
    who : str
        Who answered, "" if nobody did.
    """

    thread: Thread
    names: tuple[str, ...]
    sentences: tuple[int, ...]
    answer: str | None
    who: str

    @property
    def answered(self) -> bool:
        """True if a person has answered or resolved it, whatever they said: it is not ours to take away."""
        return self.thread.resolved or len(self.thread.remarks) > 1

    @property
    def accepted(self) -> bool:
        """True if somebody gave "ok:" as answer; a resolved comment may only mean that the words were changed."""
        return any(_OK.match(remark.text) for remark in self.thread.remarks[1:])


def review_threads(page: Page, sentences: Sequence[Sentence]) -> tuple[ReviewThread, ...]:
    """Return our comments on a page, each with the sentences that it is about; not the list of what has none."""
    ours = [thread for thread in page.threads if is_ours(thread.remarks[0]) and not is_list(thread.remarks[0])]
    if not ours:
        return ()
    finder = _Finder(page, sentences)
    return tuple(
        ReviewThread(thread, names_in(thread.remarks[0].text), finder.sentences_of(thread), *_answer(thread))
        for thread in ours
    )


def _answer(thread: Thread) -> tuple[str | None, str]:
    """Return what the last answer "ok: ..." says, or else that the comment is resolved; and who says so."""
    found = [(match.group(1), remark.author) for remark in thread.remarks[1:] if (match := _OK.match(remark.text))]
    if not found and not thread.resolved:
        return None, ""
    said, who = found[-1] if found else (_RESOLVED, thread.resolved_by)
    # A name with a comma must not begin a field of the directive.
    owner = f", owner: {' '.join(who.replace(',', ' ').split())}" if who else ""
    return f"reason: {said[:_LONGEST_REASON]}{owner}", who


class _Finder:
    """Finds the sentences that comments are about."""

    def __init__(self, page: Page, sentences: Sequence[Sentence]) -> None:
        self._by_words: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        self._spans: list[tuple[int, int, int]] = []
        for n, sentence in enumerate(sentences):
            self._by_words.setdefault((PLACES[_place(sentence)], _key(sentence.text)), []).append(n)
            span = page.source_cover(sentence.start, sentence.end)
            if span is not None:
                self._spans.append((*span, n))
        self._spans.sort()

    def sentences_of(self, thread: Thread) -> tuple[int, ...]:
        """Return the sentences whose words a comment quotes, or else the one that it stands on.

        It stands on a sentence if at least half of the sentence is in its range, and half of its range in the
        sentence: what is left after small changes on either side.
        """
        quoted = _QUOTED.search(thread.remarks[0].text)
        if quoted:
            words = quoted.group(2).removesuffix("…")
            return tuple(self._by_words.get((quoted.group(1), _key(words)), ()))
        if thread.source_start is None or thread.source_end is None:
            return ()
        start, end = thread.source_start, thread.source_end
        # The sentence in the middle of the range is the only one that can hold half of it.
        at = bisect_right(self._spans, (start + end) // 2, key=lambda span: span[0]) - 1
        if at < 0:
            return ()
        first, last, n = self._spans[at]
        shared = min(end, last) - max(start, first)
        return (n,) if shared > 0 and 2 * shared >= max(last - first, end - start) else ()
