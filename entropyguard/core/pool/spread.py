"""Units of which parts come: where they are done, and where the parts lie until the stage has finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import xxhash

from entropyguard.core.errors import EntropyguardError
from entropyguard.core.pool.parts import finished_parts, results_of
from entropyguard.core.pool.pool import Pool, unheard
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.part_names import ARROW
from entropyguard.core.storage.parts import PartStore

T = TypeVar("T")

Write = Callable[[T, Path], None]
"""What writes the part of a unit to a path, at the top of a module, or a `functools.partial` of such."""


@dataclass(frozen=True)
class PartUnit(Generic[T]):
    """`content` is what `Write` is given; name: of the part; said: how messages call the unit."""

    name: str
    said: str
    content: T

    def __str__(self) -> str:
        return self.said


@dataclass(frozen=True)
class Spread:
    """A pool, and a folder that all its workers see; it is of one stage of one version, and goes with the stage."""

    pool: Pool
    folder: Path
    unread: frozenset[Path] = frozenset()
    """Parts that are there and not to be taken."""

    def parts(self, write: Write[T], units: Sequence[PartUnit[T]], ending: str = ARROW) -> Iterator[Path]:
        """The part of each unit, in order; none is made twice.

        An error of ours is raised when it is the unit's turn: what is wrong with an earlier one is said first.
        """
        store = PartStore(self.folder, self.unread, durable=False, ending=ending)
        finished: dict[str, Path | EntropyguardError] = {**finished_parts(units, store)}
        for part, _ in results_of(self.pool, _MakePart(write, store), units, finished, unheard):
            if isinstance(part, EntropyguardError):
                raise part
            yield part


@dataclass(frozen=True)
class _MakePart(Generic[T]):
    write: Write[T]
    store: PartStore

    def __call__(self, unit: PartUnit[T], progress: Progress) -> Path | EntropyguardError:  # noqa: ARG002  it is one step
        try:
            return self.store.add(unit.name, partial(self.write, unit.content))
        except EntropyguardError as error:
            return error


def part_unit(kind: str, decided_by: Sequence[Any], said: str, content: T) -> PartUnit[T]:
    """A unit; its part is named by its kind, and a digest of all that decides it, each thing spelled by `str`."""
    digest = xxhash.xxh3_128_hexdigest(json.dumps([str(one) for one in decided_by]).encode())
    return PartUnit(f"{kind}-{digest}", said, content)


def group_units(
    kind: str, checkpoint: Checkpoint, runs: Sequence[range], decided_by: Sequence[Any] = ()
) -> list[PartUnit[range]]:
    """Units of runs of row groups. decided_by: what decides the parts, beside these rows."""
    said = f"of {checkpoint.path.name}"
    return [
        part_unit(kind, [checkpoint.digest, run, *decided_by], f"row groups {run.start} to {run.stop - 1} {said}", run)
        for run in runs
    ]
