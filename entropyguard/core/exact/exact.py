"""exact_dedup: of the rows whose normalised texts have equal 128-bit hashes, the first in priority order is kept.

Only hashes and ranks are in memory; rows stream through. ingest has hashed the texts while it had them at hand; only
where `exact.*` asks for another normalisation than the usual one are they decoded and hashed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Ints
from entropyguard.core.exact.mark import NO_PART, mark_exact_duplicates
from entropyguard.core.exact.partitions import PARTITION_ROWS, Equal, find_equal
from entropyguard.core.params import ExactParams, KeepParams
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress, first_half, second_half
from entropyguard.core.rows import hashes as row_hashes
from entropyguard.core.rows.priority import is_input_order, row_priority
from entropyguard.core.rows.schemas import COLUMNS, DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.row_filter import keep_rows

_DROPPED_TOGETHER = 1 << 20
_OF_INGESTED_ALONE = ("hashed", "scripts")  # what its metadata says of columns that stay behind


@dataclass(frozen=True)
class ExactCounts:
    """rows = kept + min_length + exact; of those kept, so many hold nothing to compare."""

    rows: int
    kept: int
    min_length: int
    exact: int
    nothing_to_compare: int = 0


def drop_exact_duplicates(
    ingested: Checkpoint,
    out: Path,
    dropped: Path,
    exact: ExactParams,
    keep: KeepParams,
    progress: Progress,
    spread: Spread | None = None,
    partition_rows: int = PARTITION_ROWS,
) -> ExactCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of row ids.

    A row whose normalised text has fewer than `exact.min_length` characters is dropped and is nobody's keeper. One
    without a letter, digit or symbol has none; where no length is asked for it stays, and is nobody's duplicate:
    empty texts say nothing of the other columns. `dropped` says in its metadata how many these are.
    Memory: 1.5 GB and 40 bytes a row; 25, and 40 for one that goes, where the hashes of more than `partition_rows` rows
    are compared in units: with `spread`, if the order of the input decides. DataFormatError for a source column that
    no row has.
    """
    if keep.source_column:
        from entropyguard.core.rows.source_column import check_source_column

        check_source_column(ingested, keep.source_column)  # sources come last: a wrong name is reported before the work
    rank = None if is_input_order(keep) else row_priority(ingested, keep)
    if spread and rank is None and ingested.rows > partition_rows and row_hashes.are_stored(ingested, exact):
        equal = find_equal(ingested, max(1, exact.min_length), spread, partition_rows)
        return _write_equal(ingested, out, dropped, equal, progress, silent_stay=exact.min_length == 0)
    if row_hashes.are_stored(ingested, exact):
        hashes, lengths = row_hashes.stored(ingested)
    else:
        hashes, lengths = row_hashes.taken_anew(ingested, exact, first_half(progress))
        progress = second_half(progress)
    takes_part = lengths >= max(1, exact.min_length)
    del lengths
    keeper = mark_exact_duplicates(hashes, rank, None if takes_part.all() else takes_part)
    del hashes, rank
    silent_rows = np.flatnonzero(~takes_part) if exact.min_length == 0 else np.empty(0, dtype=np.int64)
    keeper[silent_rows] = silent_rows
    return _write(ingested, out, dropped, keeper, len(silent_rows), progress)


def _write_equal(
    ingested: Checkpoint, out: Path, dropped: Path, equal: Equal, progress: Progress, *, silent_stay: bool
) -> ExactCounts:
    """As `_write`, from the rows that go alone."""
    short = np.empty(0, dtype=np.int64) if silent_stay else equal.short
    lost, keepers = equal.lost, equal.keepers
    if len(short):
        order = np.argsort(np.concatenate([lost, short]), kind="stable")
        lost = np.concatenate([lost, short])[order]
        keepers = np.concatenate([keepers, np.full(len(short), NO_PART)])[order]
    stays = np.ones(ingested.rows, dtype=np.bool_)
    stays[np.searchsorted(ingested.row_ids, lost)] = False
    del ingested.row_ids  # 8 bytes a row, which writing does not need
    nothing_to_compare = len(equal.short) if silent_stay else 0
    keep_rows(ingested, out, COLUMNS, _metadata(ingested), stays, progress)
    with TableWriter(dropped, DROPPED, {"nothing_to_compare": nothing_to_compare}) as writer:
        for start in range(0, len(lost), _DROPPED_TOGETHER):
            part = slice(start, start + _DROPPED_TOGETHER)
            writer.write(_dropped(lost[part], keepers[part]))
    rows = ingested.rows
    return ExactCounts(rows, rows - len(lost), len(short), len(equal.lost), nothing_to_compare)


def _metadata(ingested: Checkpoint) -> dict[str, Any]:
    return {name: value for name, value in ingested.metadata.items() if name not in _OF_INGESTED_ALONE}


def _write(
    ingested: Checkpoint, out: Path, dropped: Path, keeper: Ints, nothing_to_compare: int, progress: Progress
) -> ExactCounts:
    stays = keeper == np.arange(len(keeper))
    keep_rows(ingested, out, COLUMNS, _metadata(ingested), stays, progress)
    with TableWriter(dropped, DROPPED, {"nothing_to_compare": nothing_to_compare}) as writer:
        for start in range(0, len(keeper), _DROPPED_TOGETHER):
            lost = np.flatnonzero(~stays[start : start + _DROPPED_TOGETHER]) + start
            keepers = np.where(keeper[lost] == NO_PART, NO_PART, ingested.row_ids[keeper[lost]])
            writer.write(_dropped(ingested.row_ids[lost], keepers))
    rows, kept, short = len(keeper), int(stays.sum()), int((keeper == NO_PART).sum())
    return ExactCounts(rows, kept, short, rows - kept - short, nothing_to_compare)


def _dropped(row_ids: Ints, keepers: Ints) -> pa.Table:
    """Rows of `dropped/exact.parquet`."""
    short = keepers == NO_PART
    return pa.Table.from_arrays(
        [
            pa.array(row_ids),
            pc.if_else(pa.array(short), "min_length", "exact"),
            pa.array(keepers, mask=short),
            pa.nulls(len(row_ids), pa.float64()),
        ],
        schema=DROPPED,
    )
