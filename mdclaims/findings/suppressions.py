"""What a user has said is fine: directives and answered comments in a document, and cleared wording in a file.

A suppressed finding stays in the result, with who said so and why; it only does not count. What gives no reason
or has expired is not obeyed, and what does nothing any more is told. `check` obeys, and the editor; a screened
page is never obeyed: `carries_directive` tells that it tries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from mdclaims.config import is_file
from mdclaims.findings.cleared import ClearedWording, Entry, parse_date, problem_of
from mdclaims.findings.findings import CloseWording, Finding, PageResult, ScoredSentence, Suppression, fold
from mdclaims.findings.review_comments import review_threads
from mdclaims.findings.rules import rule_of, rules
from mdclaims.findings.similarity import differences
from mdclaims.labels import LABELS
from mdclaims.reading.page import Directive, Page

NOTE_KINDS: tuple[str, ...] = ("malformed", "no_reason", "expired", "unused", "gone")


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a directive, an entry or a file that a user should know.

    Attributes
    ----------
    source : str
        File and line.
    kind : str
        One of `NOTE_KINDS`.
    note : str
        One line: what is wrong and what to do.
    """

    source: str
    kind: str
    note: str


def carries_directive(page: Page) -> bool:
    """Return whether a page tells mdclaims something about itself, obeyed or not."""
    return bool(page.directives)


# --- directives ---------------------------------------------------------------------------------------------------

_FIELDS = ("reason", "until", "owner", "reference", "evidence")
_FIELD = re.compile(rf",\s*({'|'.join(_FIELDS)})\s*:", re.IGNORECASE)
_USAGE = "write mdclaims: ok LABEL, reason: ..., until: YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a directive asks for: some findings in some blocks are fine.

    Attributes
    ----------
    directive : Directive
    names : tuple of str
        Of the findings: labels, and ids of rules that need none.
    reason : str
    until : date or None
    owner, reference, evidence : str or None
    """

    directive: Directive
    names: tuple[str, ...]
    reason: str
    until: date | None
    owner: str | None
    reference: str | None
    evidence: str | None


_CHOICE = f"choose from {', '.join(LABELS)}, or name a rule that needs none, then go on with , reason: ..."


def _finding_name(written: str) -> str | None:
    """Return the label or rule that somebody wrote, in whatever case, or None."""
    if written.lower() in LABELS:
        return written.lower()
    return next((rule.id for rule in rules() if rule.id.casefold() == written.casefold()), None)


def parse_directive(directive: Directive) -> Permission | str:
    """Return what a directive asks for, or one line that says what is wrong with it."""
    # The names end where the first field begins; a reason may hold commas.
    pieces = _FIELD.split(directive.text)
    command, *written = pieces[0].replace(",", " ").split() or [""]
    if command.lower() != "ok":
        return f"is no directive; {_USAGE}"
    names: dict[str, None] = {}
    for name in written:
        found = _finding_name(name)
        if found is None:
            return f"names the unknown label {name[:60]!r}; {_CHOICE}"
        if found not in LABELS and rule_of(found).needs_label:
            return f"names {found}, which only touches findings with a label; name their label"
        names[found] = None
    if not names:
        return f"names no label; {_CHOICE}"
    fields: dict[str, str] = {}
    for name, value in zip(pieces[1::2], pieces[2::2], strict=True):
        if name.lower() in fields:
            return f"gives {name.lower()} twice; {_USAGE}"
        fields[name.lower()] = value.strip()
    until = parse_date(fields["until"]) if "until" in fields else None
    if "until" in fields and until is None:
        return f"has no date in until: {fields['until'][:60]!r}; write it as 2027-01-31"
    return Permission(
        directive=directive,
        names=tuple(names),
        reason=fields.get("reason", ""),
        until=until,
        owner=fields.get("owner") or None,
        reference=fields.get("reference") or None,
        evidence=fields.get("evidence") or None,
    )


# --- one page -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What suppressing did to one page.

    Attributes
    ----------
    result : PageResult
        With `suppressed` and `close_to` set.
    notes : tuple of Note
        About the page's own directives.
    used : frozenset of Entry
        Entries of the cleared file that apply to the page, or would in another mode.
    refused : frozenset of Entry
        Entries that would apply but have expired or give no reason.
    """

    result: PageResult
    notes: tuple[Note, ...] = ()
    used: frozenset[Entry] = frozenset()
    refused: frozenset[Entry] = frozenset()


