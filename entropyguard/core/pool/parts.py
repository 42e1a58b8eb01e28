"""Units of which a store may have what comes of them: these are not done again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from entropyguard.core.pool.pool import Fact, Heard, Pool, Work
from entropyguard.core.storage.parts import PartStore


class NamedUnit(Protocol):
    """name: of the part that comes of it, a digest of all that decides its bytes."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=NamedUnit)
R = TypeVar("R")


def finished_parts(units: Sequence[N], store: PartStore) -> dict[str, Path]:
    """The sound parts of these units that lie in the store, by the units' names."""
    names = {unit.name for unit in units}
    lying = ((path.stem.rpartition("-")[0], path) for path in store.paths())
    return {name: path for name, path in lying if name in names and store.is_sound(path)}


def results_of(
    pool: Pool,
    work: Work[N, R],
    units: Sequence[N],
    finished: Mapping[str, R],
    heard: Heard[N],
    *,
    threaded: bool = False,
    gpu: bool = False,
    facts: Sequence[Fact] = (),
) -> Iterator[tuple[R, bool]]:
    """What comes of each unit, in order, and whether it was made now, by `work`."""
    missing = [unit for unit in units if unit.name not in finished]
    made = pool.map(work, missing, heard, threaded=threaded, gpu=gpu, facts=facts)
    for unit in units:
        if unit.name in finished:
            heard(unit, 1.0)
            yield finished[unit.name], False
        else:
            yield next(made), True
