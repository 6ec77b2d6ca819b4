"""Splits the text of one block into sentences, and says what the model sees of a sentence.

The splitter looks at each mark that can end a sentence and at what stands around it; what is an
abbreviation is data (``data/language/abbreviations.toml``). It works on the tokens of one block, so it can
never join two blocks; it never looks at labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from spacy.language import Language

from mdclaims.language.tokenizer import abbreviations, spaces_behind, tokenizer_of, words_of
from mdclaims.reading.page import Block, Page

_ENDERS = re.compile(r"[.!?…]+")
_SUPERSCRIPTS = "¹²³⁴⁵⁶⁷⁸⁹⁰"
# What belongs to the sentence before it: closing quotes and brackets, footnote marks.
_CLOSERS = frozenset("\"'”’»)]}*†‡§®™" + _SUPERSCRIPTS)
_OPENERS = frozenset("\"'“‘«([{¿¡")
# What never begins a sentence: separators, joiners, closing brackets.
_NOT_FIRST = frozenset("-–—,;:+/|=•·)]}»”’")
_CHECK_MARKS = frozenset("☑✓✔✅➤►▶✗✘❌")
_ITEM_MARKS = frozenset("•●○▪■◦‣★⭐▸❖◆♦") | _CHECK_MARKS
# Emoji that close a sentence rather than head an item: faces, hearts, hands, celebration, weather.
_EXPRESSIVE = re.compile(
    "[\u2600\u2639\u263a\u2764\u2665\U0001f31e\U0001f389\U0001f38a\U0001f44b-\U0001f450\U0001f493-\U0001f49f"
    "\U0001f600-\U0001f64f\U0001f90d\U0001f90e\U0001f910-\U0001f917\U0001f91d-\U0001f92f\U0001f970-\U0001f97a\U0001f9e1]"
)
_SMILEYS = frozenset({":)", ":-)", ";)", ";-)", ":D", ":("})
_EMOJI_START = re.compile("[\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]")
_LIST_NUMBER = re.compile(r"[IVX]{1,5}|[Qq]\d{1,2}")
_NUMBERED = frozenset(
    {"step", "phase", "stage", "question", "day", "week", "tip", "reason", "myth", "fact", "q", "part"}
)
# Words before which a pictogram stands inside the sentence: "Call 📞 01632 960 771".
_BEFORE_NUMBER = frozenset({"call", "phone", "ring", "text", "tel", "on", "at", "dial", "whatsapp"})
# Capitalised, these are as often names as first words ("J. Will", "K. May").
_STARTERS_AND_NAMES = frozenset({"Will", "May", "Bring", "Grant", "Rose"})
_LOWER_STARTERS = frozenset(
    "we our you your call book contact it if this the i yes no ask get let start find click read visit learn then "
    "come at here there that these with for in at now".split()
)


ITEM_KINDS = frozenset({"list_item", "cell", "link", "button", "alt", "caption"})
"""Kinds whose meaning often lies in the heading above them: "Anxiety" under "What TMS treats"."""


class SentenceInput(NamedTuple):
    """What the model sees of a sentence. Two equal inputs score equal, on any page.

    Attributes
    ----------
    text : str
        The sentence.
    kind, region : str
        Of its block.
    heading : str
        The text of the nearest heading above it, "" if there is none.
    previous, next : str
        The sentences before and after it on the page, "" at the ends.
    first_block : bool
        True in the first block of its region.
    """

    text: str
    kind: str = "paragraph"
    region: str = "main"
    heading: str = ""
    previous: str = ""
    next: str = ""
    first_block: bool = False


class Sentence(NamedTuple):
    """One sentence of a page.

    Attributes
    ----------
    start, end : int
        Its text is ``page.text[start:end]``; no white space at either end.
    text : str
    block : Block
        The block it stands in; no sentence spans two.
    quoted : bool
        True if more than half of it stands in quotation marks or a block quote.
    """

    start: int
    end: int
    text: str
    block: Block
    quoted: bool


def split_page(page: Page, nlp: Language) -> list[Sentence]:
    """Return all sentences of a page, block by block: none spans two, and together they cover all its text."""
    sentences: list[Sentence] = []
    for block in page.blocks:
        quoted = [(block.start, block.end)] if block.kind == "quote" else quotations(page.text, block.start, block.end)
        quotation = 0
        for first, last in sentence_spans(page.text[block.start : block.end], nlp):
            start, end = block.start + first, block.start + last
            # Both lists ascend: quotations that end before this sentence are behind all that follow too.
            while quotation < len(quoted) and quoted[quotation][1] <= start:
                quotation += 1
            inside = 0
            for n in range(quotation, len(quoted)):
                begin, stop = quoted[n]
                if begin >= end:
                    break
                inside += min(end, stop) - max(start, begin)
            sentences.append(Sentence(start, end, page.text[start:end], block, inside * 2 > end - start))
    return sentences


def page_inputs(sentences: Sequence[Sentence]) -> list[SentenceInput]:
    """Return what the model sees of each sentence of one page, in order."""
    texts = ["", *(sentence.text for sentence in sentences), ""]
    first_block: dict[str, int] = {}
    for sentence in sentences:
        first_block.setdefault(sentence.block.region, sentence.block.index)
    return [
        SentenceInput(
            text=sentence.text,
            kind=sentence.block.kind,
            region=sentence.block.region,
            heading=sentence.block.heading_path[-1] if sentence.block.heading_path else "",
            previous=texts[n],
            next=texts[n + 2],
            first_block=first_block[sentence.block.region] == sentence.block.index,
        )
        for n, sentence in enumerate(sentences)
    ]


_QUOTATION = re.compile(r'“[^“”]*”|«[^«»]*»|(?<!\w)"[^"]*"(?!\w)')


def quotations(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the spans in quotation marks, within one block."""
    return [match.span() for match in _QUOTATION.finditer(text, start, end)]


