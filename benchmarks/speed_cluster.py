"""One cluster of texts that are all alike: the pairs grow with its square, memory must not."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from corpora import write_rows
from measure import megabytes, print_table
from pipeline import kept_ids, packaged_model, run_entropyguard

_STAGES = ("near_dedup", "embed", "similar_pairs", "semantic_dedup", "export")


def time_cluster(rows: int, work: Path) -> None:
    """Print what the stages take for texts that differ in a number and a word, after a check that no row is lost."""
    file = write_rows(work / "rows.jsonl", _texts(rows))
    run = run_entropyguard(file, work / "run", "--model-name", packaged_model())
    kept, dropped = set(kept_ids(work / "run")), run.dropped
    if kept & set(dropped) or len(kept) + len(dropped) != rows:
        raise SystemExit(f"{len(kept):,} rows are kept and {len(dropped):,} dropped of {rows:,}")
    if not all(drop.keeper in kept for drop in dropped.values()):
        raise SystemExit("a row went for one that is not there")
    pairs = pq.read_metadata(work / "run" / "checkpoints" / "similar_pairs.parquet").num_rows
    lines = [[stage, f"{run.seconds(stage):.1f}", megabytes(run.peak_bytes(stage))] for stage in _STAGES]
    title = f"A cluster of {rows:,} texts: {pairs:,} pairs at 0.9 or more, {len(kept):,} rows kept"
    print_table(title, ["stage", "seconds", "peak MB"], lines)


def _texts(rows: int) -> list[str]:
    places = ("station", "museum", "market", "harbour", "library", "theatre", "airport", "castle")
    return [
        f"Your parcel {10_000_000 + row} waits for you at the {places[row % len(places)]}; please bring a photo id."
        for row in range(rows)
    ]
