"""What a run costs that has little or nothing to do.

    python benchmarks/small_runs.py [--gigabytes N] [--folder DIR]

A `--resume` with nothing to do at 100 rows and for a file of N GB (few rows with large payloads, so that the first
run takes minutes, not hours), and first runs over 30 and 1,000 short rows with MiniLM. Each is the best of three, from
the command to its end, after a check of what was kept.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from big_files import write_big_file
from corpora import distinct, docstrings, write_rows, write_static_model
from measure import Measured, megabytes, print_machine, print_table
from pipeline import kept_ids, packaged_model, run_entropyguard

_PAYLOAD_BYTES = 200_000
_TRIES = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, metavar="N", help="size of the large file [1]")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to work [the system's temporary folder]")
    arguments = parser.parse_args()
    print_machine(["dvc", "torch"])
    with tempfile.TemporaryDirectory(prefix="entropyguard-small-", dir=arguments.folder) as name:
        work = Path(name)
        lines = [time_nothing_to_do(work / "few", 100)]
        lines += [time_cold(work / f"cold {rows}", rows) for rows in (30, 1_000)]
        lines.append(time_large(work / "large", int(arguments.gigabytes * 1e9)))
    print_table("Small runs, best of three", ["run", "seconds", "peak MB"], lines)


def time_nothing_to_do(work: Path, rows: int) -> list[str]:
    """`--resume` after a finished run."""
    file = _short_rows(work, rows)
    model = write_static_model(work / "model")
    run_entropyguard(file, work / "run", "--model-name", model)
    return _line(f"nothing to do, {rows:,} rows", [_again(file, work, model) for _ in range(_TRIES)])


def time_cold(work: Path, rows: int) -> list[str]:
    """A first run over short rows, with MiniLM."""
    file = _short_rows(work, rows)
    runs = []
    for attempt in range(_TRIES):
        run = run_entropyguard(file, work / f"run {attempt}", "--model-name", packaged_model())
        _check_rows(run.summary, rows, len(kept_ids(work / f"run {attempt}")))
        runs.append(run.measured)
    return _line(f"first run, {rows:,} short rows", runs)


def time_large(work: Path, size: int) -> list[str]:
    """`--resume` after a finished run over a large file."""
    work.mkdir()
    file = write_big_file(work / "data.jsonl", size, _PAYLOAD_BYTES)
    model = write_static_model(work / "model")
    run_entropyguard(file.path, work / "run", "--model-name", model)
    title = f"nothing to do, {file.size_bytes / 1e9:.1f} GB in {file.rows:,} rows"
    return _line(title, [_again(file.path, work, model) for _ in range(_TRIES)])


def _short_rows(work: Path, rows: int) -> Path:
    work.mkdir()
    first_lines = distinct(text.partition("\n")[0] for text in docstrings(10 * rows))
    return write_rows(work / "rows.jsonl", first_lines[:rows])


def _again(file: Path, work: Path, model: Path) -> Measured:
    run = run_entropyguard(file, work / "run", "--model-name", model, resume=True)
    ran = [name for name, stage in run.summary["stages"].items() if stage["ran"]]
    if ran:
        raise SystemExit(f"{', '.join(ran)} ran though nothing had changed; no time is worth printing")
    return run.measured


def _check_rows(summary: dict[str, object], rows: int, kept: int) -> None:
    told = json.loads(json.dumps(summary))["rows"]
    if told["in"] != rows or told["kept"] != kept:
        raise SystemExit(f"the summary says {told}, the output has {kept} rows; no time is worth printing")


def _line(title: str, runs: list[Measured]) -> list[str]:
    best = min(runs, key=lambda run: run.seconds)
    return [title, f"{best.seconds:.2f}", megabytes(best.peak_bytes)]


if __name__ == "__main__":
    main()
