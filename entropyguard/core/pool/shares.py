"""How far work is that consists of units."""

from __future__ import annotations

from entropyguard.core.progress import Progress


class Shares:
    """How far work is that consists of units of different sizes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0.0
        self._of: dict[object, float] = {}

    def add(self, unit: object, done: float) -> None:
        """So much of a unit is done now; each call counts instead of the one before."""
        self._done += max(0.0, done - self._of.get(unit, 0.0))
        self._of[unit] = max(done, self._of.get(unit, 0.0))
        self._progress(min(self._total, int(self._done)), self._total)
