"""similar_pairs: every pair of rows whose similarity is at or above the floor.

Up to a number of rows every pair is looked at, beyond it those that an inverted file names.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.pairs.block_store import Parts, shard_tables
from entropyguard.core.pairs.candidates import SEARCH_SIZES, SearchSizes
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.pairs.unit import PAIRS as PAIRS_STEP
from entropyguard.core.pairs.unit import Search, SearchUnit, SearchWork
from entropyguard.core.params import SearchParams
from entropyguard.core.pool.parts import results_of
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.shares import Shares
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore, kept_or_temporary

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
    params: SearchParams,
    blocks: PartStore | None,
    max_memory: int,
    progress: Progress,
    pool: Pool,
    threads: int | None = None,
    sizes: SearchSizes = SEARCH_SIZES,
) -> SimilarCounts:
    """Write the pairs with similarity >= `params.floor`, sorted by (row_b, row_a), to `out`.

    Rows that are skipped take no part and are counted in the file's metadata. Finished block rows are kept in `blocks`;
    neither they, nor `max_memory` (bytes), nor `threads`, nor the pool change a byte of `out`.
    """
    with limited(threads), kept_or_temporary(blocks, out.parent) as store:
        search, parts = Search(embeddings.path, params, store.folder, max_memory, threads, sizes), Parts(store)
        vectors, block_rows = search.opened(parts, out.parent)
        work, numbers = SearchWork(search, block_rows), range(len(block_rows.ranges))
        # A block row is compared with itself and all before it.
        shares = Shares(progress, len(numbers) * (len(numbers) + 1) // 2)
        heard = lambda unit, share: shares.add(unit.block, share * (unit.block + 1))  # noqa: E731  no more to say
        for step in block_rows.steps:
            deque(pool.map(work, [SearchUnit(step, block) for block in numbers], threaded=True), maxlen=0)
        stored = {name: block_rows.stored(block) for block, name in enumerate(block_rows.names)}
        units = [SearchUnit(PAIRS_STEP, block, *named) for block, named in enumerate(stored.items())]
        finished = {name: block.paths for name, block in stored.items() if block.whole}
        metadata = {
            "rows": vectors.rows,
            **{why: vectors.skipped[why] for why in SKIPPED},
            "search": {"floor": params.floor, **block_rows.described()},
        }
        made = results_of(pool, work, units, finished, heard, threaded=True)
        pairs = _write(out, metadata, vectors.row_ids, _pieces(made, parts))
        store.prune(parts.used)
    return SimilarCounts(vectors.rows, pairs, len(units), len(finished))


def write_no_pairs(out: Path) -> None:
    """Write a similar_pairs.parquet without rows, for a run without semantic dedup."""
    _write(out, {"rows": 0, **dict.fromkeys(SKIPPED, 0), "search": {"method": "off"}}, np.empty(0, np.int64), [])


def _pieces(made: Iterable[tuple[list[Path], bool]], parts: Parts) -> Iterator[pa.Table]:
    """The pairs of all block rows by (b, a), as tables of positions."""
    for paths, _ in made:
        parts.used.update(paths)
        for path in paths:
            yield from shard_tables(path)


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


def limited(threads: int | None) -> contextlib.AbstractContextManager[Any]:
    """The number of threads of the matrix products."""
    if threads is None:
        return contextlib.nullcontext()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(threads)
    return limits
