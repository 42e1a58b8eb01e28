"""Candidate pairs scored again from float32 vectors, where the stored vectors are rounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Floats, Ints, Millionths
from entropyguard.core.errors import ProcessingError
from entropyguard.core.pairs.block_store import shard_tables
from entropyguard.core.pairs.scoring import listed_similarity, window_similarity
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.pairs.vectors import Windows, scratch

ExactVectors = Callable[[Bools], Iterator[tuple[Ints, Floats]]]
"""Given which rows of after_near_dedup.parquet are wanted: their float32 vectors in order, with the row of each."""

_LEAST_COSINE = -1.0


@dataclass(frozen=True)
class Candidates:
    """The pairs that a search of rounded vectors found, some way below the floor.

    shards: parts with positions and the stored vectors' similarity, `pairs` in all. Of each position, taken:
    whether it is in a pair; places: its row of after_near_dedup.parquet, which has `rows`; further: its windows
    beyond the first.
    """

    shards: Sequence[Path]
    pairs: int
    taken: Bools
    row_ids: Ints
    rows_of: Ints
    further: Ints
    rows: int
    dimensions: int

    def tables(self) -> Iterator[pa.Table]:
        """The pairs, in tables of bounded size."""
        for path in self.shards:
            yield from shard_tables(path)


@dataclass(frozen=True)
class Rescored:
    """The similarity of each candidate in float32, how many rows were embedded for it, and the largest change."""

    similarity: Millionths
    rows: int
    largest_rounding: float


def rescore(candidates: Candidates, exact_vectors: ExactVectors, max_bytes: int, spill: Path) -> Rescored:
    """Score all candidates from float32 vectors; these lie in `spill` where they exceed `max_bytes`.

    ProcessingError when the vectors are not those of the candidates' rows and windows.
    """
    further = candidates.further[candidates.taken]
    windows = Windows.empty(further, candidates.dimensions, max_bytes, spill)
    wanted = np.zeros(candidates.rows, dtype=np.bool_)
    wanted[candidates.rows_of[candidates.taken]] = True
    windows.fill(_checked(exact_vectors(wanted), np.repeat(np.flatnonzero(wanted), further + 1)))
    index = np.cumsum(candidates.taken, dtype=np.int64) - 1
    similarity = scratch((candidates.pairs,), np.int32, candidates.pairs * 4 <= max_bytes, spill)
    start = largest = 0
    for table in candidates.tables():
        a, b = index[table["a"].to_numpy()], index[table["b"].to_numpy()]
        found = window_similarity(windows, a, b, listed_similarity(windows.first, a, b), _LEAST_COSINE)
        similarity[start : start + len(found)] = found
        largest = max(largest, int(np.abs(found - table["millionths"].to_numpy()).max(initial=0)))
        start += len(found)
    return Rescored(similarity, len(further), largest / MILLIONTHS)


def rescored_tables(candidates: Candidates, rescored: Rescored, floor: float) -> Iterator[pa.Table]:
    """The candidates that are at or above the floor, with their similarity in float32."""
    start = 0
    for table in candidates.tables():
        similarity = rescored.similarity[start : start + table.num_rows]
        start += table.num_rows
        near = similarity / MILLIONTHS >= floor
        columns = [table["a"].to_numpy()[near], table["b"].to_numpy()[near], similarity[near]]
        yield pa.table(columns, names=table.column_names)


def _checked(pieces: Iterable[tuple[Ints, Floats]], expected: Ints) -> Iterator[tuple[Bools, Floats]]:
    """The vectors, each with whether it is its row's first, if they are of the rows `expected`, one per window."""
    firsts: Bools = np.diff(expected, prepend=-1) > 0
    start = 0
    for rows, vectors in pieces:
        end = start + len(rows)
        if not np.array_equal(rows, expected[start:end]):
            raise _strangers()
        yield firsts[start:end], vectors
        start = end
    if start != len(expected):
        raise _strangers()


def _strangers() -> ProcessingError:
    return ProcessingError(
        "embeddings.parquet has other rows or windows than after_near_dedup.parquet gives. Run embed again."
    )
