"""A pool of processes that survives its workers: one that dies, hangs or eats memory costs the page it was at.

Why not a library's: joblib's pool ends as a whole when one worker is killed. pebble (5.2) restarts workers, but its
limits are for a task and not for a page, it has none of memory, and a worker that dies before it picks up its task
leaves a future that is never settled (its `find_expired_task` finds nothing to blame). What is needed here is little:
each worker has a pipe of its own, tells which item it is about to read, and hands over each part that it has finished.

Workers are spawned, not forked: nothing is inherited (threads of BLAS, locks, the lock of the case), and Linux, macOS
and Windows do the same. A start costs some seconds, once for each worker and once for each item that kills one.

Memory is watched from outside (resident bytes, several times a second) and not limited by RLIMIT_AS: a worker that has
loaded spaCy, scikit-learn and Arrow reserves several times the addresses that it uses, by an amount that changes with
the number of cores, and Windows and macOS have no such limit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

import psutil

from mdclaims.cases.batch import Task
from mdclaims.cases.store import Part
from mdclaims.errors import MdclaimsError
from mdclaims.findings.parallel import ctrl_c_put_off, end_with_parent

Key = tuple[int, int]
"""The place of an item in its task; see `Part`."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """An item that workers did not survive.

    Attributes
    ----------
    place : (int, int)
    address : str
    reason : str
    """

    place: Key
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come.

    Attributes
    ----------
    last : Part or None
        The latest part that is finished.
    culprits : tuple of Culprit
        Items to record as failed, and not to touch.
    careful : bool
        A worker has died of the task: each item is finished before the next one is told, so that the next death has a
        culprit.
    """

    last: Part | None = None
    culprits: tuple[Culprit, ...] = ()
    careful: bool = False


class Tell(Protocol):
    """What a worker tells the pool while it works."""

    def reading(self, place: Key, address: str) -> None:
        """Tell which item is read next."""

    def finished(self, part: Part) -> None:
        """Tell that a part is on the disk."""


class Here:
    """Takes what the work tells where it is done in this process, and nobody watches it.

    Parameters
    ----------
    take : callable
        Told each part.
    """

    def __init__(self, take: Callable[[Part], None]) -> None:
        self.finished = take

    def reading(self, place: Key, address: str) -> None:
        """Nobody watches."""


Work = Callable[[Task, Progress, Tell], bool]
"""Does a task behind what is finished; False asks to go on in a fresh process."""
Begin = Callable[[], Work]
"""Called once in each worker: loads what the work needs."""


@dataclass(frozen=True, slots=True)
class PageLimits:
    """What one page may take.

    Attributes
    ----------
    seconds : float
        By the clock.
    megabytes : int
        Resident memory of its worker, in 10^6 bytes.
    """

    seconds: float = 120.0
    megabytes: int = 2_000


class EngineError(MdclaimsError):
    """Workers that do not start."""


TRIES = 2
"""How many workers an item may cost."""

_NOTHING: Key = (-1, -1)
_START_SECONDS = 300.0
_STARTS = 3
_LOOK_SECONDS = 0.1


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    at: tuple[Key, str] | None = None
    """The item that it reads."""
    since: float = field(default_factory=time.monotonic)
    ready: bool = False
    stopped: str | None = None
    """Why the pool killed it."""


