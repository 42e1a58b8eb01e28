"""--no-semantic: exact and near-duplicates only. No model is asked for, and switching back costs no embedding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from entropyguard.project.pipeline import STAGES
from tests.conftest import TEXTS, Workspace, stage_outputs
from tests.data_repo import Repo
from tests.report.test_report import Parsed

pytestmark = pytest.mark.pipeline

OF_VECTORS = ["embed", "similar_pairs", "semantic_dedup", "export"]
SAID_OFF = "semantic dedup is off (semantic.enabled: false)"

REFUSING = """
import sys
from importlib.machinery import ModuleSpec

class Refusing:  # who asks only whether a module is there may know
    def find_spec(self, name, path=None, target=None):
        heavy = name in {{"torch", "transformers", "sentence_transformers", "faiss", "tokenizers"}}
        return ModuleSpec(name, self) if heavy else None

    def create_module(self, spec):
        with open({asked!r}, "a") as file:
            file.write(f"{{spec.name}} by {{sys.argv}}\\n")
        raise ImportError(spec.name)

    def exec_module(self, module):
        raise AssertionError("it was refused before")

sys.meta_path.insert(0, Refusing())
"""


def without_transformers(workspace: Workspace, folder: Path) -> Path:
    """Every process of the workspace's commands is refused the heavy modules; where it is written that one asked."""
    folder.mkdir()
    asked = folder / "asked"
    (folder / "sitecustomize.py").write_text(REFUSING.format(asked=str(asked)))
    workspace.environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    return asked


def test_no_model_is_needed_and_nothing_heavy_is_imported_by_any_process(workspace: Workspace) -> None:
    asked = without_transformers(workspace, workspace.folder / "refusing")
    ended = workspace.run("--no-semantic", model_name="/nowhere/model", report=workspace.folder / "report.html")
    assert ended.code == 0, ended.stderr
    assert ended.ran == list(STAGES)
    assert not asked.exists(), asked.read_text()
    assert [row["id"] for row in workspace.kept()] == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    lines = ended.stderr.splitlines()
    assert any(line.startswith("10 rows in: 9 kept, 1 exact duplicates") for line in lines)
    assert "0 semantic duplicates" not in ended.stderr
    assert "semantic dedup was off (--no-semantic)" in lines
    refused = subprocess.run(
        [sys.executable, "-c", "import torch"], env=workspace.env(), check=False, capture_output=True
    )
    assert refused.returncode == 1
    assert asked.exists(), "the test would not have seen an import"


def test_vectors_and_pairs_are_files_without_rows_and_the_report_says_why(workspace: Workspace) -> None:
    page = workspace.folder / "report.html"
    ended = workspace.run("--no-semantic", report=page, dedup_threshold="0.5")
    assert ended.code == 0, ended.stderr
    for name in ("embeddings", "similar_pairs", "dropped/semantic"):
        assert pl.read_parquet(workspace.checkpoints / f"{name}.parquet").height == 0
    report = json.loads((workspace.checkpoints / "report.json").read_text())
    assert report["settings"]["semantic_dedup"] is False
    assert report["search"] == {"method": "off"}
    assert report["scripts"] == {"Latin": {"rows": 9, "unreadable": 0}}
    words = Parsed.of(page.read_text()).words()
    assert "Semantic dedup was off (semantic.enabled: false, --no-semantic)" in words
    assert "Latin 9 " in words
    for absent in ("Near the threshold", "unreadable", "semantic duplicates"):
        assert absent not in words.replace("0 semantic duplicates", "", 1)  # what semantic_dedup took out


def test_resuming_without_it_goes_on_and_gives_the_bytes_of_a_fresh_run(workspace: Workspace, built: Workspace) -> None:
    fresh, cleaned = stage_outputs(built.checkpoints), built.output.read_bytes()
    assert workspace.run("--no-semantic").code == 0
    ended = workspace.run("--resume")
    assert ended.ran == OF_VECTORS
    assert "semantic False -> True" in ended.stderr
    assert stage_outputs(workspace.checkpoints) == fresh
    assert workspace.output.read_bytes() == cleaned


