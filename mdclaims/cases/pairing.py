"""Two cases side by side in one database on the disk: which sentence stood on which page, then and now.

Everything is keyed by hashes: a page by what its addresses share, a sentence by its comparable text. So a million
findings on each side need little memory; DuckDB sorts and joins on the disk.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mdclaims.cases.casefile import OpenCase, open_case
from mdclaims.cases.decisions import Decisions, read_decisions
from mdclaims.cases.engine import PageLimits
from mdclaims.cases.exhibits import file_address
from mdclaims.cases.lookup import PAGES_AT_ONCE, BeginLookup, PagesLooked, look
from mdclaims.cases.originals import Originals
from mdclaims.cases.same_page import page_key
from mdclaims.cases.versions import same_readers, version_here
from mdclaims.errors import ReadError, UsageError
from mdclaims.findings.changes import comparable
from mdclaims.reading.archive import PAGE_KINDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

READ, SCRIPT, FOREIGN, UNREAD, ANSWERED, REDIRECT, REVISIT, NOWHERE = range(8)
"""What is known of a page in a case, of several captures the first of these: read; written by a script; in another
language; not read; answered with 404 or 410; leads elsewhere; the same as an earlier capture; leads to what was not
captured."""

_MOST_REDIRECTS = 20
_BATCH_ROWS = 20_000
# The three databases of a comparison together stay well below two gigabytes.
_CASE_MEMORY = "200MB"
_PAIR_MEMORY = "700MB"


@dataclass(frozen=True, slots=True)
class LookOptions:
    """How pages are read again.

    Attributes
    ----------
    folders : tuple of Path
        Where to look for the inputs of a case, besides the captures in it.
    workers : int
        Processes; 0 reads in this one, only for cases of one's own.
    limits : PageLimits
        What one page may take.
    """

    folders: tuple[Path, ...] = (Path(),)
    workers: int = 1
    limits: PageLimits = field(default_factory=PageLimits)


@dataclass(frozen=True, slots=True)
class PageState:
    """What is known of a page in one of the cases.

    Attributes
    ----------
    address : str
        As the case has it.
    rank : int
        `READ` and so on; of a page that leads elsewhere, that of the other page.
    reason : str or None
        Of the case's table of pages.
    status : int or None
    captured : str or None
        ISO 8601, UTC.
    leads_to : str or None
        Where redirects lead.
    leaves : bool
        They lead to another site.
    at : int
        The page whose text counts: this one, or the one that redirects lead to.
    """

    address: str
    rank: int
    reason: str | None
    status: int | None
    captured: str | None
    leads_to: str | None
    leaves: bool
    at: int


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of one of the cases.

    Attributes
    ----------
    label : str
        Or the id of its rule.
    priority : str
    quote : str
    qualifier : str or None
    qualifier_key : int or None
    exhibit : str
    """

    label: str
    priority: str
    quote: str
    qualifier: str | None
    qualifier_key: int | None
    exhibit: str


@dataclass
class SitePair:
    """A site in both cases. Of each list of two the first is about the old case.

    Attributes
    ----------
    site : str
    findings : (dict, dict)
        By sentence, then by page.
    where : (dict, dict)
        On which pages a sentence stands, found or not: for sentences with findings in either case, and qualifiers.
    changed : (dict, dict)
        Texts of sentences that stand in one case only, by page, for pages that both have read.
    states : (dict, dict)
        Of pages.
    """

    site: str
    findings: tuple[dict[int, dict[int, list[Found]]], ...] = field(default_factory=lambda: ({}, {}))
    where: tuple[dict[int, set[int]], ...] = field(default_factory=lambda: ({}, {}))
    changed: tuple[dict[int, dict[int, str]], ...] = field(default_factory=lambda: ({}, {}))
    states: tuple[dict[int, PageState], ...] = field(default_factory=lambda: ({}, {}))


def text_key(text: str) -> int:
    """Return the key of a sentence: the same for all that are `comparable`."""
    return _hash(comparable(text))


