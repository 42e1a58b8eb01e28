"""The stage export, with all that it writes beside the rows, and polars, which parses the kept rows and writes them.

Processor seconds of the whole process, the least of three, polars and export taking turns; and the same less what
the process takes for ten rows: starting Python, imports, the page and the plots.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
from big_files import write_big_file
from measure import Measured, measure, megabytes, print_table
from peers import TOOLS
from pipeline import STAGES, make_repo, run_stage, set_param, switch_near_off

_ROW_BYTES, _FEW, _ROUNDS = 900, 10, 3
_FORMATS = ("jsonl", "csv", "parquet")


@dataclass
class _Least:
    """The least that a process took in several rounds."""

    seconds: float = float("inf")
    peak_bytes: int = 0

    def take(self, run: Measured) -> None:
        self.seconds = min(self.seconds, run.processor_seconds)
        self.peak_bytes = max(self.peak_bytes, run.peak_bytes)


def time_export(rows: int, work: Path) -> None:
    """Print a table; JSON lines of some 900 bytes, a quarter of them copies, semantic dedup off."""
    file = write_big_file(work / "data.jsonl", rows * _ROW_BYTES)
    with file.path.open("rb") as lines:
        (work / "few.jsonl").write_bytes(b"".join(islice(lines, _FEW)))
    large, small = (_repo(work / path.stem, path) for path in (file.path, work / "few.jsonl"))
    _check_digest(large / "cleaned.jsonl", file.kept_digest)
    before, table = "jsonl", []
    kept = pl.scan_ndjson(large / "cleaned.jsonl").select("id").collect()
    for repo in (large, small):  # the rows that polars reads, whatever format is written
        (repo / "cleaned.jsonl").rename(repo / "kept.jsonl")
    for form in _FORMATS:
        for repo in (large, small):
            set_param(repo, f"  format: {before} ", f"  format: {form} ")
        before = form
        found = {(name, repo): _Least() for name in ("polars", "export") for repo in (large, small)}
        for _ in range(_ROUNDS):
            for repo in (small, large):
                out = repo / f"polars.{form}"
                polars = measure([sys.executable, TOOLS / "rewrite_lines.py", repo / "kept.jsonl", out])
                found["polars", repo].take(polars)
                found["export", repo].take(run_stage(repo, "export"))
        for out in (large / f"polars.{form}", large / f"cleaned.{form}"):
            if not _ids(out).equals(kept):
                raise SystemExit(f"{out.name} does not hold the rows that are kept; no time is worth printing")
        if form == "jsonl":
            _check_digest(large / "cleaned.jsonl", file.kept_digest)
        whole, fixed = found["polars", large].seconds, found["polars", small].seconds
        for name in ("polars", "export"):
            least, start = found[name, large], found[name, small].seconds
            table.append(
                [
                    f"{name}, {form}",
                    *(f"{least.seconds:.2f}", f"{least.seconds / whole:.2f}"),
                    *(f"{least.seconds - start:.2f}", f"{(least.seconds - start) / (whole - fixed):.2f}"),
                    megabytes(least.peak_bytes),
                ]
            )
    size = (large / "kept.jsonl").stat().st_size
    header = ["what", "processor s", "times polars", f"less {_FEW} rows", "times polars", "peak MB"]
    print_table(f"Export of {kept.height:,} of {file.rows:,} rows, {megabytes(size)} MB of JSONL", header, table)


def _repo(repo: Path, file: Path) -> Path:
    """A data repo in which every stage has run, with exact dedup alone."""
    make_repo(repo, file)
    switch_near_off(repo)
    set_param(repo, "  enabled: true ", "  enabled: false ")
    for stage in STAGES:
        run_stage(repo, stage)
    return repo


def _ids(file: Path) -> pl.DataFrame:
    scan = {".csv": pl.scan_csv, ".parquet": pl.scan_parquet}.get(file.suffix, pl.scan_ndjson)
    return scan(file).select("id").collect()


def _check_digest(file: Path, digest: str) -> None:
    from entropyguard.core.storage.files import content_digest

    if content_digest(file) != digest:
        raise SystemExit(f"{file.name} does not hold the lines of the rows kept as they came")
