"""JSON lines as typed columns: each is parsed once, in units, and what came of it waits until all types are known.

The rows of a unit are of the types that hold them; where those of other units ask for wider ones, they are made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.json_schema import MisfitError, parse_row, schema_of_shapes
from entropyguard.core.export.shapes import Shapes, as_json, from_json, joined, shapes_of, widened
from entropyguard.core.pool.spread import Spread, group_units
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import arrow_file

LINES_AT_ONCE = 2_048
UNIT_BYTES = 32 << 20
_SHAPES, _ROWS = b"shapes", b"rows"


class UntypedError(DataFormatError):
    """Some rows have no type together, or none has been found; who reads them row by row says which, and why."""


@dataclass(frozen=True)
class Slices:
    """Some thousand rows each, as columns: in memory, or in a part."""

    shapes: Shapes
    rows: list[int]
    """How many each slice has."""
    part: Path | None
    tables: Sequence[pa.Table] = ()

    @property
    def name(self) -> str:
        """That of the part, which tells its content."""
        return self.part.stem if self.part else ""

    def read(self, schema: pa.Schema, numbers: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """The slices, or some of them, as tables of a schema that holds them."""
        if self.part is None:
            yield from (_as_table(table, schema) for table in self.tables)
            return
        with arrow_file(self.part) as file, pa.ipc.open_file(file) as stored:
            for number in range(len(self.rows)) if numbers is None else numbers:
                yield _as_table(pa.Table.from_batches([stored.get_batch(number)]), schema)


@dataclass(frozen=True)
class TypedLines:
    """All rows of a checkpoint as columns of a schema that holds them."""

    schema: pa.Schema
    slices: list[Slices]

    @property
    def is_stored(self) -> bool:
        """Whether they lie in parts, where others can read them."""
        return all(some.part for some in self.slices)

    def tables(self) -> Iterator[pa.Table]:
        """The rows in order, some thousand at a time."""
        for some in self.slices:
            yield from some.read(self.schema)


def typed_lines(checkpoint: Checkpoint, spread: Spread, unit_bytes: int = UNIT_BYTES) -> TypedLines:
    """The rows of JSON lines, the types those of `common_schema`; UntypedError where it may refuse them.

    What is one unit stays in memory.
    """
    runs = checkpoint.group_runs("record", unit_bytes)
    if len(runs) < 2:
        slices = [_typed(checkpoint, run) for run in runs]
    else:
        units = group_units("typed", checkpoint, runs, [LINES_AT_ONCE])
        slices = [_stored(part) for part in spread.parts(partial(type_lines, checkpoint.path), units)]
    shapes: Shapes = {}
    for some in slices:
        shapes = _joined(shapes, some.shapes)
    return TypedLines(_schema(shapes), slices)


def type_lines(source: Path, groups: range, out: Path) -> None:
    """Write the rows of row groups as columns; UntypedError where there are no types for them."""
    slices = _typed(Checkpoint(source), groups)
    schema = _schema(slices.shapes)
    about = {_SHAPES: json.dumps(as_json(slices.shapes)), _ROWS: json.dumps(slices.rows)}
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with out.open("wb") as sink, pa.ipc.new_file(sink, schema.with_metadata(about), options=options) as writer:
        for table in slices.read(schema):
            writer.write_table(table)


def _stored(part: Path) -> Slices:
    with arrow_file(part) as file, pa.ipc.open_file(file) as stored:
        about = stored.schema.metadata
    return Slices(from_json(json.loads(about[_SHAPES])), json.loads(about[_ROWS]), part)


def _typed(checkpoint: Checkpoint, groups: range) -> Slices:
    all_shapes: Shapes = {}
    tables = []
    for table in checkpoint.tables(["record"], groups):
        for start in range(0, len(table), LINES_AT_ONCE):
            shapes, typed = _typed_slice(table["record"].slice(start, LINES_AT_ONCE).to_pylist())
            all_shapes = _joined(all_shapes, shapes)
            tables.append(typed)
    return Slices(all_shapes, list(map(len, tables)), None, tables)


def _typed_slice(lines: list[str]) -> tuple[Shapes, pa.Table]:
    try:
        shapes, columns = shapes_of([parse_row(line) for line in lines])
    except MisfitError as error:
        raise UntypedError from error
    schema = _schema(shapes)
    if not len(schema):
        raise UntypedError
    return shapes, pa.Table.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def _joined(shapes: Shapes, later: Shapes) -> Shapes:
    try:
        return joined(shapes, later)
    except MisfitError as error:
        raise UntypedError from error


def _schema(shapes: Shapes) -> pa.Schema:
    try:
        return schema_of_shapes(shapes)
    except DataFormatError as error:  # objects that are all empty: later ones may not be
        raise UntypedError from error


def _as_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in a schema that holds them, each column in one piece."""
    arrays: list[Any] = []
    for field in schema:
        if field.name in table.schema.names:
            arrays.append(widened(table[field.name].chunk(0), field.type))
        else:
            arrays.append(pa.array([None] * len(table), field.type))
    return pa.Table.from_arrays(arrays, schema=schema)
