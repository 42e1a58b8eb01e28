"""Which rows have another row near them, by static vectors: a flag for each, however many pairs there are."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.block_rows import digests, ranges
from entropyguard.core.candidates import CandidateSearch, Tile
from entropyguard.core.distil import SCALE, as_whole
from entropyguard.core.params import SearchParams
from entropyguard.core.progress import Progress
from entropyguard.core.search_parts import Parts
from entropyguard.core.similar import search_of
from entropyguard.core.vectors import Bools, Floats, Windows

_PAIRS_AT_ONCE = 4_096


def rows_with_neighbours(
    vectors: Floats,
    least: float,
    search: SearchParams,
    parts: Parts,
    max_bytes: int,
    spill: Path,
    threads: int | None,
    progress: Progress,
) -> tuple[Bools, float | None]:
    """Of each row, whether another has a static cosine of at least `least` to it; and the recall of the search.

    None where the search's samples had no pair to measure it on.

    vectors: static ones (see `distil`). Finished block rows are kept in `parts`.
    """
    no_more = np.empty((0, vectors.shape[1]), dtype=np.float32), np.zeros(len(vectors) + 1, dtype=np.int64)
    windows = Windows(vectors, *no_more)
    # What the search measures of itself is to be about pairs from `least` up. (It takes half of what it may miss.)
    search = replace(search, floor=least, target_recall=(1 + search.target_recall) / 2)
    method = search_of(windows, search, least, parts, max_bytes, spill, threads)
    block_rows = ranges(len(vectors), method.block_rows)
    names = method.names(digests(windows, f"{method.version} static {search!r}", block_rows), progress)
    marks = _Marks(vectors, least)
    for done, (name, (first, last)) in enumerate(zip(names, block_rows, strict=True), start=1):
        table = parts.get(f"{name}-near", partial(marks.new_in, method, first, last))
        marks.found[table["position"].to_numpy()] = True
        progress(done, len(block_rows))
    return marks.found, method.about()["recall"]


class _Marks:
    """`found` flags the rows that are known to have a neighbour."""

    def __init__(self, vectors: Floats, least: float) -> None:
        self.found: Bools = np.zeros(len(vectors), dtype=np.bool_)
        self._vectors = vectors
        self._least = math.ceil(least * SCALE**2)

    def new_in(self, method: CandidateSearch, first: int, last: int) -> pa.Table:
        """The positions that a block row shows to have a neighbour, and no block row before it."""
        before = self.found.copy()
        for tile in method.tiles(first, last):
            self._look_into(tile)
        return pa.table({"position": np.flatnonzero(self.found & ~before).astype(np.int32)})

    def _look_into(self, tile: Tile) -> None:
        """Mark the rows that have a pair in the tile; a pair of two marked rows is not looked at."""
        mask = tile.mask
        while np.count_nonzero(mask):
            rows, columns = self.found[tile.rows], self.found[tile.columns]
            mask &= ~(rows[:, None] & columns)
            row = np.flatnonzero(mask.any(axis=1) & ~rows)
            column = np.flatnonzero(mask.any(axis=0) & ~columns)
            pairs = np.concatenate(
                [np.stack([row, mask[row].argmax(axis=1)]), np.stack([mask[:, column].argmax(axis=0), column])], axis=1
            )
            mask[pairs[0], pairs[1]] = False
            near = self._are_near(tile.rows[pairs[0]], tile.columns[pairs[1]])
            self.found[tile.rows[pairs[0, near]]] = self.found[tile.columns[pairs[1, near]]] = True

    def _are_near(self, rows: npt.NDArray[np.integer[Any]], others: npt.NDArray[np.integer[Any]]) -> Bools:
        """Whether the static cosine of each pair reaches the threshold, exactly."""
        near = np.empty(len(rows), dtype=np.bool_)
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            near[part] = (as_whole(self._vectors[rows[part]]) * as_whole(self._vectors[others[part]])).sum(
                axis=1
            ) >= self._least
        return near
