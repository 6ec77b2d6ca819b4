"""The local server: whom it answers, and what every answer carries."""

import asyncio
import subprocess
import sys

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from mdclaims.desk.web import HEADERS, Part, cookie, create_app, form_of, is_loopback, page, serve
from mdclaims.errors import UsageError


async def _echo(request: Request):
    return PlainTextResponse(repr(sorted((await form_of(request)).items())))


APP = create_app([Part("echo", "/echo", [Route("/echo", _echo, methods=["GET", "POST"])])])
HOST = "127.0.0.1:8321"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def ask(method="GET", path="/echo", content=b"", **headers):
    async def sent():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url=f"http://{HOST}") as client:
            headers_ = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, path, content=content, headers=headers_)

    return asyncio.run(sent())


def post(content=b"a=1", **headers):
    return ask("POST", content=content, **{**FORM, "origin": f"http://{HOST}", **headers})


@pytest.mark.parametrize("host", [HOST, "localhost:1", "[::1]:8321", "127.0.0.1", "127.9.9.9:80"])
def test_names_of_this_machine_are_answered(host):
    assert ask(path="/", host=host).status_code == 303


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "192.168.1.5", "", "[", "localhost.", "a@b@"],
)
def test_a_name_that_was_pointed_here_is_refused(host):
    answer = ask(path="/", host=host)
    assert answer.status_code == 403
    assert "answers only to the name of this machine" in answer.text


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "", f"https://{HOST}", "http://127.0.0.1:1", f"http://{HOST}.evil.example"],
)
def test_forms_from_elsewhere_are_refused(origin):
    assert post(origin=origin).status_code == 403


def test_forms_without_an_origin_are_refused():
    assert ask("POST", content=b"a=1", **FORM).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(method):
    assert ask(method, origin=f"http://{HOST}").status_code == 403


@pytest.mark.parametrize("path", ["/", "/none", "/static/desk.css", "/static/..%2fdesk.css", "/static/labels.toml"])
def test_every_answer_carries_the_policy(path):
    answer = ask(path=path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert ("accent-color" in answer.text) == (path == "/static/desk.css")


def test_forms_are_read():
    assert post(b"a=%C3%B6+1&b=").text == "[('a', 'ö 1'), ('b', '')]"


@pytest.mark.parametrize("content", [b"a=" + b"x" * 2**20, b"a=\xff", b"&".join([b"a=1"] * 200)])
def test_forms_that_are_none_are_refused_in_one_line(content):
    answer = post(content)
    assert answer.status_code == 400
    assert "That did not work" in answer.text


def test_only_forms_are_read():
    assert post(content_type="text/plain").status_code == 400


@given(st.text())
def test_text_of_a_page_never_becomes_markup(text):
    shown = page("message.html.jinja", title="T", text=text).body.decode()
    lead = shown.partition('<p class="lead">')[2].partition("</p>")[0]
    assert not set(lead) & set("<>\"'\x00\x1b\u202e")


def test_a_cookie_holds_any_name():
    (header,) = cookie("reviewer", "Ada; Path=/\r\nX: 1 ö").values()
    assert header.startswith("reviewer=Ada%3B%20Path%3D%2F%0D%0AX%3A%201%20%C3%B6; ")
    assert "HttpOnly; SameSite=Strict" in header


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com", ""])
def test_it_listens_on_this_machine_alone(host):
    assert not is_loopback(host)
    with pytest.raises(UsageError, match="no passwords"):
        serve([], host, 0, print)


@pytest.mark.e2e
def test_a_port_that_is_taken_is_told_in_one_line():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="choose another --port"):
        serve([], "127.0.0.1", taken.getsockname()[1], print)


@pytest.mark.e2e
def test_help_needs_no_server():
    script = "import sys; from mdclaims.cli import run; run(['serve', '--help']); print('uvicorn' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"
