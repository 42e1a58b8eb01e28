"""The default rule: in priority order a row is kept unless a row kept before it is at or above the threshold.

So every dropped row is similar to a row that is still there: a keeper and what was dropped for it make a star, and
there are no chains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.arrays import Doubles, Ints

PairBatch = tuple[Ints, Ints, Doubles]
"""Pairs as (row, earlier row, similarity), rows by their index."""

KEPT = -1
_PAIR_BYTES = 128  # of work for one pair while a range of ranks is sorted


class Decisions:
    """For each row the index of its keeper, KEPT where it is kept, and the similarity to it.

    The similarity is 0 where the row is kept, and no number where row and keeper are no stored pair (`components`).
    """

    def __init__(self, row_ids: Ints) -> None:
        self.row_ids = row_ids
        self.keeper = np.full(len(row_ids), KEPT, dtype=np.int64)
        self.similarity = np.zeros(len(row_ids))

    def add(self, later: Ints, earlier: Ints, similarity: Doubles) -> None:
        """Decide on pairs at or above the threshold, `earlier` before `later` in priority order.

        Pairs come grouped by `later`, in priority order, within a group by ascending `earlier`; a group may be cut
        between two calls. All pairs of a row must have come before one that has it as `earlier`.
        """
        cuts = np.flatnonzero(later[1:] != later[:-1]) + 1
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(later)], strict=True):
            if start < end:
                self._decide(int(later[start]), earlier[start:end], similarity[start:end])

    def _decide(self, row: int, earlier: Ints, similarity: Doubles) -> None:
        of_kept = np.where(self.keeper[earlier] == KEPT, similarity, -1.0)
        best = int(of_kept.argmax())  # the first of several: the lowest row id
        if of_kept[best] > self.similarity[row]:
            self.keeper[row], self.similarity[row] = earlier[best], of_kept[best]


def decide_stars(stream: Iterable[PairBatch], row_ids: Ints, rank: Ints | None, max_memory: int) -> Decisions:
    """Decide on pairs that come in the order (b, a); `rank` is each row's position in priority order, None input order.

    Memory: a few numbers a row, and for a rank as many pairs at a time as `max_memory` bytes allow.
    """
    decisions = Decisions(row_ids)
    batches = stream if rank is None else _by_rank(stream, rank, max(1, max_memory // 2 // _PAIR_BYTES))
    for later, earlier, similarity in batches:
        decisions.add(later, earlier, similarity)
    return decisions


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
