"""The similarity of pairs of texts: of their first windows, and where they have more, the least of all of them.

Window i is compared with window i. Texts of unlike numbers of windows are not similar.
"""

from __future__ import annotations

import numpy as np

from entropyguard.core.arrays import Floats, Indexes, Int32s, Ints, Millionths
from entropyguard.core.pairs.candidates import Tile
from entropyguard.core.pairs.similarity import MILLIONTHS, block_similarity, may_reach, pair_similarity
from entropyguard.core.pairs.vectors import Windows

_DENSE = 1 / 16  # of a tile: from here on scoring all of it takes less time than picking vectors one by one
_SLICE_ROWS = 128
_SLICE_COLUMNS = 2_048
_MOST_CELLS = 1 << 24
_NO_PAIR = -2 * MILLIONTHS

Pairs = tuple[Int32s, Int32s, Millionths]
"""Positions a < b and the similarity of each pair, in millionths."""


def scored(windows: Windows, tile: Tile, floor: float) -> Pairs:
    """The pairs of a tile that are at or above the floor, by their position in the tile, row by row."""
    near_rows, near_columns = np.flatnonzero(np.bincount(tile.row)), np.flatnonzero(np.bincount(tile.column))
    if len(tile.row) <= len(near_rows) * len(near_columns) * _DENSE:
        a, b = tile.columns[tile.column], tile.rows[tile.row]
        near = may_reach(windows.first, a, b, floor)
        a, b = a[near], b[near]
        return _similar(windows, a, b, pair_similarity(windows.first, a, b), floor)
    parts = (near_rows[start : start + _SLICE_ROWS] for start in range(0, len(near_rows), _SLICE_ROWS))
    return joined([_scored_slice(windows, tile, part, near_columns, floor) for part in parts])


def joined(found: list[Pairs]) -> Pairs:
    """All pairs in one."""
    if not found:
        nothing = np.empty(0, dtype=np.int32)
        return nothing, nothing, nothing
    a, b, similarity = zip(*found, strict=True)
    return np.concatenate(a), np.concatenate(b), np.concatenate(similarity)


def _listed_similarity(vectors: Floats, left: Indexes, right: Indexes) -> Millionths:
    """As `pair_similarity`; where few vectors make up many of the pairs, by the product of all with all."""
    rows, row = np.unique(right, return_inverse=True)
    columns, column = np.unique(left, return_inverse=True)
    cells = len(rows) * len(columns)
    if cells * _DENSE > len(left) or cells > _MOST_CELLS:
        return pair_similarity(vectors, left, right)
    result = np.empty((len(rows), len(columns)), dtype=np.int32)
    own = vectors[rows]
    for start in range(0, len(columns), _SLICE_COLUMNS):
        part = slice(start, start + _SLICE_COLUMNS)
        result[:, part] = block_similarity(own, vectors[columns[part]])
    return result[row, column]


def _window_similarity(windows: Windows, a: Indexes, b: Indexes, first: Millionths, floor: float) -> Millionths:
    """The least similarity over all windows of texts that have equally many; `first` is that of the first windows.

    Below the floor the other windows of a pair are not looked at.
    """
    result, further = first.copy(), windows.further(a)
    more, window = np.flatnonzero((further > 0) & (first / MILLIONTHS >= floor)), 0
    while len(more):
        left, right = windows.starts[a[more]] + window, windows.starts[b[more]] + window
        result[more] = np.minimum(result[more], _listed_similarity(windows.later, left, right))
        window += 1
        more = more[(further[more] > window) & (result[more] / MILLIONTHS >= floor)]
    return result


def _scored_slice(windows: Windows, tile: Tile, rows: Ints, columns: Ints, floor: float) -> Pairs:
    """The pairs of some of a tile's rows and columns."""
    own, others = tile.rows[rows], tile.columns[columns]
    similarity = block_similarity(windows.first[own], windows.first[others])
    if others[-1] >= own[0]:
        similarity[others >= own[:, None]] = _NO_PAIR
    row, column = np.divmod(np.flatnonzero(similarity / MILLIONTHS >= floor), len(others))
    return _similar(windows, others[column], own[row], similarity[row, column], floor)


def _similar(windows: Windows, a: Indexes, b: Indexes, first: Millionths, floor: float) -> Pairs:
    """Those of the pairs that are at or above the floor, by all windows; `first` is the similarity of the first."""
    similarity = first
    if len(windows.later):
        same = windows.further(a) == windows.further(b)
        a, b, first = a[same], b[same], first[same]
        similarity = _window_similarity(windows, a, b, first, floor)
    near = similarity / MILLIONTHS >= floor
    return a[near].astype(np.int32), b[near].astype(np.int32), similarity[near]
