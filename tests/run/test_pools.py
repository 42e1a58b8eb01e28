"""Which pool a stage has, by what was asked for, and what is said of nodes that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.core.errors import UsageError
from entropyguard.core.pool.local import LocalPool, usable_cores
from entropyguard.core.pool.ray_pool import RayPool
from entropyguard.run.pools import check_pool, pool_of_environment, pool_variables, refusals


@pytest.mark.parametrize(("workers", "has"), [(3, 3), (None, usable_cores())])
def test_a_stage_has_as_many_processes_as_it_was_given(
    workers: int | None, has: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in pool_variables(workers, None).items():
        monkeypatch.setenv(name, value)
    pool = pool_of_environment(tmp_path, print)
    assert isinstance(pool, LocalPool)
    assert pool.workers == has


def test_a_stage_has_the_ray_that_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pool_variables(None, "10.0.0.7:6379").items():
        monkeypatch.setenv(name, value)
    pool = pool_of_environment(tmp_path, print)
    assert isinstance(pool, RayPool)
    assert pool.address == "10.0.0.7:6379"


def test_a_clients_address_ends_a_stage_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTROPYGUARD_RAY", "ray://10.0.0.7:10001")
    with pytest.raises(UsageError, match="address for clients"):
        pool_of_environment(tmp_path, print)


def test_processes_of_this_machine_and_nodes_of_another_are_not_asked_for_at_once() -> None:
    with pytest.raises(UsageError, match=r"^--workers is for this machine, and with --ray auto it is the nodes"):
        check_pool(2, "auto")
    check_pool(2, "local")
    check_pool(2, None)


def test_a_refused_node_is_told_of_once() -> None:
    line = "Ray's node b (10.0.0.7, 3f2a01) gets no work: its polars is 0.1, here it is 1.42.1."
    log = f"Running 'ingest':\nentropyguard: {line}\nRunning 'embed':\nentropyguard: {line}\nentropyguard: other\n"
    assert refusals(log) == [line]
