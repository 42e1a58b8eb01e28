"""`python -m tests.pool.played_cluster`: Ray's own cluster for tests, told by lines of JSON on stdin.

It runs in a process of its own, which ends with the one that started it, and all nodes with it. Two nodes of one core
are there at the start: "head", which drivers are connected to, and "second".
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, cast

_SMALL = {"object_store_memory": 80 << 20, "num_cpus": 1}
_OTHER = str(Path(__file__).parent / "other_node")
_QUICK = {"health_check_period_ms": 300, "health_check_timeout_ms": 1_000, "health_check_failure_threshold": 2}


class PlayedCluster:
    """A cluster whose nodes may play to be others; used as a context manager."""

    def __init__(self) -> None:
        quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # and on the loopback
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.pool.played_cluster"],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **quiet, "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.address = self._answer()

    def add(self, name: str, **played: str) -> None:
        """Add a node of one core; the units on it see its name in their environment."""
        self._tell(do="add", name=name, env_vars={"PLAYED_NODE": name, "PYTHONPATH": _OTHER, **played})

    def remove(self, name: str) -> None:
        """End all processes of a node at once."""
        self._tell(do="remove", name=name)

    def kill_raylet(self, name: str) -> None:
        """End the process that stands for a node, and no other."""
        self._tell(do="kill_raylet", name=name)

    def tasks(self) -> list[int]:
        """The processes of its workers that are at a unit."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has just ended
                pid = int(entry.name)
                if os.getsid(pid) == self._process.pid and (entry / "cmdline").read_bytes().startswith(b"ray::attempt"):
                    found.append(pid)
        return found

    def __enter__(self) -> PlayedCluster:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()

    def _tell(self, **command: Any) -> None:
        stdin = cast("IO[str]", self._process.stdin)
        stdin.write(json.dumps(command) + "\n")
        stdin.flush()
        assert self._answer() == "done"

    def _answer(self) -> str:
        return cast("IO[str]", self._process.stdout).readline().strip()


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what Ray prints is no answer
    Path("/tmp/ray").mkdir(exist_ok=True)  # noqa: S108  where Ray's class notes its address
    from ray.cluster_utils import Cluster

    head = {**_SMALL, "include_dashboard": False, "env_vars": {"PLAYED_NODE": "head"}, "_system_config": _QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = {"second": cluster.add_node(**_SMALL, env_vars={"PLAYED_NODE": "second"})}
    answers.write(f"{cluster.address}\n")
    for line in sys.stdin:
        command = json.loads(line)
        name = command["name"]
        if command["do"] == "add":
            nodes[name] = cluster.add_node(**_SMALL, env_vars=command["env_vars"])
        elif command["do"] == "remove":
            cluster.remove_node(nodes.pop(name), allow_graceful=False)
        else:
            os.kill(nodes[name].all_processes["raylet"][0].process.pid, signal.SIGKILL)
        answers.write("done\n")
    cluster.shutdown()


if __name__ == "__main__":
    main()
