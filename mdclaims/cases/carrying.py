"""Carries decisions over from an earlier screening.

An exhibit that is the same (page, claim, heading) keeps its decision. A claim that was reworded, or moved to another
page or heading, is open again; the log of the new case says what had been decided and about which words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.covering import COVERED, covered, rows_of
from mdclaims.cases.decisions import Covered, Decision, Decisions, Draft, Origin, append
from mdclaims.errors import UsageError
from mdclaims.findings.findings import fold
from mdclaims.findings.similarity import Wordings


@dataclass
class CarryReport:
    """What became of the decisions of an earlier case: exhibits by what happened.

    Attributes
    ----------
    carried : int
        The same; they keep their decision.
    reworded, moved, still_there : int
        Open again with their old decision beside them: other words, another page or heading, or decided to be fixed and
        there all the same.
    present : int
        Something was decided here already; it stays.
    gone : int
        Decided in the earlier case and not found in this one.
    """

    carried: int = 0
    reworded: int = 0
    moved: int = 0
    still_there: int = 0
    present: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class _Lost:
    """An exhibit that was decided about and is not in the new case."""

    what: Covered
    decision: Decision


def carry_over(
    case: OpenCase, earlier: OpenCase, decisions: Decisions, earlier_decisions: Decisions, *, dry_run: bool = False
) -> CarryReport:
    """Carry the decisions of an earlier case over into one.

    Parameters
    ----------
    case, earlier : OpenCase
    decisions, earlier_decisions : Decisions
        Theirs; the first are brought up to date.
    dry_run : bool
        Write nothing.

    Raises
    ------
    UsageError
        If both are one case.
    ReadError
        If a log cannot be read.
    CaseError
        If the log cannot be written.
    """
    if case.folder.resolve() == earlier.folder.resolve():
        raise UsageError(f"--from names {earlier.folder}, which is the case itself; name the earlier one")
    report = CarryReport()
    drafts = _drafts(case, earlier, decisions, earlier_decisions, report)
    if dry_run:
        for _ in drafts:
            pass
    else:
        append(case.folder, drafts, decisions)
    return report


def _drafts(
    case: OpenCase, earlier: OpenCase, decisions: Decisions, before: Decisions, report: CarryReport
) -> Iterator[Draft]:
    standing = _standing(before)
    ids = {exhibit for _, exhibits in standing for exhibit in exhibits}
    here = {found.exhibit for found in covered(case.connection, ids)}
    lost: list[_Lost] = []
    for decision, names in standing:
        exhibits = set(names)
        known = [entry for entry in before.covers(decision) if entry.exhibit in exhibits]
        lost += [_Lost(entry, decision) for entry in known if entry.exhibit not in here]
        same = [entry for entry in known if entry.exhibit in here]
        kept = tuple(entry for entry in same if not decisions.history(entry.exhibit))
        report.present += len(same) - len(kept)
        if kept and decision.decision == "fixed":
            report.still_there += len(kept)
            yield _reopened(kept, _Lost(kept[0], decision), "still there", earlier, before)
        elif kept:
            report.carried += len(kept)
            yield Draft(
                decision.reviewer,
                decision.decision,
                kept,
                decision.reason,
                decision.provision,
                overrules=decision.overrules,
                origin=_origin(_Lost(kept[0], decision), None, earlier, before),
            )
    yield from _found_again(lost, case, earlier, decisions, before, report)


def _standing(before: Decisions) -> list[tuple[Decision, list[str]]]:
    """Return the decisions that stand, in the order they were made, with the exhibits for which they do."""
    found: dict[int, tuple[Decision, list[str]]] = {}
    for exhibit in before.exhibits():
        for decision in before.words(exhibit).values():
            found.setdefault(decision.number, (decision, []))[1].append(exhibit)
    return [found[number] for number in sorted(found)]


def _origin(lost: _Lost, why: str | None, earlier: OpenCase, before: Decisions) -> Origin:
    decision = lost.decision
    return Origin(
        case=earlier.folder.resolve().name,
        manifest=earlier.manifest.sha256,
        line=before.line_sha256(decision),
        time=decision.time.isoformat(timespec="milliseconds"),
        decision=decision.decision,
        why=why,
        quote=lost.what.quote,
    )


def _reopened(covers: tuple[Covered, ...], lost: _Lost, why: str, earlier: OpenCase, before: Decisions) -> Draft:
    decision = lost.decision
    return Draft(
        decision.reviewer,
        "open",
        covers,
        decision.reason,
        decision.provision,
        origin=_origin(lost, why, earlier, before),
    )


# --- what was reworded or moved ------------------------------------------------------------------------------------


def _found_again(
    lost: list[_Lost], case: OpenCase, earlier: OpenCase, decisions: Decisions, before: Decisions, report: CarryReport
) -> Iterator[Draft]:
    """Yield for each claim that is new in the case and near to one that was decided what had been decided."""
    by_claims: dict[tuple[str, str | None, str | None], list[_Lost]] = defaultdict(list)
    for entry in lost:
        by_claims[entry.what.site, entry.what.label, entry.what.rule].append(entry)
    sites = {site for site, _, _ in by_claims}
    nearest = {key: _Nearest(entries) for key, entries in by_claims.items()}
    again: dict[tuple[str, str], tuple[_Lost, str, list[Covered]]] = {}
    near: set[str] = set()
    for exhibit in _new_exhibits(case, earlier, sites):
        among = nearest.get((exhibit.site, exhibit.label, exhibit.rule))
        found = among.to(exhibit) if among else None
        if found is None:
            continue
        entry, why = found
        near.add(entry.what.exhibit)
        if decisions.history(exhibit.exhibit):
            report.present += 1
            continue
        again.setdefault((entry.what.exhibit, why), (entry, why, []))[2].append(exhibit)
    for entry, why, exhibits in again.values():
        if why == "moved":
            report.moved += len(exhibits)
        else:
            report.reworded += len(exhibits)
        yield _reopened(tuple(exhibits), entry, why, earlier, before)
    report.gone = len({entry.what.exhibit for entry in lost} - near)


class _Nearest:
    """Finds for a new claim the nearest of those that are gone, on its own page before others."""

    def __init__(self, lost: list[_Lost]) -> None:
        self._by_text: Mapping[str, list[_Lost]] = defaultdict(list)
        for entry in lost:
            self._by_text[fold(entry.what.quote)].append(entry)
        self._texts = list(self._by_text)
        self._wordings = Wordings(self._texts)

    def to(self, exhibit: Covered) -> tuple[_Lost, str] | None:
        text = fold(exhibit.quote)
        if text in self._by_text:
            return self._on(exhibit.address, text), "moved"
        found = self._wordings.nearest(exhibit.quote)
        return None if found is None else (self._on(exhibit.address, self._texts[found[0]]), "reworded")

    def _on(self, address: str, text: str) -> _Lost:
        # Of several reviewers the last word; of several pages this one.
        return max(self._by_text[text], key=lambda entry: (entry.what.address == address, entry.decision.number))


def _new_exhibits(case: OpenCase, earlier: OpenCase, sites: set[str]) -> Iterator[Covered]:
    """Yield the exhibits of these sites that the earlier case does not have."""
    if not sites:
        return
    with earlier.connection.cursor() as cursor:
        cursor.register("lost_sites", pa.table({"site": pa.array(sorted(sites), pa.string())}))
        rows = cursor.execute(
            "SELECT DISTINCT exhibit FROM findings WHERE coalesce(site, '') IN (SELECT site FROM lost_sites)"
        ).fetchall()
    known = {row[0] for row in rows}
    question = f"SELECT {COVERED} FROM findings AS f ANTI JOIN wanted USING (exhibit)"  # noqa: S608 (ours alone)
    seen = set()
    for row in rows_of(case.connection, known, question):
        exhibit = Covered(*row)
        if exhibit.site in sites and exhibit.exhibit not in seen:
            seen.add(exhibit.exhibit)
            yield exhibit
