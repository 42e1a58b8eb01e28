"""How long a run will still take: what each stage cost before, here or elsewhere, and how fast this one goes now.

Knows neither files nor clocks: `watched_progress` (run/progress.py) tells it what happens and when.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_COSTS = {
    "ingest": (0.2, 7.0, 0.0),
    "exact_dedup": (0.03, 1.0, 0.0),
    "near_dedup": (0.3, 200.0, 0.0),
    "embed": (0.3, 20.0, 0.5),
    "similar_pairs": (0.5, 0.0, 0.0),
    "semantic_dedup": (0.3, 60.0, 0.0),
    "export": (1.3, 8.0, 0.0),
}
"""Seconds of a stage: at its start, for a million rows, for a megabyte of ingested.parquet. embed: of a static model.
Measured on 60,000 descriptions of packages and 20,000 instructions. Only what they are to each other counts once a run
has shown how fast its machine is."""

_PAIRS_SECONDS = 0.4
"""Of similar_pairs, for 10,000 rows each against every other; from 100,000 rows on it grows with the rows alone."""

_BETWEEN = 1.0
"""Seconds that DVC and the start of a stage's process take."""

_STORED = ("near_dedup", "embed", "similar_pairs")
"""Those that take from a store what an earlier run has done, and the share of the work that this takes."""
_LOOKING_UP = 0.05

_WINDOW = 30.0  # seconds that a stage's rate is taken over
_BASIS, _LONE_BASIS = 3.0, 10.0  # seconds it must have been watched for: at all, and where there is nothing else
_SMOOTH = 5.0  # seconds in which the shown number comes near to a new estimate


@dataclass(frozen=True)
class Size:
    """What a stage reads: rows, and their texts as megabytes of ingested.parquet."""

    rows: int
    megabytes: float


@dataclass(frozen=True)
class Cost:
    """A stage's last run before this one. new: the share of it that no store had; valid: what it stored is of use."""

    size: Size
    seconds: float
    new: float = 1.0
    valid: bool = True


def work(stage: str, size: Size) -> float:
    """Seconds that a stage takes on the machine where the costs were measured."""
    start, rows, megabytes = _COSTS[stage]
    pairs = _PAIRS_SECONDS * size.rows * min(size.rows, 100_000) / 1e8 if stage == "similar_pairs" else 0.0
    return start + rows * size.rows / 1e6 + megabytes * size.megabytes + pairs


class Rate:
    """How far a stage is, in its own unit, and how fast it has gone on lately."""

    def __init__(self, now: float) -> None:
        self.began = now
        self.done = 0
        self.total: int | None = None
        self._again = False
        self._notes: deque[tuple[float, int]] = deque()

    def hear(self, done: int, total: int | None, now: float) -> None:
        """It is as far as `done`. A stage that counts something else now is measured anew."""
        if self._notes and (done < self.done or total != self.total):
            self._notes.clear()
            self._again = True
        if not self._notes or done != self.done:
            self._notes.append((now, done))
        self.done, self.total = done, total
        while len(self._notes) > 1 and now - self._notes[1][0] > _WINDOW:
            self._notes.popleft()

    def per_second(self, now: float) -> float | None:
        """None before there is a basis for it."""
        if not self._notes or now - self._notes[0][0] < _BASIS:
            return None
        return (self.done - self._notes[0][1]) / (now - self._notes[0][0]) or None

    def share(self) -> float | None:
        """How much of the stage is done; None where nobody knows how much there is, or it is in a second count."""
        return min(self.done / self.total, 1.0) if self.total and not self._again else None

    def seconds_left(self, now: float) -> float | None:
        """By its own rate alone."""
        rate = self.per_second(now)
        return None if rate is None or not self.total else max(self.total - self.done, 0) / rate

    def lone_seconds_left(self, now: float) -> float | None:
        """The same, for a stage of which nothing else is known: that takes a better basis."""
        return self.seconds_left(now) if self._notes and now - self._notes[0][0] >= _LONE_BASIS else None


