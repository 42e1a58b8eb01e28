"""A project read from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.project.pipeline import packaged_files
from entropyguard.project.project import Project


@pytest.mark.parametrize("made", [True, False])
def test_a_relative_model_is_a_folder_of_the_project_if_one_is_there(made: bool, tmp_path: Path) -> None:
    text = packaged_files()["params.yaml"].read_text(encoding="utf-8")
    assert "  model: all-MiniLM-L6-v2 " in text
    (tmp_path / "params.yaml").write_text(text.replace("model: all-MiniLM-L6-v2", "model: models/mine"))
    if made:
        (tmp_path / "models" / "mine").mkdir(parents=True)
    assert Project(tmp_path).model == (str(tmp_path / "models" / "mine") if made else "models/mine")
