"""What stands in a letter: what a reviewer upheld of a site, each claim once, and verified before it is written down.

What is printed of a page is what `verify` hands back, and no other row of the case's tables.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any

from mdclaims.cases.campaign import STIGMA, Campaign
from mdclaims.cases.casefile import OpenCase, open_case
from mdclaims.cases.contacts import Card, site_cards
from mdclaims.cases.decisions import Decision, Decisions, read_decisions
from mdclaims.cases.engine import PageLimits
from mdclaims.cases.exhibits import exhibit_id, file_address
from mdclaims.cases.manifest import Manifest
from mdclaims.cases.measured import Measured, read_measured
from mdclaims.cases.store import DECISIONS, EVIDENCE, MANIFEST
from mdclaims.cases.verify import VerifyOptions, verify
from mdclaims.errors import ExitCode, MdclaimsError, UsageError
from mdclaims.findings.findings import fold
from mdclaims.findings.rules import Rule, is_stale, rule_of
from mdclaims.labels import label_info
from mdclaims.model.persistence import META_FILE, folder_digest, shipped_model
from mdclaims.reports.controls import one_line

UPHELD = "upheld"
NO_NAME, NO_ADDRESS = "[Name of the addressee]", "[Address of the addressee]"
_MOST_LISTED = 200
"""Pages that Schedule 2 lists of a kind; the others are counted."""
_MOST_NAMED = 5


class BrokenCaseError(MdclaimsError):
    """A case that does not hold, so that no letter rests on it."""

    exit_code = ExitCode.FINDINGS


@dataclass(frozen=True, slots=True)
class LetterOptions:
    """What to write.

    Attributes
    ----------
    site : str
        As the case calls it.
    day : date
        Of the letter.
    template : Path or None
        A Word file with placeholders; None is the built-in one.
    draft : bool
        Take open `high` findings too, and mark every page.
    timezone : str or None
        Name of the zone for local times ("Europe/London"); None is this machine's.
    digest : str or None
        The manifest's SHA-256 as `screen` printed it.
    folders : tuple of Path
        Where to look for inputs that are evidence themselves.
    campaign : Campaign or None
        Findings about wording on people are for a letter only if a campaign asks for them.
    """

    site: str
    day: date
    template: Path | None = None
    draft: bool = False
    timezone: str | None = None
    digest: str | None = None
    folders: tuple[Path, ...] = ()
    campaign: Campaign | None = None

    @property
    def takes_stigma(self) -> bool:
        """Whether findings about wording on people are for the letter."""
        return self.campaign is not None and self.campaign.asks_for_stigma


@dataclass(frozen=True, slots=True)
class Place:
    """A place on a page where a claim stands, as it was verified.

    Attributes
    ----------
    ids : tuple of str
        See `exhibit_id`: a sentence that was found for two reasons has two.
    row : dict
        The rows of finding and page, as verified.
    decisions : tuple of Decision
        Those that upheld it; none if it is open.
    read_later : datetime or None
        When the page was last read without the claim, if that was later.
    """

    ids: tuple[str, ...]
    row: Mapping[str, Any]
    decisions: tuple[Decision, ...]
    read_later: datetime | None = None

    @property
    def address(self) -> str:
        """The page's address, or the path of a file."""
        return str(self.row["address"] or file_address(self.row["file"]))


