"""What the stages that stream take for a file of any size: time, memory and disk.

    python benchmarks/out_of_core.py [--gigabytes N] [--folder DIR]

Makes JSON lines of some 900 bytes, a quarter of them copies of others but for case and spaces, in a folder that is
removed at the end; needs four times their size on its disk. ingest, exact_dedup, semantic_dedup (without pairs: the
search is `speed.py pairs`) and export run in a data repo, as DVC would start them. Before a time is printed the
rows kept are compared with those known to be the first of their text, and the cleaned file with their lines.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from big_files import BigFile, write_big_file
from measure import Measured, measure, megabytes, print_machine, print_table
from peers import TOOLS
from pipeline import make_repo, run_stage, switch_near_off

_DISK_TIMES = 4  # the file, three checkpoints, the cleaned file, and what polars writes
_STAGES = ("ingest", "exact_dedup", "near_dedup", "semantic_dedup", "export")
_WITHIN_LIMIT = ("ingest", "exact_dedup", "export")
CHECKPOINTS = (
    "ingested.parquet",
    "rejected.jsonl",
    "after_exact_dedup.parquet",
    "dropped/exact.parquet",
    "dropped/semantic.parquet",
    "after_semantic_dedup.parquet",
)
"""What is to take at most 1.5 times the input's size together."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, metavar="N", help="size of the file [1]")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work [the system's temporary folder]")
    arguments = parser.parse_args()
    size = int(arguments.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="entropyguard-out-of-core-", dir=arguments.folder) as name:
        free = shutil.disk_usage(name).free
        if free < _DISK_TIMES * size:
            raise SystemExit(f"{name} has {free / 1e9:.1f} GB free; {_DISK_TIMES * size / 1e9:.1f} are needed")
        print_machine(["polars", "pyarrow"])
        time_stages(size, Path(name))


def time_stages(size: int, work: Path) -> None:
    """Make the file, run the stages, check what they gave, print the table."""
    file = write_big_file(work / "data.jsonl", size)
    yardstick = measure([sys.executable, TOOLS / "rewrite.py", file.path, work / "parsed.parquet"])
    (work / "parsed.parquet").unlink()
    repo = make_repo(work / "repo", file.path)
    switch_near_off(repo)
    _write_no_pairs(repo)
    runs = {}
    for stage in _STAGES:
        runs[stage] = run_stage(repo, stage)
        if stage == "near_dedup":
            _write_no_vectors(repo)
    _check(repo, file)
    lines = [["polars: parse, write Parquet", *_numbers(yardstick, yardstick), ""]]
    limit = megabytes(1_500_000_000 + 40 * file.rows)
    for stage, run in runs.items():
        lines.append([stage, *_numbers(run, yardstick), limit if stage in _WITHIN_LIMIT else ""])
    both = runs["ingest"].seconds + runs["exact_dedup"].seconds
    lines.append(["ingest and exact_dedup", f"{both:.1f}", f"{both / yardstick.seconds:.2f}", "", ""])
    title = f"{file.size_bytes / 1e9:,.2f} GB of JSONL, {file.rows:,} rows, {len(file.kept):,} kept"
    print_table(title, ["stage", "seconds", "times polars", "peak MB", "limit MB"], lines)
    written = sum((repo / name).stat().st_size for name in CHECKPOINTS)
    state = runs["exact_dedup"].peak_bytes / file.rows
    print(f"Checkpoints / input: {written / file.size_bytes:.2f}. Peak of exact_dedup: {state:,.0f} bytes a row.")


def _write_no_pairs(repo: Path) -> None:
    """similar_pairs.parquet of a search that found none."""
    from entropyguard.core.pairs.similar_pairs import PAIRS
    from entropyguard.core.storage.parquet import TableWriter

    about = {"rows": 0, "unreadable": 0, "over_long": 0, "search": {"floor": 0.9, "method": "exact", "recall": 1.0}}
    with TableWriter(repo / "similar_pairs.parquet", PAIRS, about):
        pass


def _write_no_vectors(repo: Path) -> None:
    """embeddings.parquet of a model that was not asked: export reads why rows have no vector."""
    from entropyguard.core.embed.embed import embeddings_schema
    from entropyguard.core.storage.checkpoint import Checkpoint
    from entropyguard.core.storage.parquet import TableWriter

    schema = embeddings_schema(8)
    with TableWriter(repo / "embeddings.parquet", schema) as writer:
        for table in Checkpoint(repo / "after_near_dedup.parquet").tables(["row_id"]):
            rows = table.num_rows
            lines = {"row_id": table["row_id"], "window": np.zeros(rows, np.int32), "skipped": ["unreadable"] * rows}
            nothing = {name: pa.nulls(rows, schema.field(name).type) for name in ("key", "vector")}
            writer.write(pa.table(lines | nothing, schema=schema))


def _numbers(run: Measured, base: Measured) -> tuple[str, str, str]:
    return f"{run.seconds:.1f}", f"{run.seconds / base.seconds:.2f}", megabytes(run.peak_bytes)


def _check(repo: Path, file: BigFile) -> None:
    """The rows that must stay, in input order; their lines, byte for byte; every row accounted for."""
    from entropyguard.core.storage.files import content_digest

    kept = pq.read_table(repo / "after_exact_dedup.parquet", columns=["row_id"])["row_id"].to_numpy()
    if not np.array_equal(kept, file.kept):
        raise SystemExit(f"{len(kept):,} rows are kept, or others than the first of the {len(file.kept):,} texts")
    if content_digest(repo / "cleaned.jsonl") != file.kept_digest:
        raise SystemExit("cleaned.jsonl does not hold the lines of the rows kept as they came")
    rows = json.loads((repo / "report.json").read_text(encoding="utf-8"))["rows"]
    if rows["in"] != file.rows or rows["kept"] != len(kept) or rows["dropped"]["exact"] != file.rows - len(kept):
        raise SystemExit(f"the report does not add up: {rows}")


if __name__ == "__main__":
    main()
