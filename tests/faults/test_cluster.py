"""Runs on a cluster of two nodes, in units of a few rows: the same bytes as on one machine, whatever dies meanwhile."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from entropyguard.project.pipeline import STAGES
from tests.faults.cluster_soak import LONGEST_SECONDS, ClusterBench, build_clean_rows
from tests.faults.harness import Bench, Clean, wait_until
from tests.pool.played_cluster import PlayedCluster

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Clean:
    """An undisturbed run on this machine, with units as they are by default."""
    return build_clean_rows(tmp_path_factory.mktemp("many") / "clean", model)


@pytest.fixture
def cluster_bench(tmp_path: Path, many: Clean) -> ClusterBench:
    bench = ClusterBench(tmp_path, many)
    bench.empty()
    return bench


def stage_at_work(bench: Bench) -> str | None:
    """The stage that has begun and not ended."""
    try:
        stage: str = json.loads((bench.checkpoints / ".entropyguard" / "running.json").read_text())["stage"]
    except (OSError, ValueError):  # none, or it is just being written
        return None
    return stage


def test_two_processes_do_what_one_does(cluster_bench: ClusterBench) -> None:
    assert cluster_bench.resume("--workers", "2").code == 0
    cluster_bench.assert_clean()


def test_two_nodes_of_which_one_dies_in_each_stage_do_what_one_machine_does(
    cluster_bench: ClusterBench, cluster: PlayedCluster
) -> None:
    process = cluster_bench.start("--ray", cluster.address)
    died: list[str] = []
    deadline = time.monotonic() + 3 * LONGEST_SECONDS
    while process.poll() is None:
        assert time.monotonic() < deadline, "the run hangs"
        stage = stage_at_work(cluster_bench)
        if stage is not None and stage not in died:
            died.append(stage)
            cluster.remove("second")
            cluster.add("second")
        time.sleep(0.01)
    code, stderr = cluster_bench.finish(process)
    assert code == 0, stderr
    cluster_bench.assert_clean()
    assert set(died) >= {"ingest", "near_dedup", "embed", "similar_pairs", "export"} <= set(STAGES)


def test_ctrl_c_frees_the_cluster_and_another_one_goes_on(cluster_bench: ClusterBench, cluster: PlayedCluster) -> None:
    process = cluster_bench.start("--ray", cluster.address)
    wait_until(
        lambda: cluster.tasks() and stage_at_work(cluster_bench) == "embed", "embed gives no unit away", LONGEST_SECONDS
    )
    process.send_signal(signal.SIGINT)
    code, stderr = cluster_bench.finish(process)
    assert code == 130, stderr
    wait_until(lambda: not cluster.tasks(), "tasks run on", LONGEST_SECONDS)
    cluster_bench.assert_no_process_left()
    ended = cluster_bench.assert_survives("embed", "--workers", "1")
    assert ended.ran[0] == "embed"


def test_a_cluster_that_does_not_answer_is_said_in_a_line(cluster_bench: ClusterBench) -> None:
    ended = cluster_bench.resume("--ray", "127.0.0.1:1")
    assert ended.code == 1, ended.stderr
    (line,) = (line for line in ended.stderr.splitlines() if "no Ray cluster answers there" in line)
    assert line.startswith("entropyguard: --ray 127.0.0.1:1")
