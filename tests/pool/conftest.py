"""A Ray cluster on this machine, started once: it takes a quarter of a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pool.played_cluster import PlayedCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[PlayedCluster]:
    with PlayedCluster() as played:
        yield played