# What can end a sentence inside a text: a mark, a line's end, an emoji or bullet, a smiley. Most blocks of a page
# (links, items, cells) have none of them.
# One set of characters first, so that the engine can skip to the next of them.
_MAY_BREAK = re.compile("[.!?…\n:;\u2022\u2023\u20e3\u2190-\u2bff\U0001f000-\U0001faff](?:(?<![:;])|-?[()D])")
# What can head an item: a bullet, an emoji, a digit in a key.
_MAY_LIST = re.compile("[\u2022\u2023\u20e3\u2190-\u2bff\U0001f000-\U0001faff]")


def sentence_spans(text: str, nlp: Language) -> list[tuple[int, int]]:
    """Return the spans of the sentences of one block.

    Parameters
    ----------
    text : str
        The block's.
    nlp : Language
        Its tokenizer must be ours.

    Returns
    -------
    list of (int, int)
        Half-open code-point offsets, in order, disjoint, without white space at the ends; together they cover all
        that is not white space.
    """
    if not _MAY_BREAK.search(text.rstrip(".!?…")):
        start = len(text) - len(text.lstrip())
        end = len(text.rstrip())
        return [(start, end)] if start < end else []
    pieces = tokenizer_of(nlp).pieces(text)
    words = words_of(pieces)
    spaced = spaces_behind(words, pieces)
    places = [0, *accumulate(map(len, pieces))]
    item_marks = _item_marks(words, spaced) if _MAY_LIST.search(text) else set[int]()
    starts = [0, *_boundaries(words, spaced, item_marks), len(words)]
    spans: list[tuple[int, int]] = []
    for start, end in pairwise(starts):
        while start < end and words[start].isspace():
            start += 1
        while end > start and words[end - 1].isspace():
            end -= 1
        if start < end:
            spans.append((places[start], places[end] - spaced[end - 1]))
    return spans


def _boundaries(words: list[str], spaced: list[bool], item_marks: set[int]) -> list[int]:
    """Return the token indices, ascending, at which a new sentence begins."""
    count = len(words)
    found: list[int] = []
    said = _Said(start=0)
    at = 0
    while at < count:
        word = words[at]
        if word.isalpha():  # most tokens: no mark, no space, no picture
            said.add_word(word)
            at += 1
            continue
        boundary = None
        if "\n" in word and word.isspace():
            following = _next_word(words, at + 1)
            if following is not None and not words[following][0].islower():
                boundary = following
        elif at in item_marks:
            boundary = at
        elif _ENDERS.fullmatch(word) or (word[-1] == "." and len(word) > 1 and word[0].isalpha()):
            boundary = _after_ender(words, spaced, at, said)
        elif _EXPRESSIVE.match(word) or word in _SMILEYS:
            boundary = _after_expressive(words, at)
        if boundary is not None and said.start < boundary < count:
            found.append(boundary)
            said = _Said(start=boundary)
            if boundary > at:
                at = boundary
                continue
        said.add(word)
        at += 1
    return found


