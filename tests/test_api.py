"""The HTTP interface on a real server: its description, its errors, and what others do to it."""

import asyncio
import io
import json
import re
import signal
import socket
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from helpers import run_cli
from hostile import nested_pdf
from jsonschema import Draft202012Validator

from mdclaims.desk.api import openapi

pytestmark = pytest.mark.e2e

CLAIM = "Shockwave therapy cures knee pain for good."
CONTENT_TYPES = "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address and process of a server, whose folder has a config."""
    home = tmp_path_factory.mktemp("home")
    (home / "mdclaims.toml").write_text("max_bytes = 5_000_000\njurisdictions = ['uk']\n")
    command = [sys.executable, "-m", "mdclaims", "serve", "--port", "0"]
    environment = {"XDG_DATA_HOME": str(home), "PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=home, env=environment)
    try:
        yield re.search(r"http://\S+?(?=/ )", process.stderr.readline())[0], process
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err == ""


@pytest.fixture
def base(server):
    """The address; the server still answers afterwards."""
    yield server[0]
    assert check(server[0], {"text": CLAIM}).json()["pages"][0]["summary"]["findings"] == 1


def check(base, asked=None, **how):
    how = how if asked is None else {"json": asked}
    return httpx.post(f"{base}/v1/check", timeout=120, **how)


def upload(base, name, data, **fields):
    return check(base, files={"file": (name, data)}, data=fields)


def memory(process):
    """Return the most memory that a process had, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1000


def validate(answer, schema):
    description = openapi()
    found = description["paths"]["/v1/check"]["post"]["responses"][str(answer.status_code)]
    assert found["content"]["application/json"]["schema"]["$ref"] == f"#/components/schemas/{schema}"
    Draft202012Validator(description["components"]["schemas"][schema]).validate(answer.json())


def test_it_answers_what_check_says(base, tmp_path):
    answer = check(base, {"text": f"{CLAIM}\n\nCall us.", "mode": "screen", "jurisdictions": ["us"]})
    assert answer.status_code == 200
    validate(answer, "Report")
    (tmp_path / "draft.txt").write_text(f"{CLAIM}\n\nCall us.")
    said = run_cli("check", "-f", "json", "-m", "screen", "-j", "us", "--exit-zero", "draft.txt", cwd=tmp_path)
    expected = json.loads(said.stdout)
    expected["pages"][0]["source"] = "text"
    expected["settings"]["config"] = ["mdclaims.toml"]
    assert answer.json() == expected


def test_mode_and_config_are_those_of_the_desk(base):
    settings = check(base, {"text": CLAIM}).json()["settings"]
    assert (settings["mode"], settings["jurisdictions"]) == ("edit", ["uk"])
    assert check(base, {"text": CLAIM, "jurisdictions": []}).json()["settings"]["jurisdictions"] == []
    only = check(base, {"text": CLAIM, "labels": ["safety_claim"]}).json()
    assert only["settings"]["labels"] == ["safety_claim"]


@pytest.mark.parametrize(
    ("name", "data", "title"),
    [
        ("draft.html", f"<title>T</title><p>{CLAIM}</p>".encode(), "T"),
        ("C:\\drafts\\draft.md", f"---\ntitle: T\n---\n{CLAIM}\n".encode(), "T"),
        ("draft.txt", f"T\n\n{CLAIM}\n".encode("utf-16"), "T"),
    ],
)
def test_files_are_read_by_their_names(base, name, data, title):
    answer = upload(base, name, data, mode="balanced", labels=["efficacy_claim", "safety_claim"])
    validate(answer, "Report")
    (page,) = answer.json()["pages"]
    assert (page["title"], page["source"]) == (title, name.rpartition("\\")[2])
    assert CLAIM in [sentence["text"] for sentence in page["sentences"]]
    assert answer.json()["settings"]["labels"] == ["efficacy_claim", "safety_claim"]
    assert upload(base, "draft", f"<p>{CLAIM}".encode(), format="html").status_code == 200


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ({"json": {}}, 400, "text must be a text"),
        ({"json": []}, 400, "must be a JSON object"),
        ({"json": {"text": " "}}, 422, "is empty"),
        ({"json": {"text": CLAIM, "format": "pdf"}}, 400, "format must be one of"),
        ({"json": {"text": CLAIM, "mode": "wild"}}, 400, "unknown mode"),
        ({"json": {"text": CLAIM, "labels": []}}, 400, "no label"),
        ({"json": {"text": CLAIM, "labels": ["lies"]}}, 400, "unknown label"),
        ({"json": {"text": CLAIM, "jurisdictions": ["xx"]}}, 400, "unknown jurisdiction"),
        ({"json": {"text": CLAIM, "a\nb": 1}}, 400, "unknown key"),
        ({"content": b"{", "headers": JSON}, 400, "not valid JSON"),
        ({"content": b"[" * 100_000, "headers": JSON}, 400, "not valid JSON"),
        ({"content": CLAIM.encode()}, 400, "send JSON"),
        ({"files": {"other": b"x"}}, 400, "unknown or repeated field"),
        ({"files": {"file": ("a.exe", b"x")}}, 400, "unknown format"),
        ({"files": {"file": ("a.txt", b"\x01\x02\x03" * 99)}}, 422, "looks binary"),
        ({"data": {"mode": "edit"}, "files": {"x": b""}}, 400, "unknown or repeated"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "no boundary"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "cannot be read"),
        (
            {"content": b"--b\r\nx\r\n--b--", "headers": {"content-type": "multipart/form-data; boundary=b"}},
            400,
            "header",
        ),
    ],
)
def test_errors_are_one_line_of_json(base, how, status, told):
    answer = check(base, **how)
    assert answer.status_code == status
    validate(answer, "Problem")
    assert told in answer.json()["error"]
    assert answer.json()["error"].isprintable()


def test_the_description_is_served_and_valid(base):
    answer = httpx.get(f"{base}/v1/openapi.json")
    description = answer.json()
    assert description == openapi()
    assert description["openapi"] == "3.1.0"
    for schema in description["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    asked = Draft202012Validator(description["components"]["schemas"]["Check"])
    assert asked.is_valid(
        {"text": CLAIM, "format": "html", "mode": "edit", "labels": ["safety_claim"], "jurisdictions": []}
    )
    assert not asked.is_valid({"text": CLAIM, "format": "pdf"})
    assert httpx.get(f"{base}/v1/check").status_code == 405


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_pages_elsewhere_get_no_answer(base, headers):
    answer = check(base, json={"text": CLAIM}, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


# --- what others do to it -----------------------------------------------------------------------------------------


def at_once(base, asked):
    """Send requests at the same time, without a thread for each: Python 3.11 cannot trace many that start together."""

    async def send():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=300, limits=limits) as client:
            return await asyncio.gather(*(client.post(f"{base}/v1/check", **each) for each in asked))

    return asyncio.run(send())


def test_200_requests_at_once_are_all_answered(base):
    answers = at_once(base, [{"json": {"text": f"{CLAIM} It took {n} visits."}} for n in range(200)])
    assert [answer.status_code for answer in answers] == [200] * 200
    assert {len(answer.json()["pages"][0]["sentences"]) for answer in answers} == {2}


def test_an_upload_of_100_mb_is_refused_and_not_kept(server, base):
    check(base, {"text": CLAIM})
    before = memory(server[1])

    def chunks():
        for _ in range(100):
            yield b"x" * 10**6

    answer = check(base, content=chunks(), headers=JSON)
    assert answer.status_code == 413
    validate(answer, "Problem")
    assert "over the limit max_bytes = 5,000,000" in answer.json()["error"]
    assert upload(base, "a.txt", b"x" * 6_000_000).status_code == 413
    assert memory(server[1]) - before < 60


def test_many_large_requests_at_once_are_bounded_together(server, base):
    before = memory(server[1])
    body = json.dumps({"text": "<p>" + "It helps. " * 450_000, "format": "html", "mode": "wild"}).encode()
    answers = at_once(base, [{"content": body, "headers": JSON}] * 40)
    assert {answer.status_code for answer in answers} <= {400, 429}
    for answer in answers:
        validate(answer, "Problem")
    assert memory(server[1]) - before < 200


def test_slow_clients_keep_nobody_waiting(base):
    place = urlsplit(base)
    slow = []
    for n in range(30):
        connection = socket.create_connection((place.hostname, place.port))
        head = f"POST /v1/check HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
        connection.sendall((head if n % 2 else f"{head}Content-Length: 100\r\n\r\n{{").encode())
        slow.append(connection)
    assert check(base, {"text": CLAIM}).status_code == 200  # the thirty above never end
    for connection in slow:
        connection.close()


def zipped(name, content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_bomb_is_refused(base):
    pytest.importorskip("docx")
    bomb = zipped("word/document.xml", b" " * 150_000_000)
    assert len(bomb) < 200_000
    answer = upload(base, "draft.docx", bomb)
    assert answer.status_code == 422
    assert "max_unpacked_bytes" in answer.json()["error"]


def test_an_xml_bomb_is_refused(base):
    pytest.importorskip("docx")
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    markup = f'<!DOCTYPE x [<!ENTITY e0 "ha">{entities}]><x>&e11;</x>'
    answer = upload(base, "draft.docx", zipped("word/document.xml", markup))
    assert answer.status_code == 422
    validate(answer, "Problem")


def test_a_pdf_that_never_ends_is_given_up(base):
    pytest.importorskip("pypdfium2")
    answer = upload(base, "draft.pdf", nested_pdf(9, 9))
    assert answer.status_code == 422
    assert re.search("takes longer|needs more", answer.json()["error"])


def test_a_long_text_keeps_nobody_who_types_waiting(base):
    long = {"text": "\n\n".join(f"{CLAIM} It took {n} visits to room {n * 7}." for n in range(8_000))}
    draft = {"blocks": [{"kind": "paragraph", "runs": [{"text": CLAIM, "address": None}]}]}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(check, base, long)
        answered = 0
        while not answer.done():
            assert (
                httpx.post(f"{base}/editor/check", json=draft, headers={"origin": base}, timeout=60).status_code == 200
            )
            answered += 1
    assert answer.result().status_code == 200
    assert answered > 3


def test_it_ends_at_once_whatever_it_does(tmp_path):
    environment = {"XDG_DATA_HOME": str(tmp_path), "PATH": "/usr/bin", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "mdclaims", "serve", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    base = re.search(r"http://\S+?(?=/ )", process.stderr.readline())[0]
    check(base, {"text": CLAIM})
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(check, base, {"text": f"{CLAIM} It took 3 visits. " * 40_000}) for _ in range(2)]
        # The second waits for the first, which is being checked.
        with pytest.raises(TimeoutError):
            answers[0].result(timeout=1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        told = [answer.result() for answer in answers]
    assert (process.returncode, err) == (130, "")
    assert [answer.status_code for answer in told] == [422, 422]
    assert "ended" in told[0].json()["error"] + told[1].json()["error"]
