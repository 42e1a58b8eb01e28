"""What other thresholds would drop, decided from stored pairs: nothing is embedded, searched or written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from entropyguard.core.decisions.greedy import KEPT, Decisions
from entropyguard.core.near import near_dedup
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.params import KeepParams, NearParams, SemanticParams
from entropyguard.core.report.excerpt import excerpts
from entropyguard.core.report.lineage import Lineage, Row
from entropyguard.core.report.pair_stats import Pair
from entropyguard.core.semantic.semantic import decide_each
from entropyguard.core.storage.checkpoint import Checkpoint

TEXT_CHARS = 200
"""How much of an example's text is given."""

_SEED = 0


@dataclass(frozen=True)
class Example:
    """A row that would be dropped and its keeper, their texts cut to TEXT_CHARS from where they begin to differ."""

    similarity: float
    row: Row
    keeper: Row


@dataclass(frozen=True)
class Step:
    """What one threshold would drop of the `rows` that come into a stage.

    borderline: of the dropped rows and their keepers between this threshold and the next one, one for each keeper, some
    drawn at random, always the same, the least similar first. apart: the pairs that the guard keeps apart, by kind;
    unguarded: how many rows would be dropped without it. Where no guard is asked: no kinds, and as many as `dropped`.
    """

    threshold: float
    rows: int
    dropped: int
    borderline: tuple[Pair, ...]
    unguarded: int
    apart: Mapping[str, int] = field(default_factory=dict)


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

    Memory is that of one decision. Errors as in `decide_each`.
    """
    following = [*(threshold for threshold, _ in thresholds[1:]), np.inf]
    each = decide_each(after_near, thresholds, semantic, keep, max_memory)
    for found, below in zip(each, following, strict=True):
        step = _step(found.threshold, below, found.decisions, examples)
        yield replace(step, unguarded=found.unguarded, apart=found.apart)


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
    for threshold, below in zip(thresholds, [*thresholds[1:], np.inf], strict=True):
        decisions = near_dedup.decide(after_exact, pairs, replace(near, threshold=threshold), keep, max_memory)
        yield _step(threshold, below, decisions, examples)


def _step(threshold: float, below: float, decisions: Decisions, examples: int) -> Step:
    dropped = int((decisions.keeper != KEPT).sum())
    shown = _borderline(decisions, threshold, below, examples)
    return Step(threshold, len(decisions.row_ids), dropped, shown, dropped)


def _borderline(decisions: Decisions, threshold: float, below: float, count: int) -> tuple[Pair, ...]:
    # By components a row may be dropped without a pair at the threshold: such a row says nothing about it.
    near = (decisions.similarity >= threshold) & (decisions.similarity < below)
    rows = np.random.default_rng(_SEED).permutation(np.flatnonzero((decisions.keeper != KEPT) & near))
    _, first = np.unique(decisions.keeper[rows], return_index=True)
    chosen = np.sort(rows[np.sort(first)[:count]])
    chosen = chosen[np.argsort(decisions.similarity[chosen], kind="stable")]
    row_ids, similarity = decisions.row_ids, decisions.similarity
    return tuple(Pair(float(similarity[row]), int(row_ids[row]), int(row_ids[decisions.keeper[row]])) for row in chosen)


def examples_of(lineage: Lineage, steps: Sequence[Step]) -> list[list[Example]]:
    """The borderline pairs of each step with their texts. ProcessingError when a row or a file's name is not there."""
    pairs = [pair for step in steps for pair in step.borderline]
    rows = lineage.rows(row_id for pair in pairs for row_id in (pair.row, pair.other))
    return [[_example(pair, rows[pair.row], rows[pair.other]) for pair in step.borderline] for step in steps]


def _example(pair: Pair, row: Row, keeper: Row) -> Example:
    text, other = excerpts(row.text, keeper.text, TEXT_CHARS)
    return Example(pair.similarity, replace(row, text=text), replace(keeper, text=other))
