"""similar_pairs: every pair of rows whose similarity is at or above the floor.

Up to a number of rows every pair is looked at, beyond it those that an inverted file names. Where the stored
vectors are rounded, the search goes below the floor by as much, and each pair found is scored from float32 vectors.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import InternalError
from entropyguard.core.pairs.block_store import Parts
from entropyguard.core.pairs.candidates import SEARCH_SIZES, CandidateSearch, ExactSearch, SearchSizes
from entropyguard.core.pairs.ivf import IvfSearch
from entropyguard.core.pairs.query_blocks import BlockRows
from entropyguard.core.pairs.rescoring import Candidates, ExactVectors, rescore, rescored_tables
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.pairs.vectors import Vectors, Windows, load_vectors
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
    exact_vectors: ExactVectors | None = None,
    sizes: SearchSizes = SEARCH_SIZES,
) -> SimilarCounts:
    """Write the pairs with similarity >= `search.floor`, sorted by (row_b, row_a), to `out`.

    Rows that are skipped take no part and are counted in the file's metadata. Finished block rows are kept in `blocks`;
    neither they, nor `max_memory` (bytes), nor `threads` change a byte of `out`. `exact_vectors` is asked only where
    the embeddings are rounded.
    """
    with limited(threads), _store(blocks, out.parent) as store:
        work = _Work(search, Parts(store), max_memory, out.parent, threads, sizes)
        vectors = load_vectors(embeddings, max_memory // 2, out.parent)
        if vectors.rounding == 0:
            counts = work.write_pairs(vectors, out, progress)
        else:
            candidates, metadata, found = work.find_candidates(vectors, progress)
            del vectors  # their memory is needed for those in float32
            counts = replace(found, pairs=work.write_rescored(candidates, metadata, out, exact_vectors))
        store.prune(work.parts.used)
    return counts


def write_no_pairs(out: Path) -> None:
    """Write a similar_pairs.parquet without rows, for a run without semantic dedup."""
    _write(out, {"rows": 0, **dict.fromkeys(SKIPPED, 0), "search": {"method": "off"}}, np.empty(0, np.int64), [])


def is_exhaustive(rows: int, search: SearchParams) -> bool:
    """Whether every pair of so many rows is looked at: decided by the data's size and the parameters alone."""
    return rows < max(1, search.exact_below_rows) or search.target_recall == 1


def search_of(
    windows: Windows,
    search: SearchParams,
    floor: float,
    parts: Parts,
    max_bytes: int,
    spill: Path,
    threads: int | None,
    sizes: SearchSizes = SEARCH_SIZES,
) -> CandidateSearch:
    """The search that suits so many rows; `floor` may be below that of the pairs wanted."""
    if is_exhaustive(len(windows.first), search):
        return ExactSearch(windows.first, floor, max_bytes, spill, threads, sizes)
    return IvfSearch(windows, search, floor, parts, max_bytes, spill, threads, sizes)


@dataclass(frozen=True)
class _Work:
    """One run of the stage. spill: a folder for what does not fit in memory."""

    search: SearchParams
    parts: Parts
    max_memory: int
    spill: Path
    threads: int | None
    sizes: SearchSizes

    def write_pairs(self, vectors: Vectors, out: Path, progress: Progress) -> SimilarCounts:
        """Search float32 vectors and write the pairs."""
        block_rows = self._block_rows(vectors.windows, self.search.floor, progress)
        metadata = self._metadata(vectors, block_rows)
        pairs = _write(out, metadata, vectors.row_ids, block_rows.tables(progress))
        return SimilarCounts(vectors.rows, pairs, block_rows.blocks, block_rows.blocks_reused)

    def find_candidates(self, vectors: Vectors, progress: Progress) -> tuple[Candidates, dict[str, Any], SimilarCounts]:
        """Search rounded vectors; besides the candidates, the file's about and the counts so far."""
        # The two were rounded to millionths, each by half of one.
        block_rows = self._block_rows(vectors.windows, self.search.floor - vectors.rounding - 1 / MILLIONTHS, progress)
        taken = np.zeros(len(vectors.row_ids), dtype=np.bool_)
        for table in block_rows.tables(progress):
            taken[table["a"].to_numpy()] = taken[table["b"].to_numpy()] = True
        candidates = Candidates(
            block_rows.shards,
            block_rows.pairs,
            taken,
            vectors.row_ids,
            vectors.rows_of,
            np.diff(vectors.windows.starts),
            vectors.rows,
            vectors.windows.first.shape[1],
        )
        counts = SimilarCounts(vectors.rows, block_rows.pairs, block_rows.blocks, block_rows.blocks_reused)
        return candidates, self._metadata(vectors, block_rows), counts

    def write_rescored(
        self, candidates: Candidates, metadata: dict[str, Any], out: Path, exact_vectors: ExactVectors | None
    ) -> int:
        """Write the candidates that float32 has at or above the floor; returns how many they are."""
        if exact_vectors is None:
            raise InternalError(
                "embeddings.parquet holds rounded vectors: similar_pairs needs the texts and the model."
            )
        rescored = rescore(candidates, exact_vectors, self.max_memory // 2, self.spill)
        metadata["search"] |= {
            "candidates": candidates.pairs,
            "rescored_rows": rescored.rows,
            "largest_rounding": rescored.largest_rounding,
        }
        return _write(out, metadata, candidates.row_ids, rescored_tables(candidates, rescored, self.search.floor))

    def _block_rows(self, windows: Windows, floor: float, progress: Progress) -> BlockRows:
        method = search_of(
            windows, self.search, floor, self.parts, self.max_memory // 8, self.spill, self.threads, self.sizes
        )
        block_rows = BlockRows(windows, method, floor, self.parts, self.max_memory)
        block_rows.prepare(progress)
        return block_rows

    def _metadata(self, vectors: Vectors, block_rows: BlockRows) -> dict[str, Any]:
        return {
            "rows": vectors.rows,
            **{why: vectors.skipped[why] for why in SKIPPED},
            "search": {"floor": self.search.floor, **block_rows.described()},
        }


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
