"""A checkpoint, opened once: what its footer says is read then, its rows when they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import ProcessingError
from entropyguard.core.storage.files import content_digest
from entropyguard.core.storage.parquet import METADATA_KEY

_SLICE_ROWS = 4_096


class Checkpoint:
    """One of our Parquet files (`TableWriter`); ProcessingError when it is none, or not whole.

    rows: how many it has. metadata: what its writer said of it. schema: its columns. group_rows: the rows of each row
    group.

    ingest puts the rows whose text it has seen before into row groups of their own, so a row's position in the order
    of row ids need not be the one it has in the file. Arrays with an entry a row are in the order of ids everywhere.
    """

    def __init__(self, path: Path, digest: str | None = None) -> None:
        """digest: of the file's content, where it is known."""
        self.path = path
        self._digest = digest
        self._footer: pq.FileMetaData | None = None
        with self.opened() as file:
            self._footer = file.metadata
            self.schema: pa.Schema = file.schema_arrow
        self.rows = int(self._footer.num_rows)
        self.group_rows = [self._footer.row_group(at).num_rows for at in range(self._footer.num_row_groups)]
        self.metadata: dict[str, Any] = json.loads((self.schema.metadata or {}).get(METADATA_KEY, b"{}"))

    @cached_property
    def digest(self) -> str:
        """Of the file's content (`content_digest`)."""
        return self._digest or content_digest(self.path)

    def group_runs(self, column: str, most_bytes: int) -> list[range]:
        """Runs of row groups in which a column has about so many bytes, more only where a single one has."""
        runs, start, held = [], 0, 0
        for group in range(len(self.group_rows)):
            size = self.column_bytes(group, column)
            if held and held + size > most_bytes:
                runs.append(range(start, group))
                start, held = group, 0
            held += size
        return [*runs, range(start, len(self.group_rows))] if self.group_rows else runs

    def column_bytes(self, group: int, column: str) -> int:
        """What a flat column or a struct takes in a row group, before it is compressed."""
        assert self._footer is not None  # noqa: S101  for the type checker
        chunks = self._footer.row_group(group)
        named = (chunks.column(at) for at in range(chunks.num_columns))
        return sum(one.total_uncompressed_size for one in named if one.path_in_schema.partition(".")[0] == column)

    @contextmanager
    def opened(self) -> Iterator[pq.ParquetFile]:
        """The file for reading by one thread."""
        try:
            file = pq.ParquetFile(self.path, metadata=self._footer, memory_map=False)
        except (pa.ArrowInvalid, OSError) as error:
            raise ProcessingError(f"{self.path.name} cannot be read as Parquet ({error}).") from error
        with file:
            yield file

    def tables(self, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None) -> Iterator[pa.Table]:
        """The row groups as they stand in the file, or some of them, one table each: memory holds one."""
        with self.opened() as file:
            for group in range(len(self.group_rows)) if groups is None else groups:
                yield file.read_row_group(group, columns=columns and list(columns))

    def slices(self, columns: Sequence[str], groups: Sequence[int]) -> Iterator[pa.Table]:
        """The rows of some row groups, a few thousand at a time, which stay in the processor's cache."""
        with self.opened() as file:
            for group in groups:
                for batch in file.iter_batches(_SLICE_ROWS, [group], list(columns), use_threads=False):
                    yield pa.Table.from_batches([batch])

    def placed(self, columns: Sequence[str]) -> Iterator[tuple[Ints, pa.Table]]:
        """Each row group, with the positions of its rows in the order of row ids."""
        start = 0
        for table in self.tables(columns):
            yield self.positions[start : start + table.num_rows], table
            start += table.num_rows

    @cached_property
    def positions(self) -> Ints:
        """For the rows as they stand in the file: the position of each by row id. 8 bytes a row, 24 on the way."""
        order = np.argsort(self._stored_ids(), kind="stable")  # in one pass where the ids ascend already
        positions = np.empty_like(order)
        positions[order] = np.arange(len(order))
        return positions

    @cached_property
    def row_ids(self) -> Ints:
        """The id of each row, ascending. 8 bytes a row."""
        row_ids = self._stored_ids()
        row_ids.sort()
        return row_ids

    def last_row_id(self) -> int:
        """The highest row id, -1 when there are no rows."""
        return max((pc.max(table["row_id"]).as_py() for table in self.tables(["row_id"])), default=-1)

    def _stored_ids(self) -> Ints:
        row_ids, start = np.empty(self.rows, dtype=np.int64), 0
        for table in self.tables(["row_id"]):
            row_ids[start : start + table.num_rows] = table["row_id"].to_numpy()
            start += table.num_rows
        return row_ids
