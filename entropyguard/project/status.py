"""The state of a project without running it."""

from __future__ import annotations

from dataclasses import dataclass

from entropyguard.core.embed.model import model_fingerprint, resolve_model
from entropyguard.project.layout import script_name
from entropyguard.project.linked_input import input_of_project
from entropyguard.project.pipeline import STAGE_VERSIONS, own_files, script_version
from entropyguard.project.project import Project
from entropyguard.project.validity import NEVER_BUILT, OUT_OF_DATE, StageStatus, stage_statuses

UPGRADE = "`entropyguard init --upgrade` brings it up to date"


SEMANTIC_OFF = "semantic dedup is off (semantic.enabled: false)"


@dataclass(frozen=True)
class StageLine:
    """One line of `status`: the stage's state and what its last run left."""

    status: StageStatus
    rows: int | None
    size_bytes: int | None
    finished_at: float | None


def project_status(project: Project) -> list[StageLine]:
    """Every stage of a checkpoint dir or data repo."""
    change = input_of_project(project).change(project)
    statuses = stage_statuses(project, own_files(project.root), project.params.as_dict(), change)
    needed = {} if project.is_checkpoint_dir else upgrades_needed(project)
    return [_line(project, _with_upgrade(status, needed.get(status.stage))) for status in statuses]


def upgrades_needed(project: Project) -> dict[str, str]:
    """By stage, what the installed library or model has that the project does not state; its stages refuse to run."""
    needed = {}
    for stage, version in STAGE_VERSIONS.items():
        script = project.paths.script(stage)
        if not script.is_file():
            needed[stage] = f"{script_name(stage)} is missing; {UPGRADE}"
        elif (stated := script_version(script)) != version:
            needed[stage] = f"{script_name(stage)} is version {stated}, the installed one is {version}; {UPGRADE}"
    if not project.params.semantic.enabled:
        return needed
    installed = model_fingerprint(resolve_model(project.model, allow_download=False))
    if installed != project.params.embed.model_fingerprint:
        needed["embed"] = f"the model is not the one of embed.model_fingerprint; {UPGRADE}"
    return needed


def _with_upgrade(status: StageStatus, needed: str | None) -> StageStatus:
    if needed is None:
        return status
    state = status.state if status.state == NEVER_BUILT else OUT_OF_DATE
    return StageStatus(status.stage, state, needed)


def _line(project: Project, status: StageStatus) -> StageLine:
    record = project.record(status.stage)
    if record is None:
        return StageLine(status, None, None, None)
    size = sum(output.bytes for output in record.outputs.values())
    return StageLine(status, record.rows, size if record.outputs else None, record.finished_at)
