"""What a worker of `verify` does: reads the pages of a part again and finds its exhibits there.

The rows of a case stand in one order in all tables, so that a part is read in one pass with one page in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mdclaims.cases.batch import Task
from mdclaims.cases.coverage import measure, sites_of_case, sites_table, total
from mdclaims.cases.engine import Culprit, Key, Progress, Tell, Work
from mdclaims.cases.exhibits import quotation
from mdclaims.cases.manifest import is_below, is_inside
from mdclaims.cases.sites import ListedSite
from mdclaims.cases.store import (
    CAPTURES,
    EVIDENCE,
    OFFSETS,
    OFFSETS_FILE,
    REDIRECTS,
    REDIRECTS_FILE,
    SITES,
    TABLES,
    Part,
    chains,
)
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.findings import fingerprints, groups
from mdclaims.labels import PRIORITIES
from mdclaims.language.pipeline import shared_pipeline
from mdclaims.language.sentences import Sentence, page_inputs, split_page
from mdclaims.reading import Page, format_of, read_page
from mdclaims.reading.archive import Capture, Place, block_digest_agrees, is_archive, page_of, read_capture
from mdclaims.reading.limits import Limits

# A row group of ours is a part: some MB. What says that it is larger than this is made to do harm.
_LARGEST_ROW_GROUP = 2**28
_BATCH_ROWS = 64
_OFFSET_ROWS = 2**16
_TABLES_READ: Key = (0, 0)
# More than a part of ours has findings that could fail; and longer texts than sentences have.
_MOST_REMARKS = 10_000
_LONGEST_TEXT = 2_000
_UNREADABLE = (pa.ArrowException, OSError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that does not hold, or could not be checked.

    Attributes
    ----------
    kind : str
        "fails" or "unchecked".
    where : str
        A file of the case, an input, or file and offset.
    reason : str
        To be read behind the place.
    page, finding, address, quote : str or None
        The finding that it is about: its page, its fingerprint, the page's address or file, and its quote.
    findings : int
        How many findings it is about.
    """

    kind: Literal["fails", "unchecked"]
    where: str
    reason: str
    page: str | None = None
    finding: str | None = None
    address: str | None = None
    quote: str | None = None
    findings: int = 0


@dataclass(frozen=True, slots=True)
class PartCheck(Part):
    """What came of a part.

    Attributes
    ----------
    first : int
        The number of its first page in its task; -1 if it has none that could be read.
    held, unchecked : int
        Findings.
    offsets : int
        Rows of the list of offsets that belong to its pages; of the check of the whole case, all its rows.
    remarks : tuple of Remark
    untold : int
        How many more there were than are kept of one part.
    """

    first: int = -1
    held: int = 0
    unchecked: int = 0
    offsets: int = 0
    remarks: tuple[Remark, ...] = ()
    untold: int = 0


@dataclass(frozen=True, slots=True)
class BeginCheck:
    """Loads what exhibits are checked with; called in each worker, so that it must be picklable.

    Attributes
    ----------
    case : Path
    names : frozenset of str
        The inputs of the case.
    folders : tuple of Path
        Where to look for them.
    limits : Limits
    evidence : bool
        The case has copies of the records.
    same_reader : bool
        Pages are read by the versions that read them for the case.
    listed : tuple of ListedSite
    coverage : dict
        What the manifest says.
    parts : tuple of str
        The names of all parts, in order.
    """

    case: Path
    names: frozenset[str]
    folders: tuple[Path, ...]
    limits: Limits
    evidence: bool
    same_reader: bool
    listed: tuple[ListedSite, ...]
    coverage: Mapping[str, Any]
    parts: tuple[str, ...]

    def __call__(self) -> Work:
        """Return what checks a part, or the tables of the whole case where the task has no name."""
        return _Checker(self).work


class Here:
    """Takes what the work tells, in this process, where nobody watches it.

    Parameters
    ----------
    take : callable
        Told each part.
    """

    def __init__(self, take: Callable[[Part], None]) -> None:
        self.finished = take

    def reading(self, place: Key, address: str) -> None:
        """Nobody watches."""


