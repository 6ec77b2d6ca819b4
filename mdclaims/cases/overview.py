"""Writes the overview of a case: which sites to read first, their claims to decide on, and what was not read.

It owns the columns of the spreadsheets; docs/overview.md documents them, and `mdclaims decide` reads some of them back.
Rows are written as they come, so that the number of claims costs time and disk and no memory.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.coverage import Coverage
from mdclaims.cases.decisions import STATES, Decisions
from mdclaims.cases.distinct import ORDER, DistinctClaim, distinct_claims
from mdclaims.cases.ranking import MEASURES, RankedSite, Ranking, budget_line, strongest
from mdclaims.errors import UsageError
from mdclaims.findings.rules import rules, rules_of
from mdclaims.labels import PRIORITIES, label_info
from mdclaims.reports.controls import visible_controls
from mdclaims.reports.tables import cell_text, harmless

if TYPE_CHECKING:
    from openpyxl import Workbook

FINDINGS: dict[str, str] = {
    "exhibit": "Its id: the same in a later screening as long as page and claim are.",
    "site": "Whose page it is.",
    "page": "Title of the page, or the name of its file.",
    "address": "Where it stands.",
    "quote": "The sentence, whole.",
    "heading": "The headings above it, outermost first, joined by ` › `.",
    "label": "What it is in words; for a rule that needs no label, the id of the rule.",
    "stance": "What the sentence does with its label.",
    "priority": "`high`, `normal` or `info`.",
    "reason": "Why it has that priority.",
    "qualifier": "The nearest risk, limit or source in its section, in full, or `none found in the text read`.",
    "provisions": "Ids of the provisions that it may touch, joined by `; `.",
    "copies": "How many findings of the site are the same words; this row stands for them.",
    "decision": "To be filled: open, upheld, dismissed, referred or fixed.",
    "provision": "To be filled: the provision that you choose.",
    "note": "To be filled: why.",
    "reviewer": "To be filled: who decided.",
}
"""The columns of the claims and what they hold, in order; columns are only ever added, at the end."""

SITES: dict[str, str] = {
    "rank": "From 1; empty if nothing counts.",
    "site": "Its name in the case.",
    "points": "Their sum, at most 100.",
    **{f"points: {measure.words}": f"At most {measure.most:g}." for measure in MEASURES},
    "reason": "What the points are for, in words.",
    "quote 1": "The strongest claim.",
    "quote 2": "The next that is not nearly the same.",
    "quote 3": "And the next.",
    "pages read": "Of the pages found.",
    "pages found": "That could have been judged.",
    "high claims": "Distinct ones that count.",
    "decisions open": "Those of them that nobody has decided.",
    "verdict": "What was read, in words.",
    "listed": "What your own lists say about the site.",
}
"""The columns of the sites."""

MOST_ROWS = 1_048_576
"""Rows of a sheet in Excel and LibreOffice, its first line included."""

NO_QUALIFIER = "none found in the text read"
_BATCH = 500
_BYTE_ORDER_MARK = "\ufeff"

Row = Sequence[str | int | float | None]


@dataclass(frozen=True, slots=True)
class Overview:
    """What was written.

    Attributes
    ----------
    files : tuple of Path
    claims : int
        Rows of claims.
    left_out : tuple of str
        A line for each thing that is not in the file.
    """

    files: tuple[Path, ...]
    claims: int
    left_out: tuple[str, ...]


def write_overview(
    case: OpenCase, ranking: Ranking, decisions: Decisions, path: Path, *, down_to: str = "normal", first: int = 1
) -> Overview:
    """Write the overview of a case.

    That is one file to look at (`.html`), one with all sheets (`.xlsx`), or one with the claims and `NAME-sites.csv`
    beside it (`.csv`).

    Parameters
    ----------
    case : OpenCase
        After `mdclaims.cases.ranking.rank`.
    ranking : Ranking
    decisions : Decisions
    path : Path
        Must not exist: it could hold decisions that somebody typed into it.
    down_to : str
        The last priority that is listed; what is less urgent is counted.
    first : int
        The rank that an HTML file begins with; the others hold all.

    Raises
    ------
    UsageError
        If the file exists, cannot be written, or has another suffix.
    """
    writers: dict[str, Callable[..., Overview]] = {".csv": _write_csv, ".xlsx": _write_xlsx}
    suffix = path.suffix.lower()
    if suffix not in {*writers, ".html"}:
        raise UsageError(f"{path} must end in .html, .xlsx or .csv")
    if suffix == ".html":
        return _write_html(case, ranking, decisions, path, down_to, first)
    if first != 1:
        raise UsageError(f"--from belongs to .html; {path.name} holds all sites")
    return writers[suffix](case, ranking, decisions, path, down_to)


# --- rows -----------------------------------------------------------------------------------------------------------


def finding_rows(case: OpenCase, ranking: Ranking, decisions: Decisions, down_to: str) -> Iterator[Row]:
    """Yield a row for each distinct claim in the order of reading: site by site, the strongest first."""
    import pyarrow as pa

    connection = case.connection
    places = pa.table({"site": [site.site for site in ranking.sites], "place": range(len(ranking.sites))})
    connection.register("places_now", places)
    connection.execute("CREATE OR REPLACE TABLE places AS SELECT * FROM places_now")
    connection.unregister("places_now")
    # Claims that count for no rank stand behind those that do.
    for claim in distinct_claims(
        case,
        "c.urgency <= ?",
        [PRIORITIES.index(down_to) + 1],
        tables="JOIN places AS p ON p.site = c.site",
        order=f"p.place, c.counts DESC, {ORDER}",
    ):
        yield _finding_row(claim, decisions)


def _finding_row(claim: DistinctClaim, decisions: Decisions) -> Row:
    decision = decisions.of(claim.exhibit)
    label = claim.name if claim.label is None else label_info()[claim.label].display
    without = NO_QUALIFIER if claim.unqualified and claim.qualifier is None else ""
    return (
        claim.exhibit,
        claim.site,
        claim.title or claim.address.rpartition("/")[2],
        claim.address,
        claim.quote,
        " › ".join(claim.headings),
        label,
        claim.stance or "",
        claim.priority,
        claim.reason,
        claim.qualifier or without,
        "; ".join(claim.rules),
        claim.copies,
        *(("", "", "", "") if decision is None else _decision_cells(decision)),
    )


def _decision_cells(decision: Any) -> tuple[str, str, str, str]:
    return decision.decision, decision.provision or "", decision.reason, decision.reviewer


def site_rows(case: OpenCase, sites: Sequence[RankedSite]) -> Iterator[Row]:
    """Yield a row for each site."""
    for start in range(0, len(sites), _BATCH):
        batch = sites[start : start + _BATCH]
        quotes = strongest(case, [site.site for site in batch if site.rank is not None])
        for site in batch:
            words = [claim.quote for claim in quotes.get(site.site, [])]
            yield (
                site.rank,
                site.site,
                round(site.total, 1),
                *(round(point.points, 1) for point in site.points),
                site.reason,
                *words,
                *[""] * (3 - len(words)),
                site.read,
                site.found,
                site.high,
                site.open,
                site.verdict,
                "; ".join(f"{name}: {value}" for name, value in site.listed.items()),
            )


def head_lines(ranking: Ranking) -> list[str]:
    """Return what stands above the sites: how many, what reading them takes, and what the campaign hides."""
    lines = [
        f"{len(ranking.sites):,} sites, {len(ranking.ranked):,} of them ranked; {len(ranking.not_judged):,} could not "
        f"be judged and are a list of their own. {ranking.grouping.findings:,} findings are "
        f"{ranking.grouping.claims + ranking.grouping.hidden:,} distinct claims."
    ]
    lines += [budget_line(ranking, budget) for budget in ranking.budgets]
    if ranking.campaign is not None:
        lines.append(
            f"Campaign {ranking.campaign.name}: {ranking.campaign.about} It hides {ranking.grouping.hidden:,} distinct "
            "claims."
        )
        foreign = ranking.foreign_rules
        if foreign:
            lines.append(
                f"The campaign names {', '.join(foreign)}, and the case was not screened for that jurisdiction: screen "
                "again with --jurisdiction to find them."
            )
    if not ranking.jurisdictions:
        lines.append("The case was screened without --jurisdiction: no site has points for provisions.")
    if ranking.grouping.not_compared:
        lines.append(
            f"{ranking.grouping.not_compared:,} texts were compared with those of other sites for equal text alone."
        )
    return lines


def _left_out(ranking: Ranking, counts: Mapping[str, int], down_to: str, over: Mapping[str, int]) -> tuple[str, ...]:
    """Say what the file does not hold."""
    lines = []
    below = {name: counts.get(name, 0) for name in PRIORITIES[PRIORITIES.index(down_to) + 1 :] if counts.get(name)}
    for name, number in below.items():
        lines.append(f"{number:,} distinct claims of priority {name}: write the overview with --down-to {name}")
    if ranking.grouping.hidden:
        lines.append(f"{ranking.grouping.hidden:,} distinct claims that the campaign hides: leave --campaign out")
    for sheet, number in over.items():
        lines.append(
            f"{number:,} rows of {sheet}, the last in the order of reading: no sheet has more rows; write .csv"
        )
    return tuple(lines)


def _counts(case: OpenCase) -> dict[str, int]:
    rows = case.connection.execute("SELECT urgency, count(*) FROM claims WHERE weight > 0 GROUP BY 1").fetchall()
    return {PRIORITIES[urgency - 1]: number for urgency, number in rows}


# --- HTML -----------------------------------------------------------------------------------------------------------


def _write_html(
    case: OpenCase, ranking: Ranking, decisions: Decisions, path: Path, down_to: str, first: int
) -> Overview:
    from mdclaims.cases.overview_html import render_overview

    if ranking.ranked and first > len(ranking.ranked):
        raise UsageError(f"--from {first} is behind the last ranked site, which is {len(ranking.ranked)}")
    with _new_file(path) as stream:
        page = render_overview(case, ranking, decisions, lines=head_lines(ranking), down_to=down_to, first=first)
        stream.write(page.text.encode())
    return Overview((path,), page.claims, page.left_out)


# --- CSV ------------------------------------------------------------------------------------------------------------


def _write_csv(case: OpenCase, ranking: Ranking, decisions: Decisions, path: Path, down_to: str) -> Overview:
    beside = path.with_name(f"{path.stem}-sites.csv")
    with _new_file(path) as claims_file, _new_file(beside) as sites_file:
        claims = _csv(claims_file, FINDINGS, finding_rows(case, ranking, decisions, down_to))
        _csv(sites_file, SITES, site_rows(case, ranking.sites))
    return Overview((path, beside), claims, _left_out(ranking, _counts(case), down_to, {}))


def _csv(stream: IO[bytes], columns: Iterable[str], rows: Iterable[Row]) -> int:
    """Write a table as `mdclaims check --format csv` does; return how many rows it has."""
    import io

    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=False)
    text.write(_BYTE_ORDER_MARK)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    number = 0
    for number, row in enumerate(rows, start=1):  # noqa: B007  # the last is how many
        writer.writerow([harmless(visible_controls(cell)) if isinstance(cell, str) else cell for cell in row])
    text.flush()
    text.detach()
    return number


# --- Excel ----------------------------------------------------------------------------------------------------------

_WIDTHS = {
    "exhibit": 18, "site": 28, "page": 24, "address": 30, "quote": 70, "heading": 30, "reason": 40, "qualifier": 40,
    "provisions": 24, "decision": 12, "provision": 20, "note": 40, "reviewer": 16, "verdict": 34, "listed": 30,
    "quote 1": 60, "quote 2": 60, "quote 3": 60, "what": 120,
}  # fmt: skip
_LINE = 14.0  # points
_MOST_LINES = 12
_LISTS = "Lists"


def _write_xlsx(case: OpenCase, ranking: Ranking, decisions: Decisions, path: Path, down_to: str) -> Overview:
    with _new_file(path) as stream, _new_book() as book:
        overview = _fill(book, case, ranking, decisions, path, down_to)
        book.save(stream)
    return overview


def _fill(book: Workbook, case: OpenCase, ranking: Ranking, decisions: Decisions, path: Path, down_to: str) -> Overview:
    over: dict[str, int] = {}
    _Sheet(book, "Sites", SITES, above=head_lines(ranking)).extend(site_rows(case, ranking.sites), over)
    findings = _Sheet(book, "Findings", FINDINGS)
    claims = findings.extend(finding_rows(case, ranking, decisions, down_to), over)
    provisions = [rule.id for rule in (rules_of(ranking.jurisdictions) if ranking.jurisdictions else rules())]
    findings.offer("decision", '"' + ",".join(STATES) + '"', "one of " + ", ".join(STATES))
    findings.offer("provision", f"{_LISTS}!$A$2:$A${len(provisions) + 1}", "the id of a rule; see mdclaims rules")
    _Sheet(book, "Not judged", _NOT_JUDGED).extend(map(_not_judged_row, ranking.not_judged), over)
    _Sheet(book, "Coverage", _COVERAGE).extend(_coverage_rows(case), over)
    left_out = _left_out(ranking, _counts(case), down_to, over)
    _Sheet(book, "About", ["what"]).extend(([line] for line in _about_lines(case, ranking, left_out)), over)
    lists = _Sheet(book, _LISTS, ["provision"])
    lists.extend(([rule] for rule in provisions), over)
    lists.sheet.sheet_state = "hidden"
    return Overview((path,), claims, left_out)


@contextmanager
def _new_book() -> Iterator[Workbook]:
    """Give a workbook whose sheets are closed in order, whatever happens."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    try:
        yield book
    finally:
        for sheet in book.worksheets:
            if not sheet.closed:
                sheet.close()


