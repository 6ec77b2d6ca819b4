"""The case: a folder of Parquet parts, a journal of what is finished, and a manifest of what it all is.

Whatever is written is written whole: under a temporary name, forced to the disk, then renamed. A part counts once the
journal names it, so that a run can end at any moment and go on where it was. docs/screening.md tells users what
the columns mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from mdclaims.cases.locking import lock
from mdclaims.errors import UsageError
from mdclaims.labels import LABELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CASE_VERSION = 1
MANIFEST = "manifest.json"
JOURNAL = "journal.jsonl"
DECISIONS = "decisions.jsonl"
SAMPLES = "samples"
MEASURED = "measured.json"
VIEWS = "views.sql"
EVIDENCE = "evidence.warc.gz"
CAPTURES = "captures"
OFFSETS_FILE = "offsets.parquet"
REDIRECTS_FILE = "redirects.parquet"
SITES = "sites.parquet"

_TEXTS = pa.list_(pa.string())
_TIME = pa.timestamp("us", tz="UTC")

PAGES = pa.schema(
    [
        ("page", pa.string()),
        ("site", pa.string()),
        ("address", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("kind", pa.string()),
        ("title", pa.string()),
        ("status", pa.int32()),
        ("captured", _TIME),
        ("sha256", pa.string()),
        ("digest_agrees", pa.bool_()),
        ("content_type", pa.string()),
        ("redirect", pa.string()),
        ("revisit_of", pa.string()),
        ("file", pa.string()),
        ("member", pa.string()),
        ("offset", pa.int64()),
        ("skip", pa.int64()),
        ("evidence_offset", pa.int64()),
        ("sentences", pa.int32()),
        ("findings", pa.int32()),
        ("high", pa.int32()),
        ("normal", pa.int32()),
        ("info", pa.int32()),
        ("images_without_text", pa.int32()),
        ("videos", pa.int32()),
        ("frames", pa.int32()),
        ("notes", _TEXTS),
        ("directives", _TEXTS),
    ]
)
SENTENCES = pa.schema(
    [
        ("page", pa.string()),
        ("sentence", pa.int32()),
        ("text", pa.string()),
        ("kind", pa.string()),
        ("region", pa.string()),
        ("hidden", pa.bool_()),
        ("heading", pa.string()),
        *((label, pa.float64()) for label in LABELS),
    ]
)
FINDINGS = pa.schema(
    [
        ("page", pa.string()),
        ("sentence", pa.int32()),
        ("label", pa.string()),
        ("score", pa.float64()),
        ("priority", pa.string()),
        ("stance", pa.string()),
        ("reason", pa.string()),
        ("quote", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("heading_path", _TEXTS),
        ("kind", pa.string()),
        ("region", pa.string()),
        ("hidden", pa.bool_()),
        ("quoted", pa.bool_()),
        ("selector", pa.string()),
        ("printed_page", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("strength", pa.string()),
        ("quantified", pa.bool_()),
        ("sourced", pa.bool_()),
        ("about", pa.string()),
        ("testimonial", pa.bool_()),
        ("serious", pa.bool_()),
        ("treatments", _TEXTS),
        ("conditions", _TEXTS),
        ("cues", _TEXTS),
        ("rules", _TEXTS),
        ("qualifier", pa.string()),
        ("qualifier_kind", pa.string()),
        ("qualifier_sentences_away", pa.int32()),
        ("qualifier_blocks_away", pa.int32()),
        ("qualifier_hidden", pa.bool_()),
        ("fingerprint", pa.string()),
        ("claim", pa.string()),
        ("link", pa.string()),
    ]
)
CONTACTS = pa.schema(
    [
        ("page", pa.string()),
        ("field", pa.string()),
        ("value", pa.string()),
        ("shown", pa.string()),
        ("register", pa.string()),
        ("source", pa.string()),
    ]
)
OTHERS = pa.schema([("site", pa.string()), ("kind", pa.string()), ("captures", pa.int64())])
REDIRECTS = pa.schema([("file", pa.string()), ("asked", pa.string()), ("reached", pa.string())])
OFFSETS = pa.schema([("page", pa.string()), ("evidence_offset", pa.int64())])

TABLES: dict[str, pa.Schema] = {
    "pages": PAGES,
    "sentences": SENTENCES,
    "findings": FINDINGS,
    "contacts": CONTACTS,
    "others": OTHERS,
}
"""The tables that are written in parts, each in a folder of its name."""

_VIEWS = """-- Views of this case. In its folder: duckdb -init views.sql
CREATE OR REPLACE VIEW pages AS
  SELECT p.* EXCLUDE (evidence_offset), coalesce(r.asked, p.address) AS asked, e.evidence_offset
  FROM read_parquet('pages/*.parquet') AS p
  LEFT JOIN (SELECT file, reached, min(asked) AS asked FROM read_parquet('redirects.parquet') GROUP BY ALL) AS r
    ON r.file = p.file AND r.reached = p.address
  LEFT JOIN read_parquet('offsets.parquet') AS e ON e.page = p.page;
