"""The rule of stars, a few connected components at a time: what is decided in one says nothing of another.

So each goes to whoever is free, whole, and the bytes are those of one pass over all pairs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entropyguard.core.arrays import Doubles, Ints
from entropyguard.core.decisions.greedy import KEPT, Decisions, PairBatch, decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.pool.pool import Pool
from entropyguard.core.progress import Progress
from entropyguard.core.semantic.components import component_of
from entropyguard.core.semantic.guard import KINDS
from entropyguard.core.semantic.guarded_rows import GuardedRows

UNIT_PAIRS = 1 << 17
"""Of more pairs components are decided one by one. A component of more is a unit by itself."""

_Said = dict[str, Any]
"""What the guard says of a unit: `apart` and `examples` as it has them, and how many examples are `by_numbers`."""

_PAIR = np.dtype([("b", np.int64), ("a", np.int64), ("similarity", np.float64)])
_RANK = "rank.npy"
_WRITTEN_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class ComponentsUnit:
    """Some components: a file with their pairs, by (b, a)."""

    pairs: Path

    def __str__(self) -> str:
        return f"the components in {self.pairs.name}"


@dataclass(frozen=True)
class DecideUnit:
    """What is done with a unit. ranked: whether the rows' priorities lie in the folder, or it is input order."""

    guard: GuardedRows
    folder: Path
    ranked: bool
    max_memory: int

    def __call__(self, unit: ComponentsUnit, progress: Progress) -> Path:  # noqa: ARG002  it takes seconds
        """Decide; returns a file: the rows that go with keeper and similarity, and what the guard says."""
        pairs = np.fromfile(unit.pairs, dtype=_PAIR)
        rows = np.unique(np.concatenate([pairs["b"], pairs["a"]]))  # ascending: their order is as in all rows
        rank = np.load(self.folder / _RANK, mmap_mode="r")[rows] if self.ranked else None
        places = None if rank is None else np.argsort(np.argsort(rank))
        guard = self.guard
        guard.count_anew()
        found = guard.other_numbers(pairs["b"], pairs["a"])
        guard.count_other_numbers(pairs["b"], pairs["a"])
        by_numbers = len(guard.examples["numbers"])
        left = pairs[~found]
        stream: list[PairBatch] = [
            (np.searchsorted(rows, left["b"]), np.searchsorted(rows, left["a"]), left["similarity"])
        ]
        apart = lambda row, other: guard.kept_apart(int(rows[row]), int(rows[other]))  # noqa: E731  no more to say
        decisions = decide_stars(stream, rows, places, self.max_memory, apart)
        gone = np.flatnonzero(decisions.keeper != KEPT)
        path = unit.pairs.with_suffix(".decided.npz")
        said = {"apart": guard.apart_by, "examples": guard.examples, "by_numbers": by_numbers}
        np.savez(
            path,
            row=rows[gone],
            keeper=rows[decisions.keeper[gone]],
            similarity=decisions.similarity[gone],
            said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8),
        )
        return path


def decide_apart(
    stream: PairStream,
    rank: Ints | None,
    max_memory: int,
    guard: GuardedRows,
    folder: Path,
    pool: Pool,
    unit_pairs: int = UNIT_PAIRS,
) -> Decisions:
    """What `decide_stars` decides of the stream with that guard, whose counts and examples are the same, too.

    folder: one that every worker sees; what is written there may go afterwards.
    """
    if rank is not None:
        np.save(folder / _RANK, rank)
    guard.words.share()
    units = [ComponentsUnit(path) for path in _by_components(stream, folder, unit_pairs)]
    decisions = Decisions(stream.row_ids)
    told: list[_Said] = []
    guard.count_anew()
    for path in pool.map(DecideUnit(guard, folder, rank is not None, max_memory), units):
        with np.load(path) as decided:
            decisions.keeper[decided["row"]] = decided["keeper"]
            decisions.similarity[decided["row"]] = decided["similarity"]
            told.append(json.loads(decided["said"].tobytes()))
        path.unlink()
    _sum_up(guard, told, rank)
    return decisions


def _by_components(stream: PairStream, folder: Path, unit_pairs: int) -> list[Path]:
    """The pairs in files, those of a component in one, by (b, a) in each."""
    component = component_of(stream, len(stream.row_ids))
    pairs = np.zeros(len(component), dtype=np.int64)
    for b, _, _ in stream:
        met, times = np.unique(component[b], return_counts=True)
        pairs[met] += times
    unit, count = _units(pairs, unit_pairs)
    paths = [folder / f"components-{number}" for number in range(count)]
    for b, a, similarity in stream:
        for start in range(0, len(b), _WRITTEN_AT_ONCE):
            part = slice(start, start + _WRITTEN_AT_ONCE)
            _append(paths, unit[component[b[part]]], b[part], a[part], similarity[part])
    return paths


def _units(pairs: Ints, most: int) -> tuple[Ints, int]:
    """For each component the unit it belongs to, by its number of pairs; and how many units there are."""
    some = np.flatnonzero(pairs)
    unit = np.full(len(pairs), -1, dtype=np.int64)
    numbers, held, number = [], 0, -1
    for of_component in pairs[some].tolist():
        if number < 0 or held + of_component > most:
            number, held = number + 1, 0
        held += of_component
        numbers.append(number)
    unit[some] = numbers
    return unit, number + 1


def _append(paths: list[Path], unit: Ints, b: Ints, a: Ints, similarity: Doubles) -> None:
    order = np.argsort(unit, kind="stable")
    table = np.empty(len(b), dtype=_PAIR)
    table["b"], table["a"], table["similarity"] = b[order], a[order], similarity[order]
    cuts = np.flatnonzero(np.diff(unit[order])) + 1
    for here, rows in zip(np.split(unit[order], cuts), np.split(table, cuts), strict=True):
        if len(rows):
            with paths[int(here[0])].open("ab") as file:
                rows.tofile(file)


def _sum_up(guard: GuardedRows, told: list[_Said], rank: Ints | None) -> None:
    """Count what all guards counted, and remember of each kind the pairs that one guard would have met first."""
    for kind in KINDS:
        met = []
        for said in told:
            for at, (row, other) in enumerate(said["examples"][kind]):
                by_numbers = kind == "numbers" and at < said["by_numbers"]  # these it counts before it is asked
                asked = (1, row if rank is None else int(rank[row]), at)
                met.append(((0, row, other) if by_numbers else asked, (row, other)))
        guard.remember(kind, sum(said["apart"].get(kind, 0) for said in told), [pair for _, pair in sorted(met)])
