"""The pool of a Ray cluster, on a real one: nodes join, are refused and die, and what comes of units is the same."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from entropyguard.core.errors import DataFormatError, ProcessingError, UsageError
from entropyguard.core.pool.pool import Fact
from entropyguard.core.pool.ray_connection import check_ray
from entropyguard.core.pool.ray_nodes import resources
from entropyguard.core.pool.ray_pool import RayPool
from tests.pool import units as made
from tests.pool.played_cluster import PlayedCluster
from tests.pool.test_local_pool import SQUARES, assert_stopped, wait_until, writers
from tests.pool.units import Unit, contents, nodes_of, units

pytestmark = pytest.mark.ray


class Told(list[str]):
    """What a pool told."""


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def pool(cluster: PlayedCluster, told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayPool]:
    """A pool of the cluster's nodes, connected once."""
    with closing(RayPool(cluster.address, tmp_path_factory.mktemp("shared"), told.append)) as made:
        yield made


def test_two_nodes_do_what_one_process_does(pool: RayPool, tmp_path: Path, told: Told) -> None:
    heard: list[float] = []
    work = made.square_in_company
    done = list(pool.map(work, units(tmp_path), lambda unit, share: heard.append(share), threaded=True))
    assert contents(done) == SQUARES
    assert heard == [1.0] * 12
    assert nodes_of(tmp_path) == {"head", "second"}
    assert told == []
    assert list(pool.folder.iterdir()) == []  # what was shown to the nodes is gone


def test_a_node_gives_a_unit_one_core(pool: RayPool, tmp_path: Path) -> None:
    assert set(pool.map(made.threads, units(tmp_path, 4))) == {("1", 1)}


def test_a_killed_process_of_a_node_changes_nothing(pool: RayPool, tmp_path: Path) -> None:
    assert contents(list(pool.map(made.die_once, units(tmp_path)))) == SQUARES
    assert len(set(Unit(3, tmp_path).nodes)) == 2


def test_a_unit_that_fails_is_done_again_on_another_node(pool: RayPool, tmp_path: Path) -> None:
    assert contents(list(pool.map(made.raise_once, units(tmp_path)))) == SQUARES
    assert all(len(set(Unit(number, tmp_path).nodes)) == 2 for number in range(0, 12, 3))


def test_a_unit_that_fails_three_times_ends_the_work_and_names_unit_and_node(pool: RayPool, tmp_path: Path) -> None:
    said = r"^number 3 failed 3 times, the last time on \S+ \(127\.0\.0\.1, \w{6}\): ValueError: three is no number\. "
    with pytest.raises(ProcessingError, match=said):
        list(pool.map(made.raise_always, units(tmp_path)))
    with pytest.raises(
        ProcessingError, match=r"number 3 failed .*: its process ended, as happens when memory runs out"
    ):
        list(pool.map(made.die_always, units(tmp_path)))


def test_an_error_of_ours_ends_the_work_at_once_as_itself(pool: RayPool, tmp_path: Path) -> None:
    with pytest.raises(DataFormatError, match=r"^data\.jsonl, line 3 is no JSON\.$"):
        list(pool.map(made.refuse, units(tmp_path, 200)))
    assert len(Unit(3, tmp_path).tries) == 1
    wait_until(lambda: not alive(tmp_path, "ray::attempt"))
    assert_stopped(tmp_path)


def test_closing_early_ends_what_is_under_way(pool: RayPool, tmp_path: Path) -> None:
    results = pool.map(made.slow_square, units(tmp_path, 200))
    next(results)
    results.close()
    wait_until(lambda: not alive(tmp_path, "ray::attempt"))
    assert_stopped(tmp_path)


def test_nodes_may_join_and_die_in_the_middle(cluster: PlayedCluster, pool: RayPool, tmp_path: Path) -> None:
    lingering: list[Unit] = []

    def kill_once(unit: Unit, share: float) -> None:
        if lingering or not {"third", "fourth"} <= nodes_of(tmp_path):
            return
        lingering.extend(unit for unit in units(tmp_path, 80) if "fourth" in unit.nodes)
        cluster.kill_raylet("third")  # what its worker is at it still brings to an end, what waits for it is lost
        cluster.remove("fourth")
        os.kill(int(lingering[0].tries[0]), signal.SIGKILL)  # as when the machine is gone

    results = pool.map(made.linger_on_fourth, units(tmp_path, 80), kill_once)
    done = [next(results)]
    for name in ("third", "fourth"):
        cluster.add(name)
    done += results
    assert contents(done) == [str(number**2) for number in range(80)]
    (unit,) = lingering
    assert unit.nodes[0] == "fourth"
    assert unit.nodes[1] in {"head", "second", "third"}


