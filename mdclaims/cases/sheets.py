"""The spreadsheet of a blind sample: writes it, and reads what people judged.

Page text stays text: what begins like a formula is marked as a text cell, as if typed behind an apostrophe.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO

from openpyxl import Workbook, load_workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from mdclaims.cases.contexts import InContext
from mdclaims.errors import ReadError
from mdclaims.labels import label_info
from mdclaims.reports.tables import cell_text

SAMPLE_SHEET, LABELS_SHEET = "Sample", "Labels"
NONE = "none"
_ID = re.compile(r"([0-9a-f]{12})-(\d{1,6})")
_WIDTHS = {"id": 19, "heading": 28, "before": 34, "sentence": 60, "after": 34, "note": 28, "page": 28, "address": 40}
_LABEL_WIDTH = 16


def put_text(cell: Cell, text: str | None) -> None:
    """Put text into a cell: never a formula, whatever it begins with; see `cell_text`."""
    if text is None:
        return
    cell.value, is_guarded = cell_text(text)
    cell.data_type = "s"
    cell.quotePrefix = is_guarded


def write_sheet(
    stream: BinaryIO, sample: str, labels: Sequence[str], rows: Sequence[tuple[Mapping[str, Any], InContext]]
) -> None:
    """Write the sheet of a sample.

    Parameters
    ----------
    stream : binary file
    sample : str
        The sample's id: 12 hex digits.
    labels : sequence of str
        To judge.
    rows : sequence of (mapping, InContext)
        ``title`` and ``address`` of the page, and the sentence; in the order of the draw, whose numbers they get.
    """
    book = Workbook()
    sheet = book.active
    sheet.title = SAMPLE_SHEET
    columns = ["id", "heading", "before", "sentence", "after", *labels, NONE, "note", "page", "address"]
    _write_head(sheet, columns)
    for number, (page, context) in enumerate(rows, 1):
        entry = context.entry
        texts = {
            "id": f"{sample}-{number:03d}",
            "heading": " > ".join(context.headings),
            "before": entry.previous,
            "sentence": entry.text,
            "after": entry.next,
            "page": page["title"],
            "address": page["address"],
        }
        for column, name in enumerate(columns, 1):
            cell = sheet.cell(number + 1, column)
            put_text(cell, texts.get(name) or None)
            cell.alignment = Alignment(wrap_text=name != "address", vertical="top")
            if name == "sentence":
                cell.font = Font(bold=True)
    last = len(rows) + 1
    _add_choice(sheet, columns, labels, "yes,no", last)
    _add_choice(sheet, columns, [NONE], "yes", last)
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{last}"
    _write_definitions(book.create_sheet(LABELS_SHEET), labels)
    book.save(stream)


def _write_head(sheet: Worksheet, columns: Sequence[str]) -> None:
    for number, name in enumerate(columns, 1):
        cell = sheet.cell(1, number)
        put_text(cell, name)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.column_dimensions[get_column_letter(number)].width = _WIDTHS.get(name, _LABEL_WIDTH)
    sheet.freeze_panes = "A2"


def _add_choice(sheet: Worksheet, columns: Sequence[str], names: Sequence[str], choices: str, last: int) -> None:
    """Give columns a drop-down."""
    choice = DataValidation(type="list", formula1=f'"{choices}"', allow_blank=True, showErrorMessage=True)
    choice.errorTitle, choice.error = "Not one of the choices", f"Choose {choices.replace(',', ' or ')}."
    for name in names:
        letter = get_column_letter(columns.index(name) + 1)
        choice.add(f"{letter}2:{letter}{last}")
    sheet.add_data_validation(choice)


def _write_definitions(sheet: Worksheet, labels: Sequence[str]) -> None:
    """Write what the labels mean, and how to fill the sheet."""
    known = tomllib.loads((files("mdclaims") / "data" / "sample" / "definitions.toml").read_text(encoding="utf-8"))
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 22, 110
    lines: list[tuple[str, str]] = [("How to judge" if not n else "", line) for n, line in enumerate(known["how"])]
    for label in labels:
        lines += [("", ""), (label, known[label]["definition"]), ("shown as", label_info()[label].display)]
        for title, key in (("carries it", "carries"), ("does not", "does_not")):
            lines += [(title if not n else "", example) for n, example in enumerate(known[label][key])]
    for number, texts in enumerate(lines, 1):
        for column, text in enumerate(texts, 1):
            cell = sheet.cell(number, column)
            put_text(cell, text or None)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if column == 1:
                cell.font = Font(bold=True)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What someone judged.

    Attributes
    ----------
    sample : str
        The id of the sample it was made for.
    answers : dict of int to tuple of str
        The labels that each judged row carries, by its number in the draw.
    """

    sample: str
    answers: Mapping[int, tuple[str, ...]]


