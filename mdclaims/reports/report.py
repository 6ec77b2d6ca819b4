"""What every report is made from: the results of one run, and the plain words that all formats share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby

from mdclaims.config import JURISDICTIONS, Settings
from mdclaims.findings.cleared import BASELINE_REASON
from mdclaims.findings.findings import CloseWording, Finding, PageResult, Suppression, fold, is_heading_of
from mdclaims.findings.qualifiers import Qualifier
from mdclaims.findings.rules import Rule, check_line, rule_of, rules_of
from mdclaims.findings.stance import CLAIMS, CLEAR, SHORT, UNQUALIFIED
from mdclaims.findings.suppressions import Note
from mdclaims.findings.wording import Suggestion
from mdclaims.labels import PRIORITIES, Label, label_info
from mdclaims.language.sentences import Sentence
from mdclaims.reading.positions import SourcePositions
from mdclaims.reports.controls import one_line as one_line
from mdclaims.reports.controls import visible_controls as visible_controls

MODE_WORDS: dict[str, str] = {
    "balanced": "balanced (between few false alarms and few misses)",
    "edit": "edit (few false alarms)",
    "screen": "screen (few missed statements)",
}

RULE = Label(
    name="rule",
    display="Rule to check",
    meaning="Touches a provision of a chosen jurisdiction that needs no label.",
    colour="cyan",
    stances={},
    forward=(),
)
"""How a finding without a label is shown: as if that were a label."""


def shown_label(label: str | None) -> Label:
    """Return how a finding's label is shown, or a finding without one."""
    return RULE if label is None else label_info()[label]


_NONE_CHOSEN = "none chosen (--jurisdiction shows provisions)"


@dataclass(frozen=True, slots=True)
class InputError:
    """An input that could not be read.

    Attributes
    ----------
    source : str
    error : str
        One line: what is wrong and what to do next.
    """

    source: str
    error: str


@dataclass(frozen=True)
class Report:
    """The results of one run.

    Attributes
    ----------
    tool_version : str
    model_name, model_version, model_sha256 : str
    settings : Settings
    thresholds : dict of str to float
    pages : tuple of PageResult
    errors : tuple of InputError
    today : date
        Tells which rules were last checked long ago.
    skip_hidden : bool
        Text that is not shown at first was left without labels.
    notes : tuple of Note
        What a user should know about directives and cleared wording.
    configs : tuple of str
        The config files that were used.
    """

    tool_version: str
    model_name: str
    model_version: str
    model_sha256: str
    settings: Settings
    thresholds: dict[str, float]
    pages: tuple[PageResult, ...]
    errors: tuple[InputError, ...]
    today: date
    skip_hidden: bool = False
    notes: tuple[Note, ...] = ()
    configs: tuple[str, ...] = ()

    @property
    def findings(self) -> int:
        """Number of findings on all pages."""
        return sum(len(page.findings) for page in self.pages)


def for_people(report: Report) -> Report:
    """Return the report as people are shown it: suppressed findings folded away, with a note of what is not shown."""
    return replace(report, pages=tuple(_page_for_people(result) for result in report.pages))


def _page_for_people(result: PageResult) -> PageResult:
    notes = [*_suppressed_notes(result), *_change_notes(result)]
    if not notes:
        return result
    findings = tuple(finding for finding in result.findings if finding.suppressed is None)
    kept = {(finding.sentence, finding.label) for finding in findings}
    sentences = tuple(
        entry._replace(labels=tuple(label for label in entry.labels if (n, label) in kept))
        for n, entry in enumerate(result.sentences)
    )
    page = replace(result.page, notes=(*result.page.notes, *notes))
    return replace(result, page=page, sentences=sentences, findings=findings)


# Longer lists are in the JSON.
_MOST_NOTES = 5


