"""near_dedup: which rows have almost the same words as a row that stays. It keeps every row as yet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from entropyguard.core.decisions.greedy import Decisions
from entropyguard.core.params import KeepParams, NearParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore

NEAR_PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
_FLOOR = 0.75


@dataclass(frozen=True)
class NearCounts:
    """rows = kept + dropped; judged: pairs that were compared now, reused: whose verdict was stored."""

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
    keep: KeepParams,  # noqa: ARG001
    store: PartStore | None,  # noqa: ARG001
    max_memory: int,  # noqa: ARG001
    progress: Progress,
) -> NearCounts:
    """Write the rows that stay to `out`, the others to `dropped`, the pairs they were decided from to `pairs`."""
    about = {"near": {"floor": min(_FLOOR, near.threshold), "judged": 0, "capped_buckets": 0}}
    shutil.copyfile(after_exact.path, out)
    for path, schema in ((dropped, DROPPED), (pairs, NEAR_PAIRS)):
        with TableWriter(path, schema, about):
            pass
    progress(after_exact.rows, after_exact.rows)
    return NearCounts(after_exact.rows, after_exact.rows, 0, 0, 0, 0)


def decide(
    after_exact: Checkpoint,
    pairs: Checkpoint,  # noqa: ARG001
    near: NearParams,  # noqa: ARG001
    keep: KeepParams,  # noqa: ARG001
    max_memory: int,  # noqa: ARG001
) -> Decisions:
    """What `drop_near_duplicates` would drop, and for which rows; nothing is written."""
    return Decisions(after_exact.row_ids)
