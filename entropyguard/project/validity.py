"""Which checkpoints are valid, and why the others are not: answered with a reason, and without running anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropyguard.core.storage.files import md5_digest
from entropyguard.project.layout import DEFINITION, REPORT, SCRIPTS, script_name
from entropyguard.project.lock import LockedStage
from entropyguard.project.pipeline import Stage, load_stages, stage_params
from entropyguard.project.project import Project

UP_TO_DATE, OUT_OF_DATE, MISSING, DAMAGED, NEVER_BUILT = (
    "up to date",
    "out of date",
    "missing",
    "damaged",
    "never built",
)

DAMAGE = "content differs from what was written"


@dataclass(frozen=True)
class StageStatus:
    """A stage's state, one of the five above, and the reason; None when it is up to date.

    `behind` names the stages it waits for: it runs only if one of them writes other bytes than before.
    """

    stage: str
    state: str
    reason: str | None
    behind: tuple[str, ...] = ()


def stage_statuses(
    project: Project, definition: dict[str, Path], params: dict[str, Any], change: str | None
) -> list[StageStatus]:
    """The state of every stage, in order, if it were to run with `definition`'s files and `params`.

    `change` says what changed about the input, None if nothing. Nothing is written.
    """
    statuses: list[StageStatus] = []
    stale: dict[str, StageStatus] = {}
    for stage in load_stages(definition[DEFINITION], params):
        status = _direct_status(project, stage, params, definition)
        if stage.name == "ingest" and change and status.state in (UP_TO_DATE, OUT_OF_DATE):
            reason = "; ".join(filter(None, [status.reason, change]))
            status = StageStatus(stage.name, OUT_OF_DATE, reason)
        above = {stale[dep].stage: stale[dep] for dep in stage.deps if dep in stale}
        if status.state == UP_TO_DATE and above:
            reasons = dict.fromkeys(cause.reason or "" for cause in above.values())
            status = StageStatus(stage.name, OUT_OF_DATE, "; ".join(reasons), tuple(above))
        if status.state != UP_TO_DATE:
            stale.update(dict.fromkeys(stage.outs, status))
        statuses.append(status)
    return statuses


def _direct_status(project: Project, stage: Stage, params: dict[str, Any], definition: dict[str, Path]) -> StageStatus:
    """The state by what the stage itself depends on, whatever the stages before it do."""
    locked = project.lock.get(stage.name)
    if locked is None:
        return StageStatus(stage.name, NEVER_BUILT, "never built")
    reasons = param_changes(locked.params, stage_params(stage, params))
    script = script_name(stage.name)
    if locked.deps.get(script) != md5_digest(definition[script]):
        reasons.append(f"{script} changed")
    if locked.cmd != stage.cmd:
        reasons.append("its command changed")
    if reasons:
        return StageStatus(stage.name, OUT_OF_DATE, "; ".join(reasons))
    for out in stage.outs:
        if not (project.root / out).is_file():
            return StageStatus(stage.name, MISSING, f"{out} is missing")
        if out != REPORT and project.is_damaged(out):
            return StageStatus(stage.name, DAMAGED, f"{out}: {DAMAGE}")
    return StageStatus(stage.name, UP_TO_DATE, None)


def param_changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Each changed parameter as `name old -> new`; once where one flag sets several.

    One that the stage had in an earlier version alone is named without a value.
    """
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    lines = (
        f"{_short(name)} {_value(before.get(name))} -> {_value(after[name])}"
        if name in after
        else f"{_short(name)} does not count any more"
        for name in names
    )
    return list(dict.fromkeys(lines))


def _short(name: str) -> str:
    """A parameter by the name its flag has."""
    flags = {
        "keep.policy": "keep",
        "embed.model": "model_name",
        "near.threshold": "near_threshold",
        "semantic.enabled": "semantic",
    }
    return flags.get(name, name.rpartition(".")[2])


def _value(value: Any) -> str:
    text = str(value) or "none"
    return text if len(text) <= 60 else text[:57] + "…"


def why_it_ran(
    stage: str,
    before: LockedStage | None,
    after: LockedStage,
    repaired: str | None,
    change: str | None = None,
    *,
    forced: bool,
) -> str:
    """The reason a stage ran, from what `dvc.lock` held before and after, and what was `repaired`.

    change: what is known of a change of the input.
    """
    if repaired:
        return repaired
    if before is None:
        return "never built"
    reasons = param_changes(before.params, after.params)
    if before.cmd != after.cmd:
        reasons.append("its command changed")
    changed = [path for path, md5 in after.deps.items() if before.deps.get(path) != md5]
    if not reasons and changed:
        from_input = stage == "ingest" and not changed[0].startswith(f"{SCRIPTS}/")
        reasons.append(change or "input changed" if from_input else f"{', '.join(changed)} changed")
    return "; ".join(reasons) or ("a run without --resume builds everything" if forced else "an output was missing")
