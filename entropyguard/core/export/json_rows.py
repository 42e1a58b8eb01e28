"""Rows of typed columns as JSON lines. What JSON cannot spell without loss is refused, not bent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.casts import cast_column
from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.far_times import first_far_time
from entropyguard.core.export.json_schema import common_shapes
from entropyguard.core.rows.source import Place

_ROWS_AT_ONCE = 1_024
_FLAT, _TYPED = ("csv", "tsv"), ("parquet", "arrow", "arrows")


Said = Callable[[Place], str]
"""How a place in the input is spelled in messages."""


def json_lines(table: pa.Table, places: Sequence[Place], said: Said) -> Iterator[str]:
    """One JSON object per row, columns in order.

    Dates, times and timestamps are spelled as in ISO 8601, decimals with all their digits, all as strings.
    DataFormatError names the column (and the place in the input) where there is no such spelling.
    """
    columns = [_spelled(name, table[name], places, said) for name in table.column_names]
    spelled = pa.Table.from_arrays(columns, table.column_names)
    for start in range(0, len(table), _ROWS_AT_ONCE):
        for at, row in enumerate(spelled.slice(start, _ROWS_AT_ONCE).to_pylist(), start):
            try:
                yield json.dumps(row, ensure_ascii=False, allow_nan=False)
            except ValueError as error:
                name = next(name for name, value in row.items() if _has_nan(value))
                raise DataFormatError(
                    f"{said(places[at])}: column {name!r} holds NaN or infinity, which JSON has not. Write Parquet."
                ) from error


def _spelled(name: str, column: pa.ChunkedArray, places: Sequence[Place], said: Said) -> pa.ChunkedArray:
    kind = _json_type(column.type)
    if kind is None:
        raise unspelled(name, column.type)
    if (at := first_far_time(column)) is not None:
        raise DataFormatError(
            f"{said(places[at])}: column {name!r} ({column.type}) holds a time too far away to be spelled. "
            "Write Parquet."
        )
    return cast_column(column, kind)


def _json_type(kind: pa.DataType) -> pa.DataType | None:
    """The type whose values JSON spells, strings for dates and decimals; None where there is none."""
    types = pa.types
    if types.is_dictionary(kind):
        return _json_type(kind.value_type)
    if types.is_temporal(kind):
        return None if types.is_duration(kind) or types.is_interval(kind) else pa.large_string()
    if types.is_decimal(kind):
        return pa.large_string()
    if types.is_struct(kind):
        inner = [(field.name, _json_type(field.type)) for field in kind]
        names = {name for name, _ in inner}
        lossless = len(names) == len(inner) and all(one is not None for _, one in inner)
        return pa.struct(inner) if lossless else None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        value = _json_type(kind.value_type)
        return pa.large_list(value) if value is not None else None
    plain = types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind)
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return kind if plain or text else None


def _has_nan(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_nan, value.values()))
    if isinstance(value, list):
        return any(map(_has_nan, value))
    return isinstance(value, float) and not math.isfinite(value)


def check_types(schema: Iterable[pa.Field], format: str) -> None:  # noqa: A002  the flag's name
    """DataFormatError for a column whose type has no spelling in the format, whatever its values are."""
    for field in schema if format not in _TYPED else ():
        if _json_type(field.type) is None:
            raise unspelled(field.name, field.type)
        if format in _FLAT and pa.types.is_nested(field.type):
            raise nested(field.name, str(field.type))


def check_rows(rows: Iterable[tuple[Place, str]], format: str, said: Said) -> None:  # noqa: A002
    """DataFormatError where some rows (place, JSON line) do not fit the format together. JSONL holds all."""
    for name, shape in common_shapes(rows, said).items() if not format.startswith("jsonl") else ():
        if format in _FLAT and shape.kind in (list, dict):
            raise nested(name, "lists" if shape.kind is list else "objects")


def unspelled(name: str, kind: pa.DataType) -> DataFormatError:
    return DataFormatError(f"Column {name!r} holds {kind}, which has no clear spelling here. Write Parquet.")


def nested(name: str, kind: str) -> DataFormatError:
    return DataFormatError(f"Column {name!r} is nested ({kind}); CSV has no place for that. Write JSONL.")


def csv_table(table: pa.Table, places: Sequence[Place], said: Said) -> pa.Table:
    """The same columns as strings, spelled as in `json_lines` (NaN as `nan`); DataFormatError for nested ones."""
    columns = []
    for name in table.column_names:
        column = _spelled(name, table[name], places, said)
        if pa.types.is_nested(column.type):
            raise nested(name, str(column.type))
        columns.append(pc.cast(column, pa.large_string()))
    return pa.Table.from_arrays(columns, table.column_names)
