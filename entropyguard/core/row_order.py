"""The rows of a checkpoint in the order of their ids, whatever row groups they stand in.

ingest puts the rows whose text it has seen before into row groups of their own, so a row's place among all rows need
not be its position in the file. Arrays with an entry a row are in the order of places everywhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from entropyguard.core.parquet import read_tables, row_count

Ints = npt.NDArray[np.int64]


def ordered_row_ids(checkpoint: Path) -> Ints:
    """The id of each row, ascending. 8 bytes a row."""
    row_ids = _row_ids(checkpoint)
    row_ids.sort()
    return row_ids


def row_places(checkpoint: Path) -> Ints:
    """For the rows as they stand in the file: the place of each in the order of ids. 8 bytes a row, 24 on the way."""
    row_ids = _row_ids(checkpoint)
    return np.searchsorted(np.sort(row_ids), row_ids)


def last_row_id(checkpoint: Path) -> int:
    """The highest row id, -1 when there are no rows."""
    return max((pc.max(table["row_id"]).as_py() for table in read_tables(checkpoint, ["row_id"])), default=-1)


def _row_ids(checkpoint: Path) -> Ints:
    row_ids, start = np.empty(row_count(checkpoint), dtype=np.int64), 0
    for table in read_tables(checkpoint, ["row_id"]):
        row_ids[start : start + table.num_rows] = table["row_id"].to_numpy()
        start += table.num_rows
    return row_ids
