"""The state of a project without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropyguard.core.checkpoint.validity import files_of
from entropyguard.core.embed.model import model_fingerprint, resolve_model
from entropyguard.core.errors import UsageError
from entropyguard.core.params import Params
from entropyguard.project.checkpoint_dir import is_checkpoint_dir
from entropyguard.project.pipeline import STAGE_VERSIONS, own_files, script_version
from entropyguard.project.records import first_rows, read_sidecar
from entropyguard.project.validity import NEVER_BUILT, OUT_OF_DATE, StageStatus, input_change, stage_statuses

UPGRADE = "`entropyguard init --upgrade` brings it up to date"


@dataclass(frozen=True)
class StageLine:
    """One line of `status`: the stage's state and what its last run left."""

    status: StageStatus
    rows: int | None
    size_bytes: int | None
    finished_at: float | None


def project_status(project: Path) -> list[StageLine]:
    """Every stage of a checkpoint dir or data repo; UsageError when `project` is neither."""
    if not (project / "dvc.yaml").is_file() or not (project / "params.yaml").is_file():
        raise UsageError(
            f"{project} holds no entropyguard pipeline. Name a --checkpoint-dir, or run `entropyguard init`."
        )
    params = Params.load(project / "params.yaml")
    change = input_change(project, params.input, files_of(project / params.input))
    statuses = stage_statuses(project, own_files(project), params.as_dict(), change)
    needed = {} if is_checkpoint_dir(project) else upgrades_needed(project, params)
    return [_line(project, _with_upgrade(status, needed.get(status.stage))) for status in statuses]


def upgrades_needed(project: Path, params: Params) -> dict[str, str]:
    """By stage, what the installed library or model has that the project does not state; its stages refuse to run."""
    needed = {}
    for stage, version in STAGE_VERSIONS.items():
        script = project / "stages" / f"{stage}.py"
        stated = script_version(script) if script.is_file() else None
        if stated != version:
            needed[stage] = f"stages/{stage}.py is version {stated}, the installed one is {version}; {UPGRADE}"
    installed = model_fingerprint(resolve_model(params.embed.model, allow_download=False))
    if installed != params.embed.model_fingerprint:
        needed["embed"] = f"the model is not the one of embed.model_fingerprint; {UPGRADE}"
    return needed


def _with_upgrade(status: StageStatus, needed: str | None) -> StageStatus:
    if needed is None:
        return status
    state = status.state if status.state == NEVER_BUILT else OUT_OF_DATE
    return StageStatus(status.stage, state, needed)


def _line(project: Path, status: StageStatus) -> StageLine:
    sidecar: dict[str, Any] = read_sidecar(project, status.stage) or {"outputs": {}}
    outputs = sidecar["outputs"].values()
    size = sum(output["bytes"] for output in outputs) if outputs else None
    return StageLine(status, first_rows(sidecar), size, sidecar.get("finished_at"))