def _hash(text: str) -> int:
    # 64 bits: of ten million texts two share theirs with a probability of three in a million.
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class CasePair:
    """Two cases, opened and put side by side; a context manager.

    Parameters
    ----------
    old, new : Path
    site : str or None
        Take only this site in.
    upheld : bool
        Of the old case take only the claims in that a reviewer upheld.

    Attributes
    ----------
    differences : tuple of str
        In what the two were screened otherwise.
    same_model : bool
        Both were screened by the same program, model and cues, so that a sentence that both would keep is in both.
    same_rules : bool
    same_readers : bool
        Both divided pages into the same sentences, as this program does.
    decisions : Decisions or None
        Of the old case, where only what was upheld was taken in.
    unread : (set of int, set of int)
        Pages that had to be read again, and could not be.
    why_unread : (str, str)
        Why the first of them could not be; "" if all could.
    looked : (set of int, set of int)
        Pages that were read again.

    Raises
    ------
    ReadError
        If one of them cannot be read.
    UsageError
        If neither has the site.
    """

    def __init__(self, old: Path, new: Path, *, site: str | None = None, upheld: bool = False) -> None:
        self.cases = (old, new)
        self.decisions: Decisions | None = None
        self.unread: tuple[set[int], set[int]] = (set(), set())
        self.looked: tuple[set[int], set[int]] = (set(), set())
        self.why_unread = ["", ""]
        self._folder = Path(tempfile.mkdtemp(prefix="mdclaims-compare-"))
        try:
            self._work = duckdb.connect(str(self._folder / "pair.duckdb"))
            self._settle(self._work, _PAIR_MEMORY)
            self._work.execute(_TABLES)
            self._load(site, upheld=upheld)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the database."""
        if hasattr(self, "_work"):
            self._work.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _settle(self, connection: DuckDBPyConnection, memory: str) -> None:
        spill = (self._folder / "spill").as_posix().replace("'", "''")
        connection.execute(f"SET memory_limit = '{memory}'; SET preserve_insertion_order = false; SET threads = 2")
        connection.execute(f"SET temp_directory = '{spill}'")

    # --- loading --------------------------------------------------------------------------------------------------

    def _load(self, site: str | None, *, upheld: bool) -> None:
        opened: list[OpenCase] = []
        try:
            for folder in self.cases:
                with _readable(folder):
                    opened.append(open_case(folder))
                self._settle(opened[-1].connection, _CASE_MEMORY)
            self._compare_settings(opened)
            for side, case in enumerate(opened):
                with _readable(case.folder):
                    self._load_pages(side, case.connection)
            self._work.execute(_ALIGN)
            self._settle_states()
            if site is not None:
                self._keep_site(site)
            for side, case in enumerate(opened):
                with _readable(case.folder):
                    self._load_sentences(side, case.connection, only_some=site is not None)
            self._work.execute(_RULED)
            if upheld:
                self._keep_upheld()
        finally:
            for case in opened:
                case.close()

    def _compare_settings(self, opened: Sequence[OpenCase]) -> None:
        old, new = (case.manifest for case in opened)
        here = {name: version_here(name) for name in {*old.versions, *new.versions}}
        self.same_readers = same_readers(old.versions, new.versions) & same_readers(new.versions, here) == PAGE_KINDS
        settings = [case.manifest.content["settings"] for case in opened]
        told: dict[str, tuple[Any, Any]] = {
            "mdclaims": (old.versions.get("mdclaims"), new.versions.get("mdclaims")),
            "model": (_model(old.content["versions"].get("model")), _model(new.content["versions"].get("model"))),
            **{name: (settings[0].get(key), settings[1].get(key)) for key, name in _SETTINGS.items()},
        }
        differing = {name: values for name, values in told.items() if values[0] != values[1]}
        self.differences = tuple(_difference(name, *values) for name, values in differing.items())
        names = set(differing)
        self.same_model = not names & {"mdclaims", "model", "cue files"} and self.same_readers
        self.same_rules = not names & {"mdclaims", "rules", "jurisdictions"}

    def _load_pages(self, side: int, case: DuckDBPyConnection) -> None:
        tops = case.execute(
            "SELECT count(DISTINCT split_part(file, '/', 1)) FROM pages WHERE address IS NULL AND contains(file, '/')"
        ).fetchall()
        # Files of two folders may have one path below them: then only the whole name tells them apart.
        below = tops[0][0] <= 1

        def keys(batch: pa.RecordBatch) -> pa.RecordBatch:
            rows = batch.to_pydict()
            names = [
                address or (file_address(file) if below else file)
                for address, file in zip(rows["address"], rows["file"], strict=True)
            ]
            pids = [_hash(page_key(name)) for name in names]
            targets = [None if to is None else _hash(page_key(to)) for to in rows["redirect"]]
            # http to https, or to the address with a slash: the same page.
            leads = [None if to == pid else to for pid, to in zip(pids, targets, strict=True)]
            columns = [batch["page"], pa.array(pids, pa.uint64()), batch["site"], pa.array(names, pa.string())]
            columns += [batch[name] for name in ("outcome", "reason", "status", "captured")]
            columns += [pa.array(leads, pa.uint64()), batch["redirect"]]
            return pa.RecordBatch.from_arrays(columns, schema=_PAGES)

        self._take(
            case,
            "SELECT page, coalesce(site, '') AS site, address, file, outcome, reason, status, redirect, "
            "strftime(captured, '%Y-%m-%dT%H:%M:%SZ') AS captured FROM pages WHERE address IS NOT NULL "
            'OR "offset" IS NULL',
            [],
            _PAGES,
            keys,
            "INSERT INTO pages SELECT ?, * FROM incoming",
            side,
        )

    def _keep_site(self, site: str) -> None:
        if not self._work.execute("SELECT 1 FROM pages WHERE site = ? LIMIT 1", [site]).fetchall():
            old, new = self.cases
            raise UsageError(f"no site {site} in {old} or {new}; their sites.parquet have the names")
        self._work.execute("DELETE FROM pages WHERE site <> ?", [site])

    def _load_sentences(self, side: int, case: DuckDBPyConnection, *, only_some: bool) -> None:
        pages = None
        if only_some:
            rows = self._work.execute("SELECT page FROM pages WHERE side = ?", [side]).fetchall()
            pages = [row[0] for row in rows]
        given = [pages]
        self._take(
            case,
            "SELECT page, coalesce(label, rules[1], '') AS label, priority, quote, qualifier, exhibit FROM findings "
            "WHERE $1 IS NULL OR page IN (SELECT unnest($1::VARCHAR[]))",
            given,
            _CLAIMS,
            _with_keys("quote", "qualifier", schema=_CLAIMS),
            "INSERT INTO claims SELECT p.side, p.site, p.pid, quote_key, label, priority, quote, qualifier, "
            "qualifier_key, exhibit FROM incoming JOIN pages AS p ON p.page = incoming.page AND p.side = ?",
            side,
        )
        self._take(
            case,
            "SELECT page, text FROM sentences WHERE $1 IS NULL OR page IN (SELECT unnest($1::VARCHAR[]))",
            given,
            _TEXTS,
            _with_keys("text", schema=_TEXTS),
            "INSERT INTO texts SELECT p.side, p.site, p.pid, text_key, text FROM incoming "
            "JOIN pages AS p ON p.page = incoming.page AND p.side = ?",
            side,
        )

    def _take(
        self,
        case: DuckDBPyConnection,
        question: str,
        given: Sequence[Any],
        schema: pa.Schema,
        convert: Callable[[pa.RecordBatch], pa.RecordBatch],
        insert: str,
        side: int,
    ) -> None:
        """Ask a case and put the answer into the database, some rows at a time."""
        answer = _batches(case, question, given)
        incoming = pa.RecordBatchReader.from_batches(schema, (convert(batch) for batch in answer))
        self._work.register("incoming", incoming)
        self._work.execute(insert, [side])
        self._work.unregister("incoming")

    def _settle_states(self) -> None:
        """Say of each page what is known of it, where redirects led to another one, of that."""
        self._work.execute(_KNOWN)
        for _ in range(_MOST_REDIRECTS):
            if not self._work.execute(_ONWARD).fetchall()[0][0]:
                break
        self._work.execute(_STATES)

    def _keep_upheld(self) -> None:
        """Leave only those claims of the old case whose last word is upheld, with all their copies on the site."""
        decisions = read_decisions(self.cases[0])
        ids = []
        for exhibit in decisions.exhibits():
            word = decisions.of(exhibit)
            if word is not None and word.decision == "upheld":
                ids.append(exhibit)
        self.decisions = decisions
        self._work.execute("CREATE TABLE upheld AS SELECT unnest($1::VARCHAR[]) AS exhibit", [ids])
        self._work.execute(
            "CREATE TABLE upheld_claims AS SELECT DISTINCT site, key FROM claims SEMI JOIN upheld USING (exhibit) "
            "WHERE side = 0"
        )
        self._work.execute(
            "DELETE FROM claims WHERE side = 0 AND NOT EXISTS "
            "(SELECT 1 FROM upheld_claims AS u WHERE u.site = claims.site AND u.key = claims.key)"
        )

    # --- reading again --------------------------------------------------------------------------------------------

    def look_again(
        self,
        options: LookOptions,
        sides: Sequence[int] = (0, 1),
        *,
        on_plan: Callable[[int], None] = lambda _: None,
        on_part: Callable[[int, int], None] = lambda _pages, _size: None,
    ) -> None:
        """Look for the claims of each case that a page of the other does not have in its table, in that page's text.

        Parameters
        ----------
        options : LookOptions
        sides : sequence of int
            Whose claims: 0 the old case's, 1 the new one's.
        on_plan, on_part : callable
            Told how many pages there are to read, then how many were read, twice.
        """
        self._work.execute(_WANTED)
        if not self.same_model:
            # Another model may judge otherwise what qualifies; then only what the page says counts.
            self._work.execute(_WANTED_QUALIFIERS)
        self._work.execute("DELETE FROM wanted WHERE side NOT IN (SELECT unnest($1::INTEGER[]))", [list(sides)])
        plans = [(1 - side, *self._write_wanted(1 - side)) for side in sides]
        on_plan(sum(sum(tasks) for _, _, tasks in plans))
        for other, path, tasks in plans:
            if tasks:
                self._look(other, path, tasks, options, on_part)

    def _write_wanted(self, other: int) -> tuple[Path, list[int]]:
        """Write which pages of a case to read and what to look for; return the file and the number of pages by task."""
        path = self._folder / f"wanted-{other}.parquet"
        pages = _batches(
            self._work,
            "SELECT p.page, list(DISTINCT w.text) AS texts FROM wanted AS w JOIN pages AS p "
            "ON p.pid = w.pid AND p.side = 1 - w.side WHERE p.side = ? AND p.outcome = 'read' GROUP BY p.page",
            [other],
        ).read_all()
        if not pages.num_rows:
            return path, []
        with open_case(self.cases[other]) as case, _readable(case.folder):
            self._settle(case.connection, _CASE_MEMORY)
            case.connection.register("wanted", pages)
            rows = _batches(
                case.connection,
                "SELECT p.* EXCLUDE (asked, evidence_offset), p.evidence_offset AS record, w.texts, "
                '((row_number() OVER (ORDER BY p.file, p."offset", p.page) - 1) // ?)::INTEGER AS task '
                "FROM pages AS p JOIN wanted AS w USING (page)",
                [PAGES_AT_ONCE],
            )
            with pq.ParquetWriter(path, rows.schema) as writer:
                for batch in rows:
                    writer.write_batch(batch)
        full, rest = divmod(pages.num_rows, PAGES_AT_ONCE)
        return path, [PAGES_AT_ONCE] * full + [rest] * bool(rest)

    def _look(
        self, other: int, path: Path, tasks: Sequence[int], options: LookOptions, on_part: Callable[[int, int], None]
    ) -> None:
        with open_case(self.cases[other]) as case:
            # Of pages without findings no copy was kept, and their inputs are looked for.
            originals = Originals.of_case(self.cases[other], case.manifest, options.folders, evidence=False)
        standing: list[tuple[str, str]] = []
        unread: list[tuple[str, str]] = []

        def take(part: PagesLooked) -> None:
            standing.extend(part.stand)
            unread.extend(part.unread)
            on_part(part.pages, part.pages)

        begin = BeginLookup(originals, path, anywhere=not self.same_readers)
        look(begin, tasks, workers=options.workers, limits=options.limits, on_part=take)
        self._take_in(other, standing, unread)

    def _take_in(self, other: int, standing: Sequence[tuple[str, str]], unread: Sequence[tuple[str, str]]) -> None:
        """Put down what stands on the pages that were read again, and which could not be."""
        found = pa.table(
            {
                "page": pa.array([page for page, _ in standing], pa.string()),
                "text": pa.array([text for _, text in standing], pa.string()),
                "key": pa.array([text_key(text) for _, text in standing], pa.uint64()),
            }
        )
        self._work.register("found", found)
        self._work.execute(
            "INSERT INTO texts SELECT p.side, p.site, p.pid, f.key, f.text FROM found AS f "
            "JOIN pages AS p ON p.page = f.page AND p.side = ?",
            [other],
        )
        self._work.unregister("found")
        pages = [page for page, _ in unread]
        rows = self._work.execute(
            "SELECT pid FROM pages WHERE side = $1 AND page IN (SELECT unnest($2::VARCHAR[]))",
            [other, pages],
        ).fetchall()
        self.unread[other].update(row[0] for row in rows)
        wanted = self._work.execute("SELECT DISTINCT pid FROM wanted WHERE side = ?", [1 - other]).fetchall()
        self.looked[other].update({row[0] for row in wanted} - self.unread[other])
        if unread:
            self.why_unread[other] = unread[0][1]

    # --- site by site ---------------------------------------------------------------------------------------------

    def sites(self) -> Iterator[SitePair]:
        """Yield each site that has a claim in one of the cases, by name."""
        self._work.execute(_COMPARED)
        streams = {name: _groups(self._work.cursor(), question) for name, question in _STREAMS.items()}
        heads = {name: next(stream, None) for name, stream in streams.items()}
        while (site := min((head[0] for head in heads.values() if head is not None), default=None)) is not None:
            pair = SitePair(site)
            for name, stream in streams.items():
                head = heads[name]
                if head is not None and head[0] == site:
                    _FILL[name](pair, head[1])
                    heads[name] = next(stream, None)
            yield pair


# What of both cases stands in the database. Side 0 is the old case, 1 the new one; a page's name in its case is `page`,
# `pid` what the two cases share of it, and `key` what they share of a sentence.
_TABLES = """
CREATE TABLE pages (side INTEGER, page VARCHAR, pid UBIGINT, site VARCHAR, address VARCHAR, outcome VARCHAR,
  reason VARCHAR, status INTEGER, captured VARCHAR, leads UBIGINT, leads_to VARCHAR);
