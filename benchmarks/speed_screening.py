"""Screening: time with it and without, and whether the same rows are removed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from corpora import docstrings, write_rows
from measure import megabytes, print_table
from pipeline import Run, packaged_model, run_entropyguard


def time_screening(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print a table of two runs of the command line: `semantic.screening` auto, as it comes, and off."""
    file = write_rows(work / "rows.jsonl", texts or docstrings(rows))
    runs = {setting: _run(file, work / setting, setting) for setting in ("off", "auto")}
    pairs, dropped = _pairs(work / "off"), set(runs["off"].dropped)
    lines = []
    for setting, run in runs.items():
        told = run.summary["screening"]
        found = len(_pairs(work / setting) & pairs) / max(1, len(pairs))
        seconds = run.seconds("embed") + run.seconds("similar_pairs")
        base = runs["off"].seconds("embed") + runs["off"].seconds("similar_pairs")
        lines.append(
            [
                setting,
                f"{told.get('rows_left_out', 0):,}" if told["applied"] else told["reason"],
                f"{seconds:.1f}",
                f"{seconds / base:.2f}",
                f"{found:.4f}",
                "unknown" if told.get("estimated_recall", 1) is None else f"{told.get('estimated_recall', 1):.4f}",
                f"{len(set(run.dropped) - dropped)} / {len(dropped - set(run.dropped))}",
                megabytes(run.peak_bytes("embed")),
            ]
        )
    header = ["screening", "rows not embedded", "embed and search s", "times off", "pairs found", "as estimated"]
    header += ["rows dropped more / less", "peak MB of embed"]
    print_table(f"Screening of {runs['off'].summary['rows']['in']:,} rows", header, lines)


def _run(file: Path, folder: Path, setting: str) -> Run:
    flags = ("--model-name", packaged_model(), "--screening", setting)
    return run_entropyguard(file, folder, *flags, audit=True)


def _pairs(folder: Path) -> set[tuple[int, int]]:
    table = pq.read_table(folder / "checkpoints" / "similar_pairs.parquet", columns=["row_a", "row_b"])
    return set(zip(table["row_a"].to_pylist(), table["row_b"].to_pylist(), strict=True))
