"""One process at a time writes a file."""

from __future__ import annotations

import sys
from io import FileIO
from typing import IO


def lock(stream: IO[bytes] | FileIO, *, wait: bool = False) -> None:
    """Keep other processes from locking a file; the lock ends with the stream, or the process.

    With `wait`, another's lock is waited for; on Windows for ten seconds.

    Raises
    ------
    OSError
        If another process has it.
    """
    if sys.platform == "win32":
        import msvcrt

        # Far behind what is written, for a locked byte cannot be read.
        stream.seek(2**40)
        msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
