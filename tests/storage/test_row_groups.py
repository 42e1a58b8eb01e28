"""Row groups that are compressed side by side: byte for byte the file that pyarrow writes with one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entropyguard.core.storage.row_groups import RowGroupWriter, StoredGroups
from tests.storage.test_parquet import ROWS

VECTORS = pa.table(
    {
        "row_id": np.arange(40),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(120, dtype=np.float32)), 3),
        "word": pa.array(["one", None, "three", "four"] * 10).dictionary_encode(),
    }
)
ZSTD = {"compression": "zstd", "compression_level": 1, "use_dictionary": False, "write_statistics": ["row_id"]}


def by_pyarrow(path: Path, groups: list[pa.Table], schema: pa.Schema, options: dict[str, Any]) -> bytes:
    with pq.ParquetWriter(path, schema, **options) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=group.num_rows)
    return path.read_bytes()


@settings(max_examples=30)
@given(
    table=st.sampled_from([ROWS, VECTORS]),
    sizes=st.lists(st.integers(1, 40), max_size=40),
    options=st.sampled_from([ZSTD, {"compression": "none"}]),
)
def test_the_bytes_are_those_of_pyarrow(
    table: pa.Table, sizes: list[int], options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    groups = [table.slice(40 - size) for size in sizes]
    with RowGroupWriter(folder / "ours", table.schema, **options) as writer:
        for group in groups:
            writer.write(group)
    assert (folder / "ours").read_bytes() == by_pyarrow(folder / "theirs", groups, table.schema, options)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    with (
        pytest.raises(OSError, match="No space left"),
        RowGroupWriter(tmp_path / "full", ROWS.schema, **ZSTD) as writer,
    ):
        writer.write(ROWS)


def test_a_stored_row_group_comes_out_as_if_its_first_columns_had_been_written(tmp_path: Path) -> None:
    by_pyarrow(tmp_path / "source", [VECTORS.slice(0, 30), VECTORS.slice(30)], VECTORS.schema, ZSTD)
    first = VECTORS.select(["row_id", "vector"])
    stored = StoredGroups(tmp_path / "source")
    with RowGroupWriter(tmp_path / "ours", first.schema, **ZSTD) as writer:
        writer.write(first.slice(3, 7))
        writer.copy(stored, 1)
        writer.copy(stored, 0)
    groups = [first.slice(3, 7), first.slice(30), first.slice(0, 30)]
    assert (tmp_path / "ours").read_bytes() == by_pyarrow(tmp_path / "theirs", groups, first.schema, ZSTD)
