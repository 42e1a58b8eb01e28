"""What the tests share: a tiny model, a workspace with an input, and a way to run the real command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from entropyguard.project.pipeline import STAGES
from tests.pool.played_cluster import PlayedCluster
from tests.static_model import write_static_model

settings.register_profile("untimed", deadline=None)  # on a busy machine an example takes as long as it takes
settings.load_profile("untimed")

TEXTS = [
    "the black cat sat under the old wooden table",  # 0
    "The  black cat sat under the old wooden table",  # 1: exact duplicate of 0
    "a black cat sat under the old wooden table",  # 2: semantic duplicate of 0
    "seven students walk across the long bridge every morning",  # 3
    "seven students walk across the long bridge every evening",  # 4: near 3, but below 0.95
    "the price of sugar is high this summer",  # 5
    "the river near the castle is cold in winter",  # 6
    "music and dance fill the square on a warm night",  # 7
    "music and dance fill the square on the warm night",  # 8: semantic duplicate of 7
    "the doctor read the letter twice before lunch",  # 9
]
"""Ten rows: one exact duplicate and two semantic ones at 0.95; every word is known to the test model."""

PROCESSORS = {
    "avx2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}
"""Processors to play, with what limits the kernels of torch and numpy to theirs."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--processor`: results must be as true on another processor than on this one."""
    parser.addoption("--processor", choices=[*PROCESSORS], help="play another processor than this machine's")


def pytest_configure(config: pytest.Config) -> None:
    """Play the processor that was asked for, here and in every process that the tests start."""
    if processor := config.getoption("--processor", None):
        os.environ.update(PROCESSORS[processor])


@dataclass(frozen=True)
class Ended:
    """A finished command."""

    code: int
    stdout: str
    stderr: str
    ran: list[str]
    """The stages that ran, in the order of the pipeline, counted by what they left."""


@dataclass
class Workspace:
    """A folder with an input, an output to be, and a checkpoint dir."""

    folder: Path
    model: Path
    environment: dict[str, str] = field(default_factory=dict)
    launcher: Sequence[str] = ()
    """What to start the command with."""

    @property
    def input(self) -> Path:
        return self.folder / "data.jsonl"

    @property
    def output(self) -> Path:
        return self.folder / "cleaned.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def write_rows(self, texts: Sequence[str]) -> None:
        """Write the input: one JSON object per text."""
        lines = (json.dumps({"id": at, "text": text}, ensure_ascii=False) for at, text in enumerate(texts))
        self.input.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.launcher, sys.executable, "-m", "entropyguard", *map(str, arguments)]

    def call(self, *arguments: str | Path, project: Path | None = None, stdin: bytes | None = None) -> Ended:
        """Run the command line with exactly these arguments."""
        project = project or self.checkpoints
        before = finished_stages(project)
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.env(), input=stdin, capture_output=True, check=False
        )
        after = finished_stages(project)
        ran = [stage for stage in STAGES if after.get(stage) != before.get(stage)]
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode(), ran)

    def run(self, *arguments: str | Path, **changes: str | Path) -> Ended:
        """Run on the workspace's input into its output and checkpoint dir; `changes` replace single flags."""
        flags: dict[str, str | Path] = {
            "input": self.input,
            "output": self.output,
            "checkpoint_dir": self.checkpoints,
            "model_name": self.model,
            **changes,
        }
        given = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", value)]
        return self.call(*given, *arguments)

    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONWARNINGS": "error::UserWarning:entropyguard", **self.environment}

    def kept(self) -> list[dict[str, Any]]:
        """The rows of the output."""
        return [json.loads(line) for line in self.output.read_text(encoding="utf-8").splitlines()]


def finished_stages(project: Path) -> dict[str, float]:
    """When each stage that left a record in `project` finished."""
    records = {stage: project / ".entropyguard" / f"{stage}.json" for stage in STAGES}
    return {stage: json.loads(path.read_text())["finished_at"] for stage, path in records.items() if path.exists()}


def stage_outputs(project: Path) -> dict[str, bytes]:
    """The bytes of every stage's output in a project."""
    names = [
        "ingested.parquet",
        "rejected.jsonl",
        "after_exact_dedup.parquet",
        "dropped/exact.parquet",
        "after_near_dedup.parquet",
        "dropped/near.parquet",
        "near_pairs.parquet",
        "embeddings.parquet",
        "similar_pairs.parquet",
        "after_semantic_dedup.parquet",
        "dropped/semantic.parquet",
        "report.json",
        "report.html",
        "plots/rows.svg",
        "plots/similarity.svg",
    ]
    cleaned = sorted(path.name for path in project.glob("cleaned.*"))
    return {name: (project / name).read_bytes() for name in [*names, *cleaned]}


@pytest.fixture(scope="session")
def cluster() -> Iterator[PlayedCluster]:
    """A Ray cluster on this machine, started once: it takes a quarter of a minute."""
    with PlayedCluster() as played:
        yield played


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny static model."""
    return write_static_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def workspace(tmp_path: Path, model: Path) -> Workspace:
    """A workspace whose input is `TEXTS`."""
    made = Workspace(tmp_path, model)
    made.write_rows(TEXTS)
    return made
