"""Clusters: a row that stays and all the rows that were dropped for it, directly or through another dropped row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from entropyguard.core.arrays import Int32s, Ints
from entropyguard.core.storage.checkpoint import Checkpoint

NO_KEEPER = -1
_ROWS_AT_ONCE = 1 << 20
_SHOWN = ("near", "semantic")


@dataclass(frozen=True)
class Cluster:
    """`exact`, `near` and `semantic` count the rows that `keeper` stands for.

    members, near_members: of its semantic and of its near-duplicates the least similar ones, as (row id, similarity).
    By components a member can have no similarity: it was linked through other rows.
    """

    keeper: int
    exact: int
    near: int
    semantic: int
    members: list[tuple[int, float | None]]
    near_members: list[tuple[int, float | None]]


def final_keepers(ingested: Checkpoint, dropped: list[Checkpoint]) -> Ints:
    """By row id the row of the output that stands for it, NO_KEEPER for rows that none does. 8 bytes a row."""
    keeper = np.full(ingested.last_row_id() + 1, NO_KEEPER, dtype=np.int64)
    for checkpoint in dropped:
        for table in checkpoint.tables(["row_id", "keeper_row_id"]):
            rows = pl.DataFrame(table).drop_nulls()
            keeper[rows["row_id"].to_numpy()] = rows["keeper_row_id"].to_numpy()
    # A keeper may itself be dropped by a later stage: what the last one points to is in the output.
    for _ in dropped[1:]:
        for start in range(0, len(keeper), _ROWS_AT_ONCE):
            part = keeper[start : start + _ROWS_AT_ONCE]
            has = part != NO_KEEPER
            further = keeper[part[has]]
            part[has] = np.where(further != NO_KEEPER, further, part[has])
    return keeper


def largest_clusters(keepers: Ints, dropped: list[Checkpoint], clusters: int, members: int) -> list[Cluster]:
    """The clusters of most rows (ties: lowest row id), each with so many of its least similar members.

    Memory: 12 bytes a row beside `keepers` and one row group.
    """
    sizes = np.zeros(len(keepers), dtype=np.int32)
    for start in range(0, len(keepers), _ROWS_AT_ONCE):
        part = keepers[start : start + _ROWS_AT_ONCE]
        np.add.at(sizes, part[part != NO_KEEPER], 1)
    chosen = _largest(sizes, clusters)
    counts = pl.DataFrame(schema={"keeper": pl.Int64, "reason": pl.String, "len": pl.UInt32})
    least = pl.DataFrame(schema={"row_id": pl.Int64, "similarity": pl.Float64, "keeper": pl.Int64, "reason": pl.String})
    for rows in _dropped_for(chosen, keepers, dropped):
        counts = pl.concat([counts, rows.group_by("keeper", "reason").len()])
        shown = rows.filter(pl.col("reason").is_in(_SHOWN)).select(least.columns)
        least = pl.concat([least, shown]).sort("similarity", "row_id", nulls_last=True)
        least = least.group_by("keeper", "reason", maintain_order=True).head(members).select(shown.columns)
    return [_cluster(keeper, counts.filter(keeper=keeper), least.filter(keeper=keeper)) for keeper in chosen]


def _largest(sizes: Int32s, count: int) -> list[int]:
    """The indexes of the largest sizes above 0, the lowest of equals first."""
    count = min(count, len(sizes))
    if count == 0:
        return []
    least = max(1, int(np.partition(sizes, -count)[-count]))
    larger, equal = np.flatnonzero(sizes > least), np.flatnonzero(sizes == least)
    indexes = np.concatenate([larger, equal[: count - len(larger)]])
    order = np.lexsort((indexes, -sizes[indexes]))
    return [int(index) for index in indexes[order]]


def _dropped_for(chosen: list[int], keepers: Ints, dropped: list[Checkpoint]) -> Iterator[pl.DataFrame]:
    """The rows that the chosen keepers stand for, some at a time: row_id, reason, similarity, keeper."""
    for checkpoint in dropped:
        for table in checkpoint.tables(["row_id", "reason", "similarity"]):
            final = keepers[table["row_id"].to_numpy()]
            rows = pl.DataFrame(table).cast({"similarity": pl.Float64}).with_columns(keeper=final)
            yield rows.filter(pl.Series(np.isin(final, chosen)))


def _cluster(keeper: int, counts: pl.DataFrame, least: pl.DataFrame) -> Cluster:
    exact, near, semantic = (int(counts.filter(reason=reason)["len"].sum()) for reason in ("exact", *_SHOWN))
    near_members, members = (least.filter(reason=reason).select("row_id", "similarity").rows() for reason in _SHOWN)
    return Cluster(keeper, exact, near, semantic, members, near_members)