def _suppressed_notes(result: PageResult) -> list[str]:
    counts = Counter(suppression_words(finding.suppressed) for finding in result.findings if finding.suppressed)
    if not counts:
        return []
    total = counts.total()
    words = [f"{words}{f' ({count})' if len(counts) > 1 else ''}" for words, count in counts.most_common(_MOST_NOTES)]
    if len(counts) > _MOST_NOTES:
        words.append(f"{len(counts) - _MOST_NOTES} more")
    return [f"{total} {'finding is' if total == 1 else 'findings are'} not counted: {'; '.join(words)}"]


def suppression_words(suppression: Suppression) -> str:
    """Return in plain words why a finding does not count ("cleared: MED-14, until 2027-01-31")."""
    until = f", until {suppression.until.isoformat()}" if suppression.until else ""
    if suppression.reason == BASELINE_REASON:
        return f"{BASELINE_REASON}{until}"
    said = "cleared" if suppression.kind == "file" else "marked as fine"
    return f"{said}: {suppression.reference or suppression.reason}{until}"


def close_words(close: CloseWording) -> str:
    """Return in plain words which cleared wording a sentence is close to, and what differs."""
    if not close.differences:
        said = "the words are those of cleared wording"
        if not close.valid:
            return f"{said} that is not valid now ({close.reference or close.where})"
        where = f", which is cleared for one place in {close.file} alone" if close.file else ", but the marks differ"
        return f"{said} {close.reference or close.where}{where}"
    name = close.reference or f"“{close.text}”"
    if not close.valid:
        name += " (not valid now)"
    parts = []
    for entry in close.differences[:_MOST_NOTES]:
        if not entry.before:
            parts.append(f"“{entry.after}” is new")
        elif not entry.after:
            parts.append(f"“{entry.before}” is missing")
        else:
            parts.append(f"“{entry.after}” in place of “{entry.before}”")
    if len(close.differences) > _MOST_NOTES:
        parts.append(f"{len(close.differences) - _MOST_NOTES} more")
    return f"close to cleared wording {name}: {', '.join(parts)}"


def _change_notes(result: PageResult) -> list[str]:
    changes = result.changes
    if changes is None:
        return []
    counts = f"{len(changes.new)} new, {len(changes.reworded)} reworded, {len(changes.gone)} gone"
    notes = [f"sentences against {changes.since}: {counts}; only new and reworded ones are labelled"]
    told = [entry for entry in changes.gone if entry.labels]
    for entry in told[:_MOST_NOTES]:
        displays = ", ".join(label_info()[label].display for label in entry.labels)
        notes.append(f"gone: “{entry.text}” ({displays})")
    if len(told) > _MOST_NOTES:
        notes.append(f"gone: {len(told) - _MOST_NOTES} more with a label")
    return notes


def change_words(result: PageResult, sentence: int) -> str | None:
    """Return what a sentence said before it was reworded, or None."""
    if result.changes is None:
        return None
    before = next((entry.before for entry in result.changes.reworded if entry.sentence == sentence), None)
    return None if before is None else f"“{before}”"


def settings_line(settings: Settings) -> str:
    """Return the first line of every report: mode and jurisdictions in plain words."""
    named = ", ".join(JURISDICTIONS[name] for name in settings.jurisdictions)
    return f"Mode: {MODE_WORDS[settings.mode]}. Jurisdictions: {named or _NONE_CHOSEN}."


# --- provisions ---------------------------------------------------------------------------------------------------


def rule_lines(findings: Sequence[Finding], today: date) -> tuple[str, ...]:
    """Return each provision that findings may touch, once: "possible: check CAP Code 12.1 (UK-CAP-12.1)"."""
    ids = dict.fromkeys(match.id for finding in findings for match in finding.rules)
    return tuple(f"{check_line(rule_of(name), today)} ({name})" for name in ids)


def rules_used(report: Report) -> tuple[Rule, ...]:
    """Return the rules that the report names, in the order of all rules."""
    ids = {match.id for page in report.pages for finding in page.findings for match in finding.rules}
    return tuple(rule for rule in rules_of(report.settings.jurisdictions) if rule.id in ids)