def find_input(case: Path, folders: Sequence[Path], name: str) -> Path | None:
    """Return where an input is: among the captures of the case, or below one of the folders; None if nowhere."""
    if not is_below(name):
        return None
    places = [(case / CAPTURES, name), *((folder, name) for folder in folders)]
    return next((folder / below for folder, below in places if is_inside(folder, below)), None)


class _TableError(Exception):
    """A table that cannot be read; the message is the reason."""


def _rows(path: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table, a few at a time.

    Raises
    ------
    _TableError
        If it is damaged, or has other columns than it should.
    """
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema):
                raise _TableError("has other columns than a case has")
            sizes = (file.metadata.row_group(n).total_byte_size for n in range(file.num_row_groups))
            if any(size > _LARGEST_ROW_GROUP for size in sizes):
                raise _TableError(f"has a row group of more than {_LARGEST_ROW_GROUP:,} bytes, which no case has")
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=columns):
                yield from batch.to_pylist()
    except _UNREADABLE as error:
        raise _TableError(f"cannot be read as a table ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@dataclass
class _Table:
    """The rows of a table of a part, taken page by page."""

    rows: Iterator[dict[str, Any]]
    head: dict[str, Any] | None = None
    broken: str | None = None
    """Why it cannot be read on."""

    def take(self, page: str) -> list[dict[str, Any]]:
        """Return the next rows as long as they are of a page."""
        taken = []
        while (row := self.peek()) is not None and row["page"] == page:
            taken.append(row)
            self.head = None
        return taken

    def peek(self) -> dict[str, Any] | None:
        """Return the next row and stay before it; None at the end, or where it cannot be read on."""
        if self.head is None and self.broken is None:
            try:
                self.head = next(self.rows, None)
            except _TableError as error:
                self.broken = str(error)
        return self.head


@dataclass
class _Tally:
    """What is counted while a part is checked."""

    first: int = -1
    pages: int = 0
    findings: int = 0
    held: int = 0
    unchecked: int = 0
    remarks: list[Remark] = field(default_factory=list)
    untold: int = 0

    def add(self, remark: Remark) -> None:
        if len(self.remarks) < _MOST_REMARKS:
            self.remarks.append(remark)
        else:
            self.untold += 1

    def fails(self, where: str, reason: str) -> None:
        self.add(Remark("fails", where, reason))


@dataclass(frozen=True, slots=True)
class Reread:
    """A page that was read again.

    Attributes
    ----------
    page : Page
    sentences : sequence of Sentence
    wrong : tuple of str
        In what the record is not the one that the case describes.
    """

    page: Page
    sentences: Sequence[Sentence]
    wrong: tuple[str, ...]


class UncheckableError(Exception):
    """Nothing is there to check against; the message is the reason."""


class PageReader:
    """Reads pages of a case again, from its evidence or from its inputs.

    Parameters
    ----------
    begin : BeginCheck
    """

    def __init__(self, begin: BeginCheck) -> None:
        self._begin = begin
        self._nlp = shared_pipeline()

    def read(self, row: Mapping[str, Any], offset: int | None) -> Reread:
        """Read the page of a row.

        Parameters
        ----------
        row : mapping
            Of the table of pages.
        offset : int or None
            Where its record begins in the evidence of the case; None looks for the input.

        Raises
        ------
        UncheckableError
            If its bytes are not at hand.
        ReadError
            If they are no page any more.
        """
        begin, name = self._begin, str(row["file"])
        if row["offset"] is None:
            page = self._read_file(name)
            wrong = _differences(row, {"kind": format_of(Path(name)), "sha256": page.sha256})
        else:
            if offset is not None:
                if not is_inside(begin.case, EVIDENCE):
                    raise ReadError("is not in the case any more")
                place = Place(begin.case / EVIDENCE, None, offset)
            elif begin.evidence:
                raise ReadError("no evidence: the list of offsets does not name the page, though evidence was kept")
            else:
                place = Place(self._input(name), row["member"], row["offset"], row["skip"] or 0)
            capture = read_capture(place, limits=begin.limits)
            page = page_of(capture, limits=begin.limits)
            wrong = [*_differences(row, _described(capture)), *_wrong_block(place)]
        if begin.same_reader:
            unread = {"images_without_text": page.unread.images, "videos": page.unread.videos}
            directives = [directive.text for directive in page.directives]
            unread |= {"frames": page.unread.frames}
            wrong += _differences(row, {"title": page.title, "directives": directives, **unread})
        return Reread(page, split_page(page, self._nlp), tuple(wrong))

    def _read_file(self, name: str) -> Page:
        if format_of(Path(name)) is None:
            raise ReadError("is no file that screen reads; its suffix is unknown")
        return read_page(self._input(name), limits=self._begin.limits)

    def _input(self, name: str) -> Path:
        """Return where an input is."""
        if name not in self._begin.names:
            raise ReadError("is no input of the case; not read")
        path = find_input(self._begin.case, self._begin.folders, name)
        if path is None:
            kept = "no evidence was kept" if is_archive(Path(name)) else "a file's evidence is the file"
            raise UncheckableError(f"{kept}, and the input is not there; name its folder with --inputs")
        return path


class _Checker:
    """Checks parts, one after another."""

    def __init__(self, begin: BeginCheck) -> None:
        self._begin = begin
        self._reader = PageReader(begin)

    def work(self, task: Task, progress: Progress, tell: Tell) -> bool:
        """Check a part, or the tables of the whole case."""
        failed = {culprit.place: culprit for culprit in progress.culprits}
        tally = _Tally()
        offsets = 0
        tell.reading(_TABLES_READ, task.name or "the tables of the whole case")
        if _TABLES_READ in failed:
            tally.fails(task.name or "the case", f"could not be read: {failed[_TABLES_READ].reason}")
        elif task.name:
            offsets = self._check_part(task, tally, failed, tell)
        else:
            offsets = self._check_whole(tally)
        tell.finished(
            PartCheck(
                task=task.number,
                number=0,
                place=(0, 0),
                pages=tally.pages,
                seen=tally.pages,
                findings=tally.findings,
                files={},
                first=tally.first,
                held=tally.held,
                unchecked=tally.unchecked,
                offsets=offsets,
                remarks=tuple(tally.remarks),
                untold=tally.untold,
            )
        )
        return True

    # --- the whole case -------------------------------------------------------------------------------------------

    def _check_whole(self, tally: _Tally) -> int:
        """Make the figures, the sites and the redirects again from the parts; return how many offsets there are."""
        case, begin = self._begin.case, self._begin
        try:
            figures = measure(case)
            if asdict(total(figures.values())) != begin.coverage:
                tally.fails("manifest.json", "its coverage is not what the parts add up to")
            sites = sites_table(sites_of_case(figures, begin.listed))
            self._compare(SITES, sites.schema, iter(sites.to_pylist()), tally)
        except (duckdb.Error, UsageError, *_UNREADABLE) as error:
            tally.fails("manifest.json", f"its coverage could not be added up from the parts ({_one_line(error)})")
        try:
            self._compare(REDIRECTS_FILE, REDIRECTS, chains(self._redirects()), tally)
        except _TableError as error:
            tally.fails(REDIRECTS_FILE, f"could not be made again: pages {error}")
        try:
            return sum(1 for _ in _rows(case / OFFSETS_FILE, OFFSETS, ["page"]))
        except _TableError as error:
            tally.fails(OFFSETS_FILE, str(error))
            return -1

    def _redirects(self) -> Iterator[tuple[str, str, str]]:
        for name in self._begin.parts:
            columns = ["outcome", "file", "address", "redirect"]
            for row in _rows(self._begin.case / f"pages/{name}.parquet", TABLES["pages"], columns):
                if row["outcome"] == "redirect":
                    yield row["file"], row["address"], row["redirect"]

    def _compare(self, name: str, schema: pa.Schema, wanted: Iterator[dict[str, Any]], tally: _Tally) -> None:
        """Tell if a table is not what the parts give."""
        try:
            found = _rows(self._begin.case / name, schema)
            if not all(next(found, None) == row for row in wanted) or next(found, None) is not None:
                tally.fails(name, "is not what the parts give")
        except _TableError as error:
            tally.fails(name, str(error))

    # --- a part ---------------------------------------------------------------------------------------------------

    def _check_part(self, task: Task, tally: _Tally, failed: Mapping[Key, Culprit], tell: Tell) -> int:
        name = task.name
        tables = {
            table: _Table(_rows(self._begin.case / f"{table}/{name}.parquet", schema))
            for table, schema in TABLES.items()
        }
        try:
            offsets = self._offsets(name)
        except _TableError as error:
            tally.fails(OFFSETS_FILE, str(error))
            offsets = {}
        bases: set[int] = set()
        while (row := tables["pages"].peek()) is not None:
            tables["pages"].head = None
            page = row["page"]
            self._number(name, row, tally)
            findings, sentences = tables["findings"].take(page), tables["sentences"].take(page)
            self._check_counts(name, row, findings, sentences, tables, tally)
            offset = offsets.get(page)
            if offset is not None:
                bases.add(offset - (row["evidence_offset"] or 0))
            if findings:
                place: Key = (1, tally.pages)
                tell.reading(place, str(row["address"] or row["file"]))
                self._check_page(row, offset, findings, sentences, failed.get(place), tally)
            tally.pages += 1
        if len(bases) > 1:
            tally.fails(OFFSETS_FILE, f"its offsets of part {name} are not those of the part")
        for _ in iter(tables["others"].peek, None):
            tables["others"].head = None
        self._check_rest(name, tables, tally)
        return len(offsets)

    def _offsets(self, name: str) -> dict[str, int]:
        """Return the places in the evidence of the pages of a part."""
        case = self._begin.case
        pages = [row["page"] for row in _rows(case / f"pages/{name}.parquet", TABLES["pages"], ["page"])]
        wanted = pa.array(pages, pa.string())
        found: dict[str, int] = {}
        try:
            with pq.ParquetFile(case / OFFSETS_FILE) as file:
                if not file.schema_arrow.equals(OFFSETS):
                    raise _TableError("has other columns than a case has")
                for batch in file.iter_batches(batch_size=_OFFSET_ROWS):
                    mine = batch.filter(pc.is_in(batch["page"], value_set=wanted))
                    for row in mine.to_pylist():
                        if row["page"] in found or row["evidence_offset"] is None:
                            raise _TableError(f"has not one offset for page {row['page']}")
                        found[row["page"]] = row["evidence_offset"]
        except _UNREADABLE as error:
            raise _TableError(f"cannot be read as a table ({_one_line(error)})") from error
        return found

    def _number(self, name: str, row: Mapping[str, Any], tally: _Tally) -> None:
        """Check that the pages of a part are numbered one after another."""
        task, _, number = str(row["page"]).partition("-")
        where = f"pages/{name}.parquet"
        if task != str(int(name.partition("-")[0])) or not (number.isascii() and number.isdigit()):
            tally.fails(where, f"row {tally.pages + 1} is of page {row['page']}, which does not belong to the part")
        elif not tally.pages:
            tally.first = int(number)
        elif tally.first >= 0 and int(number) != tally.first + tally.pages:
            wanted = tally.first + tally.pages
            tally.fails(where, f"page {row['page']} stands where {task}-{wanted} should: missing or twice")

    def _check_counts(
        self,
        name: str,
        row: Mapping[str, Any],
        findings: Sequence[Mapping[str, Any]],
        sentences: Sequence[Mapping[str, Any]],
        tables: Mapping[str, _Table],
        tally: _Tally,
    ) -> None:
        tally.findings += len(findings)
        if tables["findings"].broken is None:
            where = f"findings/{name}.parquet"
            if len(findings) != (row["findings"] or 0):
                told = f"page {row['page']} has {len(findings)} rows, and {row['findings'] or 0} by its row of pages"
                tally.fails(where, told)
            counts = Counter(finding["priority"] for finding in findings)
            if any(counts[key] != (row[key] or 0) for key in PRIORITIES):
                tally.fails(where, f"the priorities of page {row['page']} are not those of its row of pages")
            keys = Counter((finding["sentence"], finding["label"], finding["fingerprint"]) for finding in findings)
            if any(count > 1 for count in keys.values()):
                tally.fails(where, f"page {row['page']} has a row twice")
        numbers = [sentence["sentence"] for sentence in sentences]
        if None in numbers or numbers != sorted(set(numbers)):
            where = f"sentences/{name}.parquet"
            tally.fails(where, f"the rows of page {row['page']} are not in order, or one is twice")

    def _check_rest(self, name: str, tables: Mapping[str, _Table], tally: _Tally) -> None:
        for table, rows in tables.items():
            where = f"{table}/{name}.parquet"
            if rows.broken is not None:
                tally.fails(where, rows.broken)
            elif rows.head is not None and tables["pages"].broken is None:
                tally.fails(where, f"has rows of page {rows.head['page']}, which is not there or stands elsewhere")

    # --- a page ---------------------------------------------------------------------------------------------------

    def _check_page(
        self,
        row: Mapping[str, Any],
        offset: int | None,
        findings: Sequence[Mapping[str, Any]],
        sentences: Sequence[Mapping[str, Any]],
        culprit: Culprit | None,
        tally: _Tally,
    ) -> None:
        """Read a page again and find everything that the case quotes of it."""
        where = str(row["file"]) if offset is None else f"{EVIDENCE}, offset {offset}"
        try:
            if culprit is not None:
                raise ReadError(f"could not be read: {culprit.reason}")
            reread = self._reader.read(row, offset)
        except UncheckableError as error:
            tally.unchecked += len(findings)
            told = Remark("unchecked", where, str(error), row["page"], address=_address(row), findings=len(findings))
            tally.add(told)
            return
        except (ReadError, UsageError) as error:
            for finding in findings:
                tally.add(_remark(where, row, finding, [str(error)]))
            return
        except Exception as error:  # noqa: BLE001 (whatever one page does, the others are checked)
            reason = f"cannot be read (internal error, {type(error).__name__}: {_one_line(error)})"
            for finding in findings:
                tally.add(_remark(where, row, finding, [reason]))
            return
        wrong = [*reread.wrong, *self._wrong_sentences(sentences, reread)]
        for finding, reasons in zip(findings, self._wrong_findings(row, findings, reread), strict=True):
            if wrong or reasons:
                tally.add(_remark(where, row, finding, [*wrong, *reasons]))
            else:
                tally.held += 1

    # --- what is quoted -------------------------------------------------------------------------------------------

    def _wrong_sentences(self, rows: Sequence[Mapping[str, Any]], reread: Reread) -> list[str]:
        """Say which kept sentences are not those of the page."""
        if not self._begin.same_reader:
            return []
        wrong = []
        for row in rows:
            number = row["sentence"]
            known = number is not None and 0 <= number < len(reread.sentences)
            if not known or _differences(row, _kept(reread.sentences[number])):
                wrong.append(f"sentence {number} in the table of sentences is not the page's")
        return wrong

    def _wrong_findings(
        self, row: Mapping[str, Any], findings: Sequence[Mapping[str, Any]], reread: Reread
    ) -> Iterator[list[str]]:
        """Yield for each finding in what it is not the page's."""
        marks = _marks(findings, reread.sentences)
        folded = "" if self._begin.same_reader else _folded(reread.page.text)
        address = row["address"] if row["offset"] is not None else None
        for finding, mark in zip(findings, marks, strict=True):
            wrong = _wrong_finding(finding, mark, reread.sentences, address)
            if wrong and not self._begin.same_reader:
                # Another version may divide a page otherwise; what is quoted must be there all the same.
                quoted = ("quote", "before", "after", "qualifier")
                absent = [key for key in quoted if _folded(finding[key] or "") not in folded]
                wrong = [f"its {key} is nowhere on the page" for key in absent]
            yield wrong


def _wrong_finding(
    finding: Mapping[str, Any], mark: Mapping[str, str], sentences: Sequence[Sentence], address: str | None
) -> list[str]:
    number = finding["sentence"]
    if number is None or not 0 <= number < len(sentences):
        return [f"the page has no sentence {number}"]
    wrong = _differences(finding, {**quotation(sentences, number, address), **mark})
    if not _has_qualifier(finding, sentences):
        wrong.append("its qualifier does not stand where the exhibit says")
    return wrong


def _has_qualifier(finding: Mapping[str, Any], sentences: Sequence[Sentence]) -> bool:
    """True if the qualifier of a finding stands at its distance, or the finding has none."""
    columns = ("qualifier", "qualifier_kind", "qualifier_sentences_away", "qualifier_blocks_away", "qualifier_hidden")
    text, _, away, blocks, hidden = (finding[name] for name in columns)
    if text is None:
        return all(finding[name] is None for name in columns)
    claim = sentences[finding["sentence"]].block
    for number in {finding["sentence"] + (away or 0), finding["sentence"] - (away or 0)}:
        if away is not None and 0 <= number < len(sentences):
            block = sentences[number].block
            beside = (block.region, block.heading_path) == (claim.region, claim.heading_path)
            place = (sentences[number].text, abs(block.index - claim.index), block.hidden)
            if beside and place == (text, blocks, hidden):
                return True
    return False


def _marks(findings: Sequence[Mapping[str, Any]], sentences: Sequence[Sentence]) -> list[dict[str, str]]:
    """Return fingerprint and claim of each finding; nothing for those without a label, whose rule has them."""
    inputs = page_inputs(sentences)
    known = [
        n
        for n, finding in enumerate(findings)
        if finding["label"] is not None
        and finding["sentence"] is not None
        and 0 <= finding["sentence"] < len(sentences)
    ]
    places = [(findings[n]["label"], findings[n]["sentence"]) for n in known]
    marks = fingerprints([(label, inputs[number].text, inputs[number].heading) for label, number in places])
    firsts = groups([(label, sentences[number]) for label, number in places])
    found: list[dict[str, str]] = [{} for _ in findings]
    for n, mark, first in zip(known, marks, firsts, strict=True):
        found[n] = {"fingerprint": mark, "claim": marks[first]}
    return found


def _kept(sentence: Sentence) -> dict[str, Any]:
    """Return what the table of sentences says of a sentence, scores apart."""
    block = sentence.block
    heading = block.heading_path[-1] if block.heading_path else None
    return {
        "text": sentence.text, "kind": block.kind, "region": block.region, "hidden": block.hidden, "heading": heading
    }  # fmt: skip


def _described(capture: Capture) -> dict[str, Any]:
    """Return what the table of pages says of a record."""
    return {
        "address": capture.address,
        "kind": capture.kind,
        "status": capture.status,
        "captured": capture.time,
        "sha256": capture.sha256,
        "content_type": capture.content_type,
        "redirect": capture.redirect,
        "digest_agrees": capture.digest_agrees,
    }


def _wrong_block(place: Place) -> list[str]:
    if block_digest_agrees(place) is False:
        return ["its record does not agree with its WARC-Block-Digest: HTTP header or body were changed"]
    return []


_LONGEST_SHOWN = 80


def _differences(row: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say in which columns a row is not what was found."""
    return [
        f"its {name} is {_shown(row[name])} in the case and {_shown(value)} in the evidence"
        for name, value in found.items()
        if row[name] != value
    ]


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, list, type(None))) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _remark(where: str, row: Mapping[str, Any], finding: Mapping[str, Any], reasons: Sequence[str]) -> Remark:
    return Remark(
        "fails",
        where,
        _cut("; ".join(reasons)),
        _cut(row["page"]),
        _cut(finding["fingerprint"]),
        _address(row),
        _cut(finding["quote"]),
        findings=1,
    )


def _address(row: Mapping[str, Any]) -> str:
    return _cut(row["address"] or row["file"] or "")


def _cut(text: str | None) -> str:
    """Return a text in a length that can be told."""
    text = text or ""
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def _folded(text: str) -> str:
    return " ".join(text.split())