@dataclass(frozen=True, slots=True)
class LetterExhibit:
    """One distinct claim.

    Attributes
    ----------
    number : int
        From 1.
    places : tuple of Place
        Where it stands; the first is quoted.
    provisions : tuple of Rule
        Chosen by a reviewer, and read at their source.
    lacks_provision : bool
        A provision has to be added by hand: none was chosen, or one that was not read at its source.
    """

    number: int
    places: tuple[Place, ...]
    provisions: tuple[Rule, ...]
    lacks_provision: bool

    @property
    def is_reviewed(self) -> bool:
        """Whether a reviewer upheld it, on one page at least."""
        return any(place.decisions for place in self.places)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Those that upheld it, on any page."""
        return tuple(decision for place in self.places for decision in place.decisions)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of the provisions that reviewers chose, in their order."""
        ids = (decision.provision for decision in self.decisions)
        return tuple(dict.fromkeys(name for name in ids if name is not None))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A finding that did not hold when it was verified."""

    id: str
    address: str
    quote: str
    reason: str

    def line(self) -> str:
        """Return it as a line."""
        return f"left out: exhibit {self.id}, {self.address}: {self.reason}; its quote: {self.quote}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of the site, and what was not.

    Attributes
    ----------
    figures : dict of str to int
        The site's row of `sites`.
    read : sequence of (str, datetime or None)
        Address and time of pages that were read, at most `_MOST_LISTED`.
    unread : sequence of (str, str, str or None)
        Address, outcome and reason of those that were not, as many at most.
    pages_unread : int
        How many there are.
    """

    figures: Mapping[str, int]
    read: Sequence[tuple[str, datetime | None]]
    unread: Sequence[tuple[str, str, str | None]]
    pages_unread: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How often the model is right, measured on documents that it had not seen.

    Attributes
    ----------
    sentences : int
    intervals : str
        What the intervals are, "" if there are none: they are measured for mode `balanced`.
    labels : sequence of (str, int, sequence of float, sequence of float)
        Name as shown, how many sentences carry it, precision and recall: each with the ends of its interval, if any.
    """

    sentences: int
    intervals: str
    labels: Sequence[tuple[str, int, Sequence[float], Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that stands in a letter.

    Attributes
    ----------
    site : str
    day : date
    is_draft : bool
    zone : tzinfo or None
        For local times; None is this machine's.
    addressee : str
        Lines.
    exhibits : tuple of LetterExhibit
    left_out : tuple of LeftOut
    manifest : Manifest
    hashes : dict of str to str
        SHA-256 of files that it rests on, by name.
    reading : Reading
    accuracy : Accuracy or None
        None if the case was screened with another model than the shipped one.
    measured : Measured or None
        What a blind sample of this case gave, if one was judged.
    reviewers : sequence of (str, int, datetime, datetime)
        Name, number of exhibits, first and last decision.
    """

    site: str
    day: date
    is_draft: bool
    zone: tzinfo | None
    addressee: str
    exhibits: tuple[LetterExhibit, ...]
    left_out: tuple[LeftOut, ...]
    manifest: Manifest
    hashes: Mapping[str, str]
    reading: Reading
    accuracy: Accuracy | None
    measured: Measured | None
    reviewers: Sequence[tuple[str, int, datetime, datetime]]


# --- what is chosen -----------------------------------------------------------------------------------------------


@dataclass
class _Chosen:
    """Findings of the site that are for the letter, before they are verified: the latest capture of each."""

    pages: dict[str, str] = field(default_factory=dict)
    """The page of each, by the exhibit's id."""
    decisions: dict[str, Decision | None] = field(default_factory=dict)
    about_people: int = 0
    """Upheld, and left out, since they are not about a treatment."""
    disputed: list[str] = field(default_factory=list)
    """Upheld by one reviewer and not by another, and left out, by the exhibit's id."""


def gather(case: Path, options: LetterOptions, zone: tzinfo | None) -> tuple[Letter, list[str]]:
    """Return what stands in a letter, and notes for whoever sends it.

    Parameters
    ----------
    case : Path
    options : LetterOptions
    zone : tzinfo or None
        For local times; None is this machine's.

    Raises
    ------
    UsageError, ReadError, BrokenCaseError
        As `write_letter`.
    """
    with open_case(case) as opened:
        decisions = read_decisions(case)
        reading = _reading(opened, options.site)
        chosen = _choose(opened, options, decisions)
        if not chosen.pages:
            raise UsageError(_nothing(options, chosen))
        verified, left_out = _verify(opened, options, chosen)
        later = _read_later(opened, verified)
        card = site_cards(opened.connection, [options.site])[options.site]
    if not verified:
        raise BrokenCaseError(f"none of the exhibits of {options.site} holds. {left_out[0].line()}")
    exhibits = _number(_places(verified, chosen, later))
    letter = Letter(
        site=options.site,
        day=options.day,
        is_draft=options.draft,
        zone=zone,
        addressee=_addressee(card),
        exhibits=exhibits,
        left_out=tuple(left_out),
        manifest=opened.manifest,
        hashes=_hashes(opened.manifest, decisions, exhibits),
        reading=reading,
        accuracy=_accuracy(opened.manifest),
        measured=read_measured(case),
        reviewers=_reviewers(exhibits),
    )
    return letter, [*_notes(exhibits, chosen, options), *_about_addressee(card)]


