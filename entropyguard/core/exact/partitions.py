"""Equal hashes found in units, so that nobody holds all of them: rows by the first bits of their hashes, then by these.

Rows are known by their ids, and of rows of equal hash the one of the lowest id is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.exact.mark import mark_exact_duplicates
from entropyguard.core.pool.spread import Spread, group_units, part_unit
from entropyguard.core.rows.hashes import hashes_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.digests import DIGEST_TYPE
from entropyguard.core.storage.parquet import arrow_file

PARTITION_ROWS = 1 << 24
_UNIT_BYTES = 64 << 20  # of hashes: four million rows
_SCATTERED = pa.schema([("hash", DIGEST_TYPE), ("row_id", pa.int64())])
_LOST = pa.schema([("row_id", pa.int64()), ("keeper_row_id", pa.int64())])


@dataclass(frozen=True)
class Equal:
    """Rows without a part, ascending; and those that go: their ids, ascending, with those of their keepers."""

    short: Ints
    lost: Ints
    keepers: Ints


def find_equal(ingested: Checkpoint, least_characters: int, spread: Spread, partition_rows: int) -> Equal:
    """The rows whose hash one with a lower id has, of those with enough characters. Memory: 40 bytes for each found."""
    bits = max(1, (ingested.rows // partition_rows).bit_length())
    runs = ingested.group_runs("hash", min(_UNIT_BYTES, partition_rows * 16))
    scattering = group_units("hashes", ingested, runs, [bits, least_characters])
    parts = tuple(spread.parts(partial(scatter, ingested.path, bits, least_characters), scattering))
    names = [part.stem for part in parts]
    units = [part_unit("equal", [*names, at], f"partition {at} of the hashes", at) for at in range(1 << bits)]
    lost, keepers = _read_lost(spread.parts(partial(resolve, parts), units))
    short = np.concatenate([_partition(part, 1 << bits)["row_id"].to_numpy() for part in parts])
    return Equal(np.sort(short), lost, keepers)


def scatter(ingested: Path, bits: int, least_characters: int, groups: range, out: Path) -> None:
    """Write the rows of row groups, a batch for each of 2**bits partitions by the first bits of their hashes.

    Those with too few characters go into one more.
    """
    table = pa.concat_tables(Checkpoint(ingested).tables(["row_id", "hash", "characters"], groups))
    partition = (hashes_of(table["hash"])[:, 0] >> np.uint64(64 - bits)).astype(np.int64)
    partition[table["characters"].to_numpy() < least_characters] = 1 << bits
    order = np.argsort(partition, kind="stable")
    ends = np.searchsorted(partition[order], np.arange(1 << bits, dtype=np.int64), side="right").tolist()
    rows = table.select(_SCATTERED.names).take(pa.array(order)).combine_chunks()
    with out.open("wb") as sink, pa.ipc.new_file(sink, _SCATTERED) as writer:
        for start, end in zip([0, *ends], [*ends, len(rows)], strict=True):
            arrays = [column.slice(start, end - start).combine_chunks() for column in rows.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCATTERED))


def resolve(parts: Sequence[Path], number: int, out: Path) -> None:
    """Write the rows of a partition that go, ascending, and their keepers; parts: what `scatter` wrote."""
    rows = pa.Table.from_batches([_partition(part, number) for part in parts], _SCATTERED)
    row_ids = rows["row_id"].to_numpy()
    order = np.argsort(row_ids, kind="stable")  # ingest puts rows that were seen before into row groups of their own
    row_ids = row_ids[order]
    keeper = mark_exact_duplicates(hashes_of(rows["hash"])[order])
    lost = np.flatnonzero(keeper != np.arange(len(keeper)))
    table = pa.Table.from_arrays([pa.array(row_ids[lost]), pa.array(row_ids[keeper[lost]])], schema=_LOST)
    with out.open("wb") as sink, pa.ipc.new_file(sink, _LOST) as writer:
        writer.write_table(table)


def _partition(part: Path, number: int) -> pa.RecordBatch:
    with arrow_file(part) as file, pa.ipc.open_file(file) as stored:
        return stored.get_batch(number)


def _read_lost(parts: Iterator[Path]) -> tuple[Ints, Ints]:
    tables = []
    for part in parts:
        with arrow_file(part) as file, pa.ipc.open_file(file) as stored:
            tables.append(stored.read_all())
    lost, keepers = (np.concatenate([table[name].to_numpy() for table in tables]) for name in _LOST.names)
    del tables
    order = np.argsort(lost, kind="stable")
    return lost[order], keepers[order]
