"""The nodes of a Ray cluster, for one map of a pool: looked for, checked, given units, and lost.

Every task goes to a node by its name, so that it is this side that knows who does what; Ray retries nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any

from entropyguard.core.errors import ProcessingError
from entropyguard.core.pool.attempt import answered, attempt, packed
from entropyguard.core.pool.cluster import REFUSAL, Event, Failed, Joined, Left, LostError
from entropyguard.core.pool.dispatch import in_a_line
from entropyguard.core.pool.node_facts import Facts, differences, facts_of_node

_LOOK_SECONDS = 1.0
_FIRST_SECONDS = 10.0  # that the first nodes wait for each other: the first of all would get every second try as well
_LARGEST_INLINE_BYTES = 64 << 10  # what is larger goes to a node once, not with each unit


class RayNodes:
    """A Cluster. here: the facts that a node must have; asked: how it is asked for those that are no software."""

    def __init__(
        self,
        ray: ModuleType,
        work: Any,
        here: Facts,
        asked: Mapping[str, Callable[[], str | None]],
        folder: Path,
        refuse: Callable[[str], None],
        *,
        gpu: bool,
    ) -> None:
        self._ray, self._here, self._asked, self._folder, self._refuse = ray, here, asked, folder, refuse
        content = packed(work)
        self._work = content if len(content) <= _LARGEST_INLINE_BYTES else ray.put(content)
        self._resource = "GPU" if gpu else "CPU"
        self._slots: dict[str, int] = {}  # of each node that was seen, by the id that Ray gives it
        self._names: dict[str, str] = {}
        self._checks: dict[str, Any] = {}  # that are under way, by the node's id
        self._nodes: dict[str, Callable[..., Any]] = {}  # that have joined: by their names, what gives them a task
        self._ids: dict[str, str] = {}
        self._reasons: list[str] = []
        self._under_way: dict[int, tuple[str, Any]] = {}
        self._heard: SimpleQueue[tuple[str | int, Future[Any]]] = SimpleQueue()
        self._held_back: list[Event] = []
        self._began = time.monotonic()
        self._looked = float("-inf")

    def submit(self, node: str, task: int, unit: object) -> None:
        reference = self._nodes[node](self._work, packed(unit))
        self._under_way[task] = node, reference
        self._listen(task, reference)

    def events(self, *, wait: bool) -> Sequence[Event]:
        events, self._held_back = self._held_back, []
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            events += self._look()
            self._looked = time.monotonic()
        try:
            about, future = self._heard.get(timeout=_LOOK_SECONDS if wait and not events else 0)
            while True:
                events += self._ended(about, future) if isinstance(about, int) else self._checked(about, future)
                about, future = self._heard.get_nowait()
        except Empty:
            pass  # that was all
        if self._checks and time.monotonic() < self._began + _FIRST_SECONDS:
            self._held_back, events = events, []
        return events

    def end(self) -> None:
        for reference in [*self._checks.values(), *(reference for _, reference in self._under_way.values())]:
            self._ray.cancel(reference, force=True)
        self._checks.clear()
        self._under_way.clear()

    def _listen(self, about: str | int, reference: Any) -> None:
        reference.future().add_done_callback(lambda future: self._heard.put((about, future)))

    def _look(self) -> Sequence[Event]:
        """Ask new nodes for their facts; nodes that are gone leave."""
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for node_id in alive.keys() - self._slots.keys():
            node = alive[node_id]
            self._slots[node_id] = slots = int(node["Resources"].get(self._resource, 0))
            self._names[node_id] = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node_id[:6]})"
            if slots:
                self._checks[node_id] = self._task(facts_of_node, node_id, check=True)(self._asked)
                self._listen(node_id, self._checks[node_id])
        gone = [name for name, node_id in self._ids.items() if name in self._nodes and node_id not in alive]
        for node_id in self._checks.keys() - alive.keys():
            del self._checks[node_id]
        events = [self._leave(name) for name in gone]
        self._fail_without_nodes()
        return events

    def _task(self, function: Callable[..., Any], node_id: str, *, check: bool = False) -> Callable[..., Any]:
        """What starts a task of one core, or one GPU, on a node. A check waits for no core."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        place = NodeAffinitySchedulingStrategy(node_id, soft=False)
        remote = self._ray.remote(**resources(self._resource, check=check), max_retries=0, scheduling_strategy=place)
        start: Callable[..., Any] = remote(function).remote
        return start

    def _checked(self, node_id: str, future: Future[Any]) -> list[Event]:
        if self._checks.pop(node_id, None) is None:
            return []
        name = self._names[node_id]
        error = future.exception()
        if error is None:
            found = differences(self._here, future.result(), self._folder)
        else:
            found = [f"asked for its versions it said {in_a_line(_cause(error))}"]
        if found:
            reason = f"{REFUSAL}{name} gets no work: {'; '.join(found)}."
            self._reasons.append(reason)
            self._refuse(reason)
            self._fail_without_nodes()
            return []
        self._nodes[name] = self._task(attempt, node_id)
        self._ids[name] = node_id
        return [Joined(name, self._slots[node_id])]

    def _ended(self, task: int, future: Future[Any]) -> list[Event]:
        name, _ = self._under_way.pop(task, (None, None))
        if name is None:
            return []
        error = future.exception()
        if error is None:
            return [answered(task, future.result())]
        gone = isinstance(error, self._ray.exceptions.TaskUnschedulableError | self._ray.exceptions.NodeDiedError)
        waited = isinstance(error, self._ray.exceptions.TaskUnschedulableError)
        left = [self._leave(name)] if gone and name in self._nodes else []
        return [*left, Failed(task, _cause(error), begun=not waited)]

    def _leave(self, name: str) -> Left:
        del self._nodes[name]
        return Left(name)

    def _fail_without_nodes(self) -> None:
        if self._nodes or self._checks:
            return
        what = "GPU" if self._resource == "GPU" else "core"
        reasons = " ".join(self._reasons) or f"No node of the cluster has a {what} for it."
        raise ProcessingError(f"No node of Ray's can do this work. {reasons} Mend that, and run again with --resume.")


def resources(resource: str, *, check: bool) -> dict[str, float]:
    """What a task asks of its node. Without a GPU of its own a task sees none, so a check of GPUs has one, too."""
    if resource == "GPU":
        return {"num_cpus": 0 if check else 1, "num_gpus": 1}
    return {"num_cpus": 0 if check else 1}


def _cause(error: BaseException) -> Exception:
    """What Ray says of a task, in our words as far as there are some."""
    words = {
        "WorkerCrashedError": "its process ended, as happens when memory runs out",
        "OutOfMemoryError": "its process was ended by Ray since memory ran out",
        "NodeDiedError": "its machine is gone",
        "LocalRayletDiedError": "its machine is gone",
        "TaskUnschedulableError": "its machine is gone",
    }
    name = type(error).__name__
    if name in words:
        return LostError(words[name])
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else LostError(in_a_line(Exception(str(error).split("\n")[0])))