CREATE OR REPLACE VIEW findings AS
  SELECT p.site, p.asked, p.address, p.title, p.captured, p.status, p.sha256, p.file, p.member, p."offset", p.skip,
    p.evidence_offset,
    left(sha256(coalesce(p.address, regexp_replace(p.file, '^[^/]+/', '')) || chr(10) || f.fingerprint), 16) AS exhibit,
    f.*
  FROM read_parquet('findings/*.parquet') AS f JOIN pages AS p USING (page);
CREATE OR REPLACE VIEW sentences AS SELECT * FROM read_parquet('sentences/*.parquet');
CREATE OR REPLACE VIEW contacts AS
  SELECT p.site, p.asked, p.address, p.file, c.*
  FROM read_parquet('contacts/*.parquet') AS c JOIN pages AS p USING (page);
CREATE OR REPLACE VIEW others AS SELECT * FROM read_parquet('others/*.parquet');
"""
_SITES_VIEW = """CREATE OR REPLACE VIEW sites AS SELECT * FROM read_parquet('sites.parquet');
"""
VIEWS_TEXT = _VIEWS + _SITES_VIEW
"""What stands in `VIEWS`."""


class CaseError(UsageError):
    """A case that cannot be written, or is not the one it should be."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a task that is finished and on the disk.

    Attributes
    ----------
    task, number : int
        Which part of which task, each from 0.
    place : (int, int)
        The place of its last item: in an archive offset and skip of the record, in a bundle number of the file and 0.
    pages : int
        Rows of pages of the task so far.
    seen : int
        How many captures and files are in the part, with those that are not read.
    findings : int
    files : dict of str to str
        Names in the case, and the SHA-256 of each.
    """

    task: int
    number: int
    place: tuple[int, int]
    pages: int
    seen: int
    findings: int
    files: Mapping[str, str]


def part_of(row: Mapping[str, Any]) -> Part:
    """Return a part that was written as JSON."""
    return Part(**{**row, "place": tuple(row["place"])})


class PartWriter:
    """Collects the rows of a part and writes it.

    Parameters
    ----------
    case : Path
    task, number : int
    """

    def __init__(self, case: Path, task: int, number: int) -> None:
        self._case = case
        self._name = f"{task:06d}-{number:04d}"
        self._columns: dict[str, dict[str, list[Any]]] = {
            table: {name: [] for name in schema.names} for table, schema in TABLES.items()
        }

    def add(self, table: str, row: Mapping[str, Any]) -> None:
        """Add a row; columns that it lacks are empty."""
        for name, values in self._columns[table].items():
            values.append(row.get(name))

    def rows(self, table: str) -> int:
        """Return how many rows of a table were added."""
        return len(self._columns[table][TABLES[table].names[0]])

    def write(self, evidence: bytes) -> dict[str, str]:
        """Write the tables and the copied records; return the files with their SHA-256.

        Raises
        ------
        CaseError
            If that is not possible: the disk is full, say.
        """
        written = {}
        for table, schema in TABLES.items():
            data = table_bytes(pa.Table.from_pydict(self._columns[table], schema=schema))
            written[f"{table}/{self._name}.parquet"] = data
        if evidence:
            written[f"evidence/{self._name}.warc.gz"] = evidence
        return {name: write_file(self._case / name, data) for name, data in written.items()}


def table_bytes(table: pa.Table) -> bytes:
    """Return a table as Parquet; the same rows give the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_file(path: Path, data: bytes) -> str:
    """Write a file whole or not at all, and return its SHA-256.

    Raises
    ------
    CaseError
        If it cannot be written.
    """
    with _replacing(path) as stream:
        stream.write(data)
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once it is whole and on the disk."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(NotADirectoryError):  # the folder is a file, which the error above tells
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk; Windows does not open folders."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(path: Path, error: OSError) -> CaseError:
    return CaseError(
        f"{path} cannot be written ({error.strerror or error}); what is finished stays: make room or mend it, and run "
        "the same command again to go on"
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Case:
    """A case on its way: one process at a time writes it.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    plan : dict
        What the case is of: settings, versions, inputs with their hashes, tasks. A case is continued only by the
        same plan.

    Raises
    ------
    CaseError
        If the folder is no case, holds another one, or is being written.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any]) -> None:
        self.folder = folder
        if set("*?[") & set(str(folder.absolute())):
            raise CaseError(
                f"{folder}: a case's path must not hold * ? or [, which mean any name to DuckDB; name another"
            )
        is_case = not folder.exists() or (folder / JOURNAL).exists()
        if not is_case and any(path.name != CAPTURES for path in folder.iterdir()):
            raise CaseError(f"{folder} is there and is no case; name a new folder")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = (folder / JOURNAL).open("a+b")
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            self._lock()
            self._entries = self._read()
            self._adopt(json.loads(json.dumps(plan)))
        except CaseError:
            self._stream.close()
            raise

    def _lock(self) -> None:
        try:
            lock(self._stream)
        except OSError as error:
            raise CaseError(
                f"{self.folder} is being written by another process; wait for it, or name another folder"
            ) from error

    def _adopt(self, plan: dict[str, Any]) -> None:
        """Begin a case with its plan, or see that a case begun has the same."""
        if not self._entries:
            self._append({"plan": plan})
        elif self._entries[0].get("plan") != plan:
            difference = _difference(self._entries[0].get("plan"), plan)
            raise CaseError(f"{self.folder} holds {difference}; name another folder")

    def close(self) -> None:
        """Let others write the case."""
        self._stream.close()

    @property
    def parts(self) -> list[Part]:
        """What is finished, task by task."""
        rows = [entry["part"] for entry in self._entries if "part" in entry]
        return sorted(map(part_of, rows), key=lambda part: (part.task, part.number))

    @property
    def done(self) -> set[int]:
        """The tasks that are finished."""
        return {entry["done"] for entry in self._entries if "done" in entry}

    def add_part(self, part: Part) -> None:
        """Count a part that is on the disk."""
        self._append({"part": asdict(part)})

    def add_done(self, task: int) -> None:
        """Count a task as finished."""
        self._append({"done": task})

    def add_fact(self, name: str, value: object) -> None:
        """Write down something else about the run, such as when it began."""
        self._append({name: value})

    def facts(self, name: str) -> list[Any]:
        """Return what was written down under a name, in order."""
        return [entry[name] for entry in self._entries if name in entry]

    def _read(self) -> list[dict[str, Any]]:
        """Read the journal; a last line that was cut by the end of a run is taken away."""
        self._stream.seek(0)
        data = self._stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            if len(whole) < len(data):
                self._stream.truncate(len(whole))
            return [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise CaseError(f"{self.folder / JOURNAL} is damaged ({error}); name a new folder") from error

    def _append(self, entry: dict[str, Any]) -> None:
        try:
            self._stream.write(json.dumps(entry, ensure_ascii=False, sort_keys=True).encode() + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            raise _unwritable(self.folder / JOURNAL, error) from error
        self._entries.append(json.loads(json.dumps(entry)))

    # --- the end --------------------------------------------------------------------------------------------------

    def remove_strays(self) -> None:
        """Remove what a run left that ended while it wrote: files that no part names."""
        named = {name for part in self.parts for name in part.files}
        for table in (*TABLES, "evidence"):
            for path in (self.folder / table).glob("*"):
                if f"{table}/{path.name}" not in named:
                    path.unlink()
        for path in self.folder.glob(".*.tmp"):  # `_replacing`, ended by kill -9
            path.unlink()

    def join_evidence(self) -> dict[str, str]:
        """Join the copied records to one archive, and say at which offset each page's is; return the files."""
        named = [(part, f"evidence/{part_name(part)}.warc.gz") for part in self.parts]
        parts = [(part, name) for part, name in named if name in part.files]
        pages: list[str] = []
        offsets: list[int] = []
        base = 0
        written = {}
        if parts:
            with _replacing(self.folder / EVIDENCE) as stream:
                for part, name in parts:
                    table = self.folder / f"pages/{part_name(part)}.parquet"
                    rows = pq.read_table(table, columns=["page", "evidence_offset"])
                    for page, offset in zip(*(rows[column].to_pylist() for column in rows.column_names), strict=True):
                        if offset is not None:
                            pages.append(page)
                            offsets.append(base + offset)
                    with (self.folder / name).open("rb") as piece:
                        shutil.copyfileobj(piece, stream)
                    base = stream.tell()
            written[EVIDENCE] = file_sha256(self.folder / EVIDENCE)
        table = pa.Table.from_pydict({"page": pages, "evidence_offset": offsets}, schema=OFFSETS)
        written[OFFSETS_FILE] = write_file(self.folder / OFFSETS_FILE, table_bytes(table))
        return written

    def write_redirects(self) -> dict[str, str]:
        """Write for each page that was reached through redirects the address asked first; return the file."""
        table = pa.Table.from_pylist(list(chains(self._redirects())), schema=REDIRECTS)
        return {REDIRECTS_FILE: write_file(self.folder / REDIRECTS_FILE, table_bytes(table))}

    def _redirects(self) -> Iterator[tuple[str, str, str]]:
        for part in self.parts:
            rows = pq.read_table(
                self.folder / f"pages/{part_name(part)}.parquet",
                columns=["file", "address", "redirect"],
                filters=[("outcome", "=", "redirect")],
            )
            yield from zip(*(rows[name].to_pylist() for name in ("file", "address", "redirect")), strict=True)

    def write_views(self) -> dict[str, str]:
        """Write the views that DuckDB reads; return the file."""
        return {VIEWS: write_file(self.folder / VIEWS, VIEWS_TEXT.encode())}

    def write_manifest(self, content: Mapping[str, Any]) -> str:
        """Write the manifest and return its SHA-256; what it names as joined is not kept twice."""
        text = json.dumps({"case_version": CASE_VERSION, **content}, ensure_ascii=False, indent=1)
        digest = write_file(self.folder / MANIFEST, text.encode() + b"\n")
        self.remove_joined()
        return digest

    def remove_joined(self) -> None:
        """Remove the pieces of the evidence, which are in one archive once there is a manifest."""
        shutil.rmtree(self.folder / "evidence", ignore_errors=True)


def part_name(part: Part) -> str:
    """Return the name that the files of a part share."""
    return f"{part.task:06d}-{part.number:04d}"


_MOST_REDIRECTS = 20


def chains(redirects: Iterable[tuple[str, str, str]]) -> Iterator[dict[str, str]]:
    """Yield the ends of chains of redirects within each archive."""
    onward: dict[tuple[str, str], str] = {}
    for file, address, target in redirects:
        onward.setdefault((file, address), target)
    for file, asked in onward:
        reached, steps = asked, 0
        while (file, reached) in onward and steps < _MOST_REDIRECTS:
            reached, steps = onward[file, reached], steps + 1
        yield {"file": file, "asked": asked, "reached": reached}


def _difference(old: Any, new: Mapping[str, Any]) -> str:
    """Say in which way a case is another one."""
    if not isinstance(old, dict):
        return "no plan"
    key = next((key for key in new if old.get(key) != new[key]), "tasks")
    said = {
        "inputs": "a screening of other inputs",
        "settings": "a screening with other settings",
        "versions": "a screening by another version or model",
    }
    return said.get(key, f"another screening ({key})")


def connect(folder: Path) -> DuckDBPyConnection:
    """Return a DuckDB connection with the views of a case, wherever it lies.

    Raises
    ------
    CaseError
        If the folder is no finished case.
    """
    import duckdb

    if not (folder / VIEWS).is_file():
        raise CaseError(f"{folder} is no finished case; run mdclaims screen to its end first")
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # DuckDB's own setting for relative paths is a list that commas divide, which folders may have in their names.
    place = folder.absolute().as_posix().replace("'", "''")
    # The figures of the sites are made from the other views.
    views = _VIEWS + (_SITES_VIEW if (folder / "sites.parquet").is_file() else "")
    connection.execute(views.replace("read_parquet('", f"read_parquet('{place}/"))
    return connection
