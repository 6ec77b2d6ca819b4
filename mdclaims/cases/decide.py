"""Brings decisions back from a sheet that people filled in: what is new, changed, unchanged, unknown, in conflict.

The sheet is the overview's "Findings". Nothing is written unless all of it can be, and a reviewer's decision takes the
place of another's only if that is asked for. docs/decisions.md tells users the rules.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from sys import intern
from typing import Any
from zipfile import BadZipFile

from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.covering import covered, with_copies
from mdclaims.cases.decisions import STATES, Decision, Decisions, Draft, append, check_reviewer, differ
from mdclaims.errors import MdclaimsError, ReadError, UsageError
from mdclaims.findings.rules import rules
from mdclaims.reports.tables import original

SHEET = "Findings"
"""Name of the sheet that is read of a workbook."""

COLUMNS = ("exhibit", "decision", "provision", "note", "reviewer")
"""The columns that are read; the first two have to be there."""

MOST_TOLD = 1_000
"""So many rows are told of each kind; the others are counted."""

_ID = re.compile(r"[0-9a-f]{16}")
_LONGEST_CELL = 2**20


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A decision as the sheet has it.

    Attributes
    ----------
    line : int
        Of the sheet, from 1; the first has the columns' names.
    exhibit, decision : str
    provision : str or None
    note, reviewer : str
        May be empty.
    """

    line: int
    exhibit: str
    decision: str
    provision: str | None
    note: str
    reviewer: str