@dataclass
class _Said:
    """What the sentence in the making holds so far: carried along, because looking back would take quadratic time.

    Attributes
    ----------
    start : int
        The token it begins with.
    first : list of str
        Its first words, at most three.
    brackets : int
        Round brackets that are open, but for one that opened with the sentence.
    """

    start: int
    first: list[str] = field(default_factory=list)
    brackets: int = 0

    def add(self, word: str) -> None:
        """Take one more token in."""
        if word.isspace():
            return
        if word == "(" and self.first:
            self.brackets += 1
        elif word == ")":
            self.brackets = max(self.brackets - 1, 0)
        self.add_word(word)

    def add_word(self, word: str) -> None:
        """Take in a token that is neither white space nor a bracket."""
        if len(self.first) < 3:
            self.first.append(word)


# A remark in brackets is rarely longer; a bracket that nobody closes must not glue a whole page together.
_REMARK = 40


# --- list items inside a block ------------------------------------------------------------------------------------


def _item_marks(words: list[str], spaced: list[bool]) -> set[int]:
    """Return the indices of bullets and emoji that each begin a list item.

    Check marks and emoji always do, if something that can begin an item follows. A plain bullet may be a
    separator ("Home • About"): it lists only if the text begins with one, or a colon or full stop leads in.
    """
    marks = {at for at, word in enumerate(words) if word[0] in _ITEM_MARKS}
    if marks:
        first = min(marks)
        before = [word for word in words[:first] if not word.isspace()]
        listing = not before or (before[-1][-1] in ":.!?" and len(marks) > 1)
        # "All rights reserved. Privacy • Cookies" separates too: the first bullet does not follow the full stop.
        marks = {at for at in marks if listing or words[at][0] in _CHECK_MARKS}
    for at, word in enumerate(words):
        if _is_item_emoji(word) and not (at and (_is_item_emoji(words[at - 1]) or _EXPRESSIVE.match(words[at - 1]))):
            marks.add(at)
    return {at for at in marks if _can_head_item(words, spaced, at)}


def _can_head_item(words: list[str], spaced: list[bool], at: int) -> bool:
    following = _next_word(words, at + 1)
    while following is not None and _is_item_emoji(words[following]):
        following = _next_word(words, following + 1)
    if following is None:
        return False
    before = words[at - 1] if at else ""
    if before and not spaced[at - 1] and not before.isspace() and before[-1] not in ".!?…":
        return words[at][0] in _CHECK_MARKS
    if words[at][0] in _ITEM_MARKS:
        return True
    # A pictogram inside a sentence goes on in small letters, or between a request and its number.
    return not words[following][0].islower() and not (
        words[following][0].isdigit() and before[-1:].isalpha() and words[at - 1].lower() in _BEFORE_NUMBER
    )


def _after_expressive(words: list[str], at: int) -> int | None:
    """Return where a sentence begins behind a face, a heart or a smiley."""
    following = _next_word(words, at + 1)
    if following is None or _EXPRESSIVE.match(words[following]) or not _begins_sentence(words[following]):
        return None
    return following


def _is_item_emoji(word: str) -> bool:
    return (
        _EMOJI_START.match(word) is not None and _EXPRESSIVE.match(word) is None and word[0] not in _ITEM_MARKS
    ) or "\u20e3" in word


# --- ends of sentences --------------------------------------------------------------------------------------------


