"""The pages on which people decide about the exhibits of a case, one at a time.

They work without scripts; ``data/static/review.js`` adds the keys. The reviewer's name is asked once and kept in a
cookie; it says who decided, and guards nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from textwrap import shorten
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mdclaims.cases.decisions import Decision, Draft, check_reviewer, differ, said
from mdclaims.desk.queue import Filter, Queue
from mdclaims.desk.web import Part, cookie, form_of, page, redirect
from mdclaims.errors import MdclaimsError, UsageError
from mdclaims.findings.rules import Rule, rules, source_marks
from mdclaims.labels import PRIORITIES
from mdclaims.reports.report import HIDDEN_WORDS, KIND_WORDS, REGION_WORDS, shown_label

MOST_SITES = 500
"""So many sites are listed; the others are counted."""

MOST_COPIES = 20
"""So many copies are named; the others are counted."""

VERBS: dict[str, str] = {"upheld": "Uphold", "dismissed": "Dismiss", "referred": "Refer"}
"""What a reviewer can press, by the decision that it writes."""

PRIORITY_WORDS: dict[str, str] = {"high": "first", "normal": "second", "info": "for information"}

_REVIEWER = "mdclaims_reviewer"


def review_part(queue: Queue) -> Part:
    """Return the part of the server in which a case is decided.

    Parameters
    ----------
    queue : Queue
    """
    review = _Review(queue)
    routes = [
        Route("/case/", review.start),
        Route("/case/reviewer", review.name, methods=["POST"]),
        Route("/case/next", review.go_on),
        Route("/case/undo", review.undo, methods=["POST"]),
        Route("/case/exhibit/{exhibit}", review.show),
        Route("/case/exhibit/{exhibit}", review.decide, methods=["POST"]),
        Route("/case/exhibit/{exhibit}/record.warc.gz", review.record),
    ]
    return Part("case", "/case/", routes)


@dataclass(frozen=True, slots=True)
class _Past:
    """A decision as it is told beside an exhibit."""

    words: str
    reason: str
    provision: str | None
    before: str | None


class _Review:
    """Answers requests; each is answered in a thread, and the queue sees to it that they do not mix."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        settings = queue.case.manifest.content["settings"]
        chosen = settings.get("jurisdictions") if isinstance(settings, Mapping) else None
        self._rules = [rule for rule in rules() if not chosen or rule.jurisdiction in chosen]
        self._name = queue.case.folder.resolve().name

    # --- pages ----------------------------------------------------------------------------------------------------

    def start(self, request: Request) -> Response:
        """How far the case has come, site by site."""
        self._queue.refresh()
        sites = self._queue.sites()
        every, left = self._queue.counts(Filter())
        priorities = [(name, PRIORITY_WORDS[name], *self._queue.counts(Filter(priority=name))) for name in PRIORITIES]
        return page(
            "case.html.jinja",
            case=self._name,
            reviewer=_reviewer(request),
            findings=every,
            open=left,
            priorities=[(_query(priority=name), words, count, rest) for name, words, count, rest in priorities],
            sites=[(_query(site=site.name), site) for site in sites[:MOST_SITES]],
            more_sites=max(0, len(sites) - MOST_SITES),
            recent=[(decision.exhibits[0], _past(decision)) for decision in reversed(self._queue.recent)],
            torn=self._queue.decisions.torn,
        )

    def go_on(self, request: Request) -> Response:
        """The next open exhibit."""
        self._queue.refresh()
        which = _filter(request.query_params)
        found = self._queue.next(which, request.query_params.get("after", ""))
        done = {name: request.query_params[name] for name in ("done", "of") if name in request.query_params}
        if found is not None:
            return redirect(f"/case/exhibit/{found}?{_query(which, **done)}")
        return page(
            "message.html.jinja",
            title="Nothing is open here",
            text="Every exhibit of this part of the case has a decision.",
        )

    def show(self, request: Request) -> Response:
        """One exhibit with its context."""
        self._queue.refresh()
        return self._page(request, request.path_params["exhibit"], request.query_params)

    def record(self, request: Request) -> Response:
        """The record of the exhibit's page, as the case keeps it; a file to save, never a page."""
        row = self._queue.exhibit(request.path_params["exhibit"])
        data = self._queue.evidence(row) if row else None
        if data is None:
            return page("message.html.jinja", 404, title="No record", text="The case keeps no record of this page.")
        name = f"{request.path_params['exhibit']}.warc.gz"
        return Response(
            data,
            media_type="application/octet-stream",
            headers={
                "content-disposition": f'attachment; filename="{name}"',
                "content-security-policy": "sandbox; default-src 'none'",
            },
        )

    def _page(
        self,
        request: Request,
        exhibit: str,
        query: Mapping[str, str],
        *,
        problem: str | None = None,
        written: Mapping[str, str] | None = None,
    ) -> Response:
        row = self._queue.exhibit(exhibit)
        if row is None:
            return page("message.html.jinja", 404, title="Not found", text="This exhibit is not in the case.")
        which = _filter(query)
        every, left = self._queue.counts(which)
        history = self._queue.decisions.history(exhibit)
        copies = self._queue.copies(exhibit)
        reviewer = _reviewer(request)
        words = self._queue.decisions.words(exhibit)
        last = self._queue.decisions.of(exhibit)
        mine = words.get(reviewer or "")
        return page(
            "exhibit.html.jinja",
            200 if problem is None else 409,
            case=self._name,
            reviewer=reviewer,
            row=row,
            site=row["site"] or "",
            address=_web_address(row["address"]),
            place=row["address"] or row["file"],
            link=_web_address(row["link"]),
            label=shown_label(row["label"]),
            stance=shown_label(row["label"]).stances.get(row["stance"] or ""),
            priority=PRIORITY_WORDS.get(row["priority"], ""),
            kind=KIND_WORDS.get(row["kind"], row["kind"]),
            region=REGION_WORDS.get(row["region"], row["region"]),
            hidden_words=HIDDEN_WORDS,
            qualifier_words=_qualifier_words(row),
            touched=self._touched(row),
            others=self._others(row),
            copies=copies[:MOST_COPIES],
            copies_count=len(copies),
            state=None if last is None else last.decision,
            history=[_past(decision) for decision in reversed(history)],
            others_words=[word for name, word in words.items() if name != reviewer],
            seen=history[-1].number if history else 0,
            verbs=VERBS,
            written=written or {"reason": mine.reason if mine else "", "provision": (mine and mine.provision) or ""},
            which=which,
            query=_query(which),
            next_query=_query(which, after=exhibit),
            findings=every,
            open=left,
            problem=problem,
            done=self._done(query, reviewer),
        )

    def _touched(self, row: Mapping[str, Any]) -> list[tuple[Rule, str]]:
        """Return the provisions that the finding may touch, with what to know of their source."""
        ids = set(row["rules"] or ())
        return [(rule, source_marks(rule, date.today())) for rule in rules() if rule.id in ids]

    def _others(self, row: Mapping[str, Any]) -> list[tuple[Rule, str]]:
        ids = set(row["rules"] or ())
        return [(rule, source_marks(rule, date.today())) for rule in self._rules if rule.id not in ids]

    def _done(self, query: Mapping[str, str], reviewer: str | None) -> tuple[str, Decision, str] | None:
        """Return the decision that led here and the start of its quote, if it is the reviewer's and can be undone."""
        number = query.get("done", "")
        exhibit = query.get("of", "")
        for decision in self._queue.decisions.history(exhibit)[-1:]:
            if str(decision.number) == number and decision.reviewer == reviewer and decision.decision != "open":
                quotes = [found.quote for found in self._queue.decisions.covers(decision) if found.exhibit == exhibit]
                return exhibit, decision, shorten(quotes[0], 90, placeholder=" …")
        return None

    # --- forms ----------------------------------------------------------------------------------------------------

    async def name(self, request: Request) -> Response:
        """Take the reviewer's name."""
        form = await form_of(request)
        name = " ".join(form.get("reviewer", "").split())
        check_reviewer(name)
        return redirect(_own_path(form.get("back", "")), cookie(_REVIEWER, name))

    async def decide(self, request: Request) -> Response:
        """Take a decision and go on to the next exhibit."""
        form = await form_of(request)
        return await run_in_threadpool(self._decide, request, form)

    def _decide(self, request: Request, form: Mapping[str, str]) -> Response:
        exhibit = request.path_params["exhibit"]
        which = _filter(form)
        try:
            decision = self._decided(exhibit, form, _reviewer(request))
        except MdclaimsError as error:
            written = {name: form.get(name, "") for name in ("reason", "provision")}
            return self._page(request, exhibit, form, problem=str(error), written=written)
        return redirect(f"/case/next?{_query(which, after=exhibit, done=str(decision.number), of=exhibit)}")

    def _decided(self, exhibit: str, form: Mapping[str, str], reviewer: str | None) -> Decision:
        if reviewer is None:
            raise UsageError("say first who you are: the name stands beside every decision")
        if form.get("decision") not in VERBS:
            raise UsageError("this is none of the decisions")
        provision = form.get("provision") or None
        if provision is not None and provision not in {rule.id for rule in rules()}:
            raise UsageError("this provision is not known")
        draft = Draft(reviewer, form["decision"], (), "\n".join(form.get("reason", "").splitlines()).strip(), provision)
        exhibits = [exhibit]
        if form.get("copies"):
            found = [copy for copy, _ in self._queue.copies(exhibit)]
            if str(len(found)) != form["copies"]:
                raise UsageError(
                    f"there are {len(found):,} open copies now, no longer {form['copies'][:20]}; decide again"
                )
            exhibits += found
        others = [word for name, word in self._queue.decisions.words(exhibit).items() if name != reviewer]
        against = [word for word in others if differ(draft, word)]
        if against and not form.get("overrule"):
            raise UsageError(
                f"{against[-1].reviewer} decided otherwise: {against[-1].decision}; tick “Overrule” if yours counts"
            )
        if against:
            draft = Draft(reviewer, draft.decision, (), draft.reason, provision, overrules=True)
        seen = form.get("seen", "")
        return self._queue.decide(draft, exhibits, int(seen) if seen.isdecimal() and len(seen) < 12 else 0)

    async def undo(self, request: Request) -> Response:
        """Take the reviewer's last decision back and show its exhibit again."""
        form = await form_of(request)
        exhibit, number = form.get("of", ""), form.get("done", "")
        reviewer = _reviewer(request)
        if reviewer is None or not number.isdecimal() or len(number) > 12:
            raise UsageError("only a decision of your own can be undone")
        await run_in_threadpool(self._queue.take_back, exhibit, int(number), reviewer)
        return redirect(f"/case/exhibit/{exhibit}?{_query(_filter(form))}")


