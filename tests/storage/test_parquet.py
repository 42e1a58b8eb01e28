"""Checkpoint Parquet: the same bytes for the same rows, in row groups of bounded size."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.errors import ProcessingError
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter

ROWS = pa.table(
    {
        "row_id": list(range(40)),
        "record": [
            {"text": "x" * (at % 7), "tags": ["long tag"] * (at % 5), "map": [("k", "v" * at)], "big": b"b" * at}
            for at in range(40)
        ],
    },
    schema=pa.schema(
        {
            "row_id": pa.int64(),
            "record": pa.struct(
                {
                    "text": pa.large_string(),
                    "tags": pa.list_(pa.string()),
                    "map": pa.map_(pa.string(), pa.string()),
                    "big": pa.large_binary(),
                }
            ),
        }
    ),
)


def write(path: Path, pieces: list[pa.Table], every: int = 0) -> bytes:
    """The bytes of these pieces; each `every`-th row is to stand apart from the others."""
    with TableWriter(path, ROWS.schema, {"format": "parquet"}, group_bytes=300) as writer:
        for piece in pieces:
            apart = piece["row_id"].to_numpy() % every == 0 if every else None
            writer.write(piece, apart)
    return path.read_bytes()


@given(cuts=st.lists(st.integers(0, 40), max_size=6), every=st.integers(0, 4))
def test_how_batches_were_cut_changes_no_byte(
    cuts: list[int], every: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cuts")
    edges = [0, *sorted(cuts), 40]
    pieces = [ROWS.slice(start, end - start) for start, end in pairwise(edges)]
    assert write(folder / "a", [ROWS], every) == write(folder / "b", pieces, every)


def test_row_groups_are_cut_by_what_nested_values_hold(tmp_path: Path) -> None:
    write(tmp_path / "a", [ROWS])
    groups = list(Checkpoint(tmp_path / "a").tables())
    assert len(groups) >= 8
    assert pa.concat_tables(groups).to_pylist() == ROWS.to_pylist()
    assert Checkpoint(tmp_path / "a").rows == 40
    assert Checkpoint(tmp_path / "a").metadata == {"format": "parquet"}


def test_what_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ProcessingError, match=r"x\.parquet cannot be read"):
        Checkpoint(tmp_path / "x.parquet")
