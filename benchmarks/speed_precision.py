"""bfloat16 vectors whose candidates are scored again in float32, and float32 throughout: time, and the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from corpora import docstrings, write_rows
from measure import Measured, megabytes, print_table
from pipeline import make_repo, run_stage, set_param, switch_near_off

_STAGES = ("ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs")
_PRECISIONS = ("float32", "bfloat16")


def time_precision(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print a table of embed and similar_pairs at both precisions, after a check that they store the same pairs."""
    file = write_rows(work / "rows.jsonl", texts or docstrings(rows))
    lines, expected, slowest = [], None, 0.0
    for precision in _PRECISIONS:
        repo = make_repo(work / precision, file)
        set_param(repo, "precision: auto ", f"precision: {precision} ")
        switch_near_off(repo)
        runs = {stage: run_stage(repo, stage) for stage in _STAGES}
        pairs, search = _found(repo)
        if expected is None:
            expected, slowest = pairs, _both(runs)
        if not pairs.equals(expected):
            raise SystemExit(f"{precision} stores {pairs.num_rows:,} pairs, or others than the {expected.num_rows:,}")
        lines.append(
            [
                precision,
                f"{runs['embed'].seconds:.1f}",
                f"{search.get('rescored_rows', 0):,}",
                f"{runs['similar_pairs'].seconds:.1f}",
                f"{slowest / _both(runs):.2f}",
                megabytes(max(run.peak_bytes for run in runs.values())),
            ]
        )
    kept = pq.read_metadata(work / _PRECISIONS[0] / "after_exact_dedup.parquet").num_rows
    header = ["precision", "embed s", "rows embedded again", "similar_pairs s", "times as fast", "peak MB"]
    pairs_found = expected.num_rows if expected is not None else 0
    print_table(f"{kept:,} texts, {pairs_found:,} pairs at 0.9 or more, from both", header, lines)


def _both(runs: dict[str, Measured]) -> float:
    return runs["embed"].seconds + runs["similar_pairs"].seconds


def _found(repo: Path) -> tuple[pa.Table, dict[str, object]]:
    """The pairs with their similarity, and what the search says of itself."""
    from entropyguard.core.storage.checkpoint import Checkpoint

    path = repo / "similar_pairs.parquet"
    return pq.read_table(path), Checkpoint(path).metadata["search"]