CREATE TABLE claims (side INTEGER, site VARCHAR, pid UBIGINT, key UBIGINT, label VARCHAR, priority VARCHAR,
  quote VARCHAR, qualifier VARCHAR, qualifier_key UBIGINT, exhibit VARCHAR);
CREATE TABLE texts (side INTEGER, site VARCHAR, pid UBIGINT, key UBIGINT, text VARCHAR);
CREATE TABLE wanted (side INTEGER, pid UBIGINT, key UBIGINT, text VARCHAR);
"""

# Sites of the new case that a list calls otherwise get the name that their pages had in the old one.
_ALIGN = """
UPDATE pages SET site = best.before FROM (
  SELECT after, arg_max(before, shared) AS before FROM (
    SELECT n.site AS after, o.site AS before, count(*) AS shared
    FROM (SELECT DISTINCT pid, site FROM pages WHERE side = 1) AS n
    JOIN (SELECT DISTINCT pid, site FROM pages WHERE side = 0) AS o USING (pid)
    WHERE n.site NOT IN (SELECT site FROM pages WHERE side = 0) GROUP BY ALL)
  GROUP BY after) AS best
WHERE pages.side = 1 AND pages.site = best.after
"""

# Of the captures of a page the one that tells most; the numbers are those of `READ` and so on.
_KNOWN = """
CREATE TABLE known AS
SELECT side, pid, site, address, rank, reason, status, captured, leads, leads_to FROM (
  SELECT *, CASE
    WHEN outcome = 'read' THEN 0
    WHEN outcome = 'script_written' THEN 1
    WHEN outcome = 'not_english' THEN 2
    WHEN outcome = 'error_page' AND status IN (404, 410) THEN 4
    WHEN outcome = 'not_fetched' AND regexp_matches(reason, '^http_error: status (404|410)$') THEN 4
    WHEN outcome = 'redirect' THEN 5
    WHEN outcome = 'revisit' THEN 6
    ELSE 3 END AS rank
  FROM pages WHERE outcome <> 'redirect' OR leads IS NOT NULL)
