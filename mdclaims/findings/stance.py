"""What a sentence does with its label, what follows for a reader's attention, and why, in one plain clause.

The stance comes from the model; priority and reason follow from it by the last section of the guidelines:
what is put forward stands before what is only noted, and a claim comes first if it is strong, names its
treatment, and no risk, limit or source stands near it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from mdclaims.findings.qualifiers import Qualifier
from mdclaims.labels import PRIORITIES, label_info
from mdclaims.language.cues import Cue, cue_lists
from mdclaims.language.sentences import Sentence

__all__ = ["CLAIMS", "PRIORITIES", "Attributes", "attributes", "priority", "reason"]

CLAIMS = frozenset({"efficacy_claim", "safety_claim"})
"""The labels that speak of a treatment."""
FAINT = "but not clearly, and in none of the usual words"
QUOTED = "in a quotation"
"""The ends of two reasons, see `only_noted`."""
PICTURE = "as the text of an image"
FRAGMENT = "in a few words that claim nothing by themselves"
PURPOSE = "but names only what it is for"
SEARCH_WORDS = "in a list of words for search engines"
UNCLEAR = "but not clearly"
CARE = "but in no word that reassures"
"""The ends of six reasons, see `only_described`."""
CLEAR = 0.9
"""From this score on a finding is clear: of those, more than nine in ten are right."""
SHORT = 4
"""Fewer words say little without the heading above them, or as a heading without what stands under it."""
UNQUALIFIED = "no risk, limit or source stands in its section"
"""The end of a reason; a report that names the nearest qualifier in a line of its own leaves it out."""

# "Treatment", "session" and "programme" name none.
_NAMELESS = frozenset({"treatment_general", "treatment_test"})


@dataclass(frozen=True, slots=True)
class Attributes:
    """What the cues tell of a claim.

    Attributes
    ----------
    strength : str
        "absolute" (a word without exception, a cure), "hedged" or "plain".
    quantified : bool
        A share, count or amount of effect stands in it.
    sourced : bool
        A source is named in it.
    about : str
        "own" for what is offered, "rival" for something set against it.
    testimonial : bool
        A patient tells it.
    serious : bool
        A condition for which people should see a doctor stands in the sentence or its headings.
    treatments, conditions : tuple of str
        Named in the sentence or, if none is, in its headings; as written there. A strong claim that names no treatment
        has those of the text before it, see `with_treatments_before`.
    """

    strength: str
    quantified: bool
    sourced: bool
    about: str
    testimonial: bool
    serious: bool
    treatments: tuple[str, ...]
    conditions: tuple[str, ...]


def attributes(sentence: Sequence[Cue], headings: Sequence[Cue]) -> Attributes:
    """Return what the cues of a sentence and of its headings tell of a claim."""
    names = {cue.name for cue in _asserted(sentence)}
    strength = (
        "absolute" if names & {"absolute", "cure"} else "hedged" if names & {"hedge", "effect_limit"} else "plain"
    )
    return Attributes(
        strength=strength,
        quantified="figure" in names,
        sourced="source" in names,
        about="rival" if "rival_failure" in names else "own",
        testimonial="testimonial" in names,
        serious="serious_condition" in names or any(cue.name == "serious_condition" for cue in headings),
        treatments=_treatments(sentence) or _treatments(headings),
        conditions=_named(sentence, "condition_") or _named(headings, "condition_"),
    )


def lacks_treatment(facts: Attributes) -> bool:
    """Return whether a claim is strong and names no treatment: "Pain gone in three visits, guaranteed"."""
    return not facts.treatments and _is_strong(facts)


def with_treatments_before(facts: Attributes, before: Iterable[Sequence[Cue]]) -> Attributes:
    """Return what is told of a claim with the treatments of the first text before it that names one.

    `before` holds the cues of the texts, the nearest first, the page's title last: a page about shockwave therapy need
    not say the words again in each sentence.
    """
    return replace(facts, treatments=next(filter(None, map(_treatments, before)), ()))


def _treatments(cues: Sequence[Cue]) -> tuple[str, ...]:
    return _named(_offered(cues), "treatment_")


# A word is denied by a "not" that ends at most so many characters before it: "does not cure", "no such guarantee" is
# too far, and so is "not only cures".
_DENIAL_REACH = 5


def _asserted(cues: Sequence[Cue]) -> Sequence[Cue]:
    """Return the cues without cures and absolutes that are denied ("does not cure", "not guaranteed")."""
    denials = [cue.end for cue in cues if cue.name == "negation"]
    if not denials:
        return cues
    return [
        cue
        for cue in cues
        if cue.name not in {"absolute", "cure"} or not any(0 <= cue.start - end <= _DENIAL_REACH for end in denials)
    ]


# What is compared with begins at most so many characters behind a comparison.
_COMPARISON_REACH = 20


def _offered(cues: Sequence[Cue]) -> Sequence[Cue]:
    """Return the cues without what one is spared ("without surgery") or compared with ("unlike pills")."""
    spared = [(cue.start, cue.end) for cue in cues if cue.name == "noninvasive"]
    spared += [(cue.start, cue.end + _COMPARISON_REACH) for cue in cues if cue.name == "comparison"]
    if not spared:
        return cues
    return [cue for cue in cues if not any(start <= cue.start < end for start, end in spared)]


def _named(cues: Iterable[Cue], prefix: str) -> tuple[str, ...]:
    """Return the different texts of the lists with this prefix, without those that are part of another."""
    found = {cue.text.casefold(): cue.text for cue in cues if cue.name.startswith(prefix) and cue.name not in _NAMELESS}
    return tuple(text for name, text in found.items() if not any(name in other and name != other for other in found))


def only_noted(label: str, stance: str | None, score: float, cues: Sequence[Cue], *, quoted: bool) -> str | None:
    """Return why a finding is only noted although its stance puts it forward, as the end of its reason; else None.

    `FAINT` if it is not clear, and has no phrase of its label's cue lists, nor a condition as what a treatment is for:
    a name under a heading that promises, a step between two claims. `QUOTED` for wording about people in a quotation:
    it is theirs who said it. What demeans people is always told.
    """
    if stance == "demeans":
        return None
    if label == "stigma_framing" and quoted:
        return QUOTED
    if score >= CLEAR:
        return None
    labels = _labels_of_cues()
    is_worded = any(
        labels[cue.name] == label or (label == "efficacy_claim" and cue.name.startswith("condition_"))
        for cue in cues
        if cue.name in labels  # not those of a user's own lists
    )
    return None if is_worded else FAINT


def only_named(label: str, sentence: Sentence, cues: Sequence[Cue], facts: Attributes | None) -> str | None:
    """Return why a finding is a mere name, as the end of its reason; None if it is none. In every mode.

    `PURPOSE` for an efficacy claim of a heading, link, button or menu without a word of effect: "Glaucoma surgery" says
    what is done there. Absolutes, cures and figures are told. `FAINT` for wording about people in one or two words of a
    form or a menu without a phrase of its cue lists: "Name", "Other".
    """
    in_menu = sentence.block.region == "nav"
    words = _WORD.findall(sentence.text.casefold())
    names = {cue.name for cue in cues}
    if label == "stigma_framing" and (in_menu or sentence.block.kind in _FIELDS) and len(words) <= _FIELD_WORDS:
        labels = _labels_of_cues()
        return None if any(labels.get(name) == label for name in names) else FAINT
    if label != "efficacy_claim" or not (in_menu or sentence.block.kind in _NAMES) or facts is None:
        return None
    if facts.strength == "absolute" or facts.quantified or _says_effect(words, names):
        return None
    return PURPOSE


def _says_effect(words: Iterable[str], names: set[str]) -> bool:
    return bool(names & _effect_lists()) or _told_words()["effect"].has_any(words)


def only_described(label: str, sentence: Sentence, score: float, cues: Sequence[Cue], facts: Attributes) -> str | None:
    """Return why a claim that is put forward is no news to its editor, as the end of its reason; else None.

    For the mode `edit`: whoever writes a clinic's page knows what the clinic offers, and for what. `SEARCH_WORDS` for
    the keywords of a page. An absolute, a cure and a figure are always told beside that. Of efficacy claims `PICTURE`
    for the text of an image, `FRAGMENT` for a heading or caption of fewer than four words, `PURPOSE` for a sentence
    without a word of effect ("Care for neck and back pain"), `UNCLEAR` for what is not clear; what is said to be for a
    serious condition is told. Of safety claims `CARE` for how care is given ("You are monitored", "We offer sedation").
    """
    if sentence.text.count(",") >= _SEARCHED and not sentence.text.rstrip().endswith(_CLOSING):
        return SEARCH_WORDS
    if facts.strength == "absolute" or facts.quantified:
        return None
    words = _WORD.findall(sentence.text.casefold())
    if label == "safety_claim":
        return None if _told_words()["reassurance"].has_any(words) else CARE
    if sentence.block.kind == "alt":
        return PICTURE
    names = {cue.name for cue in cues}
    if facts.serious and "indication" in names:
        return None
    is_caption = sentence.block.kind in _CAPTIONS and not sentence.text.rstrip().endswith(_CLOSING)
    if is_caption and len(words) < SHORT:
        return FRAGMENT
    if not _says_effect(words, names):
        return PURPOSE
    return UNCLEAR if score < CLEAR and not facts.serious else None


_WORD = re.compile(r"\w+")
_NAMES = frozenset({"heading", "link", "button"})
# What a form asks for is read as "other"; so are footnotes, which have more words.
_FIELDS = frozenset({"button", "other"})
_FIELD_WORDS = 2
_CAPTIONS = frozenset({"heading", "paragraph", "caption"})
_CLOSING = (".", "!", "?", "…")
# A text without a full stop that has as many commas is a list of search words, not a sentence.
_SEARCHED = 6


@dataclass(frozen=True, slots=True)
class _ToldWords:
    beginnings: tuple[str, ...]
    words: frozenset[str]

    def has_any(self, words: Iterable[str]) -> bool:
        return any(word in self.words or word.startswith(self.beginnings) for word in words)


@cache
def _told_words() -> dict[str, _ToldWords]:
    source = files("mdclaims") / "data" / "language" / "told_words.toml"
    lists = tomllib.loads(source.read_text(encoding="utf-8"))
    return {name: _ToldWords(tuple(found["beginnings"]), frozenset(found["words"])) for name, found in lists.items()}


@cache
def _effect_lists() -> frozenset[str]:
    """Return the cue lists that say what a treatment does: those of efficacy claims, save what it is for."""
    of_effect = {entry.name for entry in cue_lists() if entry.label == "efficacy_claim"}
    return frozenset(of_effect - {"indication", "hedge"} | {"comparison"})


@cache
def _labels_of_cues() -> dict[str, str | None]:
    return {entry.name: entry.label for entry in cue_lists()}


def priority(
    label: str, stance: str | None, facts: Attributes | None, qualifier: Qualifier | None, *, noted: str | None = None
) -> str:
    """Return the priority of a finding.

    Parameters
    ----------
    label : str
    stance : str or None
        None if the model tells none; the finding then counts as put forward.
    facts : Attributes or None
        Of efficacy and safety claims; None for the other labels.
    qualifier : Qualifier or None
        The nearest in the claim's section.
    noted : str or None
        What `only_noted` returns.
    """
    if noted or (stance is not None and stance not in label_info()[label].forward):
        return "info"
    if label not in CLAIMS or facts is None:
        return "high" if stance == "demeans" else "normal"
    if not facts.treatments or (facts.strength == "hedged" and facts.sourced):
        return "info"
    return "high" if _is_strong(facts) and qualifier is None else "normal"


def _is_strong(facts: Attributes) -> bool:
    return facts.strength == "absolute" or (facts.quantified and not facts.sourced) or facts.serious


def reason(
    label: str,
    stance: str | None,
    facts: Attributes | None,
    qualifier: Qualifier | None,
    cues: Sequence[Cue],
    *,
    noted: str | None = None,
) -> str:
    """Return in one plain clause why the finding has its priority."""
    said = label_info()[label].stances[stance] if stance else label_info()[label].display.lower()
    if noted:
        return f"{said}, {noted}"
    if label not in CLAIMS or facts is None:
        words = _quoted(cues, _FAMILIES[label])
        return f"{said} ({words})" if words else said
    if stance is not None and stance not in label_info()[label].forward:
        return said
    cues = _asserted(cues)
    parts = ["says that something else fails" if facts.about == "rival" and stance == "promotes" else said]
    if "cure" in {cue.name for cue in cues}:
        parts.append(f"promises an end of it ({_quoted(cues, {'cure'})})")
    elif facts.strength == "absolute":
        parts.append(f"leaves no exception ({_quoted(cues, {'absolute'})})")
    if facts.quantified and not facts.sourced:
        parts.append(f"gives a figure without a source ({_quoted(cues, {'figure'})})")
    if facts.serious:
        parts.append("about a serious condition")
    if facts.strength == "hedged" and facts.sourced:
        parts.append("in careful words and with a source")
    if not facts.treatments:
        parts.append("names no treatment")
    elif qualifier is None and _is_strong(facts):
        parts.append(UNQUALIFIED)
    return ", ".join(parts)


_FAMILIES: dict[str, set[str]] = {
    "stigma_framing": {
        "slur", "people_as_condition", "suffer", "battle", "failed_person", "blame", "shame", "insulting_looks",
    },
    "call_to_action": {"imperative", "invitation", "contact", "offer", "scarcity"},
}  # fmt: skip
_MOST_QUOTED = 2


def _quoted(cues: Sequence[Cue], names: set[str]) -> str:
    found = list({cue.text.casefold(): f"“{' '.join(cue.text.split())}”" for cue in cues if cue.name in names}.values())
    return ", ".join(found[:_MOST_QUOTED])
