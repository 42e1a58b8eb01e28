"""Pairs come back in order and once each, in memory or on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.near.pair_runs import PairRuns, as_keys, as_pairs

pairs = st.tuples(st.integers(0, 9), st.integers(0, 9)) | st.tuples(*[st.sampled_from([0, 2**31, 2**32 - 1])] * 2)


@given(
    parts=st.lists(st.lists(pairs, max_size=9), max_size=12),
    max_bytes=st.sampled_from([0, 100, 500, 1 << 20]),
    together=st.sampled_from([1, 3, 1000]),
)
def test_pairs_come_back_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[int, int]]], max_bytes: int, together: int
) -> None:
    runs = PairRuns(tmp_path_factory.mktemp("runs"), max_bytes)
    for part in parts:
        later, earlier = np.array(part, dtype=np.int64).reshape(-1, 2).T
        runs.add(as_keys(later, earlier))
    found = [pair for batch in runs.batches(together) for pair in zip(*map(list, as_pairs(batch)), strict=True)]
    assert found == sorted({pair for part in parts for pair in part})


def many(seed: int = 0) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 20_000, rng.integers(1, 2_000)) for _ in range(60)]


@pytest.mark.parametrize(("max_bytes", "spilled"), [(1 << 12, True), (1 << 24, False)])
def test_more_than_the_memory_lies_in_the_folder(tmp_path: Path, max_bytes: int, spilled: bool) -> None:
    runs, parts = PairRuns(tmp_path, max_bytes), many()
    for part in parts:
        runs.add(part.astype(np.uint64))
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    pairs_bytes = 8 * sum(map(len, parts))
    assert pairs_bytes // 2 < written <= pairs_bytes if spilled else written == 0
    batches = list(runs.batches(500))
    assert np.concatenate(batches).tolist() == np.unique(np.concatenate(parts)).tolist()
    assert all(0 < len(batch) <= 500 for batch in batches)
    assert len(batches) < 4 * len(np.unique(np.concatenate(parts))) // 500 or spilled


def test_keys_are_in_the_order_of_the_later_row_first() -> None:
    later, earlier = np.array([1, 2, 2, 2**32 - 1]), np.array([5, 0, 1, 0])
    keys = as_keys(later, earlier)
    assert sorted(keys.tolist()) == keys.tolist()
    assert [rows.tolist() for rows in as_pairs(keys)] == [later.tolist(), earlier.tolist()]
