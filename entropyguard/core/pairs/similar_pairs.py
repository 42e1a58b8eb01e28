"""similar_pairs: every pair of rows whose similarity is at or above the floor.

Up to a number of rows every pair is looked at, beyond it those that an inverted file names.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.pairs.block_store import Parts
from entropyguard.core.pairs.candidates import SEARCH_SIZES, CandidateSearch, ExactSearch, SearchSizes
from entropyguard.core.pairs.ivf import IvfSearch
from entropyguard.core.pairs.query_blocks import BlockRows
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.pairs.vectors import Windows, load_vectors
from entropyguard.core.params import SearchParams
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore

PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
"""The columns of `similar_pairs.parquet`."""

SKIPPED = ("empty", "unreadable", "over_long")
"""Why rows take no part: counted, by these names, in the file's metadata."""


@dataclass(frozen=True)
class SimilarCounts:
    """Rows of the embeddings, pairs found, block rows, and how many of these were taken from an earlier search."""

    rows: int
    pairs: int
    blocks: int
    blocks_reused: int


def find_similar_pairs(
    embeddings: Checkpoint,
    out: Path,
    search: SearchParams,
    blocks: PartStore | None,
    max_memory: int,
    progress: Progress,
    threads: int | None = None,
    sizes: SearchSizes = SEARCH_SIZES,
) -> SimilarCounts:
    """Write the pairs with similarity >= `search.floor`, sorted by (row_b, row_a), to `out`.

    Rows that are skipped take no part and are counted in the file's metadata. Finished block rows are kept in `blocks`;
    neither they, nor `max_memory` (bytes), nor `threads` change a byte of `out`.
    """
    spill = out.parent
    with limited(threads), _store(blocks, spill) as store:
        vectors, parts = load_vectors(embeddings, max_memory // 2, spill), Parts(store)
        candidates = _search_of(vectors.windows, search, parts, max_memory // 8, spill, threads, sizes)
        block_rows = BlockRows(vectors.windows, candidates, search.floor, parts, max_memory)
        block_rows.prepare(progress)
        metadata = {
            "rows": vectors.rows,
            **{why: vectors.skipped[why] for why in SKIPPED},
            "search": {"floor": search.floor, **block_rows.described()},
        }
        pairs = _write(out, metadata, vectors.row_ids, block_rows.tables(progress))
        store.prune(parts.used)
    return SimilarCounts(vectors.rows, pairs, block_rows.blocks, block_rows.blocks_reused)


def write_no_pairs(out: Path) -> None:
    """Write a similar_pairs.parquet without rows, for a run without semantic dedup."""
    _write(out, {"rows": 0, **dict.fromkeys(SKIPPED, 0), "search": {"method": "off"}}, np.empty(0, np.int64), [])


def is_exhaustive(rows: int, search: SearchParams) -> bool:
    """Whether every pair of so many rows is looked at: decided by the data's size and the parameters alone."""
    return rows < max(1, search.exact_below_rows) or search.target_recall == 1


def _search_of(
    windows: Windows,
    search: SearchParams,
    parts: Parts,
    max_bytes: int,
    spill: Path,
    threads: int | None,
    sizes: SearchSizes = SEARCH_SIZES,
) -> CandidateSearch:
    """The search that suits so many rows."""
    if is_exhaustive(len(windows.first), search):
        return ExactSearch(windows.first, search.floor, max_bytes, spill, threads, sizes)
    return IvfSearch(windows, search, parts, max_bytes, spill, threads, sizes)


def _write(out: Path, metadata: dict[str, Any], row_ids: Ints, tables: Iterable[pa.Table]) -> int:
    """Write pairs of positions as pairs of row ids; returns how many they are."""
    pairs = 0
    with TableWriter(out, PAIRS, metadata) as writer:
        for table in tables:
            a, b, millionths = (table[name].to_numpy() for name in ("a", "b", "millionths"))
            columns = [row_ids[a], row_ids[b], millionths / MILLIONTHS]
            writer.write(pa.Table.from_arrays([pa.array(column) for column in columns], schema=PAIRS))
            pairs += table.num_rows
    return pairs


@contextlib.contextmanager
def _store(blocks: PartStore | None, folder: Path) -> Iterator[PartStore]:
    """Where finished pieces lie: where they are kept, or only as long as the search takes."""
    if blocks is not None:
        yield blocks
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        yield PartStore(Path(temporary), durable=False)


def limited(threads: int | None) -> contextlib.AbstractContextManager[Any]:
    """The number of threads of the matrix products."""
    if threads is None:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(threads)
    return limits
