"""Rows as Arrow IPC: the file format, which `.arrow` and `.feather` are, or the stream format that `datasets` maps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from entropyguard.core.casts import cast_table
from entropyguard.core.progress import Progress
from entropyguard.core.rows.column_types import stored_type

_ROWS_AT_ONCE = 8_192


def write_arrow(tables: Iterator[pa.Table], out: Path, schema: pa.Schema, progress: Progress, *, stream: bool) -> int:
    """Write tables of a schema; the number of rows. Dictionaries and views are written as what they stand for.

    A stream is not compressed, so that a reader can map it into memory; a file is, with LZ4.
    """
    # Not every reader of Arrow has dictionaries and views.
    fields = [field.with_type(stored_type(field.type, dictionaries=False)) for field in schema]
    plain = pa.schema(fields, metadata=schema.metadata)
    options = pa.ipc.IpcWriteOptions(compression=None if stream else "lz4")
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    rows = 0
    with out.open("wb") as sink, new(sink, plain, options=options) as writer:
        for table in tables:
            writer.write_table(cast_table(table, plain), max_chunksize=_ROWS_AT_ONCE)
            rows += len(table)
            progress(rows, None)
    return rows