class ProcessEngine:
    """Does tasks in processes of this machine.

    Parameters
    ----------
    begin : Begin
        Picklable.
    workers : int
    limits : PageLimits
    on_part, on_done : callable
        Called in this process with each part and each task that is finished.
    """

    def __init__(
        self,
        begin: Begin,
        *,
        workers: int,
        limits: PageLimits,
        on_part: Callable[[Part], None],
        on_done: Callable[[Task], None],
    ) -> None:
        self._begin = begin
        self._count = workers
        self._limits = limits
        self._on_part = on_part
        self._on_done = on_done
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._progress: dict[int, Progress] = {}
        self._tries: Counter[tuple[int, Key]] = Counter()
        self._failed_starts = 0

    def run(self, tasks: Sequence[Task], finished: dict[int, Part]) -> None:
        """Do all tasks.

        Parameters
        ----------
        tasks : sequence of Task
        finished : dict of int to Part
            For tasks that an earlier run began: the last part that is finished.

        Raises
        ------
        MdclaimsError
            What a worker raised of ours: a case that cannot be written, a model that is refused.
        EngineError
            If workers do not start.
        """
        waiting = deque(tasks)
        self._progress = {task.number: Progress(finished.get(task.number)) for task in tasks}
        try:
            while waiting or any(worker.task for worker in self._workers):
                self._fill(waiting)
                self._listen(waiting)
                self._watch()
        finally:
            self._end()

    def _fill(self, waiting: deque[Task]) -> None:
        """Start workers as long as there is work for them, and give each that is idle a task."""
        busy = sum(worker.task is not None for worker in self._workers)
        while len(self._workers) < min(self._count, busy + len(waiting)):
            self._start()
        for worker in self._workers:
            if waiting and worker.ready and worker.task is None and worker.stopped is None:
                worker.task, worker.at, worker.since = waiting.popleft(), None, time.monotonic()
                try:
                    worker.pipe.send((worker.task, self._progress[worker.task.number]))
                except OSError:  # it has died; its end is seen in a moment
                    waiting.appendleft(worker.task)
                    worker.task = None

    def _start(self) -> None:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._begin), daemon=True)
        with ctrl_c_put_off():
            process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))

    def _listen(self, waiting: deque[Task]) -> None:
        """Take in what the workers tell, until none has anything to tell or a moment has passed."""
        pipes = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(pipes), timeout=_LOOK_SECONDS):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                while worker.pipe.poll():
                    self._hear(worker, *worker.pipe.recv())
            except (EOFError, OSError):
                self._bury(worker, waiting)

    def _hear(self, worker: _Worker, what: str, *told: Any) -> None:
        if what == "ready":
            worker.ready, self._failed_starts = True, 0
        elif what == "reading":
            worker.at, worker.since = (told[0], told[1]), time.monotonic()
        elif what == "part":
            part: Part = told[0]
            self._progress[part.task] = replace(self._progress[part.task], last=part)
            self._on_part(part)
        elif what == "error":
            raise told[0]
        elif what == "end" and worker.task is not None:
            self._on_done(worker.task)
            worker.task = None

    def _bury(self, worker: _Worker, waiting: deque[Task]) -> None:
        """Take a worker out that has ended, and let its task go on elsewhere."""
        worker.process.join(timeout=10)
        code = worker.process.exitcode
        worker.pipe.close()
        self._workers.remove(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _STARTS:
                raise EngineError(f"workers do not start ({_end(code)}); try --workers 1, and see that memory is free")
            return
        task = worker.task
        if task is None:
            return
        waiting.appendleft(task)
        if code == _PAUSED:
            return
        progress = replace(self._progress[task.number], careful=True)
        self._progress[task.number] = progress
        place, address = worker.at or (_NOTHING, "")
        self._tries[task.number, place] += 1
        if self._tries[task.number, place] >= TRIES:
            if place == _NOTHING:
                raise EngineError(f"a worker {_end(code)} before it read anything, {TRIES} times; see what ends it")
            reason = f"{worker.stopped or f'its worker {_end(code)}'}; tried {TRIES} times"
            culprits = (*progress.culprits, Culprit(place, address, reason))
            self._progress[task.number] = replace(progress, culprits=culprits)

    def _watch(self) -> None:
        """End workers whose page takes too long or too much."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.stopped is not None:
                continue
            if not worker.ready and now - worker.since > _START_SECONDS:
                self._kill(worker, "did not start")
            elif worker.at is not None and worker.task is not None:
                if now - worker.since > self._limits.seconds:
                    self._kill(worker, f"took longer than {self._limits.seconds:g} seconds")
                elif _resident(worker.process) > self._limits.megabytes * 10**6:
                    self._kill(worker, f"needed more than {self._limits.megabytes:,} MB of memory")

    def _kill(self, worker: _Worker, reason: str) -> None:
        worker.stopped = reason
        worker.process.kill()

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()
        self._workers.clear()


def _resident(process: BaseProcess) -> int:
    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:  # it has just ended
        return 0


def _end(code: int | None) -> str:
    """Say how a process ended."""
    if code is not None and code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with code {code}"


# --- in the worker ------------------------------------------------------------------------------------------------

_PAUSED = 75  # the process ends to be replaced by a fresh one; no error


class _Teller:
    """Tells the pool what a worker does."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def reading(self, place: Key, address: str) -> None:
        self._pipe.send(("reading", place, address))

    def finished(self, part: Part) -> None:
        self._pipe.send(("part", part))


def _serve(pipe: Connection, begin: Begin) -> None:
    """Do tasks until the pool ends: the main function of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pool, which ends its workers
    threading.Thread(target=end_with_parent, daemon=True).start()
    from threadpoolctl import threadpool_limits

    try:
        work = begin()
        # Each worker has a core of its own; more threads would only wait for one another.
        with threadpool_limits(limits=1):
            pipe.send(("ready",))
            while True:
                task, progress = pipe.recv()
                if not work(task, progress, _Teller(pipe)):
                    pipe.close()
                    os._exit(_PAUSED)
                pipe.send(("end",))
    except MdclaimsError as error:
        pipe.send(("error", error))
    except (EOFError, BrokenPipeError):
        pass  # the pool has ended
