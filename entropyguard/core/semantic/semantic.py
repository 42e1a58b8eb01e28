"""semantic_dedup: which rows are semantic duplicates of a row that stays, and of which.

The pairs stream by; in memory are a few numbers a row and, for priorities other than input order, as many pairs as
the memory limit allows at a time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.decisions.greedy import KEPT, Decisions, decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.decisions.write import write_decided
from entropyguard.core.errors import ProcessingError
from entropyguard.core.params import KeepParams, SemanticParams
from entropyguard.core.pool.pool import InlinePool, Pool, where_it_gains
from entropyguard.core.progress import Progress
from entropyguard.core.rows.priority import is_input_order, row_priority
from entropyguard.core.semantic.components import decide_components
from entropyguard.core.semantic.components_apart import UNIT_PAIRS, decide_apart
from entropyguard.core.semantic.guard import KINDS
from entropyguard.core.semantic.guarded_rows import GuardedRows
from entropyguard.core.semantic.row_words import RowWords
from entropyguard.core.storage.checkpoint import Checkpoint

_LEAST_COSINE = -1.0
_NO_COSINE = np.inf  # no pair reaches it
_POOL_GAINS_ABOVE_ROWS = 200_000  # to have their words written down


@dataclass(frozen=True)
class SemanticCounts:
    """rows = kept + dropped."""

    rows: int
    kept: int
    dropped: int


def drop_semantic_duplicates(
    after_near: Checkpoint,
    pairs: Checkpoint,
    out: Path,
    dropped: Path,
    semantic: SemanticParams,
    keep: KeepParams,
    max_memory: int,
    progress: Progress,
    pool: Pool,
    unit_pairs: int = UNIT_PAIRS,
) -> SemanticCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of `after_near`.

    Without semantic dedup every row stays.

    A dropped row's keeper is the most similar row kept before it (ties: lowest row id) that the guard
    (`semantic.protect`) does not keep it apart from; by components, the first row of its group. `dropped` says in its
    metadata what the guard does, or would do. ProcessingError when the pairs were made with a floor above the
    threshold, or for other rows. What takes the texts' words is done by the pool where there is much of it.
    """
    stream, rank = _stream(after_near, pairs, semantic), _rank(after_near, keep)
    with _guard(after_near, [stream], semantic.protect or KINDS, out.parent, pool) as guard:
        spread = partial(decide_apart, folder=guard.words.folder, pool=pool, unit_pairs=unit_pairs) if guard else None
        few = semantic.cluster != "stars" or pairs.rows <= unit_pairs
        guarded = _decided(stream, semantic.cluster, rank, max_memory, guard, None if few else spread)
        unguarded = _decided(stream, semantic.cluster, rank, max_memory, None)
    decisions, others = (guarded, unguarded) if semantic.protect else (unguarded, guarded)
    metadata = {
        **pairs.metadata,
        "guard": {
            "protect": list(semantic.protect),
            "apart": {kind: guard.apart_by[kind] for kind in KINDS} if guard else {},
            "examples": _examples(guard, after_near.row_ids) if guard else {},
            "dropped_otherwise": int((others.keeper != KEPT).sum()),
        },
    }
    kept = write_decided(after_near, out, dropped, "semantic", decisions, metadata, progress)
    return SemanticCounts(after_near.rows, kept, after_near.rows - kept)


@dataclass(frozen=True)
class Decided:
    """What `drop_semantic_duplicates` would drop at a threshold, and for which rows.

    apart: the pairs that the guard keeps apart, by kind; unguarded: how many rows would be dropped without it.
    """

    threshold: float
    decisions: Decisions
    apart: dict[str, int]
    unguarded: int


