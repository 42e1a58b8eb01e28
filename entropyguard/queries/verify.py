"""`entropyguard verify`: whether the committed results are what the committed input, parameters, code and model give.

`verify_lock` compares what is written down and whatever data files are here; `rebuild.verify_rebuild` (`--strict`)
makes everything anew. Neither changes anything in the project.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropyguard.core.checkpoint.validity import files_hash, files_of
from entropyguard.core.embed.model import PACKAGED_NAMES
from entropyguard.core.errors import UsageError
from entropyguard.core.params import Params, load_yaml
from entropyguard.core.storage.files import md5_digest
from entropyguard.project.checkpoint_dir import is_checkpoint_dir
from entropyguard.project.pipeline import METRICS, STAGES, LockedStage, Stage, load_lock, load_stages, stage_params
from entropyguard.project.status import UPGRADE, upgrades_needed
from entropyguard.project.validity import param_changes


@dataclass(frozen=True)
class Finding:
    """A stage whose result is not what it should be, and why."""

    stage: str
    reason: str


@dataclass(frozen=True)
class Verdict:
    """What verify found: `differences` fail it, `borderline` does not; `summary` says what was compared."""

    differences: tuple[Finding, ...]
    summary: str
    borderline: tuple[Finding, ...] = ()

    def lines(self) -> list[str]:
        """A line for each finding; the summary where nothing differs."""
        told = [f"{one.stage}: {one.reason}" for one in (*self.differences, *self.borderline)]
        return told if self.differences else [*told, self.summary]


def verify(project: Path, *, strict: bool) -> Verdict:
    """Compare a checkpoint dir or data repo with its `dvc.lock`, and with a rebuild where `strict`.

    UsageError when `project` is neither; for a rebuild, InputError when data are missing.
    """
    verdict = verify_lock(project)
    if verdict.differences or not strict:
        return verdict
    from entropyguard.queries.rebuild import verify_rebuild  # DVC and polars, for those who ask for a rebuild

    return verify_rebuild(project)


def verify_lock(project: Path) -> Verdict:
    """Whether dvc.lock, dvc.yaml, params.yaml, scripts, library, model and the data files that are here agree."""
    params, declared = read_project(project)
    lock = load_lock(project)
    upgrades = upgrades_needed(project, params)
    if is_checkpoint_dir(project):
        upgrades = {stage: why.replace(UPGRADE, "a run with --resume renews it") for stage, why in upgrades.items()}
    findings = []
    for stage in STAGES:
        reasons = list(_reasons(project, stage, declared.get(stage), params, lock))
        if stage in upgrades:
            reasons.append(upgrades[stage])
        if reasons:
            findings.append(Finding(stage, "; ".join(reasons)))
    return Verdict(tuple(findings), _summary(project, params, lock))


def read_project(project: Path) -> tuple[Params, dict[str, Stage]]:
    """The project's parameters and its stages by name; UsageError where it holds no pipeline of ours.

    A model's folder that is named relative to the project comes back as a path that holds from anywhere.
    """
    if not (project / "dvc.yaml").is_file() or not (project / "params.yaml").is_file():
        raise UsageError(
            f"{project} holds no entropyguard pipeline. Name a --checkpoint-dir, or run `entropyguard init`."
        )
    content = load_yaml(project / "dvc.yaml")
    if not isinstance(content, dict) or not isinstance(content.get("stages"), dict):
        raise UsageError(f"{project / 'dvc.yaml'} has no stages. `entropyguard init --upgrade` writes them.")
    params = Params.load(project / "params.yaml")
    stages = {stage.name: stage for stage in load_stages(project / "dvc.yaml", params.as_dict())}
    model = params.embed.model
    if model not in PACKAGED_NAMES and (project / model).is_dir():
        model = os.path.abspath(project / model)  # noqa: PTH100  links stay as the user wrote them
    return dataclasses.replace(params, embed=dataclasses.replace(params.embed, model=model)), stages


def input_files(project: Path, params: Params) -> dict[str, Path] | None:
    """The files of the project's input by their name in it; None where they are not all here."""
    files = files_of(project / params.input)
    return files if files and all(path.is_file() for path in files.values()) else None


