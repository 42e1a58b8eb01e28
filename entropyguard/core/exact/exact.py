"""exact_dedup: of the rows whose normalised texts have equal 128-bit hashes, the first in priority order is kept.

Only hashes and ranks are in memory; rows stream through. ingest has hashed the texts while it had them at hand; only
where `exact.*` asks for another normalisation than the usual one are they decoded and hashed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Bools, Hashes, Ints, first_of_each
from entropyguard.core.params import ExactParams, KeepParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows import hashes as row_hashes
from entropyguard.core.rows.priority import is_input_order, row_priority
from entropyguard.core.rows.schemas import COLUMNS, DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.row_filter import keep_rows

NO_PART = -1
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


def mark_exact_duplicates(
    hashes: Hashes, rank: Ints | None = None, takes_part: Bools | None = None, chunk_rows: int = 1 << 22
) -> Ints:
    """The index of each row's keeper, itself where the row is kept, NO_PART where `takes_part` is False.

    `hashes` has shape (rows, 2), two halves of 128 bits. The keeper is the row of lowest `rank` among the rows of
    equal hash; without ranks, which are all different, the first. Beside its arguments it holds 9 bytes a row, and
    more for `chunk_rows` rows at a time.
    """
    rows = len(hashes)
    keeper = np.arange(rows, dtype=np.int64)
    starts = range(0, rows, chunk_rows)
    for start in starts:
        chunk = np.arange(start, min(rows, start + chunk_rows))
        _resolve(chunk if takes_part is None else chunk[takes_part[chunk]], hashes, rank, keeper)
    if len(starts) > 1:
        # A hash is left at most once per chunk, so even a million equal rows make no partition large.
        for members in _partitions(hashes, keeper, takes_part, chunk_rows):
            _resolve(members, hashes, rank, keeper)
        for start in starts:
            keeper[start : start + chunk_rows] = keeper[keeper[start : start + chunk_rows]]
    if takes_part is not None:
        keeper[~takes_part] = NO_PART
    return keeper


def _resolve(rows: Ints, hashes: Hashes, rank: Ints | None, keeper: Ints) -> None:
    """Set `keeper` for these rows (ascending), looking at nothing but them."""
    high = hashes[rows, 0]
    order = np.argsort(high)
    high = high[order]
    same = high[1:] == high[:-1]
    shared = np.zeros(len(rows), dtype=np.bool_)
    shared[1:] |= same
    shared[:-1] |= same
    rows = rows[order[shared]]
    if not len(rows):
        return
    opens = first_of_each(hashes[rows, 0])
    if not np.array_equal(opens, first_of_each(hashes[rows, 0], hashes[rows, 1])):
        # Half a hash is shared by texts that differ, which chance hardly brings about: all 128 bits are worth sorting.
        rows = rows[np.lexsort((hashes[rows, 1], hashes[rows, 0]))]
        opens = first_of_each(hashes[rows, 0], hashes[rows, 1])
    starts = np.flatnonzero(opens)
    sizes = np.diff(starts, append=len(rows))
    ranks = rows if rank is None else rank[rows]
    lowest = np.repeat(np.minimum.reduceat(ranks, starts), sizes)
    keeper[rows] = np.repeat(rows[ranks == lowest], sizes)


def _partitions(hashes: Hashes, keeper: Ints, takes_part: Bools | None, chunk_rows: int) -> Iterator[Ints]:
    """The rows that are still their own keepers, cut by the top bits of their hashes into as many parts as chunks."""
    bits = max(1, (len(hashes) // chunk_rows).bit_length())
    for partition in range(1 << bits):
        found = []
        for start in range(0, len(hashes), chunk_rows):
            part = slice(start, start + chunk_rows)
            here = hashes[part, 0] >> np.uint64(64 - bits) == np.uint64(partition)
            here &= keeper[part] == np.arange(start, start + len(here))
            if takes_part is not None:
                here &= takes_part[part]
            found.append(np.flatnonzero(here) + start)
        yield np.concatenate(found)


def drop_exact_duplicates(
    ingested: Checkpoint, out: Path, dropped: Path, exact: ExactParams, keep: KeepParams, progress: Progress
) -> ExactCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of row ids.

    A row whose normalised text has fewer than `exact.min_length` characters is dropped and is nobody's keeper. One
    without a letter, digit or symbol has none; where no length is asked for it stays, and is nobody's duplicate:
    empty texts say nothing of the other columns. `dropped` says in its metadata how many these are.
    Memory: 1.5 GB and 40 bytes a row. DataFormatError for a source column that no row has.
    """
    if keep.source_column:
        from entropyguard.core.rows.source_column import check_source_column

        check_source_column(ingested, keep.source_column)  # sources come last: a wrong name is reported before the work
    rank = None if is_input_order(keep) else row_priority(ingested, keep)
    if row_hashes.are_stored(ingested, exact):
        hashes, lengths = row_hashes.stored(ingested)
    else:
        hashes, lengths = row_hashes.taken_anew(ingested, exact, lambda done, rows: progress(done // 2, rows))
        progress = _second_half(progress)
    takes_part = lengths >= max(1, exact.min_length)
    del lengths
    keeper = mark_exact_duplicates(hashes, rank, None if takes_part.all() else takes_part)
    del hashes, rank
    silent_rows = np.flatnonzero(~takes_part) if exact.min_length == 0 else np.empty(0, dtype=np.int64)
    keeper[silent_rows] = silent_rows
    return _write(ingested, out, dropped, keeper, len(silent_rows), progress)


def _second_half(progress: Progress) -> Progress:
    return lambda done, rows: progress((done + (rows or 0)) // 2, rows)


def _write(
    ingested: Checkpoint, out: Path, dropped: Path, keeper: Ints, nothing_to_compare: int, progress: Progress
) -> ExactCounts:
    stays = keeper == np.arange(len(keeper))
    metadata = {name: value for name, value in ingested.metadata.items() if name not in _OF_INGESTED_ALONE}
    keep_rows(ingested, out, COLUMNS, metadata, stays, progress)
    with TableWriter(dropped, DROPPED, {"nothing_to_compare": nothing_to_compare}) as writer:
        for start in range(0, len(keeper), _DROPPED_TOGETHER):
            lost = np.flatnonzero(~stays[start : start + _DROPPED_TOGETHER]) + start
            writer.write(_dropped(lost, keeper, ingested.row_ids))
    rows, kept, short = len(keeper), int(stays.sum()), int((keeper == NO_PART).sum())
    return ExactCounts(rows, kept, short, rows - kept - short, nothing_to_compare)


def _dropped(rows: Ints, keeper: Ints, row_ids: Ints) -> pa.Table:
    """Rows of `dropped/exact.parquet`."""
    short = keeper[rows] == NO_PART
    return pa.Table.from_arrays(
        [
            pa.array(row_ids[rows]),
            pc.if_else(pa.array(short), "min_length", "exact"),
            pa.array(row_ids[keeper[rows]], mask=short),
            pa.nulls(len(rows), pa.float64()),
        ],
        schema=DROPPED,
    )
