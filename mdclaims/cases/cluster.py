"""Does the tasks of a screening on a Dask cluster; the workers write the parts to the case themselves.

The coordinator (this machine) keeps the journal and hands out tasks; Dask says which worker does what, and gives the
task of a lost worker to another. What a task needs to go on there stands in its note (notes.py), not in the messages
of the cluster: so it does not matter who is lost. docs/scale.md tells users the same.

Each worker is a process with one thread and a nanny, which starts it again: a page that ends its worker ends no other
page's, and a worker can end itself when a page takes too long or too much.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil
from distributed import Client, Future, KilledWorker, Status, Worker, WorkerPlugin, get_worker

from mdclaims.cases.batch import Task
from mdclaims.cases.engine import EngineError, Key, PageLimits, Work
from mdclaims.cases.notes import NOTES, Note, read_note, write_note
from mdclaims.cases.store import Part, write_file
from mdclaims.cases.versions import versions_of
from mdclaims.cases.work import Begin

_CONNECT_SECONDS = 10
_LOOK_SECONDS = 1.0
# How long a run waits for workers when all are gone: nannies need some seconds, machines that are rented some minutes.
_WITHOUT_WORKERS_SECONDS = 300.0
# Tasks at the cluster for each worker: the one it does, and one that waits there. More would fill the scheduler's
# memory, where a large case has a million tasks.
_TASKS_EACH = 2
_RETRIES = 2
_WATCH_SECONDS = 0.1
_GO_ON = "what is finished stays: run the same command again to go on"


class ClusterEngine:
    """Does tasks on a Dask cluster.

    Parameters
    ----------
    begin : Begin
        With paths that mean the same on every worker.
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``.
    limits : PageLimits
    versions : dict
        What the workers must have; see `versions_of`.
    on_part, on_done : callable
        Called in this process with each part and each task that is finished.
    """

    def __init__(
        self,
        begin: Begin,
        *,
        address: str,
        limits: PageLimits,
        versions: Mapping[str, Any],
        on_part: Callable[[Part], None],
        on_done: Callable[[Task], None],
    ) -> None:
        self._address = address
        self._begin = _absolute(begin)
        self._limits = limits
        self._versions = versions
        self._on_part = on_part
        self._on_done = on_done
        self._name = f"mdclaims-{uuid.uuid4().hex[:12]}"
        self._settled: SimpleQueue[Future[Any]] = SimpleQueue()
        self._futures: dict[str, tuple[Future[Any], Task]] = {}
        self._sent = 0

    def run(self, tasks: Sequence[Task], finished: Mapping[int, Part]) -> None:
        """Do all tasks.

        Parameters
        ----------
        tasks : sequence of Task
        finished : dict of int to Part
            For tasks that an earlier run began: the last part that is finished.

        Raises
        ------
        MdclaimsError
            What a worker raised of ours.
        EngineError
            If the scheduler or all workers are gone, or a worker is not fit for the run.
        """
        waiting = deque(_seen_from_everywhere(task) for task in tasks)
        notes = self._begin.case / NOTES / self._name
        # Whoever finds it here works on the same case.
        write_file(notes / _HERE, b"")
        with self._client() as client:
            self._prepare(client, notes, waiting)
            self._go(client, waiting, finished)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        """Connect; at the end, however it comes, leave nothing of this run on the cluster."""
        with _quiet():
            try:
                client = Client(self._address, timeout=_CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError) as error:
                raise EngineError(
                    f"no Dask scheduler answers at {self._address}; start one with: dask scheduler"
                ) from error
            try:
                client.sync(_forget_lost_tasks)
                yield client
            except (OSError, TimeoutError) as error:
                raise self._lost() from error
            finally:
                # A scheduler that is gone has nothing to cancel.
                with suppress(Exception):
                    client.cancel([future for future, _ in self._futures.values()], force=True)
                    client.unregister_worker_plugin(self._name)
                with suppress(Exception):
                    client.close(timeout=2)

    def _lost(self) -> EngineError:
        return EngineError(f"the connection to the Dask scheduler at {self._address} is lost; {_GO_ON}")

    def _prepare(self, client: Client, notes: Path, tasks: Sequence[Task]) -> None:
        """See that the workers there are can do this run, before it begins."""
        plugin = _Plugin(self._name, self._begin, self._versions, self._limits, notes)
        try:
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
            client.register_plugin(plugin, name=self._name)
            found = client.run(_look, self._name, tasks[0] if tasks else None)
        except TimeoutError as error:
            raise EngineError(f"the cluster at {self._address} has no workers; start some with: dask worker") from error
        except ImportError as error:
            raise EngineError(
                f'workers lack a package ({error}); install there: pip install "mdclaims[cluster]"'
            ) from error
        for worker, trouble in sorted(found.items()):
            if trouble:
                raise EngineError(f"worker {worker} {trouble}")

    def _go(self, client: Client, waiting: deque[Task], finished: Mapping[int, Part]) -> None:
        workers, asked, there = 0, 0.0, time.monotonic()
        while waiting or self._futures:
            now = time.monotonic()
            if now - asked > _LOOK_SECONDS:
                workers, asked = len(client.nthreads()), now
                there = now if workers else there
                if now - there > _WITHOUT_WORKERS_SECONDS:
                    raise EngineError(f"the cluster at {self._address} has no workers left; {_GO_ON}")
            while waiting and len(self._futures) < max(1, workers * _TASKS_EACH):
                task = waiting.popleft()
                self._send(client, task, finished.get(task.number))
            with suppress(Empty):
                waiting.extendleft(self._settle(self._settled.get(timeout=_LOOK_SECONDS)))

    def _send(self, client: Client, task: Task, last: Part | None) -> None:
        self._sent += 1
        key = f"{self._name}-{task.number}-{self._sent}"
        future = client.submit(_do, self._name, task, last, key=key, pure=False, retries=_RETRIES)
        self._futures[key] = future, task
        future.add_done_callback(self._settled.put)

    def _settle(self, future: Future[Any]) -> list[Task]:
        """Take in what became of a task; return it if it has to go on."""
        if future.status not in {"finished", "error"}:
            raise self._lost()
        _, task = self._futures.pop(str(future.key))
        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker | _LeftError):
                return [task]  # its note says where to go on, and what not to touch
            if isinstance(error, Exception):
                raise error
        parts, ended = future.result()
        for part in parts:
            self._on_part(part)
        if not ended:
            return [task]
        self._on_done(task)
        return []


def _absolute(begin: Begin) -> Begin:
    """Return it with paths that do not depend on where a process was started."""
    settings = replace(begin.settings, cues=tuple(path.absolute() for path in begin.settings.cues))
    return replace(
        begin, case=begin.case.absolute(), model=begin.model.absolute() if begin.model else None, settings=settings
    )


def _seen_from_everywhere(task: Task) -> Task:
    if task.part is not None:
        return replace(task, part=replace(task.part, archive=task.part.archive.absolute()))
    return replace(task, files=tuple(replace(file, path=file.path.absolute()) for file in task.files))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's own talk of lost connections away: what it means is told in one line."""
    # Each has a level of its own, from Dask's configuration.
    names = [name for name in logging.root.manager.loggerDict if name.startswith(("distributed", "tornado"))]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


