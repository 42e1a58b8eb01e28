"""Checkpoint Parquet: written in a stream, the same bytes for the same rows, self-describing.

Row groups are cut by the rows and bytes they hold, never by what arrived together, so the bytes of a file do
not depend on how the caller's batches were cut.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.casts import cast_table
from entropyguard.core.storage.row_groups import RowGroupWriter, StoredGroups

ROW_GROUP_ROWS = 65_536
ROW_GROUP_BYTES = 32 << 20
METADATA_KEY = b"entropyguard"


def arrow_file(path: Path) -> pa.OSFile:
    """A file to read with Arrow, which would take a name that is no UTF-8 only as its bytes."""
    return pa.OSFile(os.fsencode(path))


class TableWriter:
    """Writes tables of one schema to a Parquet file; a context manager.

    `metadata` (JSON-able) is stored in the file and comes back as `Checkpoint.metadata`.
    `plain` names the flat or fixed-size-list columns that are not compressed: float vectors shrink by a tenth only,
    and reading them compressed takes twice as long. A row group has at most `group_rows` rows and, but for its last
    one, less than `group_bytes` bytes. The file is complete only after a clean exit; the caller renames it into place.
    """

    def __init__(
        self,
        path: Path,
        schema: pa.Schema,
        metadata: dict[str, Any] | None = None,
        plain: tuple[str, ...] = (),
        group_rows: int = ROW_GROUP_ROWS,
        group_bytes: int = ROW_GROUP_BYTES,
    ) -> None:
        stored = {**(schema.metadata or {}), METADATA_KEY: json.dumps(metadata or {}, sort_keys=True).encode()}
        self._schema = schema.with_metadata(stored)
        # Minima and maxima of texts would repeat whole texts in the footer.
        counted = [field.name for field in schema if pa.types.is_integer(field.type)]
        self._writer = RowGroupWriter(
            path,
            self._schema,
            compression={_leaf(field): "none" if field.name in plain else "zstd" for field in schema}
            if plain
            else "zstd",
            compression_level={field.name: 1 for field in schema if field.name not in plain} if plain else 1,
            use_dictionary=False,
            write_statistics=counted or False,
        )
        self._together, self._apart = (_Waiting(group_rows, group_bytes) for _ in range(2))

    def write(self, table: pa.Table, apart: Bools | None = None) -> None:
        """Append rows; a row group goes out whenever enough of them have come together.

        Rows that are `apart`, shape (rows,), share row groups with each other only.
        """
        if apart is None or not apart.any():
            full = self._together.add(table, range(table.num_rows))
        else:
            full = self._together.add(table.filter(pa.array(~apart)), np.flatnonzero(~apart))
            full += self._apart.add(table.filter(pa.array(apart)), np.flatnonzero(apart))
        for _, group in sorted(full, key=lambda filled: filled[0]):
            self._compress(group)

    def copy(self, stored: StoredGroups, group: int) -> None:
        """Append a row group of another checkpoint as it is stored; this one's columns are its first ones."""
        self._flush()
        self._writer.copy(stored, group)

    def _flush(self) -> None:
        for waiting in (self._together, self._apart):
            if waiting.tables:
                self._compress(waiting.taken())

    def _compress(self, group: pa.Table) -> None:
        self._writer.write(cast_table(group, self._schema))

    def __enter__(self) -> TableWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._writer.__exit__(kind, error, trace)
            return
        with self._writer:
            self._flush()


class _Waiting:
    """Rows that have not come to a row group yet."""

    def __init__(self, group_rows: int, group_bytes: int) -> None:
        self.tables: list[pa.Table] = []
        self._group_rows, self._group_bytes = group_rows, group_bytes
        self._rows = self._bytes = 0

    def add(self, table: pa.Table, rows: Sequence[int] | Ints) -> list[tuple[int, pa.Table]]:
        """The row groups that these rows fill, each with the number, of `rows`, of the one that filled it."""
        ends = np.cumsum(row_bytes(table))
        start, before, full = 0, 0, []
        while start < table.num_rows:
            most = int(np.searchsorted(ends, before + self._group_bytes - self._bytes)) + 1
            end = min(table.num_rows, start + self._group_rows - self._rows, most)
            self.tables.append(table.slice(start, end - start))
            self._rows += end - start
            self._bytes += int(ends[end - 1]) - before
            start, before = end, int(ends[end - 1])
            if self._rows >= self._group_rows or self._bytes >= self._group_bytes:
                full.append((int(rows[end - 1]), self.taken()))
        return full

    def taken(self) -> pa.Table:
        """What is waiting, which waits no longer."""
        group = pa.concat_tables(self.tables)
        self.tables, self._rows, self._bytes = [], 0, 0
        return group


def _leaf(field: pa.Field) -> str:
    """What Parquet calls the column that holds a field's values."""
    return f"{field.name}.list.element" if pa.types.is_fixed_size_list(field.type) else str(field.name)


def row_bytes(table: pa.Table) -> Ints:
    """About how many bytes each row holds: texts by their length, lists by what is in them, anything else eight.

    A value that a dictionary holds once counts in every row: that is what comes out of it.
    """
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        if column.num_chunks:
            total += np.concatenate([_value_bytes(chunk) for chunk in column.chunks])
    return total


def _value_bytes(array: pa.Array) -> Ints:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _picked(_value_bytes(array.dictionary), array.indices.cast(pa.int64()).fill_null(-1).to_numpy())
    if pa.types.is_struct(kind):
        fields = (_value_bytes(pc.struct_field(array, at)) for at in range(kind.num_fields))
        total: Ints = np.sum([np.zeros(len(array), dtype=np.int64), *fields], axis=0)
        return total
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        inner = (
            pa.StructArray.from_arrays([array.keys, array.items], ["key", "item"])
            if pa.types.is_map(kind)
            else array.values
        )
        ends = np.concatenate([[0], np.cumsum(_value_bytes(inner))])
        offsets = array.offsets.to_numpy()
        sizes: Ints = ends[offsets[1:]] - ends[offsets[:-1]]
        return sizes
    if pa.types.is_fixed_size_list(kind):
        return np.full(len(array), kind.list_size * 4, dtype=np.int64)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        array = array.cast(pa.large_binary())
        kind = array.type
    if any(
        check(kind)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    ):
        return np.asarray(pc.fill_null(pc.binary_length(array), 0).to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.full(len(array), 8, dtype=np.int64)


def _picked(sizes: Ints, indices: Ints) -> Ints:
    """The size of each value by its index, 0 at index -1."""
    picked: Ints = np.append(sizes, 0)[indices]
    return picked
