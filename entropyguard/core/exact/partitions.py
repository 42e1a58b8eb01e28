"""Equal hashes found in units, so that nobody holds all of them: rows by the first bits of their hashes, then by these.

Rows are known by their ids, and of rows of equal hash the one of the lowest id is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.exact.mark import mark_exact_duplicates
from entropyguard.core.pool.spread import Spread, unit_name
from entropyguard.core.progress import Progress
from entropyguard.core.rows.hashes import hashes_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.digests import DIGEST_TYPE
from entropyguard.core.storage.parquet import arrow_file
from entropyguard.core.storage.part_names import ARROW
from entropyguard.core.storage.parts import PartStore

PARTITION_ROWS = 1 << 24
_UNIT_BYTES = 64 << 20  # of hashes: four million rows
_SCATTERED = pa.schema([("hash", DIGEST_TYPE), ("row_id", pa.int64())])
_LOST = pa.schema([("row_id", pa.int64()), ("keeper_row_id", pa.int64())])


@dataclass(frozen=True)
class ScatterUnit:
    """Row groups, whose rows go into 2**bits partitions by the first bits of their hashes, short ones into one more."""

    name: str
    path: Path
    groups: range
    bits: int
    least_characters: int
    store: PartStore

    def __str__(self) -> str:
        """The unit for messages."""
        return f"hashes of row groups {self.groups.start} to {self.groups.stop - 1} of {self.path.name}"


@dataclass(frozen=True)
class EqualUnit:
    """A partition of all rows, as it stands in the parts of the units before."""

    name: str
    parts: tuple[Path, ...]
    partition: int
    store: PartStore

    def __str__(self) -> str:
        """The unit for messages."""
        return f"partition {self.partition} of the hashes"


@dataclass(frozen=True)
class Equal:
    """Rows without a part, ascending; and those that go: their ids, ascending, with those of their keepers."""

    short: Ints
    lost: Ints
    keepers: Ints


def find_equal(ingested: Checkpoint, least_characters: int, spread: Spread, partition_rows: int) -> Equal:
    """The rows whose hash one with a lower id has, of those with enough characters. Memory: 40 bytes for each found."""
    bits = max(1, (ingested.rows // partition_rows).bit_length())
    store = spread.store(ARROW)
    runs = ingested.group_runs("hash", min(_UNIT_BYTES, partition_rows * 16))
    decided = [ingested.digest, bits, least_characters]
    scattering = [
        ScatterUnit(unit_name("hashes", [*decided, run]), ingested.path, run, bits, least_characters, store)
        for run in runs
    ]
    parts = tuple(spread.results(scatter, scattering, ARROW))
    names = [part.stem for part in parts]
    units = [EqualUnit(unit_name("equal", [*names, at]), parts, at, store) for at in range(1 << bits)]
    lost, keepers = _read_lost(spread.results(resolve, units, ARROW))
    short = np.concatenate([_partition(part, 1 << bits)["row_id"].to_numpy() for part in parts])
    return Equal(np.sort(short), lost, keepers)


def scatter(unit: ScatterUnit, progress: Progress) -> Path:  # noqa: ARG001  it is one step
    """The part with a unit's rows, a batch for each partition."""
    table = pa.concat_tables(Checkpoint(unit.path).tables(["row_id", "hash", "characters"], unit.groups))
    partition = (hashes_of(table["hash"])[:, 0] >> np.uint64(64 - unit.bits)).astype(np.int64)
    partition[table["characters"].to_numpy() < unit.least_characters] = 1 << unit.bits
    order = np.argsort(partition, kind="stable")
    ends = np.searchsorted(partition[order], np.arange(1 << unit.bits, dtype=np.int64), side="right").tolist()
    rows = table.select(_SCATTERED.names).take(pa.array(order)).combine_chunks()

    def write(path: Path) -> None:
        with path.open("wb") as sink, pa.ipc.new_file(sink, _SCATTERED) as writer:
            for start, end in zip([0, *ends], [*ends, len(rows)], strict=True):
                arrays = [column.slice(start, end - start).combine_chunks() for column in rows.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_SCATTERED))

    return unit.store.add(unit.name, write)


def resolve(unit: EqualUnit, progress: Progress) -> Path:  # noqa: ARG001  it is one step
    """The part with the rows of a partition that go, ascending, and their keepers."""
    rows = pa.Table.from_batches([_partition(part, unit.partition) for part in unit.parts], _SCATTERED)
    row_ids = rows["row_id"].to_numpy()
    order = np.argsort(row_ids, kind="stable")  # ingest puts rows that were seen before into row groups of their own
    row_ids = row_ids[order]
    keeper = mark_exact_duplicates(hashes_of(rows["hash"])[order])
    lost = np.flatnonzero(keeper != np.arange(len(keeper)))
    table = pa.Table.from_arrays([pa.array(row_ids[lost]), pa.array(row_ids[keeper[lost]])], schema=_LOST)

    def write(path: Path) -> None:
        with path.open("wb") as sink, pa.ipc.new_file(sink, _LOST) as writer:
            writer.write_table(table)

    return unit.store.add(unit.name, write)


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
