"""Pairs of rows that are worth a comparison word by word: those that agree in a band of their MinHashes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from entropyguard.core.arrays import Bools, Ints, UInt32s, UInt64s, first_of_each
from entropyguard.core.near.pair_runs import as_keys
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import is_too_far_by_length, most_of_both

LARGE_BUCKET = 16
"""Of more rows that agree in a band not every pair is compared."""

_FIRST_ROWS = 8  # of a large bucket, in priority order: each of its rows is compared with these
_NEIGHBOURS = 2  # and with so many that come after it by the hash of the next band,
_NEIGHBOURLY_BUCKETS = 8  # in so many of its large buckets: a row that is in more has its like many times over
_PAIRS_TOGETHER = 1 << 20


class BandPairs(NamedTuple):
    """What the buckets of a band give.

    keys: of pairs, as `as_keys` has them. large_rows, large_buckets: the rows of large buckets, bucket after bucket,
    and the number of each one's; capped: how many of those there are.
    """

    keys: list[UInt64s]
    large_rows: Ints
    large_buckets: Ints
    capped: int


def pairs_of_band(words: RowWords, rank: Ints | None, rows: Ints, hashes: UInt32s, *, protect: bool) -> BandPairs:
    """The pairs of rows (ascending) of equal hashes, and in large buckets of all rows with the first of them.

    rank: the rows' priority; None is the order they come in. protect: pairs in which a word was replaced are not
    wanted.
    """
    in_order = hashes.astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64)
    in_order.sort()
    rows = (in_order & np.uint64(0xFFFFFFFF)).astype(np.int64)
    starts = np.flatnonzero(first_of_each(in_order >> np.uint64(32)))
    sizes = np.diff(starts, append=len(rows))
    bucket = np.repeat(np.arange(len(starts)), sizes)
    large = sizes[bucket] > LARGE_BUCKET
    pairs = [*_neighbours(rows[~large], bucket[~large], LARGE_BUCKET - 1)]
    rows, bucket = rows[large], bucket[large]
    pairs += _with_first(rows, bucket, rank) if len(rows) else []
    keys = [key for pair in pairs for key in _worth_it(words, *pair, protect=protect)]
    return BandPairs(keys, rows, bucket, int((sizes > LARGE_BUCKET).sum()))


def _with_first(rows: Ints, bucket: Ints, rank: Ints | None) -> Iterator[tuple[Ints, Ints]]:
    by_rank = np.lexsort((rows if rank is None else rank[rows], bucket))
    rows, bucket = rows[by_rank], bucket[by_rank]
    first = np.maximum.accumulate(np.where(first_of_each(bucket), np.arange(len(rows)), 0))
    for ahead in range(_FIRST_ROWS):
        others = np.arange(len(rows)) > first + ahead
        yield rows[others], rows[first[others] + ahead]


class LargeBuckets:
    """Further pairs of the rows of large buckets; bands have to come in their order."""

    def __init__(self, words: RowWords, *, protect: bool) -> None:
        self._words = words
        self._protect = protect
        self._met = np.zeros(len(words.words), dtype=np.uint8)  # large buckets that a row was in

    def pairs(self, rows: Ints, bucket: Ints, following: UInt32s) -> Iterator[UInt64s]:
        """The pairs of rows that come together by their hashes in the next band, `following`, which all rows have."""
        neighbourly = self._met[rows] < _NEIGHBOURLY_BUCKETS
        rows, bucket = rows[neighbourly], bucket[neighbourly]
        self._met[rows] += np.uint8(1)
        by_hash = np.lexsort((rows, following[rows], bucket))
        for one, other in _neighbours(rows[by_hash], bucket[by_hash], _NEIGHBOURS):
            yield from _worth_it(self._words, one, other, protect=self._protect)


def _neighbours(rows: Ints, bucket: Ints, most: int) -> Iterator[tuple[Ints, Ints]]:
    """The pairs of rows of one bucket that are up to `most` places apart."""
    for apart in range(1, most + 1):
        same = np.flatnonzero(bucket[apart:] == bucket[:-apart])
        if not len(same):
            return
        yield rows[same + apart], rows[same]


def _worth_it(words: RowWords, one: Ints, other: Ints, *, protect: bool) -> Iterator[UInt64s]:
    """The pairs whose words may be nearly the same, as far as their numbers tell."""
    for start in range(0, len(one), _PAIRS_TOGETHER):
        part = slice(start, start + _PAIRS_TOGETHER)
        near = _may_be_near(words, one[part], other[part], protect=protect)
        first, second = one[part][near], other[part][near]
        yield as_keys(np.maximum(first, second), np.minimum(first, second))


def _may_be_near(words: RowWords, one: Ints, other: Ints, *, protect: bool) -> Bools:
    near: Bools = ~is_too_far_by_length(words.words[one], words.words[other])
    if not protect:
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
