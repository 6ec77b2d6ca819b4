"""What an editor is shown of a check: diagnostics, what hovering tells, and what can be done about a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types

from mdclaims.desk.lsp_documents import Checked
from mdclaims.errors import ReadError
from mdclaims.findings.findings import Finding
from mdclaims.findings.rules import rule_of
from mdclaims.findings.stance import SHORT
from mdclaims.findings.suppressions import line_of
from mdclaims.findings.wording import Suggestion
from mdclaims.language.cues import cue_lists
from mdclaims.language.sentences import ITEM_KINDS, Sentence
from mdclaims.reading import read_decoded
from mdclaims.reports.report import (
    Fact,
    advice_fact,
    certainty_of,
    distance,
    facts_of,
    one_line,
    quote_words,
    rule_lines,
    shown_label,
    suppression_words,
)

SOURCE = "mdclaims"
"""Who the diagnostics are from."""
ASK_REASON = "mdclaims.askReason"
"""The command of a client that asks for a reason, and then writes it into the document; see `_suppress`."""
INFO_CHOICES: tuple[str, ...] = ("hint", "hidden")

_SEVERITIES = {
    "high": types.DiagnosticSeverity.Warning,
    "normal": types.DiagnosticSeverity.Information,
    "info": types.DiagnosticSeverity.Hint,
}
_PRIORITY_WORDS = {"high": "read first", "normal": "look at it", "info": "for information"}
# A quotation in a message, in code points.
_QUOTE_SHOWN = 120


@dataclass(frozen=True)
class Look:
    """What a client can show, and what its user wants to see.

    Attributes
    ----------
    related : bool
        It shows other places that belong to a diagnostic.
    markdown : bool
        It shows Markdown where it hovers.
    versioned : bool
        It takes edits of a version of a document.
    asks_reason : bool
        It has the command `ASK_REASON`.
    info : str
        What becomes of findings for information, one of `INFO_CHOICES`.
    """

    related: bool = False
    markdown: bool = False
    versioned: bool = False
    asks_reason: bool = False
    info: str = "hint"


# --- diagnostics --------------------------------------------------------------------------------------------------


def diagnostics(checked: Checked, look: Look) -> list[types.Diagnostic]:
    """Return the diagnostics of a checked document: its findings, then what is to be said of its reading."""
    return [*(_diagnostic(checked, finding, look) for finding in _seen(checked, look)), *_told(checked)]


def _seen(checked: Checked, look: Look) -> list[Finding]:
    return [finding for finding in checked.shown() if finding.priority != "info" or look.info == "hint"]


def _diagnostic(checked: Checked, finding: Finding, look: Look) -> types.Diagnostic:
    rule = rule_of(finding.rules[0].id) if finding.label is None else None
    return types.Diagnostic(
        range=checked.range_of_sentence(finding.sentence),
        severity=_SEVERITIES[finding.priority],
        code=finding.name,
        code_description=None if rule is None else types.CodeDescription(href=rule.address),
        source=SOURCE,
        message=_message(checked, finding),
        related_information=list(_related(checked, finding)) if look.related else None,
        data={"fingerprint": finding.fingerprint},
    )


def _message(checked: Checked, finding: Finding) -> str:
    sentence = _sentence(checked, finding)
    said = f"{shown_label(finding.label).display}: {one_line(finding.reason)}."
    if not checked.has_place(sentence):
        said += f" It stands in HTML here: {quote_words(sentence, _QUOTE_SHOWN)}."
    # Questions, and what is known of the sources, are told where the user hovers: a message is read at a glance.
    for fact in map(advice_fact, finding.suggestions):
        said += f" {fact.name}: {fact.text}." if fact.name == "Instead" else ""
    citations = dict.fromkeys(rule_of(match.id).citation for match in finding.rules)
    return said + (f" Possible: check {', '.join(citations)}." if citations else "")


def _related(checked: Checked, finding: Finding) -> Iterator[types.DiagnosticRelatedInformation]:
    """Yield the heading that a few words need to be understood, and the nearest qualifier."""
    if checked.result is None:
        return
    sentence = _sentence(checked, finding)
    if sentence.block.kind in ITEM_KINDS or len(sentence.text.split()) < SHORT:
        heading = _heading(checked, finding.sentence)
        if heading is not None:
            said = f"Under {quote_words(checked.result.sentences[heading].sentence, _QUOTE_SHOWN)}"
            yield _place(checked, heading, said)
    near = finding.qualifier
    if near is not None and near.sentences_away:
        other = checked.result.sentences[near.sentence].sentence
        said = f"The nearest {near.kind}, {distance(finding, near)}: {quote_words(other, _QUOTE_SHOWN)}"
        yield _place(checked, near.sentence, said)


def _place(checked: Checked, sentence: int, said: str) -> types.DiagnosticRelatedInformation:
    return types.DiagnosticRelatedInformation(
        types.Location(checked.uri, checked.range_of_sentence(sentence)), one_line(said)
    )


def _heading(checked: Checked, n: int) -> int | None:
    """Return the first sentence of the heading right above a sentence, or None if there is none."""
    sentences = checked.result.sentences if checked.result else ()
    path = sentences[n].sentence.block.heading_path
    for at in range(n - 1, -1, -1):
        block = sentences[at].sentence.block
        if block.kind in {"heading", "title"} and (*block.heading_path,) == path[:-1] and path:
            while at and sentences[at - 1].sentence.block is block:
                at -= 1
            return at
    return None


def _sentence(checked: Checked, finding: Finding) -> Sentence:
    if checked.result is None:
        raise ValueError("a text that could not be checked has no findings")
    return checked.result.sentences[finding.sentence].sentence


def _told(checked: Checked) -> Iterator[types.Diagnostic]:
    """Yield what is to be said of the document: that it was not read, what its directives come to."""
    first = checked.range_of_line(0)
    if checked.problem is not None:
        yield types.Diagnostic(
            first, f"Not checked: it {checked.problem}", types.DiagnosticSeverity.Warning, "not-read", source=SOURCE
        )
    for note in checked.result.page.notes if checked.result else ():
        yield types.Diagnostic(first, f"The text {note}.", types.DiagnosticSeverity.Information, "note", source=SOURCE)
    for entry in checked.notes:
        severity = types.DiagnosticSeverity.Information if entry.kind == "unused" else types.DiagnosticSeverity.Warning
        place = checked.range_of_line(max(line_of(entry) - 1, 0))
        yield types.Diagnostic(place, f"The directive {entry.note}", severity, entry.kind, source=SOURCE)


# --- hovering -----------------------------------------------------------------------------------------------------


def hover(checked: Checked, position: types.Position, look: Look) -> types.Hover | None:
    """Return what is told of the sentence at a position, or None if nothing was found in it."""
    if checked.result is None:
        return None
    at = (position.line, position.character)
    found = [
        finding
        for finding in checked.result.findings
        if _holds(checked.range_of_sentence(finding.sentence), at)
        and (finding.priority != "info" or look.info == "hint" or finding.suppressed is not None)
    ]
    if not found:
        return None
    parts = [_told_of(checked, finding, look) for finding in found]
    kind = types.MarkupKind.Markdown if look.markdown else types.MarkupKind.PlainText
    return types.Hover(
        types.MarkupContent(kind, ("\n\n---\n\n" if look.markdown else "\n\n").join(parts)),
        checked.range_of_sentence(found[0].sentence),
    )


def _holds(place: types.Range, at: tuple[int, int]) -> bool:
    return (place.start.line, place.start.character) <= at <= (place.end.line, place.end.character)


def _told_of(checked: Checked, finding: Finding, look: Look) -> str:
    """Return everything about a finding: what it is, why, its cues, what to write instead, and the sources."""
    escape = _escaped if look.markdown else str
    strong = "**" if look.markdown else ""
    sure = certainty_of(finding, checked.thresholds or {})
    head = [f"{strong}{shown_label(finding.label).display}{strong}", _PRIORITY_WORDS[finding.priority]]
    if sure is not None:
        head.append(sure)
    lines = [" · ".join(head)]
    facts = [] if finding.suppressed is None else [("Not counted", suppression_words(finding.suppressed))]
    facts += [(fact.name, fact.text) for fact in _facts(checked, finding)]
    facts += [("To ask", rule_of(match.id).check) for match in finding.rules]
    cues = _cue_words(finding)
    facts += [("Cues", cues)] if cues else []
    lines += [f"- {name}: {escape(one_line(text))}" for name, text in facts]
    lines += [
        f"- Source: [{escape(name)}](<{address}>)" if look.markdown else f"- Source: {name}, {address}"
        for name, address in _sources(finding).items()
    ]
    return "\n".join([lines[0], "", *lines[1:]])


def _facts(checked: Checked, finding: Finding) -> Sequence[Fact]:
    if checked.result is None:
        return ()
    return facts_of(checked.result, finding, rule_lines([finding], checked.today))


def _cue_words(finding: Finding) -> str:
    """Return the phrases that the cue lists know, each with what its list is about."""
    about = {entry.name: entry.about for entry in cue_lists()}
    said: dict[str, None] = {}
    for cue in finding.cues:
        told = about.get(cue.name, f"your own list {cue.name}").rstrip(".")
        said[f"“{' '.join(cue.text.split())}” ({told[:1].lower() + told[1:]})"] = None
    return ", ".join(said)


def _sources(finding: Finding) -> dict[str, str]:
    """Return the guides and provisions behind a finding, and where they stand."""
    found = {entry.guide: entry.address for entry in finding.suggestions if entry.guide and entry.address}
    found.update({rule_of(match.id).citation: rule_of(match.id).address for match in finding.rules})
    return found


_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:@$])")


def _escaped(text: str) -> str:
    """Return a text so that Markdown shows it as it is: a draft must not write links into what is told of it."""
    return _MARKUP.sub(r"\\\1", text)


# --- code actions -------------------------------------------------------------------------------------------------


def actions(checked: Checked, wanted: types.Range, look: Look) -> list[types.CodeAction]:
    """Return what can be done about the findings in a range: write the suggested words, or mark them as fine."""
    found: list[types.CodeAction] = []
    for finding in _seen(checked, look):
        place = checked.range_of_sentence(finding.sentence)
        if _before(place.end, wanted.start) or _before(wanted.end, place.start):
            continue
        about = _diagnostic(checked, finding, look)
        for suggestion in finding.suggestions:
            action = _replacing(checked, suggestion, about, look)
            if action is not None:
                found.append(action)
        action = _suppress(checked, finding, about, look)
        if action is not None:
            found.append(action)
    return found


def _before(one: types.Position, other: types.Position) -> bool:
    return (one.line, one.character) < (other.line, other.character)


def _replacing(
    checked: Checked, suggestion: Suggestion, about: types.Diagnostic, look: Look
) -> types.CodeAction | None:
    """Return the action that writes the suggested words, None if there are none or markup stands among the old."""
    page = checked.result.page if checked.result else None
    span = page.source_span(suggestion.start, suggestion.end) if page else None
    if suggestion.replacement is None or span is None:
        return None
    if checked.positions.region(*span).text.split() != suggestion.text.split():
        return None
    edit = types.TextEdit(checked.range_of(*span), suggestion.replacement)
    title = f"Write “{one_line(suggestion.replacement)}” in place of “{one_line(suggestion.text)}”"
    return types.CodeAction(
        title,
        kind=types.CodeActionKind.QuickFix,
        diagnostics=[about],
        is_preferred=True,
        edit=_workspace_edit(checked, edit, look),
    )


def _workspace_edit(checked: Checked, edit: types.TextEdit, look: Look) -> types.WorkspaceEdit:
    if not look.versioned:
        return types.WorkspaceEdit(changes={checked.uri: [edit]})
    document = types.OptionalVersionedTextDocumentIdentifier(uri=checked.uri, version=checked.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [edit])])


def _suppress(checked: Checked, finding: Finding, about: types.Diagnostic, look: Look) -> types.CodeAction | None:
    """Return the action that writes a directive, whose reason is the user's.

    A client with the command `ASK_REASON` is given it with one argument: `uri`, `version`, `position`, and `before` and
    `after`, which with the reason between them are to be written there. Any other client gets an edit whose reason is
    empty: such a directive is not obeyed, and its diagnostic says that a reason is missing.
    """
    found = directive_place(checked, finding)
    if found is None:
        return None
    title = f"Mark as fine, with a reason: {shown_label(finding.label).display.lower()}"
    action = types.CodeAction(title, kind=types.CodeActionKind.QuickFix, diagnostics=[about])
    if look.asks_reason:
        place = {"line": found.position.line, "character": found.position.character}
        argument = {
            "uri": checked.uri,
            "version": checked.version,
            "position": place,
            "before": found.before,
            "after": found.after,
        }
        action.command = types.Command(title, ASK_REASON, arguments=[argument])
    else:
        edit = types.TextEdit(types.Range(found.position, found.position), found.before + found.after)
        action.edit = _workspace_edit(checked, edit, look)
    return action


@dataclass(frozen=True)
class DirectivePlace:
    """Where a directive goes, and how it is written: `before`, a reason, `after`."""

    position: types.Position
    before: str
    after: str


def directive_place(checked: Checked, finding: Finding) -> DirectivePlace | None:
    """Return where a directive marks a finding as fine and changes nothing else, or None if no place is known.

    Every place is tried: the text is read again with a directive in it, and must be the same text.
    """
    if checked.result is None:
        return None
    sentence = _sentence(checked, finding)
    block = sentence.block
    whole = checked.result.page.source_cover(block.start, block.end)
    own = checked.result.page.source_cover(sentence.start, sentence.end)
    if whole is None or own is None:
        return None
    block_range = checked.range_of(*whole)
    end_of_line = "\r\n" if "\r\n" in checked.text else "\n"
    above = types.Position(block_range.start.line, 0)
    if checked.format == "text":
        before, after = f"[mdclaims: ok {finding.name}, reason: ", "]"
        behind = checked.range_of_line(block_range.end.line).end
        candidates = [
            DirectivePlace(above, before, after + end_of_line),
            DirectivePlace(behind, end_of_line + before, after),
        ]
    else:
        before, after = f"<!-- mdclaims: ok {finding.name}, reason: ", " -->"
        line = DirectivePlace(above, before, after + end_of_line)
        inline = [
            DirectivePlace(position, f" {before}", after) for position in (checked.range_of(*own).end, block_range.end)
        ]
        # A line between two items would make two lists of one.
        candidates = [line, *inline] if block.kind in {"title", "heading", "paragraph"} else [*inline, line]
    return next((place for place in candidates if _works(checked, sentence, place)), None)


_SAMPLE = "tried by mdclaims"


def _works(checked: Checked, sentence: Sentence, place: DirectivePlace) -> bool:
    """Return whether a directive at a place belongs to the sentence's block alone, and leaves the text as it is."""
    if checked.result is None:
        return False
    page = checked.result.page
    at = checked.positions.place_of(place.position.line, place.position.character)
    changed = checked.text[:at] + place.before + _SAMPLE + place.after + checked.text[at:]
    try:
        again = read_decoded(changed, source=page.source, format=checked.format, limits=checked.limits)
    except ReadError:  # it was at the limit
        return False
    spans = [(entry.first_block, entry.last_block) for entry in again.directives if entry.text.endswith(_SAMPLE)]
    same = again.text == page.text and again.blocks == page.blocks
    return same and spans == [(sentence.block.index, sentence.block.index + 1)]
