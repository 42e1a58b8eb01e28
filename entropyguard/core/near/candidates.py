"""Pairs of rows that are worth a comparison word by word: those that agree in a band of their MinHashes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entropyguard.core.arrays import Bools, Ints, UInt32s, first_of_each
from entropyguard.core.near.pair_runs import PairRuns, as_keys
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import is_too_far_by_length, most_of_both

LARGE_BUCKET = 16
"""Of more rows that agree in a band not every pair is compared."""

_FIRST_ROWS = 8  # of a large bucket, in priority order: each of its rows is compared with these
_NEIGHBOURS = 2  # and with so many that come after it by the hash of the next band,
_NEIGHBOURLY_BUCKETS = 8  # in so many of its large buckets: a row that is in more has its like many times over
_PAIRS_TOGETHER = 1 << 20


class Candidates:
    """The pairs of rows of which at least one band agrees and nothing in their numbers of words tells them apart.

    protect: pairs in which a word was replaced are not wanted. capped_buckets: how many buckets were too large for
    every pair of theirs.
    """

    def __init__(self, words: RowWords, rank: Ints | None, pairs: PairRuns, *, protect: bool) -> None:
        self.pairs = pairs
        self.capped_buckets = 0
        self._words = words
        self._rank = rank
        self._protect = protect
        self._large_buckets = np.zeros(len(words.words), dtype=np.uint8)  # that a row was in

    def add_band(self, hashes: UInt32s, following: UInt32s, takes_part: Bools) -> None:
        """Collect the pairs of a band. hashes, following: of each row the hash of this band and of the next one."""
        rows = np.flatnonzero(takes_part)
        keys = hashes[rows].astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)
        keys.sort()
        rows = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        starts = np.flatnonzero(first_of_each(keys >> np.uint64(32)))
        sizes = np.diff(starts, append=len(rows))
        bucket = np.repeat(np.arange(len(starts)), sizes)
        small = rows[sizes[bucket] <= LARGE_BUCKET], bucket[sizes[bucket] <= LARGE_BUCKET]
        for later, earlier in _neighbours(*small, LARGE_BUCKET - 1):
            self._keep(later, earlier)
        large = sizes[bucket] > LARGE_BUCKET
        self.capped_buckets += int((sizes > LARGE_BUCKET).sum())
        if large.any():
            self._add_large(rows[large], bucket[large], following)

    def _add_large(self, rows: Ints, bucket: Ints, following: UInt32s) -> None:
        neighbourly = self._large_buckets[rows] < _NEIGHBOURLY_BUCKETS
        self._large_buckets[rows[neighbourly]] += np.uint8(1)
        some, their = rows[neighbourly], bucket[neighbourly]
        by_hash = np.lexsort((some, following[some], their))
        for later, earlier in _neighbours(some[by_hash], their[by_hash], _NEIGHBOURS):
            self._keep(later, earlier)
        by_rank = np.lexsort((rows if self._rank is None else self._rank[rows], bucket))
        rows, bucket = rows[by_rank], bucket[by_rank]
        first = np.maximum.accumulate(np.where(first_of_each(bucket), np.arange(len(rows)), 0))
        for ahead in range(_FIRST_ROWS):
            others = np.arange(len(rows)) > first + ahead
            self._keep(rows[others], rows[first[others] + ahead])

    def _keep(self, one: Ints, other: Ints) -> None:
        """Keep the pairs whose words may be nearly the same, as far as their numbers tell."""
        for start in range(0, len(one), _PAIRS_TOGETHER):
            part = slice(start, start + _PAIRS_TOGETHER)
            near = self._may_be_near(one[part], other[part])
            first, second = one[part][near], other[part][near]
            self.pairs.add(as_keys(np.maximum(first, second), np.minimum(first, second)))

    def _may_be_near(self, one: Ints, other: Ints) -> Bools:
        words = self._words
        near: Bools = ~is_too_far_by_length(words.words[one], words.words[other])
        if not self._protect:
            return near
        same_numbers = words.number_hashes[one] == words.number_hashes[other]
        near &= same_numbers | (words.numbers[one] != words.numbers[other])  # equally many and others: one was replaced
        at = np.flatnonzero(near)
        one, other = one[at], other[at]
        sketch, others = words.sketches[one], words.sketches[other]
        # What a bin has more of on one side, that side has alone: at least so many words.
        own = np.where(sketch > others, sketch - others, 0).sum(axis=1)
        their = np.where(others > sketch, others - sketch, 0).sum(axis=1)
        near[at] = np.minimum(own, their) <= most_of_both(np.minimum(words.counted[one], words.counted[other]))
        return near


def _neighbours(rows: Ints, bucket: Ints, most: int) -> Iterator[tuple[Ints, Ints]]:
    """The pairs of rows of one bucket that are up to `most` places apart."""
    for apart in range(1, most + 1):
        same = np.flatnonzero(bucket[apart:] == bucket[:-apart])
        if not len(same):
            return
        yield rows[same + apart], rows[same]
