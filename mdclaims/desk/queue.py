"""The queue of a case: what is open, in which order it is looked at, and what one exhibit says.

It keeps one list of the exhibits in DuckDB, and of what was decided only what it takes to count; the log of decisions
is asked, and read on before every answer, so that decisions made elsewhere count at once.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import RLock
from typing import Any

from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.covering import COVERED, covered, rows_of
from mdclaims.cases.decisions import Decision, Decisions, Draft, append, standing
from mdclaims.cases.manifest import is_inside
from mdclaims.cases.store import DECISIONS, EVIDENCE, CaseError
from mdclaims.labels import PRIORITIES

RECENT = 20
"""So many of the last decisions are listed."""

_CHUNK = 500
# By urgency, then site by site as a person would read them; wording about people, which no letter takes up by itself,
# comes last. Equal exhibits of two captures are one.
_QUEUE = f"""
CREATE TABLE queue AS
WITH known AS (
  SELECT {COVERED}, list_position({list(PRIORITIES)}, f.priority) AS urgency, f.priority, f.page, f.sentence, f.captured
  FROM findings AS f
), distinct_ids AS (
  SELECT exhibit, any_value(site) AS site, any_value(coalesce(label, rule)) AS name, min(urgency) AS urgency,
    arg_min(priority, urgency) AS priority, any_value(address) AS address, min(sentence) AS sentence,
    hash(any_value(folded(quote))) AS words, any_value(fingerprint) AS fingerprint,
    arg_max(page, coalesce(captured, TIMESTAMPTZ '1970-01-01')) AS page
  FROM known GROUP BY exhibit
)
SELECT row_number() OVER (ORDER BY name = 'stigma_framing', urgency, site, address, sentence, exhibit) AS place,
  * EXCLUDE (urgency)
FROM distinct_ids ORDER BY place
"""  # noqa: S608 (ours alone)


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the queue is looked at.

    Attributes
    ----------
    site, priority : str
        Empty means all.
    """

    site: str = ""
    priority: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """How far a site has come.

    Attributes
    ----------
    name : str
    findings, open : int
        All, and those without a decision that stands.
    open_high : int
    """

    name: str
    findings: int
    open: int
    open_high: int


