"""One request and its answer, byte for byte, from an address that was checked before it was connected to.

Scrapy's own handlers give a body without its framing, and headers without their order and case. Evidence needs what
was on the wire, so capture has a handler of its own: a connection for each request, and h11 to know where the answer
ends.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

import h11

from mdclaims.reading.limits import over_limit

# Servers send cookies and policies of some kilobytes; h11's own limit is 16 KiB.
_LONGEST_HEAD = 256 * 1024
_CHUNK = 64 * 1024
# How long one of several addresses of a host may take to accept a connection, in seconds.
_CONNECT_TIMEOUT = 10.0


class NotFetchedError(Exception):
    """An address that was not fetched.

    Parameters
    ----------
    reason : str
        A key of `REASONS`.
    detail : str
        What happened, in words.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TransientError(NotFetchedError):
    """An address that may be fetched at a second try."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer.

    Attributes
    ----------
    url : str
    date : datetime
        When the request was sent, UTC.
    ip : str
        The address that answered.
    request : bytes
        Everything sent.
    response : bytes
        Status line, headers and body as received, with the framing of chunks. Interim answers (1xx) before it are left
        out.
    status : int
    headers : tuple of (bytes, bytes)
        Names in lower case.
    body : bytes
        The body without its framing; a content encoding (gzip) is left as it is.
    seconds : float
        From sending the request to the end of the answer.
    """

    url: str
    date: datetime
    ip: str
    request: bytes
    response: bytes
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    seconds: float


