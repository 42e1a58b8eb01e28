"""The README's table "what reruns", row by row, on real DVC: the stages that ran are counted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project
from entropyguard.project.repro import dvc_environment
from tests.conftest import TEXTS, Ended, Workspace, finished_stages
from tests.made_once import MadeOnce
from tests.static_model import write_static_model

pytestmark = pytest.mark.pipeline

NEAR_DUPLICATE = json.dumps({"id": 10, "text": f"{TEXTS[9]} today"})
README = Path(__file__).parents[2] / "README.md"


def readme_table() -> dict[str, list[str]]:
    """The table as {what is changed: stages that run}."""
    section = README.read_text(encoding="utf-8").partition("## What reruns")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", section, re.MULTILINE)[1:]
    return {change: [] if stages == "none" else stages.split(", ") for change, stages in rows}


def other_output(workspace: Workspace) -> Ended:
    return workspace.run("--resume", output=workspace.folder / "elsewhere.jsonl")


def touched_input(workspace: Workspace) -> Ended:
    os.utime(workspace.input, (1, 1))
    return workspace.run("--resume")


def moved_input(workspace: Workspace) -> Ended:
    moved = workspace.input.rename(workspace.folder / "moved.jsonl")
    return workspace.run("--resume", input=moved)


def append(line: str) -> Callable[[Workspace], Ended]:
    def change(workspace: Workspace) -> Ended:
        with workspace.input.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        return workspace.run("--resume")

    return change


def other_value(workspace: Workspace) -> Ended:
    workspace.input.write_text(workspace.input.read_text().replace('"id": 6', '"id": 60'), encoding="utf-8")
    return workspace.run("--resume")


def other_near_threshold(workspace: Workspace) -> Ended:
    append(NEAR_DUPLICATE)(workspace)
    return workspace.run("--resume", near_threshold="0.99")


def model_with_other_vectors(folder: Path) -> Path:
    """The test model with every word's vector moved to the next word."""
    write_static_model(folder)
    weights = folder / "model.safetensors"
    save_file({"embeddings": np.roll(load_file(weights)["embeddings"], 1, axis=0)}, weights)
    return folder


def other_model(workspace: Workspace) -> Ended:
    return workspace.run("--resume", model_name=model_with_other_vectors(workspace.folder / "model"))


def other_weights(workspace: Workspace) -> Ended:
    model = workspace.folder / "model"
    shutil.copytree(workspace.model, model)
    workspace.run("--resume", model_name=model)
    model_with_other_vectors(model)
    return workspace.run("--resume", model_name=model)


def other_normalisation(workspace: Workspace) -> Ended:
    params = workspace.checkpoints / "params.yaml"
    params.write_text(params.read_text().replace("unicode: NFC", "unicode: NFKC"))
    return plain_repro(workspace)


def upgraded_script(workspace: Workspace) -> Ended:
    script = workspace.checkpoints / "stages" / "exact_dedup.py"
    script.write_text(script.read_text() + "\n# a newer release\n")
    return plain_repro(workspace)


def plain_repro(workspace: Workspace) -> Ended:
    before = finished_stages(workspace.checkpoints)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"],
        cwd=workspace.checkpoints,
        env=dvc_environment(Project(workspace.checkpoints)),
        capture_output=True,
        text=True,
        check=False,
    )
    after = finished_stages(workspace.checkpoints)
    return Ended(done.returncode, done.stdout, done.stderr, [name for name in after if after[name] != before[name]])


CHANGES: dict[str, Callable[[Workspace], Ended]] = {
    "nothing": lambda workspace: workspace.run("--resume"),
    "the `--output` path": other_output,
    "`--threads`, `--workers`, `--ray`, `--max-memory`, `--quiet`": lambda workspace: workspace.run(
        "--resume", "--quiet", threads="1", workers="1", max_memory="1GB"
    ),
    "the input's modification time": touched_input,
    "the input's path, same bytes": moved_input,
    "the input: a blank line more": append(""),
    "the input: a value beside the text": other_value,
    "the input: an exact duplicate appended": append('{"id": 10, "text": "' + TEXTS[5].upper() + '"}'),
    "the input: a near-duplicate appended": append(NEAR_DUPLICATE),
    "the input: a new row appended": append('{"id": 10, "text": "the farm has a yellow gate"}'),
    "`--near-threshold`, and the same rows stay": lambda workspace: workspace.run("--resume", near_threshold="0.99"),
    "`--near-threshold`, and other rows stay": other_near_threshold,
    "`--dedup-threshold`, at or above the floor of 0.90": lambda workspace: workspace.run(
        "--resume", dedup_threshold="0.90"
    ),
    "`--dedup-threshold`, below the floor": lambda workspace: workspace.run("--resume", dedup_threshold="0.8"),
    "`--protect`, `--no-protect`": lambda workspace: workspace.run("--resume", "--no-protect"),
    "`--keep`, and the same rows stay after near dedup": lambda workspace: workspace.run(
        "--resume", keep="column:same"
    ),
    "`--keep`, and other texts stay after exact dedup": lambda workspace: workspace.run("--resume", keep="longest"),
    "`--min-length`, and no row is shorter": lambda workspace: workspace.run("--resume", min_length="5"),
    "`--min-length`, and some rows are shorter": lambda workspace: workspace.run("--resume", min_length="40"),
    "normalisation (`exact.unicode`), and the same rows stay": other_normalisation,
    "`--model-name`": other_model,
    "the model's weights": other_weights,
    "`--no-semantic`, given or left out": lambda workspace: workspace.run("--resume", "--no-semantic"),
    "`--mark`": lambda workspace: workspace.run("--resume", "--mark"),
    "the output's format": lambda workspace: workspace.run("--resume", output=workspace.folder / "cleaned.parquet"),
    "a stage of entropyguard, by an upgrade that changes nothing in its output": upgraded_script,
}


def test_every_row_of_the_table_is_tested() -> None:
    assert list(readme_table()) == list(CHANGES)


@pytest.fixture
def finished(made_once: MadeOnce, model: Path, tmp_path: Path) -> Workspace:
    """A workspace after its first run, whose rows have a further column."""

    def build(folder: Path) -> None:
        made = Workspace(folder, model)
        rows = [f'{{"id": {at}, "same": 1, "text": "{text}"}}\n' for at, text in enumerate(TEXTS)]
        made.input.write_text("".join(rows), encoding="utf-8")
        ended = made.run()
        assert (ended.code, len(ended.ran)) == (0, len(STAGES)), ended.stderr

    return Workspace(made_once("reruns", build), model).copied(tmp_path)


@pytest.mark.parametrize("change", CHANGES)
def test_what_reruns(change: str, finished: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = CHANGES[change](finished)
    assert ended.code == 0, ended.stderr
    assert ended.ran == readme_table()[change]
    from dvc.repo import Repo

    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(Project(finished.checkpoints).paths.site_cache))
    with Repo(finished.checkpoints) as repo:
        assert repo.status() == {}, "dvc status is not clean after a finished run"