QUALIFY row_number() OVER (PARTITION BY side, pid ORDER BY rank, captured DESC NULLS LAST, page) = 1;
CREATE TABLE landed AS SELECT side, pid, leads AS target, leads_to FROM known WHERE rank = 5;
"""
_ONWARD = """
UPDATE landed SET target = k.leads, leads_to = k.leads_to FROM known AS k
WHERE k.side = landed.side AND k.pid = landed.target AND k.rank = 5 AND k.leads <> landed.pid
"""
_STATES = """
CREATE TABLE states AS
SELECT k.side, k.pid, k.address, coalesce(t.rank, if(l.pid IS NULL, k.rank, 7)) AS rank,
  coalesce(t.reason, k.reason) AS reason, coalesce(t.status, if(l.pid IS NULL, k.status, NULL)) AS status,
  coalesce(t.captured, k.captured) AS captured, l.leads_to, coalesce(t.site <> k.site, false) AS leaves,
  coalesce(t.pid, k.pid) AS target
FROM known AS k LEFT JOIN landed AS l USING (side, pid) LEFT JOIN known AS t ON t.side = k.side AND t.pid = l.target
"""

# Findings of rules that need no label may have sentences with lower scores than those kept.
_RULED = """
INSERT INTO texts SELECT DISTINCT ON (side, pid, key) side, site, pid, key, quote FROM claims AS c
WHERE NOT EXISTS (SELECT 1 FROM texts AS t WHERE t.side = c.side AND t.pid = c.pid AND t.key = c.key)
"""

# The claims of a case that the other read the page of, and does not have there in its table.
_WANTED = """
INSERT INTO wanted SELECT c.side, s.target, c.key, any_value(c.quote) FROM claims AS c
JOIN states AS s ON s.side = 1 - c.side AND s.pid = c.pid AND s.rank = 0
WHERE NOT EXISTS (SELECT 1 FROM texts AS t WHERE t.side = s.side AND t.pid = s.target AND t.key = c.key) GROUP BY ALL
"""
_WANTED_QUALIFIERS = """
INSERT INTO wanted SELECT c.side, s.target, c.qualifier_key, any_value(c.qualifier) FROM claims AS c
JOIN states AS s ON s.side = 1 - c.side AND s.pid = c.pid AND s.rank = 0
WHERE c.qualifier_key IS NOT NULL AND NOT EXISTS
  (SELECT 1 FROM texts AS t WHERE t.side = s.side AND t.pid = s.target AND t.key = c.qualifier_key) GROUP BY ALL
