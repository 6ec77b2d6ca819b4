"""Checks many files, in several processes where that takes less time; results are the same, and in the same order.

The files are checked here first. When the rest is expected to take longer than it takes to start processes, they are
started, and this process goes on until the first of them has loaded the model: nothing waits for the start.

The pool is that of the standard library. It breaks as a whole when one of its processes ends; then those files that
were in work are checked once more, each alone in a process, so that only the one that ends it again is lost. The pool
of ``cases/engine.py`` does more (limits of time and memory for every page) and needs more: it belongs to `screen`.

Processes are spawned: nothing is inherited but that Ctrl-C is not for them, and every system does the same. What they
import stands inside functions, so that they are deaf to Ctrl-C before they load anything.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mdclaims.errors import MdclaimsError, ReadError

if TYPE_CHECKING:
    from mdclaims.config import Settings
    from mdclaims.findings.checking import Checker, CheckOptions
    from mdclaims.findings.suppressions import Outcome

START_SECONDS = 3.0
"""How long a process takes to start and to load the model, on two busy cores (tests/bench/bench_folder.py)."""

# The first pages fill caches and take several times as long as the others.
_LOOK_SECONDS = 1.0
# What a process has to end what it is at, once nobody waits for it.
_LAST_SECONDS = 1.0
# What the system has to end one that was killed.
_END_SECONDS = 10.0
_STARTS = 3
_LOST = "ends the process that checks it, also when it is alone; leave it out, and report it"

_Done = TypeVar("_Done")
_Item = tuple[int, Path]
"""A file and its place among all."""


class WorkerError(MdclaimsError):
    """Processes that do not start."""


def examine_files(
    files: Sequence[Path],
    checker: Checker,
    options: CheckOptions,
    *,
    settings: Settings,
    workers: int,
    start_seconds: float = START_SECONDS,
) -> Iterator[Outcome | ReadError]:
    """Examine files, see `Checker.examine_file`, and yield what came of each, in their order.

    Parameters
    ----------
    files : sequence of Path
    checker : Checker
        Examines what is examined in this process.
    options : CheckOptions
        Makes the checkers of other processes.
    settings : Settings
        What the checker's screener was loaded for.
    workers : int
        The most processes; with 1 there are none beside this one.
    start_seconds : float
        What starting processes is taken to cost; 0 starts them after the first file.

    Raises
    ------
    UsageError
        As `Checker.examine_file`, for the first file that it is raised for.
    WorkerError
        If processes do not start.
    """
    sizes = [_size(file) for file in files]
    spent = 0.0
    for n, file in enumerate(files):
        if workers > 1 and n and spent >= min(_LOOK_SECONDS, start_seconds):
            expected = spent * sum(sizes[n:]) / max(sum(sizes[:n]), 1)
            # Two processes take half the time: they begin to pay where that is more than the start costs.
            if expected >= 2 * start_seconds:
                most = int(expected / start_seconds) if start_seconds else workers
                count = min(workers, most, len(files) - n)
                with closing(_in_processes(files[n:], checker, _Begin(options, settings), count)) as pairs:
                    yield from _in_order(pairs)
                return
        began = time.perf_counter()
        result = _examine(checker, file)
        spent += time.perf_counter() - began
        yield result


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # told when it is read
        return 0


def _examine(checker: Checker, file: Path) -> Outcome | ReadError:
    try:
        return checker.examine_file(file)
    except ReadError as error:
        return error


def _in_order(pairs: Iterator[tuple[int, Outcome | BaseException]]) -> Iterator[Outcome | ReadError]:
    """Yield results in the order of their numbers; raise an error about more than a file when its turn comes."""
    held: dict[int, Outcome | BaseException] = {}
    following = 0
    for number, result in pairs:
        held[number] = result
        while following in held:
            result = held.pop(following)
            if isinstance(result, BaseException) and not isinstance(result, ReadError):
                raise result
            yield result
            following += 1


def _in_processes(
    files: Sequence[Path], checker: Checker, begin: _Begin, count: int
) -> Generator[tuple[int, Outcome | BaseException], None, None]:
    """Yield the number of each file and what came of it, in any order."""
    waiting = deque(enumerate(files))
    alone: deque[_Item] = deque()
    failed = 0
    died = False
    while waiting or alone:
        with _pool(begin, 1 if alone else count) as pool:
            loaded = _submit(pool, _load)
            # Where one file has ended a process another may: from then on this one examines none.
            while not died and waiting and not loaded.done():
                number, file = waiting.popleft()
                yield number, _examine(checker, file)
            try:
                loaded.result()
            except BrokenProcessPool as error:
                failed += 1
                if failed >= _STARTS:
                    raise WorkerError("processes do not start; try --workers 1, and see that memory is free") from error
                continue
            failed = 0
            if alone:
                for number, _ in (yield from _feed(pool, alone, window=1)):
                    yield number, ReadError(_LOST)
            else:
                # Twice as many, so that no process waits for this one.
                alone.extend((yield from _feed(pool, waiting, window=2 * count)))
                died = died or bool(alone)


def _feed(
    pool: ProcessPoolExecutor, items: deque[_Item], *, window: int
) -> Generator[tuple[int, Outcome | BaseException], None, list[_Item]]:
    """Have items examined until none is left or the pool breaks; return what was in work when it broke."""
    running: dict[Future[Outcome | ReadError], _Item] = {}
    lost: list[_Item] = []
    broken = False
    while running or (items and not broken):
        while items and not broken and len(running) < window:
            try:
                running[_submit(pool, _examine_there, items[0][1])] = items[0]
                items.popleft()
            except BrokenProcessPool:
                broken = True
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            item = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                broken = True
                lost.append(item)
            else:
                yield item[0], error or future.result()
    return lost


@contextmanager
def _pool(begin: _Begin, count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool; where it is left by an error or by Ctrl-C, its processes are ended after a moment."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        count, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(begin,)
    )
    try:
        yield pool
    except BaseException:
        # One that is killed while it hands over a result would leave this process reading the rest of it for ever.
        pool.shutdown(wait=False, cancel_futures=True)
        processes = set(multiprocessing.active_children()) - others
        deadline = time.monotonic() + _LAST_SECONDS
        for process in processes:
            process.join(max(deadline - time.monotonic(), 0))
        for process in processes:
            process.kill()
        # The pool's own thread waits for them too; of two that wait for one process the second may be told too early
        # that it is over, so that `join` proves nothing.
        deadline = time.monotonic() + _END_SECONDS
        while not processes.isdisjoint(multiprocessing.active_children()) and time.monotonic() < deadline:
            time.sleep(0.01)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, function: Callable[..., _Done], *arguments: object) -> Future[_Done]:
    """Submit a task, which may start a process."""
    with ctrl_c_put_off():
        return pool.submit(function, *arguments)


@contextmanager
def ctrl_c_put_off() -> Iterator[None]:
    """Put off Ctrl-C to the end of the block, so that a process started in it is deaf to it and told what it needs.

    Started half, a process would say in a traceback that nobody told it what to do. A mask alone is not enough: a
    signal that this thread blocks goes to another one, such as those of BLAS, and Python acts on it here. On Windows
    the new process learns to be deaf a little later, in `_start`.
    """
    met: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    # Elsewhere than in the main thread Ctrl-C interrupts nothing; None is a handler that is not Python's.
    here = threading.current_thread() is threading.main_thread() and handler is not None
    if here:
        signal.signal(signal.SIGINT, lambda number, _: met.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if here:
            signal.signal(signal.SIGINT, handler)
            if met:
                signal.raise_signal(signal.SIGINT)


# --- in the process -----------------------------------------------------------------------------------------------


class _Begin:
    """Makes the checker of a process.

    Parameters
    ----------
    options : CheckOptions
    settings : Settings
    """

    def __init__(self, options: CheckOptions, settings: Settings) -> None:
        self._options = options
        self._settings = settings

    @cached_property
    def checker(self) -> Checker:
        """The checker; the model is loaded when it is first asked for."""
        from threadpoolctl import threadpool_limits

        checker = self._options.checker(self._options.load(self._settings), self._settings, self._options.configs())
        # Each process has a core of its own; more threads would only wait for one another.
        threadpool_limits(limits=1)
        return checker


_here: list[_Begin] = []
"""What this process was started with; an initializer of a pool has no other way to hand it to the tasks."""


def _start(begin: _Begin) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    _here[:] = [begin]


def _load() -> None:
    _ = _here[0].checker


def _examine_there(file: Path) -> Outcome | ReadError:
    return _examine(_here[0].checker, file)


def end_with_parent() -> None:
    """End this process when the one that started it does, even by kill -9; for a thread of its own."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
