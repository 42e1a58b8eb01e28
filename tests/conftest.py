"""What the tests share: a tiny model, a workspace with an input, and a way to run the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from entropyguard.cli import main
from entropyguard.project.pipeline import STAGES
from tests.made_once import MadeOnce
from tests.pool.played_cluster import PlayedCluster
from tests.static_model import write_static_model

if TYPE_CHECKING:
    from tests.data_repo import Repo

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

LONG = ("ray", "pipeline", "model")
"""The marks of tests that take seconds."""

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first, so that no worker ends with one alone; those of Ray side by side, for one cluster."""
    items.sort(key=lambda item: next((at for at, mark in enumerate(LONG) if item.get_closest_marker(mark)), len(LONG)))


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

    def copied(self, folder: Path) -> Workspace:
        """A copy of this workspace in `folder`, whose checkpoint dir reads the copy's input."""
        copy_all(self.folder, folder)
        copy = Workspace(folder, self.model)
        for link in copy.checkpoints.glob("inputs/*"):
            if link.readlink() == self.input:
                link.unlink()
                link.symlink_to(copy.input)
        return copy

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

    def answer(self, *arguments: str | Path) -> Ended:
        """What the command line says to these arguments in this process: for calls that come to no stage."""
        with (
            pytest.MonkeyPatch.context() as patched,
            same_signals(),
            chdir(self.folder),
            redirect_stdout(StringIO()) as stdout,
            redirect_stderr(StringIO()) as stderr,
        ):
            patched.setattr(sys, "argv", ["entropyguard", *map(str, arguments)])
            patched.setattr("entropyguard.cli.app.leave_pandas_out", lambda: None)  # other tests here use pandas
            with pytest.raises(SystemExit) as end:
                main()
        return Ended(int(end.value.code or 0), stdout.getvalue(), stderr.getvalue(), [])

    def run(self, *arguments: str | Path, **changes: str | Path) -> Ended:
        """Run on the workspace's input into its output and checkpoint dir; `changes` replace single flags."""
        return self.call(*self.flags(*arguments, **changes))

    def flags(self, *arguments: str | Path, **changes: str | Path) -> list[str | Path]:
        """The arguments of `run`."""
        flags: dict[str, str | Path] = {
            "input": self.input,
            "output": self.output,
            "checkpoint_dir": self.checkpoints,
            "model_name": self.model,
            **changes,
        }
        given = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", value)]
        return [*given, *arguments]

    def env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONWARNINGS": "error::UserWarning:entropyguard", **self.environment}

    def kept(self) -> list[dict[str, Any]]:
        """The rows of the output."""
        return [json.loads(line) for line in self.output.read_text(encoding="utf-8").splitlines()]


@contextmanager
def same_signals() -> Iterator[None]:
    """What happens on Ctrl-C and SIGTERM is as before when this ends."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def copy_all(source: Path, folder: Path) -> None:
    """Copy what lies in a folder. Hardlinks stay: some faults need those between checkpoints and DVC's cache."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", *map(str, source.iterdir()), str(folder)], check=True)


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


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """Only a loss of power shows whether a file was waited for: no test can, and there are many small ones."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def cluster() -> Iterator[PlayedCluster]:
    """A Ray cluster on this machine, started once: it takes a quarter of a minute."""
    with PlayedCluster() as played:
        yield played


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """What takes long to make, made once for all workers of a session."""
    folder = tmp_path_factory.getbasetemp()
    return MadeOnce(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def model(made_once: MadeOnce) -> Path:
    """The folder of the tiny static model."""
    return made_once("model", write_static_model)


@pytest.fixture(scope="session")
def built(made_once: MadeOnce, model: Path) -> Workspace:
    """A finished run on `TEXTS`: to be read, and to be copied."""

    def build(folder: Path) -> None:
        made = Workspace(folder, model)
        made.write_rows(TEXTS)
        ended = made.run()
        assert ended.code == 0, ended.stderr

    return Workspace(made_once("built", build), model)


@pytest.fixture
def workspace(tmp_path: Path, model: Path) -> Workspace:
    """A workspace whose input is `TEXTS`."""
    made = Workspace(tmp_path, model)
    made.write_rows(TEXTS)
    return made


@pytest.fixture
def finished(tmp_path: Path, built: Workspace) -> Workspace:
    """Such a workspace after its first run."""
    return built.copied(tmp_path)


@pytest.fixture
def repo(made_once: MadeOnce, model: Path, tmp_path: Path) -> Repo:
    """A data repo with `TEXTS` under DVC, after `entropyguard init`."""
    return made_repo(made_once, model).copied(tmp_path / "repo")


@pytest.fixture
def built_repo(made_once: MadeOnce, model: Path, tmp_path: Path) -> Repo:
    """Such a repo after `dvc repro`, nothing of it committed."""

    def build(folder: Path) -> None:
        made_repo(made_once, model).copied(folder).sh("dvc repro -q")

    from tests.data_repo import Repo

    return Repo(made_once("built-repo", build)).copied(tmp_path / "repo")


def made_repo(made_once: MadeOnce, model: Path) -> Repo:
    """The repo that `repo` is a copy of."""
    from tests.data_repo import Repo

    def make(folder: Path) -> None:
        Workspace(folder, model).write_rows(TEXTS)
        made = Repo(folder)
        made.sh("git init -q && dvc init -q && dvc add -q data.jsonl")
        made.sh(f"entropyguard init --input data.jsonl --text-column text --model-name {model}")

    return Repo(made_once("repo", make))