def _nothing(options: LetterOptions, chosen: _Chosen) -> str:
    if chosen.disputed:
        ids = ", ".join(chosen.disputed[:_MOST_NAMED])
        return f"reviewers differ on all that was upheld of {options.site} ({ids}); settle that first"
    if chosen.about_people:
        return f"all that was upheld of {options.site} is about wording on people: --campaign takes it in"
    if options.draft:
        return f"{options.site} has no upheld and no open high finding; there is nothing to write"
    return f"{options.site} has no upheld finding; decide first (mdclaims decide), or write a draft with --draft"


_UNREAD = """
SELECT coalesce(address, file) AS place, outcome, reason FROM pages
WHERE site = ? AND outcome NOT IN ('read', 'redirect', 'revisit')
  AND NOT (outcome = 'not_fetched' AND split_part(reason, ':', 1) = 'off_site')
GROUP BY ALL ORDER BY ALL
"""


def _reading(opened: OpenCase, site: str) -> Reading:
    """Return what was read of a site."""
    ask = opened.connection.execute
    cursor = ask("SELECT * EXCLUDE (site, verdict, judged, listed) FROM sites WHERE site = ?", [site])
    row = cursor.fetchone()
    if row is None:
        names = [name for (name,) in ask("SELECT site FROM sites ORDER BY site").fetchall()]
        raise UsageError(f"{opened.folder} has no site {site!r}{_near(site, names)}")
    figures = dict(zip([column[0] for column in cursor.description], row, strict=True))
    read = ask(
        "SELECT coalesce(address, file) AS place, max(captured) FROM pages WHERE site = ? AND outcome = 'read' "
        "GROUP BY place ORDER BY place LIMIT ?",
        [site, _MOST_LISTED],
    ).fetchall()
    unread = ask(_UNREAD, [site]).fetchall()
    return Reading(figures, read, unread[:_MOST_LISTED], len(unread))


