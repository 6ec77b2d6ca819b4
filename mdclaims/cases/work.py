"""What a worker does: reads the pages of a task, judges them, and writes the parts of the case."""

from __future__ import annotations

import gc
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from mdclaims.cases.batch import SourceFile, Task
from mdclaims.cases.contacts import contact_rows
from mdclaims.cases.engine import Culprit, Key, Progress, Tell, Work
from mdclaims.cases.exhibits import finding_rows, sentence_rows
from mdclaims.cases.sites import Sites
from mdclaims.cases.store import Part, PartWriter
from mdclaims.config import Settings
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.findings import PageResult
from mdclaims.findings.screening import NOT_ENGLISH, Screener, load
from mdclaims.labels import PRIORITIES
from mdclaims.reading import Page, format_of, read_page
from mdclaims.reading.archive import (
    PAGE_KINDS,
    ArchiveRange,
    Capture,
    Failure,
    NotFetched,
    Place,
    copy_capture,
    page_of,
    read_captures,
)
from mdclaims.reading.limits import is_over_limit

PART_PAGES = 500
"""Pages in a part: what is lost when a worker dies, and what it keeps in memory."""
_PART_SENTENCES = 100_000
_PART_EVIDENCE = 64 * 2**20
# What is judged together: the classifier takes thousands of sentences as one table.
_BATCH_ITEMS = 20
_BATCH_CHARACTERS = 300_000
# Sentences to remember: the blocks that repeat on the pages of one site after another.
_MEMORY = 10_000
# spaCy keeps every word that it ever met: a worker that grew so much since its first part is replaced by a fresh one.
_GROWTH = 80 * 10**6


@dataclass(frozen=True, slots=True)
class Begin:
    """Loads what pages are judged with; called in each worker, so that it must be picklable.

    Attributes
    ----------
    case : Path
    settings : Settings
    sites : Sites
    model : Path or None
    trust_model : bool
    evidence : bool
        Copy the records of pages with findings.
    """

    case: Path
    settings: Settings
    sites: Sites
    model: Path | None = None
    trust_model: bool = False
    evidence: bool = True

    def __call__(self) -> Work:
        """Return what does a task."""
        return self.work(self.screener())

    def screener(self) -> Screener:
        """Load the model."""
        # A case keeps no suggestions.
        return load(self.model, trust_model=self.trust_model, settings=self.settings, memory=_MEMORY, suggest=False)

    def work(self, screener: Screener) -> Work:
        """Return what does a task with a model that is loaded."""
        screener.screen_text("The first page takes longer than others.")
        _spare_collector()
        return _Worker(self, screener).work


# Python's default is 700 new objects, of which a page makes thousands. Judging makes next to no cycles to collect.
_COLLECT_AFTER = 20_000


