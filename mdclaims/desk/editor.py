"""The editor's desk: one page with a box for a draft, which is marked while somebody writes.

The page is a shell; ``data/static/editor*.js`` fill it with what the routes here answer in JSON, as text and never as
markup. What is typed is checked in a thread of the server, files in a process of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mdclaims.desk.api import uploaded
from mdclaims.desk.bodies import Bodies, answering, content_type, json_object
from mdclaims.desk.checks import Checks, Wishes, label_choices, parse_wishes
from mdclaims.desk.corrections import Corrections
from mdclaims.desk.draft import DraftPage, draft_data, draft_of, format_of_text, parse_draft
from mdclaims.desk.web import Part, page
from mdclaims.desk.worker import Document, Worker
from mdclaims.errors import UsageError
from mdclaims.language.sentences import page_inputs
from mdclaims.reading import read_bytes
from mdclaims.reading.page import replace_unencodable

MODE_NAMES: dict[str, str] = {
    "edit": "Few false alarms",
    "balanced": "Balanced",
    "screen": "Few missed",
}

PLACES: dict[str, str] = {"uk": "UK", "us": "US", "au": "Australia", "eu": "EU"}
"""The jurisdictions as the page asks for them, and their order there."""

_SHORT = 1_000_000  # bytes of a pasted text that is read at once: at most a tenth of a second
_DRAFT = {"blocks", "mode", "labels", "jurisdictions"}


def editor_part(checks: Checks, worker: Worker, corrections: Corrections, bodies: Bodies) -> Part:
    """Return the part of the server in which a draft is written.

    Parameters
    ----------
    checks : Checks
    worker : Worker
    corrections : Corrections
    bodies : Bodies
    """
    editor = _Editor(checks, worker, corrections, bodies)
    routes = [
        Route("/editor/", editor.start),
        Route("/editor/sample", answering(editor.sample)),
        Route("/editor/check", answering(editor.check), methods=["POST"]),
        Route("/editor/read", answering(editor.read), methods=["POST"]),
        Route("/editor/report", answering(editor.report), methods=["POST"]),
        Route("/editor/word", answering(editor.word), methods=["POST"]),
        Route("/editor/corrections", answering(editor.correct), methods=["POST"]),
        Route("/editor/corrections.jsonl", answering(editor.corrected)),
    ]
    return Part("editor", "/editor/", routes)


class _Editor:
    """Answers the page; checks of what is typed take turns in one thread, for their memory is not shared."""

    def __init__(self, checks: Checks, worker: Worker, corrections: Corrections, bodies: Bodies) -> None:
        self._checks = checks
        self._worker = worker
        self._corrections = corrections
        self._bodies = bodies
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="editor")

    async def start(self, _: Request) -> Response:
        """The page."""
        settings = self._checks.settings
        return page(
            "editor.html.jinja",
            jurisdictions=[(name, shown, name in settings.jurisdictions) for name, shown in PLACES.items()],
            modes=[(name, shown, name == settings.mode) for name, shown in MODE_NAMES.items()],
            labels=label_choices(),
            corrections=self._corrections.count(),
        )

    async def sample(self, _: Request) -> Response:
        """The draft that stands in the box at first."""
        data = (files("mdclaims") / "data" / "examples" / "draft.md").read_bytes()
        sample = read_bytes(data, source="sample", format="markdown", links=True)
        return JSONResponse({"blocks": draft_data(draft_of(sample))})

    async def check(self, request: Request) -> Response:
        """The marks of a draft."""
        async with self._bodies.of(request) as data:
            asked = json_object(data, _DRAFT)
            return JSONResponse(await self._in_turn(self._marks, asked))

    def _marks(self, asked: dict[str, Any]) -> dict[str, Any]:
        draft = DraftPage(parse_draft(asked.get("blocks")))
        return self._checks.marks(draft, parse_wishes(asked), self._corrections.labels())

    async def read(self, request: Request) -> Response:
        """A pasted text or a dropped file as a draft."""
        async with self._bodies.of(request) as data:
            if content_type(request) == "multipart/form-data":
                document, _ = uploaded(request, data)
            else:
                document = _pasted(json_object(data, {"text", "format"}))
            if len(document.data) <= _SHORT and document.format not in {"docx", "pdf"}:
                blocks = draft_data(draft_of(await run_in_threadpool(_read, document)))
            else:
                blocks = await run_in_threadpool(self._worker.draft, document)
        return JSONResponse({"name": document.name, "format": document.format, "blocks": blocks})

    async def report(self, request: Request) -> Response:
        """The draft with its findings, as a file to keep: what "Download with comments" gives."""
        async with self._bodies.of(request) as data:
            asked = json_object(data, _DRAFT)
            text = await self._in_turn(self._html, asked)
        return Response(
            text,
            media_type="text/html; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="draft.reviewed.html"'},
        )

    async def word(self, request: Request) -> Response:
        """A Word file with comments: what "Download with comments" gives while the draft is what was dropped."""
        async with self._bodies.of(request) as data:
            document, asked = uploaded(request, data)
            if document.format != "docx":
                raise UsageError(f"{document.name!r} is no Word file (.docx)")
            reviewed = await run_in_threadpool(self._worker.word, document, parse_wishes(asked))
        return Response(
            reviewed,
            media_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            headers={"content-disposition": 'attachment; filename="draft.reviewed.docx"'},
        )

    def _html(self, asked: dict[str, Any]) -> str:
        return self._checks.html(DraftPage(parse_draft(asked.get("blocks"))).page, parse_wishes(asked))

    async def correct(self, request: Request) -> Response:
        """Take the labels of a sentence."""
        async with self._bodies.of(request) as data:
            asked = json_object(data, _DRAFT | {"sentence"})
            await self._in_turn(self._correct, asked)
            return JSONResponse({"corrections": await run_in_threadpool(self._corrections.count)})

    def _correct(self, asked: dict[str, Any]) -> None:
        draft = DraftPage(parse_draft(asked.get("blocks")))
        wishes = parse_wishes(asked)
        screener = self._checks.screener(Wishes(wishes.mode, None, wishes.jurisdictions))
        sentences = screener.screen_page(draft.page).sentences
        n = asked.get("sentence")
        if not isinstance(n, int) or isinstance(n, bool) or not 0 <= n < len(sentences):
            raise UsageError("sentence must be the number of one of the draft's sentences")
        if wishes.labels is None:
            raise UsageError("labels must be a list of names")
        entry = page_inputs([scored.sentence for scored in sentences])[n]
        level = sentences[n].sentence.block.level
        model = f"{screener.model.name} {screener.model.version}"
        self._corrections.keep(entry, level, shown=sentences[n].labels, labels=wishes.labels, model=model)

    async def corrected(self, _: Request) -> Response:
        """All corrections as lines of the corpus, a file to keep."""
        text = await run_in_threadpool(self._corrections.corpus)
        return Response(
            text,
            media_type="application/jsonl; charset=utf-8",
            headers={"content-disposition": 'attachment; filename="corrections.jsonl"'},
        )

    async def _in_turn(self, answer: Callable[[dict[str, Any]], Any], asked: dict[str, Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, answer, asked)


def _pasted(asked: dict[str, Any]) -> Document:
    """Return what was pasted; a text says by its looks whether it is Markdown or HTML from a CMS."""
    text, kind = asked.get("text"), asked.get("format")
    if not isinstance(text, str):
        raise UsageError("text must be a text")
    if kind not in {None, "text", "html"}:
        raise UsageError("format must be text or html")
    text = replace_unencodable(text)
    return Document(text.encode(), "pasted text", "html" if kind == "html" else format_of_text(text))


def _read(document: Document) -> Any:
    return read_bytes(document.data, source=document.name, format=document.format, links=True)