class TimeLeft:
    """The seconds that a run will still take, as it goes on; None as long as nobody can say.

    ahead: the stages that are to run, in order. earlier: what they cost before, in the same dir. reuse: whether what
    the earlier runs stored is used. any_model: whether embed's costs are those of this run's model.
    """

    def __init__(
        self, ahead: Sequence[str], earlier: Mapping[str, Cost], size: Size | None, *, reuse: bool, any_model: bool
    ) -> None:
        self._ahead = list(ahead)
        self._earlier = earlier
        self._size = size
        self._reuse = reuse
        self._any_model = any_model
        self._stage: str | None = None
        self.rate: Rate | None = None
        self._took, self._expected = 0.0, 0.0
        self._shown: tuple[float, float] | None = None

    def begin(self, stage: str, now: float) -> None:
        """A stage is at work; those before it are done, or had nothing to do."""
        self._stage, self.rate = stage, Rate(now)
        if stage in self._ahead:
            self._ahead = self._ahead[self._ahead.index(stage) + 1 :]

    def finish(self, stage: str, seconds: float, size: Size | None) -> None:
        """A stage took these seconds; size: that of what the next one reads, None where it does not change it."""
        before = self._size
        self._size = size or before
        read = self._size if stage == "ingest" else before
        if read is not None and self._scale(stage) is not None:
            self._took += seconds
            self._expected += self._model(stage, read) or 0.0

    def seconds(self, now: float) -> float | None:
        """The estimate, without jumps: what was said last, less the time since, drawn towards what is thought now."""
        thought = self._thought(now)
        if thought is None:
            self._shown = None
            return None
        if self._shown is not None:
            said, at = self._shown
            said = max(said - (now - at), 0.0)
            thought = said + (thought - said) * (1 - math.exp(-(now - at) / _SMOOTH))
        self._shown = (thought, now)
        return thought

    def _thought(self, now: float) -> float | None:
        if self._size is None:
            return None
        parts = [self._current(now), *(self._coming(stage, self._size) for stage in self._ahead)]
        return None if None in parts else sum(part for part in parts if part is not None)

    def _coming(self, stage: str, size: Size) -> float | None:
        model = self._model(stage, size)
        return None if model is None else model * self._pace() + _BETWEEN

    def _current(self, now: float) -> float | None:
        """By the model at first, and more and more by its own rate."""
        if self._stage is None or self.rate is None or self._size is None:
            return 0.0
        model = self._model(self._stage, self._size)
        if model is None:
            return self.rate.lone_seconds_left(now)
        whole, elapsed, share = model * self._pace(), now - self.rate.began, self.rate.share()
        if share is None:
            return max(whole - elapsed, elapsed / 4)  # what has taken longer than it should will take a while yet
        modelled, measured = whole * (1 - share), self.rate.seconds_left(now)
        if measured is None:
            return modelled
        trust = min(1.0, max(share / 0.1, elapsed / _WINDOW))
        return measured * trust + modelled * (1 - trust)

    def _pace(self) -> float:
        """How much slower this run is than was expected of what is done; near 1 as long as little is."""
        return (self._took + 2) / (self._expected + 2)

    def _model(self, stage: str, size: Size) -> float | None:
        """Seconds of a stage, if all goes as it did before."""
        scale, whole = self._scale(stage), work(stage, size)
        if scale is None:
            return None
        earlier = self._earlier.get(stage)
        if stage in _STORED and self._reuse and earlier is not None and earlier.valid:
            whole = max(whole - work(stage, earlier.size), whole * _LOOKING_UP)
        return scale * whole

    def _scale(self, stage: str) -> float | None:
        """What the stage cost here for what it costs elsewhere; None where that says nothing about it."""
        earlier = self._earlier.get(stage)
        if earlier is not None and earlier.new >= 0.1 and earlier.valid:
            return earlier.seconds / (work(stage, earlier.size) * earlier.new)
        return 1.0 if stage != "embed" or self._any_model else None
