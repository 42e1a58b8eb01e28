"""The rows of a checkpoint in the order of their ids, whatever row groups they stand in.

ingest puts the rows whose text it has seen before into row groups of their own, so a row's place among all rows need
not be its position in the file. Arrays with an entry a row are in the order of places everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Ints
from entropyguard.core.storage.parquet import read_tables, row_count


def ordered_row_ids(checkpoint: Path) -> Ints:
    """The id of each row, ascending. 8 bytes a row."""
    row_ids = _row_ids(checkpoint)
    row_ids.sort()
    return row_ids


def row_places(checkpoint: Path) -> Ints:
    """For the rows as they stand in the file: the place of each in the order of ids. 8 bytes a row, 24 on the way."""
    order = np.argsort(_row_ids(checkpoint), kind="stable")  # in one pass where the ids ascend already
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places


def placed_tables(
    checkpoint: Path, columns: Sequence[str], places: Ints | None = None
) -> Iterator[tuple[Ints, pa.Table]]:
    """Each row group, with the places of its rows; `places` are those of all rows, where they are at hand."""
    if places is None:
        places = row_places(checkpoint)
    start = 0
    for table in read_tables(checkpoint, columns):
        yield places[start : start + table.num_rows], table
        start += table.num_rows


def last_row_id(checkpoint: Path) -> int:
    """The highest row id, -1 when there are no rows."""
    return max((pc.max(table["row_id"]).as_py() for table in read_tables(checkpoint, ["row_id"])), default=-1)


def _row_ids(checkpoint: Path) -> Ints:
    row_ids, start = np.empty(row_count(checkpoint), dtype=np.int64), 0
    for table in read_tables(checkpoint, ["row_id"]):
        row_ids[start : start + table.num_rows] = table["row_id"].to_numpy()
        start += table.num_rows
    return row_ids
