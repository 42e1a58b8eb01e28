"""`entropyguard init` in a git + DVC repo: from then on DVC and git alone do the work."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from entropyguard.core.params import Params
from entropyguard.project.pipeline import STAGES
from tests.conftest import Workspace
from tests.data_repo import Repo
from tests.static_model import write_static_model

pytestmark = pytest.mark.pipeline


def test_plain_dvc_works_after_init(repo: Repo) -> None:
    assert repo.repro() == list(STAGES)
    assert repo.repro() == []
    repo.sh("dvc status -q")
    assert "semantic_dedup" in repo.sh("dvc dag")
    metrics = json.loads(repo.sh("dvc metrics show --json"))[""]["data"]["report.json"]["data"]
    assert metrics["rows"] == {
        "in": 10,
        "rejected": 0,
        "dropped": {"min_length": 0, "exact": 1, "near": 0, "semantic": 2},
        "kept": 7,
        "nothing_to_compare": 0,
    }


def test_git_picks_up_no_data_cache_or_store(built_repo: Repo) -> None:
    built_repo.sh("git add -A")
    staged = set(built_repo.sh("git diff --cached --name-only").split())
    scripts = {f"stages/{stage}.py" for stage in STAGES}
    expected = {"dvc.yaml", "dvc.lock", "params.yaml", "report.json", "data.jsonl.dvc", ".gitignore", ".dvcignore"}
    assert staged == expected | scripts | {".dvc/.gitignore", ".dvc/config"}


def test_a_fresh_clone_pulls_results_and_has_nothing_to_do(
    built_repo: Repo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    remote, clone = tmp_path_factory.mktemp("remote"), tmp_path_factory.mktemp("clone") / "repo"
    built_repo.sh(f"dvc remote add -d store {remote} && git add -A && git commit -qm all && dvc push -q")
    built_repo.sh(f"git clone -q {built_repo.folder} {clone}")
    cloned = Repo(clone)
    cloned.sh("dvc pull -q && dvc status -q")
    assert cloned.repro() == []
    assert (clone / "cleaned.jsonl").read_bytes() == (built_repo.folder / "cleaned.jsonl").read_bytes()
    cloned.sh("sed -i 's/dedup_threshold: 0.95/dedup_threshold: 0.92/' params.yaml")
    assert cloned.repro() == ["semantic_dedup", "export"]


def test_an_experiment_with_another_threshold_runs_two_stages(built_repo: Repo) -> None:
    built_repo.sh("git add -A && git commit -qm all")
    assert built_repo.repro("dvc exp run -q -S semantic.dedup_threshold=0.92") == ["semantic_dedup", "export"]
    assert "0.92" in built_repo.sh("dvc params diff")


def test_a_threshold_below_the_floor_names_the_cure(built_repo: Repo) -> None:
    built_repo.sh("sed -i 's/dedup_threshold: 0.95/dedup_threshold: 0.8/' params.yaml")
    assert "Set search.floor in params.yaml to at most 0.8;" in built_repo.sh("dvc repro", code=255)
    built_repo.sh("sed -i 's/floor: 0.9 /floor: 0.8 /' params.yaml")
    assert built_repo.repro() == ["similar_pairs", "semantic_dedup", "export"]


def test_edited_files_are_kept_unless_an_upgrade_is_asked_for(repo: Repo) -> None:
    script = repo.folder / "stages" / "export.py"
    original = script.read_text()
    script.write_text(original + "# mine\n")
    params = (repo.folder / "params.yaml").read_text()
    said = repo.sh("entropyguard init", code=1)
    assert "kept     stages/export.py: it was edited; `entropyguard init --upgrade` would replace it" in said
    assert script.read_text() == original + "# mine\n"
    assert (repo.folder / "params.yaml").read_text() == params
    repo.sh("entropyguard init --upgrade")
    assert script.read_text() == original


def test_a_second_init_sets_what_is_named_and_says_so(repo: Repo) -> None:
    before = (repo.folder / "params.yaml").read_text()
    (repo.folder / "my #1.jsonl").write_text('{"text": "a"}\n')
    said = repo.sh("entropyguard init --input 'my #1.jsonl'")
    assert "set      input: data.jsonl -> my #1.jsonl in params.yaml" in said
    after = (repo.folder / "params.yaml").read_text()
    assert after == before.replace("input: data.jsonl", 'input: "my #1.jsonl"')
    assert "unchanged: every file is here already" in repo.sh("entropyguard init --input 'my #1.jsonl'")


def test_another_output_format_leaves_no_stale_file_but_one_that_was_edited(built_repo: Repo) -> None:
    params = built_repo.folder / "params.yaml"
    params.write_text(params.read_text().replace("format: jsonl", "format: csv"))
    built_repo.repro()
    assert [path.name for path in built_repo.folder.glob("cleaned.*")] == ["cleaned.csv"]
    edited = built_repo.folder / "cleaned.csv"
    edited.unlink()
    edited.write_text("mine")
    params.write_text(params.read_text().replace("format: csv", "format: parquet"))
    assert "cleaned.csv was edited and stays" in built_repo.sh("dvc repro")
    assert edited.read_text() == "mine"


def test_a_pipeline_of_the_users_own_is_left_alone(workspace: Workspace) -> None:
    repo = Repo(workspace.folder)
    repo.sh("git init -q && dvc init -q")
    own = "stages:\n  train:\n    cmd: echo train\n"
    (workspace.folder / "dvc.yaml").write_text(own)
    said = repo.sh("entropyguard init", code=2)
    assert "dvc.yaml is a pipeline of your own; nothing was written. Run `entropyguard init` in a subfolder" in said
    assert (workspace.folder / "dvc.yaml").read_text() == own
    assert not (workspace.folder / "stages").exists()


def test_init_outside_a_dvc_repo_says_what_to_do(workspace: Workspace) -> None:
    said = Repo(workspace.folder).sh("entropyguard init", code=2)
    assert "is no DVC repo. Run `git init && dvc init` first, then `entropyguard init`." in said
    assert not (workspace.folder / "dvc.yaml").exists()


def test_an_upgraded_library_refuses_old_scripts_and_names_the_cure(built_repo: Repo) -> None:
    script = built_repo.folder / "stages" / "exact_dedup.py"
    script.write_text(re.sub(r"STAGE_VERSION = \d+", "STAGE_VERSION = 0", script.read_text()))
    assert "entropyguard init --upgrade" in built_repo.sh("dvc repro", code=255)
    status = built_repo.sh("entropyguard status")
    assert "stages/exact_dedup.py is version 0" in status
    built_repo.sh("entropyguard init --upgrade")
    assert built_repo.repro() == []


def test_an_upgrade_adds_new_parameters_and_keeps_every_line(built_repo: Repo) -> None:
    params = built_repo.folder / "params.yaml"
    full = params.read_text().replace("dedup_threshold: 0.95", "dedup_threshold: 0.93  # mine")
    older = re.sub(r"\nchunks:\n(  .*\n)+", "", full)
    older = re.sub(r"  cluster: .*\n", "", older)
    params.write_text(older)
    assert "chunks is missing from params.yaml. `entropyguard init --upgrade` adds it" in built_repo.sh(
        "entropyguard status", code=2
    )
    built_repo.sh("entropyguard init --upgrade")
    assert set(older.splitlines()) <= set(params.read_text().splitlines())
    assert sorted(params.read_text().split()) == sorted(full.split())
    built_repo.repro()


def test_an_upgrade_adds_a_stage_that_an_older_pipeline_has_not(repo: Repo) -> None:
    names = ("dvc.yaml", "params.yaml", "stages/near_dedup.py", ".gitignore")
    now = {name: (repo.folder / name).read_text() for name in names}
    (repo.folder / "stages/near_dedup.py").unlink()
    older = re.sub(r"\n  near_dedup:\n(    .*\n)+", "", now["dvc.yaml"])
    older = older.replace("after_near", "after_exact").replace("      - dropped/near.parquet\n", "")
    older = re.sub(r"      - near(_pairs\.parquet)?\n", "", older)
    (repo.folder / "dvc.yaml").write_text(older)
    (repo.folder / "params.yaml").write_text(re.sub(r"\nnear:\n(  .*\n)+", "", now["params.yaml"]))
    (repo.folder / ".gitignore").write_text(re.sub(r"/.*near.*\n", "", now[".gitignore"]))
    assert "near is missing from params.yaml. `entropyguard init --upgrade` adds it" in repo.sh(
        "entropyguard status", code=2
    )
    repo.sh("entropyguard init --upgrade")
    for name in ("dvc.yaml", "stages/near_dedup.py"):
        assert (repo.folder / name).read_text() == now[name]
    for name in ("params.yaml", ".gitignore"):
        assert sorted((repo.folder / name).read_text().split()) == sorted(now[name].split())
    assert repo.repro() == list(STAGES)


def test_an_upgrade_takes_out_what_is_no_parameter_any_more(repo: Repo) -> None:
    params = repo.folder / "params.yaml"
    now = params.read_text()
    old = "semantic:\n  screening: auto  # rows that no other is near\n                   # are left out\n"
    older = now.replace("  max_windows:", "  precision: bfloat16  # fast here\n  max_windows:")
    params.write_text(older.replace("semantic:\n", old))
    assert "embed.precision is no parameter any more. `entropyguard init --upgrade` takes it out" in repo.sh(
        "entropyguard status", code=2
    )
    repo.sh("entropyguard init --upgrade")
    assert params.read_text() == now


@pytest.mark.parametrize("near", [True, False], ids=["with near_dedup", "from before near_dedup"])
def test_an_upgrade_loses_no_protection_of_numbers(repo: Repo, near: bool) -> None:
    params = repo.folder / "params.yaml"
    now = params.read_text()
    old = re.sub(r"  protect: .*\n", "  protect_numbers: true      # mine\n", now)
    old = old if near else re.sub(r"\nnear:\n(  .*\n)+", "", old)
    params.write_text(old)
    missing = "semantic.protect_numbers is no parameter any more" if near else "near is missing from params.yaml"
    assert missing in repo.sh("entropyguard status", code=2)
    repo.sh("entropyguard init --upgrade")
    upgraded = Params.load(params)
    assert upgraded.semantic.protect == ("numbers", "negation", "names", "frame")
    assert upgraded.near.protect_numbers is not near  # a value that stands there stays; before, it stood for both


def test_another_model_under_the_same_name_is_refused_and_names_the_cure(repo: Repo, tmp_path: Path) -> None:
    own = write_static_model(tmp_path / "own-model")
    params = repo.folder / "params.yaml"
    repo.sh(f"sed -i 's#^  model: .*#  model: \"{own}\"#' params.yaml")
    repo.sh("entropyguard init --upgrade")
    repo.repro()
    write_static_model(own, words=["entropy"])
    assert "embed.model_fingerprint" in repo.sh("entropyguard status")
    params.write_text(
        params.read_text().replace("unicode: NFC", "unicode: NFKC").replace("min_length: 0", "min_length: 42")
    )
    assert "entropyguard init --upgrade" in repo.sh("dvc repro", code=255)
    repo.sh("entropyguard init --upgrade")
    assert repo.repro() == ["embed", "similar_pairs", "semantic_dedup", "export"]
