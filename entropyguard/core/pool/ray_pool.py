"""The pool of a Ray cluster: one core (or one GPU) a unit, on nodes that were found to be like this machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType

from entropyguard.core.pool.cluster import LOCAL
from entropyguard.core.pool.dispatch import dispatch
from entropyguard.core.pool.local import usable_cores
from entropyguard.core.pool.node_facts import shared_folder, software
from entropyguard.core.pool.pool import Fact, Heard, InlinePool, R, U, Work, unheard
from entropyguard.core.pool.ray_connection import LocalRay, connect
from entropyguard.core.pool.ray_nodes import RayNodes


class RayPool:
    """The nodes of the cluster at `address`, or of one of this machine alone, `local` (a Pool).

    folder: one that all nodes share; a small file comes and goes in it. tell: hears which node is refused, and why.
    cores: of a local one; None is as many as this process may use. What is one unit is done in this process.
    """

    workers = math.inf  # nodes come and go

    def __init__(self, address: str, folder: Path, tell: Callable[[str], None], cores: int | None = None) -> None:
        self.address = address
        self.folder = folder
        self._tell = tell
        self._cores = cores or usable_cores()
        self._inline = InlinePool()
        self._refused: set[str] = set()
        self._maps: set[RayNodes] = set()
        self._local: LocalRay | None = None

    def map(
        self,
        work: Work[U, R],
        units: Sequence[U],
        heard: Heard[U] = unheard,
        *,
        threaded: bool = False,  # noqa: ARG002  a node's cores get a unit each
        gpu: bool = False,
        facts: Sequence[Fact] = (),
    ) -> Generator[R]:
        """See `Pool`."""
        if len(units) <= 1:
            return self._inline.map(work, units, heard)
        return self._spread(work, units, heard, gpu, facts)

    def _spread(
        self, work: Work[U, R], units: Sequence[U], heard: Heard[U], gpu: bool, facts: Sequence[Fact]
    ) -> Generator[R]:
        with shared_folder(self.folder) as (folder, ask, answer):
            here = {**software(), folder: answer, **{fact.name: fact.value for fact in facts}}
            asked = {folder: ask, **{fact.name: fact.tell for fact in facts}}
            nodes = RayNodes(self._ray, work, here, asked, self.folder, self._refuse, gpu=gpu)
            self._maps.add(nodes)
            try:
                yield from dispatch(nodes, units, heard)
            finally:
                self._maps.discard(nodes)

    @cached_property
    def _ray(self) -> ModuleType:
        address = self.address
        if address == LOCAL:
            self._local = LocalRay(self._cores)
            address = self._local.address
        return connect(address)

    def _refuse(self, line: str) -> None:
        if line not in self._refused:
            self._refused.add(line)
            self._tell(line)

    def close(self) -> None:
        """Leave the cluster; what is under way is given up."""
        for nodes in tuple(self._maps):
            nodes.end()
        if "_ray" in self.__dict__:
            self._ray.shutdown()
            del self.__dict__["_ray"]
        if self._local is not None:
            self._local.close()
            self._local = None