def suppress(
    result: PageResult,
    *,
    today: date,
    floors: Mapping[str, float],
    names: Collection[str] = LABELS,
    cleared: ClearedWording | None = None,
    file: str | None = None,
) -> Outcome:
    """Mark the findings of a page that a user has said are fine, or whose wording is close to cleared wording.

    Parameters
    ----------
    result : PageResult
    today : date
        What lasted until a day before is not obeyed.
    floors : mapping of str to float
        The lowest threshold of each label over all modes: below it a sentence never has the label.
    names : collection of str
        What findings can be called in this run, see `Screener.names`; of other labels and rules nothing is said.
    cleared : ClearedWording, optional
    file : str, optional
        How entries of `cleared` name the page.
    """
    notes: list[Note] = []
    permissions: list[Permission] = []
    for directive in result.page.directives:
        parsed = parse_directive(directive)
        if isinstance(parsed, str):
            notes.append(Note(_where(result.page, directive), "malformed", parsed))
            continue
        problem = problem_of(parsed.reason, parsed.until, today)
        if problem is None:
            permissions.append(parsed)
        else:
            notes.append(Note(_where(result.page, directive), "expired" if parsed.reason else "no_reason", problem))
    permitted = _permitted(permissions, len(result.page.blocks))
    commented, comment_notes = _by_comments(result, today, floors, names)
    notes += comment_notes
    used: set[Entry] = set()
    refused: set[Entry] = set()
    findings: list[Finding] = []
    for finding in result.findings:
        sentence = result.sentences[finding.sentence].sentence
        found: Suppression | None = None
        close: CloseWording | None = None
        if cleared is not None:
            matching = _matching(cleared, finding, sentence.text, file)
            refused.update(entry for entry in matching if entry.problem(today) is not None)
            holding = [entry for entry in matching if entry.problem(today) is None]
            used.update(holding)
            found = _by_entry(holding[0]) if holding else None
        chosen = permitted[finding.name][sentence.block.index] if finding.name in permitted else -1
        if found is None and chosen >= 0:
            found = _by_permission(permissions[chosen], _where(result.page, permissions[chosen].directive))
        if found is None:
            found = commented.get((finding.name, finding.sentence))
        if found is None and cleared is not None:
            close = _close(cleared, finding.name, sentence.text, today)
        findings.append(replace(finding, suppressed=found, close_to=close))
    notes += _unused_directives(permissions, result, floors, names)
    if cleared is not None:
        used |= _in_other_modes(cleared, result, file, floors)
    notes.sort(key=line_of)
    return Outcome(replace(result, findings=tuple(findings)), tuple(notes), frozenset(used), frozenset(refused))


def line_of(note: Note) -> int:
    """Return the line that a note is about, from 1; 0 if it names none."""
    tail = note.source.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0


def _where(page: Page, directive: Directive) -> str:
    return page.source if directive.line is None else f"{page.source}:{directive.line}"


def _by_comments(
    result: PageResult, today: date, floors: Mapping[str, float], names: Collection[str]
) -> tuple[dict[tuple[str, int], Suppression], list[Note]]:
    """Return what people have answered to our comments on a page, by (name, sentence), and notes about it."""
    found: dict[tuple[str, int], Suppression] = {}
    notes: list[Note] = []
    there = {(finding.name, finding.sentence) for finding in result.findings}
    for entry in review_threads(result.page, [scored.sentence for scored in result.sentences]):
        if entry.answer is None:
            continue
        where = f"{result.page.source}, comment answered by {entry.who or 'somebody'}"
        if not entry.names:
            said = "does not say any more what it is about; delete it and check again"
            notes.append(Note(where, "malformed", said))
            continue
        parsed = parse_directive(Directive(f"ok {' '.join(entry.names)}, {entry.answer}", None, 0, 0))
        if isinstance(parsed, str):
            notes.append(Note(where, "malformed", parsed))
            continue
        problem = problem_of(parsed.reason, parsed.until, today)
        if problem is not None:
            notes.append(Note(where, "expired" if parsed.reason else "no_reason", problem))
            continue
        suppression = _by_permission(parsed, where)
        for name in parsed.names:
            found.update({(name, sentence): suppression for sentence in entry.sentences})
        spots = [(name, n) for name in parsed.names if name in names for n in entry.sentences]
        bearing = any(
            result.sentences[n].scores[name] >= floors[name] if name in LABELS else (name, n) in there
            for name, n in spots
        )
        if entry.accepted and not bearing and any(name in names for name in parsed.names):
            notes.append(Note(where, "unused", "does nothing: nothing is found in its words any more; delete it"))
    return found, notes


def _matching(cleared: ClearedWording, finding: Finding, text: str, file: str | None) -> list[Entry]:
    """Return the entries that clear a finding, if they hold: the one place first, then the equal text."""
    here = cleared.here.get((file, finding.name, finding.fingerprint), ()) if file is not None else ()
    # Whoever reads the file must see there what it hides: an entry whose text was changed by hand is for another text.
    exact = [entry for entry in here if fold(entry.text) == fold(text)]
    return exact + list(cleared.everywhere.get((finding.name, fold(text)), ()))


def _by_entry(entry: Entry) -> Suppression:
    return Suppression(
        kind="file", where=entry.where, scope=entry.scope, reason=entry.reason, until=entry.until,
        owner=entry.owner, reference=entry.reference, evidence=entry.evidence,
    )  # fmt: skip


