"""A search, block row by block row: the pairs of a block row's positions with all positions before them.

So half the square is searched, appended rows touch no earlier block row, and a finished block row is kept under a
name that stands for all the vectors it saw. A block row with more pairs than fit in memory is cut into shards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from entropyguard.core.arrays import Ints
from entropyguard.core.pairs.block_store import Parts, StoredBlock, shard_table
from entropyguard.core.pairs.candidates import CandidateSearch
from entropyguard.core.pairs.scoring import Pairs, joined, scored
from entropyguard.core.pairs.vectors import Windows

_PAIR_BYTES = 64  # of work for one pair while a shard is sorted
_MOST_PAIRS = 1 << 24


class BlockRows:
    """The pairs of all block rows, each made where it is not stored."""

    def __init__(
        self, windows: Windows, candidates: CandidateSearch, floor: float, parts: Parts, max_memory: int
    ) -> None:
        self._windows = windows
        self._candidates = candidates
        self._floor = floor
        self._parts = parts
        self._rows = len(windows.first)
        # A shard can always take one row with all others as its neighbours.
        self._limit = max(min(max_memory // 4 // _PAIR_BYTES, _MOST_PAIRS), self._rows)
        self.ranges = ranges(self._rows, candidates.block_rows)
        self._seen = digests(windows, f"{candidates.version} {floor!r}", self.ranges)
        self.steps = candidates.steps

    @cached_property
    def names(self) -> list[str]:
        """What the pairs of each block row are stored as; the steps must have been made."""
        return self._candidates.names(self._seen)

    def described(self) -> dict[str, Any]:
        """What to report of the search."""
        return self._candidates.described()

    def make(self, step: str, block: int) -> None:
        """Make what a step has for a block row, where it is not there."""
        self._candidates.make(step, block, self._seen)

    def stored(self, block: int) -> StoredBlock:
        """What was stored of the pairs of a block row before the search."""
        return StoredBlock.find(self._parts, self.names[block], *self.ranges[block])

    def shards(self, block: int, stored: StoredBlock) -> list[Path]:
        """The pairs of a block row by (b, a), in one part or more; those that were not stored are made."""
        name = self.names[block]  # which gets the search ready
        made = self._shards(stored.end, self.ranges[block][1], self._limit)
        return stored.paths + [self._parts.put(name, shard_table(pairs, *ends)) for *ends, pairs in made]

    def _shards(self, first: int, last: int, limit: float) -> Iterator[tuple[int, int, Pairs]]:
        """The pairs of positions first..last-1, in shards of rows with at most `limit` candidates each."""
        counts = np.zeros(last - first, dtype=np.int64)
        found: list[Pairs] = []
        fits = True
        for tile in self._candidates.tiles(first, last):
            if not len(tile.row):
                continue
            counts[tile.rows - first] += np.bincount(tile.row, minlength=len(tile.rows))
            fits = fits and int(counts.sum()) <= limit
            if fits:
                found.append(scored(self._windows, tile, self._floor))
            else:  # go on counting, so that the next pass fits
                found.clear()
        if fits:
            yield first, last, _sorted(joined(found), first)
            return
        for start, end in _cuts(counts, self._limit):
            yield from self._shards(first + start, first + end, np.inf)


def ranges(rows: int, height: int) -> list[tuple[int, int]]:
    """The first position of each block row, and the one after its last."""
    return [(first, min(rows, first + height)) for first in range(0, rows, height)]


def digests(windows: Windows, settings: str, block_rows: Sequence[tuple[int, int]]) -> list[str]:
    """For each block row, of the settings and all the vectors up to its end."""
    found, seen = [], xxhash.xxh3_128(f"{settings} {windows.first.shape[1]}".encode())
    for first, last in block_rows:
        seen.update(windows.first[first:last].data)
        seen.update(np.diff(windows.starts[first : last + 1]).data)
        seen.update(windows.later[windows.starts[first] : windows.starts[last]].data)
        found.append(seen.hexdigest())
    return found


def _sorted(pairs: Pairs, first: int) -> Pairs:
    """The pairs of a shard by (b, a)."""
    a, b, similarity = pairs
    order = np.argsort((b - first).astype(np.uint16), kind="stable")
    keys = (b[order].astype(np.int64) << 32) | a[order]
    if (np.diff(keys) < 0).any():  # exhaustive searches give the pairs by ascending a
        order = order[np.argsort(keys)]
    return a[order], b[order], similarity[order]


def _cuts(counts: Ints, limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, each of one row or of as many as stay within `limit`."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield start, end
        start = end
