"""What the stages that decide by pairs share: which pairs come, which rows stay, and what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.decisions.greedy import KEPT, Decisions, decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.decisions.write import write_decided
from entropyguard.core.errors import ProcessingError
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter

PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
ROWS = pa.schema([("row_id", pa.int64()), ("record", pa.string())])
BIG = 1 << 30
IDS = np.array([2, 4, 9])
"""Row ids; their indices are 0, 1, 2."""


def write(path: Path, schema: pa.Schema, columns: list[list[int]], **metadata: str) -> Checkpoint:
    with TableWriter(path, schema, metadata) as writer:
        writer.write(pa.table(columns, schema=schema))
    return Checkpoint(path)


def pairs(folder: Path, *rows: tuple[int, int, float]) -> Checkpoint:
    return write(folder / "pairs.parquet", PAIRS, [list(column) for column in zip(*rows, strict=True)])


def read(stream: PairStream) -> list[tuple[int, int, float]]:
    return [(int(b), int(a), float(similarity)) for batch in stream for b, a, similarity in zip(*batch, strict=True)]


def test_pairs_come_as_indices_from_the_threshold_up_and_again(tmp_path: Path) -> None:
    stream = PairStream(pairs(tmp_path, (2, 4, 0.9), (2, 9, 0.8), (4, 9, 1.0)), IDS, 0.9)
    assert read(stream) == read(stream) == [(1, 0, 0.9), (2, 1, 1.0)]


def test_pairs_that_stand_apart_are_left_out(tmp_path: Path) -> None:
    def apart(b: Ints, a: Ints) -> Bools:
        found: Bools = (b == 2) & (a == 1)
        return found

    stream = PairStream(pairs(tmp_path, (2, 4, 0.9), (2, 9, 0.8), (4, 9, 1.0)), IDS, 0.0, apart)
    assert read(stream) == [(1, 0, 0.9), (2, 0, 0.8)]


@pytest.mark.parametrize("pair", [(2, 3), (2, 10), (3, 9)])
def test_pairs_of_other_rows_are_refused(tmp_path: Path, pair: tuple[int, int]) -> None:
    stream = PairStream(pairs(tmp_path, (*pair, 0.99)), IDS, 0.9)
    with pytest.raises(ProcessingError, match=r"pairs\.parquet names rows that are not among those it was made from"):
        read(stream)


Pairs = dict[tuple[int, int], float]


def oracle(rank: list[int], similar: Pairs) -> dict[int, tuple[int, float]]:
    """Dropped row -> (keeper, similarity), by nested loops."""
    kept: list[int] = []
    dropped = {}
    for row in sorted(range(len(rank)), key=rank.__getitem__):
        of_kept = [(similar.get((max(row, other), min(row, other)), 0.0), -other) for other in kept]
        similarity, minus_keeper = max(of_kept, default=(0.0, 0))
        if similarity:
            dropped[row] = (-minus_keeper, similarity)
        else:
            kept.append(row)
    return dropped


@given(
    rank=st.permutations(range(8)),
    similar=st.dictionaries(
        st.tuples(st.integers(1, 7), st.integers(0, 6)).filter(lambda pair: pair[0] > pair[1]),
        st.sampled_from([0.95, 0.96, 1.0]),
    ),
    memory=st.sampled_from([1, 1_000, BIG]),
)
def test_stars_are_those_of_nested_loops(rank: list[int], similar: Pairs, memory: int) -> None:
    ordered = sorted(similar)
    b, a = (np.array([pair[side] for pair in ordered], dtype=np.int64) for side in (0, 1))
    stream = [(b, a, np.array([similar[pair] for pair in ordered]))]
    for given_rank in (rank, None):
        found = decide_stars(stream, np.arange(8), None if given_rank is None else np.array(rank), memory)
        lost = np.flatnonzero(found.keeper != KEPT)
        dropped = {int(row): (int(found.keeper[row]), float(found.similarity[row])) for row in lost}
        assert dropped == oracle(given_rank or list(range(8)), similar)


def test_rows_that_stay_are_written_as_they_were_and_the_others_with_their_keepers(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.parquet", ROWS, [[2, 4, 9], ["a", "b", "c"]], format="jsonl")  # type: ignore[list-item]
    decisions = Decisions(IDS)
    decisions.keeper[:] = [KEPT, 0, 0]
    decisions.similarity[:] = [0, 0.9, np.nan]
    out, dropped = tmp_path / "out.parquet", tmp_path / "dropped.parquet"
    assert write_decided(rows, out, dropped, "near", decisions, {"near": {"judged": 7}}, silent) == 1
    assert [table.to_pylist() for table in Checkpoint(out).tables()] == [[{"row_id": 2, "record": "a"}]]
    assert Checkpoint(out).metadata == {"format": "jsonl"}
    assert [row for table in Checkpoint(dropped).tables() for row in table.to_pylist()] == [
        {"row_id": 4, "reason": "near", "keeper_row_id": 2, "similarity": 0.9},
        {"row_id": 9, "reason": "near", "keeper_row_id": 2, "similarity": None},
    ]
    assert Checkpoint(dropped).metadata == {"near": {"judged": 7}}
