"""Sites on loopback, for those who capture them."""

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Visit:
    """One request as the server saw it."""

    path: str
    host: str
    agent: str
    headers: str
    begun: float
    ended: float = 0.0


@dataclass
class Site:
    """A server on loopback and what it was asked."""

    port: int = 0
    log: list[Visit] = field(default_factory=list)
    answers: dict[str, object] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def paths(self):
        return [visit.path for visit in self.log]

    def wait_for(self, requests):
        for _ in range(600):
            if len(self.log) >= requests:
                return
            time.sleep(0.05)
        raise AssertionError(self.paths())


def page(*links, text="Hello."):
    return f"<!doctype html><title>Page</title><p>{text}</p>" + "".join(f'<a href="{link}">x</a>' for link in links)


def http(body=b"", *, status="200 OK", kind="text/html; charset=utf-8", extra=""):
    body = body.encode() if isinstance(body, str) else body
    typed = f"cOntent-type: {kind}\r\n" if kind else ""
    return f"HTTP/1.1 {status}\r\n{typed}{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body


def redirect(to, status="301 Moved Permanently"):
    return http(status=status, kind="", extra=f"Location: {to}\r\n")


def names(prefix, number):
    """Return names that differ in letters, as those of real pages do."""
    return [f"/{prefix}-{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(number)]


@contextmanager
def serving(answers, address="127.0.0.1"):
    """Serve answers: bytes as they are, or a callable that takes the site and the path and returns them."""
    site = Site(answers=answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            visit = Visit(
                self.path, self.headers["Host"], self.headers["User-Agent"], str(self.headers), time.monotonic()
            )
            with site.lock:
                site.log.append(visit)
            answer = site.answers.get(self.path) or site.answers.get(self.path.partition("?")[0])
            if answer is None:
                answer = http("gone", status="404 Not Found")
            if callable(answer):
                answer = answer(site, self.path)
            # What was answered is at an end before the client can know.
            visit.ended = time.monotonic()
            with suppress(OSError):  # the client may have gone
                self.wfile.write(answer)

        def log_message(self, *args):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    server = Server((address, 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
