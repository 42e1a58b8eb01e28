"""exact_dedup: of the rows whose normalised texts have equal 128-bit hashes, the first in priority order is kept.

Only hashes and ranks are in memory; texts stream through twice, once to be hashed and once to be filtered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.batches import ahead
from entropyguard.core.params import ExactParams, KeepParams
from entropyguard.core.parquet import TableWriter, group_rows, open_parquet, read_about, read_slices, read_tables
from entropyguard.core.priority import is_input_order, row_priority
from entropyguard.core.progress import Progress

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

DROPPED = pa.schema(
    [
        ("row_id", pa.int64()),
        ("reason", pa.string()),
        ("keeper_row_id", pa.int64()),
        ("similarity", pa.float64()),
    ]
)
"""The columns of `dropped/*.parquet`."""

NO_PART = -1
_CHUNK_ROWS = 1 << 20
_PARTITION_ROWS = 1 << 22
_MOST_THREADS = 4  # each of them holds a slice of texts in half a dozen forms


@dataclass(frozen=True)
class ExactCounts:
    """rows = kept + min_length + exact."""

    rows: int
    kept: int
    min_length: int
    exact: int


def mark_exact_duplicates(hashes: Hashes, rank: Ints | None = None, takes_part: Flags | None = None) -> Ints:
    """The index of each row's keeper, itself where the row is kept, NO_PART where `takes_part` is False.

    `hashes` has shape (rows, 2), two halves of 128 bits. The keeper is the row of lowest `rank` among the rows of
    equal hash; without ranks, the first. Works in slices: beside its arguments it holds 9 bytes a row.
    """
    rows = len(hashes)
    keeper = np.arange(rows, dtype=np.int64)
    starts = range(0, rows, _CHUNK_ROWS)
    for start in starts:
        chunk = np.arange(start, min(rows, start + _CHUNK_ROWS))
        _resolve(chunk if takes_part is None else chunk[takes_part[chunk]], hashes, rank, keeper)
    if len(starts) > 1:
        # A hash is left at most once per chunk, so even a million equal rows make no partition large.
        for members in _partitions(hashes, keeper, takes_part):
            _resolve(members, hashes, rank, keeper)
        for start in starts:
            keeper[start : start + _CHUNK_ROWS] = keeper[keeper[start : start + _CHUNK_ROWS]]
    if takes_part is not None:
        keeper[~takes_part] = NO_PART
    return keeper


def _resolve(rows: Ints, hashes: Hashes, rank: Ints | None, keeper: Ints) -> None:
    """Set `keeper` for these rows (ascending), looking at nothing but them."""
    first = hashes[rows, 0]
    order = np.argsort(first)
    same = first[order[1:]] == first[order[:-1]]
    shared = np.zeros(len(rows), dtype=np.bool_)
    shared[1:] |= same
    shared[:-1] |= same
    rows = np.sort(rows[order[shared]])  # few: sorting all 128 bits of every row would take several times as long
    if not len(rows):
        return
    high, low = hashes[rows, 0], hashes[rows, 1]
    order = np.lexsort((rows if rank is None else rank[rows], low, high))
    high, low, rows = high[order], low[order], rows[order]
    opens = np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])])
    keeper[rows] = rows[np.maximum.accumulate(np.where(opens, np.arange(len(rows)), 0))]


def _partitions(hashes: Hashes, keeper: Ints, takes_part: Flags | None) -> Iterator[Ints]:
    """The rows that are still their own keepers, cut by the top bits of their hashes."""
    bits = max(1, (len(hashes) // _PARTITION_ROWS).bit_length())
    for partition in range(1 << bits):
        found = []
        for start in range(0, len(hashes), _CHUNK_ROWS):
            part = slice(start, start + _CHUNK_ROWS)
            here = hashes[part, 0] >> np.uint64(64 - bits) == np.uint64(partition)
            here &= keeper[part] == np.arange(start, start + len(here))
            if takes_part is not None:
                here &= takes_part[part]
            found.append(np.flatnonzero(here) + start)
        yield np.concatenate(found)


def drop_exact_duplicates(
    ingested: Path, out: Path, dropped: Path, exact: ExactParams, keep: KeepParams, progress: Progress
) -> ExactCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of `ingested`.

    A row whose normalised text has fewer than `exact.min_length` characters is dropped and is nobody's keeper.
    Memory: 1.5 GB and 40 bytes a row. DataFormatError for a source column that no row has.
    """
    if keep.source_column:
        from entropyguard.core.sources import check_source_column

        check_source_column(ingested, keep.source_column)  # the losses come last: a wrong name is told before the work
    rank = None if is_input_order(keep) else row_priority(ingested, keep)
    hashes, long_enough = _hash_texts(ingested, exact, progress)
    keeper = mark_exact_duplicates(hashes, rank, long_enough)
    del hashes, long_enough, rank
    return _write(ingested, out, dropped, keeper, progress)