@dataclass
class SheetReport:
    """What a sheet says that the case does not know yet.

    Attributes
    ----------
    new, changed, unchanged, conflicts : int
        Exhibits by what becomes of them; `changed` were decided otherwise by the same reviewer before, or by another
        who was overruled.
    copies : int
        Open exhibits that were decided along with these.
    undecided : int
        Rows without a decision.
    notes : int
        How many of those have a note or a provision, which is not kept without a decision.
    problems : list of str
        A line for each row that cannot be written; at most `MOST_TOLD`.
    untold : int
        How many there were beyond that.
    told : list of str
        A line for each conflict; at most `MOST_TOLD`.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    conflicts: int = 0
    copies: int = 0
    undecided: int = 0
    notes: int = 0
    problems: list[str] = field(default_factory=list)
    untold: int = 0
    told: list[str] = field(default_factory=list)

    def add_problem(self, reason: str) -> None:
        """Take in what cannot be written."""
        if len(self.problems) < MOST_TOLD:
            self.problems.append(reason)
        else:
            self.untold += 1

    def add_conflict(self, reason: str) -> None:
        """Take in an exhibit on which two reviewers do not agree."""
        self.conflicts += 1
        if len(self.told) < MOST_TOLD:
            self.told.append(reason)


class SheetError(MdclaimsError):
    """A sheet with rows that cannot be written, so that nothing was.

    Attributes
    ----------
    report : SheetReport
    """

    def __init__(self, path: Path, report: SheetReport) -> None:
        count = len(report.problems) + report.untold
        super().__init__(
            f"{path}: {count:,} {'row' if count == 1 else 'rows'} cannot be written, so nothing was; mend the sheet "
            "and run the same command again"
        )
        self.report = report


def decide(
    case: OpenCase,
    path: Path,
    decisions: Decisions,
    *,
    reviewer: str | None = None,
    copies: bool = False,
    overrule: bool = False,
    dry_run: bool = False,
) -> SheetReport:
    """Write into a case what a sheet says.

    Parameters
    ----------
    case : OpenCase
    path : Path
        `.xlsx` or `.csv`.
    decisions : Decisions
        The case's; brought up to date.
    reviewer : str or None
        Who decided where the column names nobody, or still names who decided before.
    copies : bool
        Each decision covers all open copies of its claim on the same site.
    overrule : bool
        Write also what differs from another reviewer's decision.
    dry_run : bool
        Write nothing.

    Raises
    ------
    ReadError
        If the sheet cannot be read.
    SheetError
        If a row of it cannot be written.
    CaseError
        If the log cannot be written, or someone decided otherwise in the meantime.
    """
    if reviewer is not None:
        check_reviewer(reviewer)
    report = SheetReport()
    wanted: dict[str, SheetRow | None] = {}
    for row in _decided_rows(path, report):
        _take(_named(row, reviewer, decisions), wanted, report)
    drafts: dict[str, Draft] = {}
    for row in filter(None, wanted.values()):
        draft = _weigh(row, decisions, report, overrule=overrule)
        if draft is not None:
            drafts[row.exhibit] = draft
    _check_known(case, wanted, report)
    if report.problems:
        raise SheetError(path, report)
    complete = _with_open_copies(case, drafts, decisions, report) if copies else _alone(case, drafts)
    if dry_run:
        for _ in complete:
            pass
    else:
        append(case.folder, complete, decisions)
    return report


def _alone(case: OpenCase, drafts: Mapping[str, Draft]) -> Iterator[Draft]:
    for exhibit in covered(case.connection, drafts):
        yield replace(drafts[exhibit.exhibit], covers=(exhibit,))


def _with_open_copies(
    case: OpenCase, drafts: Mapping[str, Draft], decisions: Decisions, report: SheetReport
) -> Iterator[Draft]:
    """Yield the decisions with the open copies of each claim, unless the sheet decides two copies differently."""
    for claim in with_copies(case.connection, drafts):
        named = [exhibit for exhibit in claim if exhibit.exhibit in drafts]
        others = [
            exhibit for exhibit in claim if exhibit.exhibit not in drafts and not decisions.words(exhibit.exhibit)
        ]
        first = drafts[named[0].exhibit]
        agree = all(drafts[exhibit.exhibit] == first for exhibit in named)
        if agree and first.decision != "open":
            report.copies += len(others)
            yield replace(first, covers=(*named, *others))
        else:
            for exhibit in named:
                yield replace(drafts[exhibit.exhibit], covers=(exhibit,))


# --- what becomes of a row -----------------------------------------------------------------------------------------


def _named(row: SheetRow, reviewer: str | None, decisions: Decisions) -> SheetRow:
    """Return a row with the reviewer whose decision it is.

    The overview fills the column with who decided last; whoever changes such a row and says so with `--reviewer` is
    the one who decided, not the one before.
    """
    last = decisions.of(row.exhibit)
    if last is not None and row.reviewer in {"", last.reviewer} and _same(row, last):
        return replace(row, reviewer=last.reviewer)
    if reviewer is not None and (not row.reviewer or (last is not None and row.reviewer == last.reviewer)):
        return replace(row, reviewer=reviewer)
    return row


def _same(row: SheetRow, decision: Decision) -> bool:
    said = (decision.decision, decision.provision, " ".join(decision.reason.split()))
    return said == (row.decision, row.provision, " ".join(row.note.split()))


def _take(row: SheetRow, wanted: dict[str, SheetRow | None], report: SheetReport) -> None:
    """Take in a row; what two rows say differently of an exhibit counts for neither."""
    try:
        check_reviewer(row.reviewer)
    except UsageError as error:
        unnamed = "it names no reviewer; fill the column, or name one with --reviewer"
        report.add_problem(f"row {row.line}: {error if row.reviewer else unnamed}")
        return
    if row.exhibit not in wanted:
        wanted[row.exhibit] = row
        return
    first = wanted[row.exhibit]
    if first is None or replace(first, line=row.line) == row:
        return
    if first.reviewer == row.reviewer:
        report.add_problem(f"row {row.line}: {row.reviewer} decided otherwise on the same exhibit in row {first.line}")
    elif (first.decision, first.provision) != (row.decision, row.provision):
        report.add_conflict(
            f"exhibit {row.exhibit}: {first.decision} by {first.reviewer} in row {first.line}, {row.decision} by "
            f"{row.reviewer} in row {row.line}; neither is written"
        )
        wanted[row.exhibit] = None


def _weigh(row: SheetRow, decisions: Decisions, report: SheetReport, *, overrule: bool) -> Draft | None:
    """Return a decision to be written, if there is one, and count what becomes of the row."""
    words = decisions.words(row.exhibit)
    mine = words.pop(row.reviewer, None)
    if (mine is not None and _same(row, mine)) or (mine is None and not words and row.decision == "open"):
        report.unchanged += 1
        return None
    draft = Draft(intern(row.reviewer), intern(row.decision), (), intern(row.note), row.provision)
    against = [decision for decision in words.values() if differ(draft, decision)]
    if against and not overrule:
        report.add_conflict(
            f"exhibit {row.exhibit}: {against[-1].decision} by {against[-1].reviewer} in the case, {row.decision} by "
            f"{row.reviewer} in row {row.line}; not written without --overrule"
        )
        return None
    if mine is not None or against:
        report.changed += 1
    else:
        report.new += 1
    return replace(draft, overrules=bool(against))


def _check_known(case: OpenCase, wanted: Mapping[str, SheetRow | None], report: SheetReport) -> None:
    unknown = set(wanted) - {exhibit.exhibit for exhibit in covered(case.connection, wanted)}
    for row in filter(None, (wanted[exhibit] for exhibit in wanted if exhibit in unknown)):
        report.add_problem(
            f"row {row.line}: exhibit {row.exhibit} is not in {case.folder}; is the sheet of an earlier screening? "
            "Bring it into that case, then carry it over with --from"
        )


# --- reading -------------------------------------------------------------------------------------------------------


def _decided_rows(path: Path, report: SheetReport) -> Iterator[SheetRow]:
    """Yield the rows of a sheet that hold a decision; count the others, and take in what is wrong."""
    provisions = {rule.id for rule in rules()}
    for line, cells in _sheet(path):
        exhibit, decision, provision, note, reviewer = cells
        if not decision:
            report.undecided += any(cells)
            report.notes += bool(note or provision)
            continue
        # A drop-down may show the title of a provision behind its id.
        rule = intern(provision.split()[0]) if provision else None
        reason = None
        if not _ID.fullmatch(exhibit):
            reason = (
                f"{exhibit[:40]!r} is no exhibit's id of 16 digits and letters a to f; a program that opened the CSV "
                "may have made a number of it: use the .xlsx"
            )
        elif decision.lower() not in STATES:
            reason = f"{decision[:40]!r} is no decision; choose {', '.join(STATES)}"
        elif rule is not None and rule not in provisions:
            reason = f"{rule[:40]!r} is no provision's id; see mdclaims rules"
        if reason is None:
            yield SheetRow(line, exhibit, intern(decision.lower()), rule, intern(note), intern(reviewer))
        else:
            report.add_problem(f"row {line}: {reason}")


def _sheet(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each row of a sheet, in the order of `COLUMNS`."""
    suffix = path.suffix.lower()
    if suffix not in {".xlsx", ".csv"}:
        raise ReadError(f"{path} is neither .xlsx nor .csv; save the sheet as one of them")
    rows = _xlsx_rows(path) if suffix == ".xlsx" else _csv_rows(path)
    heads = [str(cell or "").strip().lower() for cell in next(rows, ())]
    missing = [name for name in COLUMNS[:2] if name not in heads]
    if missing:
        raise ReadError(
            f"{path} has no column {' and no column '.join(missing)} in its first row; use the sheet that mdclaims "
            "overview wrote"
        )
    places = [heads.index(name) if name in heads else None for name in COLUMNS]
    for line, row in enumerate(rows, start=2):
        yield (
            line,
            [
                _text(row[place], suffix) if place is not None and place < len(row) and row[place] is not None else ""
                for place in places
            ],
        )


