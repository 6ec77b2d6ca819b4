"""The HTTP interface for programs: ``POST /v1/check``, and its description in OpenAPI.

A program of this machine sends no origin, and a page elsewhere cannot send none: see `mdclaims.desk.web`. What comes
in is checked in a process of its own (`mdclaims.desk.worker`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mdclaims.config import JURISDICTIONS, MODES
from mdclaims.desk.bodies import Bodies, answering, content_type, form_parts, json_object
from mdclaims.desk.checks import MODE, parse_wishes
from mdclaims.desk.web import Part
from mdclaims.desk.worker import Document, Worker
from mdclaims.errors import UsageError
from mdclaims.labels import LABELS
from mdclaims.reading import FORMATS, format_of
from mdclaims.reading.page import replace_unencodable

_KEYS = {"text", "format", "mode", "labels", "jurisdictions"}
_TEXTS = ("text", "markdown", "html")


def api_part(worker: Worker, bodies: Bodies) -> Part:
    """Return the part of the server for programs.

    Parameters
    ----------
    worker : Worker
    bodies : Bodies
    """
    api = _Api(worker, bodies)
    routes = [
        Route("/v1/check", answering(api.check), methods=["POST"]),
        Route("/v1/openapi.json", api.describe),
    ]
    return Part("api", "/v1/openapi.json", routes, programs=frozenset({"/v1/check"}), close=worker.close)


class _Api:
    """Answers programs."""

    def __init__(self, worker: Worker, bodies: Bodies) -> None:
        self._worker = worker
        self._bodies = bodies

    async def check(self, request: Request) -> Response:
        """Check a text or a file."""
        async with self._bodies.of(request) as data:
            document, asked = self._asked(request, data)
            text = await run_in_threadpool(self._worker.json, document, parse_wishes(asked))
        return Response(text, media_type="application/json")

    @staticmethod
    def _asked(request: Request, data: bytes) -> tuple[Document, Mapping[str, object]]:
        """Return the document of a request, and what else it says."""
        kind = content_type(request)
        if kind == "multipart/form-data":
            return uploaded(request, data)
        if kind != "application/json":
            raise UsageError("send JSON (application/json), or a form with a file (multipart/form-data)")
        asked = json_object(data, _KEYS)
        text, kind = asked.get("text"), asked.get("format", "text")
        if not isinstance(text, str):
            raise UsageError("text must be a text; a file is sent as a form (multipart/form-data)")
        if kind not in _TEXTS:
            raise UsageError(f"format must be one of {', '.join(_TEXTS)}; other files are sent as a form")
        return Document(replace_unencodable(text).encode(), "text", str(kind)), asked

    async def describe(self, _: Request) -> Response:
        """Describe the interface."""
        return JSONResponse(openapi())


def uploaded(request: Request, data: bytes) -> tuple[Document, Mapping[str, object]]:
    """Return the file that a form brings, and its fields; labels and jurisdictions may come several times.

    Raises
    ------
    UsageError
        If there is no file, more than one, or a field that is not known.
    """
    document = None
    asked: dict[str, Any] = {}
    for name, filename, content in form_parts(request, data):
        if name == "file" and document is None:
            shown = Path((filename or "").replace("\\", "/")).name
            document = Document(content, shown or "file", "")
        elif name in {"labels", "jurisdictions"}:
            asked.setdefault(name, []).append(content.decode("utf-8", errors="replace"))
        elif name in {"mode", "format"} and name not in asked:
            asked[name] = content.decode("utf-8", errors="replace")
        else:
            raise UsageError(f"unknown or repeated field {name[:60]!r}; a form has one file, and {', '.join(_KEYS)}")
    if document is None:
        raise UsageError("the form has no field named file")
    kind = str(asked.pop("format", None) or format_of(Path(document.name)))
    if kind not in FORMATS.values():
        known = " ".join(FORMATS)
        raise UsageError(f"{document.name!r}: unknown format; mdclaims reads {known}: name the file so, or say format")
    return Document(document.data, document.name, kind), asked


@cache
def openapi() -> dict[str, Any]:
    """Return the description of the interface, OpenAPI 3.1."""
    report = json.loads((files("mdclaims") / "data" / "schema" / "check.schema.json").read_text(encoding="utf-8"))
    names = {
        "mode": {"enum": list(MODES), "default": MODE, "description": "edit: few false alarms; screen: few missed."},
        "labels": {"type": "array", "items": {"enum": list(LABELS)}, "minItems": 1, "description": "Only these."},
        "jurisdictions": {
            "type": "array",
            "items": {"enum": list(JURISDICTIONS)},
            "description": "Whose provisions to show; none: no provision is shown.",
        },
    }
    request = {
        "type": "object",
        "required": ["text"],
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string"},
            "format": {"enum": list(_TEXTS), "default": "text"},
            **names,
        },
    }
    form = {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {
            "file": {
                "type": "string",
                "format": "binary",
                "description": f"Its name tells its format: {' '.join(FORMATS)}.",
            },
            "format": {"enum": sorted(set(FORMATS.values())), "description": "If its name does not."},
            **names,
        },
    }
    told = {"400": "The request is wrong, or reading the format needs an extra that is not installed.",
            "403": "The request comes from a page elsewhere, or names another host (plain text).",
            "408": "The request took too long to arrive.",
            "413": "The request is over the limit max_bytes.",
            "422": "The document cannot be read.",
            "429": "Too many requests wait; try again."}  # fmt: skip
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers: dict[str, Any] = {
        status: {"description": text, **({} if status == "403" else {"content": problem})}
        for status, text in told.items()
    }
    answers["200"] = {
        "description": "What mdclaims check --format json says.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Report"}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mdclaims",
            "version": version("mdclaims"),
            "description": "Reads medical-marketing language: which sentences a person should look at. It runs on this "
            "machine alone, and nothing leaves it.",
        },
        "paths": {
            "/v1/check": {
                "post": {
                    "operationId": "check",
                    "summary": "Check a text or a file.",
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Check"}},
                            "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Upload"}},
                        },
                    },
                    "responses": answers,
                }
            }
        },
        "components": {
            "schemas": {
                "Check": request,
                "Upload": form,
                "Problem": {
                    "type": "object",
                    "required": ["error"],
                    "additionalProperties": False,
                    "properties": {"error": {"type": "string", "description": "One line: what is wrong, what to do."}},
                },
                "Report": report,
            }
        },
    }
