"""What the processes of a run load: each library that is slow to load only where it is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from entropyguard.project.pipeline import STAGES
from tests.conftest import Workspace

_SLOW = {
    *("dvc", "faiss", "huggingface_hub", "jinja2", "langchain_text_splitters", "matplotlib"),
    *("networkx", "numpy", "pandas.core", "polars", "pyarrow", "pyarrow.dataset", "rapidfuzz", "rich", "safetensors"),
    *("scipy", "sentence_transformers", "sklearn", "tokenizers", "torch", "transformers"),
}
_ARROW = {"numpy", "pyarrow"}
_POLARS = {*_ARROW, "polars"}

LOADED = {
    "ingest": _POLARS,
    "exact_dedup": _ARROW,
    "near_dedup": _POLARS | {"rapidfuzz"},
    "embed": _POLARS | {"safetensors", "tokenizers"},  # with a static model
    "similar_pairs": _ARROW,
    "semantic_dedup": _POLARS | {"rapidfuzz"},
    "export": _POLARS | {"jinja2", "rapidfuzz"},
}
"""Of the slow ones, what a stage may load."""


def loaded(said: str) -> set[str]:
    """The slow libraries among the modules that a process loaded, by what `-X importtime` said of it."""
    return _SLOW & set(re.findall(r"^import time:.*\| +(\S+)$", said, re.MULTILINE))


@pytest.mark.pipeline
def test_a_process_loads_no_library_that_it_does_not_need(workspace: Workspace) -> None:
    watched = replace(workspace, environment={"PYTHONPROFILEIMPORTTIME": "1"})
    ended = watched.run(text_column="text")
    assert ended.ran == list(STAGES)
    assert loaded(ended.stderr) == set()
    assert loaded(watched.run("--resume", "--dry-run").stderr) == _ARROW  # for a look at the columns
    watched.run("--resume")  # beside a run with nothing to do there is no host
    log = (workspace.checkpoints / ".entropyguard" / "dvc.log").read_text()
    assert "didn't change, skipping" in log
    assert loaded(log) == set()  # what DVC takes was there before it was told what to do
    assert _loaded_ahead() == {"dvc", "networkx"}
    said = {stage: _by_itself(stage, watched) for stage in STAGES}
    assert {stage: loaded(said[stage]) - LOADED[stage] for stage in STAGES} == {stage: set() for stage in STAGES}


def _loaded_ahead() -> set[str]:
    code = "from entropyguard.project.dvc_changes import import_ahead; import_ahead(); import sys; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return _SLOW & set(said.split())


def _by_itself(stage: str, workspace: Workspace) -> str:
    """What Python says of a stage's imports where no host has made them before, nor earlier work is stored."""
    environment = {**workspace.env(), "ENTROPYGUARD_FRESH": "1"}
    command = [sys.executable, f"stages/{stage}.py"]
    return subprocess.run(
        command, cwd=workspace.checkpoints, env=environment, check=True, capture_output=True, text=True
    ).stderr
