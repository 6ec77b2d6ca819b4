"""What requests bring: read with bounds of size and time, and of what is held at once; JSON and uploaded files.

A refusal is told to the end: what a client still sends is thrown away, or it would never read the answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.message import Message
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from mdclaims.errors import MdclaimsError, ReadError, UsageError
from mdclaims.reports.controls import one_line

SECONDS = 30.0
"""How long a request may take to arrive."""

MOST_WAITING = 256
"""So many requests may wait for an answer; what comes on top is sent away."""

_MOST_PARTS = 20


class RefusedError(MdclaimsError):
    """A request that is not answered.

    Parameters
    ----------
    status : int
        Of the answer.
    text : str
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Bodies:
    """Reads requests.

    Parameters
    ----------
    most : int
        Bytes of one request.
    key : str
        The config key that sets it.
    together : int
        Bytes of all requests that are read and not answered yet.
    """

    def __init__(self, most: int, key: str, together: int) -> None:
        self._most = most
        self._key = key
        self._together = together
        self._held = 0
        self._waiting = 0

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytes]:
        """Give what a request brings, as long as it is answered.

        Raises
        ------
        RefusedError
            If it is too long (413) or too slow (408), or there are too many (429).
        """
        if self._waiting >= MOST_WAITING:
            raise RefusedError(429, f"{MOST_WAITING} requests wait already; try again in a second")
        self._waiting += 1
        data = bytearray()
        held = 0
        refusal: RefusedError | None = None
        try:
            try:
                async with asyncio.timeout(SECONDS):
                    async for chunk in request.stream():
                        if refusal is not None:
                            continue
                        data += chunk
                        self._held += len(chunk)
                        held += len(chunk)
                        refusal = self._refusal(len(data))
                        if refusal is not None:
                            data.clear()
            except TimeoutError:
                refusal = refusal or RefusedError(408, f"the request took longer than {SECONDS:g} seconds to arrive")
            if refusal is not None:
                raise refusal
            yield bytes(data)
        finally:
            self._waiting -= 1
            self._held -= held

    def _refusal(self, length: int) -> RefusedError | None:
        if length > self._most:
            return RefusedError(
                413, f"has over {self._most:,} bytes, over the limit {self._key} = {self._most:,}; check a part of it"
            )
        if self._held > self._together:
            return RefusedError(429, "other large requests are being answered; try again in a second")
        return None


def answering(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint whose errors are JSON: ``{"error": "..."}``, one line."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RefusedError as error:
            headers = {"retry-after": "1"} if error.status == 429 else {}
            return JSONResponse({"error": str(error)}, error.status, headers)
        except ReadError as error:
            return JSONResponse({"error": one_line(str(error))}, 422)
        except MdclaimsError as error:
            return JSONResponse({"error": one_line(str(error))}, 400)
        except ClientDisconnect:
            return Response(status_code=400)
        except asyncio.CancelledError:  # told by uvicorn, when the server has ended for too long
            return JSONResponse({"error": "the server ends"}, 503)

    return answered


def content_type(request: Request) -> str:
    """Return the media type of a request, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def json_object(data: bytes, keys: set[str]) -> dict[str, Any]:
    """Return the JSON object of a request.

    Raises
    ------
    UsageError
        If it is none, or has a key that is not known.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the request is not valid JSON ({one_line(str(error))[:100]})") from error
    if not isinstance(value, dict):
        raise UsageError("the request must be a JSON object")
    unknown = next((key for key in value if key not in keys), None)
    if unknown is not None:
        raise UsageError(f"unknown key {one_line(repr(unknown))[:60]}; known are {', '.join(sorted(keys))}")
    return value


def form_parts(request: Request, data: bytes) -> list[tuple[str, str | None, bytes]]:
    """Return name, file name and content of each part of a form with files (RFC 7578).

    Raises
    ------
    UsageError
        If it is none.
    """
    boundary = _header(request.headers.get("content-type", "")).get_boundary()
    if not boundary or not boundary.isascii():
        raise UsageError("the form has no boundary")
    mark = b"--" + boundary.encode("ascii")
    first, *parts = (b"\r\n" + data).split(b"\r\n" + mark, _MOST_PARTS + 2)
    if first.strip() or not parts or not parts[-1].startswith(b"--"):
        raise UsageError(f"the form cannot be read; it has at most {_MOST_PARTS} parts, and ends with its boundary")
    found = []
    for part in parts[:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        if not blank:
            raise UsageError("a part of the form has no header")
        lines = head.decode("utf-8", errors="replace").split("\r\n")
        said = next((line for line in lines if line.lower().startswith("content-disposition:")), "")
        header = _header(said.partition(":")[2].strip(), "content-disposition")
        name = header.get_param("name", header="content-disposition")
        found.append((str(name), header.get_filename(), content))
    return found


def _header(value: str, name: str = "content-type") -> Message:
    message = Message()
    message[name] = " ".join(value.split())
    return message
