"""An inverted file: each row is compared with the rows of the lists nearest to it (IVF).

Sivic & Zisserman, Video Google, 2003; Jegou, Douze & Schmid, Product quantization for nearest neighbor search, 2011.
Not row by row: for each list, the product of all rows of a block row that look into it with its members. A row is a
member of one list, so no pair is found twice; and it is compared with rows before it alone, so that appended rows
change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from entropyguard.core.arrays import Int32s, Ints
from entropyguard.core.pairs.block_store import Parts
from entropyguard.core.pairs.candidates import SEARCH_SIZES, SearchSizes, Tile
from entropyguard.core.pairs.dot_products import Product, Rows, product_of
from entropyguard.core.pairs.quantizer import Quantizer, train, trained_rows
from entropyguard.core.pairs.recall import Sample, choose_probes, measured_recall
from entropyguard.core.pairs.scoring import scored
from entropyguard.core.pairs.vectors import Windows
from entropyguard.core.params import SearchParams

_MOST_SAMPLE_ROWS = 4_096  # a sixteenth of a block row, so the samples cost at most a sixteenth of an exact search
_SEED = 20_031_013
_LISTS, _SAMPLE = "lists", "sample"

ListRows = tuple[int, Int32s, Rows]
"""A list and some rows, ascending, that look into it, with their vectors."""


class IvfSearch:
    """The search of `candidates.CandidateSearch` by lists."""

    steps: tuple[str, ...] = (_LISTS, _SAMPLE)

    def __init__(
        self,
        windows: Windows,
        search: SearchParams,
        parts: Parts,
        max_bytes: int,
        spill: Path,
        threads: int | None,
        sizes: SearchSizes = SEARCH_SIZES,
    ) -> None:
        self.block_rows = sizes.block_rows_by_lists
        self._sizes = sizes
        self._windows = windows
        self._search = search
        self._parts = parts
        self._settings = search.floor, max_bytes, spill, threads
        self._rows = len(windows.first)
        self._lists: Int32s = np.empty(0, dtype=np.int32)
        seen = windows.first[: trained_rows(self._rows)]
        name = xxhash.xxh3_128_hexdigest(seen.data)
        table = parts.get(f"{name}-quantizer-2", lambda: train(seen, threads).to_table())
        self._quantizer = Quantizer.from_table(table)
        trained = xxhash.xxh3_128_hexdigest(self._quantizer.centroids.data)
        self.version = f"ivf 1 {trained} {search.floor!r}"

    def make(self, step: str, block: int, seen: Sequence[str]) -> None:
        """See `CandidateSearch`."""
        if step == _LISTS:
            self._parts.make(f"{seen[block]}-lists", partial(self._lists_of, block))
        else:
            self._take_lists(seen)
            self._parts.make(f"{seen[block]}-sample", partial(self._sampled, block))

    def names(self, seen: Sequence[str]) -> list[str]:
        """See `CandidateSearch`. What the steps make is taken from the parts."""
        self._take_lists(seen)
        self._samples: list[Sample] = []
        self._probes: list[int] = []
        for block, name in enumerate(seen):
            table = self._parts.get(f"{name}-sample", partial(self._sampled, block))
            self._samples.append(Sample.from_table(table))
            probes = choose_probes(self._samples, self._search.target_recall, self._sizes.enough_pairs)
            self._probes.append(min(len(self._ends), probes))
        return [f"{name}-{probes}" for name, probes in zip(seen, self._probes, strict=True)]

    def _take_lists(self, seen: Sequence[str]) -> None:
        """Of every row the list it is in."""
        if not len(self._lists):
            named = enumerate(seen)
            lists = [self._parts.get(f"{name}-lists", partial(self._lists_of, block)) for block, name in named]
            self._lists = pa.concat_tables(lists)["list"].to_numpy()

    def described(self) -> dict[str, Any]:
        """See `CandidateSearch`."""
        numbers = {"lists": len(self._quantizer.centroids), "probes": max(self._probes)}
        return {"method": "ivf", **numbers, **measured_recall(self._samples, self._probes)}

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """See `CandidateSearch`."""
        probes = self._probes[first // self.block_rows]
        for _, tile in self._tiles(self._by_list(first, last, probes), last):
            yield tile

    def _range(self, block: int) -> tuple[int, int]:
        return block * self.block_rows, min(self._rows, (block + 1) * self.block_rows)

    def _lists_of(self, block: int) -> pa.Table:
        first, last = self._range(block)
        return pa.table({"list": self._quantizer.lists(self._windows.first[first:last])})

    @cached_property
    def _order(self) -> Int32s:
        """All positions, list after list, each list's ascending."""
        return np.argsort(self._lists, kind="stable").astype(np.int32)

    @cached_property
    def _product(self) -> Product:
        """Of the vectors in that order; made when the first tile is asked for: often all is known."""
        return product_of(self._windows.first, self._order, *self._settings)

    @cached_property
    def _position_in_lists(self) -> Int32s:
        """Where in that order each position is."""
        position = np.empty_like(self._order)
        position[self._order] = np.arange(self._rows, dtype=np.int32)
        return position

    @cached_property
    def _ends(self) -> Ints:
        """Where in that order each list ends."""
        return np.cumsum(np.bincount(self._lists, minlength=len(self._quantizer.centroids)))

    def _by_list(self, first: int, last: int, probes: int) -> Iterator[ListRows]:
        """Each list with the positions of first..last-1 that look into it."""
        all_rows = self._product.rows(self._position_in_lists[first:last])
        rows, lists = self._looking(first, last, probes)
        order = np.argsort(lists, kind="stable")
        ends = np.cumsum(np.bincount(lists, minlength=len(self._ends)))
        for number, own in enumerate(np.split(rows[order], ends[:-1])):
            for start in range(0, len(own), self._sizes.tile_rows_by_lists):
                some = own[start : start + self._sizes.tile_rows_by_lists]
                yield number, some, self._product.rows(some - first, all_rows)

    def _looking(self, first: int, last: int, probes: int) -> tuple[Int32s, Int32s]:
        """All pairs of a row among first..last-1 and a list it looks into, by row."""
        rows, lists = [], []
        for start in range(first, last, self._sizes.tile_rows_by_lists):
            vectors = self._windows.first[start : min(last, start + self._sizes.tile_rows_by_lists)]
            row, number = np.divmod(np.flatnonzero(self._quantizer.probed(vectors, probes)), len(self._ends))
            rows.append((row + start).astype(np.int32))
            lists.append(number.astype(np.int32))
        return np.concatenate(rows), np.concatenate(lists)

    def _tiles(self, by_list: Iterable[ListRows], last: int) -> Iterator[tuple[int, Tile]]:
        """Each list, with the candidates among its members before `last` for the rows that look into it."""
        for number, rows, factor in by_list:
            end = int(self._ends[number])
            start = int(self._ends[number - 1]) if number else 0
            end = start + int(np.searchsorted(self._order[start:end], last))
            for column in range(start, end, self._sizes.tile_columns_by_lists):
                part = slice(column, min(end, column + self._sizes.tile_columns_by_lists))
                members = self._order[part]
                if members[0] >= rows[-1]:
                    break
                yield number, Tile.of(rows, members, self._product.at_or_above(factor, part))

    def _sampled(self, block: int) -> pa.Table:
        """Rows of a block row, drawn until they have enough pairs, and these pairs."""
        first, last = self._range(block)
        drawn = np.random.RandomState(_SEED).permutation(last - first)[:_MOST_SAMPLE_ROWS]
        sample, size = Sample(np.empty((3, 0), dtype=np.int64), 0, last - first), self._sizes.first_sample_rows
        while sample.rows < len(drawn) and sample.evidence() < self._sizes.enough_pairs:
            rows = np.sort(drawn[sample.rows : size]) + first
            sample = sample.joined(self._ranked(rows.astype(np.int32), last), len(rows))
            size *= 2
        return sample.to_table()

    def _ranked(self, rows: Int32s, last: int) -> Ints:
        """The pairs of some rows with all rows before them, as entries of a `Sample`."""
        scores = self._quantizer.scores(self._windows.first[rows])
        found = [np.empty((3, 0), dtype=np.int64)]
        factor = self._product.rows(self._position_in_lists[rows])
        for number, tile in self._tiles(((number, rows, factor) for number in range(len(self._ends))), last):
            if len(tile.row):
                _, b, _ = scored(self._windows, tile, self._search.floor)
                pairs = np.bincount(np.searchsorted(rows, b), minlength=len(rows))
                row = np.flatnonzero(pairs)
                own = scores[row, number, None]
                rank = np.where(own[:, 0] > 0, (scores[row] > own).sum(axis=1) + 1, scores.shape[1] + 1)
                found.append(np.stack([row, rank, pairs[row]]))
        return np.concatenate(found, axis=1)
