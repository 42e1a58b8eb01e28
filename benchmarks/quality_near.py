"""What near_dedup drops by itself, and what semantic_dedup then drops of the rows that it leaves."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pipeline import Drop

_MAX_MEMORY = 1 << 30
_PARAMS = Path(__file__).parents[1] / "params.yaml"


@dataclass(frozen=True)
class Stage:
    """What the stage did to the rows of exact_dedup. seconds: of the processor. pairs: the stored similarities."""

    dropped: dict[int, Drop]
    seconds: float
    pairs: dict[tuple[int, int], float]


def run_near_dedup(checkpoints: Path, out: Path, **near: Any) -> Stage:
    """Run the stage on after_exact_dedup.parquet of a checkpoint dir; near: what is not to be the default."""
    from entropyguard.core.near.near_dedup import drop_near_duplicates
    from entropyguard.core.params import Params
    from entropyguard.core.storage.checkpoint import Checkpoint

    out.mkdir(parents=True, exist_ok=True)
    files = out / "after_near_dedup.parquet", out / "dropped.parquet", out / "near_pairs.parquet"
    params = Params.load(_PARAMS)
    start = _processor_seconds()
    drop_near_duplicates(
        Checkpoint(checkpoints / "after_exact_dedup.parquet"),
        *files,
        dataclasses.replace(params.near, **near),
        params.keep,
        None,
        _MAX_MEMORY,
        lambda done, rows: None,  # noqa: ARG005
    )
    seconds = _processor_seconds() - start
    pairs = {(row["row_a"], row["row_b"]): row["similarity"] for row in pq.read_table(files[2]).to_pylist()}
    return Stage(drops(files[1]), seconds, pairs)


def drops(path: Path) -> dict[int, Drop]:
    """The rows of a `dropped/*.parquet`."""
    return {
        row["row_id"]: Drop(row["keeper_row_id"], row["similarity"])
        for row in pq.read_table(path).to_pylist()
        if row["keeper_row_id"] is not None
    }


def semantic_drops(checkpoints: Path, gone: Mapping[int, object], threshold: float) -> dict[int, Drop]:
    """What semantic_dedup drops at a threshold (not under the floor of the stored pairs) when `gone` are gone before.

    The rule of stars in input order, over the similar pairs of a run that dropped nothing before: the vectors of the
    rows that stay are the same.
    """
    earlier: dict[int, list[tuple[float, int]]] = {}
    table = pq.read_table(checkpoints / "similar_pairs.parquet", columns=["row_a", "row_b", "similarity"])
    for row in table.to_pylist():
        if row["similarity"] >= threshold and row["row_a"] not in gone and row["row_b"] not in gone:
            earlier.setdefault(row["row_b"], []).append((-row["similarity"], row["row_a"]))
    dropped: dict[int, Drop] = {}
    for row in sorted(earlier):
        kept = [pair for pair in earlier[row] if pair[1] not in dropped]
        if kept:
            similarity, keeper = min(kept)
            dropped[row] = Drop(keeper, -similarity)
    return dropped


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
