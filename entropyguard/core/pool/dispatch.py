"""The one dispatcher of units: over the processes of this machine, the nodes of a cluster, or simulated ones.

It holds a number and a node for each unit that is under way or failed, and the results that came before their turn.
Of the others it holds nothing, so that a hundred thousand of them cost their own size and no more.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from entropyguard.core.errors import DISK_FULL, EntropyguardError, ProcessingError
from entropyguard.core.pool.cluster import Cluster, Done, Event, Failed, Joined, Left, LostError
from entropyguard.core.pool.nodes import Nodes
from entropyguard.core.pool.pool import Heard

U = TypeVar("U")
R = TypeVar("R")

MOST_TRIES = 3
_BUFFERED_PER_SLOT = 64  # results that wait for a slow unit before them
_LEAST_BUFFERED = 1_024
_LOOK_SECONDS = 0.02


def dispatch(cluster: Cluster[U], units: Sequence[U], heard: Heard[U]) -> Iterator[R]:
    """What each unit came to, in the order of the units.

    A unit that fails is done again, on another node if there is one, `MOST_TRIES` times in all; then comes
    ProcessingError. Errors of ours and a full disk come at once, as they are: no other node would do better. However
    it ends, nothing is under way afterwards.
    """
    try:
        yield from _Dispatcher[U, R](cluster, units, heard).results()
    finally:
        cluster.end()


class _Dispatcher(Generic[U, R]):
    def __init__(self, cluster: Cluster[U], units: Sequence[U], heard: Heard[U]) -> None:
        self._cluster = cluster
        self._units = units
        self._heard = heard
        self._nodes = Nodes()
        self._tasks = itertools.count()
        self._under_way: dict[int, tuple[int, str]] = {}  # of each task: the unit's position, the node
        self._next = 0
        self._again: deque[int] = deque()
        self._failed_on: dict[int, list[str]] = {}
        self._results: dict[int, R] = {}

    def results(self) -> Iterator[R]:
        looked = 0.0
        for position in range(len(self._units)):
            while position not in self._results or time.monotonic() - looked > _LOOK_SECONDS:
                for event in self._cluster.events(wait=position not in self._results):
                    self._take(event)
                self._assign(position)
                looked = time.monotonic()
            yield self._results.pop(position)

    def _take(self, event: Event) -> None:
        match event:
            case Joined(name, slots):
                self._nodes.join(name, slots)
            case Left(name):
                self._nodes.leave(name)
            case Done(task, value):
                position, name = self._settle(task)
                self._nodes.succeeded(name)
                self._failed_on.pop(position, None)
                self._results[position] = value
                self._heard(self._units[position], 1.0)
            case Failed(task, error, begun):
                position, name = self._settle(task)
                self._again.append(position)
                if begun:
                    self._nodes.failed(name)
                    self._count(position, name, error)

    def _settle(self, task: int) -> tuple[int, str]:
        position, name = self._under_way.pop(task)
        self._nodes.give_back(name)
        return position, name

    def _count(self, position: int, name: str, error: Exception) -> None:
        """Count a failure of a unit; raises what ends the work."""
        if isinstance(error, EntropyguardError) or (isinstance(error, OSError) and error.errno in DISK_FULL):
            raise error
        failed_on = self._failed_on.setdefault(position, [])
        failed_on.append(name)
        if len(failed_on) == MOST_TRIES:
            raise ProcessingError(
                f"{self._units[position]} failed {MOST_TRIES} times, the last time on {name}: {in_a_line(error)}. "
                "Run again with --resume once that is mended; nothing finished is lost."
            ) from error

    def _assign(self, position: int) -> None:
        """Give out units while there is room; `position`: of the result that is waited for."""
        last = min(len(self._units), position + max(_LEAST_BUFFERED, self._nodes.slots * _BUFFERED_PER_SLOT))
        while (found := self._unit_and_node(last)) is not None:
            unit, name = found
            task = next(self._tasks)
            self._under_way[task] = found
            self._cluster.submit(name, task, self._units[unit])

    def _unit_and_node(self, last: int) -> tuple[int, str] | None:
        """What to do next, and where; None: nothing for now."""
        # The last units go to whoever is free first, and wait for nobody in particular.
        queue = len(self._units) - self._next > self._nodes.slots
        if self._again:
            name = self._nodes.take(self._failed_on.get(self._again[0], ()), queue=queue)
            if name is not None:
                return self._again.popleft(), name
        if self._next < last:
            name = self._nodes.take(queue=queue)
            if name is not None:
                self._next += 1
                return self._next - 1, name
        return None


def in_a_line(error: Exception) -> str:
    """An error in one line: its class, unless it only says that somebody was lost, and its message."""
    message = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, LostError):
        return message
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
