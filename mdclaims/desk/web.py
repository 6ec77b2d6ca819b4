"""The local server: what all its pages share. A part of it (`Part`) brings its own routes: `mdclaims.desk.review`.

It listens on this machine alone and has no passwords, so it guards against what other pages in the same browser could
try: a name that was pointed at this machine (DNS rebinding), and forms and frames from elsewhere (CSRF, clickjacking).
Text of pages reaches a browser through the templates' autoescape only, and the Content-Security-Policy allows no style
or script but the files of ``data/static``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mdclaims.errors import MdclaimsError, UsageError
from mdclaims.reports.html_page import page_template

MOST_BYTES = 2**20
"""The longest form that is read."""

STATIC = {
    "desk.css": "text/css",
    "editor.css": "text/css",
    "editor.js": "text/javascript",
    "editor_draft.js": "text/javascript",
    "editor_marks.js": "text/javascript",
    "editor_panel.js": "text/javascript",
    "page.css": "text/css",
    "review.js": "text/javascript",
}
"""The files of ``data/static`` that are served, and what they are."""

_LAST_SECONDS = 2  # for answers that are on their way when the server is ended
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": browsers would then send forms with the origin "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer carries."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the server.

    Attributes
    ----------
    name : str
        What it is called on the pages.
    path : str
        Where it begins.
    routes : sequence of BaseRoute
    programs : frozenset of str
        Paths that programs may post to: requests without an origin, which no page of a browser can send.
    close : callable, optional
        Called when the server begins to end, so that nothing keeps it.
    """

    name: str
    path: str
    routes: Sequence[BaseRoute]
    programs: frozenset[str] = frozenset()
    close: Callable[[], None] | None = None


def create_app(parts: Sequence[Part]) -> ASGIApp:
    """Return the server's application; its start page is the first part's."""
    start = parts[0].path

    async def home(_: Request) -> Response:
        return redirect(start)

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/static/{name}", _static),
            *(route for part in parts for route in part.routes),
        ],
        exception_handlers={MdclaimsError: _failed, 404: _not_found},
    )
    return _Guard(app, frozenset().union(*(part.programs for part in parts)))


def serve(parts: Sequence[Part], host: str, port: int, on_start: Callable[[str], None]) -> None:
    """Run the server until it is interrupted.

    Parameters
    ----------
    parts : sequence of Part
    host : str
        An address of this machine alone.
    port : int
        0 for one that is free.
    on_start : callable
        Told the address once it answers.

    Raises
    ------
    UsageError
        If the host is not of this machine alone, or the port is taken.
    """
    if not is_loopback(host):
        raise UsageError(
            f"--host {host} is not of this machine alone, and the server has no passwords; serve on 127.0.0.1 and "
            "reach it through a tunnel (ssh -L)"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(f"cannot listen on {host}, port {port} ({error}); choose another --port") from error
    name = f"[{host}]" if family == socket.AF_INET6 else host
    address = f"http://{name}:{listener.getsockname()[1]}/"
    config = uvicorn.Config(
        create_app(parts),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    closes = [part.close for part in parts if part.close is not None]
    server = _Server(config, lambda: on_start(address), closes)
    with listener:
        server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it answers, and when it ends."""

    def __init__(
        self, config: uvicorn.Config, on_start: Callable[[], None], closes: Sequence[Callable[[], None]]
    ) -> None:
        super().__init__(config)
        self._on_start = on_start
        self._closes = closes

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for close in self._closes:
            await run_in_threadpool(close)
        await super().shutdown(sockets)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- guarding ------------------------------------------------------------------------------------------------------


class _Guard:
    """Lets pass only what a page of this server asks for, and puts `HEADERS` on every answer."""

    def __init__(self, app: ASGIApp, programs: frozenset[str]) -> None:
        self._app = app
        self._programs = programs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.decode().lower(): value for name, value in message["headers"]}
                added = [
                    (name.lower().encode(), value.encode())
                    for name, value in HEADERS.items()
                    if name.lower() not in own
                ]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        refused = _refusal(Request(scope), self._programs)
        if refused is not None:
            await PlainTextResponse(f"{refused}\n", status_code=403)(scope, receive, guarded)
        else:
            await self._app(scope, receive, guarded)


def _refusal(request: Request, programs: frozenset[str]) -> str | None:
    """Say why a request is not answered; None if it is."""
    host = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        name = ""
    if not is_loopback(name):
        return "This server answers only to the name of this machine: 127.0.0.1 or localhost."
    if request.method in {"GET", "HEAD"}:
        return None
    if request.method != "POST":
        return "Only GET and POST are answered."
    # Browsers name the origin of all that a page posts; a program has none.
    if request.url.path in programs and not {"origin", "sec-fetch-site"} & set(request.headers):
        return None
    # A page elsewhere can send a form here, but not with this origin.
    if request.headers.get("origin") != f"http://{host}":
        return "Forms are taken only from the pages of this server."
    return None


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form, each once.

    Raises
    ------
    UsageError
        If it is too long, or none.
    """
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise UsageError("this is no form of these pages")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise UsageError(f"a form has at most {MOST_BYTES:,} bytes")
    try:
        return dict(parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise UsageError(f"this form cannot be read ({error})") from error


# --- pages ---------------------------------------------------------------------------------------------------------


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page made from a template of ``data/templates``."""
    return HTMLResponse(page_template(name).render(**values), status_code=status)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in STATIC:
        return await _not_found(request, KeyError(name))
    return Response((files("mdclaims") / "data" / "static" / name).read_bytes(), media_type=STATIC[name])


async def _not_found(_request: Request, _error: Exception) -> Response:
    return page("message.html.jinja", 404, title="Not found", text="There is no such page.")


async def _failed(_request: Request, error: Exception) -> Response:
    return page("message.html.jinja", 400, title="That did not work", text=str(error))


def redirect(address: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that sends the browser to another page of this server."""
    return Response(status_code=303, headers={"location": address, **(headers or {})})


def cookie(name: str, value: str) -> Mapping[str, str]:
    """Return the header that keeps a value in the browser, out of the reach of scripts and of other sites."""
    return {"set-cookie": f"{name}={quote(value, safe='')}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"}