def _by_permission(permission: Permission, where: str) -> Suppression:
    return Suppression(
        kind="inline", where=where, scope="here", reason=permission.reason,
        until=permission.until, owner=permission.owner, reference=permission.reference, evidence=permission.evidence,
    )  # fmt: skip


def _close(cleared: ClearedWording, name: str, text: str, today: date) -> CloseWording | None:
    found = cleared.nearest(name, text)
    if found is None:
        return None
    entry, similarity = found
    return CloseWording(
        where=entry.where,
        text=entry.text,
        reference=entry.reference,
        similarity=similarity,
        differences=differences(entry.text, text),
        valid=entry.problem(today) is None,
        file=entry.file,
    )


def _permitted(permissions: Sequence[Permission], blocks: int) -> dict[str, npt.NDArray[np.int32]]:
    """Return by name the first permission for each block, as its index, -1 for none: shape (blocks,)."""
    first: dict[str, npt.NDArray[np.int32]] = {}
    for n in range(len(permissions) - 1, -1, -1):
        for name in permissions[n].names:
            if name not in first:
                first[name] = np.full(blocks, -1, np.int32)
            first[name][permissions[n].directive.first_block : permissions[n].directive.last_block] = n
    return first


def _unused_directives(
    permissions: Sequence[Permission], result: PageResult, floors: Mapping[str, float], names: Collection[str]
) -> Iterator[Note]:
    """Yield a note for each label that no sentence of a directive's blocks can have in any mode, and each idle rule."""
    entries = result.sentences
    # By block how many sentences stand before it, in all and of those that can have a label or bring up a rule.
    before = _sums_before(result, entries)
    bearing = {
        label: _sums_before(result, (entry for entry in entries if entry.scores[label] >= floors[label]))
        for label in LABELS
    }
    for name in {name for permission in permissions for name in permission.names} - bearing.keys():
        found = (entries[finding.sentence] for finding in result.findings if finding.name == name)
        bearing[name] = _sums_before(result, found)
    for permission in permissions:
        first, last = permission.directive.first_block, permission.directive.last_block
        for name in permission.names:
            if name in names and bearing[name][first] == bearing[name][last]:
                does = "has the label" if name in LABELS else "brings up"
                inside = before[first] != before[last]
                why = f"nothing in its block {does} {name}" if inside else "no text follows it"
                yield Note(_where(result.page, permission.directive), "unused", f"does nothing: {why}; delete it")


def _sums_before(result: PageResult, sentences: Iterable[ScoredSentence]) -> list[int]:
    """Return for each block, and behind the last, how many of some sentences stand before it."""
    counts = Counter(entry.sentence.block.index for entry in sentences)
    return [0, *accumulate(counts[block] for block in range(len(result.page.blocks)))]


def _in_other_modes(
    cleared: ClearedWording, result: PageResult, file: str | None, floors: Mapping[str, float]
) -> set[Entry]:
    """Return the entries whose sentence is there, but not with its label in this mode: they are no dead weight."""
    return {
        found
        for entry in result.sentences
        for label, score in entry.scores.items()
        if label not in entry.labels and score >= floors[label]
        for found in cleared.by_text.get((label, fold(entry.sentence.text)), ())
        if found.scope == "everywhere" or found.file == file
    }


# --- a whole run --------------------------------------------------------------------------------------------------


def entry_notes(
    cleared: ClearedWording,
    outcomes: Sequence[Outcome],
    *,
    files: Sequence[str],
    whole: bool,
    today: date,
    names: Collection[str] = LABELS,
) -> list[Note]:
    """Return what is to be said about the entries of a file of cleared wording after a run.

    Parameters
    ----------
    cleared : ClearedWording
    outcomes : sequence of Outcome
        Of the pages that the file serves.
    files : sequence of str
        Their names, as entries name them.
    whole : bool
        Everything in the file's folder was read; else only entries for `files` can be told to do nothing.
    today : date
    names : collection of str
        What findings can be called in this run, see `Screener.names`.
    """
    used = frozenset[Entry]().union(*(outcome.used for outcome in outcomes))
    refused = frozenset[Entry]().union(*(outcome.refused for outcome in outcomes))
    read = set(files)
    notes: list[Note] = []
    for entry in cleared.entries:
        if entry.name not in names:
            continue
        problem = entry.problem(today)
        if problem is not None:
            if whole or entry in refused or entry.file in read:
                notes.append(Note(entry.where, "expired" if entry.reason else "no_reason", problem))
        elif entry not in used and (whole or entry.file in read):
            if entry.scope == "everywhere":
                why = "its text stands nowhere"
            elif entry.file in read:
                why = f"its sentence is gone from {entry.file}, was reworded, or stands under another heading"
            else:
                if is_file(cleared.path.parent / str(entry.file)):  # left out, or not readable this time
                    continue
                why = f"{entry.file} is gone or renamed"
            notes.append(Note(entry.where, "unused", f"does nothing: {why}; delete it, or mend it"))
    return notes