async def _forget_lost_tasks() -> None:
    """Have this event loop, the client's own, say nothing of tasks whose failure nobody waits for any more.

    Ctrl-C in the middle of an answer leaves such tasks of Dask's behind, and asyncio would tell of them whenever their
    memory is freed, `_quiet` or not.
    """
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)


# --- in the worker ------------------------------------------------------------------------------------------------

_HERE = "here"


class _LeftError(Exception):
    """The task is no longer this worker's."""


def _look(name: str, task: Task | None, dask_worker: Worker) -> str | None:
    """Say what keeps this worker from doing the run; Dask fills in `dask_worker`."""
    plugin: _Plugin = dask_worker.plugins[name]  # type: ignore[assignment]
    return plugin.trouble(task)


def _do(name: str, task: Task, last: Part | None) -> tuple[tuple[Part, ...], bool]:
    """Do a task behind what is finished; return the parts of this run, and whether the task is done."""
    worker = get_worker()
    plugin: _Plugin = worker.plugins[name]  # type: ignore[assignment]
    return plugin.do(task, last, str(worker.get_current_task()))


class _Plugin(WorkerPlugin):
    """What a worker keeps during a run: the model, and which of its tasks were taken from it."""

    def __init__(self, name: str, begin: Begin, versions: Mapping[str, Any], limits: PageLimits, notes: Path) -> None:
        self.name = name
        self._begin = begin
        self._versions = versions
        self._limits = limits
        self._notes = notes
        self._worker: Worker
        self._work: Work | None = None
        self._left: set[str] = set()
        self._closed = False

    def setup(self, worker: Worker) -> None:
        """Dask calls it when the worker joins the run."""
        self._worker = worker

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        """Dask calls it when the run is over."""
        self._closed = True

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Dask calls it when the state of a task changes: here, when the coordinator gives one up, or is gone."""
        if start == "executing" and finish in {"released", "cancelled"}:
            self._left.add(str(key))

    def trouble(self, task: Task | None) -> str | None:
        """Say what keeps this worker from doing a task."""
        threads = self._worker.state.nthreads
        if threads != 1:
            return f"has {threads} threads; start workers with --nthreads 1, for a page may end its worker"
        if self._worker.nanny is None:
            return "has no nanny that starts it again; start it without --no-nanny"
        paths = [self._notes / _HERE]
        if task is not None:
            paths += [task.part.archive] if task.part else [file.path for file in task.files[:1]]
        for path in paths:
            if not path.exists():
                seen = self._begin.case if path.name == _HERE else path
                return f"does not see {seen}; inputs and case must lie where all workers find them by the same path"
        if self._work is None:
            screener = self._begin.screener()
            difference = _difference(versions_of(screener), self._versions)
            if difference:
                return f"has {difference}; install the same versions on all workers"
            self._work = self._begin.work(screener)
        return None

    def do(self, task: Task, last: Part | None, key: str) -> tuple[tuple[Part, ...], bool]:
        """Do a task; see `_do`."""
        from threadpoolctl import threadpool_limits

        note = read_note(self._notes, task.number).taken()
        teller = _Teller(self, task.number, note, key)
        try:
            trouble = self.trouble(task)
            if trouble or self._work is None:
                raise EngineError(f"worker {self._worker.address} {trouble}")
            with _watched(teller, self._limits), threadpool_limits(limits=1):
                ended = self._work(task, note.progress(last), teller)
        finally:
            teller.end()
        if not ended:
            # Dask's way to a fresh process: what this worker holds goes to others, and its nanny starts it again.
            self._worker.loop.add_callback(self._worker.close_gracefully, restart=True)
        return teller.note.parts, ended

    def write(self, task: int, note: Note) -> None:
        """Write a note of this run."""
        write_note(self._notes, task, note)

    def is_left(self, key: str) -> bool:
        """True if a task is no longer this worker's."""
        return self._closed or key in self._left or self._worker.status not in {Status.running, Status.paused}


