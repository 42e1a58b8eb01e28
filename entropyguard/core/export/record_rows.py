"""The user's columns of a checkpoint's rows, as tables of one schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.casts import cast_column
from entropyguard.core.export.json_rows import Said
from entropyguard.core.export.json_schema import common_schema, typed_rows
from entropyguard.core.export.marks import Marks
from entropyguard.core.export.typed_lines import LINES_AT_ONCE
from entropyguard.core.rows.source import Place
from entropyguard.core.rows.text import schema_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import rows_in_order

PlacedTables = Iterator[tuple[pa.Table, list[Place]]]
"""Rows, each table with its rows' places in the input."""


def line_only(place: Place) -> str:
    """A place in the input where the names of its files are not known."""
    return f"Line {place[1]}"


def record_schema(checkpoint: Checkpoint, said: Said = line_only) -> pa.Schema:
    """The schema of the user's rows: as it came, or for JSONL the one that holds every row."""
    form = checkpoint.metadata["format"]
    if form == "jsonl":
        tables = checkpoint.tables(["file", "line", "record"])
        return common_schema((pair for table in tables for pair in _lines_of(table)), said)
    if form == "parquet":
        return schema_of(checkpoint.metadata)
    record = checkpoint.schema.field("record").type
    return pa.schema(list(record))


def _lines_of(table: pa.Table) -> Iterator[tuple[Place, str]]:
    for start in range(0, len(table), LINES_AT_ONCE):
        part = table.slice(start, LINES_AT_ONCE)
        yield from zip(places(part), part["record"].to_pylist(), strict=True)


def places(table: pa.Table) -> list[Place]:
    """Where the rows stand in the input."""
    return list(zip(table["file"].to_pylist(), table["line"].to_pylist(), strict=True))


def record_tables(
    checkpoint: Checkpoint,
    schema: pa.Schema,
    marks: Marks | None = None,
    groups: Sequence[int] | None = None,
    *,
    nested: bool = False,
) -> PlacedTables:
    """The rows as tables of the schema; marks are added, flat or nested. `groups`: of some row groups alone."""
    parse = checkpoint.metadata["format"] == "jsonl"
    columns = ["row_id", "file", "line", "record"]
    for table in rows_in_order(checkpoint, columns) if marks else checkpoint.tables(columns[1:], groups):
        for start in range(0, len(table), LINES_AT_ONCE if parse else max(1, len(table))):
            part = table.slice(start, LINES_AT_ONCE) if parse else table
            rows = typed_rows(part["record"].to_pylist(), schema) if parse else _unpacked(part["record"], schema)
            if marks:
                rows = (marks.inside if nested else marks.beside)(rows, part["row_id"].to_numpy())
            yield rows, places(part)


def _unpacked(record: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    columns = [cast_column(pc.struct_field(record, [at]), field.type) for at, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)
