"""Row groups of a Parquet file, compressed by several threads; the bytes are those that pyarrow writes with one."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.parquet_footer import MAGIC, footer_of, only_group, placed, whole_footer

_MOST_THREADS = 4  # each holds a row group, and the same one compressed


class RowGroupWriter:
    """Writes tables of one schema, each as one row group; a context manager.

    `options` are those of `pyarrow.parquet.ParquetWriter`. The file is complete only after a clean exit. Errors of
    writing come out of a later `write`, or of the exit.
    """

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._schema, self._options = schema, options
        self._footer = footer_of(self._file_of(None))
        self._entries: list[bytes] = []
        self._rows = 0
        self._threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._at_work: deque[Future[None]] = deque()
        self._size = len(MAGIC)
        self._file = path.open("wb")
        self._file.write(MAGIC)  # not yet to the disk, which may be full
        self._pool = ThreadPoolExecutor(self._threads)

    def write(self, group: pa.Table) -> None:
        """Append a row group of at least one row. Returns while it is compressed, unless all threads are busy."""
        if len(self._at_work) == self._threads:
            self._at_work.popleft().result()
        before = self._at_work[-1] if self._at_work else None
        self._at_work.append(self._pool.submit(self._compress_and_append, group, before))

    def _compress_and_append(self, group: pa.Table, before: Future[None] | None) -> None:
        alone = only_group(self._file_of(group.combine_chunks()))
        if before is not None:
            before.result()
        self._entries.append(placed(alone.entry, self._size - len(MAGIC), len(self._entries)))
        self._rows += group.num_rows
        self._append(alone.pages)

    def _file_of(self, group: pa.Table | None) -> memoryview:
        """A Parquet file of this one row group, or of none."""
        sink = pa.BufferOutputStream()
        with pq.ParquetWriter(sink, self._schema, **self._options) as writer:
            if group is not None:
                writer.write_table(group, row_group_size=group.num_rows)
        return memoryview(sink.getvalue())

    def _append(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._size += len(data)

    def __enter__(self) -> RowGroupWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file, self._pool:
            if kind is None:
                while self._at_work:
                    self._at_work.popleft().result()
                self._append(whole_footer(self._footer, self._entries, self._rows))
