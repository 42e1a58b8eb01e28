"""Units of export: what is dear to spell is made by whoever is in the pool, and put one behind the other here.

What a worker finds that has no spelling is no failure of the unit: it comes to nothing, and who reads the rows one
after the other says where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.json_rows import json_lines
from entropyguard.core.export.parquet_out import GROUP_ROWS, OPTIONS
from entropyguard.core.export.record_rows import line_only, record_schema, record_tables
from entropyguard.core.export.text_out import Piece, csv_piece
from entropyguard.core.export.typed_lines import UNIT_BYTES, Slices, TypedLines
from entropyguard.core.pool.spread import Spread, unit_name
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import arrow_file
from entropyguard.core.storage.part_names import ARROW, PARQUET
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.row_groups import RowGroupWriter, StoredGroups

_LINES_TOGETHER = 1_024
_PIECES = pa.schema([("piece", pa.large_binary()), ("rows", pa.int64())])


class UnspelledError(Exception):
    """Some value has no spelling; who reads the rows one after the other says which."""


@dataclass(frozen=True)
class _Unit:
    """`name` is that of its part, which goes into the store."""

    name: str
    store: PartStore

    def __str__(self) -> str:
        """The unit for messages."""
        return f"rows to write ({self.name})"


@dataclass(frozen=True)
class CsvUnit(_Unit):
    """Rows that are to be CSV."""

    rows: Slices
    schema: pa.Schema
    separator: str


@dataclass(frozen=True)
class GroupUnit(_Unit):
    """Slices, by their numbers, that make a row group."""

    rows: list[tuple[Slices, list[int]]]
    schema: pa.Schema


@dataclass(frozen=True)
class JsonUnit(_Unit):
    """Row groups of a checkpoint that are to be JSON lines."""

    path: Path
    groups: range


def json_pieces(checkpoint: Checkpoint, groups: Sequence[int] | None = None) -> Iterator[Piece]:
    """Rows of columns as JSON lines, by the place of a line alone where something has no spelling."""
    for table, places in record_tables(checkpoint, record_schema(checkpoint), groups=groups):
        yield from line_pieces(json_lines(table, places, line_only))


def line_pieces(lines: Iterator[str]) -> Iterator[Piece]:
    """Lines with their ends, many at a time."""
    while some := list(islice(lines, _LINES_TOGETHER)):
        yield "\n".join([*some, ""]).encode(), len(some)


def json_in_units(checkpoint: Checkpoint, spread: Spread, unit_bytes: int = UNIT_BYTES) -> Iterator[Piece]:
    """The same from the pool; UnspelledError instead of DataFormatError."""
    store = spread.store(ARROW)
    units = []
    for groups in checkpoint.group_runs("record", unit_bytes):
        name = unit_name("json", [checkpoint.digest, groups])
        units.append(JsonUnit(name, store, checkpoint.path, groups))
    for part in spread.results(spell_json, units, ARROW):
        if part is None:
            raise UnspelledError
        yield from _read(part)


def spell_json(unit: JsonUnit, progress: Progress) -> Path | None:  # noqa: ARG001  it is one step
    """The part with a unit's JSON lines; None where a value has no spelling."""
    try:
        return unit.store.add(unit.name, lambda path: _write(json_pieces(Checkpoint(unit.path), unit.groups), path))
    except DataFormatError:
        return None


def csv_in_units(lines: TypedLines, separator: str, spread: Spread) -> Iterator[Piece]:
    """Typed lines as CSV, without the header."""
    store = spread.store(ARROW)
    units = []
    for rows in lines.slices:
        name = unit_name("csv", [rows.name, lines.schema, separator])
        units.append(CsvUnit(name, store, rows, lines.schema, separator))
    for part in spread.results(spell_csv, units, ARROW):
        yield from _read(part)


def spell_csv(unit: CsvUnit, progress: Progress) -> Path:  # noqa: ARG001  it is one step
    """The part with a unit's rows as CSV."""
    pieces = (csv_piece(table, [], line_only, unit.separator) for table in unit.rows.read(unit.schema))
    return unit.store.add(unit.name, lambda path: _write(pieces, path))


def write_groups(lines: TypedLines, out: Path, progress: Progress, spread: Spread) -> int:
    """Write typed lines as `write_parquet` does, the row groups from the pool; the number of rows."""
    store = spread.store(PARQUET)
    units = []
    for group in _groups(lines):
        name = unit_name("group", [lines.schema, *((rows.name, numbers) for rows, numbers in group)])
        units.append(GroupUnit(name, store, group, lines.schema))
    rows = 0
    with RowGroupWriter(out, lines.schema, **OPTIONS) as writer:
        for part in spread.results(compress_group, units, PARQUET):
            stored = StoredGroups(part)
            writer.copy_whole(stored, 0)
            rows += stored.rows(0)
            progress(rows, None)
    return rows


def compress_group(unit: GroupUnit, progress: Progress) -> Path:  # noqa: ARG001  it is one step
    """The part that is a Parquet file of one row group."""

    def write(path: Path) -> None:
        tables = [table for rows, numbers in unit.rows for table in rows.read(unit.schema, numbers)]
        together = pa.concat_tables(tables)
        with pq.ParquetWriter(path, unit.schema, **OPTIONS) as writer:
            writer.write_table(together, row_group_size=len(together))

    return unit.store.add(unit.name, write)


def _groups(lines: TypedLines) -> Iterator[list[tuple[Slices, list[int]]]]:
    """The slices of each row group."""
    group: list[tuple[Slices, list[int]]] = []
    held = 0
    for some in lines.slices:
        numbers: list[int] = []
        for number, count in enumerate(some.rows):
            numbers.append(number)
            held += count
            if held >= GROUP_ROWS:
                yield [*group, (some, numbers)]
                group, numbers, held = [], [], 0
        if numbers:
            group.append((some, numbers))
    if group:
        yield group


def _write(pieces: Iterable[Piece], path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with path.open("wb") as sink, pa.ipc.new_stream(sink, _PIECES, options=options) as writer:
        for piece, rows in pieces:
            arrays = [pa.array([piece], pa.large_binary()), pa.array([rows], pa.int64())]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=_PIECES))


def _read(part: Path) -> Iterator[Piece]:
    with arrow_file(part) as file, pa.ipc.open_stream(file) as stream:
        for batch in stream:
            yield memoryview(batch["piece"][0].as_buffer()), batch["rows"][0].as_py()
