"""Candidates for similar pairs: which pairs are worth scoring, and the search that looks at every one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from entropyguard.core.arrays import Bools, Floats, Indexes
from entropyguard.core.pairs.dot_products import Product, product_of
from entropyguard.core.progress import Progress

BLOCK_ROWS = 4_096
TILE_COLUMNS = 2_048


@dataclass(frozen=True)
class Tile:
    """Which pairs (rows[i], columns[j]) of positions are candidates: a mask of shape (rows, columns).

    The mask may be overwritten when the next tile is asked for.
    """

    rows: Indexes
    columns: Indexes
    mask: Bools


class CandidateSearch(Protocol):
    """Names the pairs that may be similar, block row by block row."""

    version: str
    """Whatever can change the pairs that are found, beside the vectors and the floor."""
    block_rows: int
    """Positions in a block row."""

    def names(self, seen: Sequence[str], progress: Progress) -> list[str]:
        """What to call the finished pairs of each block row, given digests of the vectors up to each one's end."""

    def described(self) -> dict[str, Any]:
        """What to report of the search."""

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """For the positions first..last-1, all of one block row, candidates among all positions before each.

        No pair comes twice, and none whose column is not before its row.
        """


class ExactSearch:
    """Every pair: the rows' products with all rows before them."""

    version = "exact 1"

    def __init__(self, vectors: Floats, floor: float, max_bytes: int, spill: Path, threads: int | None) -> None:
        self.block_rows = BLOCK_ROWS
        self._vectors = vectors
        self._settings = floor, max_bytes, spill, threads

    def names(self, seen: Sequence[str], progress: Progress) -> list[str]:  # noqa: ARG002  there is nothing to prepare
        """See `CandidateSearch`."""
        return list(seen)

    def described(self) -> dict[str, Any]:
        """See `CandidateSearch`."""
        return {"method": "exact", "recall": 1.0}

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """See `CandidateSearch`."""
        rows, factor = np.arange(first, last), self._product.rows(slice(first, last))
        for column in range(0, last, TILE_COLUMNS):
            columns = np.arange(column, min(last, column + TILE_COLUMNS))
            mask = self._product.at_or_above(factor, slice(column, column + len(columns)))
            if columns[-1] >= first:
                mask &= columns < rows[:, None]
            yield Tile(rows, columns, mask)

    @cached_property
    def _product(self) -> Product:
        """Made when the first tile is asked for: often every block row is known."""
        return product_of(self._vectors, None, *self._settings)
