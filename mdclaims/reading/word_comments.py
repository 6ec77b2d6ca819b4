"""Reads the comments of a Word document: who wrote what, on which words, what answers what, and what is resolved.

Comments are no text of the page; they are kept beside it as `Thread`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mdclaims.reading.page import REVIEWER, Remark, Thread, replace_unencodable
from mdclaims.reading.word_package import W, WordPackage

_W14 = "{http://schemas.microsoft.com/office/word/2010/wordml}"
_W15 = "{http://schemas.microsoft.com/office/word/2012/wordml}"
_START, _END, _REFERENCE = f"{W}commentRangeStart", f"{W}commentRangeEnd", f"{W}commentReference"
COMMENT_MARKS = frozenset({_START, _END, _REFERENCE})
"""The elements of the main text that tell where a comment stands."""

_ON = frozenset({"1", "true", "on"})


@dataclass
class Places:
    """Where comments stand, by their ids: offsets into the decoded source."""

    _marks: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, tag: str, name: str, offset: int) -> None:
        """Take in one of the `COMMENT_MARKS` of the comment called `name`; the first of each kind counts."""
        self._marks.setdefault(name, {}).setdefault(tag, offset)

    def of(self, name: str) -> tuple[int, int] | None:
        """Return where a comment stands; one without a range stands in front of its reference, on no words."""
        marks = self._marks.get(name, {})
        end = marks.get(_END, marks.get(_REFERENCE))
        if end is None:
            return None
        return min(marks.get(_START, end), end), end


@dataclass
class _Comment:
    name: str
    remark: Remark
    paragraph: str
    """The id of its last paragraph, by which other parts call it; "" if it has none."""
    place: tuple[int, int] | None
    day: str
    """On which it was written, as 2026-11-23; "" if it does not say."""


def read_threads(package: WordPackage, places: Places) -> list[Thread]:
    """Return the comments of a document with their answers, in the order of the file.

    Word tells what answers what (``commentsExtended``). LibreOffice 7.4 does not, and puts an answer on the very same
    words as the comment, in front of it or behind: what somebody else has put there on the same day or later answers
    a comment of ours.
    """
    comments = [_comment(element, places) for element in _children(package, "comments", f"{W}comment")]
    told = {entry.get(f"{_W15}paraId"): entry for entry in _children(package, "extended", f"{_W15}commentEx")}
    by_paragraph = {comment.paragraph: n for n, comment in enumerate(comments) if comment.paragraph}
    ours = {
        comment.place: n
        for n, comment in enumerate(comments)
        if comment.remark.author == REVIEWER and comment.place is not None
    }
    root: list[int] = []
    for n, comment in enumerate(comments):
        entry = told.get(comment.paragraph) if comment.paragraph else None
        parent = by_paragraph.get(entry.get(f"{_W15}paraIdParent") or "") if entry is not None else None
        if parent is not None and parent < n:  # one that comes later is a broken file
            root.append(root[parent])  # an answer to an answer belongs to the same thread
        elif entry is None and comment.place in ours and comment.day >= comments[ours[comment.place]].day:
            root.append(ours[comment.place] if comment.remark.author != REVIEWER else n)
        else:
            root.append(n)
    members: dict[int, list[int]] = {}
    for n, first in enumerate(root):
        members.setdefault(first, [first]).extend([n] if n != first else [])
    return [_thread([comments[n] for n in thread], told, package.last_editor) for thread in members.values()]


def _children(package: WordPackage, part: str, tag: str) -> list[Any]:
    return list(package.comments[part][1].iterchildren(tag)) if part in package.comments else []


def _comment(element: Any, places: Places) -> _Comment:
    paragraphs = list(element.iter(f"{W}p"))
    text = " ".join("".join(piece.text or "" for piece in paragraph.iter(f"{W}t")) for paragraph in paragraphs)
    name = element.get(f"{W}id") or ""
    return _Comment(
        name=name,
        remark=Remark(_one_line(element.get(f"{W}author") or ""), _one_line(text)),
        paragraph=(paragraphs[-1].get(f"{_W14}paraId") or "") if paragraphs else "",
        place=places.of(name),
        day=(element.get(f"{W}date") or "")[:10],
    )


def _one_line(text: str) -> str:
    return " ".join(replace_unencodable(text).split())


def _thread(comments: list[_Comment], told: dict[Any, Any], last_editor: str) -> Thread:
    first = comments[0]
    entry = told.get(first.paragraph) if first.paragraph else None
    resolved = entry is not None and (entry.get(f"{_W15}done") or "").lower() in _ON
    answered = comments[-1].remark.author if len(comments) > 1 else last_editor
    start, end = first.place or (None, None)
    return Thread(
        ids=tuple(comment.name for comment in comments),
        remarks=tuple(comment.remark for comment in comments),
        resolved=resolved,
        resolved_by=answered if resolved else "",
        source_start=start,
        source_end=end,
    )
