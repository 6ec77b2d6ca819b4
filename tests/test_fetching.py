"""One request: checked addresses, and every byte as it came."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mdclaims.cases import fetching
from mdclaims.cases.fetching import NotFetchedError, TransientError, fetch, is_public, resolve

PRIVATE = (
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.1.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "ff02::1",
    "ff0e::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:db8::1",
)  # fmt: skip
PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:2800:21f::1", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", PRIVATE)
def test_is_public_refuses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_is_public_allows(address):
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1", "2130706433", "0x7f.1"])
def test_resolve_refuses_loopback_however_it_is_written(host):
    with pytest.raises(NotFetchedError) as caught:
        asyncio.run(resolve(host, 80, allow_private=False))
    assert caught.value.reason == "private_address"


def test_resolve_gives_addresses_to_connect_to():
    assert "127.0.0.1" in asyncio.run(resolve("localhost", 80, allow_private=True))
    with pytest.raises(TransientError, match="has no address"):
        asyncio.run(resolve("nowhere.invalid", 80, allow_private=True))
    with pytest.raises(NotFetchedError, match="bad_address"):
        asyncio.run(resolve("a" * 70 + ".example", 80, allow_private=True))


async def ask(
    answer, *, keep_open=False, path="/a?b=1", max_bytes=10_000, timeout=5.0, check_head=lambda *_: None, tls=None
):
    """Fetch from a server that gives this answer; return the exchange and what the server was sent."""
    sent = bytearray()
    done = asyncio.Event()

    async def serve(reader, writer):
        sent.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        if keep_open:
            await done.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        return await fetch(
            f"http{'s' if tls else ''}://127.0.0.1:{port}{path}",
            {"User-Agent": "test", "X-Case": "Kept"},
            on_connected=lambda: None,
            check_head=check_head,
            max_bytes=max_bytes,
            timeout=timeout,
            allow_private=True,
        ), bytes(sent)
    finally:
        done.set()
        server.close()


PACKED = gzip.compress(b"<p>Hello.</p>", mtime=0)
LENGTH = b"HTTP/1.1 200 Fine\r\nx-oDD:  spaced \r\nContent-LENGTH: 5\r\nX-odd: 2\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"
    + b"%x;note=1\r\n%b\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(PACKED), PACKED)
)
UNTIL_CLOSED = b"HTTP/1.0 404 Not Found\nServer: old\n\ngone"


@pytest.mark.parametrize(
    ("answer", "keep_open", "status", "body"),
    [
        (LENGTH, True, 200, b"hello"),
        (CHUNKED, True, 200, PACKED),
        (UNTIL_CLOSED, False, 404, b"gone"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", True, 304, b""),
        (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", True, 200, b""),
    ],
)
def test_fetch_keeps_every_byte_of_the_answer(answer, keep_open, status, body):
    exchange, sent = asyncio.run(ask(answer, keep_open=keep_open))
    assert exchange.response == answer
    assert (exchange.status, exchange.body, exchange.ip) == (status, body, "127.0.0.1")
    assert exchange.request == sent
    assert sent.startswith(b"GET /a?b=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert sent.endswith(b"\r\nUser-Agent: test\r\nX-Case: Kept\r\nConnection: close\r\n\r\n")
    assert exchange.date.utcoffset().total_seconds() == 0


def test_fetch_leaves_out_interim_answers_and_what_comes_behind():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    exchange, _ = asyncio.run(ask(early + LENGTH + b"garbage behind", keep_open=True))
    assert exchange.response == LENGTH


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "closed without an answer|breaks off"),
        (b"no HTTP at all\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        # Of a head that has no end it depends on the network's pieces which of the two is seen first.
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 300_000, "not HTTP|breaks off"),
    ],
)
def test_fetch_takes_no_broken_answer(answer, said):
    with pytest.raises(TransientError, match=said) as caught:
        asyncio.run(ask(answer, max_bytes=1_000_000))
    assert caught.value.reason == "error"


@pytest.mark.parametrize("declared", [b"Content-Length: 20000\r\n", b""])
def test_fetch_stops_at_the_limit(declared):
    with pytest.raises(NotFetchedError, match="max_bytes = 10,000") as caught:
        asyncio.run(ask(b"HTTP/1.1 200 OK\r\n" + declared + b"\r\n" + b"x" * 20_000))
    assert caught.value.reason == "too_large"
    exact, _ = asyncio.run(ask(LENGTH, keep_open=True, max_bytes=len(LENGTH)))
    assert exact.response == LENGTH


def test_fetch_gives_up_in_time():
    with pytest.raises(TransientError) as caught:
        asyncio.run(ask(b"HTTP/1.1 200 OK\r\n", keep_open=True, timeout=0.2))
    assert caught.value.reason == "timeout"


def test_fetch_stops_at_the_head_of_what_is_not_wanted():
    def refuse(status, fields):
        assert (status, fields[b"content-length"]) == (200, b"5")
        raise NotFetchedError("not_html")

    with pytest.raises(NotFetchedError, match="not_html"):
        asyncio.run(ask(LENGTH, check_head=refuse))


@pytest.mark.parametrize("url", ["ftp://a.example/", "http:///a", "http://127.0.0.1:9/a b"])
def test_fetch_asks_no_address_that_is_none(url):
    with pytest.raises(NotFetchedError) as caught:
        asyncio.run(
            fetch(
                url, {}, on_connected=lambda: None, check_head=lambda *_: None, max_bytes=1, timeout=1,
                allow_private=True,
            )
        )  # fmt: skip
    assert caught.value.reason in {"bad_address", "error"}


def test_fetch_says_that_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(TransientError, match="the connection failed") as caught:
            asyncio.run(
                fetch(
                    url, {}, on_connected=lambda: None, check_head=lambda *_: None, max_bytes=1, timeout=5,
                    allow_private=True,
                )
            )  # fmt: skip
    assert caught.value.reason == "error"


@pytest.fixture
def certificate(tmp_path):
    """The file of a certificate for 127.0.0.1 that nobody vouches for, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clinic.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize("trusted", [True, False])
def test_fetch_checks_certificates(certificate, monkeypatch, trusted):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetching._tls.cache_clear()
    try:
        if trusted:
            exchange, sent = asyncio.run(ask(LENGTH, keep_open=True, tls=server))
            assert (exchange.response, exchange.request) == (LENGTH, sent)
            return
        with pytest.raises(NotFetchedError, match="certificate is not valid") as caught:
            asyncio.run(ask(LENGTH, tls=server))
        assert not isinstance(caught.value, TransientError)
    finally:
        fetching._tls.cache_clear()
