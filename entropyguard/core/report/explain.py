"""Finding out what became of one row."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from entropyguard.core.errors import UsageError
from entropyguard.core.report.explanation import Explanation
from entropyguard.core.report.lineage import Lineage, Row
from entropyguard.core.words.word_diff import word_diff

_EXAMPLES = 5


def explain(lineage: Lineage, row_id: int) -> Explanation:
    """What became of a row of the input; texts are whole. UsageError when the input has no such row."""
    rejected = 0
    for row in lineage.rejected_rows():
        rejected += 1
        if row["row_id"] == row_id:
            (file,) = lineage.named(pl.Series([row["file"]]))
            return Explanation(Row(row_id, file, row["line"], row["text"]), "rejected", "ingest", row["reason"])
    rows = lineage.ingested.rows + rejected
    if not 0 <= row_id < rows:
        raise UsageError(f"There is no row {row_id}: the input has rows 0 to {rows - 1}. Name one of those.")
    dropped = lineage.dropped_rows()
    entry = dropped.filter(pl.col("row_id") == row_id)
    return _dropped(lineage, entry.row(0, named=True)) if entry.height else _kept(lineage, row_id, dropped)


def _dropped(lineage: Lineage, entry: dict[str, Any]) -> Explanation:
    rows = lineage.rows([entry["row_id"], entry["keeper_row_id"], entry["final_keeper_row_id"]])
    row, keeper = rows[entry["row_id"]], rows.get(entry["keeper_row_id"])
    return Explanation(
        row,
        "dropped",
        entry["stage"],
        entry["reason"],
        keeper,
        rows.get(entry["final_keeper_row_id"]),
        entry["similarity"],
        word_diff(row.text, keeper.text) if keeper and entry["reason"] == "near" else None,
    )


def _kept(lineage: Lineage, row_id: int, dropped: pl.DataFrame) -> Explanation:
    stands_for = dropped.filter(pl.col("final_keeper_row_id") == row_id)["row_id"]
    examples = stands_for.head(_EXAMPLES).to_list()
    rows = lineage.rows([row_id, *examples])
    return Explanation(rows[row_id], "kept", stands_for=stands_for.len(), examples=tuple(rows[one] for one in examples))


def sample_dropped(lineage: Lineage, count: int, seed: int) -> list[int]:
    """The row ids of `count` dropped rows (all, if there are fewer), ascending, drawn the same way for a seed."""
    ids = lineage.dropped_rows()["row_id"].to_numpy()
    chosen = np.random.default_rng(seed).choice(ids, size=min(count, ids.size), replace=False)
    return [int(row_id) for row_id in np.sort(chosen)]
