"""similar_pairs: every pair of rows whose similarity is at or above the floor.

The rows that take part are cut into block rows of 4,096 positions; a block row holds the pairs of its positions with
all positions before them. So half the square is searched, appended rows touch no earlier block row, and a
finished block row can be kept under a name that stands for all the vectors it saw.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from entropyguard.core.candidates import CandidateSearch, ExactSearch, Tile
from entropyguard.core.params import SearchParams
from entropyguard.core.parquet import TableWriter
from entropyguard.core.parts import PartStore
from entropyguard.core.progress import Progress
from entropyguard.core.search_parts import StoredBlock, in_pieces, stripe_table, stripe_tables
from entropyguard.core.similarity import MILLIONTHS, block_similarity, pair_similarity
from entropyguard.core.vectors import Floats, Vectors, load_vectors

BLOCK_ROWS = 4_096
PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
"""The columns of `similar_pairs.parquet`."""

_PAIR_BYTES = 64  # of work for one pair while a stripe is sorted
_DENSE = 1 / 256  # of a tile: from here on scoring all of it takes less time than picking vectors one by one
_SLICE_ROWS = 128

Pairs = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class SimilarCounts:
    """Rows of the embeddings, pairs found, block rows, and how many of these were taken from an earlier search."""

    rows: int
    pairs: int
    blocks: int
    blocks_reused: int


def find_similar_pairs(
    embeddings: Path,
    out: Path,
    search: SearchParams,
    blocks: PartStore | None,
    max_memory: int,
    progress: Progress,
    threads: int | None = None,
) -> SimilarCounts:
    """Write all pairs with similarity >= `search.floor`, sorted by (row_b, row_a), to `out`.

    Rows that are skipped take no part and are counted in the file's about. Finished block rows are kept in `blocks`;
    neither they, nor `max_memory` (bytes), nor `threads` change a byte of `out`.
    """
    with load_vectors(embeddings, max_memory // 2, out.parent) as vectors, _limited(threads):
        about = {
            "rows": vectors.rows,
            "unreadable": vectors.skipped["unreadable"],
            "over_long": vectors.skipped["over_long"],
            "search": {"floor": search.floor, "method": "exact", "recall": 1.0},
        }
        run = _Search(vectors, search.floor, blocks, max_memory, threads)
        with TableWriter(out, PAIRS, about) as writer:
            for table in run.tables(progress):
                writer.write(_with_row_ids(table, vectors.row_ids))
        if blocks is not None:
            blocks.prune(run.used)
    return SimilarCounts(vectors.rows, run.pairs, run.blocks, run.blocks_reused)


class _Search:
    """One search over all block rows, and what it has counted so far."""

    def __init__(
        self, vectors: Vectors, floor: float, blocks: PartStore | None, max_memory: int, threads: int | None
    ) -> None:
        self._vectors = vectors.matrix
        self._floor = floor
        self._store = blocks
        self._max_memory = max_memory
        self._threads = threads
        # A stripe can always take one row with all others as its neighbours.
        self._limit = max(min(max_memory // 4 // _PAIR_BYTES, 1 << 24), len(vectors.row_ids))
        self._candidates: CandidateSearch | None = None
        self.blocks = -(-len(vectors.row_ids) // BLOCK_ROWS)
        self.pairs = self.blocks_reused = 0
        self.used: set[Path] = set()

    def tables(self, progress: Progress) -> Iterator[pa.Table]:
        """The pairs of all block rows, as tables of positions."""
        seen = xxhash.xxh3_128(f"{ExactSearch.version} {self._floor!r} {self._vectors.shape[1]}".encode())
        for block in range(self.blocks):
            first, last = block * BLOCK_ROWS, min(len(self._vectors), (block + 1) * BLOCK_ROWS)
            seen.update(self._vectors[first:last].data)
            for table in self._block_row(seen.hexdigest(), first, last):
                self.pairs += table.num_rows
                yield table
            progress((block + 1) * (block + 2) // 2, self.blocks * (self.blocks + 1) // 2)

    def _block_row(self, name: str, first: int, last: int) -> Iterator[pa.Table]:
        stored = StoredBlock.find(self._store, name, first, last)
        self.used.update(stored.paths)
        self.blocks_reused += stored.end == last
        for path in stored.paths:
            yield from stripe_tables(path)
        if stored.end < last:
            for start, end, pairs in self._stripes(stored.end, last, self._limit):
                table = stripe_table(pairs, start, end)
                if self._store is not None:
                    self.used.add(self._store.put(name, table))
                yield from in_pieces(table)

    def _stripes(self, first: int, last: int, limit: float) -> Iterator[tuple[int, int, Pairs]]:
        """The pairs of positions first..last-1, in stripes of rows with at most `limit` candidates each."""
        if self._candidates is None:
            self._candidates = ExactSearch(self._vectors, self._floor, self._max_memory // 8, self._threads)
        counts = np.zeros(last - first, dtype=np.int64)
        found: list[Pairs] = []
        fits = True
        for tile in self._candidates.tiles(first, last):
            if not np.count_nonzero(tile.mask):  # as most tiles are, and this is the quickest way to know
                continue
            counts += np.count_nonzero(tile.mask, axis=1)
            fits = fits and int(counts.sum()) <= limit
            if fits:
                found.append(scored(self._vectors, tile, self._floor))
            else:  # go on counting, so that the next pass fits
                found.clear()
        if fits:
            yield first, last, _sorted(found, first)
            return
        for start, end in _cuts(counts, self._limit):
            yield from self._stripes(first + start, first + end, np.inf)


def scored(vectors: Floats, tile: Tile, floor: float) -> Pairs:
    """The pairs of a tile that are at or above the floor: (a, b, similarity in millionths), by (b, a)."""
    count = np.count_nonzero(tile.mask)
    if count <= tile.mask.size * _DENSE:
        rows, columns = np.divmod(np.flatnonzero(tile.mask), tile.mask.shape[1])  # nonzero takes fifty times as long
        return _kept(vectors, rows + tile.row, columns + tile.column, floor)
    slices = [_scored_slice(vectors, tile, start, floor) for start in range(0, len(tile.mask), _SLICE_ROWS)]
    return _joined(slices)


def _kept(vectors: Floats, b: npt.NDArray[np.int64], a: npt.NDArray[np.int64], floor: float) -> Pairs:
    similarity = pair_similarity(vectors, a, b)
    keep = similarity / MILLIONTHS >= floor
    return a[keep].astype(np.int32), b[keep].astype(np.int32), similarity[keep]


def _scored_slice(vectors: Floats, tile: Tile, start: int, floor: float) -> Pairs:
    mask = tile.mask[start : start + _SLICE_ROWS]
    row = tile.row + start
    columns = vectors[tile.column : tile.column + mask.shape[1]]
    similarity = block_similarity(vectors[row : row + len(mask)], columns)
    rows, found = np.nonzero(mask & (similarity / MILLIONTHS >= floor))
    return (found + tile.column).astype(np.int32), (rows + row).astype(np.int32), similarity[rows, found]


def _joined(found: list[Pairs]) -> Pairs:
    a, b, similarity = zip(*found, strict=True)
    return np.concatenate(a), np.concatenate(b), np.concatenate(similarity)


def _sorted(found: list[Pairs], first: int) -> Pairs:
    """All pairs of a stripe by (b, a); the tiles came by ascending a."""
    if not found:
        nothing = np.empty(0, dtype=np.int32)
        return nothing, nothing, nothing
    a, b, similarity = _joined(found)
    order = np.argsort((b - first).astype(np.uint16), kind="stable")
    return a[order], b[order], similarity[order]


def _cuts(counts: npt.NDArray[np.int64], limit: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, each of one row or of as many as stay within `limit`."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield start, end
        start = end


def _with_row_ids(table: pa.Table, row_ids: npt.NDArray[np.int64]) -> pa.Table:
    columns = [row_ids[table["a"].to_numpy()], row_ids[table["b"].to_numpy()], table["millionths"].to_numpy() / 1e6]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=PAIRS)


def _limited(threads: int | None) -> contextlib.AbstractContextManager[Any]:
    """The number of threads of the matrix products."""
    if threads is None:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(threads)
    return limits