def _near(site: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(site, names, n=3) or [name for name in names if site in name][:3]
    return f"; did you mean {' or '.join(map(one_line, close))}?" if close else "; sites.parquet lists its sites"


# The latest capture of a page speaks for the others.
_FINDINGS = """
SELECT exhibit, page, label, priority FROM findings WHERE site = ?
QUALIFY row_number() OVER (PARTITION BY exhibit ORDER BY captured DESC NULLS LAST, page) = 1
ORDER BY exhibit
"""


def _choose(opened: OpenCase, options: LetterOptions, decisions: Decisions) -> _Chosen:
    chosen = _Chosen()
    disputed = decisions.conflicts()
    for key, page, label, priority in opened.connection.execute(_FINDINGS, [options.site]).fetchall():
        decision = decisions.of(key)
        is_upheld = decision is not None and decision.decision == UPHELD
        if key in disputed:
            chosen.disputed += [key] * any(word.decision == UPHELD for word in disputed[key])
        elif label == STIGMA and not options.takes_stigma:
            chosen.about_people += is_upheld
        elif is_upheld or (options.draft and decision is None and priority == "high"):
            chosen.pages[key] = page
            chosen.decisions[key] = decision
    return chosen


# --- what holds ---------------------------------------------------------------------------------------------------


def _verify(
    opened: OpenCase, options: LetterOptions, chosen: _Chosen
) -> tuple[dict[str, Mapping[str, Any]], list[LeftOut]]:
    """Return the chosen findings that hold, as they were verified, and the others.

    Raises
    ------
    BrokenCaseError
        If something does not hold that all of them rest on.
    """
    how = VerifyOptions(
        digest=options.digest, folders=options.folders, limits=PageLimits(), pages=frozenset(chosen.pages.values())
    )
    result = verify(opened.folder, how)
    broken = [remark for remark in result.fails if remark.page is None]
    if broken or result.untold:
        what = f"{broken[0].where}: {broken[0].reason}" if broken else f"{result.untold:,} more failures than are kept"
        where = opened.folder
        raise BrokenCaseError(
            f"{where} does not hold, so that no letter is written: {what}; see mdclaims verify {where}"
        )
    rows = {(row["page"], _id(row)): row for row in result.exhibits}
    verified = {key: rows[page, key] for key, page in chosen.pages.items() if (page, key) in rows}
    reasons: dict[str, list[str]] = {}
    for remark in [*result.fails, *result.open]:
        if remark.page is not None:
            reasons.setdefault(remark.page, []).append(remark.reason)
            if remark.finding:
                reasons[f"{remark.page} {remark.finding}"] = [remark.reason]
    lost = {key: page for key, page in chosen.pages.items() if key not in verified}
    return verified, _left_out(opened, lost, reasons)


def _id(row: Mapping[str, Any]) -> str:
    return exhibit_id(row["address"] or file_address(row["file"]), row["fingerprint"])


def _left_out(opened: OpenCase, lost: Mapping[str, str], reasons: Mapping[str, Sequence[str]]) -> list[LeftOut]:
    rows = opened.connection.execute(
        "SELECT exhibit, page, fingerprint, coalesce(address, file), quote FROM findings WHERE page IN ? ORDER BY ALL",
        [sorted(set(lost.values()))],
    ).fetchall()
    found = {}
    for key, page, mark, address, quote in rows:
        if lost.get(key) == page:
            why = reasons.get(f"{page} {mark}") or reasons.get(page) or ["it was not found again"]
            found[key] = LeftOut(key, one_line(address), one_line(quote), one_line(why[0]))
    return [found[key] for key in lost]


def _read_later(opened: OpenCase, verified: Mapping[str, Mapping[str, Any]]) -> dict[str, datetime]:
    """Return when a page was last read, for exhibits of an earlier capture of it."""
    addresses = sorted({row["address"] for row in verified.values() if row["address"]})
    asked = "SELECT address, max(captured) FROM pages WHERE outcome = 'read' AND address IN ? GROUP BY address"
    last = dict(opened.connection.execute(asked, [addresses]).fetchall())
    return {
        key: last[row["address"]]
        for key, row in verified.items()
        if row["captured"] and last.get(row["address"]) and last[row["address"]] > row["captured"]
    }


# --- exhibits -----------------------------------------------------------------------------------------------------


def _places(verified: Mapping[str, Mapping[str, Any]], chosen: _Chosen, later: Mapping[str, datetime]) -> list[Place]:
    """Return the places of verified findings, in the order of their pages; a sentence found for two reasons is one."""
    sentences: dict[tuple[str, int], list[str]] = {}
    for key, row in sorted(verified.items()):
        sentences.setdefault((row["page"], row["sentence"]), []).append(key)
    places = []
    for keys in sentences.values():
        decisions = [decision for key in keys if (decision := chosen.decisions[key]) is not None]
        when = next((later[key] for key in keys if key in later), None)
        # A qualifier is looked for beside claims alone: where one reason has none, the other may.
        row = max((verified[key] for key in keys), key=lambda row: row["qualifier"] is not None)
        places.append(Place(tuple(keys), row, tuple(decisions), when))
    return sorted(places, key=lambda place: (place.address, place.row["start"], place.ids))


def _number(places: Sequence[Place]) -> tuple[LetterExhibit, ...]:
    """Return the claims in the order of their pages, equal words as one; labels make no difference to a reader."""
    claims: dict[str, list[Place]] = {}
    for place in places:
        claims.setdefault(fold(place.row["quote"]), []).append(place)
    exhibits = []
    for number, found in enumerate(claims.values(), start=1):
        shown = tuple(sorted(found, key=lambda place: bool(place.row["hidden"])))
        chosen = LetterExhibit(number, shown, (), True).chosen
        provisions = tuple(rule for rule in map(_rule, chosen) if rule is not None and rule.verified)
        exhibits.append(LetterExhibit(number, shown, provisions, len(provisions) < max(1, len(chosen))))
    return tuple(exhibits)


def _rule(name: str) -> Rule | None:
    try:
        return rule_of(name)
    except KeyError:
        return None


def _notes(exhibits: Sequence[LetterExhibit], chosen: _Chosen, options: LetterOptions) -> list[str]:
    """Return what whoever sends the letter has to do or to know."""
    notes, without = [], []
    for exhibit in exhibits:
        without += [str(exhibit.number)] * (not exhibit.chosen)
        for name in exhibit.chosen:
            notes += _about_provision(exhibit.number, name, options.day)
        for place in exhibit.places:
            if place.read_later is not None:
                when = f"{place.read_later:%Y-%m-%d}"
                notes.append(f"exhibit {exhibit.number}: {place.address} was read again on {when} without these words")
    if without:
        notes.append(f"no provision was chosen, add it by hand: exhibit {', '.join(without)}")
    if chosen.about_people:
        notes.append(f"upheld findings about wording on people stay out without a campaign: {chosen.about_people:,}")
    if chosen.disputed:
        ids = ", ".join(chosen.disputed[:_MOST_NAMED])
        notes.append(f"reviewers differ on {len(chosen.disputed):,} findings, which stay out until settled: {ids}")
    return notes


def _about_provision(number: int, name: str, day: date) -> list[str]:
    rule = _rule(name)
    if rule is None:
        return [f"exhibit {number}: provision {name} is none of this version's rules; add it by hand"]
    if not rule.verified:
        why = f"provision {name} ({rule.citation}) was not read at its source, and is not printed"
        return [f"exhibit {number}: {why}; check it and add it by hand"]
    if is_stale(rule, day):
        return [
            f"exhibit {number}: provision {name} was read on {rule.checked}, over a year ago; see if it still holds"
        ]
    return []


def _addressee(card: Card) -> str:
    """Return name, address and e-mail as the site's pages give them; in brackets what they do not."""
    found = {field: next(iter(card[field]), None) for field in _ADDRESSEE}
    lines = [value.value if value is not None else gap for value, gap in zip(found.values(), _GAPS, strict=True)]
    return "\n".join(line for line in lines if line)


_ADDRESSEE = ("name", "address", "email")
_GAPS = (NO_NAME, NO_ADDRESS, "")


def _about_addressee(card: Card) -> Iterator[str]:
    """Yield from which pages the addressee was read: a page can say anything, and was not verified for this."""
    pages = dict.fromkeys(one_line(card[field][0].address) for field in _ADDRESSEE if card[field])
    if pages:
        yield f"the addressee was read from {' and '.join(pages)}; see that it is right"


# --- schedules ----------------------------------------------------------------------------------------------------


def _accuracy(manifest: Manifest) -> Accuracy | None:
    """Return the figures of the shipped model in the mode of the case, if the case was screened with it."""
    model = manifest.content["versions"].get("model")
    folder = shipped_model()
    if not isinstance(model, dict) or model.get("sha256") != folder_digest(folder):
        return None
    mode = manifest.content["settings"].get("mode")
    meta = json.loads((folder / META_FILE).read_bytes())
    whole = meta["test"] if mode == meta["test"]["mode"] else {}
    measured = whole or meta["modes"]["test"].get(mode)
    if measured is None:
        return None
    labels = [
        (label_info()[name].display, row["support"], _ends(row["precision"]), _ends(row["recall"]))
        for name, row in measured["labels"].items()
    ]
    return Accuracy(measured["sentences"], str(whole.get("intervals", "")), labels)


def _ends(figure: float | Sequence[float]) -> Sequence[float]:
    return [figure] if isinstance(figure, float) else figure


def _reviewers(exhibits: Sequence[LetterExhibit]) -> list[tuple[str, int, datetime, datetime]]:
    """Return for each reviewer the number of exhibits, and when the first and last were decided."""
    times: dict[str, list[datetime]] = {}
    numbers: dict[str, set[int]] = {}
    for exhibit in exhibits:
        for decision in exhibit.decisions:
            times.setdefault(decision.reviewer, []).append(decision.time)
            numbers.setdefault(decision.reviewer, set()).add(exhibit.number)
    return [(name, len(numbers[name]), min(found), max(found)) for name, found in sorted(times.items())]


def _hashes(manifest: Manifest, decisions: Decisions, exhibits: Sequence[LetterExhibit]) -> dict[str, str]:
    """Return the hashes of what the exhibits rest on; those of inputs and evidence as the manifest has them."""
    used = {place.row["file"] for exhibit in exhibits for place in exhibit.places}
    hashes = {f"{MANIFEST}: the digest of the case": manifest.sha256}
    if EVIDENCE in manifest.files:
        hashes[EVIDENCE] = manifest.files[EVIDENCE]
    if decisions.count:
        hashes[f"{DECISIONS}: line {decisions.count:,}, the last"] = decisions.head
    return hashes | {name: digest for name, _, digest in sorted(manifest.inputs) if name in used}


def visited(time: datetime | None, zone: tzinfo | None) -> str:
    """Return when a page was visited, in UTC and in local time."""
    if time is None:
        return "not known: the page came as a file"
    universal = time.astimezone(UTC)
    try:
        local = universal.astimezone(zone)
    except OverflowError:  # an archive can say that it is of the year 1 or 9999
        return f"{universal:%Y-%m-%d %H:%M:%S} UTC"
    name = f"{zone}, " if zone is not None else ""
    offset = f"{local:%z}"
    return (
        f"{universal:%Y-%m-%d %H:%M:%S} UTC; local time {local:%Y-%m-%d %H:%M:%S} ({name}UTC{offset[:3]}:{offset[3:5]})"
    )