# --- results in a sentence ----------------------------------------------------------------------------------------


def by_priority(result: PageResult) -> dict[str, int]:
    """Return the number of different claims of each priority; a claim that stands in several places counts once."""
    highest: dict[str, str] = {}
    for finding in result.findings:
        known = highest.get(finding.group)
        if known is None or PRIORITIES.index(finding.priority) < PRIORITIES.index(known):
            highest[finding.group] = finding.priority
    counts = Counter(highest.values())
    return {priority: counts[priority] for priority in PRIORITIES}


def by_label(result: PageResult, labels: Sequence[str]) -> dict[str, int]:
    """Return the number of findings of each label."""
    counts = Counter(finding.name for finding in result.findings)
    return {label: counts[label] for label in labels}


def headline(counts: Mapping[str, int]) -> str:
    """Return one sentence of result.

    Parameters
    ----------
    counts : mapping of str to int
        Different claims of each priority, as `by_priority` returns them.
    """
    first, info = counts["high"], counts["info"]
    look = first + counts["normal"]
    if not look and not info:
        return "Nothing found in the text read."
    things = f"{look:,} {'thing' if look == 1 else 'things'} to look at" if look else "Nothing to look at"
    if first:
        things += " first" if first == look else f", {first:,} first"
    return f"{things}; {info:,} {'more ' if look else ''}for information." if info else f"{things}."


def totals_line(report: Report) -> str:
    """Return one sentence of result for all inputs together."""
    counts: Counter[str] = Counter()
    for result in report.pages:
        counts.update(by_priority(result))
    unread = f" {_number(len(report.errors), 'input')} could not be read." if report.errors else ""
    return f"{_number(len(report.pages), 'input')}: {_lower_first(headline(counts))}{unread}"


def ranked(report: Report) -> tuple[PageResult, ...]:
    """Return the pages, those with most to read first at the top, otherwise in the order they were given."""

    def rank(result: PageResult) -> tuple[int, int]:
        counts = by_priority(result)
        return -counts["high"], -counts["normal"]

    return tuple(sorted(report.pages, key=rank))


RANK_LINE = "Those with most to read first stand at the top."


def context_lines(result: PageResult, claims: Sequence[Claim], labels: Sequence[str]) -> tuple[str, ...]:
    """Return what the page as a whole tells: benefits against risks and limits, and claims that no reader sees.

    The balance needs both labels of treatments, so that it is left out if one was not asked for.
    """
    lines = []
    if set(labels) >= CLAIMS:
        benefits = {entry.group for entry in result.findings if entry.label == "efficacy_claim" and _is_forward(entry)}
        disclosing = {
            fold(result.sentences[entry.sentence].sentence.text)
            for entry in result.findings
            if entry.label in CLAIMS and not _is_forward(entry)
        }
        told = f"{len(disclosing):,}" if disclosing else "no"
        verb = "sentences tell" if len(disclosing) > 1 else "sentence tells"
        if benefits or disclosing:
            said = _number(len(benefits), "claim") if benefits else "No claim"
            lines.append(f"{said} of benefit; {told} {verb} of a risk or a limit.")
    unseen = sum(claim.only_in_metadata for claim in claims if claim.priority != "info")
    if unseen:
        verb = "stands" if unseen == 1 else "stand"
        lines.append(f"{_number(unseen, 'claim')} {verb} only in the metadata, which search results and previews show.")
    return tuple(lines)


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


# --- claims -------------------------------------------------------------------------------------------------------

FIRST_SHOWN = 5
"""So many claims are shown before the text of a page."""

EXPLAIN_LINE = "mdclaims explain ID says what to check and what brings a rule up."

ORDER_LINE = "Order: strong claims that nothing qualifies, and words that demean; then the surest; metadata last."

