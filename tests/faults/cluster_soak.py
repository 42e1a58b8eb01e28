"""`python -m tests.faults.cluster_soak [COUNT] [SEED]`: kills at random moments of runs on a cluster of two nodes.

Each time some stages have to be built with `--ray`, in units of a few rows, and at a random moment something is killed:
a worker's process, a raylet, a whole node, the stage (which drives the cluster), DVC, the command line, or all of the
run's own. Where only the cluster lost something, the run must go on by itself; else it is resumed, with Ray, without,
or with a node more or less. All outputs must be those of an undisturbed run on one machine, byte for byte, and no task
may run on. Prints how many were survived, by what was killed and what ran; ends with 1 if any was not.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from entropyguard.project.pipeline import STAGES
from tests.conftest import TEXTS, Workspace
from tests.faults.harness import Bench, Clean, wait_until
from tests.faults.soak import BETWEEN, ENDED, say, table
from tests.pool.played_cluster import PlayedCluster
from tests.static_model import write_static_model

OF_THE_CLUSTER = ("worker", "raylet", "node")
OF_THE_RUN = ("stage", "dvc", "cli", "all")
_SMALL_UNITS = Path(__file__).parent / "small_units"
LONGEST_SECONDS = 120


class ClusterBench(Bench):
    """A bench whose stages cut their work into units of a few rows."""

    def env(self) -> dict[str, str]:
        """See `Workspace`."""
        environment = super().env()
        path = [str(_SMALL_UNITS), environment.get("PYTHONPATH")]
        loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # where the played cluster is
        return {**environment, **loopback, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def rows() -> list[str]:
    """Texts with duplicates of all kinds, enough for some units in each stage."""
    ends = ["", "and music", "in winter", "in the"]
    halves = [(text.split()[:4], text.split()[4:]) for text in TEXTS]
    return [" ".join([*one, *other, end]).strip() for end in ends for one, _ in halves for _, other in halves]


def main(count: int = 40, seed: int | None = None) -> int:
    """Kill `count` times; the exit code."""
    seed = random.SystemRandom().randrange(10**6) if seed is None else seed
    chance = random.Random(seed)
    tried: Counter[tuple[str, str]] = Counter()
    survived: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, PlayedCluster() as cluster:
        root = Path(folder)
        clean = build_clean_rows(root / "clean", write_static_model(root / "model"))
        bench = ClusterBench(root / "bench", clean)
        while tried.total() < count:
            victim = chance.choice(OF_THE_CLUSTER + OF_THE_RUN)
            try:
                moment = _kill_once(bench, cluster, victim, chance)
            except AssertionError as failure:
                moment = "not survived"
                say(f"NOT SURVIVED: {victim} killed: {failure}")
                shutil.rmtree(bench.folder)
                bench = ClusterBench(root / "bench", clean)
            if moment == ENDED:
                continue
            tried[victim, moment] += 1
            survived[victim, moment] += moment != "not survived"
            say(f"{survived.total()} of {tried.total()} survived: {victim} killed, {moment}")
    say(table(tried, survived, OF_THE_CLUSTER + OF_THE_RUN))
    say(f"{survived.total()} of {tried.total()} kills survived (seed {seed})")
    return int(survived.total() < tried.total())


def build_clean_rows(folder: Path, model: Path) -> Clean:
    """What an undisturbed run on this machine writes, with units as they are by default."""
    folder.mkdir()
    workspace = Workspace(folder, model)
    workspace.write_rows(rows())
    ended = workspace.run()
    assert ended.code == 0, ended.stderr
    return Clean.of(workspace)


def _kill_once(bench: Bench, cluster: PlayedCluster, victim: str, chance: random.Random) -> str:
    """Have some stages built on the cluster, and kill; what ran then. AssertionError where it is not survived."""
    first = chance.choice(STAGES)
    if first == STAGES[0]:
        bench.empty()
    else:
        bench.unbuild(*STAGES[STAGES.index(first) :])
    process = bench.start("--ray", cluster.address)
    deadline = time.monotonic() + chance.uniform(1.0, 4.0 + 3.0 * (len(STAGES) - STAGES.index(first)))
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    running = [stage for stage in STAGES if any(f"stages/{stage}.py" in one for one in bench.processes().values())]
    moment = running[0] if running else BETWEEN
    lost = _kill(bench, cluster, victim, process.pid)
    wait_until(lambda: process.poll() is not None, "the run hangs", LONGEST_SECONDS)
    code, stderr = bench.finish(process)
    if victim in OF_THE_CLUSTER:
        assert code == 0, stderr
    if lost:
        cluster.remove("second")
        cluster.add("second")
    if code == 0:
        bench.assert_clean()
        return moment if victim in OF_THE_CLUSTER else ENDED
    bench.assert_no_process_left()
    wait_until(lambda: not cluster.tasks(), "tasks run on", LONGEST_SECONDS)
    _resume(bench, cluster, running[0] if running else first, chance)
    return moment


def _resume(bench: Bench, cluster: PlayedCluster, first: str, chance: random.Random) -> None:
    """Resume on another cluster, or on none."""
    way = chance.choice(["without", "as before", "a node more", "a node less"])
    if way == "a node more":
        cluster.add("third")
    elif way == "a node less":
        cluster.remove("second")
    bench.assert_survives(first, *([] if way == "without" else ["--ray", cluster.address]))
    if way == "a node more":
        cluster.remove("third")
    elif way == "a node less":
        cluster.add("second")


def _kill(bench: Bench, cluster: PlayedCluster, victim: str, command_line: int) -> bool:
    """Kill; whether the second node is gone."""
    if victim == "raylet":
        cluster.kill_raylet("second")
    elif victim == "node":
        cluster.remove("second")
        cluster.add("second")
    else:
        processes = bench.processes()
        stages = [pid for pid, command in processes.items() if "stages/" in command]
        dvc = [pid for pid, command in processes.items() if "project.process" in command]
        run = {"stage": stages, "dvc": dvc, "cli": [command_line], "all": [*processes]}
        kinds = {**run, "worker": cluster.tasks()[:1]}
        for pid in kinds[victim]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return victim == "raylet"


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