def _hash_texts(ingested: Path, exact: ExactParams, progress: Progress) -> tuple[Hashes, Flags]:
    """The hash of each row's normalised text, and whether it is long enough."""
    about, ends = read_about(ingested), np.cumsum([0, *group_rows(ingested)])
    rows = int(ends[-1])
    hashes = np.empty((rows, 2), dtype=np.uint64)
    long_enough = np.ones(rows, dtype=np.bool_)

    def hash_group(group: int) -> None:
        from entropyguard.core.text import content_hash, normalise, texts_of

        start = int(ends[group])
        for table in read_slices(ingested, ["record"], [group]):
            texts = normalise(texts_of(table, about), exact)
            part = slice(start, start + table.num_rows)
            hashes[part] = content_hash(texts)
            if exact.min_length:
                long_enough[part] = (texts.str.len_chars() >= exact.min_length).to_numpy()
            start = part.stop

    with ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        for done, _ in zip(ends[1:], pool.map(hash_group, range(len(ends) - 1)), strict=True):
            progress(int(done) // 2, rows)
    return hashes, long_enough


def _write(ingested: Path, out: Path, dropped: Path, keeper: Ints, progress: Progress) -> ExactCounts:
    rows, done = len(keeper), 0
    kept, short = 0, int((keeper == NO_PART).sum())
    row_ids = np.empty(rows, dtype=np.int64)
    for table in read_tables(ingested, ["row_id"]):
        row_ids[done : done + table.num_rows] = table["row_id"].to_numpy()
        done += table.num_rows
    done = 0
    with open_parquet(ingested) as file:
        schema = file.schema_arrow
    with TableWriter(out, schema, read_about(ingested)) as writer, TableWriter(dropped, DROPPED) as losses:
        for keepers, stays, table in ahead(_sorted_out(ingested, keeper)):
            writer.write(table)
            losses.write(_losses(row_ids[done : done + len(stays)][~stays], keepers[~stays], row_ids))
            kept += table.num_rows
            done += len(stays)
            progress((rows + done) // 2, rows)
    return ExactCounts(rows, kept, short, rows - kept - short)


def _sorted_out(ingested: Path, keeper: Ints) -> Iterator[tuple[Ints, Flags, pa.Table]]:
    """For some consecutive rows at a time: their keepers, which of them stay, and those as a table."""
    done = 0
    for table in read_slices(ingested):
        keepers = keeper[done : done + table.num_rows]
        stays = keepers == np.arange(done, done + table.num_rows)
        yield keepers, stays, table.filter(pa.array(stays))
        done += table.num_rows


def _losses(row_ids: Ints, keepers: Ints, all_row_ids: Ints) -> pa.Table:
    """Rows of `dropped/exact.parquet`."""
    short = keepers == NO_PART
    keeper_ids = all_row_ids[keepers] if len(keepers) else keepers
    return pa.Table.from_arrays(
        [
            pa.array(row_ids),
            pa.array(np.where(short, "min_length", "exact").tolist(), pa.string()),
            pa.array(keeper_ids, mask=short),
            pa.nulls(len(row_ids), pa.float64()),
        ],
        schema=DROPPED,
    )