"""

# Where the sentences of claims and qualifiers stand; the sentences that one case alone has, on pages that both have
# read; the pages of all these.
_COMPARED = """
CREATE TABLE claimed AS SELECT DISTINCT site, key FROM
  (SELECT site, key FROM claims UNION ALL SELECT site, qualifier_key FROM claims WHERE qualifier_key IS NOT NULL);
CREATE TABLE places AS SELECT DISTINCT t.site, t.side, t.key, t.pid FROM texts AS t SEMI JOIN claimed USING (site, key);
CREATE TABLE changed AS SELECT DISTINCT ON (t.side, t.pid, t.key) t.site, t.side, t.pid, t.key, t.text FROM texts AS t
  JOIN states AS s ON s.side = 1 - t.side AND s.pid = t.pid AND s.rank <= 1
  WHERE NOT EXISTS (SELECT 1 FROM texts AS o WHERE o.side = s.side AND o.site = t.site AND o.key = t.key);
CREATE TABLE met AS SELECT DISTINCT site, pid FROM
  (SELECT site, pid FROM places UNION ALL SELECT site, pid FROM changed);
"""

_PAGES = pa.schema(
    [
        ("page", pa.string()),
        ("pid", pa.uint64()),
        ("site", pa.string()),
        ("address", pa.string()),
        ("outcome", pa.string()),
        ("reason", pa.string()),
        ("status", pa.int32()),
        ("captured", pa.string()),
        ("leads", pa.uint64()),
        ("leads_to", pa.string()),
    ]
)
_CLAIMS = pa.schema(
    [
        ("page", pa.string()),
        ("label", pa.string()),
        ("priority", pa.string()),
        ("quote", pa.string()),
        ("qualifier", pa.string()),
        ("exhibit", pa.string()),
        ("quote_key", pa.uint64()),
        ("qualifier_key", pa.uint64()),
    ]
)
_TEXTS = pa.schema([("page", pa.string()), ("text", pa.string()), ("text_key", pa.uint64())])

# What of the settings of a screening could change what is found.
_SETTINGS = {
    "mode": "mode",
    "labels": "labels",
    "thresholds": "thresholds",
    "jurisdictions": "jurisdictions",
    "rules_sha256": "rules",
    "cues": "cue files",
    "severities": "severities",
}
_LONG = frozenset({"thresholds", "rules", "cue files", "severities"})

_STREAMS = {
    "findings": "SELECT site, side, key, pid, label, priority, quote, qualifier, qualifier_key, exhibit FROM claims "
    "ORDER BY ALL",
    "where": "SELECT site, side, key, pid FROM places ORDER BY site",
    "changed": "SELECT site, side, pid, key, text FROM changed ORDER BY ALL",
    "states": "SELECT m.site, s.side, s.pid, s.address, s.rank, s.reason, s.status, s.captured, s.leads_to, "
    "s.leaves, s.target FROM met AS m JOIN states AS s USING (pid) ORDER BY m.site",
}


def _fill_findings(pair: SitePair, rows: Sequence[tuple[Any, ...]]) -> None:
    for _, side, key, pid, label, priority, quote, qualifier, qualifier_key, exhibit in rows:
        found = Found(label, priority, quote, qualifier, qualifier_key, exhibit)
        pair.findings[side].setdefault(key, {}).setdefault(pid, []).append(found)


def _fill_where(pair: SitePair, rows: Sequence[tuple[Any, ...]]) -> None:
    for _, side, key, pid in rows:
        pair.where[side].setdefault(key, set()).add(pid)


def _fill_changed(pair: SitePair, rows: Sequence[tuple[Any, ...]]) -> None:
    for _, side, pid, key, text in rows:
        pair.changed[side].setdefault(pid, {})[key] = text


def _fill_states(pair: SitePair, rows: Sequence[tuple[Any, ...]]) -> None:
    for _, side, pid, *state in rows:
        pair.states[side][pid] = PageState(*state)


_FILL: dict[str, Callable[[SitePair, Sequence[tuple[Any, ...]]], None]] = {
    "findings": _fill_findings,
    "where": _fill_where,
    "changed": _fill_changed,
    "states": _fill_states,
}


def _batches(connection: DuckDBPyConnection, question: str, given: Sequence[Any]) -> pa.RecordBatchReader:
    """Return the answer to a question, some rows at a time."""
    return connection.sql(question, params=list(given)).to_arrow_reader(_BATCH_ROWS)


def _groups(cursor: DuckDBPyConnection, question: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield the rows of each site."""
    cursor.execute(question)
    rows = (row for block in iter(lambda: cursor.fetchmany(_BATCH_ROWS), []) for row in block)
    for site, members in groupby(rows, key=lambda row: str(row[0])):
        yield site, list(members)


