"""The pool of a run on one machine: processes of one core each, started when work for several comes, then kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from entropyguard.core.pool.attempt import ONE_CORE, answered, packed
from entropyguard.core.pool.cluster import Event, Failed, Joined, Left, LostError
from entropyguard.core.pool.dispatch import dispatch
from entropyguard.core.pool.pool import Fact, Heard, InlinePool, R, U, Work, unheard

_MAIN = "import sys; sys.path[:] = {path!r}; from entropyguard.core.pool.worker import main; main({descriptor})"


class LocalPool:
    """Up to `workers` processes (a Pool). What is threaded, or is one unit, is done in this process.

    workers: None is as many as this process may use cores.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cores()
        self._idle: list[WorkerProcess] = []
        self._maps: list[_Processes] = []
        self._inline = InlinePool()

    def map(
        self,
        work: Work[U, R],
        units: Sequence[U],
        heard: Heard[U] = unheard,
        *,
        threaded: bool = False,
        gpu: bool = False,  # noqa: ARG002  here it is the encoder's own business
        facts: Sequence[Fact] = (),  # noqa: ARG002  it is this machine
    ) -> Generator[R]:
        """See `Pool`."""
        if threaded or self.workers == 1 or len(units) <= 1:
            return self._inline.map(work, units, heard)
        return self._spread(work, units, heard)

    def _spread(self, work: Work[U, R], units: Sequence[U], heard: Heard[U]) -> Generator[R]:
        # A map inside another one's loop finds nobody idle, and has processes of its own.
        processes = _Processes(self._idle, work, min(self.workers, len(units)))
        self._maps.append(processes)
        yield from dispatch(processes, units, heard)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        while self._maps:
            self._maps.pop().end()
        while self._idle:
            self._idle.pop().kill()


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkerProcess:
    """A process that does units, in the order in which it gets them."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self.tasks: deque[int] = deque()
        # Not by `multiprocessing`: that would run the stage's script once more, and start a process for semaphores.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MAIN.format(path=sys.path, descriptor=theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ONE_CORE},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self.name = f"process {self._process.pid}"

    def end(self) -> LostError:
        """How it ended, of a process that has hung up."""
        code = self._process.wait()
        if code >= 0:
            return LostError(f"its process ended with exit code {code}")
        name = signal.Signals(-code).name
        return LostError(
            f"its process was ended by {name}, as happens when memory runs out (fewer --workers take less)"
        )

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


class _Processes:
    """Workers on loan from a pool, for one map (a Cluster)."""

    def __init__(self, idle: list[WorkerProcess], work: Work[Any, Any], count: int) -> None:
        self._idle = idle
        self._work = packed(work)
        self._missing = count
        self._workers: dict[str, WorkerProcess] = {}
        self._by_connection: dict[Connection[Any, Any], WorkerProcess] = {}

    def submit(self, node: str, task: int, unit: object) -> None:
        worker = self._workers[node]
        worker.tasks.append(task)
        with contextlib.suppress(OSError):  # it has just died, and `events` will say so
            worker.connection.send((task, self._work, packed(unit)))

    def events(self, *, wait: bool) -> Sequence[Event]:
        events: list[Event] = [self._join() for _ in range(self._missing)]
        self._missing = 0
        for connection in _ready([*self._by_connection], patient=wait and not events):
            worker = self._by_connection[connection]
            try:
                task, answer = connection.recv()
            except (EOFError, OSError):
                events += self._lose(worker)
                continue
            worker.tasks.remove(task)
            events.append(answered(task, answer))
        return events

    def end(self) -> None:
        for worker in self._workers.values():
            if worker.tasks:
                worker.kill()
            else:
                self._idle.append(worker)
        self._workers.clear()
        self._by_connection.clear()

    def _join(self) -> Joined:
        worker = self._idle.pop() if self._idle else WorkerProcess()
        self._workers[worker.name] = self._by_connection[worker.connection] = worker
        return Joined(worker.name, 1)

    def _lose(self, worker: WorkerProcess) -> list[Event]:
        """It is gone; of its units only the first was begun. Another one takes its place."""
        error = worker.end()
        worker.connection.close()
        del self._workers[worker.name], self._by_connection[worker.connection]
        self._missing += 1
        return [Left(worker.name), *(Failed(task, error, begun=not at) for at, task in enumerate(worker.tasks))]


def _ready(connections: list[Connection[Any, Any]], *, patient: bool) -> list[Connection[Any, Any]]:
    return [one for one in wait(connections, None if patient else 0) if isinstance(one, Connection)]