# --- words ---------------------------------------------------------------------------------------------------------


def _reviewer(request: Request) -> str | None:
    """Return the reviewer's name, if it was given."""
    name = unquote(request.cookies.get(_REVIEWER, ""))
    try:
        check_reviewer(name)
    except UsageError:
        return None
    return name


def _filter(query: Mapping[str, str]) -> Filter:
    priority = query.get("priority", "")
    return Filter(query.get("site", ""), priority if priority in PRIORITIES else "")


def _query(which: Filter | None = None, **more: str) -> str:
    """Return a query string; what is empty is left out."""
    values = {"site": which.site, "priority": which.priority} if which else {}
    return urlencode({name: value for name, value in {**values, **more}.items() if value})


def _own_path(text: str) -> str:
    """Return a path of this server, whatever a form holds."""
    return text if text.startswith("/case/") and "\\" not in text and text.isprintable() else "/case/"


def _web_address(text: str | None) -> str | None:
    """Return an address that may become a link: a case from someone else can hold anything."""
    try:
        parts = urlsplit(text or "")
    except ValueError:
        return None
    return text if parts.scheme in {"http", "https"} and parts.netloc else None


def _qualifier_words(row: Mapping[str, Any]) -> str | None:
    """Say how far away the nearest risk, limit or source stands; None if none was found."""
    if row["qualifier"] is None:
        return None
    away = row["qualifier_sentences_away"]
    where = f"{away:,} {'sentence' if away == 1 else 'sentences'} away" if away else "in the same sentence"
    hidden = f", {HIDDEN_WORDS}" if row["qualifier_hidden"] else ""
    return f"a {row['qualifier_kind']}, {where}{hidden}"


def _past(decision: Decision) -> _Past:
    """Return a decision in words."""
    when = f"{decision.time:%Y-%m-%d %H:%M} UTC"
    origin = decision.origin
    if origin is None:
        extra = ", which overrules others" if decision.overrules else ""
        words, before = f"{said(decision.decision)} by {decision.reviewer}, {when}{extra}", None
    else:
        there = f"{origin.decision} by {decision.reviewer} in {origin.case}, {origin.time[:16].replace('T', ' ')} UTC"
        again = {
            None: "carried over",
            "reworded": "open again, because the claim was reworded",
            "moved": "open again, because the claim stands in another place",
            "still there": "open again, because the claim is still there",
        }.get(origin.why, "open again")
        words, before = f"{there}; {again}", origin.quote if origin.why == "reworded" else None
    return _Past(words[0].upper() + words[1:], decision.reason, decision.provision, before)