def _with_keys(*names: str, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.RecordBatch]:
    """Return what adds the keys of texts to a batch; each different text is read once."""

    def convert(batch: pa.RecordBatch) -> pa.RecordBatch:
        columns = {name: batch[name] for name in batch.schema.names}
        for name in names:
            encoded = batch[name].dictionary_encode()
            keys = pa.array([text_key(text) for text in encoded.dictionary.to_pylist()], pa.uint64())
            columns[f"{name}_key"] = keys.take(encoded.indices)
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    return convert


def _model(about: Any) -> str:
    if not isinstance(about, dict):
        return "unknown"
    return f"{about.get('name')} {about.get('version')} ({str(about.get('sha256'))[:12]})"


def _difference(name: str, before: Any, after: Any) -> str:
    """Say what is not the same in two screenings; of what is long only that it is another."""
    if name in _LONG:
        return f"other {name}"
    told = [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in (before, after)]
    return f"{name} {told[0] or 'none'}, now {told[1] or 'none'}"


class _readable:  # noqa: N801 (used as a statement)
    """Turns what a damaged table raises into one line."""

    def __init__(self, case: Path) -> None:
        self._case = case

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (duckdb.Error, pa.ArrowException)) and not isinstance(error, duckdb.OutOfMemoryException):
            reason = " ".join(str(error).split())[:200]
            raise ReadError(f"{self._case} cannot be read ({reason}); run mdclaims verify on it") from error
