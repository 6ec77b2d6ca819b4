"""bodies.py: requests that are too long, too slow or too many, and forms with files."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from mdclaims.desk import bodies as module
from mdclaims.desk.bodies import Bodies, RefusedError, form_parts
from mdclaims.errors import UsageError


def request(*chunks, content_type="application/json", pause=0.0):
    parts = list(chunks)

    async def receive():
        await asyncio.sleep(pause)
        body = parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(parts)}

    headers = [(b"content-type", content_type.encode())]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive)


async def read(bodies, asked):
    async with bodies.of(asked) as data:
        return data


def test_a_request_within_bounds_is_read_and_let_go():
    bodies = Bodies(10, "max_bytes", 20)
    for _ in range(9):
        assert asyncio.run(read(bodies, request(b"12345", b"67890"))) == b"1234567890"
    assert (bodies._held, bodies._waiting) == (0, 0)


def test_too_long_is_told_when_all_has_come():
    bodies = Bodies(10, "max_bytes", 20)
    asked = request(*[b"123456"] * 5)
    with pytest.raises(RefusedError, match="max_bytes = 10") as caught:
        asyncio.run(read(bodies, asked))
    assert caught.value.status == 413
    assert (bodies._held, bodies._waiting) == (0, 0)


def test_too_slow_is_told(monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.05)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(read(Bodies(10, "max_bytes", 20), request(b"1", b"2", pause=0.04)))
    assert caught.value.status == 408


def test_too_much_together_and_too_many_are_told(monkeypatch):
    bodies = Bodies(10, "max_bytes", 15)

    async def both():
        async with bodies.of(request(b"1234567890")):
            with pytest.raises(RefusedError) as caught:
                await read(bodies, request(b"1234567890"))
            assert caught.value.status == 429
            assert await read(bodies, request(b"1")) == b"1"
            monkeypatch.setattr(module, "MOST_WAITING", 1)
            with pytest.raises(RefusedError) as caught:
                await read(bodies, request(b"1"))
            assert caught.value.status == 429

    asyncio.run(both())


def form(*parts, boundary=b"xyz"):
    out = b""
    for head, content in parts:
        out += b"--" + boundary + b"\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"
    return out + b"--" + boundary + b"--\r\n"


FORM = "multipart/form-data; boundary=xyz"


def test_parts_of_a_form():
    data = form((b'name="file"; filename="k\xc3\xb6.txt"', b"a\r\n--xy\r\nb"), (b"name=mode", b"edit"))
    found = form_parts(request(content_type=FORM), data)
    assert found == [("file", "kö.txt", b"a\r\n--xy\r\nb"), ("mode", None, b"edit")]


@given(st.binary(max_size=60))
def test_any_file_comes_through_a_form(content):
    if b"--xyz" in content:
        return
    assert form_parts(request(content_type=FORM), form((b'name="file"', content)))[0][2] == content


@given(st.binary(max_size=80), st.text(max_size=20))
def test_any_bytes_are_a_form_or_refused(data, boundary):
    content_type = f"multipart/form-data; boundary={boundary}".encode("latin-1", "replace").decode("latin-1")
    with suppress(UsageError):
        form_parts(request(content_type=content_type), data)