def _after_ender(words: list[str], spaced: list[bool], at: int, said: _Said) -> int | None:
    """Return where the next sentence begins if the mark or abbreviation at `at` ends one, else None."""
    mark = words[at]
    end = _behind_closers(words, spaced, at)
    closed = end > at + 1
    following = _next_word(words, end)
    if following is None:
        return None
    word = words[following]
    if not said.first:
        return None  # "!!! 50% OFF": marks at the beginning end nothing
    if not spaced[end - 1] and not words[end].isspace():
        return following if _breaks_without_space(words, at, following, closed=closed) else None
    if "\n" in words[end] and words[end].isspace() and not word[0].islower():
        return following
    if said.brackets and not closed and ")" in words[at : at + _REMARK + 1]:
        return None  # "(Lost it? No problem!)" in the middle of a sentence
    if not _ENDERS.fullmatch(mark):
        return following if _abbreviation_ends(words, at, following) else None
    if mark == "." and not closed and _is_abbreviated(words, spaced, at, following, said):
        return None
    if mark[-1] == "…" or mark.startswith(".."):
        return following if _begins_sentence(word) or _is_item_emoji(word) else None
    if word[0].islower():
        return following if _breaks_before_lower(words, at, following, closed=closed) else None
    if word[0] in _NOT_FIRST or _EXPRESSIVE.match(word) or word in _SMILEYS:
        return None
    return following


def _behind_closers(words: list[str], spaced: list[bool], at: int) -> int:
    """Return the index behind the quotes, brackets and footnote marks that touch the end of a sentence."""
    end = at + 1
    while end < len(words) and not spaced[end - 1]:
        word = words[end]
        if len(word) == 1 and word in _CLOSERS:
            if word in "\"'" and not (spaced[end] or end + 1 == len(words) or not words[end + 1][0].isalpha()):
                break  # a straight quote that touches the next word opens it
            end += 1
        elif word == "[" and (close := _reference_end(words, end)) is not None:
            end = close
        elif _is_footnote_number(words, spaced, at, end):
            end += 1
        elif word == "," and end + 1 < len(words) and words[end + 1][0] in _SUPERSCRIPTS:
            end += 2
        else:
            break
    return end


def _reference_end(words: list[str], at: int) -> int | None:
    """Return the index behind a bracketed reference, "[1]" or "[4-6]"."""
    for end in range(at + 1, min(at + 6, len(words))):
        if words[end] == "]":
            return end + 1 if end > at + 1 else None
        if not (words[end][0].isdigit() or words[end] in {"-", "–", ","}):
            return None
    return None


def _is_footnote_number(words: list[str], spaced: list[bool], at: int, end: int) -> bool:
    """True for the raised numbers that plain text leaves on the line: "of cases.3 Healing takes"."""
    number = words[end]
    if not (number[0].isdigit() and len(number) <= 5 and end + 1 < len(words) and spaced[end]):
        return False
    before = words[at - 1] if at else ""
    return ((before.isalpha() and len(before) > 1) or words[end - 1] in '"”’)') and words[end + 1][0].isupper()


def _breaks_without_space(words: list[str], at: int, following: int, *, closed: bool) -> bool:
    """True for a missing space: "better.Call us", "relief!Book", "pain.”Our"."""
    word, before = words[following], words[at - 1] if at else ""
    if _is_item_emoji(word) or word[0] in _ITEM_MARKS:
        return True
    if not before or _EXPRESSIVE.match(word):
        return False
    titled = word[0].isupper() and ((len(word) == 1 and word in "AI") or len(word) > 1)
    if closed or words[at][-1] in "!?…" or words[at].startswith(".."):
        return titled or word[0] in "“‘«¿¡("
    if words[at] != "." or before.lower() in abbreviations()["never"]:
        return False  # an abbreviation: "Dr.Lee"
    if word[0].isdigit():  # "this week.15 minutes", but neither "v2.15" nor "a.15"
        return before.isalpha() and len(before) > 3 and not word.endswith("%")
    if not titled:
        return False
    if before.isalpha() and len(before) > 1 and (before[-1].islower() or len(before) > 2 or word[1:].islower()):
        # A name with a dot in it: "Skin.Co", "NewPatient.Form"
        return not (
            before[0].isupper()
            and not before.isupper()
            and len(before) > 1
            and word[1:].islower()
            and _is_inside_name(words, at, following)
        )
    return (before[-1].isdigit() or before in {"%", ")"}) and word[1:2].islower()


def _is_inside_name(words: list[str], at: int, following: int) -> bool:
    """True if both sides of a full stop without space are capitalised in mid-sentence, as in a brand's name."""
    return (
        at >= 2
        and words[at - 2].islower()
        and following + 1 < len(words)
        and (words[following + 1].islower() or words[following + 1] in {".", "'"})
        and words[following].lower() not in abbreviations()["starters"]
    )


