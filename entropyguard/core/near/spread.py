"""Where units of work are done, and how far all of them are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from entropyguard.core.pool.pool import Heard, InlinePool, Pool, R, U, Work, unheard
from entropyguard.core.progress import Progress


def spread(pool: Pool, work: Work[U, R], units: Sequence[U], heard: Heard[U] = unheard) -> Iterator[R]:
    """See `Pool.map`. A unit that is alone is done here: it would not gain what another process costs."""
    return (InlinePool() if len(units) < 2 else pool).map(work, units, heard)


class Shares:
    """How far work is that consists of units of different sizes; of `total` it has `done` already."""

    def __init__(self, progress: Progress, total: int, done: int = 0) -> None:
        self._progress = progress
        self._total = total
        self._done = float(done)
        self._of: dict[object, float] = {}

    def add(self, unit: object, done: float) -> None:
        """So much of a unit is done now; each call counts instead of the one before."""
        self._done += max(0.0, done - self._of.get(unit, 0.0))
        self._of[unit] = max(done, self._of.get(unit, 0.0))
        self._progress(min(self._total, int(self._done)), self._total)