def decide_each(
    after_near: Checkpoint,
    thresholds: Sequence[tuple[float, Checkpoint]],
    semantic: SemanticParams,
    keep: KeepParams,
    max_memory: int,
) -> Iterator[Decided]:
    """Decide at each threshold, with the pairs to take for it; nothing is written. Errors as of the stage.

    The texts are read once.
    """
    streams = [_stream(after_near, pairs, replace(semantic, dedup_threshold=at)) for at, pairs in thresholds]
    rank = _rank(after_near, keep)
    with _guard(after_near, streams, semantic.protect, None, InlinePool()) as guard:
        for (threshold, _), stream in zip(thresholds, streams, strict=True):
            decisions = _decided(stream, semantic.cluster, rank, max_memory, guard)
            unguarded = decisions if guard is None else _decided(stream, semantic.cluster, rank, max_memory, None)
            apart: dict[str, int] = (
                {kind: guard.apart_by[kind] for kind in KINDS if kind in guard.kinds} if guard else {}
            )
            yield Decided(threshold, decisions, apart, int((unguarded.keeper != KEPT).sum()))


def _stream(after_near: Checkpoint, pairs: Checkpoint, semantic: SemanticParams) -> PairStream:
    if not semantic.enabled:
        return PairStream(pairs, after_near.row_ids, _NO_COSINE)
    threshold = semantic.dedup_threshold
    floor = pairs.metadata["search"]["floor"]
    if threshold < floor:
        raise ProcessingError(
            f"semantic.dedup_threshold is {threshold}, but similar_pairs.parquet holds pairs from {floor} up. "
            f"Set search.floor in params.yaml to at most {threshold}; "
            "similar_pairs then runs again, from stored vectors."
        )
    return PairStream(pairs, after_near.row_ids, threshold)


def _rows_in(stream: PairStream) -> Bools:
    """Whether each row is in a pair."""
    found = np.zeros(len(stream.row_ids), dtype=np.bool_)
    for b, a, _ in stream:
        found[b] = found[a] = True
    return found


def _rank(after_near: Checkpoint, keep: KeepParams) -> Ints | None:
    return None if is_input_order(keep) else row_priority(after_near, keep)


@contextmanager
def _guard(
    rows: Checkpoint, streams: Sequence[PairStream], kinds: Sequence[str], folder: Path | None, pool: Pool
) -> Iterator[GuardedRows | None]:
    """The guard of some kinds on the rows of these pairs; None where it would have nothing to do."""
    wanted = np.zeros(rows.rows, dtype=np.bool_)
    for stream in streams if kinds else ():
        wanted |= _rows_in(stream)
    if not wanted.any():
        yield None
        return
    pool = where_it_gains(pool, rows=int(wanted.sum()), above=_POOL_GAINS_ABOVE_ROWS)
    with (
        tempfile.TemporaryDirectory(dir=folder) as words,
        closing(RowWords.written(rows, wanted, Path(words), pool)) as row_words,
    ):
        yield GuardedRows(row_words, kinds)


def _decided(
    stream: PairStream,
    cluster: str,
    rank: Ints | None,
    max_memory: int,
    guard: GuardedRows | None,
    spread: Callable[..., Decisions] | None = None,
) -> Decisions:
    """The decisions, with what the guard keeps apart counted anew; `spread`: a way to have them made by others."""
    if spread is not None:
        return spread(stream, rank, max_memory, guard)
    stored, apart = replace(stream, threshold=_LEAST_COSINE), None
    if guard is not None:
        guard.count_anew()
        for b, a, _ in stream:
            guard.count_other_numbers(b, a)
        stream, apart = replace(stream, apart=guard.other_numbers), guard.kept_apart
    if cluster == "components":
        return decide_components(stream, stored, stream.row_ids, rank, apart)
    return decide_stars(stream, stream.row_ids, rank, max_memory, apart)


def _examples(guard: GuardedRows, row_ids: Ints) -> dict[str, list[list[int]]]:
    """By kind the first pairs that the guard keeps apart, as row ids."""
    return {kind: [[int(row_ids[row]) for row in pair] for pair in pairs] for kind, pairs in guard.examples.items()}
