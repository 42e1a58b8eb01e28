"""Which texts have come before, by their hashes."""

from __future__ import annotations

import numpy as np

from entropyguard.core.arrays import Bools, Hashes, UInt64s


class SeenHashes:
    """A hash table of 64 bits of each hash (open addressing, double hashing): 12 to 24 bytes a hash, 36 as it grows.

    Two texts that agree in these bits count as one, so it may decide what is fast, never what is right. It starts
    with `first_slots` slots, a power of two, and takes `rows_at_once` hashes at a time.
    """

    def __init__(self, first_slots: int = 1 << 21, rows_at_once: int = 1 << 16) -> None:
        self._slots = np.zeros(first_slots, dtype=np.uint64)  # 0: free
        self._rows_at_once = rows_at_once
        self._used = 0

    def seen_before(self, hashes: Hashes) -> Bools:
        """Whether each hash (shape (rows, 2)) came before, in these rows or earlier ones; they are remembered."""
        seen = np.ones(len(hashes), dtype=np.bool_)
        for start in range(0, len(hashes), self._rows_at_once):
            keys, first = np.unique(hashes[start : start + self._rows_at_once, 1] | np.uint64(1), return_index=True)
            self._grow_for(len(keys))
            seen[start + first] = self._insert(keys)
        return seen

    def _grow_for(self, more: int) -> None:
        while 3 * (self._used + more) > 2 * len(self._slots):
            old, self._slots, self._used = self._slots, np.zeros(2 * len(self._slots), dtype=np.uint64), 0
            for start in range(0, len(old), self._rows_at_once):
                part = old[start : start + self._rows_at_once]
                self._insert(part[part != 0])

    def _insert(self, keys: UInt64s) -> Bools:
        """Remember these keys, which differ; whether each was there already."""
        there = np.zeros(len(keys), dtype=np.bool_)
        rows, last = np.arange(len(keys)), np.uint64(len(self._slots) - 1)
        slots, steps = keys >> np.uint64(1) & last, keys >> np.uint64(32) | np.uint64(1)
        while len(rows):
            found = self._slots[slots]
            free = found == 0
            self._slots[slots[free]] = keys[free]  # of several that want one slot, one gets it
            placed = self._slots[slots] == keys
            there[rows] = placed & ~free
            self._used += int(np.count_nonzero(placed & free))
            others = ~placed
            rows, keys, steps = rows[others], keys[others], steps[others]
            slots = slots[others] + steps & last
        return there
