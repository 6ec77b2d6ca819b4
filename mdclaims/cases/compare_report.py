"""A comparison as text, JSON and HTML.

Text and JSON come in pieces, so that a comparison of a million findings needs little memory. The HTML file holds what a
person can look through and says what it left out. Text of pages reaches it through the template's autoescape only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

from markupsafe import Markup

from mdclaims.cases.compare import RESULTS, ClaimChange, Comparison, OnPage, QualifierChange, SiteChange
from mdclaims.findings.findings import Difference
from mdclaims.labels import label_info
from mdclaims.reports.controls import one_line, visible_controls
from mdclaims.reports.html_page import block_text, csp_hash, page_template
from mdclaims.reports.report import quoted

SCHEMA_VERSION = 1

MOST_TOLD = 20
"""Claims of one result of one site that text lists."""
_MOST_PAGES = 5
# An HTML file that a browser opens at once, and a list that somebody reads.
_MOST_CLAIMS = 3_000
_MOST_OF_RESULT = 100
_MOST_SITES = 2_000

RESULT_WORDS: dict[str, str] = {
    "still_there": "still there",
    "reworded": "reworded",
    "moved": "moved",
    "gone": "gone",
    "new": "new",
    "cannot_tell": "cannot tell",
}


# --- words ----------------------------------------------------------------------------------------------------------


def headline(comparison: Comparison) -> str:
    """Return the result in one sentence."""
    sites = comparison.sites
    differing = sum(site.differs for site in sites)
    what = "upheld claims" if comparison.options.upheld else "claims"
    if not sites:
        return f"No {what} to compare."
    return f"{what[0].upper()}{what[1:]} of {_number(len(sites), 'site')}: {_number(differing, 'site')} changed."


def counts_line(counts: Counter[str]) -> str:
    """Return how many claims there are of each result."""
    parts = [f"{words} {counts[result]:,}" for result, words in RESULT_WORDS.items() if counts[result]]
    more = {
        "new_cannot_tell": "cannot tell whether new",
        "qualifiers": "qualifier changed",
        "fewer_pages": "still there on fewer pages",
        "more_pages": "on more pages",
        "found_only_now": "stood there before and found only now",
    }
    return ", ".join([*parts, *(f"{words} {counts[name]:,}" for name, words in more.items() if counts[name])])


def _name(site: SiteChange) -> str:
    return visible_controls(site.site or "(no site)")


def verdicts_line(sites: Sequence[SiteChange]) -> str:
    """Return how many sites have which verdict."""
    verdicts = Counter(site.verdict for site in sites)
    words = ("some remain", "cannot tell", "all gone", "none before")
    return ", ".join(f"{verdict}: {_number(verdicts[verdict], 'site')}" for verdict in words if verdicts[verdict])


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def difference_words(words: Sequence[Difference]) -> str:
    """Say which words were changed into which."""
    parts = []
    for entry in words:
        if not entry.before:
            parts.append(f"“{entry.after}” was added")
        elif not entry.after:
            parts.append(f"“{entry.before}” was taken out")
        else:
            parts.append(f"“{entry.before}” became “{entry.after}”")
    return ", ".join(parts) or "only marks differ"


def qualifier_words(change: QualifierChange) -> str:
    """Say how a qualifier changed."""
    if change.before is None:
        return f"qualifier added: {quoted(change.after or '')}"
    if change.after is None:
        return f"qualifier removed: {quoted(change.before)}"
    return f"qualifier was {quoted(change.before)}, now {quoted(change.after)}"


def label_words(claim: ClaimChange) -> str:
    """Return the labels of a claim as a reader is told them; rules by their ids."""
    names = label_info()
    return ", ".join(names[label].display if label in names else label for label in claim.labels)


def page_words(page: OnPage, result: str) -> str:
    """Say what is known of a claim on a page."""
    if page.then and page.now:
        return "reworded" if result == "reworded" else "still there"
    if page.then:
        return f"gone from here: {page.why}" if page.now is False else f"cannot tell: {page.why}"
    return f"here now; before: {page.why}"


def _fate(claim: ClaimChange) -> str:
    """Say in a few words what became of a claim."""
    if claim.result == "moved":
        places = [page.address for page in claim.pages if page.now]
        return f"moved to {places[0]}{f' and {len(places) - 1:,} more' if len(places) > 1 else ''}"
    if claim.result == "cannot_tell":
        return f"cannot tell: {'; '.join(claim.reasons()[:3])}"
    return RESULT_WORDS[claim.result]


def evidence(claim: ClaimChange) -> OnPage | None:
    """Return the page of the new case that shows what became of a claim: one that has it, or was read without it."""
    shown = [page for page in claim.pages if page.now] or [page for page in claim.pages if page.now is False]
    return max(shown, key=lambda page: page.captured or "", default=None)


# --- text -----------------------------------------------------------------------------------------------------------


def compare_text(comparison: Comparison) -> Iterator[str]:
    """Yield a comparison in words, for a terminal."""
    lines = _undertaking_lines if comparison.options.upheld else _site_lines
    yield one_line(headline(comparison)) + "\n"
    if comparison.sites:
        yield f"{counts_line(comparison.total())}\n{verdicts_line(comparison.sites)}\n"
    for note in comparison.notes:
        yield one_line(f"note: {note}") + "\n"
    for site, claims in comparison.claims():
        yield "\n" + one_line(f"{_name(site)}: {site.verdict} ({counts_line(site.counts)})") + "\n"
        for line in lines(claims):
            yield one_line(line) + "\n"


def _site_lines(claims: Iterable[ClaimChange]) -> Iterator[str]:
    """Yield the lines of what changed, and of the pages on which it turns what cannot be told."""
    told: Counter[str] = Counter()
    unknown = Unknown()
    for claim in claims:
        if claim.result == "cannot_tell":
            unknown.add(claim)
        elif claim.differs:
            told[claim.result] += 1
            if told[claim.result] <= MOST_TOLD:
                yield from _claim_lines(claim)
    for result, number in told.items():
        if number > MOST_TOLD:
            yield f"  {RESULT_WORDS[result]}: {number - MOST_TOLD:,} more, in --format json"
    yield from (f"  {line}" for line in unknown.lines(MOST_TOLD))


class Unknown:
    """The pages because of which it cannot be told what became of claims, each with the number of these."""

    def __init__(self) -> None:
        self._pages: Counter[tuple[str, str, bool]] = Counter()

    def add(self, claim: ClaimChange) -> None:
        """Take in a claim."""
        for page in claim.pages:
            if page.now is None or page.then is None:
                self._pages[page.address, page.why, page.now is None] += 1

    def lines(self, most: int) -> Iterator[str]:
        """Yield a line for each page, the most claims first."""
        for (address, why, is_old), claims in self._pages.most_common(most):
            what = "is gone" if is_old else "is new"
            yield (
                f"cannot tell whether {_number(claims, 'claim')} {what if claims == 1 else what.replace('is', 'are')}: "
                f"{address} {why}"
            )
        if len(self._pages) > most:
            yield f"and {len(self._pages) - most:,} more pages of which too little is known"


def _claim_lines(claim: ClaimChange) -> Iterator[str]:
    yield f"  {_fate(claim)}: {quoted(claim.quote)} ({label_words(claim)})"
    if claim.now is not None:
        yield f"    now: {quoted(claim.now)}{'' if claim.found_now else ' (no finding)'}"
        yield f"    words: {difference_words(claim.words)}"
    for change in claim.qualifiers:
        yield f"    {qualifier_words(change)}"
    for page in claim.pages[:_MOST_PAGES]:
        yield f"    {page.address}: {page_words(page, claim.result)}"
    if len(claim.pages) > _MOST_PAGES:
        yield f"    and {len(claim.pages) - _MOST_PAGES:,} more pages"


def _undertaking_lines(claims: Iterable[ClaimChange]) -> Iterator[str]:
    for claim in claims:
        yield f"  {_fate(claim)}: {quoted(claim.quote)} ({label_words(claim)})"
        if claim.now is not None:
            yield f"    now: {quoted(claim.now)} ({difference_words(claim.words)})"
        for change in claim.qualifiers:
            yield f"    {qualifier_words(change)}"
        if claim.ruling is not None:
            provision = f", {claim.ruling.provision}" if claim.ruling.provision else ""
            yield f"    upheld {claim.ruling.time} by {claim.ruling.reviewer}{provision}"
        for page in claim.pages[:_MOST_PAGES]:
            yield f"    {page.address}: {page_words(page, claim.result)}"
        if len(claim.pages) > _MOST_PAGES:
            yield f"    and {len(claim.pages) - _MOST_PAGES:,} more pages"
        shown = evidence(claim)
        yield f"    evidence: {evidence_words(shown)}"


def evidence_words(page: OnPage | None) -> str:
    """Return address and time of what shows what became of a claim."""
    if page is None:
        return "none in the new case"
    return f"{page.address}, captured {page.captured}" if page.captured else f"{page.address}, a file"


# --- JSON -----------------------------------------------------------------------------------------------------------


def compare_json(comparison: Comparison) -> Iterator[str]:
    """Yield a comparison as JSON; docs/compare.md says what the keys mean."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "mdclaims", "version": version("mdclaims")},
        "old": str(comparison.old),
        "new": str(comparison.new),
        "settings": {"site": comparison.options.site, "upheld": comparison.options.upheld},
        "notes": comparison.notes,
        "differs": comparison.differs,
        "counts": _counts(comparison.total()),
    }
    yield json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "sites": ['
    for n, (site, claims) in enumerate(comparison.claims()):
        row = {"site": site.site, "verdict": site.verdict, "differs": site.differs, "counts": _counts(site.counts)}
        yield ("," if n else "") + "\n  " + json.dumps(row, ensure_ascii=False)[:-1] + ', "claims": ['
        for m, claim in enumerate(claims):
            yield ("," if m else "") + "\n   " + json.dumps(_claim_json(claim), ensure_ascii=False)
        yield "]}"
    yield "]\n}\n"


_COUNTED = (*RESULTS, "new_cannot_tell", "qualifiers", "fewer_pages", "more_pages", "found_only_now")


def _counts(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in _COUNTED}


def _claim_json(claim: ClaimChange) -> dict[str, object]:
    row = asdict(claim)
    then, now = row.pop("exhibits")
    return {**row, "exhibits_then": then, "exhibits_now": now}


# --- HTML -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """A claim in the file: all its words are safe to show."""

    claim: ClaimChange
    fate: str
    quote: str
    now: str | None
    labels: str
    words: str
    qualifiers: tuple[str, ...]
    pages: tuple[tuple[str, str], ...]
    more_pages: int
    ruling: str | None
    day: str
    evidence: str


@dataclass(frozen=True, slots=True)
class _Section:
    """A site in the file; `results` are (result, its claims, how many more there are), `unknown` lines on pages."""

    id: str
    name: str
    site: SiteChange
    counts: str
    results: tuple[tuple[str, tuple[_Line, ...], int], ...]
    unknown: tuple[str, ...]


def compare_html(comparison: Comparison) -> str:
    """Return a comparison as one HTML file that fetches nothing.

    It holds the first claims of each result of each site, as far as they differ, the pages of which too little is
    known, and how many claims there are besides. Control characters and direction overrides of the pages are shown
    as U+FFFD.
    """
    template = page_template("compare.html.jinja")
    sections, left_out = _sections(comparison)
    base_style = block_text(page_template("report.html.jinja"), "style")
    return template.render(
        title=headline(comparison),
        comparison=comparison,
        old=str(comparison.old),
        new=str(comparison.new),
        counts=counts_line(comparison.total()),
        verdicts=verdicts_line(comparison.sites),
        notes=comparison.notes,
        sites=[(_name(site), site) for site in _in_order(comparison.sites)[:_MOST_SITES]],
        sites_left_out=max(len(comparison.sites) - _MOST_SITES, 0),
        linked={section.site.site: section.id for section in sections},
        sections=sections,
        left_out=left_out,
        result_words=RESULT_WORDS,
        tool_version=version("mdclaims"),
        base_style=Markup(base_style),  # noqa: S704 (our own file, which holds no text of a page)
        style_hash=csp_hash(base_style + block_text(template, "style")),
    )


def _in_order(sites: Sequence[SiteChange]) -> list[SiteChange]:
    """Return the sites that changed, then those of which too little is known, then the others, each by name."""
    return sorted(sites, key=lambda site: (not site.differs, not site.counts["cannot_tell"]))


def _sections(comparison: Comparison) -> tuple[list[_Section], int]:
    """Return the sites to show, and how many claims of changed sites are not shown."""
    sections = []
    room, left_out = _MOST_CLAIMS, 0
    upheld = comparison.options.upheld
    for n, (site, claims) in enumerate(comparison.claims()):
        lines: dict[str, list[_Line]] = {}
        more: Counter[str] = Counter()
        unknown = Unknown()
        for claim in claims:
            if not upheld and claim.result == "cannot_tell":
                unknown.add(claim)
            elif upheld or claim.differs:
                if room and len(lines.get(claim.result, ())) < _MOST_OF_RESULT:
                    lines.setdefault(claim.result, []).append(_line(claim))
                    room -= 1
                else:
                    more[claim.result] += 1
        left_out += more.total()
        pages = tuple(unknown.lines(MOST_TOLD)) if room else ()
        if lines or pages:
            results = tuple((result, tuple(lines[result]), more[result]) for result in RESULTS if result in lines)
            sections.append(_Section(f"s-{n + 1}", _name(site), site, counts_line(site.counts), results, pages))
            room = max(room - len(pages), 0)
    return sections, left_out


def _line(claim: ClaimChange) -> _Line:
    ruling = claim.ruling
    return _Line(
        claim=claim,
        fate=_fate(claim),
        quote=quoted(claim.quote),
        now=None if claim.now is None else quoted(claim.now),
        labels=label_words(claim),
        words=difference_words(claim.words),
        qualifiers=tuple(qualifier_words(change) for change in claim.qualifiers),
        pages=tuple((page.address, page_words(page, claim.result)) for page in claim.pages[:_MOST_PAGES]),
        more_pages=max(len(claim.pages) - _MOST_PAGES, 0),
        ruling=None if ruling is None else f"{ruling.reviewer}, {ruling.provision or 'no provision'}",
        day="" if ruling is None else ruling.time[:10],
        evidence=evidence_words(evidence(claim)),
    )
