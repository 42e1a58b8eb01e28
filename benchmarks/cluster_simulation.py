"""The dispatcher of `entropyguard.core.pool` on a cluster that is simulated: units that take no time but their own.

    python benchmarks/cluster_simulation.py --units 100000 --workers 1000

Durations are log-normal, as those of units of one size are on machines that others use as well: the median is 10 s,
one of a hundred takes 3.2 times as long. Nodes have 16 cores. Some units fail wherever they are done first, some nodes
die in the middle and take along what they had; nodes of the same number join a while later. Time is simulated, so what
is measured is the dispatcher itself: its processor time for each unit, the memory it takes beyond the units, and how
much later the last unit ends than with an ideal plan, which would keep every core busy to the end.
"""

from __future__ import annotations

import argparse
import heapq
import resource
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from entropyguard.core.pool.cluster import Done, Event, Failed, Joined, Left, LostError
from entropyguard.core.pool.dispatch import dispatch
from entropyguard.core.pool.pool import unheard

CORES = 16
MEDIAN_SECONDS, SIGMA = 10.0, 0.5


@dataclass
class Node:
    """cores: when each is free again. under_way: its tasks, with when they end."""

    name: str
    cores: list[float]
    under_way: dict[int, float] = field(default_factory=dict)


class SimulatedCluster:
    """A Cluster in simulated time: `now` moves on to the next thing that happens whenever the dispatcher waits."""

    def __init__(
        self, seconds: np.ndarray, nodes: int, fail: np.ndarray, lost: Sequence[tuple[float, int]], delay: float
    ) -> None:
        """seconds: that each unit takes. fail: whether it fails at first. lost: when which node dies, and is replaced.

        delay: seconds between a task's end and the next one's start that wait for the dispatcher.
        """
        self.now = 0.0
        self.work = 0.0
        self._seconds, self._fail, self._delay = seconds, fail.copy(), delay
        self._agenda: list[tuple[float, int, Event, str]] = []
        self._number = 0
        self._nodes: dict[str, Node] = {}
        for node in range(nodes):
            self._at(0.0, Joined(f"node {node}", CORES), f"node {node}")
        for when, node in lost:
            self._at(when, Left(f"node {node}"), f"node {node}")
            self._at(when + 60, Joined(f"node {node} again", CORES), f"node {node} again")

    def submit(self, node: str, task: int, unit: int) -> None:
        if node not in self._nodes:
            self._at(self.now, Failed(task, LostError("gone"), begun=False), "")
            return
        place = self._nodes[node]
        start = max(heapq.heappop(place.cores), self.now + self._delay)
        end = start + float(self._seconds[unit])
        heapq.heappush(place.cores, end)
        place.under_way[task] = end
        event = (
            Failed(task, RuntimeError("at first")) if self._fail[unit] else Done(task, f"/parts/{unit:032x}.parquet")
        )
        self._fail[unit] = False
        self._at(end, event, node)

    def events(self, *, wait: bool) -> Sequence[Event]:
        found: list[Event] = []
        while self._agenda and (self._agenda[0][0] <= self.now or (wait and not found)):
            self.now, _, event, node = heapq.heappop(self._agenda)
            found += self._happen(event, node)
        return found

    def end(self) -> None:
        assert not any(node.under_way for node in self._nodes.values())

    def _at(self, when: float, event: Event, node: str) -> None:
        self._number += 1
        heapq.heappush(self._agenda, (when, self._number, event, node))

    def _happen(self, event: Event, name: str) -> Iterator[Event]:
        if isinstance(event, Joined):
            self._nodes[name] = Node(name, [self.now] * CORES)
        elif isinstance(event, Left):
            for task in self._nodes.pop(name).under_way:
                yield Failed(task, LostError("its machine is gone"))
        elif name and name not in self._nodes:
            return  # it had been lost with its node
        elif name:
            del self._nodes[name].under_way[event.task]
        yield event


def simulate(units: int, workers: int, fail_share: float, lost_share: float, seed: int) -> dict[str, float]:
    """One run: processor time and memory of the dispatcher, and how its plan ends."""
    random = np.random.default_rng(seed)
    seconds = np.exp(random.normal(np.log(MEDIAN_SECONDS), SIGMA, units))
    nodes = max(1, workers // CORES)
    ideal = max(float(seconds.sum()) / (nodes * CORES), float(seconds.max()))
    lost = [
        (float(random.uniform(0, ideal)), int(node)) for node in random.permutation(nodes)[: int(nodes * lost_share)]
    ]
    cluster = SimulatedCluster(seconds, nodes, random.random(units) < fail_share, lost, delay=0.002)
    began = time.process_time()
    done = 0
    for at, result in enumerate(dispatch(cluster, range(units), unheard)):
        assert result == f"/parts/{at:032x}.parquet"
        done += 1
    assert done == units
    return {"processor s": time.process_time() - began, "makespan s": cluster.now, "ideal s": ideal, "lost": len(lost)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1_008)
    parser.add_argument("--fail", type=float, default=0.01, metavar="SHARE")
    parser.add_argument("--lost", type=float, default=0.05, metavar="SHARE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", action="store_true", help="measure that, which takes four times as long")
    given = parser.parse_args()
    if given.memory:
        tracemalloc.start()
    found = simulate(given.units, given.workers, given.fail, given.lost, given.seed)
    print(f"{given.units:,} units on {given.workers // CORES} nodes of {CORES} cores, {found['lost']:.0f} of them lost")
    print(
        f"all done after {found['makespan s']:,.0f} s, {found['makespan s'] / found['ideal s']:.3f} of the ideal plan"
    )
    if given.memory:
        peak = tracemalloc.get_traced_memory()[1]
        print(
            f"peak of Python's memory, simulation included: {peak / 1e6:.1f} MB, {peak / given.units:.0f} bytes a unit"
        )
    else:
        rate = given.units / found["processor s"]
        print(f"processor time: {found['processor s']:.2f} s, {rate:,.0f} units a second, simulation included")
    print(f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
