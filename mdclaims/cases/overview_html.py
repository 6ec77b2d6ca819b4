"""The overview of a case as one HTML file: what to read first, whose site it is, and its claims where they stand.

It owns what the file holds and what it leaves out; the markup is in ``data/templates/overview.html.jinja``. Text of
pages reaches it through autoescape only. What a browser can open quickly is the bound: the limits below, which the file
names with the command that shows the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from mdclaims.cases.casefile import OpenCase
from mdclaims.cases.contacts import FIELDS, Card, Contact, site_cards
from mdclaims.cases.coverage import Coverage
from mdclaims.cases.decisions import Decisions
from mdclaims.cases.distinct import ORDER, DistinctClaim, distinct_claims
from mdclaims.cases.ranking import RankedSite, Ranking, budget_line, strongest
from mdclaims.labels import LABELS, PRIORITIES, Label
from mdclaims.reports.controls import visible_controls
from mdclaims.reports.html_page import block_hash, page_template
from mdclaims.reports.report import FIRST_SHOWN, shown_label

NEXT_SITES = 20
"""Sites on the first screen: the next with open decisions, or all the next if none are open."""

MOST_SITES = 200
"""Sites with their card, claims and pages in one file; `first` begins a further file behind them."""

MOST_LISTED = 1_000
"""Sites in the table of all sites."""

MOST_CLAIMS = 60
"""Distinct claims of one site."""

MOST_ALL_CLAIMS = 4_000
"""Distinct claims in one file: what a phone opens in a second or two."""

MOST_PAGES = 8
"""Pages of one site whose text is shown, those with the most urgent findings first."""

MOST_PASSAGES = 4_000
"""Findings shown in the text of their pages, in one file."""

MOST_FAMILIES = 30
"""Claims in the table of claims that several sites share."""

_MOST_NAMED = 8
_FIELD_WORDS = {
    "name": "Business name",
    "address": "Postal address",
    "telephone": "Telephone",
    "email": "E-mail",
    "registration": "Registration",
}
_SOURCE_WORDS = {
    "data": "data for search engines",
    "link": "a link",
    "footer": "header or footer",
    "text": "the text",
    "title": "the title",
}
_PRIORITY_WORDS = {"high": "First", "normal": "Then", "info": "For information"}


@dataclass(frozen=True, slots=True)
class _Link:
    """Words, and where they lead: an anchor of the file, an address of the web, or nowhere."""

    words: str
    href: str | None


@dataclass(frozen=True, slots=True)
class _CardLine:
    name: str
    values: tuple[tuple[Contact, str, _Link], ...]
    """Each with the words of its source, and its page."""


@dataclass(frozen=True, slots=True)
class _ClaimView:
    id: str
    claim: DistinctClaim
    label: Label
    link: _Link
    decision: str
    elsewhere: tuple[_Link, ...]
    """Other sites that have it, as many as are named."""
    others: int
    """How many other sites have it."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence of a passage; `marks` are (label, number of the claim or None, anchor or None)."""

    text: str
    marks: tuple[tuple[Label, str, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class _Passage:
    """Sentences that follow each other under one heading."""

    headings: tuple[str, ...]
    sentences: tuple[_Said, ...]


@dataclass(frozen=True, slots=True)
class _PageView:
    title: str
    link: _Link
    captured: str
    high: int
    normal: int
    passages: tuple[_Passage, ...]


@dataclass(frozen=True, slots=True)
class _SiteView:
    id: str
    site: RankedSite
    name: str
    card: tuple[_CardLine, ...]
    claims: tuple[_ClaimView, ...]
    claims_left: int
    pages: tuple[_PageView, ...]
    pages_left: int


@dataclass(frozen=True, slots=True)
class _Next:
    """A site on the first screen."""

    view: _SiteView
    quotes: tuple[_ClaimView, ...]


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    value: float
    words: str
    share: float
    """Of the longest, 0 to 100."""


@dataclass(frozen=True, slots=True)
class _Chart:
    id: str
    title: str
    about: str
    columns: tuple[str, str]
    bars: tuple[_Bar, ...]


@dataclass(frozen=True)
class HtmlOverview:
    """The file.

    Attributes
    ----------
    text : str
    claims : int
        Distinct claims in it.
    left_out : tuple of str
        A line for each thing that is not in it.
    """

    text: str
    claims: int
    left_out: tuple[str, ...] = field(default=())


def render_overview(
    case: OpenCase,
    ranking: Ranking,
    decisions: Decisions,
    *,
    lines: Sequence[str],
    down_to: str = "normal",
    first: int = 1,
) -> HtmlOverview:
    """Return the overview of a case as one HTML file that fetches nothing.

    Parameters
    ----------
    case : OpenCase
        After `mdclaims.cases.ranking.rank`.
    ranking : Ranking
    decisions : Decisions
    lines : sequence of str
        What stands above the sites: `mdclaims.cases.overview.head_lines`.
    down_to : str
        The last priority that is listed.
    first : int
        The rank to begin with.
    """
    shown = ranking.ranked[first - 1 : first - 1 + MOST_SITES]
    names = [site.site for site in shown]
    context = _Context(case, ranking, decisions, {site.site: f"s-{site.rank}" for site in shown}, down_to)
    cards = site_cards(case.connection, names)
    claims = _claims(context, names)
    pages = _pages(context, names, claims)
    views = tuple(_site_view(context, site, cards[site.site], claims, pages) for site in shown)
    following = tuple(_next(context, views))
    listed = ranking.ranked[:MOST_LISTED]
    kept = sum(map(len, claims.values()))
    left_out = tuple(_left_out(ranking, context, views, first))
    template = page_template("overview.html.jinja")
    budget = next((one for one in ranking.budgets if one.share >= 0.8), None)
    text = template.render(
        name=case.folder.resolve().name,
        manifest=case.manifest.sha256,
        version=case.manifest.versions.get("mdclaims", ""),
        mode=case.manifest.content["settings"].get("mode", ""),
        jurisdictions=ranking.jurisdictions,
        lines=[_unbroken(line) for line in lines],
        result=_result(ranking),
        budget=None if budget is None else _unbroken(budget_line(ranking, budget)),
        budgets=[_unbroken(budget_line(ranking, one)) for one in ranking.budgets if one is not budget],
        first=first,
        following=following,
        views=views,
        listed=[(site, context.anchors.get(site.site)) for site in listed],
        not_judged=ranking.not_judged[:MOST_LISTED],
        families=tuple(_families(context)),
        charts=tuple(_charts(context)),
        left_out=left_out,
        priority_words=_PRIORITY_WORDS,
        style_hash=block_hash(template, "style"),
        script_hash=block_hash(template, "script"),
    )
    return HtmlOverview(text, kept, left_out)


def _unbroken(line: str) -> str:
    """Keep a number with its per cent sign."""
    return line.replace(" %", "\N{NO-BREAK SPACE}%")


@dataclass(frozen=True, slots=True)
class _Context:
    """What all parts of the file need; `anchors` are those of the sites that are in it."""

    case: OpenCase
    ranking: Ranking
    decisions: Decisions
    anchors: Mapping[str, str]
    down_to: str

    @property
    def urgency(self) -> int:
        return PRIORITIES.index(self.down_to) + 1


# --- the first screen ---------------------------------------------------------------------------------------------


def _result(ranking: Ranking) -> str:
    high = sum(site.high for site in ranking.sites)
    undecided = sum(site.open for site in ranking.sites)
    sites = sum(site.high > 0 for site in ranking.sites)
    if not high:
        return f"No site of {len(ranking.sites):,} has a claim to read first."
    return (
        f"{high:,} distinct claims to read first, on {sites:,} of {len(ranking.sites):,} sites; "
        f"{'all' if undecided == high else f'{undecided:,}'} of them wait for a decision."
    )


def _next(context: _Context, views: Sequence[_SiteView]) -> Iterator[_Next]:
    chosen = [view for view in views if view.site.open] or list(views)
    chosen = chosen[:NEXT_SITES]
    quotes = strongest(context.case, [view.site.site for view in chosen])
    for view in chosen:
        yield _Next(view, tuple(_claim_view(context, claim, {}) for claim in quotes[view.site.site]))


# --- sites --------------------------------------------------------------------------------------------------------


def _site_view(
    context: _Context,
    site: RankedSite,
    card: Card,
    claims: Mapping[str, Sequence[DistinctClaim]],
    pages: Mapping[str, tuple[tuple[_PageView, ...], int]],
) -> _SiteView:
    mine = claims.get(site.site, ())
    elsewhere = _elsewhere(context, [claim for claim in mine if claim.family_sites > 1])
    shown, number = pages.get(site.site, ((), 0))
    [total] = context.case.connection.execute(
        "SELECT count(*) FROM claims WHERE site = ? AND weight > 0 AND urgency <= ?", [site.site, context.urgency]
    ).fetchone() or (0,)
    return _SiteView(
        id=context.anchors[site.site],
        site=site,
        name=card["name"][0].value if card["name"] else site.site,
        card=tuple(_card_lines(card)),
        claims=tuple(_claim_view(context, claim, elsewhere) for claim in mine),
        claims_left=total - len(mine),
        pages=shown,
        pages_left=number - len(shown),
    )


def _card_lines(card: Card) -> Iterator[_CardLine]:
    for name in FIELDS:
        yield _CardLine(
            _FIELD_WORDS[name],
            tuple(
                (value, _SOURCE_WORDS[value.source], _web_link(value.address, value.address)) for value in card[name]
            ),
        )


def _web_link(words: str, address: str | None) -> _Link:
    """Return words with an address of the web; nothing else that a page could name is ever a link."""
    is_web = address is not None and address.lower().startswith(("http://", "https://"))
    return _Link(words, address if is_web else None)


# --- claims -------------------------------------------------------------------------------------------------------


def _claims(context: _Context, sites: Sequence[str]) -> dict[str, list[DistinctClaim]]:
    """Return the first claims of each site, as many as a file holds."""
    found = distinct_claims(
        context.case,
        "list_contains(?, c.site) AND c.urgency <= ? QUALIFY row_number() OVER "
        f"(PARTITION BY c.site ORDER BY c.counts DESC, {ORDER}) <= ?",
        [list(sites), context.urgency, MOST_CLAIMS],
        order=f"list_position({_sql_texts(sites)}, c.site), c.counts DESC, {ORDER}",
    )
    kept: dict[str, list[DistinctClaim]] = {}
    for number, claim in enumerate(found):
        # Of each site at least what its first screen would show, so that no site of the file is empty.
        if number < MOST_ALL_CLAIMS or len(kept.get(claim.site, ())) < FIRST_SHOWN:
            kept.setdefault(claim.site, []).append(claim)
    return kept


def _sql_texts(texts: Iterable[str]) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]::VARCHAR[]"


def _claim_view(context: _Context, claim: DistinctClaim, elsewhere: Mapping[str, Sequence[str]]) -> _ClaimView:
    decision = context.decisions.of(claim.exhibit)
    said = "open" if decision is None else f"{decision.decision} by {decision.reviewer}, {decision.time:%Y-%m-%d}"
    others = [site for site in elsewhere.get(claim.family, ()) if site != claim.site]
    return _ClaimView(
        id=f"c-{claim.id}",
        claim=claim,
        label=shown_label(claim.label),
        link=_web_link("open the page there", claim.link or claim.address),
        decision=said,
        elsewhere=tuple(_site_link(context, site) for site in others[:_MOST_NAMED]),
        others=claim.family_sites - 1,
    )


def _site_link(context: _Context, site: str) -> _Link:
    anchor = context.anchors.get(site)
    return _Link(site, f"#{anchor}" if anchor else None)


def _elsewhere(context: _Context, claims: Sequence[DistinctClaim]) -> dict[str, list[str]]:
    """Return some sites of each family."""
    if not claims:
        return {}
    rows = context.case.connection.execute(
        "SELECT DISTINCT family, site FROM claims WHERE list_contains(?, family) "
        "QUALIFY dense_rank() OVER (PARTITION BY family ORDER BY site) <= ? ORDER BY family, site",
        [sorted({claim.family for claim in claims}), _MOST_NAMED + 1],
    ).fetchall()
    return {family: [site for _, site in members] for family, members in groupby(rows, key=lambda row: row[0])}


_FAMILIES = """
SELECT family, count(DISTINCT site), list_sort(list(DISTINCT site))[:?], sum(copies)::BIGINT,
  arg_min(best.page, (urgency, id)), arg_min(best.fingerprint, (urgency, id)), arg_min(label, (urgency, id))
FROM claims WHERE family_sites > 1 AND counts AND urgency < 3
GROUP BY family ORDER BY 2 DESC, min(urgency), family LIMIT ?
"""


def _families(context: _Context) -> Iterator[dict[str, Any]]:
    """Yield the claims that most sites share: one letter to their source may do for all."""
    connection = context.case.connection
    for family, number, sites, copies, page, fingerprint, label in connection.execute(
        _FAMILIES, [_MOST_NAMED, MOST_FAMILIES]
    ).fetchall():
        [quote] = connection.execute(
            "SELECT quote FROM findings WHERE page = ? AND fingerprint = ?", [page, fingerprint]
        ).fetchone() or ("",)
        yield {
            "id": f"f-{family}",
            "quote": quote,
            "label": shown_label(label),
            "sites": number,
            "copies": copies,
            "links": [_site_link(context, site) for site in sites],
        }


# --- pages --------------------------------------------------------------------------------------------------------

_PAGES = """
WITH counted AS (
  SELECT k.site, k.page, count(*) FILTER (k.urgency = 1) AS high, count(*) FILTER (k.urgency = 2) AS normal
  FROM copies AS k WHERE list_contains($sites, k.site) AND k.weight > 0 AND k.counts AND k.urgency <= $urgency
  GROUP BY k.site, k.page
), chosen AS (
  SELECT *, count(*) OVER (PARTITION BY site) AS number,
    row_number() OVER (PARTITION BY site ORDER BY high DESC, normal DESC, page) AS place
  FROM counted
)
SELECT c.site, c.page, c.number, c.high, c.normal, p.title, coalesce(p.address, p.file), p.captured, c.place
FROM chosen AS c JOIN pages AS p USING (page) WHERE c.place <= $most
ORDER BY list_position($sites, c.site), c.place
"""
_SENTENCES = """
SELECT f.page, f.sentence, f.quote, f.before, f.after, f.heading_path, f.label, k.id
FROM findings AS f JOIN copies AS k ON k.page = f.page AND k.fingerprint = f.fingerprint
WHERE list_contains($pages, f.page) AND k.weight > 0 AND k.urgency <= $urgency
ORDER BY f.page, f.sentence, k.urgency, f.label
"""


def _pages(
    context: _Context, sites: Sequence[str], claims: Mapping[str, Sequence[DistinctClaim]]
) -> dict[str, tuple[tuple[_PageView, ...], int]]:
    """Return the pages of each site that a file has room for, and how many the site has."""
    connection = context.case.connection
    rows = connection.execute(_PAGES, {"sites": list(sites), "urgency": context.urgency, "most": MOST_PAGES}).fetchall()
    room, fitting = MOST_PASSAGES, []
    for row in rows:
        room -= row[3] + row[4]
        if room >= 0:
            fitting.append(row)
    anchors = {claim.id: (str(n), f"c-{claim.id}") for mine in claims.values() for n, claim in enumerate(mine, 1)}
    wanted = [row[1] for row in fitting]
    said = connection.execute(_SENTENCES, {"pages": wanted, "urgency": context.urgency}).fetchall()
    passages = {page: tuple(_passages(list(found), anchors)) for page, found in groupby(said, key=lambda row: row[0])}
    views: dict[str, tuple[tuple[_PageView, ...], int]] = dict.fromkeys(sites, ((), 0))
    for site, _, number, *_ in rows:
        views[site] = (views[site][0], number)
    for site, page, number, high, normal, title, address, captured, _ in fitting:
        view = _PageView(
            title=title or address.rstrip("/").rpartition("/")[2] or address,
            link=_web_link(address, address),
            captured="" if captured is None else f"{captured:%Y-%m-%d %H:%M} UTC",
            high=high,
            normal=normal,
            passages=passages.get(page, ()),
        )
        views[site] = ((*views[site][0], view), number)
    return views


def _passages(rows: Sequence[tuple[Any, ...]], anchors: Mapping[str, tuple[str, str]]) -> Iterator[_Passage]:
    """Yield what a case knows of a page's text: findings, and the sentences beside them."""
    texts: dict[int, str] = {}
    marks: dict[int, list[tuple[Label, str, str | None]]] = {}
    headings: dict[int, tuple[str, ...]] = {}
    for _, number, quote, before, after, path, label, claim in rows:
        texts[number] = quote
        headings[number] = tuple(path)
        numbered, anchor = anchors.get(claim, ("", None))
        mark = (shown_label(label), numbered, anchor)
        if mark not in marks.setdefault(number, []):
            marks[number].append(mark)
        for beside, text in ((number - 1, before), (number + 1, after)):
            if text is not None:
                texts.setdefault(beside, text)
    run: list[int] = []
    path = ()
    for number in sorted(texts):
        own = headings.get(number)
        if run and (number != run[-1] + 1 or (own is not None and path and own != path)):
            yield _passage(run, path, texts, marks)
            run, path = [], ()
        run.append(number)
        path = path or own or ()
    if run:
        yield _passage(run, path, texts, marks)


def _passage(
    run: Sequence[int],
    path: tuple[str, ...],
    texts: Mapping[int, str],
    marks: Mapping[int, Sequence[tuple[Label, str, str | None]]],
) -> _Passage:
    return _Passage(path, tuple(_Said(texts[n], tuple(marks.get(n, ()))) for n in run))


# --- charts -------------------------------------------------------------------------------------------------------


def _charts(context: _Context) -> Iterator[_Chart]:
    """Yield what can be seen at a glance; each is a table with bars, so that it can be read aloud."""
    ranking = context.ranking
    top = ranking.ranked[:NEXT_SITES]
    yield _chart(
        "points", "Points of the first sites", "At most 100; the reasons stand with each site.", ("Site", "Points"),
        [(f"{site.rank}. {site.site}", site.total, f"{site.total:.1f}") for site in top],
    )  # fmt: skip
    yield _chart(
        "reach", "How far reading reaches", "Expected share of the high claims, with its 95 % interval.",
        ("Sites read", "Share"),
        [
            (
                f"the first {one.sites:,}",
                100 * one.expected,
                f"{100 * one.expected:.0f} % ({100 * one.low:.0f} to {100 * one.high:.0f})",
            )
            for one in ranking.budgets
        ],
    )  # fmt: skip
    counts = dict(
        context.case.connection.execute(
            "SELECT coalesce(label, ''), count(*) FROM claims WHERE weight > 0 AND urgency < 3 GROUP BY 1"
        ).fetchall()
    )
    yield _chart(
        "labels", "What the claims say", "Distinct claims of priority high and normal.", ("Label", "Claims"),
        [
            (shown_label(name or None).display, counts[name], f"{counts[name]:,}")
            for name in (*LABELS, "")
            if counts.get(name)
        ],
    )  # fmt: skip
    whole = Coverage(**context.case.manifest.content["coverage"])
    outcomes = (
        ("read", whole.read), ("written by a script", whole.script_written), ("not English", whole.not_english),
        ("error pages", whole.error_pages), ("failed", whole.failed), ("over a limit", whole.over_limit),
        ("refused by robots.txt", whole.refused), ("not fetched", whole.not_fetched),
    )  # fmt: skip
    yield _chart(
        "coverage", "What was read, and what was not", f"{whole.found:,} pages found.", ("Pages", "Number"),
        [(name, number, f"{number:,}") for name, number in outcomes if number],
    )  # fmt: skip


def _chart(id: str, title: str, about: str, columns: tuple[str, str], rows: Sequence[tuple[str, float, str]]) -> _Chart:
    longest = max((value for _, value, _ in rows), default=0) or 1
    return _Chart(
        id, title, about, columns,
        tuple(_Bar(name, value, words, round(100 * value / longest, 1)) for name, value, words in rows),
    )  # fmt: skip


# --- what is not there --------------------------------------------------------------------------------------------


def _left_out(ranking: Ranking, context: _Context, views: Sequence[_SiteView], first: int) -> Iterator[str]:
    """Say what the file does not hold, and which command shows it."""
    case = visible_controls(context.case.folder.name)
    behind = len(ranking.ranked) - (first - 1) - len(views)
    if behind > 0:
        yield (
            f"{behind:,} ranked sites behind these {len(views):,}: mdclaims overview {case} "
            f"--from {first + len(views)} -o next.html"
        )
    if first > 1:
        yield f"the {first - 1:,} sites before them: mdclaims overview {case} -o first.html"
    if len(ranking.ranked) > MOST_LISTED:
        yield (
            f"{len(ranking.ranked) - MOST_LISTED:,} sites of the table of all sites: "
            f"mdclaims overview {case} -o overview.xlsx"
        )
    left = sum(view.claims_left for view in views)
    if left:
        yield f"{left:,} distinct claims of the sites shown: mdclaims overview {case} -o overview.xlsx"
    below = context.case.connection.execute(
        "SELECT urgency, count(*) FROM claims WHERE weight > 0 AND urgency > ? GROUP BY 1 ORDER BY 1", [context.urgency]
    ).fetchall()
    for urgency, number in below:
        name = PRIORITIES[urgency - 1]
        command = f"mdclaims overview {case} --down-to {name} -o overview.xlsx"
        yield f"{number:,} distinct claims of priority {name}: {command}"
    if ranking.grouping.hidden:
        yield f"{ranking.grouping.hidden:,} distinct claims that the campaign hides: leave --campaign out"
    pages = sum(view.pages_left for view in views)
    if pages:
        yield f"the text of {pages:,} pages with findings: mdclaims serve --case {case}"
    yield (
        "sentences that stand further than one from a finding; the page itself is a click away, and its record in the "
        "evidence of the case"
    )
