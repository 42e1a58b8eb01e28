"""What became of one row, with the texts to judge it by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from entropyguard.core.errors import UsageError
from entropyguard.core.report.lineage import Lineage, Row
from entropyguard.core.words.word_diff import WordDiff, word_diff

_EXAMPLES = 5


@dataclass(frozen=True)
class Explanation:
    """What became of `row`: `outcome` is kept, dropped or rejected.

    stage, reason: by which stage and why it was dropped or rejected (min_length, exact, near, semantic, or what was
        wrong with the line); None when it was kept.
    keeper: the row that was kept instead by that stage; None when there is none (kept, rejected, too short).
    final_keeper: the row of the output that stands for it: the keeper, unless a later stage dropped that one.
    similarity: of row and keeper: for a near-duplicate of their words, for a semantic duplicate their cosine.
    difference: the words that row and keeper do not share, for a near-duplicate.
    stands_for: how many dropped rows a kept row is the final keeper of; `examples` are the first five of them.
    """

    row: Row
    outcome: str
    stage: str | None = None
    reason: str | None = None
    keeper: Row | None = None
    final_keeper: Row | None = None
    similarity: float | None = None
    difference: WordDiff | None = None
    stands_for: int = 0
    examples: tuple[Row, ...] = ()


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
