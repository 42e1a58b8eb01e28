"""Pairs of rows, taken in any order and with repeats, given back in order and each once; too many lie on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Ints, UInt64s, first_of_each

_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_BYTES = 8


def as_keys(later: Ints, earlier: Ints) -> UInt64s:
    """Pairs of rows (under 2**32) as one number each, in the order (later, earlier)."""
    keys: UInt64s = later.astype(np.uint64) << _SHIFT | earlier.astype(np.uint64)
    return keys


def as_pairs(keys: UInt64s) -> tuple[Ints, Ints]:
    """The rows (later, earlier) of the pairs."""
    return (keys >> _SHIFT).astype(np.int64), (keys & _LOW).astype(np.int64)


class PairRuns:
    """Sorted runs of pairs in memory, written to `folder` when they take more than `max_bytes`."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._most = max(1, max_bytes // _BYTES // 2)  # sorting and merging need as much again
        self._waiting: list[UInt64s] = []
        self._runs: list[UInt64s] = []

    def add(self, keys: UInt64s) -> None:
        """Take pairs, as `as_keys` has them. A run is merged when the next one is as long: each pair log n times."""
        self._waiting.append(keys)
        while len(self._waiting) > 1 and len(self._waiting[-2]) < 2 * len(self._waiting[-1]):
            self._waiting[-2:] = [unique(self._waiting[-2:])]
        if sum(map(len, self._waiting)) > self._most:
            self._spill()

    def _spill(self) -> None:
        run = unique(self._waiting)
        self._waiting = []
        path = self._folder / f"pairs-{len(self._runs)}"
        run.tofile(path)
        self._runs.append(np.memmap(path, dtype=np.uint64, mode="r"))

    def batches(self, most: int) -> Iterator[UInt64s]:
        """All pairs, ascending, each once, so that about `most` come at a time."""
        runs = [*self._runs, *([unique(self._waiting)] if self._waiting else [])]
        runs = [run for run in runs if len(run)]
        starts = [0] * len(runs)
        share = max(1, most // max(1, len(runs)))
        while runs:
            ahead = [run[min(start + share, len(run)) - 1] for run, start in zip(runs, starts, strict=True)]
            until = min(ahead)  # no run has more than its share up to there
            ends = [int(np.searchsorted(run, until, side="right")) for run in runs]
            parts = [np.asarray(run[start:end]) for run, start, end in zip(runs, starts, ends, strict=True)]
            yield unique(parts)
            left = [at for at, run in enumerate(runs) if ends[at] < len(run)]
            runs, starts = [runs[at] for at in left], [ends[at] for at in left]


def unique(parts: list[UInt64s]) -> UInt64s:
    """All keys, ascending, each once."""
    keys = np.concatenate(parts)
    keys.sort()
    different: UInt64s = keys[first_of_each(keys)]
    return different