def _text(cell: object, suffix: str) -> str:
    text = str(cell)
    return (original(text) if suffix == ".csv" else text).strip()


def _csv_rows(path: Path) -> Iterator[Sequence[object]]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            head = stream.readline().lower()
            # Spreadsheets write semicolons where the comma is the decimal sign.
            marks = [mark for mark in ",;\t" if "exhibit" in [cell.strip(' "\r\n') for cell in head.split(mark)]]
            stream.seek(0)
            yield from csv.reader(stream, delimiter=marks[0] if marks else ",")
    except UnicodeDecodeError as error:
        raise ReadError(f"{path} is not UTF-8 text; save it as CSV UTF-8, or as .xlsx") from error
    except csv.Error as error:
        raise ReadError(f"{path} is not valid CSV ({error}); export it again") from error
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error


def _xlsx_rows(path: Path) -> Iterator[Sequence[object]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="openpyxl")  # of what it leaves out: drop-downs, styles
            book: Any = load_workbook(path, read_only=True, data_only=True)
            if SHEET not in book.sheetnames:
                raise ReadError(f"{path} has no sheet {SHEET}; use the workbook that mdclaims overview wrote")
            sheet = book[SHEET]
            sheet.reset_dimensions()  # what other programs write there may be wrong
            yield from sheet.iter_rows(values_only=True)
            book.close()
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from error
    except (BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, SyntaxError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ReadError(f"{path} is no Excel file that can be read ({reason}); save it again, or as CSV") from error
