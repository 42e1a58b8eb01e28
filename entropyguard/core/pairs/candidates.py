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
from entropyguard.core.pairs.recall import ENOUGH_PAIRS


@dataclass(frozen=True)
class SearchSizes:
    """How many rows a piece of a search has. Another block row or sample keeps other parts and, by lists, may choose
    other probes; tiles change nothing but time and memory.

    by_lists: the rows of a block row of an inverted file, and of a tile in it. first_sample_rows, enough_pairs: a
    sample is doubled until it has so many pairs.
    """

    block_rows: int = 4_096
    tile_columns: int = 2_048
    block_rows_by_lists: int = 65_536
    tile_rows_by_lists: int = 4_096
    first_sample_rows: int = 1_024
    enough_pairs: int = ENOUGH_PAIRS


SEARCH_SIZES = SearchSizes()


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
    steps: tuple[str, ...]
    """What is made for each block row, before the search is ready: for all of them the first step, then the next."""

    def make(self, step: str, block: int, seen: Sequence[str]) -> None:
        """Make what a step has for a block row, where it is not there; `seen` as below."""

    def names(self, seen: Sequence[str]) -> list[str]:
        """Get ready to give tiles. What to call the finished pairs of each block row, given digests of the vectors up
        to each one's end.
        """

    def described(self) -> dict[str, Any]:
        """What to report of the search."""

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """For the positions first..last-1, all of one block row, candidates among all positions before each.

        No pair comes twice, and none whose column is not before its row.
        """


class ExactSearch:
    """Every pair: the rows' products with all rows before them."""

    version = "exact 1"
    steps: tuple[str, ...] = ()

    def __init__(
        self,
        vectors: Floats,
        floor: float,
        max_bytes: int,
        spill: Path,
        threads: int | None,
        sizes: SearchSizes = SEARCH_SIZES,
    ) -> None:
        self.block_rows, self._tile_columns = sizes.block_rows, sizes.tile_columns
        self._vectors = vectors
        self._settings = floor, max_bytes, spill, threads

    def make(self, step: str, block: int, seen: Sequence[str]) -> None:
        """See `CandidateSearch`. There is nothing to make."""

    def names(self, seen: Sequence[str]) -> list[str]:
        """See `CandidateSearch`."""
        return list(seen)

    def described(self) -> dict[str, Any]:
        """See `CandidateSearch`."""
        return {"method": "exact", "recall": 1.0}

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """See `CandidateSearch`."""
        rows, factor = np.arange(first, last), self._product.rows(slice(first, last))
        for column in range(0, last, self._tile_columns):
            columns = np.arange(column, min(last, column + self._tile_columns))
            mask = self._product.at_or_above(factor, slice(column, column + len(columns)))
            if columns[-1] >= first:
                mask &= columns < rows[:, None]
            yield Tile(rows, columns, mask)

    @cached_property
    def _product(self) -> Product:
        """Made when the first tile is asked for: often every block row is known."""
        return product_of(self._vectors, None, *self._settings)