@dataclass(frozen=True, slots=True)
class _Reading:
    place: Key
    address: str
    since: float


class _Teller:
    """Notes what the worker does."""

    def __init__(self, plugin: _Plugin, task: int, note: Note, key: str) -> None:
        self._plugin = plugin
        self._task = task
        self._key = key
        self._lock = threading.Lock()
        self.note = note
        self.now: _Reading | None = None
        plugin.write(task, note)

    def reading(self, place: Key, address: str) -> None:
        """Take in which item is read next."""
        if self._plugin.is_left(self._key):
            raise _LeftError
        if self.note.careful:
            self._change(at=(place, address))
        self.now = _Reading(place, address, time.monotonic())

    def finished(self, part: Part) -> None:
        """Take in a part that is on the disk."""
        self.now = None
        self._change(parts=(*self.note.parts, part), at=None, barren=0)

    def end(self) -> None:
        """Note that the worker survived the task."""
        self.now = None
        self._change(running=False)

    def die(self, item: _Reading, reason: str) -> None:
        """End this process and say why, unless it has just got over the item."""
        with self._lock:
            if self.now is item:
                self._plugin.write(self._task, replace(self.note, at=(item.place, item.address), why=reason))
                os._exit(1)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self.note = replace(self.note, **changes)
            self._plugin.write(self._task, self.note)


@contextmanager
def _watched(teller: _Teller, limits: PageLimits) -> Iterator[None]:
    """End this process if an item takes too long or too much, as the local engine does from outside.

    A thread can do so as long as others let it run. Where code in C keeps all of Python waiting, the scheduler gives
    the worker up after its `worker-ttl` (5 minutes) and has the nanny start it again.
    """
    over = threading.Event()
    process = psutil.Process()

    def watch() -> None:
        while not over.wait(_WATCH_SECONDS):
            item = teller.now
            if item is None:
                continue
            if time.monotonic() - item.since > limits.seconds:
                teller.die(item, f"took longer than {limits.seconds:g} seconds")
            elif process.memory_info().rss > limits.megabytes * 10**6:
                teller.die(item, f"needed more than {limits.megabytes:,} MB of memory")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _difference(there: Mapping[str, Any], here: Mapping[str, Any]) -> str | None:
    """Say in which version two machines differ."""
    for name in {**here, **there}:
        if there.get(name) != here.get(name):
            return f"{name} {_version(there.get(name))} and this machine {_version(here.get(name))}"
    return None


def _version(value: Any) -> str:
    if value is None:
        return "not installed"
    return f"{value['version']} ({value['sha256'][:12]})" if isinstance(value, Mapping) else str(value)