def test_switching_it_on_and_off_embeds_and_searches_nothing_anew(finished: Workspace) -> None:
    with_semantics = stage_outputs(finished.checkpoints)
    ended = finished.run("--resume", "--no-semantic", model_name="/nowhere/model")
    assert ended.ran == OF_VECTORS
    assert len(finished.kept()) == 9
    assert finished.run("--resume", "--no-semantic", model_name="/nowhere/model").ran == []
    ended = finished.run("--resume", "--json", "-")
    assert ended.ran == OF_VECTORS
    counts = {name: stage["counts"] for name, stage in json.loads(ended.stdout)["stages"].items()}
    assert (counts["embed"]["embedded"], counts["embed"]["reused"]) == (0, 9)
    assert counts["similar_pairs"]["blocks_reused"] == counts["similar_pairs"]["blocks"] > 0
    assert stage_outputs(finished.checkpoints) == with_semantics


def test_status_verify_sweep_and_explain_say_that_it_is_off(workspace: Workspace) -> None:
    asked = without_transformers(workspace, workspace.folder / "refusing")
    workspace.run("--no-semantic")
    here = ("--checkpoint-dir", workspace.checkpoints)
    assert SAID_OFF in workspace.call("status", *here).stdout.splitlines()
    for strict in ([], ["--strict"]):
        ended = workspace.call("verify", *strict, *here)
        assert (ended.code, ended.stdout.strip().endswith(f"; {SAID_OFF}")) == (0, True), ended.stdout + ended.stderr
    ended = workspace.call("sweep", *here)
    assert ended.code == 1
    assert f"{SAID_OFF}, so there are no pairs to sweep. Run again with --resume" in ended.stderr
    assert "row 1" in workspace.call("explain", "1", *here).stdout
    assert not asked.exists(), asked.read_text()


def test_a_dry_run_needs_no_model_either(finished: Workspace) -> None:
    ended = finished.answer(*finished.flags("--dry-run", "--resume", "--no-semantic", model_name="/nowhere/model"))
    assert ended.code == 0, ended.stderr
    assert "semantic True -> False" in ended.stdout
    assert ended.stdout.count("up to date") == len(STAGES) - len(OF_VECTORS)


def test_a_data_repo_without_a_model(workspace: Workspace) -> None:
    repo = Repo(workspace.folder)
    repo.sh("git init -q && dvc init -q")
    repo.sh("entropyguard init --input data.jsonl --no-semantic")
    params = workspace.folder / "params.yaml"
    assert "  enabled: false" in params.read_text()
    repo.sh("sed -i 's#^  model: .*#  model: /nowhere/model#' params.yaml")
    assert repo.repro() == list(STAGES)
    assert SAID_OFF in repo.sh("entropyguard status")
    assert repo.repro() == []
    said = repo.sh(f"entropyguard init --model-name {workspace.model}")
    assert "set      embed.model: /nowhere/model" in said
    repo.sh("sed -i 's/  enabled: false/  enabled: true/' params.yaml")
    assert "the model is not the one of embed.model_fingerprint" in repo.sh("entropyguard status")
    repo.sh("entropyguard init --upgrade")
    assert repo.repro() == OF_VECTORS
    assert len((workspace.folder / "cleaned.jsonl").read_text().splitlines()) == 7
    assert len(TEXTS) == 10


def test_an_upgrade_adds_the_parameter(workspace: Workspace) -> None:
    repo = Repo(workspace.folder)
    repo.sh(f"git init -q && dvc init -q && entropyguard init --input data.jsonl --model-name {workspace.model}")
    params = workspace.folder / "params.yaml"
    full = params.read_text()
    params.write_text("".join(line for line in full.splitlines(keepends=True) if "  enabled:" not in line))
    assert "semantic.enabled is missing from params.yaml" in repo.sh("entropyguard status", code=2)
    repo.sh("entropyguard init --upgrade")
    assert sorted(params.read_text().split()) == sorted(full.split())
