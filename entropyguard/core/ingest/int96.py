"""Timestamps of the old Parquet type INT96, in the unit that holds all of them.

INT96 spans millions of years; as nanoseconds, which Arrow reads, int64 holds 1677 to 2262 and wraps around beyond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source

_ROWS_AT_ONCE = 65_536
_MICROSECONDS = 1_000_000


def unit_of_int96(sources: Sequence[Source]) -> str | None:
    """None where nanoseconds hold every INT96 timestamp of files that have such, "us" where only microseconds do.

    DataFormatError with the row where neither does: a far date beside digits below a microsecond.
    """
    far = fine = None
    for source in sources:
        with pq.ParquetFile(source.arrow_file()) as file:
            columns = int96_columns(file)
        for row, nano, micro, second in _values(source, columns):
            if far is None and (at := _first(np.floor_divide(nano, 1_000 * _MICROSECONDS) != second)) is not None:
                far = f"{source}, row {row + at}"
            # Differences wrap around as the values did, so this holds of far dates too.
            if fine is None and (at := _first(nano - micro * 1_000 != 0)) is not None:
                fine = f"{source}, row {row + at}"
            if (at := _first(np.floor_divide(micro, _MICROSECONDS) != second)) is not None:
                raise DataFormatError(f"{source}, row {row + at}: an INT96 timestamp is too far away to be held.")
    if far and fine:
        raise DataFormatError(
            f"{far}: an INT96 timestamp is too far away for nanoseconds, which {fine} needs. "
            "Write the column as a string, or as timestamps of another type."
        )
    return "us" if far else None


def int96_columns(file: pq.ParquetFile) -> list[str]:
    """The columns of that type."""
    columns = [file.schema.column(at) for at in range(len(file.schema))]
    return [column.path for column in columns if column.physical_type == "INT96"]


def _values(source: Source, columns: list[str]) -> Iterator[tuple[int, Ints, Ints, Ints]]:
    """The values in three units, and about which row (from 1) they begin at: exactly, unless they stand in lists."""
    files = [pq.ParquetFile(source.arrow_file(), coerce_int96_timestamp_unit=unit) for unit in ("ns", "us", "s")]
    try:
        row = 1
        for batches in zip(*(file.iter_batches(_ROWS_AT_ONCE, columns=columns) for file in files), strict=True):
            for leaves in zip(*(list(_leaves(batch.to_struct_array())) for batch in batches), strict=True):
                nano, micro, second = (leaf.view(pa.int64()).fill_null(0).to_numpy() for leaf in leaves)
                yield row, nano, micro, second
            row += batches[0].num_rows
    finally:
        for file in files:
            file.close()


def _leaves(array: pa.Array) -> Iterator[Any]:
    if pa.types.is_struct(array.type):
        for at in range(array.type.num_fields):
            yield from _leaves(array.field(at))
    elif pa.types.is_map(array.type):
        yield from _leaves(array.items)
    elif pa.types.is_nested(array.type):
        yield from _leaves(array.values)
    elif pa.types.is_timestamp(array.type):
        yield array


def _first(flags: Any) -> int | None:
    return int(np.argmax(flags)) if flags.any() else None
