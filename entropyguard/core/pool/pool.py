"""What a stage knows of where its units are done: a pool takes them, and gives back what they came to, in order.

A **unit** is a picklable value that says all that a pure function needs: paths of files that every worker sees, ranges,
settings. What comes of it is a part in a store, named by a digest of what decides it; the function returns little more
than its path. So a unit may be done twice, or by another worker than the one that began it, and nothing is different.
What the units are is decided by data and parameters, never by how many workers there are.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from entropyguard.core.progress import Progress, silent

U = TypeVar("U")
R = TypeVar("R")

Work = Callable[[U, Progress], R]
"""What is done with a unit, at the top of a module, where another process finds it by its name.

It tells how far it is, in whatever it counts; only a pool in the same process passes that on.
"""

Heard = Callable[[U, float], None]
"""Told of a unit which share of it is done, 0 to 1."""


def unheard(unit: object, share: float) -> None:
    """The listener that does not listen."""


@dataclass(frozen=True)
class Fact:
    """What another machine must have in common with this one, beyond its software, before it gets units."""

    name: str
    """As it is called in the line that says why a machine is refused, such as "encoder fingerprint"."""
    value: str
    """What it is here."""
    tell: Callable[[], str]
    """Tells it there: a function at the top of a module, or a `functools.partial` of one."""


class Pool(Protocol):
    """Does units of work."""

    @property
    def workers(self) -> float:
        """How many units it does at a time; infinity where it is not known before work is given out."""

    def map(
        self,
        work: Work[U, R],
        units: Sequence[U],
        heard: Heard[U] = unheard,
        *,
        threaded: bool = False,
        gpu: bool = False,
        facts: Sequence[Fact] = (),
    ) -> Generator[R]:
        """What `work` returns for each unit, in the order of the units; a few of them are under way at a time.

        `str(unit)` says in messages which it is, such as "rows 0 to 4,095 of after_near_dedup.parquet". threaded:
        whether one unit makes use of all cores where it has them, so that processes beside it gain nothing. gpu:
        whether each unit needs a GPU, where there are other machines. facts: what these must have in common with this
        one. Errors of ours end the work at once; of others a unit is done again, and ProcessingError says which failed
        three times. Nothing begins before the first result is asked for; closing the iterator gives up what is under
        way.
        """

    def close(self) -> None:
        """End what was started for it; a unit that is under way is given up."""


class InlinePool:
    """The pool that does a unit when its result is asked for, in the thread that asks."""

    workers = 1

    def map(
        self,
        work: Work[U, R],
        units: Sequence[U],
        heard: Heard[U] = unheard,
        *,
        threaded: bool = False,  # noqa: ARG002  there is one of everything
        gpu: bool = False,  # noqa: ARG002
        facts: Sequence[Fact] = (),  # noqa: ARG002
    ) -> Generator[R]:
        """See `Pool`. What goes wrong comes out as it is: here nothing else could do it better."""
        for unit in units:
            result = work(unit, _shares(heard, unit))
            heard(unit, 1.0)
            yield result

    def close(self) -> None:
        """There is nothing to end."""


def gains(pool: Pool, threads: int = 1, *, rows: int = 1, above: int = 0) -> bool:
    """Whether work is done sooner in units in the pool than by a stage itself: the one rule, for every stage and pool.

    threads: how many cores the stage keeps busy by itself. rows: of which there is work; with `above` of them or fewer
    it takes hardly longer than processes take to start, which they have to on the nodes of a cluster, too.
    """
    return pool.workers > threads and rows > above


def where_it_gains(pool: Pool, *, rows: int, above: int) -> Pool:
    """The pool, or the one that does all units here: see `gains`."""
    return pool if gains(pool, rows=rows, above=above) else InlinePool()


def _shares(heard: Heard[U], unit: U) -> Progress:
    if heard is unheard:
        return silent

    def progress(done: int, total: int | None) -> None:
        if total:
            heard(unit, done / total)

    return progress
