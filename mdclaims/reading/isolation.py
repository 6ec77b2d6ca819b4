"""Reads PDFs in a process of their own, with limits of time and memory.

A PDF of 2 kB can keep PDFium at work for minutes and fill the memory of the machine, and a flaw in it ends its process.
So it runs beside ours: a small process that has loaded nothing else, reads one PDF after another, and is ended by us
when one takes too long, or by itself when one needs too much. It is started with the first PDF and ends with ours.

Not `multiprocessing`: what it starts runs the user's main script again, unless that is written for it.
"""

from __future__ import annotations

import atexit
import os
import pickle
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mdclaims.errors import ReadError, UsageError
from mdclaims.reading.limits import Limits

if TYPE_CHECKING:
    from mdclaims.reading.page import Page

SECONDS = 120.0
"""How long reading one PDF may take. The longest that `Limits` let through take about a quarter of it."""

MEGABYTES = 3_000
"""How much memory its process may have, in 10^6 bytes, where the system tells (not on Windows)."""

# A process that came to more than this is not kept: its peak would count for the next document.
_KEPT_MEGABYTES = 500
_LOOK_SECONDS = 0.05
_TOO_MUCH = 76
_ADVICE = "print it to a new PDF, or pass the document it was made from"
# The folder that the user stands in must not be searched for modules: any file there could pass for one.
_SERVE = "import sys; sys.path[:] = sys.argv[1:]; from mdclaims.reading.isolation import serve; serve()"


class _Reader:
    """The process, and what is asked of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def read(self, data: bytes, source: str, limits: Limits) -> Page:
        """Read a PDF; see `read_pdf_apart`."""
        with self._lock:
            process = self._process or self._start()
            self._process = None  # taken back only if it is fit for another one
            over = threading.Event()

            def end() -> None:
                over.set()
                process.kill()

            timer = threading.Timer(SECONDS, end)
            timer.start()
            try:
                kind, value = self._ask(process, (data, source, limits))
            except BaseException as error:
                code = _end(process)
                if isinstance(error, (OSError, EOFError)):
                    raise ReadError(_why(over=over.is_set(), code=code)) from None
                raise
            finally:
                timer.cancel()
                timer.join()
            if over.is_set() or kind == "last":
                _end(process)
            else:
                self._process = process
        if isinstance(value, Exception):
            raise value
        page: Page = value
        return page

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], question: object) -> tuple[str, Any]:
        assert process.stdin is not None  # noqa: S101 (both are pipes)
        assert process.stdout is not None  # noqa: S101
        _send(process.stdin, question)
        answer: tuple[str, Any] = _receive(process.stdout)
        return answer

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        places = [place for place in sys.path if Path(place).is_absolute()]
        command = [sys.executable, "-P", "-c", _SERVE, *places, str(Path(__file__).parents[2])]
        try:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 (ourselves)
        except OSError as error:
            advice = "see that memory is free"
            raise UsageError(f"the process that reads PDFs does not start ({error.strerror}); {advice}") from error

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            if self._process is not None:
                _end(self._process)
                self._process = None


_reader = _Reader()


def read_pdf_apart(data: bytes, *, source: str, limits: Limits) -> Page:
    """Read a PDF in the process for it.

    Parameters
    ----------
    data : bytes
        The whole file.
    source : str
        What to call it in reports.
    limits : Limits

    Raises
    ------
    ReadError
        As `read_bytes`, or if reading it takes more than `SECONDS`, more than `MEGABYTES`, or ends the process.
    """
    return _reader.read(data, source, limits)


def _why(*, over: bool, code: int) -> str:
    if over:
        return f"takes longer than {SECONDS:g} seconds to read; {_ADVICE}"
    if code == _TOO_MUCH:
        return f"needs more than {MEGABYTES:,} MB of memory to be read; {_ADVICE}"
    return f"cannot be read: PDFium ended while it read it (code {code}); {_ADVICE}"


def _end(process: subprocess.Popen[bytes]) -> int:
    """End the process at once, and return its code."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # what was to be sent has nobody to read it
                continue
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _send(stream: IO[bytes], message: object) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<Q", len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    (length,) = struct.unpack("<Q", _exactly(stream, 8))
    return pickle.loads(_exactly(stream, length))  # noqa: S301 (from our own process)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


# --- in the process -----------------------------------------------------------------------------------------------


def serve() -> None:
    """Read PDFs until nobody asks any more: the main function of the process."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints, answers stay whole
    threading.Thread(target=_watch_memory, daemon=True).start()
    from mdclaims.reading import read_bytes

    while True:
        try:
            data, source, limits = _receive(questions)
        except EOFError:
            return
        try:
            value: object = read_bytes(data, source=source, format="pdf", limits=limits, apart=False)
        except (ReadError, UsageError) as error:
            value = error
        except Exception as error:  # noqa: BLE001 (told where it was asked)
            import traceback

            value = RuntimeError(f"{error}\n{traceback.format_exc()}")
        del data
        kind = "last" if _peak() > _KEPT_MEGABYTES * 10**6 else "next"
        _send(answers, (kind, value))


def _watch_memory() -> None:
    """End the process when it has needed too much; PDFium lets other threads run."""
    import time

    while _peak() <= MEGABYTES * 10**6:
        time.sleep(_LOOK_SECONDS)
    os._exit(_TOO_MUCH)


def _peak() -> int:
    """Return the most memory that the process had so far, in bytes; 0 where the system does not tell."""
    if sys.platform == "linux":
        # Not getrusage: there the memory of the process that started this one counts too.
        with open("/proc/self/status", encoding="ascii") as stream:  # noqa: PTH123 (20 times a second)
            return next(int(line.split()[1]) for line in stream if line.startswith("VmHWM:")) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
