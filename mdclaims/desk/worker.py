"""A process for what may take long: files that are read, and texts of any length that are checked.

The server asks it one thing after another and goes on answering meanwhile. Whatever takes too long, needs too much
memory or ends the process is told in one line, and the next question gets a new process. It starts with the first
question, for most of those who write need none of it.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mdclaims.desk.checks import Checks, Wishes
from mdclaims.desk.draft import draft_data, draft_of
from mdclaims.errors import MdclaimsError, ReadError
from mdclaims.reading import Limits, Page, read_bytes

SECONDS = 180.0
"""How long one question may take; a PDF alone is given up after two thirds of it."""

MEGABYTES = 4_000
"""How much memory the process may ask for, in 10^6 bytes, where the system keeps to it (Linux)."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it came: its bytes, its name and its format."""

    data: bytes
    name: str
    format: str


@dataclass(frozen=True, slots=True)
class Options:
    """What the process needs to check as the server does; see `Checks`."""

    config: Path | None
    model: Path | None
    trust_model: bool
    limits: Limits


class Worker:
    """The process, and what is asked of it; from any thread, one question at a time.

    Parameters
    ----------
    options : Options
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._context = multiprocessing.get_context("spawn")
        self._running: tuple[multiprocessing.process.BaseProcess, Connection] | None = None
        self._closed = False
        self._newest: multiprocessing.process.BaseProcess | None = None

    def draft(self, document: Document) -> list[dict[str, Any]]:
        """Return a document as a draft; see `draft_data`."""
        found: list[dict[str, Any]] = self._ask("draft", document)
        return found

    def json(self, document: Document, wishes: Wishes) -> bytes:
        """Return what ``check --format json`` says of a document: in bytes, for of a long text they are many."""
        found: bytes = self._ask("json", document, wishes)
        return found

    def word(self, document: Document, wishes: Wishes) -> bytes:
        """Return what ``check --format docx`` writes for a Word file."""
        found: bytes = self._ask("word", document, wishes)
        return found

    def _ask(self, *question: object) -> Any:
        """Ask a question.

        Raises
        ------
        ReadError
            If the document cannot be read or checked, or that takes more than `SECONDS` or `MEGABYTES`.
        UsageError
            If an extra is not installed, or the wishes are wrong.
        """
        with self._lock:
            if self._closed:
                raise ReadError("cannot be checked: the server ends")
            process, pipe = self._running or self._start()
            self._running = None  # taken back only if it is fit for another one
            over = False
            try:
                pipe.send(question)
                over = not pipe.poll(SECONDS)
                if over:
                    raise ReadError(f"takes longer than {SECONDS:g} seconds to check; check a part of it")
                kind, value = pipe.recv()
            except (EOFError, OSError) as error:
                raise ReadError("cannot be checked: the process that read it ended; check a part of it") from error
            except BaseException:
                over = True
                raise
            finally:
                if over or not process.is_alive():
                    _end(process, pipe)
            if kind == "last":
                _end(process, pipe)
            else:
                self._running = process, pipe
        if isinstance(value, Exception):
            raise value
        return value

    def _start(self) -> tuple[multiprocessing.process.BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=answer, args=(theirs, self._options), daemon=True)
        process.start()
        self._newest = process
        theirs.close()
        return process, ours

    def close(self) -> None:
        """End the process, if there is one, whatever it does; nothing is answered afterwards."""
        self._closed = True
        if self._newest is not None:
            self._newest.kill()
        with self._lock:
            if self._running is not None:
                _end(*self._running)
                self._running = None


def _end(process: multiprocessing.process.BaseProcess, pipe: Connection) -> None:
    pipe.close()
    process.kill()
    process.join()


# --- in the process -----------------------------------------------------------------------------------------------


def answer(pipe: Connection, options: Options) -> None:
    """Answer questions until nobody asks any more: the main function of the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    _bound_memory()
    asked = _Asked(options)
    while True:
        try:
            name, *arguments = pipe.recv()
        except EOFError:
            return
        kind, value = "next", None
        try:
            value = asked.answers[name](*arguments)
        except MdclaimsError as error:
            value = error
        except MemoryError:
            kind, value = "last", ReadError(f"needs more than {MEGABYTES:,} MB to be checked; check a part of it")
        except Exception as error:  # noqa: BLE001 (told where it was asked)
            import traceback

            value = RuntimeError(f"{error}\n{traceback.format_exc()}")
        del arguments
        pipe.send((kind, value))


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEGABYTES * 10**6, MEGABYTES * 10**6))


class _Asked:
    """What can be asked; the model is loaded with the first check."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._checks: Checks | None = None
        self.answers: dict[str, Callable[..., object]] = {
            "draft": lambda document: draft_data(draft_of(self._read(document, links=True))),
            "json": lambda document, wishes: self._check().json(self._read(document), wishes).encode(),
            "word": lambda document, wishes: self._check().word(
                self._read(document), document.data, wishes, self._options.limits
            ),
        }

    def _check(self) -> Checks:
        if self._checks is None:
            options = self._options
            self._checks = Checks(options.config, options.model, trust_model=options.trust_model)
        return self._checks

    def _read(self, document: Document, *, links: bool = False) -> Page:
        limits = self._options.limits
        return read_bytes(document.data, source=document.name, format=document.format, limits=limits, links=links)
