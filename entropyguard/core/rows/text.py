"""The text and the other columns of each record."""

from __future__ import annotations

import base64
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.arrow_texts import texts_at
from entropyguard.core.rows.json_lines import encodable, parse_line
from entropyguard.core.rows.line_texts import texts_of_lines
from entropyguard.core.rows.row_texts import joined
from entropyguard.core.rows.text_paths import text_paths
from entropyguard.core.storage.checkpoint import Checkpoint

_LARGEST_INT = 2**63


def texts_of(table: pa.Table, metadata: dict[str, Any]) -> pl.Series:
    """The text of each row of a checkpoint, decoded: strings, no nulls. Lone surrogates are spelled out.

    Where it stands in several places, the texts there that are not empty are joined by line breaks.
    """
    return joined(places_of(table, metadata))


def places_of(table: pa.Table, metadata: dict[str, Any]) -> list[pl.Series]:
    """What each row has at each of the places where its text stands: strings or lists of them, null for none."""
    paths = text_paths(metadata["text_column"])
    if metadata["format"] == "jsonl":
        return texts_of_lines(_as_series(table["record"]), paths)
    chunks = table["record"].chunks or [pa.array([], table.schema.field("record").type)]
    return [_as_series(pa.chunked_array([texts_at(chunk, path) for chunk in chunks])) for path in paths]


def _as_series(column: pa.ChunkedArray) -> pl.Series:
    series = pl.from_arrow(column)
    if not isinstance(series, pl.Series):
        raise TypeError(f"a column was expected, not {type(series).__name__}")
    return series


def _field(table: pa.Table, name: str) -> pa.ChunkedArray:
    at = table.schema.field("record").type.get_field_index(name)
    if at < 0:
        known = ", ".join(field.name for field in table.schema.field("record").type)
        raise DataFormatError(f"There is no column {name!r}; there are: {known}.")
    return pc.struct_field(table["record"], [at])


def column_of(table: pa.Table, metadata: dict[str, Any], name: str) -> pl.Series:
    """The values of any of the user's columns, null where a row has none.

    For JSONL the type is that of the values here: Boolean, Int64, Float64, String, or Null when there are none;
    tables of one file may differ in it. DataFormatError for values that have no order among each other.
    """
    if metadata["format"] != "jsonl":
        return _as_series(_field(table, name))
    values = [parse_line(line).get(name) for line in table["record"].to_pylist()]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        return pl.Series([value if value is None else encodable(value) for value in values], dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean)
    if kinds == {int} and all(-_LARGEST_INT <= value < _LARGEST_INT for value in values if value is not None):
        return pl.Series(values, dtype=pl.Int64)
    if kinds and kinds <= {int, float}:
        return pl.Series([value if value is None else _as_float(value) for value in values], dtype=pl.Float64)
    if kinds:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DataFormatError(f"Column {name!r} holds {found}: there is no order among them.")
    return pl.Series(values, dtype=pl.Null)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def schema_of(metadata: dict[str, Any]) -> pa.Schema:
    """The schema of the user's first file, its metadata included, from what the checkpoint says about itself."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(metadata["schema"])))


def check_column(checkpoint: Checkpoint, name: str, whose: str) -> None:
    """DataFormatError, naming the columns there are, unless a row has the column; `whose` says who asks for it."""
    there: dict[str, None] = {}
    for table in checkpoint.tables(["record"]):
        record = table.schema.field("record").type
        if pa.types.is_struct(record):
            there.update(dict.fromkeys(field.name for field in record))
        for line in [] if pa.types.is_struct(record) else table["record"].to_pylist():
            there.update(dict.fromkeys(parse_line(line)))
            if name in there:
                return
        if name in there:
            return
    if checkpoint.rows:
        raise DataFormatError(
            f"No row has the column '{name}' {whose}; the columns are {', '.join(there)}. Choose one of them."
        )
