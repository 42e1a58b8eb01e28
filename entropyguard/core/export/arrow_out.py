"""Rows as Arrow IPC: the file format, which `.arrow` and `.feather` are, or the stream format that `datasets` maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from entropyguard.core.progress import Progress

_ROWS_AT_ONCE = 8_192


def write_arrow(tables: Iterator[pa.Table], out: Path, schema: pa.Schema, progress: Progress, *, stream: bool) -> int:
    """Write tables of a schema; the number of rows. Dictionaries and views are written as what they stand for.

    A stream is not compressed, so that a reader can map it into memory; a file is, with LZ4.
    """
    plain = pa.schema([field.with_type(plain_type(field.type)) for field in schema], metadata=schema.metadata)
    options = pa.ipc.IpcWriteOptions(compression=None if stream else "lz4")
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    rows = 0
    with out.open("wb") as sink, new(sink, plain, options=options) as writer:
        for table in tables:
            writer.write_table(table.cast(plain), max_chunksize=_ROWS_AT_ONCE)
            rows += len(table)
            progress(rows, None)
    return rows


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type without dictionaries and views, which not every reader of Arrow has."""
    types = pa.types
    if types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.large_string() if types.is_string_view(kind) else pa.large_binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type)) for field in kind])
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(plain_type(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(plain_type(kind.value_type)))
    return kind