CheckHead = Callable[[int, dict[bytes, bytes]], None]
"""Looks at status and headers (names in lower case), and raises NotFetchedError if the body is not wanted."""


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet.

    Not public: private, loopback, link-local, multicast, unspecified, reserved and shared addresses, and IPv6
    addresses that stand for such an IPv4 address.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or _translated(ip)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _translated(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address in one of NAT64 (RFC 6052) or of an IPv4-compatible one (RFC 4291), or None."""
    for prefix in ("64:ff9b::/96", "::/96"):
        if ip in ipaddress.ip_network(prefix):
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the IP addresses of a host that may be connected to.

    The name is looked up once and the caller connects to an address returned, so that a second answer of the name
    server (DNS rebinding) never counts.

    Raises
    ------
    NotFetchedError
        With the reason "private_address" if none is public, unless `allow_private`.
    TransientError
        If the name has no address.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise TransientError("error", f"the host name {host} has no address ({error.strerror})") from error
    except UnicodeError as error:
        raise NotFetchedError("bad_address", f"{host} is no host name") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise NotFetchedError("private_address", f"{host} is at {', '.join(addresses)}")
    return allowed


async def fetch(
    url: str,
    headers: dict[str, str],
    *,
    on_connected: Callable[[], None],
    check_head: CheckHead,
    max_bytes: int,
    timeout: float,
    allow_private: bool,
) -> Exchange:
    """Ask for one address.

    Parameters
    ----------
    url : str
        An http or https address, percent-encoded.
    headers : dict
        To send besides ``Host`` and ``Connection``.
    on_connected : callable
        Called before the request is sent.
    check_head : callable
        See `CheckHead`.
    max_bytes : int
        Bytes of an answer; see `Limits.max_bytes`.
    timeout : float
        Seconds from looking the name up to the last byte.
    allow_private : bool
        Connect to private addresses too.

    Raises
    ------
    NotFetchedError
        If there is no whole answer.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise NotFetchedError("bad_address", "only http and https are asked")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            with _named_errors():
                port = parts.port or (443 if parts.scheme == "https" else 80)
                addresses = await resolve(parts.hostname, port, allow_private=allow_private)
                reader, writer = await _connect(addresses, port, parts.hostname, secure=parts.scheme == "https")
                try:
                    connection, request = _request(url, headers)
                    on_connected()
                    date, begun = datetime.now(UTC), loop.time()
                    writer.write(request)
                    await writer.drain()
                    raw, head, body = await _read_answer(reader, connection, check_head, max_bytes)
                    ip = str(writer.get_extra_info("peername")[0])
                finally:
                    writer.transport.abort()
    except TimeoutError as error:
        raise TransientError("timeout", f"no whole answer within {timeout:g} seconds") from error
    return Exchange(
        url=url,
        date=date,
        ip=ip,
        request=request,
        response=raw,
        status=head.status_code,
        headers=tuple((bytes(name), bytes(value)) for name, value in head.headers),
        body=body,
        seconds=loop.time() - begun,
    )


@contextmanager
def _named_errors() -> Iterator[None]:
    """Say what went wrong in words of ours."""
    try:
        yield
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        raise NotFetchedError("error", f"its certificate is not valid ({error.verify_message})") from error
    except (OSError, EOFError) as error:
        raise TransientError("error", f"the connection failed ({getattr(error, 'strerror', None) or error})") from error
    except h11.RemoteProtocolError as error:
        raise TransientError("error", f"the answer breaks off or is not HTTP ({error})") from error
    except h11.LocalProtocolError as error:
        raise NotFetchedError("bad_address", f"cannot be asked ({error})") from error


@cache
def _tls() -> ssl.SSLContext:
    # Certificates are checked, so that the archive holds what the clinic's own server sent.
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _connect(
    addresses: list[str], port: int, host: str, *, secure: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first address that accepts."""
    for last, address in enumerate(addresses, start=1 - len(addresses)):
        try:
            async with asyncio.timeout(None if last == 0 else _CONNECT_TIMEOUT):
                return await asyncio.open_connection(
                    address, port, ssl=_tls() if secure else None, server_hostname=host if secure else None
                )
        except (OSError, TimeoutError) as error:
            if last == 0 or isinstance(error, ssl.SSLCertVerificationError):
                raise
    raise OSError("no address to connect to")


def _request(url: str, headers: dict[str, str]) -> tuple[h11.Connection, bytes]:
    """Return the bytes of the request and the state that follows its answer."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    event = h11.Request(
        method="GET", target=target, headers=[("Host", parts.netloc), *headers.items(), ("Connection", "close")]
    )
    return connection, (connection.send(event) or b"") + (connection.send(h11.EndOfMessage()) or b"")


async def _read_answer(
    reader: asyncio.StreamReader, connection: h11.Connection, check_head: CheckHead, max_bytes: int
) -> tuple[bytes, h11.Response, bytes]:
    """Return the answer as received, its head, and its body without framing."""
    raw, body = bytearray(), bytearray()
    head: h11.Response | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(_CHUNK)
            raw += data
            if len(raw) > max_bytes:
                raise _too_large(len(raw), max_bytes)
            connection.receive_data(data)
        elif isinstance(event, h11.InformationalResponse):
            raw = bytearray(connection.trailing_data[0])
        elif isinstance(event, h11.Response):
            head = event
            fields = dict(head.headers)
            check_head(head.status_code, fields)
            # The framing tells before the body comes; h11 has checked that this is a number.
            if int(fields.get(b"content-length", b"0")) > max_bytes:
                raise _too_large(int(fields[b"content-length"]), max_bytes)
        elif isinstance(event, h11.Data):
            body += event.data
        elif head is not None:  # the end of the message
            break
        else:
            raise EOFError("closed without an answer")
    behind = len(connection.trailing_data[0])  # bytes behind the answer are none of it
    return bytes(raw[: len(raw) - behind]), head, bytes(body)


async def parse_answer(raw: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers (names in lower case) and body of an answer as it was received.

    Raises
    ------
    OSError
        If it is none that `fetch` returns.
    """
    connection, _ = _request("http://recorded.invalid/", {})
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    try:
        _, head, body = await _read_answer(reader, connection, lambda _status, _headers: None, len(raw))
    except (EOFError, h11.RemoteProtocolError, NotFetchedError) as error:
        raise OSError(f"the answer recorded is none ({error})") from error
    return head.status_code, [(bytes(name), bytes(value)) for name, value in head.headers], body


def _too_large(value: int, limit: int) -> NotFetchedError:
    return NotFetchedError("too_large", str(over_limit("max_bytes", value, limit, "bytes", more=value == limit + 1)))
