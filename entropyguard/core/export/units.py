"""Units of export: what is dear to spell is made by whoever is in the pool, and put one behind the other here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.export.json_rows import json_lines
from entropyguard.core.export.parquet_out import GROUP_ROWS, OPTIONS
from entropyguard.core.export.record_rows import line_only, record_schema, record_tables
from entropyguard.core.export.text_out import Piece, csv_piece
from entropyguard.core.export.typed_lines import UNIT_BYTES, Slices, TypedLines
from entropyguard.core.pool.spread import Spread, group_units, part_unit
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import arrow_file
from entropyguard.core.storage.part_names import PARQUET
from entropyguard.core.storage.row_groups import RowGroupWriter, StoredGroups

_LINES_TOGETHER = 1_024
Group = list[tuple[Slices, list[int]]]
"""Slices, by their numbers, that make a row group."""

_PIECES = pa.schema([("piece", pa.large_binary()), ("rows", pa.int64())])


def json_pieces(checkpoint: Checkpoint, groups: Sequence[int] | None = None) -> Iterator[Piece]:
    """Rows of columns as JSON lines, by the place of a line alone where something has no spelling."""
    for table, places in record_tables(checkpoint, record_schema(checkpoint), groups=groups):
        yield from line_pieces(json_lines(table, places, line_only))


def line_pieces(lines: Iterator[str]) -> Iterator[Piece]:
    """Lines with their ends, many at a time."""
    while some := list(islice(lines, _LINES_TOGETHER)):
        yield "\n".join([*some, ""]).encode(), len(some)


def json_in_units(checkpoint: Checkpoint, spread: Spread, unit_bytes: int = UNIT_BYTES) -> Iterator[Piece]:
    """The same from the pool. The DataFormatError of something without a spelling does not say where it stands."""
    units = group_units("json", checkpoint, checkpoint.group_runs("record", unit_bytes))
    for part in spread.parts(partial(spell_json, checkpoint.path), units):
        yield from _read(part)


def spell_json(source: Path, groups: range, out: Path) -> None:
    """Write the rows of row groups as JSON lines."""
    _write(json_pieces(Checkpoint(source), groups), out)


def csv_in_units(lines: TypedLines, separator: str, spread: Spread) -> Iterator[Piece]:
    """Typed lines as CSV, without the header."""
    units = [
        part_unit("csv", [rows.name, lines.schema, separator], f"the rows in {rows.name}", rows)
        for rows in lines.slices
    ]
    for part in spread.parts(partial(spell_csv, lines.schema, separator), units):
        yield from _read(part)


def spell_csv(schema: pa.Schema, separator: str, rows: Slices, out: Path) -> None:
    """Write rows as CSV."""
    _write((csv_piece(table, [], line_only, separator) for table in rows.read(schema)), out)


def write_groups(lines: TypedLines, out: Path, progress: Progress, spread: Spread) -> int:
    """Write typed lines as `write_parquet` does, the row groups from the pool; the number of rows."""
    units = []
    for number, group in enumerate(_groups(lines)):
        decided_by = [lines.schema, *((rows.name, numbers) for rows, numbers in group)]
        units.append(part_unit("group", decided_by, f"row group {number} of {out.name}", group))
    rows = 0
    with RowGroupWriter(out, lines.schema, **OPTIONS) as writer:
        for part in spread.parts(partial(compress_group, lines.schema), units, PARQUET):
            stored = StoredGroups(part)
            writer.copy_whole(stored, 0)
            rows += stored.rows(0)
            progress(rows, None)
    return rows


def compress_group(schema: pa.Schema, group: Group, out: Path) -> None:
    """Write a Parquet file of one row group."""
    together = pa.concat_tables([table for rows, numbers in group for table in rows.read(schema, numbers)])
    with pq.ParquetWriter(out, schema, **OPTIONS) as writer:
        writer.write_table(together, row_group_size=len(together))


def _groups(lines: TypedLines) -> Iterator[Group]:
    """The slices of each row group."""
    group: Group = []
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