CERTAINTIES: tuple[str, ...] = ("clear", "likely", "borderline")
CERTAINTY_LINE = (
    "Clear, likely or borderline: how sure it is that this is such a statement, not that anything is wrong with it."
)
_BORDER = 0.1
_MOST_NAMED = 2


def certainty(score: float, threshold: float) -> str:
    """Return in a word how sure it is that a sentence is such a statement, not that the statement is wrong.

    Parameters
    ----------
    score : float
        Calibrated, so that of the findings with a score of 0.9 nine in ten are right.
    threshold : float
        Of the finding's label in the mode of the run.

    Returns
    -------
    str
        "clear" from 0.9 on, whatever the threshold. "borderline" less than 0.1 above the threshold, where another
        mode or a small change of wording can undo the finding, and below one half, where it is more often wrong
        than right: the mode ``screen`` has thresholds of about 0.1. "likely" between the two.
    """
    if score >= CLEAR:
        return "clear"
    return "borderline" if score < max(threshold + _BORDER, 0.5) else "likely"


def certainty_of(finding: Finding, thresholds: Mapping[str, float]) -> str | None:
    """Return how sure a finding is, see `certainty`; None for one without a label: its words stand there."""
    if finding.label is None or finding.score is None:
        return None
    return certainty(finding.score, thresholds[finding.label])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a claim stands.

    Attributes
    ----------
    words : str
        In plain words ("list item under “What it treats”, page 2"); for several alike with their number.
    findings : tuple of int
        Indices into the result's findings, in reading order.
    """

    words: str
    findings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One line about a claim.

    Attributes
    ----------
    name, text : str
        What it tells ("Why"), and that in plain words.
    sentence : int or None
        The sentence of the result that it speaks of, if it is another one.
    """

    name: str
    text: str
    sentence: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of a report: the findings of a group, told once. All texts are safe to show on one line.

    Attributes
    ----------
    number : int
        From 1, in the order of what to read first; it names the claim throughout a report.
    label : str or None
        None if it is there for rules that need no label.
    priority : str
    lead : str or None
        What the quotes cannot stand without, being several items or few words: "Under “What it treats”", or the place
        where no heading stands above.
    quotes : tuple of str
        Its words; several if it is a list of items, each different text once.
    quoted : tuple of int
        The finding that each quote is taken from: an index into the result's findings.
    score : float or None
        The highest of its findings; None without a label.
    certainty : str or None
        One of `CERTAINTIES`; None without a label.
    also : tuple of str
        Display names of the other labels that its sentences carry.
    facts : tuple of Fact
        Why a person should look, what qualifies it, which provisions it may touch, and what to write instead or to
        ask: one line each.
    places : tuple of Place
    only_in_metadata : bool
        No reader of the page itself sees it.
    findings : tuple of int
        Indices into the result's findings, in reading order.
    """

    number: int
    label: str | None
    priority: str
    lead: str | None
    quotes: tuple[str, ...]
    quoted: tuple[int, ...]
    score: float | None
    certainty: str | None
    also: tuple[str, ...]
    facts: tuple[Fact, ...]
    places: tuple[Place, ...]
    only_in_metadata: bool
    findings: tuple[int, ...]

    @property
    def said(self) -> str:
        """The label and how sure it is, in words: "Says it works: clear"."""
        also = "".join(f"; also {_lower_first(name)}" for name in self.also)
        sure = f": {self.certainty}" if self.certainty else ""
        return f"{shown_label(self.label).display}{sure}{also}"


def claims(result: PageResult, thresholds: Mapping[str, float], *, today: date) -> tuple[Claim, ...]:
    """Return the claims of a page in the order of what to read first: one for each group of findings.

    High before normal before info; then clear and what needs no label before likely before borderline; then as they
    stand on the page, those that stand only in the metadata last.
    """
    members: dict[str, list[int]] = {}
    for n, finding in enumerate(result.findings):
        members.setdefault(finding.group, []).append(n)
    positions = None if result.page.source_text is None else SourcePositions(result.page.source_text)
    made = [_claim(result, numbers, thresholds, positions, today) for numbers in members.values()]
    made.sort(
        key=lambda claim: (
            PRIORITIES.index(claim.priority),
            CERTAINTIES.index(claim.certainty or "clear"),
            claim.only_in_metadata,
            claim.findings[0],
        )
    )
    return tuple(replace(claim, number=number) for number, claim in enumerate(made, start=1))


def _claim(
    result: PageResult,
    numbers: Sequence[int],
    thresholds: Mapping[str, float],
    positions: SourcePositions | None,
    today: date,
) -> Claim:
    findings = [result.findings[n] for n in numbers]
    entries = [result.sentences[finding.sentence] for finding in findings]
    # A heading is told as what stands above its text.
    headed = len(entries) > 1 and is_heading_of(entries[0].sentence, entries[1].sentence)
    first: dict[str, int] = {}
    for n, entry in zip(numbers[headed:], entries[headed:], strict=True):
        first.setdefault(fold(entry.sentence.text), n)
    quotes = [one_line(result.sentences[result.findings[n].sentence].sentence.text) for n in first.values()]
    path = entries[headed].sentence.block.heading_path
    needed = headed or len(quotes) > 1 or len(quotes[0].split()) < SHORT
    # The findings of a group can differ; the one that is most urgent, then surest, speaks for it.
    lead = min(findings, key=lambda finding: (PRIORITIES.index(finding.priority), -(finding.score or 0)))
    surest = max(findings, key=lambda finding: finding.score or 0)
    # Several rules can touch the same sentence.
    spots = list({result.findings[n].sentence: n for n in reversed(numbers)}.values())[::-1]
    places = _places(result, spots, positions, told=path[-1] if needed and path else None)
    lead_words = f"Under {quoted(one_line(path[-1]))}" if path else places[0].words.capitalize()
    others = {label for entry in entries for label in entry.labels} - {lead.label}
    return Claim(
        number=0,
        label=lead.label,
        priority=lead.priority,
        lead=lead_words if needed else None,
        quotes=tuple(quotes),
        quoted=tuple(first.values()),
        score=surest.score,
        certainty=certainty_of(surest, thresholds),
        also=tuple(info.display for label, info in label_info().items() if label in others),
        facts=facts_of(result, lead, rule_lines(findings, today)),
        places=places,
        only_in_metadata=all(entry.sentence.block.region == "metadata" for entry in entries),
        findings=tuple(numbers),
    )


def facts_of(result: PageResult, finding: Finding, rules: Sequence[str]) -> tuple[Fact, ...]:
    """Return what is told of a finding; `rules` as `rule_lines` returns them."""
    why = finding.reason.removesuffix(f", {UNQUALIFIED}")
    if finding.attributes and _is_forward(finding):
        text = fold(result.sentences[finding.sentence].sentence.text)
        named = [name for name in finding.attributes.treatments if fold(name) in text]  # not those of its headings
        why += f", names {' and '.join(map(quoted, named[:_MOST_NAMED]))}" if named else ""
    facts = [Fact("Why", one_line(why))]
    if finding.label in CLAIMS and _is_forward(finding):
        facts.append(_beside(result, finding))
    facts += [Fact("Check", line) for line in rules]
    facts += [advice_fact(suggestion) for suggestion in finding.suggestions]
    before = change_words(result, finding.sentence)
    if before is not None:
        facts.append(Fact("Before", one_line(before)))
    if finding.close_to is not None:
        facts.append(Fact("Cleared", one_line(close_words(finding.close_to))))
    return tuple(facts)


def advice_fact(suggestion: Suggestion) -> Fact:
    """Return what to write instead, with the guide that prefers it, or what to ask."""
    if suggestion.guide is None:
        return Fact("Ask", one_line(suggestion.advice))
    checked = "" if suggestion.verified else ", not checked at its source"
    if suggestion.replacement is None:
        return Fact("Instead", f"{one_line(suggestion.advice)} ({suggestion.guide}{checked})")
    text, replacement = (f"“{one_line(words)}”" for words in (suggestion.text, suggestion.replacement))
    return Fact("Instead", f"{text} → {replacement} ({suggestion.guide}{checked})")


def _is_forward(finding: Finding) -> bool:
    return finding.stance is None or finding.stance in shown_label(finding.label).forward


def _beside(result: PageResult, finding: Finding) -> Fact:
    """Return the nearest qualifier of a claim, quoted, with its distance in words."""
    near = finding.qualifier
    if near is None:
        return Fact("Beside it", "no risk, limit or source in its section of the text read")
    if not near.sentences_away:
        return Fact("Beside it", f"a {near.kind}, {distance(finding, near)}")
    quote = quoted(one_line(result.sentences[near.sentence].sentence.text))
    return Fact("Beside it", f"a {near.kind}, {distance(finding, near)}: {quote}", near.sentence)


def distance(finding: Finding, near: Qualifier) -> str:
    """Return in words how far a qualifier stands from a claim, and whether it is shown at first."""
    below = near.sentence > finding.sentence
    if near.sentences_away == 1:
        words = "in the next sentence" if below else "in the sentence before"
    elif near.sentences_away:
        words = _number(near.sentences_away, "sentence")
        words += f" and {_number(near.blocks_away, 'block')}" if near.blocks_away else ""
        words += " below" if below else " above"
    else:
        words = "in the same sentence"
    return f"{words} ({HIDDEN_WORDS})" if near.hidden else words


# --- places -------------------------------------------------------------------------------------------------------

KIND_WORDS: dict[str, str] = {
    "title": "title", "description": "description", "heading": "heading", "paragraph": "paragraph",
    "list_item": "list item", "cell": "table cell", "button": "button", "link": "link", "alt": "image description",
    "quote": "quotation", "caption": "caption", "structured": "structured data", "other": "other text",
}  # fmt: skip
REGION_WORDS: dict[str, str] = {
    "header": "header", "nav": "navigation", "main": "main text", "aside": "side text", "footer": "footer",
    "metadata": "metadata",
}  # fmt: skip
HIDDEN_WORDS = "present, not shown at first"
_UNCOUNTED = frozenset({"structured", "other"})


def _places(
    result: PageResult, numbers: Sequence[int], positions: SourcePositions | None, *, told: str | None
) -> tuple[Place, ...]:
    """Return the places of a claim in reading order, neighbours that read alike as one.

    The heading that the quotes are told with is not told again.
    """

    def words(n: int) -> tuple[str, str, str, str, int | None]:
        sentence = result.sentences[result.findings[n].sentence].sentence
        block = sentence.block
        region = "" if block.region == "main" else f" in the {REGION_WORDS[block.region]}"
        heading = block.heading_path[-1] if block.heading_path and block.heading_path[-1] != told else ""
        after = ", in quotation marks" if sentence.quoted and block.kind != "quote" else ""
        after += f", {HIDDEN_WORDS}" if block.hidden else ""
        return block.kind, region, heading, after, block.page_at(sentence.start)

    places: list[Place] = []
    above = ""
    for (kind, region, heading, after, page), alike in groupby(numbers, key=words):
        found = tuple(alike)
        sentence = result.sentences[result.findings[found[0]].sentence].sentence
        name = KIND_WORDS[kind]
        if len(found) > 1:
            name = f"{len(found):,} {name if kind in _UNCOUNTED else f'{name}s'}"
        under = " under the same heading" if heading == above else f" under {quoted(one_line(heading))}"
        above = heading
        span = result.page.source_span(sentence.start, sentence.end)
        line = None if positions is None or span is None else positions.region(*span).start_line
        at = "" if page is None else f", page {page:,}"
        at += "" if line is None else f", {'from ' if len(found) > 1 else ''}line {line:,}"
        places.append(Place(f"{name}{region}{under if heading else ''}{after}{at}", found))
    return tuple(places)


def quoted(text: str) -> str:
    """Return a text in quotation marks, unless it begins with one of its own; a mark without a partner is left out."""
    if text[:1] in _OPENING and not any(mark in text[1:] for mark in _CLOSING):
        text = text[1:]
    if text[-1:] in _CLOSING and not any(mark in text[:-1] for mark in _OPENING):
        text = text[:-1]
    return text if text[:1] in _OPENING else f"“{text}”"


_OPENING, _CLOSING = frozenset('“"«'), frozenset('”"»')


# --- words for one sentence, for formats that list findings ---------------------------------------------------------


def place_words(sentence: Sentence) -> str:
    """Return where a sentence stands, in words: "list item, main text, page 3"."""
    block = sentence.block
    place = [KIND_WORDS[block.kind], REGION_WORDS[block.region]]
    page = block.page_at(sentence.start)
    if page is not None:
        place.append(f"page {page}")
    if sentence.quoted:
        place.append("in quotation marks")
    if block.hidden:
        place.append(HIDDEN_WORDS)
    return ", ".join(place)


def heading_words(sentence: Sentence) -> str:
    """Return the headings above a sentence, outermost first, as one line; "" if there are none."""
    return " › ".join(one_line(heading) for heading in sentence.block.heading_path)


_HEADING_SHOWN = 100


def quote_words(sentence: Sentence, most: int) -> str:
    """Return a sentence in quotation marks, on one line and at most so long, a short one with its heading."""
    quote = f"“{_cut(one_line(sentence.text), most)}”"
    if len(sentence.text.split()) < SHORT and sentence.block.heading_path:
        quote += f" (under “{_cut(one_line(sentence.block.heading_path[-1]), _HEADING_SHOWN)}”)"
    return quote


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# --- reasons ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reasons:
    """The strongest reasons of an explanation, in words with their weights, the strongest first.

    Attributes
    ----------
    speak_for, speak_against : tuple of (str, str)
        A word or circumstance, and its weight in log-odds with its sign.
    """

    speak_for: tuple[tuple[str, str], ...]
    speak_against: tuple[tuple[str, str], ...]


_PART_WORDS = {
    "sentence": "{}",
    "heading": "{} (heading)",
    "previous": "{} (sentence before)",
    "next": "{} (sentence after)",
}
# Below this a reason moves a score of one half by less than eight points.
_WEAKEST_REASON = 0.3


def reasons(finding: Finding, most: int = 5) -> Reasons | None:
    """Return up to `most` reasons for a finding and as many against; None if it was not explained.

    A word that stands twice is one reason.
    """
    if finding.explanation is None:
        return None
    weights: dict[str, float] = {}
    for entry in finding.explanation.contributions:
        if entry.part == "circumstance":
            name = entry.text.replace("_", " ")
        elif any(map(str.isalnum, entry.text)):
            name = _PART_WORDS[entry.part].format(f"“{one_line(entry.text.lower())}”")
        else:
            continue
        weights[name] = weights.get(name, 0) + entry.weight
    strongest = sorted(weights.items(), key=lambda entry: -abs(entry[1]))

    def words(sign: int) -> tuple[tuple[str, str], ...]:
        kept = [
            (name, f"{weight:+.1f}".replace("-", "−")) for name, weight in strongest if sign * weight >= _WEAKEST_REASON
        ]
        return tuple(kept[:most])

    return Reasons(speak_for=words(1), speak_against=words(-1))


# --- text that is safe to show ------------------------------------------------------------------------------------


def percent(score: float) -> int:
    """Return a score as a whole percentage, 1 to 99: no model has the certainty of 0 or 100."""
    return min(max(round(score * 100), 1), 99)
