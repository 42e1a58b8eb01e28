"""Exact dedup: the stages ingest and exact_dedup in a data repo, and the same job in duckdb and polars."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from corpora import made_texts
from measure import Measured, measure, megabytes, print_table
from peers import TOOLS, Peer

_REPEATED = 0.25
_ENV = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}


def time_exact(texts: Sequence[str] | None, rows: int, peers: dict[str, Peer], work: Path) -> None:
    """Print a table; a quarter of made rows repeats another, but for case and spaces."""
    file = _write(work / "data.jsonl", texts or _texts(rows))
    size = file.stat().st_size
    run, stages = _stages(work / "repo", file)
    kept = pq.read_table(work / "repo" / "after_exact_dedup.parquet", columns=["row_id"])["row_id"].to_pylist()
    seconds = sum(stages.values())
    each = ", ".join(f"{name} {taken:.1f} s" for name, taken in stages.items())
    lines = [["entropyguard, the two stages", f"{seconds:.1f}", "1.0", f"{len(kept):,}", megabytes(run.peak_bytes)]]
    lines += [["the same, all of `dvc repro exact_dedup`", *_numbers(run.seconds, seconds), f"{len(kept):,}", ""]]
    polars = Peer("polars", Path(sys.executable), "")
    for name, peer in {"polars": polars, **{name: peers[name] for name in ("duckdb",) if name in peers}}.items():
        out = work / f"{name}.parquet"
        measured = measure([peer.python, TOOLS / "exact.py", name, file, out])
        if pq.read_table(out, columns=["row"])["row"].to_pylist() != kept:
            raise SystemExit(f"{name} keeps other rows than entropyguard; no time is worth printing")
        lines.append([name, *_numbers(measured.seconds, seconds), f"{len(kept):,}", megabytes(measured.peak_bytes)])
    title = f"Exact dedup of {size / 1e6:,.0f} MB of JSONL ({each})"
    print_table(title, ["tool", "seconds", "times ours", "rows kept", "peak MB"], lines)


def _numbers(seconds: float, base: float) -> tuple[str, str]:
    return f"{seconds:.1f}", f"{seconds / base:.1f}"


def _texts(rows: int) -> list[str]:
    """Texts of some 700 characters, of eight made ones each."""
    rng = random.Random(0)
    lines = made_texts(8 * rows, copies=0, near=0)
    texts = [". ".join(lines[at : at + 8]) for at in range(0, len(lines), 8)]
    for at in rng.sample(range(1, rows), int(_REPEATED * rows)):
        texts[at] = rng.choice([str.upper, str.title, lambda text: f" {text} "])(texts[rng.randrange(at)])
    return texts


def _write(path: Path, texts: Sequence[str]) -> Path:
    rows = (json.dumps({"id": at, "text": text, "source": f"part {at % 7}"}) for at, text in enumerate(texts))
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def _stages(repo: Path, file: Path) -> tuple[Measured, dict[str, float]]:
    """What `dvc repro exact_dedup` takes in a data repo, and its stages' own seconds."""
    repo.mkdir()
    (repo / "data.jsonl").symlink_to(file)
    dvc, entropyguard = [sys.executable, "-m", "dvc"], [sys.executable, "-m", "entropyguard"]
    measure([*dvc, "init", "--no-scm", "--quiet"], cwd=repo, env=_ENV)
    measure([*entropyguard, "init", "--input", "data.jsonl", "--text-column", "text"], cwd=repo, env=_ENV)
    run = measure([*dvc, "repro", "exact_dedup"], cwd=repo, env=_ENV)
    records = {
        name: json.loads((repo / ".entropyguard" / f"{name}.json").read_text()) for name in ("ingest", "exact_dedup")
    }
    return run, {name: record["seconds"] for name, record in records.items()}
