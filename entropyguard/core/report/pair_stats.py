"""What a report says of the similar pairs: how many there are of each similarity, and those next to the threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from entropyguard.core.arrays import Ints
from entropyguard.core.pairs.similarity import MILLIONTHS
from entropyguard.core.report.clusters import NO_KEEPER
from entropyguard.core.storage.checkpoint import Checkpoint

BINS = 50
_WIDEST_START = 0.99  # a floor of 1 would leave nothing to draw
_PAIR = pl.Schema({"similarity": pl.Float64, "row": pl.Int64, "other": pl.Int64})


@dataclass(frozen=True)
class Pair:
    """Two rows; `other` is the keeper where `row` was dropped, the earlier row where both are kept."""

    similarity: float
    row: int
    other: int


@dataclass(frozen=True)
class Histogram:
    """Pairs by similarity, in BINS steps between `edges` (in millionths), below the threshold and not below it."""

    edges: Ints
    below: Ints
    above: Ints


def count_pairs(pairs: Checkpoint, floor: float, threshold: float) -> Histogram:
    """Count the stored pairs by similarity from the floor to 1. Memory: one row group."""
    edges = np.rint(np.linspace(min(floor, _WIDEST_START), 1, BINS + 1) * MILLIONTHS).astype(np.int64)
    counted = Histogram(edges, np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64))
    for table in pairs.tables(["similarity"]):
        similarity = table["similarity"].to_numpy()
        # A dot product of unit vectors can be a millionth above 1.
        millionths = np.clip(np.rint(similarity * MILLIONTHS).astype(np.int64), edges[0], edges[-1])
        reached = similarity >= threshold
        counted.below[:] += np.histogram(millionths[~reached], edges)[0]
        counted.above[:] += np.histogram(millionths[reached], edges)[0]
    return counted


def least_similar_dropped(dropped: Checkpoint, threshold: float, count: int) -> list[Pair]:
    """Dropped rows with their keepers, the least similar first, one for each keeper; none below the threshold."""
    names = {"row_id": "row", "keeper_row_id": "other"}
    tables = (pl.DataFrame(table).rename(names) for table in dropped.tables())
    return _nearest((rows.filter(pl.col("similarity") >= threshold) for rows in tables), threshold, count)


def most_similar_kept(pairs: Checkpoint, keepers: Ints, threshold: float, count: int) -> list[Pair]:
    """Pairs below the threshold of which both rows are kept, the most similar first, one for each earlier row.

    keepers: as `clusters.final_keepers` gives them.
    """
    return _nearest(_kept_below(pairs, keepers, threshold), threshold, count)


def _kept_below(pairs: Checkpoint, keepers: Ints, threshold: float) -> Iterator[pl.DataFrame]:
    for table in pairs.tables():
        similarity, row, other = (table[name].to_numpy() for name in ("similarity", "row_b", "row_a"))
        near = np.flatnonzero(similarity < threshold)
        near = near[(keepers[row[near]] == NO_KEEPER) & (keepers[other[near]] == NO_KEEPER)]
        yield pl.DataFrame({"similarity": similarity[near], "row": row[near], "other": other[near]})


def _nearest(parts: Iterable[pl.DataFrame], threshold: float, count: int) -> list[Pair]:
    """Of all parts the pairs nearest to the threshold, one for each `other`; ties: the lowest rows."""
    found = pl.DataFrame(schema=_PAIR)
    for part in parts:
        found = pl.concat([found, part.select(_PAIR.names()).cast(_PAIR)])
        found = found.sort((pl.col("similarity") - threshold).abs(), "row", "other")
        found = found.unique("other", keep="first", maintain_order=True).head(count)
    return [Pair(*row) for row in found.rows()]