class _Sheet:
    """A sheet that is written row by row.

    Parameters
    ----------
    book : Workbook
    title : str
    columns : sequence of str
    above : sequence of str
        Lines above the columns' names.
    """

    def __init__(self, book: Workbook, title: str, columns: Iterable[str], *, above: Sequence[str] = ()) -> None:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Font
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.properties import PageSetupProperties

        self.sheet = book.create_sheet(title)
        self._columns = list(columns)
        self._first = len(above) + 1
        self._rows = 0
        self._title = title
        self._widths = [_WIDTHS.get(name, max(len(name) + 2, 10)) for name in self._columns]
        for number, width in enumerate(self._widths, start=1):
            self.sheet.column_dimensions[get_column_letter(number)].width = width
        self.sheet.page_setup.orientation = "landscape"
        self.sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        self.sheet.page_setup.fitToHeight = 0  # as many pages as it takes, one wide
        self.sheet.freeze_panes = f"A{self._first + 1}"
        # A cell of each kind (a text, one that could be taken for a formula, a number, a head), filled anew for each
        # value and written at once.
        cells = [WriteOnlyCell(self.sheet, "") for _ in range(4)]
        self._text, self._guarded, self._number, self._head = cells
        for cell in cells:
            cell.alignment = Alignment(vertical="top", wrap_text=cell is not self._head)
        self._guarded.quotePrefix = True
        self._head.font = Font(bold=True)
        for line in above:
            self.sheet.append([self._cell(line, self._head)])
        self.sheet.append(self._cell(name, self._head) for name in self._columns)

    def extend(self, rows: Iterable[Row], over: dict[str, int]) -> int:
        """Write rows as long as the sheet has room, count the others into `over`; return how many were written."""
        for row in rows:
            if self._first + self._rows >= MOST_ROWS:
                over[self._title] = over.get(self._title, 0) + 1
                continue
            self._rows += 1
            # Excel fits rows to wrapped text by itself, LibreOffice does not.
            place = self._first + self._rows
            self.sheet.row_dimensions[place].height = _LINE * self._lines(row)
            self.sheet.append(self._cells(row))
            del self.sheet.row_dimensions[place]
        return self._rows

    def _lines(self, row: Row) -> int:
        """Return how many lines the longest text of a row takes, about."""
        texts = ((value, width) for value, width in zip(row, self._widths, strict=True) if isinstance(value, str))
        return min(max((-(-len(text) // width) for text, width in texts), default=1) or 1, _MOST_LINES)

    def offer(self, column: str, formula: str, said: str) -> None:
        """Give a column a drop-down."""
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation

        choice = DataValidation("list", formula1=formula, allow_blank=True, showErrorMessage=True)
        choice.errorTitle, choice.error = column, f"Choose {said}."
        letter = get_column_letter(self._columns.index(column) + 1)
        choice.add(f"{letter}{self._first + 1}:{letter}{max(self._first + self._rows, self._first + 1)}")
        self.sheet.data_validations.append(choice)

    def _cells(self, row: Row) -> Iterator[Any]:
        for value in row:
            if isinstance(value, str):
                text, is_guarded = cell_text(value)
                yield self._cell(text, self._guarded if is_guarded else self._text) if text else None
            elif value is not None:
                self._number.value = value
                yield self._number
            else:
                yield None

    @staticmethod
    def _cell(text: str, cell: Any) -> Any:
        cell.value = text
        cell.data_type = "s"  # what openpyxl takes for a formula is text as well
        return cell


_NOT_JUDGED = ("site", "rank", "verdict", "pages found", "pages read", "listed")
_COVERAGE = ("site", *(name for name in Coverage.__slots__), "verdict")


def _not_judged_row(site: RankedSite) -> Row:
    listed = "; ".join(f"{name}: {value}" for name, value in site.listed.items())
    return site.site, site.rank, site.verdict, site.found, site.read, listed


def _coverage_rows(case: OpenCase) -> Iterator[Row]:
    """Yield what was read and what was not: of all sites, then of each."""
    names = ", ".join(Coverage.__slots__)
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in Coverage.__slots__)
    cursor = case.connection.cursor()
    [row] = cursor.execute(f"SELECT {sums} FROM sites").fetchall()  # noqa: S608
    yield "all sites", *row, Coverage(*row).verdict()
    cursor.execute(f"SELECT site, {names}, verdict FROM sites ORDER BY site")  # noqa: S608
    while rows := cursor.fetchmany(_BATCH):
        yield from rows


def _about_lines(case: OpenCase, ranking: Ranking, left_out: Sequence[str]) -> Iterator[str]:
    content = case.manifest.content
    yield f"Case {case.folder.resolve().name}, SHA-256 of its manifest {case.manifest.sha256}"
    yield f"mdclaims {case.manifest.versions.get('mdclaims', '')}, mode {content['settings'].get('mode', '')}"
    yield "A finding says that a person should look there; it is no verdict. Rules are possible: check the provision."
    yield "Not in this file:" if left_out else "Nothing was left out of this file."
    yield from left_out
    yield "Points: most × count / (count + half), where the sum of the four is the rank."
    for measure in MEASURES:
        yield f"{measure.words}: most {measure.most:g}, half of it at {measure.half:g}"
    yield from head_lines(ranking)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name only once it is whole and on the disk; it must not exist."""
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} is there already, and may hold decisions; name another file, or move it away")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); choose another --output") from error
    finally:
        temporary.unlink(missing_ok=True)