def _reasons(
    project: Path, name: str, stage: Stage | None, params: Params, lock: dict[str, LockedStage]
) -> Iterator[str]:
    """Everything about a stage that does not agree with `dvc.lock`."""
    locked = lock.get(name)
    if stage is None or locked is None:
        yield f"it is not in {'dvc.yaml' if stage is None else 'dvc.lock'}"
        return
    # The parameters as the file has them: a model's path counts as it is written.
    yield from param_changes(locked.params, stage_params(stage, load_yaml(project / "params.yaml")))
    yield from _definition_changes(project, stage, locked)
    made = {out: (maker, md5) for maker, one in lock.items() for out, md5 in one.outs.items()}
    for dep, md5 in locked.deps.items():
        maker, written = made.get(dep, (name, md5))
        if written != md5:
            yield f"by dvc.lock it read another {dep} than {maker} wrote"
    if name == "ingest":
        yield from _input_changes(project, params, locked)
    for out, md5 in locked.outs.items():
        if (project / out).is_file() and md5_digest(project / out) != md5:
            yield f"{out}: content differs from dvc.lock"


def _definition_changes(project: Path, stage: Stage, locked: LockedStage) -> Iterator[str]:
    """What `dvc.yaml` and the script say otherwise than when the stage ran."""
    script = f"stages/{stage.name}.py"
    if not (project / script).is_file():
        yield f"{script} is missing"
    elif locked.deps.get(script) != md5_digest(project / script):
        yield f"{script} changed"
    if stage.cmd != locked.cmd:
        yield f"its command changed in dvc.yaml: {locked.cmd} -> {stage.cmd}"
    for what, now, then in (("deps", stage.deps, locked.deps), ("outs", stage.outs, locked.outs)):
        changed = _places(project, now) ^ _places(project, then)
        if changed:
            names = ", ".join(sorted(os.path.relpath(place, project) for place in changed))
            yield f"its {what} are others in dvc.yaml than in dvc.lock: {names}"


def _input_changes(project: Path, params: Params, locked: LockedStage) -> Iterator[str]:
    """What is other about the input: the data themselves, where they are here, and what `dvc add` recorded of them."""
    place = _place(project, params.input)
    then = next((md5 for dep, md5 in locked.deps.items() if _place(project, dep) == place), None)
    if then is None:
        return  # the deps differ, which is told already
    files = input_files(project, params)
    if files is not None and files_hash(files) != then:
        yield f"{params.input}: content differs from dvc.lock"
    added = Path(place + ".dvc")
    if added.is_file():
        content = load_yaml(added)
        recorded = [out.get("md5") for out in content.get("outs") or []] if isinstance(content, dict) else []
        if then not in recorded:
            yield f"{os.path.relpath(added, project)} names other data than dvc.lock"


def _place(project: Path, path: str) -> str:
    """A path of `dvc.yaml` or `dvc.lock` in one spelling: DVC keeps `./data` as it was written."""
    return os.path.abspath(project / path)  # noqa: PTH100  resolve() would follow links


def _places(project: Path, paths: Any) -> set[str]:
    return {_place(project, path) for path in paths}


def _summary(project: Path, params: Params, lock: dict[str, LockedStage]) -> str:
    outs = [out for stage in STAGES if stage in lock for out in lock[stage].outs if out != METRICS]
    here = sum((project / out).is_file() for out in outs)
    source = "the input" if input_files(project, params) else "no input"
    return (
        f"verified: dvc.lock agrees with dvc.yaml, params.yaml, scripts and model; "
        f"of the data, {source} and {here} of {len(outs)} outputs are here and agree"
    )
