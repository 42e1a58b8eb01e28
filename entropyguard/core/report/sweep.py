"""What other thresholds would drop, decided from stored pairs: nothing is embedded, searched or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from entropyguard.core.decisions.greedy import KEPT, Decisions
from entropyguard.core.near import near_dedup
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.params import KeepParams, NearParams, SemanticParams
from entropyguard.core.report.lineage import Lineage, Row
from entropyguard.core.report.pair_stats import Pair
from entropyguard.core.semantic.semantic import decide
from entropyguard.core.storage.checkpoint import Checkpoint

TEXT_CHARS = 200
"""How much of an example's text is given."""

_READ_CHARS = 4_000
_BEFORE_CHARS = 60


@dataclass(frozen=True)
class Example:
    """A row that would be dropped and its keeper, their texts cut to TEXT_CHARS from where they begin to differ."""

    similarity: float
    row: Row
    keeper: Row


@dataclass(frozen=True)
class Step:
    """What one threshold would drop of the `rows` that come into a stage.

    borderline: dropped rows and their keepers between this threshold and the next one, the least similar first, one
    for each keeper.
    """

    threshold: float
    rows: int
    dropped: int
    borderline: tuple[Pair, ...]


def thresholds_between(first: float, last: float, step: float, marked: float) -> list[float]:
    """From `first` up to `last` in steps, in whole millionths as similarities are; and `marked` if it lies between."""
    start, stop, width = (round(value * MILLIONTHS) for value in (first, last, step))
    chosen = {value / MILLIONTHS for value in range(start, stop + 1, width)}
    return sorted(chosen | {marked}) if first <= marked <= last else sorted(chosen)


def sweep_steps(
    thresholds: Sequence[tuple[float, Checkpoint]],
    after_near: Checkpoint,
    semantic: SemanticParams,
    keep: KeepParams,
    examples: int,
    max_memory: int,
) -> Iterator[Step]:
    """For each threshold, ascending, with the pairs to take for it: what semantic dedup would drop there.

    Memory is that of one decision. Errors as in `decide`.
    """

    def decided(at: int) -> Decisions:
        threshold, pairs = thresholds[at]
        return decide(after_near, pairs, replace(semantic, dedup_threshold=threshold), keep, max_memory)

    return _steps([threshold for threshold, _ in thresholds], decided, examples)


def near_steps(
    thresholds: Sequence[float],
    after_exact: Checkpoint,
    pairs: Checkpoint,
    near: NearParams,
    keep: KeepParams,
    examples: int,
    max_memory: int,
) -> Iterator[Step]:
    """The same of near_dedup, from its stored pairs."""

    def decided(at: int) -> Decisions:
        return near_dedup.decide(after_exact, pairs, replace(near, threshold=thresholds[at]), keep, max_memory)

    return _steps(thresholds, decided, examples)


def _steps(thresholds: Sequence[float], decided: Callable[[int], Decisions], examples: int) -> Iterator[Step]:
    for at, (threshold, following) in enumerate(zip(thresholds, [*thresholds[1:], np.inf], strict=True)):
        decisions = decided(at)
        dropped = int((decisions.keeper != KEPT).sum())
        yield Step(threshold, len(decisions.row_ids), dropped, _borderline(decisions, threshold, following, examples))


def _borderline(decisions: Decisions, threshold: float, below: float, count: int) -> tuple[Pair, ...]:
    # By components a row may be dropped without a pair at the threshold: such a row says nothing about it.
    near = (decisions.similarity >= threshold) & (decisions.similarity < below)
    rows = np.flatnonzero((decisions.keeper != KEPT) & near)
    rows = rows[np.argsort(decisions.similarity[rows], kind="stable")]
    _, first = np.unique(decisions.keeper[rows], return_index=True)
    chosen = rows[np.sort(first)[:count]]
    row_ids, similarity = decisions.row_ids, decisions.similarity
    return tuple(Pair(float(similarity[row]), int(row_ids[row]), int(row_ids[decisions.keeper[row]])) for row in chosen)


def examples_of(lineage: Lineage, steps: Sequence[Step]) -> list[list[Example]]:
    """The borderline pairs of each step with their texts. ProcessingError when a row or a file's name is not there."""
    pairs = [pair for step in steps for pair in step.borderline]
    rows = lineage.rows((row_id for pair in pairs for row_id in (pair.row, pair.other)), _READ_CHARS)
    return [[_example(pair, rows[pair.row], rows[pair.other]) for pair in step.borderline] for step in steps]


def _example(pair: Pair, row: Row, keeper: Row) -> Example:
    start = _start(row.text, keeper.text)
    return Example(
        pair.similarity, replace(row, text=_cut(row.text, start)), replace(keeper, text=_cut(keeper.text, start))
    )


def _start(one: str, other: str) -> int:
    """Where to begin so that the first difference is in sight."""
    pairs = enumerate(zip(one, other, strict=False))
    same = next((place for place, (mine, its) in pairs if mine != its), min(len(one), len(other)))
    return 0 if same <= TEXT_CHARS - _BEFORE_CHARS or one == other else same - _BEFORE_CHARS


def _cut(text: str, start: int) -> str:
    end = start + TEXT_CHARS
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
