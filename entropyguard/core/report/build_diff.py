"""Two builds of the same data compared: how far the vectors moved, which rows were decided differently, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint

SIMILARITY_TOLERANCE = 1e-5
"""How far rounding may move a similarity.

With MiniLM, other instruction sets of one CPU (AVX-512, AVX2, SSE4) move similarities by up to 4e-7; this leaves
room for CPUs and library builds that were not tried, and is far below any difference between texts that matters.
"""

VECTOR_TOLERANCE = 1e-4
"""How far rounding may move a vector (Euclidean distance). Measured the same way: 1.2e-6."""

_DECIMALS = 6  # those of a similarity


@dataclass(frozen=True)
class Decision:
    """What was decided about a row; `reason` is None where it was kept."""

    reason: str | None
    keeper: int | None
    similarity: float | None

    def __str__(self) -> str:
        if self.reason is None:
            return "kept"
        at = "" if self.similarity is None else f" at {self.similarity:.{_DECIMALS}f}"
        return f"dropped ({self.reason})" if self.keeper is None else f"dropped for row {self.keeper}{at}"


@dataclass(frozen=True)
class Difference:
    """A row decided differently; `why` says how rounding explains it, None where it does not."""

    row_id: int
    here: Decision
    rebuilt: Decision
    why: str | None = None

    def __str__(self) -> str:
        return f"row {self.row_id} is {self.here} here, {self.rebuilt} in the rebuild"


def vector_distance(here: Checkpoint, rebuilt: Checkpoint) -> float | None:
    """The largest Euclidean distance between a row's two vectors in two embeddings.parquet.

    None where they are not of the same rows: other row ids, texts, dimensions, or rows skipped.
    """
    largest = 0.0
    for one, other in zip_longest(here.tables(), rebuilt.tables()):
        if one is None or other is None or one.schema != other.schema:
            return None
        if not one.drop_columns("vector").equals(other.drop_columns("vector")):
            return None
        left, right = (_vectors(table) for table in (one, other))
        if left.shape != right.shape:
            return None
        if len(left):
            # np.max, unlike max(), hands on a NaN.
            largest = float(np.max([largest, np.linalg.norm(left - right, axis=1).max()]))
    return largest


def _vectors(table: pa.Table) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    column = table["vector"].drop_null().combine_chunks()
    array = column.chunk(0) if isinstance(column, pa.ChunkedArray) and column.num_chunks else column
    flat = array.flatten().to_numpy() if len(array) else np.empty(0)
    return flat.astype(np.float64).reshape(-1, table.schema.field("vector").type.list_size)


def decision_differences(here: Checkpoint, rebuilt: Checkpoint, threshold: float | None = None) -> list[Difference]:
    """The rows that two `dropped/*.parquet` decide differently, by row id.

    A similarity that moved by no more than the tolerance is no other decision. With a threshold each difference
    says whether rounding explains it: the similarity is within the tolerance of the threshold, two keepers are
    equally near within the tolerance, or a keeper is itself a row whose difference is explained.
    """
    both = _dropped(here).join(_dropped(rebuilt), on="row_id", how="full", coalesce=True, suffix="_rebuilt")
    moved = (pl.col("similarity") - pl.col("similarity_rebuilt")).abs().fill_null(0.0)
    same = pl.all_horizontal(
        pl.col("reason").eq_missing(pl.col("reason_rebuilt")),
        pl.col("keeper_row_id").eq_missing(pl.col("keeper_row_id_rebuilt")),
        moved.round(_DECIMALS) <= SIMILARITY_TOLERANCE,
    )
    columns = ["row_id", "reason", "keeper_row_id", "similarity"]
    rows = both.filter(~same).sort("row_id").select(*columns, *(f"{name}_rebuilt" for name in columns[1:]))
    found = [Difference(row[0], Decision(*row[1:4]), Decision(*row[4:7])) for row in rows.iter_rows()]
    return found if threshold is None else list(_with_reasons(found, threshold))


def _dropped(checkpoint: Checkpoint) -> pl.DataFrame:
    return pl.DataFrame(pa.concat_tables([DROPPED.empty_table(), *checkpoint.tables(DROPPED.names)]))


def _with_reasons(found: list[Difference], threshold: float) -> Iterator[Difference]:
    """The differences with `why` filled in: first what is near by itself, then what follows from it."""
    why = {one.row_id: reason for one in found if (reason := _near(one, threshold))}
    turned = {one.row_id for one in found if (one.here.reason is None) != (one.rebuilt.reason is None)}
    rest = [one for one in found if one.row_id not in why]
    # A keeper can itself follow from another row, so go on until nothing more is explained.
    while rest:
        causes = {one.row_id: _cause(one, turned & why.keys()) for one in rest}
        new = {row: f"it follows from row {cause}" for row, cause in causes.items() if cause is not None}
        if not new:
            break
        why |= new
        rest = [one for one in rest if one.row_id not in why]
    for one in found:
        yield Difference(one.row_id, one.here, one.rebuilt, why.get(one.row_id))


def _near(one: Difference, threshold: float) -> str | None:
    """Whether the row's own similarity leaves the decision to rounding."""
    here, rebuilt = one.here, one.rebuilt
    if here.reason is not None and rebuilt.reason is not None:
        near = here.keeper != rebuilt.keeper and _within(here.similarity, rebuilt.similarity)
        return f"both are equally near within {SIMILARITY_TOLERANCE:g}" if near else None
    similarity = here.similarity if here.reason is not None else rebuilt.similarity
    return f"within {SIMILARITY_TOLERANCE:g} of the threshold {threshold}" if _within(similarity, threshold) else None


def _within(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    return round(abs(one - other), _DECIMALS) <= SIMILARITY_TOLERANCE


def _cause(one: Difference, explained: set[int]) -> int | None:
    """The keeper that was kept in one build and dropped in the other, if that is explained."""
    return next((keeper for keeper in (one.here.keeper, one.rebuilt.keeper) if keeper in explained), None)
