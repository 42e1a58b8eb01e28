"""Where the units of a stage are done, and where what they come to lies until the stage has finished."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import xxhash

from entropyguard.core.pool.parts import NamedUnit, finished_parts, results_of
from entropyguard.core.pool.pool import Pool, Work, unheard
from entropyguard.core.storage.parts import PartStore

N = TypeVar("N", bound=NamedUnit)
R = TypeVar("R")


@dataclass(frozen=True)
class Spread:
    """A pool, and a folder that all its workers see; it is of one stage of one version, and goes with the stage."""

    pool: Pool
    folder: Path
    unread: frozenset[Path] = frozenset()
    """Parts that are there and not to be taken."""

    def store(self, ending: str) -> PartStore:
        """The parts of a kind."""
        return PartStore(self.folder, self.unread, durable=False, ending=ending)

    def results(self, work: Work[N, R], units: Sequence[N], ending: str) -> Iterator[R | Path]:
        """What comes of each unit, in order: its part, or what else `work` returns. None is done twice."""
        finished: dict[str, R | Path] = {**finished_parts(units, self.store(ending))}
        return (result for result, _ in results_of(self.pool, work, units, finished, unheard))


def unit_name(what: str, decided_by: Iterable[Any]) -> str:
    """The name of a unit's part: what it is, and a digest of all that decides it, each thing spelled by `str`."""
    return f"{what}-{xxhash.xxh3_128_hexdigest(json.dumps([str(one) for one in decided_by]).encode())}"
