"""Row groups of a Parquet file: compressed by several threads, with the bytes that pyarrow writes with one; or copied
as they are stored in another file.
"""

from __future__ import annotations

import io
import mmap
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.storage.parquet_footer import (
    MAGIC,
    RowGroup,
    entries_of,
    first_chunks,
    footer_of,
    moved_to,
    whole_footer,
)

_MOST_THREADS = 4  # each holds a row group, and the same one compressed


class StoredGroups:
    """The row groups of a Parquet file, compressed as they are."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._metadata = pq.read_metadata(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            self._entries = entries_of(footer_of(data))

    def rows(self, group: int) -> int:
        """How many rows the row group has."""
        return int(self._metadata.row_group(group).num_rows)

    def whole(self, group: int) -> RowGroup:
        """The row group with all its columns."""
        metadata = self._metadata.row_group(group)
        chunks = [metadata.column(at) for at in range(metadata.num_columns)]
        start, last = _start(chunks[0]), chunks[-1]
        with self._path.open("rb") as file:
            file.seek(start)
            return RowGroup([file.read(_start(last) + last.total_compressed_size - start)], start, self._entries[group])

    def read(self, group: int, columns: Sequence[str]) -> RowGroup:
        """The row group with these columns alone, which are the first of the file."""
        metadata = self._metadata.row_group(group)
        chunks = [metadata.column(at) for at in range(metadata.num_columns)]
        chunks = [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in columns]
        start, last = _start(chunks[0]), chunks[-1]
        with self._path.open("rb") as file:
            file.seek(start)
            pages = file.read(_start(last) + last.total_compressed_size - start)
        return RowGroup([pages], start, first_chunks(self._entries[group], len(chunks)))


def _start(chunk: pq.ColumnChunkMetaData) -> int:
    return int(chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset)


class _Chunks(io.RawIOBase):
    """What is written, in the pieces it came in: one growing block of memory would be copied as it grows."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def write(self, chunk: Any) -> int:
        self._chunks.append(bytes(chunk))
        self._size += len(chunk)
        return len(chunk)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def taken(self) -> list[bytes]:
        """What was written since the last time."""
        chunks, self._chunks = self._chunks, []
        return chunks


class RowGroupWriter:
    """Writes tables of one schema, each as one row group; a context manager.

    `options` are those of `pyarrow.parquet.ParquetWriter`. The file is complete only after a clean exit. Errors of
    writing come out of a later `write`, or of the exit.
    """

    def __init__(self, path: Path, schema: pa.Schema, **options: Any) -> None:
        self._schema, self._options = schema, options
        self._footer = self._empty_footer()
        self._entries: list[bytes] = []
        self._rows = 0
        self._threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        self._at_work: deque[Future[None]] = deque()
        self._size = len(MAGIC)
        self._file = path.open("wb")
        self._file.write(MAGIC)  # not yet to the disk, which may be full
        self._pool = ThreadPoolExecutor(self._threads)

    def write(self, group: pa.Table, *, in_chunks: bool = False) -> None:
        """Append a row group of at least one row. Returns while it is compressed, unless all threads are busy.

        in_chunks: as it is, which shows in where its pages end; else as one piece of memory, however it came together.
        """
        self._submit(group.num_rows, lambda: self._compressed(group if in_chunks else group.combine_chunks()))

    def copy_whole(self, stored: StoredGroups, group: int) -> None:
        """Append a row group of a file of the same schema and options."""
        self._submit(stored.rows(group), lambda: stored.whole(group))

    def copy(self, stored: StoredGroups, group: int) -> None:
        """Append a row group of another file, in which this one's columns come first, written with the same options."""
        self._submit(stored.rows(group), lambda: stored.read(group, self._schema.names))

    def _submit(self, rows: int, make: Callable[[], RowGroup]) -> None:
        if len(self._at_work) == self._threads:
            self._at_work.popleft().result()
        before = self._at_work[-1] if self._at_work else None
        self._at_work.append(self._pool.submit(self._append_made, rows, make, before))

    def _append_made(self, rows: int, make: Callable[[], RowGroup], before: Future[None] | None) -> None:
        group = make()
        if before is not None:
            before.result()
        self._entries.append(moved_to(group, self._size, len(self._entries)))
        self._rows += rows
        for page in group.pages:
            self._append(page)

    def _compressed(self, group: pa.Table) -> RowGroup:
        sink = _Chunks()
        with pq.ParquetWriter(sink, self._schema, **self._options) as writer:
            offset = sum(map(len, sink.taken()))
            writer.write_table(group, row_group_size=group.num_rows)
            pages = sink.taken()
        (entry,) = entries_of(footer_of(b"".join(sink.taken())))
        return RowGroup(pages, offset, entry)

    def _empty_footer(self) -> bytes:
        sink = _Chunks()
        pq.ParquetWriter(sink, self._schema, **self._options).close()
        return footer_of(b"".join(sink.taken()))

    def _append(self, data: bytes) -> None:
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
