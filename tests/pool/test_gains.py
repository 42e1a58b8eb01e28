"""Whether units are given to a pool at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import InlinePool, Pool, gains, where_it_gains
from entropyguard.core.pool.ray_pool import RayPool

CLUSTER = RayPool("auto", Path("unused"), print)


@pytest.mark.parametrize(
    ("pool", "threads", "rows", "expected"),
    [
        (InlinePool(), 1, 1_001, False),
        (LocalPool(1), 1, 1_001, False),
        (LocalPool(2), 1, 1_001, True),
        (LocalPool(2), 1, 1_000, False),  # too few rows
        (LocalPool(3), 3, 1_001, False),  # the stage keeps as many cores busy by itself
        (LocalPool(4), 3, 1_001, True),
        (CLUSTER, 3, 1_001, True),
        (CLUSTER, 1, 1_000, False),
    ],
)
def test_a_pool_gains_by_more_workers_than_threads_and_enough_rows(
    pool: Pool, threads: int, rows: int, expected: bool
) -> None:
    assert gains(pool, threads, rows=rows, above=1_000) == expected


def test_little_work_is_done_here() -> None:
    pool = LocalPool(2)
    assert where_it_gains(pool, rows=11, above=10) is pool
    assert isinstance(where_it_gains(pool, rows=10, above=10), InlinePool)