def _spare_collector() -> None:
    """Let the garbage collector pass by what stays as long as the process (model, lists), and run less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


class _Worker:
    """Does tasks, one after another."""

    def __init__(self, begin: Begin, screener: Screener) -> None:
        self._begin = begin
        self._screener = screener
        self._process = psutil.Process()
        self._first: int | None = None

    def work(self, task: Task, progress: Progress, tell: Tell) -> bool:
        """Do a task behind its last finished part; False where a fresh process should go on."""
        writer = _TaskWriter(self._begin, self._screener, task, progress, tell)
        failed = {culprit.place: culprit for culprit in progress.culprits}
        items: Iterator[tuple[Key, Any]]
        if task.part is not None:
            items = self._captures(task.part, writer, failed, tell)
        else:
            items = self._files(task.files, writer, failed, tell)
        for place, item in items:
            if place > writer.place and writer.is_full:
                writer.finish()
                if self._has_grown():
                    return False
            writer.add(place, item)
        writer.finish()
        return True

    def _has_grown(self) -> bool:
        """True if this process holds much more than when its first part was finished."""
        now = int(self._process.memory_info().rss)
        if self._first is None:
            self._first = now
        return now > self._first + _GROWTH

    def _captures(
        self, part: ArchiveRange, writer: _TaskWriter, failed: dict[Key, Culprit], tell: Tell
    ) -> Iterator[tuple[Key, Capture | Failure | NotFetched | Culprit]]:
        done = writer.place
        met: list[Culprit] = []

        def watch(place: Place, address: str) -> bool:
            key = (place.offset, place.skip)
            if key <= done:
                return False
            if key in failed:
                met.append(failed[key])
                return False
            tell.reading(key, address)
            return True

        start = max(part.start, done[0])
        for found in read_captures(
            ArchiveRange(part.archive, part.member, start, part.end), limits=self._begin.settings.limits, watch=watch
        ):
            while met:
                yield met[0].place, met.pop(0)
            key = (found.place.offset, found.place.skip)
            if key > done:
                yield key, found
        for culprit in met:
            yield culprit.place, culprit

    def _files(
        self, files: tuple[SourceFile, ...], writer: _TaskWriter, failed: dict[Key, Culprit], tell: Tell
    ) -> Iterator[tuple[Key, SourceFile | Culprit]]:
        for number, file in enumerate(files):
            key = (number, 0)
            if key <= writer.place:
                continue
            if key in failed:
                yield key, failed[key]
            else:
                tell.reading(key, file.name)
                yield key, file


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of pages before it is written; with a page that is to be judged, and the record that it was read from."""

    columns: dict[str, Any]
    page: Page | None = None
    place: Place | None = None


