"""Runs this checkout's entropyguard as a user would, and reads what it did."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from measure import Measured, measure

_MAX_WINDOWS = 64
_ENV = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
STAGES = ("ingest", "exact_dedup", "near_dedup", "embed", "similar_pairs", "semantic_dedup", "export")


@dataclass(frozen=True)
class Drop:
    """Why a row is not in the output. similarity: None for an exact duplicate."""

    keeper: int
    similarity: float | None


@dataclass(frozen=True)
class Run:
    """A finished run of the command line. summary: what --json wrote; dropped: by row."""

    measured: Measured
    summary: dict[str, Any]
    dropped: dict[int, Drop]

    def seconds(self, stage: str) -> float:
        """Seconds of a stage in this run; 0 where it was up to date."""
        outcome = self.summary["stages"][stage]
        return float(outcome["seconds"]) if outcome["ran"] else 0.0

    def peak_bytes(self, stage: str) -> int:
        """The stage's own peak of private memory."""
        return int(self.summary["stages"][stage]["peak_bytes"])


def run_entropyguard(rows: Path, folder: Path, *flags: str | Path, resume: bool = False) -> Run:
    """Clean `rows` (JSONL with a column `text`) with `folder` for all that it writes; the checkpoints stay there."""
    folder.mkdir(parents=True, exist_ok=True)
    summary, checkpoints = folder / "summary.json", folder / "checkpoints"
    command: list[str | Path] = [sys.executable, "-m", "entropyguard", "--input", rows, "--text-column", "text"]
    command += ["--output", folder / "cleaned.jsonl", "--checkpoint-dir", checkpoints, "--json", summary]
    command += ["--resume"] if resume else []
    measured = measure([*command, *flags])
    dropped = {row: drop for stage in ("exact", "near", "semantic") for row, drop in drops(checkpoints, stage).items()}
    return Run(measured, json.loads(summary.read_text(encoding="utf-8")), dropped)


def make_repo(repo: Path, file: Path, *flags: str | Path) -> Path:
    """A data repo, without git, whose input is `file` (JSONL); flags of `entropyguard init` may be added."""
    repo.mkdir()
    (repo / "data.jsonl").symlink_to(file)
    for command in (["dvc", "init", "--no-scm", "--quiet"], ["entropyguard", "init", "--input", "data.jsonl", *flags]):
        measure([sys.executable, "-m", *command], cwd=repo, env=_ENV)
    return repo


def set_param(repo: Path, old: str, new: str) -> None:
    """Replace a piece of the repo's params.yaml, which it must hold once."""
    file = repo / "params.yaml"
    text = file.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"params.yaml does not say {old!r} once")
    file.write_text(text.replace(old, new), encoding="utf-8")


def switch_near_off(repo: Path) -> None:
    """Let near_dedup of a data repo keep every row, where something else is measured."""
    set_param(repo, "  threshold: 0.85 ", "  threshold: 0 ")


def run_stage(repo: Path, stage: str) -> Measured:
    """Run a stage of a data repo as DVC would start it."""
    return measure([sys.executable, f"stages/{stage}.py"], cwd=repo, env=_ENV)


def kept_ids(run_folder: Path) -> list[int]:
    """The `id` of each row of the output, in its order."""
    lines = (run_folder / "cleaned.jsonl").read_text(encoding="utf-8").splitlines()
    return [int(json.loads(line)["id"]) for line in lines]


def drops(checkpoints: Path, stage: str) -> dict[int, Drop]:
    """What a stage dropped, by row: its file in `dropped`; rows that were too short are left out."""
    return {
        row["row_id"]: Drop(row["keeper_row_id"], row["similarity"])
        for row in pq.read_table(checkpoints / "dropped" / f"{stage}.parquet").to_pylist()
        if row["keeper_row_id"] is not None
    }


def encoded(texts: Sequence[str], model: Path) -> npt.NDArray[np.float32]:
    """A float32 unit vector for each text, of its first window; zeros where the model cannot read it."""
    from entropyguard.core.embed.loader import load_encoder

    encoder = load_encoder(model)
    tokens = encoder.tokenise(texts, _MAX_WINDOWS)
    text_of = np.repeat(np.arange(len(texts)), tokens.counts)
    firsts = (np.cumsum(tokens.counts) - tokens.counts)[tokens.counts > 0]
    vectors = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    for windows, piece in encoder.encode(tokens, firsts):
        vectors[text_of[windows]] = piece
    return vectors


def packaged_model() -> Path:
    """The folder of the packaged MiniLM, for the peers."""
    from entropyguard.core.embed.model import resolve_model

    return resolve_model("all-MiniLM-L6-v2", allow_download=False)
