"""near_dedup: which rows say nearly the same in the same words as a row that stays.

A row goes only if no word or number in it was replaced by another, and only for a row that is still there: of what
is similar to each other through a third row nothing goes by that.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.decisions.greedy import Decisions, decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.decisions.write import write_decided
from entropyguard.core.errors import ProcessingError
from entropyguard.core.near.near_pairs import NearPairs
from entropyguard.core.params import KeepParams, NearParams
from entropyguard.core.pool.pool import Pool, where_it_gains
from entropyguard.core.progress import Progress, first_half, second_half, silent
from entropyguard.core.rows.priority import is_input_order, row_priority
from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.words.difference import MILLIONTHS

NEAR_PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
"""The columns of `near_pairs.parquet`, sorted by (row_b, row_a); row_a < row_b."""

FLOOR = 0.75
"""Pairs are stored from this word similarity up, so that another threshold costs decisions alone."""

_POOL_GAINS_ABOVE_ROWS = 100_000


@dataclass(frozen=True)
class NearCounts:
    """rows = kept + dropped. judged: pairs of texts compared now; reused: those whose verdict was stored."""

    rows: int
    kept: int
    dropped: int
    judged: int
    reused: int
    capped_buckets: int


def drop_near_duplicates(
    after_exact: Checkpoint,
    out: Path,
    dropped: Path,
    pairs: Path,
    near: NearParams,
    keep: KeepParams,
    store: PartStore | None,
    max_memory: int,
    progress: Progress,
    pool: Pool,
) -> NearCounts:
    """Write the rows that stay to `out`, the others to `dropped`, both in the order of `after_exact`, and the pairs.

    A dropped row's keeper is the most similar row kept before it (ties: lowest row id). `dropped` and `pairs` say in
    their metadata how many pairs were compared. What was found out of texts is kept in `store`; neither it nor
    `max_memory` (bytes) changes a byte of the files. A threshold of 0 drops nothing, and `out` is `after_exact`.
    """
    if near.threshold == 0:
        return _switched_off(after_exact, out, dropped, pairs)
    rank = None if is_input_order(keep) else row_priority(after_exact, keep)
    pool = where_it_gains(pool, rows=after_exact.rows, above=_POOL_GAINS_ABOVE_ROWS)
    with (
        # A worker may still map a file there, which some network drives then keep under another name for a while.
        tempfile.TemporaryDirectory(dir=out.parent, ignore_cleanup_errors=True) as folder,
        NearPairs(after_exact, near, rank, store, Path(folder), max_memory, pool) as search,
    ):
        metadata = _write_pairs(search, after_exact.row_ids, pairs, min(FLOOR, near.threshold), progress)
    decisions = _decide(after_exact, Checkpoint(pairs), near, rank, max_memory)
    kept = write_decided(after_exact, out, dropped, "near", decisions, metadata, silent)
    rows = after_exact.rows
    progress(rows, rows)
    return NearCounts(rows, kept, rows - kept, search.judged, search.reused, search.capped_buckets)


def decide(
    after_exact: Checkpoint, pairs: Checkpoint, near: NearParams, keep: KeepParams, max_memory: int
) -> Decisions:
    """What `drop_near_duplicates` would drop at `near.threshold`, and for which rows; nothing is written.

    ProcessingError when the pairs were stored from a higher similarity up.
    """
    rank = None if is_input_order(keep) else row_priority(after_exact, keep)
    return _decide(after_exact, pairs, near, rank, max_memory)


def _decide(
    after_exact: Checkpoint, pairs: Checkpoint, near: NearParams, rank: Ints | None, max_memory: int
) -> Decisions:
    floor = pairs.metadata["near"]["floor"]
    if near.threshold < floor:
        raise ProcessingError(
            f"near.threshold is {near.threshold}, but {pairs.path.name} holds pairs from {floor} up. Run with that "
            "threshold: near_dedup then compares the rows again."
        )
    return decide_stars(PairStream(pairs, after_exact.row_ids, near.threshold), after_exact.row_ids, rank, max_memory)


def _write_pairs(search: NearPairs, row_ids: Ints, out: Path, floor: float, progress: Progress) -> dict[str, Any]:
    """Write the pairs that are found; what is said of the search."""
    search.find_candidates(first_half(progress))
    said: dict[str, Any] = {"floor": floor, "capped_buckets": search.capped_buckets}
    with TableWriter(out, NEAR_PAIRS, {"near": said}) as writer:
        for found in search.judge(round(floor * MILLIONTHS), second_half(progress)):
            columns = [row_ids[found.earlier], row_ids[found.later], found.millionths / MILLIONTHS]
            writer.write(pa.Table.from_arrays([pa.array(column) for column in columns], schema=NEAR_PAIRS))
    return {"near": said | {"judged": search.judged + search.reused}}


def _switched_off(after_exact: Checkpoint, out: Path, dropped: Path, pairs: Path) -> NearCounts:
    """Every row stays: the checkpoint is the one before, byte for byte, and there are no pairs."""
    shutil.copyfile(after_exact.path, out)
    for path, schema in ((dropped, DROPPED), (pairs, NEAR_PAIRS)):
        with TableWriter(path, schema, {"near": {"floor": 0.0, "judged": 0, "capped_buckets": 0}}):
            pass
    return NearCounts(after_exact.rows, after_exact.rows, 0, 0, 0, 0)
