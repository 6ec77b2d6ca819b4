"""What became of each claim between two screenings of the same sites.

A claim is a sentence on a site: what is told turns on its words, not on a score. It is called gone only if every page
that had it was read again without it, or answered with 404 or 410, and no other page read of the site has it.
docs/compare.md tells users what the results mean.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from mdclaims.cases.pairing import (
    ANSWERED,
    FOREIGN,
    NOWHERE,
    READ,
    REVISIT,
    SCRIPT,
    CasePair,
    Found,
    LookOptions,
    PageState,
    SitePair,
)
from mdclaims.cases.same_page import SAME_PAGE
from mdclaims.findings.findings import Difference
from mdclaims.findings.similarity import differences, pairs
from mdclaims.labels import LABELS, PRIORITIES

RESULTS = ("still_there", "reworded", "moved", "gone", "new", "cannot_tell")
"""What can become of a claim."""

_CHANGES = frozenset({"reworded", "moved", "gone", "new"})


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What to compare.

    Attributes
    ----------
    site : str or None
        Only this site.
    upheld : bool
        Only the claims of the old case that a reviewer upheld.
    look : LookOptions
        How pages are read again.
    """

    site: str | None = None
    upheld: bool = False
    look: LookOptions = field(default_factory=LookOptions)


@dataclass(frozen=True, slots=True)
class OnPage:
    """A claim and a page that had it or has it.

    Attributes
    ----------
    address : str
    then, now : bool or None
        Whether the claim stood and stands there; None if that cannot be told.
    why : str
        What is known of the page on the side where the claim is not: "read without it", "not captured".
    captured : str or None
        When the page was captured for the new case, ISO 8601, UTC; also where it answered with an error.
    """

    address: str
    then: bool | None
    now: bool | None
    why: str
    captured: str | None