def read_sheet(path: Path, labels: Sequence[str] | None = None) -> Sheet:
    """Read a sheet that was filled, wholly or in part.

    Parameters
    ----------
    path : Path
    labels : sequence of str, optional
        Those that were to be judged; without them only `sample` is of use.

    Raises
    ------
    ReadError
        If it is no such sheet, or something in it cannot be understood; the message names row and column.
    """
    answers: dict[int, tuple[str, ...]] = {}
    samples: set[str] = set()
    numbers: set[int] = set()
    for place, row in _rows(path):
        found = _ID.fullmatch(str(row.get("id") or "").strip())
        if found is None:
            raise ReadError(f"{path}, row {place}: the id {row.get('id')!r} is none of a sample; restore it")
        number = int(found[2])
        samples.add(found[1])
        if number in numbers:
            raise ReadError(f"{path}, row {place}: {found[0]} stands there twice; remove one of the rows")
        numbers.add(number)
        judged = None if labels is None else _judgement(path, place, row, labels)
        if judged is not None:
            answers[number] = judged
    if len(samples) != 1:
        raise ReadError(f"{path} holds rows of {len(samples)} samples; give each its own file")
    return Sheet(samples.pop(), answers)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a sheet that have an id or anything else, each with its number."""
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise ReadError(f"{path} cannot be read ({error.strerror or error})") from error
    except Exception as error:  # openpyxl raises whatever a damaged file leads to
        raise ReadError(f"{path} cannot be read as a spreadsheet ({type(error).__name__}); save it as .xlsx") from error
    try:
        if SAMPLE_SHEET not in book.sheetnames:
            raise ReadError(f"{path} has no sheet {SAMPLE_SHEET!r}; give the file that export --sample wrote")
        rows = book[SAMPLE_SHEET].iter_rows(values_only=True)
        columns = [str(name or "").strip() for name in next(rows, ())]
        for number, values in enumerate(rows, 2):
            row = dict(zip(columns, values, strict=False))
            if any(value is not None for value in values):
                yield number, row
    finally:
        book.close()


def _judgement(path: Path, place: int, row: Mapping[str, Any], labels: Sequence[str]) -> tuple[str, ...] | None:
    """Return the labels that a row was given; None if it was not judged."""
    missing = [name for name in (*labels, NONE) if name not in row]
    if missing:
        raise ReadError(f"{path} has no column {missing[0]!r}; restore it from the sheet that export --sample wrote")
    told: dict[str, bool | None] = {}
    for name in (*labels, NONE):
        text = str(row[name] if row[name] is not None else "").strip().lower()
        if text not in {"", "yes", "no"}:
            raise ReadError(f"{path}, row {place}, column {name}: {row[name]!r} is neither yes nor no; mend it")
        told[name] = None if not text else text == "yes"
    carried = tuple(label for label in labels if told[label])
    if carried and told[NONE]:
        raise ReadError(f"{path}, row {place}: both {carried[0]} and {NONE} are yes; choose one")
    is_judged = bool(carried) or told[NONE] or all(told[label] is False for label in labels)
    return carried if is_judged else None
