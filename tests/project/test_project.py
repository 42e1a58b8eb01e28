"""A project read from its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from entropyguard.project.pipeline import packaged_files
from entropyguard.project.project import Project
from entropyguard.project.validity import param_changes


@pytest.mark.parametrize("made", [True, False])
def test_a_relative_model_is_a_folder_of_the_project_if_one_is_there(made: bool, tmp_path: Path) -> None:
    text = packaged_files()["params.yaml"].read_text(encoding="utf-8")
    assert "  model: all-MiniLM-L6-v2 " in text
    (tmp_path / "params.yaml").write_text(text.replace("model: all-MiniLM-L6-v2", "model: models/mine"))
    if made:
        (tmp_path / "models" / "mine").mkdir(parents=True)
    assert Project(tmp_path).model == (str(tmp_path / "models" / "mine") if made else "models/mine")


def test_a_parameter_that_a_stage_has_no_more_is_said_to_count_no_more() -> None:
    before, after = {"embed.precision": "auto", "search.floor": 0.9}, {"search.floor": 0.8}
    assert param_changes(before, after) == ["precision does not count any more", "floor 0.9 -> 0.8"]
