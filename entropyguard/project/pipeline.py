"""The pipeline as data: `dvc.yaml` read without DVC, and where the packaged definition lies.

The root `dvc.yaml`, `params.yaml` and `stages/` of this repo are the one definition: the wheel carries them,
`init` writes them, and a checkpoint dir is made from them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entropyguard.core.errors import InternalError
from entropyguard.core.yaml_text import load_yaml
from entropyguard.project.layout import DEFINITION, PARAMS, script_name
from entropyguard.project.lock import flatten

STAGE_VERSIONS = {
    "ingest": 7,
    "exact_dedup": 3,
    "near_dedup": 1,
    "embed": 6,
    "similar_pairs": 6,
    "semantic_dedup": 4,
    "export": 7,
}
"""What the installed library's stages are at. Raised, here and in the script, when a stage's output changes."""

STAGES = tuple(STAGE_VERSIONS)

FIRST_STAGES = tuple(stage for stage in STAGES if stage != "near_dedup")
"""Those that a pipeline of any earlier version has; `entropyguard init --upgrade` adds the others."""


@dataclass(frozen=True)
class Stage:
    """One step of a project's `dvc.yaml`: paths relative to the project, parameters as dotted names."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def packaged_files() -> dict[str, Path]:
    """The definition's files, by their path in a project: dvc.yaml, params.yaml and stages/*.py."""
    package = Path(__file__).parent.parent
    root = package / "_pipeline" if (package / "_pipeline").is_dir() else package.parent
    return own_files(root)


def packaged_work(stage: str) -> Callable[[Any], dict[str, int]]:
    """The function `work` of a packaged stage script: takes a StageRun, returns what it counted."""
    spec = importlib.util.spec_from_file_location(f"entropyguard_stage_{stage}", packaged_files()[script_name(stage)])
    if spec is None or spec.loader is None:
        raise InternalError(f"{script_name(stage)} of the installed entropyguard cannot be loaded.")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    work: Callable[[Any], dict[str, int]] = script.work
    return work


def own_files(root: Path) -> dict[str, Path]:
    """The same files as they lie in a project."""
    return {name: root / name for name in (DEFINITION, PARAMS, *map(script_name, STAGES))}


def load_stages(dvc_yaml: Path, params: dict[str, Any]) -> list[Stage]:
    """The stages of a `dvc.yaml` in order, with `${…}` filled in from `params`; only those of entropyguard."""
    declared = {name: entry for name, entry in load_yaml(dvc_yaml)["stages"].items() if name in STAGES}
    stages = []
    for name, entry in declared.items():
        outs = [item for kind in ("outs", "metrics", "plots") for item in entry.get(kind, [])]
        paths = [path for item in outs for path in (item if isinstance(item, dict) else [item])]
        stages.append(
            Stage(
                name,
                _fill(str(entry.get("cmd", "")), params),
                tuple(_fill(dep, params) for dep in entry.get("deps", [])),
                tuple(entry.get("params", [])),
                tuple(_fill(path, params) for path in paths),
            )
        )
    return stages


def _fill(template: str, params: dict[str, Any]) -> str:
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(_select(params, match[1])), template)


def _select(params: dict[str, Any], dotted: str) -> Any:
    """The value at a dotted name, e.g. `semantic.dedup_threshold`; None where there is none."""
    value: Any = params
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def stage_params(stage: Stage, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters a stage depends on, flattened."""
    return {name: leaf for key in stage.params for name, leaf in flatten(_select(params, key), key).items()}


def script_version(script: Path) -> int | None:
    """The STAGE_VERSION a stage script states, or None where it states none."""
    match = re.search(r"^STAGE_VERSION = (\d+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return int(match[1]) if match else None
