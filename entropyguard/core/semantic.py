"""semantic_dedup: in priority order a row is kept unless a row kept before it is at or above the threshold.

The pairs stream by; in memory are a few numbers a row and, for priorities other than input order, as many pairs as
the memory limit allows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.errors import ProcessingError
from entropyguard.core.exact import DROPPED
from entropyguard.core.params import KeepParams
from entropyguard.core.parquet import TableWriter, open_parquet, read_about, read_tables, row_count
from entropyguard.core.priority import row_priority
from entropyguard.core.progress import Progress

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

KEPT = -1
_PAIR_BYTES = 128  # of work for one pair while a range of ranks is sorted
_ABOUT = ("rows", "unreadable", "over_long", "search")


@dataclass(frozen=True)
class SemanticCounts:
    """rows = kept + dropped."""

    rows: int
    kept: int
    dropped: int


class Decisions:
    """For each row the index of its keeper, KEPT where it is kept, and the similarity to it (0 where kept)."""

    def __init__(self, rows: int) -> None:
        self.keeper = np.full(rows, KEPT, dtype=np.int64)
        self.similarity = np.zeros(rows)

    def add(self, later: Ints, earlier: Ints, similarity: Doubles) -> None:
        """Decide on pairs at or above the threshold, `earlier` before `later` in priority order.

        Pairs come grouped by `later`, in priority order, within a group by ascending `earlier`; a group may be cut
        between two calls. All pairs of a row must have come before one that has it as `earlier`.
        """
        cuts = np.flatnonzero(later[1:] != later[:-1]) + 1
        for start, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(later)], strict=True):
            if start < end:
                self._decide(int(later[start]), earlier[start:end], similarity[start:end])

    def _decide(self, row: int, earlier: Ints, similarity: Doubles) -> None:
        of_kept = np.where(self.keeper[earlier] == KEPT, similarity, -1.0)
        best = int(of_kept.argmax())  # the first of several: the lowest row id
        if of_kept[best] > self.similarity[row]:
            self.keeper[row], self.similarity[row] = earlier[best], of_kept[best]


def drop_semantic_duplicates(
    after_exact: Path,
    pairs: Path,
    out: Path,
    dropped: Path,
    threshold: float,
    keep: KeepParams,
    max_memory: int,
    progress: Progress,
) -> SemanticCounts:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of `after_exact`.

    A dropped row's keeper is the most similar row kept before it (ties: lowest row id). ProcessingError when the
    pairs were made with a floor above the threshold, or for other rows.
    """
    about = read_about(pairs)
    _check_floor(about, threshold)
    row_ids = _row_ids(after_exact)
    stream = _Pairs(pairs, row_ids, threshold)
    decisions = Decisions(len(row_ids))
    if keep.policy == "first":
        for later, earlier, similarity in stream:
            decisions.add(later, earlier, similarity)
    else:
        rank = row_priority(after_exact, keep.policy)
        for later, earlier, similarity in _by_rank(stream, rank, max(1, max_memory // 2 // _PAIR_BYTES)):
            decisions.add(later, earlier, similarity)
        del rank
    return _write(after_exact, out, dropped, decisions, row_ids, about, progress)


def _check_floor(about: dict[str, Any], threshold: float) -> None:
    floor = about["search"]["floor"]
    if threshold < floor:
        raise ProcessingError(
            f"semantic.dedup_threshold is {threshold}, but similar_pairs.parquet holds pairs from {floor} up. "
            f"Set search.floor in params.yaml to at most {threshold}; "
            "similar_pairs then runs again, from stored vectors."
        )


def _row_ids(checkpoint: Path) -> Ints:
    row_ids, start = np.empty(row_count(checkpoint), dtype=np.int64), 0
    for table in read_tables(checkpoint, ["row_id"]):
        row_ids[start : start + table.num_rows] = table["row_id"].to_numpy()
        start += table.num_rows
    return row_ids


@dataclass(frozen=True)
class _Pairs:
    """The pairs at or above the threshold, as (index of b, index of a, similarity), in the file's order (b, a)."""

    path: Path
    row_ids: Ints
    threshold: float

    def __iter__(self) -> Iterator[tuple[Ints, Ints, Doubles]]:
        for table in read_tables(self.path):
            similarity = table["similarity"].to_numpy()
            near = similarity >= self.threshold
            yield self._index(table["row_b"], near), self._index(table["row_a"], near), similarity[near]

    def _index(self, column: pa.ChunkedArray, near: npt.NDArray[np.bool_]) -> Ints:
        wanted = column.to_numpy()[near]
        index: Ints = np.searchsorted(self.row_ids, wanted)
        if len(wanted) and (index.max() == len(self.row_ids) or (self.row_ids[index] != wanted).any()):
            raise ProcessingError(
                f"{self.path.name} names rows that are not in after_exact_dedup.parquet. "
                "Run again from similar_pairs: `dvc repro --force similar_pairs`."
            )
        return index


def _by_rank(stream: _Pairs, rank: Ints, max_pairs: int) -> Iterator[tuple[Ints, Ints, Doubles]]:
    """All pairs as (later, earlier, similarity) in priority order of `later`, by passes over the file."""
    counts = np.zeros(len(rank), dtype=np.int64)
    for b, a, _ in stream:
        np.add.at(counts, np.maximum(rank[b], rank[a]), 1)
    for first, last in _ranges(counts, max_pairs):
        chosen = [_in_range(part, rank, first, last) for part in stream]
        later, earlier, similarity = (np.concatenate(column) for column in zip(*chosen, strict=True))
        del chosen
        # The file's order is (b, a), so within a row's pairs `earlier` ascends already, and stays so.
        order = np.argsort(rank[later], kind="stable")
        yield later[order], earlier[order], similarity[order]


def _in_range(
    part: tuple[Ints, Ints, Doubles], rank: Ints, first: int, last: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles]:
    """The pairs whose later row has a rank in first..last-1."""
    b, a, similarity = part
    b_is_later = rank[b] > rank[a]
    later = np.where(b_is_later, b, a)
    chosen = np.flatnonzero((rank[later] >= first) & (rank[later] < last))
    return later[chosen], np.where(b_is_later, a, b)[chosen], similarity[chosen]


def _ranges(counts: Ints, max_pairs: int) -> Iterator[tuple[int, int]]:
    """Ranges of ranks, each of one row or of as many as stay within `max_pairs`; none where there is no pair."""
    ends = np.cumsum(counts)
    start = int(np.searchsorted(ends, 0, side="right"))
    while start < len(counts):
        before = int(ends[start] - counts[start])
        end = max(start + 1, int(np.searchsorted(ends, before + max_pairs, side="right")))
        yield start, end
        start = int(np.searchsorted(ends, ends[end - 1], side="right"))


def _write(
    after_exact: Path,
    out: Path,
    dropped: Path,
    decisions: Decisions,
    row_ids: Ints,
    about: dict[str, Any],
    progress: Progress,
) -> SemanticCounts:
    with open_parquet(after_exact) as file:
        schema = file.schema_arrow
    done = 0
    told = {key: about[key] for key in _ABOUT}
    with TableWriter(out, schema, read_about(after_exact)) as writer, TableWriter(dropped, DROPPED, told) as losses:
        for table in read_tables(after_exact):
            part = slice(done, done + table.num_rows)
            stays = decisions.keeper[part] == KEPT
            writer.write(table.filter(pa.array(stays)))
            losses.write(_losses(np.flatnonzero(~stays) + done, decisions, row_ids))
            done += table.num_rows
            progress(done, len(row_ids))
    kept = int((decisions.keeper == KEPT).sum())
    return SemanticCounts(len(row_ids), kept, len(row_ids) - kept)


def _losses(rows: Ints, decisions: Decisions, row_ids: Ints) -> pa.Table:
    """Rows of `dropped/semantic.parquet`."""
    return pa.Table.from_arrays(
        [
            pa.array(row_ids[rows]),
            pa.array(["semantic"] * len(rows), pa.string()),
            pa.array(row_ids[decisions.keeper[rows]]),
            pa.array(decisions.similarity[rows]),
        ],
        schema=DROPPED,
    )
