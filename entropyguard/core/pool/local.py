"""The pool of a run on one machine: processes of one core each, started when work for several comes, then kept."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from entropyguard.core.pool.pool import Fact, Heard, InlinePool, R, U, Work, unheard

if TYPE_CHECKING:
    from entropyguard.core.pool.processes import Processes, WorkerProcess


class LocalPool:
    """Up to `workers` processes (a Pool). What is threaded, or is one unit, is done in this process.

    workers: None is as many as this process may use cores.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or usable_cores()
        self._idle: list[WorkerProcess] = []
        self._maps: set[Processes] = set()
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
        from entropyguard.core.pool.dispatch import dispatch  # only for those who start processes
        from entropyguard.core.pool.processes import Processes

        # A map inside another one's loop finds nobody idle, and has processes of its own.
        processes = Processes(self._idle, work, min(self.workers, len(units)))
        self._maps.add(processes)
        try:
            yield from dispatch(processes, units, heard)
        finally:
            self._maps.discard(processes)

    def close(self) -> None:
        """End the processes, whatever they are at."""
        for processes in tuple(self._maps):
            processes.end()
        while self._idle:
            self._idle.pop().kill()


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