class _TaskWriter:
    """Judges the items of a task and writes them, part by part."""

    def __init__(self, begin: Begin, screener: Screener, task: Task, progress: Progress, tell: Tell) -> None:
        last = progress.last
        self._begin = begin
        self._screener = screener
        self._task = task
        self._tell = tell
        self._careful = progress.careful
        self._number = last.number + 1 if last else 0
        self._rows = last.pages if last else 0
        self.place: Key = last.place if last else (-1, -1)
        self._begin_part()

    def _begin_part(self) -> None:
        self._writer = PartWriter(self._begin.case, self._task.number, self._number)
        self._others: Counter[tuple[str, str]] = Counter()
        self._evidence = io.BytesIO()
        self._seen = 0
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._batch: list[_Row] = []
        self._batch_items = self._batch_characters = 0

    @property
    def is_full(self) -> bool:
        """True if the part should end before the next item; a part ends with a batch, however the batch is judged."""
        return not self._batch_items and (
            self._seen >= PART_PAGES
            or self._writer.rows("sentences") >= _PART_SENTENCES
            or self._evidence.tell() >= _PART_EVIDENCE
        )

    def finish(self) -> None:
        """Write the part, if anything is in it."""
        if not self._seen:
            return
        self._finish_batch()
        for (site, kind), captures in sorted(self._others.items()):
            self._writer.add("others", {"site": site, "kind": kind, "captures": captures})
        files = self._writer.write(self._evidence.getvalue())
        findings = self._writer.rows("findings")
        part = Part(self._task.number, self._number, self.place, self._rows, self._seen, findings, files)
        self._tell.finished(part)
        self._number += 1
        self._begin_part()

    def add(self, place: Key, item: Capture | Failure | NotFetched | Culprit | SourceFile) -> None:
        """Take in what stands at a place of the task."""
        self.place = place
        self._seen += 1
        if isinstance(item, SourceFile):
            self._add_file(item)
        elif isinstance(item, Culprit):
            self._add_culprit(item)
        elif isinstance(item, Capture):
            self._add_capture(item)
        else:
            self._add_unread(item)
        self._batch_items += 1
        is_whole = self._batch_items >= _BATCH_ITEMS or self._batch_characters >= _BATCH_CHARACTERS
        if is_whole or self._seen >= PART_PAGES:
            self._finish_batch()
        elif self._careful:
            self._write_batch()

    # --- what has no page -----------------------------------------------------------------------------------------

    def _row(self, **columns: Any) -> dict[str, Any]:
        """Return the start of a row of pages, which has to be put: its name and its file."""
        self._rows += 1
        return {"page": f"{self._task.number}-{self._rows - 1}", **columns}

    def _put(self, row: dict[str, Any]) -> None:
        self._batch.append(_Row(row))

    def _placed(self, place: Place, address: str | None) -> dict[str, Any]:
        site = self._begin.sites.site_of(address) if address else None
        return self._row(
            site=site, address=address, file=self._task.name, member=place.member, offset=place.offset, skip=place.skip
        )

    def _add_culprit(self, culprit: Culprit) -> None:
        if self._task.part is None:
            file = self._task.files[culprit.place[0]]
            row = self._row(site=file.site, file=file.name, kind=format_of(file.path))
        else:
            part = self._task.part
            row = self._placed(Place(part.archive, part.member, *culprit.place), culprit.address)
        self._put({**row, "outcome": "failed", "reason": culprit.reason})

    def _add_unread(self, item: Failure | NotFetched) -> None:
        row = self._placed(item.place, item.address)
        if isinstance(item, NotFetched) and item.reason == "off_site" and item.led_by:
            # A link to elsewhere belongs to the site that has it; where it leads was never to be screened.
            row["site"] = self._begin.sites.site_of(item.led_by)
        if isinstance(item, Failure):
            self._put({**row, "outcome": _failure(item.reason), "reason": item.reason})
        else:
            refused = item.reason in {"robots", "robots_unreadable"}
            reason = f"{item.reason}: {item.detail}" if item.detail else item.reason
            outcome = "refused" if refused else "not_fetched"
            self._put({**row, "outcome": outcome, "reason": reason, "captured": item.time})

    # --- pages ----------------------------------------------------------------------------------------------------

    def _add_file(self, file: SourceFile) -> None:
        row = self._row(site=file.site, file=file.name, kind=format_of(file.path))
        try:
            page = read_page(file.path, limits=self._begin.settings.limits, apart=False)
            self._put_page({**row, "sha256": page.sha256}, page)
        except (ReadError, UsageError) as error:
            self._put({**row, **_unread(str(error), _bytes_of(file.path))})
        except Exception as error:  # noqa: BLE001 (whatever one page does, the others are read)
            self._put({**row, "outcome": "failed", "reason": _internal(error)})

    def _add_capture(self, capture: Capture) -> None:
        site = self._begin.sites.site_of(capture.address)
        is_page = capture.kind in PAGE_KINDS and urlsplit(capture.address).path != "/robots.txt"
        if not is_page and capture.kind not in {"redirect", "revisit"}:
            self._others[site, capture.kind if capture.kind not in PAGE_KINDS else "robots.txt"] += 1
            return
        row = {
            **self._placed(capture.place, capture.address),
            "kind": capture.kind,
            "status": capture.status,
            "captured": capture.time,
            "sha256": capture.sha256,
            "digest_agrees": capture.digest_agrees,
            "content_type": capture.content_type,
            "redirect": capture.redirect,
            "revisit_of": capture.revisit_of[0] if capture.revisit_of else None,
            "notes": list(capture.notes),
        }
        if not is_page:
            self._put({**row, "outcome": capture.kind})
        elif capture.status is not None and capture.status >= 400:
            self._put({**row, "outcome": "error_page", "reason": f"answered with status {capture.status}"})
        else:
            self._add_page(row, capture)

    def _add_page(self, row: dict[str, Any], capture: Capture) -> None:
        try:
            page = page_of(capture, limits=self._begin.settings.limits, apart=False)
            self._put_page(row, page, capture.place)
        except (ReadError, UsageError) as error:
            self._put({**row, **_unread(str(error), capture.body or b"")})
        except Exception as error:  # noqa: BLE001 (whatever one page does, the others are read)
            self._put({**row, "outcome": "failed", "reason": _internal(error)})

    def _put_page(self, row: dict[str, Any], page: Page, place: Place | None = None) -> None:
        self._batch_characters += len(page.text)
        self._batch.append(_Row(row, page, place))

    # --- judging ------------------------------------------------------------------------------------------------------

    def _finish_batch(self) -> None:
        self._write_batch()
        self._begin_batch()

    def _write_batch(self) -> None:
        """Judge the pages of the batch together, and write all its rows."""
        batch, self._batch = self._batch, []
        pages = [entry.page for entry in batch if entry.page is not None]
        results: Iterator[PageResult | Exception]
        try:
            results = iter(self._screener.screen_pages(pages) if pages else ())
        except Exception as error:  # noqa: BLE001 (whatever one page does, the others are judged)
            if len(pages) > 1:
                for entry in batch:
                    self._batch = [entry]
                    self._write_batch()
                return
            results = iter((error,))
        for entry in batch:
            if entry.page is None:
                self._writer.add("pages", entry.columns)
            else:
                self._write_page(entry, next(results))

    def _write_page(self, entry: _Row, result: PageResult | Exception) -> None:
        try:
            if isinstance(result, Exception):
                raise result
            self._keep(entry, result)
        except (ReadError, UsageError) as error:
            self._writer.add("pages", {**entry.columns, "outcome": _failure(str(error)), "reason": str(error)})
        except Exception as error:  # noqa: BLE001 (whatever one page does, the others are kept)
            self._writer.add("pages", {**entry.columns, "outcome": "failed", "reason": _internal(error)})

    def _keep(self, entry: _Row, result: PageResult) -> None:
        # Whatever can fail comes first: a page is in the case whole or not at all.
        row, place, unread = entry.columns, entry.place, result.page.unread
        row = {
            **row,
            "title": result.page.title,
            "sentences": len(result.sentences),
            "images_without_text": unread.images,
            "videos": unread.videos,
            "frames": unread.frames,
            "notes": [*row.get("notes", ()), *result.page.notes],
            "directives": [directive.text for directive in result.page.directives],
        }
        if NOT_ENGLISH in row["notes"]:
            self._writer.add("pages", {**row, "outcome": "not_english"})
            return
        row["outcome"] = "read"
        if unread.needs_browser:
            row["outcome"] = "script_written"
            row["reason"] = f"{_BROWSER}; the {len(result.sentences)} sentences that are there were judged"
        address = row["address"] if place else None
        sentences = list(sentence_rows(row["page"], result))
        findings = list(finding_rows(row["page"], result, address))
        contacts = list(contact_rows(row["page"], result.page, address))
        counts = Counter(finding.priority for finding in result.findings)
        if findings and place is not None and self._begin.evidence:
            row["evidence_offset"] = self._evidence.tell()
            copy_capture(place, self._evidence)
        for sentence in sentences:
            self._writer.add("sentences", sentence)
        for finding in findings:
            self._writer.add("findings", finding)
        for contact in contacts:
            self._writer.add("contacts", contact)
        counted = {"findings": len(result.findings), **{key: counts[key] for key in PRIORITIES}}
        self._writer.add("pages", {**row, **counted})


_BROWSER = "a script writes its text: needs a browser capture (WACZ of ArchiveWeb.page or Browsertrix)"


def _unread(reason: str, body: bytes) -> dict[str, Any]:
    """Return outcome and reason of a page that no reader could read."""
    if "no text that a reader would see" in reason and b"<script" in body.lower():
        return {"outcome": "script_written", "reason": _BROWSER}
    return {"outcome": _failure(reason), "reason": reason}


def _failure(reason: str) -> str:
    return "over_limit" if is_over_limit(reason) else "failed"


def _internal(error: Exception) -> str:
    return f"internal error ({type(error).__name__}: {error}); report it with the page"


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.stat().st_size < 2**24 else b""
    except OSError:
        return b""
