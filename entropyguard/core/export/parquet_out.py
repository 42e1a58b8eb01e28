"""Rows as Parquet: row groups of some ten thousand rows, each compressed by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from entropyguard.core.progress import Progress
from entropyguard.core.storage.row_groups import RowGroupWriter

GROUP_ROWS = 32_768
"""A row group ends with the table that brings it to so many rows."""

OPTIONS: dict[str, Any] = {"compression": "zstd"}


def write_parquet(tables: Iterator[pa.Table], out: Path, schema: pa.Schema, progress: Progress) -> int:
    """Write tables of a schema; the number of rows."""
    rows = 0
    waiting: list[pa.Table] = []
    with RowGroupWriter(out, schema, **OPTIONS) as writer:
        for table in tables:
            rows += len(table)
            progress(rows, None)
            waiting.append(table)
            if sum(map(len, waiting)) >= GROUP_ROWS:
                writer.write(pa.concat_tables(waiting), in_chunks=True)
                waiting = []
        if sum(map(len, waiting)):
            writer.write(pa.concat_tables(waiting), in_chunks=True)
    return rows