def _is_abbreviated(words: list[str], spaced: list[bool], at: int, following: int, said: _Said) -> bool:
    """True if the single full stop at `at` belongs to an abbreviation, an initial or a list number."""
    if at == 0 or spaced[at - 1]:
        return False
    lists = abbreviations()
    before, word = words[at - 1], words[following]
    lower, following_lower = before.lower(), word.lower()
    if _is_list_number(said.first) and word[0].isalnum():
        return True
    if lower in lists["before_number"] and (word[0].isdigit() or word == "#"):
        return True
    if lower in lists["before_amount"] and word[0] in "0123456789$£€₹(":
        return True
    if lower in lists["calendar"] and (
        word[0].isdigit() or word in {"-", "–", "&", "/", "to", "and", "from", "till", "until", "through"}
        or following_lower in lists["calendar"] or following_lower.rstrip(".") in lists["calendar"]
        or word.islower()
    ):  # fmt: skip
        return True
    if lower in lists["never"]:
        return True
    if len(before) == 1 and before.isupper():
        return _is_initial(words, at, following, said.start)
    # Words of their own that are abbreviations only behind a number: "30 min.", "6 in."
    return (
        lower in lists["units"] and at >= 2 and words[at - 2][-1].isdigit()
        and not (word[0].isupper() and following_lower in lists["starters"])
    )  # fmt: skip


def _is_list_number(said: list[str]) -> bool:
    """True if a sentence so far is only a number or letter of a list: "1.", "A.", "III.", "4.2.", "Step 2."."""
    if len(said) == 2 and said[0].lower() in _NUMBERED:
        return said[1].isdigit()
    if len(said) != 1:
        return False
    word = said[0]
    if len(word) == 1:
        return word.isalnum()
    return (word.replace(".", "").isdigit() and len(word) < 6) or bool(_LIST_NUMBER.fullmatch(word))


def _is_initial(words: list[str], at: int, following: int, start: int) -> bool:
    """True for "J. Smith", "John F. Lee", "E. coli"; False for "rich in vitamin C. It also"."""
    word = words[following]
    lists = abbreviations()
    earlier = words[at - 2] if at - 2 >= start else ""
    if earlier.lower() in lists["letter_names"]:
        return False
    if word[0].islower():
        return True
    if word.lower() in lists["starters"] and word not in _STARTERS_AND_NAMES:
        return False
    return words[at - 1] != "I" or not earlier[:1].islower()


def _abbreviation_ends(words: list[str], at: int, following: int) -> bool:
    """True if an abbreviation with its own full stop also ends the sentence."""
    lists = abbreviations()
    word, lower = words[following], words[at][:-1].lower()
    if _is_item_emoji(word) or word[0] in _ITEM_MARKS:
        return True
    is_starter = word.lower() in lists["starters"] and word[0].isupper()
    if lower in lists["never"]:
        # "seeing the Dr. My back feels looser": a title needs a name, and no name is "My".
        return (
            lower in {"dr", "al"} and is_starter and word in {"My", "We", "I", "It", "The", "They", "She", "He", "You"}
        )
    if lower in lists["may_end_before_capital"]:
        return _begins_sentence(word) and word[0] not in "([{"
    if lower in lists["addresses"]:
        return is_starter or (word[0].isdigit() and following + 1 < len(words) and words[following + 1].islower())
    return is_starter or word[0] in "“‘«"


def _breaks_before_lower(words: list[str], at: int, following: int, *, closed: bool) -> bool:
    """True if a sentence begins with a small letter: careless writing, a brand ("iTero"), a web address."""
    word, before = words[following], words[at - 1] if at else ""
    if len(word) > 1 and any(character.isupper() for character in word[1:]):
        return True
    if closed:
        return False  # "Why me?" she asked
    if "." in word.strip("."):
        return words[at][-1] in "!?"
    if words[at][-1] in "!?":
        return word in _LOWER_STARTERS
    return (
        len(before) > 3
        and before[-1].islower()
        and before.isalpha()
        and before.lower() not in abbreviations()["before_number"]
    )


def _next_word(words: list[str], at: int) -> int | None:
    while at < len(words) and words[at].isspace():
        at += 1
    return at if at < len(words) else None


def _begins_sentence(word: str) -> bool:
    return word[0].isupper() or word[0].isdigit() or word[0] in _OPENERS
