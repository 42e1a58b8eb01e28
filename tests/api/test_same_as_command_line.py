"""`dedup` and the command line agree, row for row; and with `checkpoint_dir` they are the same build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from entropyguard import DedupResult, dedup
from entropyguard.core.report.explain import explain
from entropyguard.project.project import Project
from tests.conftest import TEXTS, Workspace, finished_stages

pytestmark = pytest.mark.pipeline

LONG = "the old doctor read a long letter about the cold river near the castle {} before lunch on a warm summer {}"
NEAR = [
    LONG.format("twice", "morning"),
    LONG.format("", "morning"),  # near-duplicate of the one before
    LONG.format("twice", "night"),  # another word
    "",  # nothing to compare
    "a seven cat",
    "the seven cats",
]
ROWS: list[Any] = [
    {"id": at, "text": text, "score": (7 * at) % 5, "source": "ab"[at % 2]} for at, text in enumerate([*TEXTS, *NEAR])
] + [{"id": 16, "text": None}, {"id": 17}, {"id": 18, "text": 3}]

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("--near-threshold 0", {"near": 0}),
    ("--no-semantic", {"semantic": False}),
    (
        "--keep longest --dedup-threshold 0.85 --cluster components",
        {"keep": "longest", "threshold": 0.85, "cluster": "components"},
    ),
    ("--no-protect --min-length 3", {"protect": [], "min_length": 3}),
    (
        "--keep column:score --source-column source --source-priority b --protect negation,names",
        {"keep": "column:score", "source_column": "source", "source_priority": ["b"], "protect": ["negation", "names"]},
    ),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Workspace:
    """A workspace for all settings: each run makes only what differs from the one before."""
    made = Workspace(tmp_path_factory.mktemp("shared"), model)
    made.input.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return made


@pytest.mark.parametrize(("flags", "arguments"), SETTINGS, ids=[flags or "defaults" for flags, _ in SETTINGS])
def test_the_same_rows_stay_and_go(flags: str, arguments: dict[str, Any], shared: Workspace) -> None:
    assert shared.run("--resume", *flags.split()).code == 0
    result = dedup(ROWS, model=shared.model, **arguments)
    assert result.kept == shared.kept()
    lineage = Project(shared.checkpoints).lineage()
    assert result.dropped.rows() == dropped_by(shared.checkpoints).rows()
    assert result.rejected["row"].to_list() == [16, 17, 18]
    assert [row["reason"] for row in lineage.rejected_rows()] == result.rejected["reason"].to_list()
    assert report_of(result) == json.loads((shared.checkpoints / "report.json").read_text())
    assert result.explain(1).row.text == explain(lineage, 1).row.text

    frame = pl.DataFrame(ROWS[:16])  # without what no column of text can hold
    assert dedup(frame, model=shared.model, **arguments).dropped.rows() == result.dropped.rows()


def dropped_by(checkpoints: Path) -> pl.DataFrame:
    columns = ["row_id", "stage", "reason", "keeper_row_id", "final_keeper_row_id", "similarity"]
    return Project(checkpoints).lineage().dropped_rows().select(columns)


def report_of(result: DedupResult[Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(result.report)))


def test_with_a_checkpoint_dir_it_is_the_same_build(tmp_path: Path, model: Path) -> None:
    folder, frame = tmp_path / "checkpoints", pd.DataFrame(ROWS[:16])
    built = dedup(frame, text="text", model=model, checkpoint_dir=folder)
    here = dedup(frame, text="text", model=model)
    pd.testing.assert_frame_equal(built.kept, here.kept)
    assert built.dropped.equals(here.dropped)
    assert report_of(built) == report_of(here)
    assert built.explain(1) == here.explain(1)
    for stage in ("semantic", "near"):
        assert built.sweep(stage).as_dict() == here.sweep(stage).as_dict()

    before = finished_stages(folder)
    again = dedup(frame, text="text", model=model, checkpoint_dir=folder, threshold=0.97)
    ran = [stage for stage, when in finished_stages(folder).items() if when != before[stage]]
    assert ran == ["semantic_dedup", "export"]
    assert again.kept_rows.tolist() == dedup(frame, text="text", model=model, threshold=0.97).kept_rows.tolist()
    assert not list((tmp_path).glob("entropyguard-*"))


def test_a_sweep_goes_below_the_stored_pairs(model: Path) -> None:
    result = dedup(TEXTS, model=model)
    at = {step.threshold: step.dropped for step in result.sweep(first=0.5, step=0.05).steps}
    assert min(at) == 0.5
    for threshold in (0.5, 0.9, 0.95):
        assert at[threshold] == dedup(TEXTS, model=model, threshold=threshold).dropped["reason"].eq("semantic").sum()