class Queue:
    """The exhibits of a case, in the order in which they are looked at; threads may share it.

    Parameters
    ----------
    case : OpenCase

    Attributes
    ----------
    case : OpenCase
    decisions : Decisions
    recent : deque of Decision
        The last that were made, the newest last.

    Raises
    ------
    ReadError
        If the log of decisions is damaged.
    """

    def __init__(self, case: OpenCase) -> None:
        self.case = case
        self._lock = RLock()
        self._ask = case.connection.cursor()
        self._ask.execute(_QUEUE)
        self._all = Counter(
            {
                (site, priority): count
                for site, priority, count in self._ask.execute(
                    "SELECT site, priority, count(*) FROM queue GROUP BY ALL"
                ).fetchall()
            }
        )
        self._decided: dict[str, tuple[str, str]] = {}
        self._closed: Counter[tuple[str, str]] = Counter()
        self._read: list[Decision] = []
        self.recent: deque[Decision] = deque(maxlen=RECENT)
        self.decisions = Decisions(case.folder / DECISIONS, watch=self._read.append)
        self.refresh()

    def refresh(self) -> None:
        """Take in decisions that were made elsewhere.

        Raises
        ------
        ReadError
            If the log is damaged.
        """
        with self._lock:
            self.decisions.refresh()
            self._take_in()

    def _take_in(self) -> None:
        """Count what was read of the log since."""
        self.recent.extend(self._read)
        self._count({exhibit for decision in self._read for exhibit in decision.exhibits})
        self._read.clear()

    def _count(self, exhibits: Iterable[str]) -> None:
        """Count exhibits whose decisions may have changed as open or not."""
        closed = set()
        for exhibit in exhibits:
            place = self._decided.pop(exhibit, None)
            if place is not None:
                self._closed[place] -= 1
            if self.decisions.of(exhibit) is not None:
                closed.add(exhibit)
        if closed:
            question = "SELECT exhibit, site, priority FROM queue SEMI JOIN wanted USING (exhibit)"
            for exhibit, site, priority in rows_of(self._ask, closed, question):
                self._decided[exhibit] = (site, priority)
                self._closed[site, priority] += 1

    # --- looking --------------------------------------------------------------------------------------------------

    def counts(self, which: Filter) -> tuple[int, int]:
        """Return how many exhibits there are and how many of them are open."""
        keys = [key for key in self._all if which.site in {"", key[0]} and which.priority in {"", key[1]}]
        every = sum(self._all[key] for key in keys)
        return every, every - sum(self._closed[key] for key in keys)

    def sites(self) -> list[Site]:
        """Return the sites, those with the most urgent open exhibits first."""
        rows: dict[str, list[int]] = {}
        for (site, priority), count in self._all.items():
            left = count - self._closed[site, priority]
            figures = rows.setdefault(site, [0, 0, 0])
            figures[0] += count
            figures[1] += left
            figures[2] += left if priority == PRIORITIES[0] else 0
        found = [Site(name, *figures) for name, figures in rows.items()]
        return sorted(found, key=lambda site: (-site.open_high, -site.open, site.name))

    def next(self, which: Filter, after: str = "") -> str | None:
        """Return the next open exhibit behind one, or from the beginning; None if none is open.

        Parameters
        ----------
        which : Filter
        after : str
            Id of an exhibit; empty for the start of the queue. Behind the last one the queue begins again.
        """
        with self._lock:
            start = self._place(after)
            for first, last in ((start, None), (0, start)):
                found = self._open_between(which, first, last)
                if found is not None and found != after:
                    return found
        return None

    def _place(self, exhibit: str) -> int:
        row = self._ask.execute("SELECT place FROM queue WHERE exhibit = ?", [exhibit]).fetchone()
        return int(row[0]) if row else 0

    def _open_between(self, which: Filter, place: int, last: int | None) -> str | None:
        while True:
            rows = self._ask.execute(
                "SELECT place, exhibit FROM queue WHERE place > $place AND ($last IS NULL OR place <= $last) "
                "AND $site IN ('', site) AND $priority IN ('', priority) ORDER BY place LIMIT $chunk",
                {
                    "place": place,
                    "last": last,
                    "site": which.site,
                    "priority": which.priority,
                    "chunk": _CHUNK,
                },
            ).fetchall()
            for _, exhibit in rows:
                if exhibit not in self._decided:
                    return str(exhibit)
            if len(rows) < _CHUNK:
                return None
            place = rows[-1][0]

    def exhibit(self, exhibit: str) -> dict[str, Any] | None:
        """Return the row of an exhibit's latest capture, as the view `findings` has it; None if there is none."""
        with self._lock:
            # By page and fingerprint, which the tables hold: ids would have to be made of all rows first.
            place = self._ask.execute("SELECT page, fingerprint FROM queue WHERE exhibit = ?", [exhibit]).fetchone()
            if place is None:
                return None
            result = self._ask.execute("SELECT * FROM findings WHERE page = ? AND fingerprint = ?", list(place))
            row = result.fetchone()
            return dict(zip([column[0] for column in result.description], row, strict=True)) if row else None

    def copies(self, exhibit: str) -> list[tuple[str, str]]:
        """Return id and address of the other open exhibits of the site with the same label and the same words."""
        with self._lock:
            rows = self._ask.execute(
                "SELECT q.exhibit, q.address FROM queue AS q JOIN queue AS this ON this.exhibit = ? "
                "WHERE q.site = this.site AND q.name = this.name AND q.words = this.words "
                "AND q.exhibit <> this.exhibit ORDER BY q.place",
                [exhibit],
            ).fetchall()
        return [(other, address) for other, address in rows if other not in self._decided]

    def evidence(self, row: Mapping[str, Any]) -> bytes | None:
        """Return the record of an exhibit's page from the evidence of the case, packed as it is there.

        Raises
        ------
        CaseError
            If it cannot be read.
        """
        offset = row["evidence_offset"]
        if offset is None or not is_inside(self.case.folder, EVIDENCE):
            return None
        path = self.case.folder / EVIDENCE
        with self._lock:
            (end,) = self._ask.execute(
                "SELECT min(evidence_offset) FROM pages WHERE evidence_offset > ?", [offset]
            ).fetchone() or (None,)
        try:
            with path.open("rb") as stream:
                stream.seek(offset)
                return stream.read(-1 if end is None else end - offset)
        except (OSError, ValueError) as error:
            raise CaseError(f"{path} cannot be read ({error}); mdclaims verify says more") from error

    # --- deciding -------------------------------------------------------------------------------------------------

    def decide(self, draft: Draft, exhibits: Sequence[str], seen: int) -> Decision:
        """Write a decision; when this returns it is on the disk.

        Parameters
        ----------
        draft : Draft
            Without what it covers.
        exhibits : sequence of str
            What it covers; the first is the one that was looked at.
        seen : int
            The number of the last decision about that one which the reviewer saw; 0 if there was none.

        Raises
        ------
        CaseError
            If somebody decided in the meantime, an exhibit is not in the case, or the log cannot be written.
        ReadError, UsageError
            If the log is damaged, or the decision none that can be written.
        """
        with self._lock:
            self.refresh()
            history = self.decisions.history(exhibits[0])
            if history and history[-1].number != seen:
                raise CaseError(f"{history[-1].reviewer} decided about it in the meantime; look at it and decide again")
            known = {found.exhibit: found for found in covered(self._ask, exhibits)}
            missing = set(exhibits) - set(known)
            if missing:
                raise CaseError(f"exhibit {min(missing)} is not in this case")
            return self._write([replace(draft, covers=tuple(known[exhibit] for exhibit in exhibits))])[0]

    def take_back(self, exhibit: str, number: int, reviewer: str) -> Decision:
        """Undo a decision of the reviewer: what the reviewer had decided before stands again, or nothing.

        Parameters
        ----------
        exhibit : str
            One that it covers.
        number : int
            The decision's.
        reviewer : str

        Raises
        ------
        CaseError
            If it is not the reviewer's, or not the last about all that it covers.
        """
        with self._lock:
            self.refresh()
            undone = next((entry for entry in self.decisions.history(exhibit) if entry.number == number), None)
            if undone is None or undone.reviewer != reviewer:
                raise CaseError("only a decision of your own can be undone")
            if any(self.decisions.history(covers)[-1].number != number for covers in undone.exhibits):
                raise CaseError("somebody decided since; nothing was undone")
            covers = self.decisions.covers(undone)
            drafts = [Draft(reviewer, "open", covers)]
            for entry in covers:
                history = (past for past in self.decisions.history(entry.exhibit) if past.number < number)
                before = standing(history).get(reviewer)
                if before is not None:
                    drafts.append(
                        Draft(reviewer, before.decision, (entry,), before.reason, before.provision, before.overrules)
                    )
            return self._write(drafts)[-1]

    def _write(self, drafts: Sequence[Draft]) -> list[Decision]:
        written = append(self.case.folder, drafts, self.decisions)
        self._take_in()
        return written
