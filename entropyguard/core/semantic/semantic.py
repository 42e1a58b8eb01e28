"""semantic_dedup: which rows are semantic duplicates of a row that stays, and of which.

The pairs stream by; in memory are a few numbers a row and, for priorities other than input order, as many pairs as
the memory limit allows at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.decisions.greedy import KEPT, Decisions, decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.decisions.write import write_decided
from entropyguard.core.errors import ProcessingError
from entropyguard.core.params import KeepParams, SemanticParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows.priority import is_input_order, row_priority
from entropyguard.core.semantic.components import decide_components
from entropyguard.core.semantic.numeric_diff import NumberFree
from entropyguard.core.storage.checkpoint import Checkpoint

_LEAST_COSINE = -1.0
_NO_COSINE = np.inf  # no pair reaches it


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
) -> SemanticCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of `after_near`.

    Without semantic dedup every row stays.

    A dropped row's keeper is the most similar row kept before it (ties: lowest row id); by components, the first
    row of its group. `dropped` says in its metadata what the protection of numbers does, or would do.
    ProcessingError when the pairs were made with a floor above the threshold, or for other rows.
    """
    metadata = dict(pairs.metadata)
    stream = _stream(after_near, pairs, semantic)
    rank = _rank(after_near, keep)
    numbers = NumberFree.of(after_near, _rows_in(stream))
    unprotected = _decided(stream, rank, semantic.cluster, max_memory)
    decisions = unprotected
    if semantic.protect_numbers:
        decisions = _decided(replace(stream, apart=numbers.only_numbers_differ), rank, semantic.cluster, max_memory)
    metadata["numbers"] = {
        "protected": semantic.protect_numbers,
        **_effect_on_numbers(stream, numbers, decisions, unprotected),
    }
    kept = write_decided(after_near, out, dropped, "semantic", decisions, metadata, progress)
    return SemanticCounts(after_near.rows, kept, after_near.rows - kept)


def decide(
    after_near: Checkpoint, pairs: Checkpoint, semantic: SemanticParams, keep: KeepParams, max_memory: int
) -> Decisions:
    """What `drop_semantic_duplicates` would drop, and for which rows; nothing is written. Errors as there."""
    stream = _stream(after_near, pairs, semantic)
    if semantic.protect_numbers:
        stream = replace(stream, apart=NumberFree.of(after_near, _rows_in(stream)).only_numbers_differ)
    return _decided(stream, _rank(after_near, keep), semantic.cluster, max_memory)


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


def _decided(stream: PairStream, rank: Ints | None, cluster: str, max_memory: int) -> Decisions:
    if cluster == "components":
        stored = replace(stream, threshold=_LEAST_COSINE, apart=None)
        return decide_components(stream, stored, stream.row_ids, rank)
    return decide_stars(stream, stream.row_ids, rank, max_memory)


def _effect_on_numbers(
    stream: PairStream, numbers: NumberFree, decisions: Decisions, unprotected: Decisions
) -> dict[str, int]:
    """What protecting numbers does, or would do.

    pairs: those at or above the threshold whose texts differ in numbers only; kept: rows that would be dropped
    without the protection; dropped: rows that differ from their keeper in numbers only (protected ones too can fall
    together by components, through a third row).
    """
    lost = np.flatnonzero(decisions.keeper != KEPT)
    return {
        "pairs": sum(int(numbers.only_numbers_differ(b, a).sum()) for b, a, _ in stream),
        "kept": int(((decisions.keeper == KEPT) & (unprotected.keeper != KEPT)).sum()),
        "dropped": int(numbers.only_numbers_differ(lost, decisions.keeper[lost]).sum()),
    }
