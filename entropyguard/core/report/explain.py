"""What became of one row, with the texts to judge it by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from entropyguard.core.errors import UsageError
from entropyguard.core.report.lineage import (
    INGESTED,
    check_finished,
    check_names,
    dropped_rows,
    gather_rows,
    printable,
    rejected_rows,
)
from entropyguard.core.storage.parquet import row_count

_EXAMPLES = 5


@dataclass(frozen=True)
class Row:
    """A row of the input: its id, the file and the line (from 1) it came from, and its whole text."""

    row_id: int
    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Explanation:
    """What became of `row`: `outcome` is kept, dropped or rejected.

    stage, reason: by which stage and why it was dropped or rejected (min_length, exact, semantic, or what was
        wrong with the line); None when it was kept.
    keeper: the row that was kept instead by that stage; None when there is none (kept, rejected, too short).
    final_keeper: the row of the output that stands for it: the keeper, unless a later stage dropped that one.
    similarity: cosine of row and keeper, for a semantic duplicate.
    stands_for: how many dropped rows a kept row is the final keeper of; `examples` are the first five of them.
    """

    row: Row
    outcome: str
    stage: str | None = None
    reason: str | None = None
    keeper: Row | None = None
    final_keeper: Row | None = None
    similarity: float | None = None
    stands_for: int = 0
    examples: tuple[Row, ...] = ()


def explain(project: Path, names: list[str], row_id: int) -> Explanation:
    """What became of a row of the project's finished run; texts are whole.

    UsageError when the input has no such row, ProcessingError when there is no finished run.
    """
    check_finished(project)
    rejected = 0
    for row in rejected_rows(project):
        rejected += 1
        if row["row_id"] == row_id:
            check_names(names, row["file"])
            place = Row(row_id, printable(names[row["file"]]), row["line"], row["text"])
            return Explanation(place, "rejected", "ingest", row["reason"])
    rows = row_count(project / INGESTED) + rejected
    if not 0 <= row_id < rows:
        raise UsageError(f"There is no row {row_id}: the input has rows 0 to {rows - 1}. Name one of those.")
    dropped = dropped_rows(project)
    entry = dropped.filter(pl.col("row_id") == row_id)
    return _dropped(project, names, entry) if entry.height else _kept(project, names, row_id, dropped)


def _dropped(project: Path, names: list[str], entry: pl.DataFrame) -> Explanation:
    fate = entry.row(0, named=True)
    rows = _rows(project, names, [fate["row_id"], fate["keeper_row_id"], fate["final_keeper_row_id"]])
    return Explanation(
        rows[fate["row_id"]],
        "dropped",
        fate["stage"],
        fate["reason"],
        rows.get(fate["keeper_row_id"]),
        rows.get(fate["final_keeper_row_id"]),
        fate["similarity"],
    )


def _kept(project: Path, names: list[str], row_id: int, dropped: pl.DataFrame) -> Explanation:
    stands_for = dropped.filter(pl.col("final_keeper_row_id") == row_id)["row_id"]
    examples = stands_for.head(_EXAMPLES).to_list()
    rows = _rows(project, names, [row_id, *examples])
    return Explanation(rows[row_id], "kept", stands_for=stands_for.len(), examples=tuple(rows[one] for one in examples))


def _rows(project: Path, names: list[str], row_ids: list[int | None]) -> dict[int, Row]:
    found = gather_rows(project, pl.Series(row_ids, dtype=pl.Int64))
    check_names(names, found["file"].max())
    return {
        row_id: Row(row_id, printable(names[file]), line, text)
        for row_id, file, line, text in found.select("row_id", "file", "line", "text").iter_rows()
    }


def sample_dropped(project: Path, count: int, seed: int) -> list[int]:
    """The row ids of `count` dropped rows (all, if there are fewer), ascending, drawn the same way for a seed."""
    check_finished(project)
    ids = dropped_rows(project)["row_id"].to_numpy()
    chosen = np.random.default_rng(seed).choice(ids, size=min(count, ids.size), replace=False)
    return [int(row_id) for row_id in np.sort(chosen)]
