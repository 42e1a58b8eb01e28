"""Frames of other libraries, none of which is imported here: as Arrow tables of some columns, and selected from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import UsageError

_ROWS_AT_ONCE = 16_384
SAMPLE_ROWS = 1_000
"""How many rows tell the types of a frame that has none of its own."""


class Frame(Protocol):
    """Rows with columns."""

    names: list[str]

    def tables(self, columns: Sequence[str], most: int | None = None) -> Iterator[pa.Table]:
        """These columns of every row, or of the first `most`, in order, in one or more tables."""

    def select(self, rows: Ints) -> Any:
        """The rows with these numbers (from 0, ascending), as a frame of the same kind."""


class PolarsFrame:
    """A `polars.DataFrame`."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = list(frame.columns)

    def tables(self, columns: Sequence[str], most: int | None = None) -> Iterator[pa.Table]:
        chosen = self._frame.select(columns)
        yield (chosen if most is None else chosen.head(most)).to_arrow()

    def select(self, rows: Ints) -> Any:
        return self._frame[rows]


class ArrowFrame:
    """A `pyarrow.Table`."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.names = list(table.column_names)

    def tables(self, columns: Sequence[str], most: int | None = None) -> Iterator[pa.Table]:
        yield self._table.select(columns).slice(0, most)

    def select(self, rows: Ints) -> Any:
        return self._table.filter(_mask(rows, self._table.num_rows))  # take would join the chunks of a column


class DatasetFrame:
    """A `datasets.Dataset`."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.names = list(dataset.column_names)

    def tables(self, columns: Sequence[str], most: int | None = None) -> Iterator[pa.Table]:
        chosen = self._dataset.select_columns(columns).with_format("arrow")
        if most is not None:
            chosen = chosen.select(range(min(most, len(chosen))))
        if not len(chosen):
            yield chosen[:]
        yield from chosen.iter(batch_size=_ROWS_AT_ONCE)

    def select(self, rows: Ints) -> Any:
        return self._dataset.select(rows)


class PandasFrame:
    """A `pandas.DataFrame`."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.names = list(frame.columns)

    def tables(self, columns: Sequence[str], most: int | None = None) -> Iterator[pa.Table]:
        frame = self._frame if most is None else self._frame.head(most)
        arrays = {name: _array(frame[name]) for name in columns}
        known = {name: array for name, array in arrays.items() if array is not None}
        unknown = [name for name in columns if arrays[name] is None]
        if unknown and most is None:
            raise UsageError(f"Column {unknown[0]!r} of the data holds values of several types. Give it one of them.")
        yield pa.table(known)

    def select(self, rows: Ints) -> Any:
        return self._frame.iloc[rows]


def _array(column: Any) -> pa.Array | None:
    """A column of pandas: NaN as null, and among texts whatever is none; None where there is no common type."""
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        texts = [value if isinstance(value, str) else None for value in column]
        return pa.array(texts, pa.large_string()) if any(text is not None for text in texts) else None


def _mask(rows: Ints, count: int) -> pa.Array:
    import numpy as np

    wanted = np.zeros(count, dtype=np.bool_)
    wanted[rows] = True
    return pa.array(wanted)


def write_tables(tables: Iterable[pa.Table], out: Path) -> None:
    """Write tables of one schema as Parquet that is read again at once: nothing is compressed."""
    writer = None
    try:
        for table in tables:
            if writer is None:
                writer = pq.ParquetWriter(out, table.schema, compression="none", use_dictionary=False)
            writer.write_table(table, row_group_size=_ROWS_AT_ONCE)
    finally:
        if writer is not None:
            writer.close()
