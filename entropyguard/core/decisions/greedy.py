"""The default rule: in priority order a row is kept unless a row kept before it is at or above the threshold.

So every dropped row is similar to a row that is still there: a keeper and what was dropped for it make a star, and
there are no chains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.arrays import Doubles, Ints

PairBatch = tuple[Ints, Ints, Doubles]
"""Pairs as (row, earlier row, similarity), rows by their index."""

Apart = Callable[[int, int], bool]
"""Given a row and one kept before it, by their indices: whether it must not go for that one."""

KEPT = -1
MOST_COMPARED = 32
"""Of the rows kept before it, so many, the most similar ones, are asked whether a row may go for them."""

_PAIR_BYTES = 128  # of work for one pair while a range of ranks is sorted


class Decisions:
    """For each row the index of its keeper, KEPT where it is kept, and the similarity to it.

    The similarity is 0 where the row is kept, and no number where row and keeper are no stored pair (`components`).
    """

    def __init__(self, row_ids: Ints, apart: Apart | None = None) -> None:
        self.row_ids = row_ids
        self._apart = apart
        self.keeper = np.full(len(row_ids), KEPT, dtype=np.int64)
        self.similarity = np.zeros(len(row_ids))

    def add(self, later: Ints, earlier: Ints, similarity: Doubles) -> None:
        """Decide on pairs at or above the threshold, `earlier` before `later` in priority order.

        Pairs come grouped by `later`, in priority order, within a group by ascending `earlier`; no group is cut. All
        pairs of a row must have come before one that has it as `earlier`.
        """
        cuts = np.flatnonzero(later[1:] != later[:-1]) + 1
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(later)], strict=True):
            if start < end:
                self._decide(int(later[start]), earlier[start:end], similarity[start:end])

    def _decide(self, row: int, earlier: Ints, similarity: Doubles) -> None:
        kept = np.flatnonzero(self.keeper[earlier] == KEPT)
        if not len(kept):
            return
        if self._apart is None:
            nearest = [int(kept[similarity[kept].argmax()])]  # the first of several: the lowest row id
        else:
            nearest = kept[np.argsort(-similarity[kept], kind="stable")[:MOST_COMPARED]].tolist()
        for at in nearest:
            if self._apart is None or not self._apart(row, int(earlier[at])):
                self.keeper[row], self.similarity[row] = earlier[at], similarity[at]
                return


def decide_stars(
    stream: Iterable[PairBatch], row_ids: Ints, rank: Ints | None, max_memory: int, apart: Apart | None = None
) -> Decisions:
    """Decide on pairs that come in the order (b, a); `rank` is each row's position in priority order, None input order.

    A row does not go for one that it is kept `apart` from; it may go for another one, of which the same is asked.
    Memory: a few numbers a row, and for a rank as many pairs at a time as `max_memory` bytes allow.
    """
    decisions = Decisions(row_ids, apart)
    most = max(1, max_memory // 2 // _PAIR_BYTES)
    batches = _whole_groups(stream) if rank is None else _by_rank(stream, rank, most)
    for later, earlier, similarity in batches:
        decisions.add(later, earlier, similarity)
    return decisions


def _whole_groups(stream: Iterable[PairBatch]) -> Iterator[PairBatch]:
    """The same pairs, cut so that all of a row come together."""
    ahead: PairBatch | None = None
    for part in stream:
        joined = part if ahead is None else tuple(np.concatenate(columns) for columns in zip(ahead, part, strict=True))
        later, earlier, similarity = joined
        last = int(np.searchsorted(later, later[-1])) if len(later) else 0
        yield later[:last], earlier[:last], similarity[:last]
        ahead = later[last:], earlier[last:], similarity[last:]
    if ahead is not None:
        yield ahead


def _by_rank(stream: Iterable[PairBatch], rank: Ints, max_pairs: int) -> Iterator[PairBatch]:
    """All pairs as (later, earlier, similarity) in priority order of `later`, by passes over the stream."""
    counts = np.zeros(len(rank), dtype=np.int64)
    for b, a, _ in stream:
        np.add.at(counts, np.maximum(rank[b], rank[a]), 1)
    for first, last in _ranges(counts, max_pairs):
        chosen = [_in_range(part, rank, first, last) for part in stream]
        later, earlier, similarity = (np.concatenate(column) for column in zip(*chosen, strict=True))
        del chosen
        # The stream's order is (b, a), so within a row's pairs `earlier` ascends already, and stays so.
        order = np.argsort(rank[later], kind="stable")
        yield later[order], earlier[order], similarity[order]


def _in_range(part: PairBatch, rank: Ints, first: int, last: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
    """The pairs whose later row has a rank in first..last-1."""
    b, a, similarity = part
    b_is_later = rank[b] > rank[a]
    later = np.where(b_is_later, b, a)
    chosen = np.flatnonzero((rank[later] >= first) & (rank[later] < last))
    return later[chosen], np.where(b_is_later, a, b)[chosen], similarity[chosen]


def _ranges(counts: Ints, max_pairs: int) -> Iterator[tuple[int, int]]:
    """Ranges of ranks, each of one row or of as many as stay within `max_pairs`; none where there is no pair."""
    ends = np.cumsum(counts)
    start = int(np.searchsorted(ends, 0, side="right"))
    while start < len(counts):
        before = int(ends[start] - counts[start])
        end = max(start + 1, int(np.searchsorted(ends, before + max_pairs, side="right")))
        yield start, end
        start = int(np.searchsorted(ends, ends[end - 1], side="right"))