def test_a_node_that_differs_gets_no_unit_and_is_told_of(
    cluster: PlayedCluster, pool: RayPool, tmp_path: Path, told: Told
) -> None:
    others = {"old": {"OLD": "polars"}, "blind": {"BLIND": "1"}, "other": {"FINGERPRINT": "another"}}
    for name, played in others.items():
        cluster.add(name, **{f"PLAYED_{key}": value for key, value in played.items()})
    told.clear()
    fact = Fact("encoder fingerprint", "the same", made.fingerprint)
    done: list[Path] = []
    for path in pool.map(made.square_in_company, units(tmp_path, 120), facts=[fact]):
        done.append(path)
        if len(told) == 3:
            break
    assert len(done) < 120
    assert nodes_of(tmp_path) == {"head", "second"}
    said = sorted(re.sub(r"Ray's node \S+ \(127\.0\.0\.1, \w{6}\) gets no work: ", "", line) for line in told)
    assert re.fullmatch(r"it does not see \S+ as it is here, which all nodes have to share under that path\.", said[0])
    assert said[1] == "its encoder fingerprint is another, here it is the same."
    assert re.fullmatch(r"its polars is 0\.1, here it is [\d.]+\.", said[2])
    for name in others:
        cluster.remove(name)


def test_without_a_node_that_may_work_the_run_ends_with_all_reasons(pool: RayPool, tmp_path: Path) -> None:
    fact = Fact("encoder fingerprint", "no node has this", made.fingerprint)
    with pytest.raises(
        ProcessingError, match=r"^No node of Ray's can do this work\.( Ray's node .* its encoder .*){2,}Mend"
    ):
        list(pool.map(made.square, units(tmp_path), facts=[fact]))
    with pytest.raises(ProcessingError, match="No node of the cluster has a GPU for it"):
        list(pool.map(made.square, units(tmp_path), gpu=True))
    assert not writers(tmp_path)


def test_a_unit_on_a_gpu_asks_for_one() -> None:
    assert resources("GPU", check=False) == {"num_cpus": 1, "num_gpus": 1}
    assert resources("GPU", check=True) == {"num_cpus": 0, "num_gpus": 1}
    assert resources("CPU", check=False) == {"num_cpus": 1}
    assert resources("CPU", check=True) == {"num_cpus": 0}


SCRIPT = """
import sys
from pathlib import Path
from entropyguard.core.pool.ray_pool import RayPool
from tests.pool import units
if __name__ == "__main__":
    folder = Path(sys.argv[2])
    pool = RayPool(sys.argv[1], folder, print, 2)
    work = getattr(units, sys.argv[3])
    print(*(path.read_text() for path in pool.map(work, units.units(folder))))
    pool.close()
"""


def start(address: str, folder: Path, work: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, address, str(folder), work]
    environment = {**os.environ, "PLAYED_FOLDER": str(folder)}
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, env=environment, stdout=-1, stderr=-1, text=True)


def alive(folder: Path, named: str = "") -> set[int]:
    """The living processes that began a unit in the folder, by the name that they have now, or were started for it."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mine = int(entry.name) in writers(folder) or f"PLAYED_FOLDER={folder}\0" in (entry / "environ").read_text()
            command = (entry / "cmdline").read_text()
        except (OSError, UnicodeDecodeError):  # it has just ended, or is nothing of ours
            continue
        if mine and command and named in command:
            found.add(int(entry.name))
    return found


def test_tasks_end_with_the_driver_however_it_ends(cluster: PlayedCluster, tmp_path: Path) -> None:
    driver = start(cluster.address, tmp_path, "wait_for_ever")
    try:
        wait_until(lambda: len(writers(tmp_path)) >= 2)
    finally:
        driver.kill()
        driver.communicate()
    wait_until(lambda: not alive(tmp_path))


def test_a_local_ray_is_started_and_leaves_nothing_however_its_driver_ends(tmp_path: Path) -> None:
    ended, killed = tmp_path / "ended", tmp_path / "killed"
    for folder in (ended, killed):
        folder.mkdir()
    first, second = start("local", ended, "square"), start("local", killed, "wait_for_ever")
    assert first.communicate() == (" ".join(SQUARES) + "\n", "")
    assert writers(ended)
    wait_until(lambda: len(writers(killed)) == 2)
    second.kill()
    second.communicate()
    wait_until(lambda: not alive(ended) | alive(killed))


def test_an_address_for_clients_and_a_missing_ray_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"--ray is ray://a:10001, Ray's address for clients\. Run .* on a node"):
        check_ray("ray://a:10001")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'not installed\. Run: pip install "entropyguard\[ray\]"'):
        check_ray("auto")
