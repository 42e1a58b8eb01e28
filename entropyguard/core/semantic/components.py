"""The alternative rule: of all rows that are linked by pairs at or above the threshold, directly or not, one is kept.

It removes more, and it chains: A and C can fall together through B though they are far apart.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from entropyguard.core.arrays import Ints
from entropyguard.core.decisions.greedy import KEPT, Apart, Decisions, PairBatch


def decide_components(
    linked: Iterable[PairBatch],
    stored: Iterable[PairBatch],
    row_ids: Ints,
    rank: Ints | None,
    apart: Apart | None = None,
) -> Decisions:
    """Of each connected component of `linked` keep the row that is first in priority order (`rank`; None: input order).

    A row's similarity is that of its pair with the keeper in `stored`, which may be below the threshold, and no
    number where they are no pair there. Rows that are kept `apart` do not link their components; both may still be
    linked through a third row. Each stream is read once; memory holds a few numbers a row.
    """
    component = component_of(linked, len(row_ids), apart)
    decisions = Decisions(row_ids)
    keeper = _first_of_each(component, rank)[component]
    dropped = keeper != np.arange(len(row_ids))
    decisions.keeper = np.where(dropped, keeper, KEPT)
    decisions.similarity[dropped] = np.nan
    for b, a, similarity in stored:
        for row, other in ((b, a), (a, b)):
            direct = decisions.keeper[row] == other
            decisions.similarity[row[direct]] = similarity[direct]
    return decisions


def component_of(linked: Iterable[PairBatch], rows: int, apart: Apart | None = None) -> Ints:
    """For each row the lowest row of its connected component; 8 bytes a row, and as much again on the way."""
    root = np.arange(rows, dtype=np.int64)
    for b, a, _ in linked:
        if apart is None:
            _join(root, b, a)
        else:
            _join_one_by_one(root, b, a, apart)
    return _roots(root, np.arange(rows))


def _join(root: Ints, one: Ints, other: Ints) -> None:
    """Unite the components of each pair: every higher root is hung below the lowest root it meets."""
    while True:
        one, other = _roots(root, one), _roots(root, other)
        apart = one != other
        if not apart.any():
            return
        one, other = one[apart], other[apart]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))


def _join_one_by_one(root: Ints, one: Ints, other: Ints, apart: Apart) -> None:
    """The same, asking of each pair whether it links two components that are not one yet."""
    open_pairs = np.flatnonzero(_roots(root, one) != _roots(root, other))
    for row, its in zip(one[open_pairs].tolist(), other[open_pairs].tolist(), strict=True):
        high, low = _root(root, row), _root(root, its)
        if high != low and not apart(row, its):
            root[max(high, low)] = min(high, low)


def _root(root: Ints, row: int) -> int:
    while (above := int(root[row])) != row:
        root[row] = root[above]
        row = above
    return row


def _roots(root: Ints, rows: Ints) -> Ints:
    """The lowest row of each row's component; every path walked is halved, so that a long chain takes few steps."""
    found = root[rows]
    while True:
        above = root[found]
        if np.array_equal(above, found):
            root[rows] = found
            return found
        root[found] = root[above]
        found = root[found]


def _first_of_each(component: Ints, rank: Ints | None) -> Ints:
    """By component the row of lowest rank."""
    if rank is None:
        return np.arange(len(component))  # a component goes by its lowest row
    lowest = np.full(len(rank), len(rank), dtype=np.int64)
    np.minimum.at(lowest, component, rank)
    by_rank = np.empty(len(rank) + 1, dtype=np.int64)
    by_rank[rank] = np.arange(len(rank))
    by_rank[-1] = KEPT
    return by_rank[lowest]
