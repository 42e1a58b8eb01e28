"""Whether a project's lock, definition, parameters, scripts and the data that are here say the same."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from entropyguard.core.checkpoint.validity import files_hash, files_of
from entropyguard.core.rows.source import OBJECTS
from entropyguard.core.storage.files import md5_digest
from entropyguard.core.yaml_text import load_yaml
from entropyguard.project.layout import DEFINITION, LOCK, PARAMS, REPORT, script_name
from entropyguard.project.linked_input import input_of_project
from entropyguard.project.lock import LockedStage
from entropyguard.project.pipeline import STAGES, Stage, stage_params
from entropyguard.project.project import Project
from entropyguard.project.status import UPGRADE, upgrades_needed
from entropyguard.project.validity import param_changes


def disagreements(project: Project) -> dict[str, list[str]]:
    """By stage, everything that does not agree with `dvc.lock`; nothing where all does."""
    upgrades = upgrades_needed(project)
    if project.is_checkpoint_dir:
        upgrades = {stage: why.replace(UPGRADE, "a run with --resume renews it") for stage, why in upgrades.items()}
    found = {}
    for name in STAGES:
        stage, locked = project.stages.get(name), project.lock.get(name)
        if stage is None or locked is None:
            reasons = [f"it is not in {DEFINITION if stage is None else LOCK}"]
        else:
            reasons = list(_stage_disagreements(project, stage, locked))
        if name in upgrades:
            reasons.append(upgrades[name])
        if reasons:
            found[name] = reasons
    return found


def agreement(project: Project) -> str:
    """What was compared, where everything agrees."""
    outs = [out for stage in STAGES if stage in project.lock for out in project.lock[stage].outs if out != REPORT]
    here = sum((project.root / out).is_file() for out in outs)
    source = "the input" if input_files(project) else "no input"
    return (
        f"{LOCK} agrees with {DEFINITION}, {PARAMS}, scripts{' and model' if project.params.semantic.enabled else ''}; "
        f"of the data, {source} and {here} of {len(outs)} outputs are here and agree"
    )


def input_files(project: Project) -> dict[str, Path] | None:
    """The files of the project's input by their name in it; None where they are not all here."""
    files = files_of(project.root / project.params.input)
    return files if files and all(path.is_file() for path in files.values()) else None


def _stage_disagreements(project: Project, stage: Stage, locked: LockedStage) -> Iterator[str]:
    # The parameters as the file has them: a model's path counts as it is written.
    yield from param_changes(locked.params, stage_params(stage, project.values))
    yield from _definition_changes(project, stage, locked)
    made = {out: (maker, md5) for maker, one in project.lock.items() for out, md5 in one.outs.items()}
    for dep, md5 in locked.deps.items():
        maker, written = made.get(dep, (stage.name, md5))
        if written != md5:
            yield f"by {LOCK} it read another {dep} than {maker} wrote"
    if stage.name == "ingest":
        yield from _input_changes(project, locked)
    for out, md5 in locked.outs.items():
        if (project.root / out).is_file() and md5_digest(project.root / out) != md5:
            yield f"{out}: content differs from {LOCK}"


def _definition_changes(project: Project, stage: Stage, locked: LockedStage) -> Iterator[str]:
    """What the definition and the script say otherwise than when the stage ran."""
    script = script_name(stage.name)
    if not (project.root / script).is_file():
        yield f"{script} is missing"
    elif locked.deps.get(script) != md5_digest(project.root / script):
        yield f"{script} changed"
    if stage.cmd != locked.cmd:
        yield f"its command changed in {DEFINITION}: {locked.cmd} -> {stage.cmd}"
    for what, now, then in (("deps", stage.deps, locked.deps), ("outs", stage.outs, locked.outs)):
        changed = _spelled_out(project, now) ^ _spelled_out(project, then)
        if changed:
            names = ", ".join(sorted(os.path.relpath(path, project.root) for path in changed))
            yield f"its {what} are others in {DEFINITION} than in {LOCK}: {names}"


def _input_changes(project: Project, locked: LockedStage) -> Iterator[str]:
    """What is other about the input: the data themselves, where they are here, and what `dvc add` recorded of them."""
    (path,) = _spelled_out(project, [project.params.input])
    then = next((md5 for dep, md5 in locked.deps.items() if _spelled_out(project, [dep]) == {path}), None)
    if then is None:
        return  # the deps differ, which is said already
    files = input_files(project)
    if path.endswith(f"/{OBJECTS}") and files is not None:
        if (change := input_of_project(project).change(project)) is not None:
            yield change
    elif files is not None and files_hash(files) != then:
        yield f"{project.params.input}: content differs from {LOCK}"
    added = Path(f"{path}.dvc")
    if added.is_file():
        content = load_yaml(added)
        recorded = [out.get("md5") for out in content.get("outs") or []] if isinstance(content, dict) else []
        if then not in recorded:
            yield f"{os.path.relpath(added, project.root)} names other data than {LOCK}"


def _spelled_out(project: Project, paths: Iterable[str]) -> set[str]:
    """Paths of the definition or the lock in one spelling: DVC keeps `./data` as it was written."""
    return {os.path.abspath(project.root / path) for path in paths}  # noqa: PTH100  resolve() would follow links
