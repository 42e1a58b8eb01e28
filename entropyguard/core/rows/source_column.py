"""Where each row comes from, as the user's source column says, as text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.json_lines import decode_texts, encodable, parse_line
from entropyguard.core.rows.text import check_column, column_of
from entropyguard.core.storage.checkpoint import Checkpoint

NO_SOURCE = "(none)"


def check_source_column(checkpoint: Checkpoint, column: str) -> None:
    """DataFormatError when no row of the checkpoint has the column, or it holds no plain values."""
    check_column(checkpoint, column, "of --source-column")
    sources_of_rows(checkpoint.schema.empty_table(), checkpoint.metadata, column)


def sources_of_rows(table: pa.Table, metadata: dict[str, Any], column: str) -> pl.Series:
    """The source of each row of a checkpoint's table, as text (JSON for what is none); NO_SOURCE without a value."""
    if metadata["format"] == "jsonl":
        return _sources_of_lines(pl.Series(pl.from_arrow(table["record"]), dtype=pl.String), column)
    values = column_of(table, metadata, column)
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        raise DataFormatError(
            f"Column '{column}' of --source-column holds {values.dtype}. Choose a column of texts or numbers."
        )
    return values.cast(pl.String).fill_null(NO_SOURCE)


def _sources_of_lines(lines: pl.Series, column: str) -> pl.Series:
    found = decode_texts(lines, column)  # fast, and null for whatever is no text
    others = np.flatnonzero(found.is_null().to_numpy())
    if not len(others):
        return found
    values = [_as_text(parse_line(line).get(column)) for line in lines.gather(others).to_list()]
    return found.scatter(others, pl.Series(values, dtype=pl.String))


def _as_text(value: Any) -> str:
    if value is None:
        return NO_SOURCE
    return encodable(value) if isinstance(value, str) else encodable(json.dumps(value, ensure_ascii=False))
