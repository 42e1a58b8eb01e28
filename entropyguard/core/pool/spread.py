"""Where the units of a stage are done, and where what they come to lies until the stage has finished."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from entropyguard.core.pool.pool import Pool
from entropyguard.core.storage.parts import PartStore


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

    def finished(self, ending: str) -> dict[str, Path]:
        """The parts of a kind that were there before, by what they are called without the digest of their bytes."""
        return {path.stem.rpartition("-")[0]: path for path in self.store(ending).paths()}


def unit_name(what: str, decided_by: Iterable[Any]) -> str:
    """The name of a unit's part: what it is, and a digest of all that decides it, each thing spelled by `str`."""
    return f"{what}-{xxhash.xxh3_128_hexdigest(json.dumps([str(one) for one in decided_by]).encode())}"