@dataclass(frozen=True, slots=True)
class QualifierChange:
    """A qualifier that is nearest to a claim in one of the cases alone.

    Attributes
    ----------
    before, after : str or None
        In full; None where the text read has none.
    pages : tuple of str
    """

    before: str | None
    after: str | None
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The decision that upheld a claim."""

    time: str
    reviewer: str
    reason: str
    provision: str | None


@dataclass(frozen=True, slots=True)
class ClaimChange:
    """A claim, and what became of it.

    Attributes
    ----------
    result : str
        One of `RESULTS`.
    differs : bool
        True if anything changed for certain: the result, a qualifier, or the pages that have it.
    found_then, found_now : bool
        Each case has a finding of it; a sentence can stand and not be found.
    labels : tuple of str
        Or ids of rules.
    priority : str
        The highest of its findings.
    quote : str
        As it stood in the old case; of a new claim, as it stands.
    now : str or None
        The wording that it was changed to.
    words : tuple of Difference
        In what the two wordings differ.
    pages : tuple of OnPage
    qualifiers : tuple of QualifierChange
    exhibits : (tuple of str, tuple of str)
        Ids, in the old case and in the new.
    ruling : Ruling or None
        Where only upheld claims are compared.
    """

    result: str
    differs: bool
    found_then: bool
    found_now: bool
    labels: tuple[str, ...]
    priority: str
    quote: str
    now: str | None
    words: tuple[Difference, ...]
    pages: tuple[OnPage, ...]
    qualifiers: tuple[QualifierChange, ...]
    exhibits: tuple[tuple[str, ...], tuple[str, ...]]
    ruling: Ruling | None = None

    def reasons(self) -> list[str]:
        """Return why it cannot be told what became of it, each once."""
        return list(dict.fromkeys(page.why for page in self.pages if page.now is None or page.then is None))


@dataclass
class SiteChange:
    """What became of the claims of a site.

    Attributes
    ----------
    site : str
    counts : Counter of str
        The results of claims that the old case found, with ``new``, ``new_cannot_tell`` (claims of the new case on
        pages of which the old one knows too little), ``qualifiers`` (claims whose qualifier changed), ``fewer_pages``,
        ``more_pages`` (claims still there) and ``found_only_now`` (sentences that stood there before, and that only the
        new screening found).
    differs : bool
    """

    site: str
    counts: Counter[str] = field(default_factory=Counter)
    differs: bool = False

    @property
    def verdict(self) -> str:
        """What it comes to: some remain, cannot tell, all gone; none before if the old case found nothing."""
        if any(self.counts[result] for result in ("still_there", "moved", "reworded")):
            return "some remain"
        if self.counts["cannot_tell"]:
            return "cannot tell"
        return "all gone" if self.counts["gone"] else "none before"

    def add(self, claim: ClaimChange) -> None:
        """Count a claim."""
        self.differs = self.differs or claim.differs
        if claim.result in {"new", "gone"} or (claim.found_then and claim.result != "cannot_tell"):
            self.counts[claim.result] += 1
        elif claim.result == "cannot_tell":
            self.counts["cannot_tell" if claim.found_then else "new_cannot_tell"] += 1
        else:
            self.counts["found_only_now"] += 1
        self.counts["qualifiers"] += bool(claim.qualifiers)
        if claim.result == "still_there":
            self.counts["fewer_pages"] += any(page.then and page.now is False for page in claim.pages)
            self.counts["more_pages"] += any(page.now and page.then is False for page in claim.pages)


@dataclass
class Comparison:
    """What became of all claims; the claims themselves stand in a file that ends with it.

    Attributes
    ----------
    old, new : Path
    options : CompareOptions
    notes : list of str
        What a reader should know before reading on.
    sites : list of SiteChange
        By name.
    """

    old: Path
    new: Path
    options: CompareOptions
    notes: list[str]
    sites: list[SiteChange]
    _spool: IO[bytes]

    @property
    def differs(self) -> bool:
        """True if anything changed for certain."""
        return any(site.differs for site in self.sites)

    def total(self) -> Counter[str]:
        """Return the counts of all sites."""
        return sum((site.counts for site in self.sites), Counter())

    def claims(self) -> Iterator[tuple[SiteChange, Iterator[ClaimChange]]]:
        """Yield each site with its claims, what became of them in the order of `RESULTS`."""
        self._spool.seek(0)
        for site in self.sites:
            claims = self._claims_of_site()
            yield site, claims
            for _ in claims:  # those that nobody took
                pass

    def _claims_of_site(self) -> Iterator[ClaimChange]:
        while (line := self._spool.readline()) not in {b"\n", b""}:
            yield _claim_of(json.loads(line))


def _claim_of(row: Mapping[str, Any]) -> ClaimChange:
    """Return a claim that was written down."""
    then, now = row["exhibits"]
    return ClaimChange(
        **{
            **row,
            "labels": tuple(row["labels"]),
            "words": tuple(Difference(**words) for words in row["words"]),
            "pages": tuple(OnPage(**page) for page in row["pages"]),
            "qualifiers": tuple(QualifierChange(**{**one, "pages": tuple(one["pages"])}) for one in row["qualifiers"]),
            "exhibits": (tuple(then), tuple(now)),
            "ruling": Ruling(**row["ruling"]) if row["ruling"] else None,
        }
    )


@contextmanager
def compare(
    old: Path,
    new: Path,
    options: CompareOptions,
    *,
    on_plan: Callable[[int], None] = lambda _: None,
    on_part: Callable[[int, int], None] = lambda _pages, _size: None,
) -> Iterator[Comparison]:
    """Compare two cases.

    Parameters
    ----------
    old, new : Path
    options : CompareOptions
    on_plan, on_part : callable
        Told how many pages have to be read again, then how many were read, twice.

    Raises
    ------
    ReadError
        If one of them cannot be read.
    UsageError
        If neither has the site.
    """
    with tempfile.TemporaryFile(prefix="mdclaims-compare-") as spool:
        with CasePair(old, new, site=options.site, upheld=options.upheld) as pair:
            # Of what nobody upheld nothing is told, so that it need not be told for certain either.
            sides = (0,) if options.upheld else (0, 1)
            pair.look_again(options.look, sides, on_plan=on_plan, on_part=on_part)
            sites = []
            for site_pair in pair.sites():
                site = SiteChange(site_pair.site)
                for claim in _Site(pair, site_pair, upheld=options.upheld).changes():
                    site.add(claim)
                    spool.write(json.dumps(asdict(claim), ensure_ascii=False).encode() + b"\n")
                if site.counts.total():
                    sites.append(site)
                    spool.write(b"\n")
            notes = _notes(pair)
        yield Comparison(old, new, options, notes, sites, spool)


def _notes(pair: CasePair) -> list[str]:
    notes = []
    if pair.differences:
        held = "what stands word for word counts as still there, found again or not"
        notes.append(f"the two were screened otherwise ({'; '.join(pair.differences)}): {held}")
    for side, name in ((1, "new"), (0, "old")):
        if pair.unread[side]:
            n = len(pair.unread[side])
            basis = "the sentences that the case keeps" if pair.same_model else "nothing"
            notes.append(
                f"{n:,} {'page' if n == 1 else 'pages'} of the {name} case could not be read again, and {basis} had to "
                f"do for what is no longer found there ({pair.why_unread[side]})"
            )
    notes.append(f"one page: {SAME_PAGE}")
    return notes


# --- a site ---------------------------------------------------------------------------------------------------------


class _Site:
    """Tells what became of the claims of a site."""

    def __init__(self, cases: CasePair, pair: SitePair, *, upheld: bool) -> None:
        self._cases = cases
        self._pair = pair
        self._upheld = upheld
        self._texts: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self._places: tuple[dict[int, set[int]], dict[int, set[int]]] = ({}, {})
        for side, pages in enumerate(pair.changed):
            for pid, texts in pages.items():
                for key, text in texts.items():
                    self._texts[side].setdefault(key, text)
                    self._places[side].setdefault(key, set()).add(pid)

    def changes(self) -> Iterator[ClaimChange]:
        """Yield its claims: by result, then the highest priority first, then in the order of the alphabet."""
        then, now = self._pair.findings
        keys = set(then) if self._upheld else {*then, *now}
        stands = ({key for key in {*then, *now} if self._where(side, key)} for side in (0, 1))
        stood, stand = stands
        found = [self._standing(key) for key in keys if key in stood and key in stand]
        reworded = self._reworded(stood - stand, stand - stood)
        became = {after: before for before, after in reworded.items()}
        for key in keys - (stood & stand):
            if key in reworded:
                found.append(self._rewording(key, reworded[key]))
            elif key in became:
                if became[key] not in keys:
                    found.append(self._rewording(became[key], key))
            else:
                found.append(self._lost(key, 0 if key in stood else 1))
        order = {result: n for n, result in enumerate(RESULTS)}
        found.sort(key=lambda claim: (order[claim.result], PRIORITIES.index(claim.priority), claim.quote, claim.labels))
        yield from found

    def _where(self, side: int, key: int) -> set[int]:
        """Return the pages that have a sentence; of one that is a claim in neither case, those that have changed."""
        return self._pair.where[side].get(key) or self._places[side].get(key, set())

    def _of(self, side: int, key: int) -> list[Found]:
        return [one for found in self._pair.findings[side].get(key, {}).values() for one in found]

    # --- what is known of a page ----------------------------------------------------------------------------------

    def _absent(self, side: int, pid: int, *, ruled: bool) -> tuple[bool, str]:
        """Return whether a case shows that a sentence is not on a page, and why or why not.

        Parameters
        ----------
        side : int
            Of the case: 0 old, 1 new.
        pid : int
            The page; the sentence does not stand there as far as the case's table and the pages read again tell.
        ruled : bool
            The sentence was found by rules alone.
        """
        state = self._pair.states[side].get(pid)
        if state is None:
            return False, _NOT_CAPTURED[side]
        words = _state_words(state)
        if state.leaves:
            return False, f"leads to another site ({state.leads_to})"
        if state.rank == READ and state.at in self._cases.unread[side] and not self._tables_do(ruled=ruled):
            return False, f"{words}, by another model, and could not be read again"
        return state.rank in {READ, ANSWERED}, words

    def _tables_do(self, *, ruled: bool) -> bool:
        """True if the table of sentences alone shows that a claim is not on a page."""
        return self._cases.same_model and (self._cases.same_rules or not ruled)

    def _on_page(self, pid: int, key: int, other: int, *, ruled: bool) -> OnPage:
        """Tell of a page that has a claim in one of the cases; `other` is the claim's wording in the new case."""
        then, now = pid in self._where(0, key), pid in self._where(1, other)
        known = [state for state in (self._pair.states[side].get(pid) for side in (1, 0)) if state is not None]
        captured = self._pair.states[1].get(pid)
        address, time = known[0].address, captured.captured if captured else None
        if then and now:
            return OnPage(address, True, True, "", time)
        missing = 1 if then else 0
        absent, why = self._absent(missing, pid, ruled=ruled)
        state = self._pair.states[missing].get(pid)
        if state is not None and state.at in self._where(missing, other if then else key):
            why = f"leads to {state.leads_to}"
        side = False if absent else None
        return OnPage(address, then or side, now or side, why, time)

    def _pages(self, key: int, other: int, found: Iterable[Found]) -> tuple[OnPage, ...]:
        ruled = all(one.label not in LABELS for one in found)
        pids = self._where(0, key) | self._where(1, other)
        return tuple(
            sorted(
                (self._on_page(pid, key, other, ruled=ruled) for pid in pids),
                key=lambda page: (not page.now, not page.then, page.address),
            )
        )

    # --- what became of a claim -----------------------------------------------------------------------------------

    def _standing(self, key: int) -> ClaimChange:
        """Return a claim whose words stand in both cases: still there, or on other pages."""
        then, now = self._of(0, key), self._of(1, key)
        pages = self._pages(key, key, [*then, *now])
        stays = bool(self._where(0, key) & self._where(1, key))
        left = any(page.then and page.now is False for page in pages)
        result = "moved" if left and not stays else "still_there"
        qualifiers = self._qualifiers(key, key)
        came = any(page.now and page.then is False for page in pages)
        return self._claim(result, key, key, pages, qualifiers, differs=bool(qualifiers) or left or came)

    def _rewording(self, key: int, other: int) -> ClaimChange:
        before, after = self._text(0, key), self._text(1, other)
        pages = self._pages(key, other, [*self._of(0, key), *self._of(1, other)])
        words = differences(before, after)
        qualifiers = self._qualifiers(key, other)
        return self._claim("reworded", key, other, pages, qualifiers, now=after, words=words, differs=True)

    def _lost(self, key: int, side: int) -> ClaimChange:
        """Return a claim that stands in one case only: gone or new, if that can be told."""
        pages = self._pages(key, key, self._of(side, key))
        known = all((page.now if side == 0 else page.then) is not None for page in pages)
        result = ("gone", "new")[side] if known else "cannot_tell"
        return self._claim(result, key, key, pages, (), differs=known)

    def _claim(
        self,
        result: str,
        key: int,
        other: int,
        pages: tuple[OnPage, ...],
        qualifiers: tuple[QualifierChange, ...],
        *,
        differs: bool,
        now: str | None = None,
        words: tuple[Difference, ...] = (),
    ) -> ClaimChange:
        then_found, now_found = self._of(0, key), self._of(1, other)
        found = [*then_found, *now_found]
        stood = bool(self._where(0, key))
        return ClaimChange(
            result=result,
            differs=differs,
            found_then=bool(then_found),
            found_now=bool(now_found),
            labels=tuple(sorted({one.label for one in (then_found or now_found)})),
            priority=min((one.priority for one in found), key=PRIORITIES.index),
            quote=self._text(0, key) if stood else self._text(1, other),
            now=now,
            words=words,
            pages=pages,
            qualifiers=qualifiers,
            exhibits=(_exhibits(then_found), _exhibits(now_found)),
            ruling=self._ruling(then_found),
        )

    def _text(self, side: int, key: int) -> str:
        """Return a sentence as a case has it; of copies that differ in their marks the first in the alphabet."""
        quotes = {one.quote for one in self._of(side, key)} or {one.quote for one in self._of(1 - side, key)}
        return min(quotes) if quotes else self._texts[side][key]

    def _ruling(self, found: Iterable[Found]) -> Ruling | None:
        """Return the first decision that upheld one of the findings."""
        decisions = self._cases.decisions
        words = [decisions.of(exhibit) for exhibit in _exhibits(found)] if decisions is not None else []
        upheld = [word for word in words if word is not None and word.decision == "upheld"]
        if not upheld:
            return None
        first = min(upheld, key=lambda decision: (decision.time, decision.number))
        return Ruling(first.time.isoformat(timespec="seconds"), first.reviewer, first.reason, first.provision)

    # --- qualifiers -----------------------------------------------------------------------------------------------

    def _qualifiers(self, key: int, other: int) -> tuple[QualifierChange, ...]:
        """Return how the nearest qualifier of a claim changed: page by page, or where it moved, of all pages."""
        then, now = self._pair.findings[0].get(key, {}), self._pair.findings[1].get(other, {})
        if not then or not now:
            return ()
        places: list[tuple[list[Found], list[Found], list[int]]]
        if shared := sorted(then.keys() & now.keys()):
            places = [(then[pid], now[pid], [pid]) for pid in shared]
        else:
            places = [(self._of(0, key), self._of(1, other), sorted(now))]
        changes: dict[tuple[str | None, str | None], list[str]] = {}
        for before, after, pids in places:
            change = self._qualifier(before, after, pids)
            if change is not None:
                changes.setdefault(change, []).extend(self._address(pid) for pid in pids)
        return tuple(QualifierChange(*change, tuple(sorted(pages))) for change, pages in changes.items())

    def _qualifier(
        self, before: Sequence[Found], after: Sequence[Found], pids: Sequence[int]
    ) -> tuple[str | None, str | None] | None:
        """Return the qualifier that was and the one that is, if they are not the same."""
        old = {one.qualifier_key: one.qualifier for one in before}
        new = {one.qualifier_key: one.qualifier for one in after}
        lost = {key: text for key, text in old.items() if key not in new and self._is_told(1, key, pids)}
        come = {key: text for key, text in new.items() if key not in old and self._is_told(0, key, pids)}
        lost.pop(None, None)
        come.pop(None, None)
        if not lost and not come:
            return None
        return (min(filter(None, lost.values()), default=None), min(filter(None, come.values()), default=None))

    def _is_told(self, side: int, key: int | None, pids: Sequence[int]) -> bool:
        """True if it shows in a case that a qualifier of the other is not there, whatever model judged."""
        if self._cases.same_model or key is None:
            return True
        return not any(pid in self._where(side, key) or pid in self._cases.unread[side] for pid in pids)

    def _address(self, pid: int) -> str:
        state = self._pair.states[1].get(pid) or self._pair.states[0][pid]
        return state.address

    # --- reworded -------------------------------------------------------------------------------------------------

    def _reworded(self, lost: set[int], added: set[int]) -> dict[int, int]:
        """Return which sentences became which: first on one page, then anywhere on the site.

        On one page a claim may have become any sentence that the case keeps, or have been any. On two pages both must
        be claims, and all pages of both be known: a page that was not captured may still have the old wording.
        """
        found: dict[int, int] = {}
        for before, after in self._changed_pages():
            olds = [key for key in before if key not in found]
            news = [key for key in after if key not in set(found.values())]
            near = pairs([before[key] for key in olds], [after[key] for key in news])
            for n, m in near.items():
                if olds[n] in lost or news[m] in added:
                    found[olds[n]] = news[m]
        used = set(found.values())
        olds = sorted(key for key in lost - set(found) if self._lost(key, 0).result == "gone")
        news = sorted(key for key in added - used if self._lost(key, 1).result == "new")
        near = pairs([self._text(0, key) for key in olds], [self._text(1, key) for key in news])
        return found | {olds[n]: news[m] for n, m in near.items()}

    def _changed_pages(self) -> Iterator[tuple[dict[int, str], dict[int, str]]]:
        """Yield the sentences that only one of the cases has, for each page that has such in both."""
        olds: dict[int, dict[int, str]] = {}
        news: dict[int, dict[int, str]] = {}
        for side, pages in ((0, olds), (1, news)):
            for pid, texts in self._pair.changed[side].items():
                state = self._pair.states[1 - side].get(pid)
                pages.setdefault(state.at if state else pid, {}).update(texts)
        for at in sorted(olds.keys() & news.keys()):
            yield olds[at], news[at]


_NOT_CAPTURED = ("not captured then", "not captured")


def _exhibits(found: Iterable[Found]) -> tuple[str, ...]:
    return tuple(sorted({one.exhibit for one in found}))


def _state_words(state: PageState) -> str:
    """Say what is known of a page that does not have the claim."""
    said = {
        READ: "read without it",
        SCRIPT: "written by a script",
        FOREIGN: "not in English",
        ANSWERED: _status_words(state),
        REVISIT: "the same as an earlier capture, which is not in the case",
        NOWHERE: "not captured",
    }.get(state.rank) or _unread_words(state)
    return f"leads to {state.leads_to}, {said}" if state.leads_to else said


def _status_words(state: PageState) -> str:
    return f"answered with status {state.status}" if state.status else f"not captured ({state.reason})"


def _unread_words(state: PageState) -> str:
    if state.status is not None and state.status >= 400:
        return f"answered with status {state.status}"
    return f"not read ({state.reason})" if state.reason else "not read"
