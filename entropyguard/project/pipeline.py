"""The pipeline as data: `dvc.yaml` and `dvc.lock` read without DVC, and where the packaged definition lies.

The root `dvc.yaml`, `params.yaml` and `stages/` of this repo are the one definition: the wheel carries them,
`init` writes them, and a checkpoint dir is made from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.errors import ProcessingError
from entropyguard.core.params import load_yaml

STAGE_VERSIONS = {
    "ingest": 3,
    "exact_dedup": 2,
    "embed": 3,
    "similar_pairs": 3,
    "semantic_dedup": 2,
    "export": 2,
}
"""What the installed library's stages are at. Raised, here and in the script, when a stage's output changes."""

STAGES = tuple(STAGE_VERSIONS)

METRICS = "report.json"

PAGE = "report.html"


@dataclass(frozen=True)
class Stage:
    """One step of a project's `dvc.yaml`: paths relative to the project, parameters as dotted names."""

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


@dataclass(frozen=True)
class LockedStage:
    """What `dvc.lock` recorded when the stage last ran: md5 by path, its parameters, flattened, and its command."""

    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    cmd: str = ""


def packaged_files() -> dict[str, Path]:
    """The definition's files, by their path in a project: dvc.yaml, params.yaml and stages/*.py."""
    package = Path(__file__).parent.parent
    root = package / "_pipeline" if (package / "_pipeline").is_dir() else package.parent
    names = ["dvc.yaml", "params.yaml", *(f"stages/{name}.py" for name in STAGES)]
    return {name: root / name for name in names}


def own_files(project: Path) -> dict[str, Path]:
    """The same files as they lie in a project."""
    return {name: project / name for name in packaged_files()}


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
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(select(params, match[1])), template)


def select(params: dict[str, Any], dotted: str) -> Any:
    """The value at a dotted name, e.g. `semantic.dedup_threshold`; None where there is none."""
    value: Any = params
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def flatten(values: Any, prefix: str) -> dict[str, Any]:
    """Nested mappings as one mapping with dotted names."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {name: leaf for key, value in values.items() for name, leaf in flatten(value, f"{prefix}.{key}").items()}


def stage_params(stage: Stage, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters a stage depends on, flattened."""
    return {name: leaf for key in stage.params for name, leaf in flatten(select(params, key), key).items()}


def load_lock(project: Path) -> dict[str, LockedStage]:
    """`dvc.lock` by stage; empty when there is none. ProcessingError when it cannot be parsed."""
    try:
        # The C loader is ten times faster, and a lock file is read on every run.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load((project / "dvc.lock").read_bytes(), loader)  # noqa: S506  both loaders are safe ones
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise ProcessingError(f"{project / 'dvc.lock'} is damaged; delete it and run again.") from error
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise ProcessingError(f"{project / 'dvc.lock'} is damaged; delete it and run again.")
    try:
        return {name: _locked(entry) for name, entry in stages.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ProcessingError(f"{project / 'dvc.lock'} is damaged; delete it and run again.") from error


def _locked(entry: dict[str, Any]) -> LockedStage:
    params = (entry.get("params") or {}).get("params.yaml") or {}
    return LockedStage(
        {item["path"]: item.get("md5", "") for item in entry.get("deps") or []},
        {item["path"]: item.get("md5", "") for item in entry.get("outs") or []},
        {name: leaf for key, value in params.items() for name, leaf in flatten(value, key).items()},
        str(entry.get("cmd", "")),
    )


def script_version(script: Path) -> int | None:
    """The STAGE_VERSION a stage script states, or None where it states none."""
    match = re.search(r"^STAGE_VERSION = (\d+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    return int(match[1]) if match else None
