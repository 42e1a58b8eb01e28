"""`dvc.lock`: what each stage read and wrote when it last ran; and mending it where DVC would refuse it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.errors import ProcessingError
from entropyguard.core.storage.files import write_whole
from entropyguard.core.yaml_text import dump_yaml, parse_yaml
from entropyguard.project.layout import PARAMS

_SCHEMA = "2.0"
_ENTRY: dict[str, type] = {"cmd": str, "deps": list, "params": dict, "outs": list}
_FILE: dict[str, type] = {"path": str, "hash": str, "md5": str, "size": int, "nfiles": int, "isexec": bool}
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class LockedStage:
    """What was recorded when the stage last ran: md5 by path, its parameters, flattened, and its command."""

    deps: dict[str, str] = field(default_factory=dict)
    outs: dict[str, str] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    cmd: str = ""


def load_lock(path: Path) -> dict[str, LockedStage]:
    """`dvc.lock` by stage; empty when there is none. ProcessingError when it cannot be parsed."""
    damaged = f"{path} is damaged; delete it and run again."
    try:
        content = _parsed(path)
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, ValueError) as error:
        raise ProcessingError(damaged) from error
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        raise ProcessingError(damaged)
    try:
        return {name: _locked(entry) for name, entry in stages.items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ProcessingError(damaged) from error


def _locked(entry: dict[str, Any]) -> LockedStage:
    params = (entry.get("params") or {}).get(PARAMS) or {}
    return LockedStage(
        {item["path"]: item.get("md5", "") for item in entry.get("deps") or []},
        {item["path"]: item.get("md5", "") for item in entry.get("outs") or []},
        {name: leaf for key, value in params.items() for name, leaf in flatten(value, key).items()},
        str(entry.get("cmd", "")),
    )


def flatten(values: Any, prefix: str) -> dict[str, Any]:
    """Nested mappings as one mapping with dotted names."""
    if not isinstance(values, dict):
        return {prefix: values}
    return {name: leaf for key, value in values.items() for name, leaf in flatten(value, f"{prefix}.{key}").items()}


def forget_stage(path: Path, stage: str) -> None:
    """Take a stage out of `dvc.lock`, so that it runs again whatever was recorded for it."""
    entries = _entries(path) or {}
    if entries.pop(stage, None) is not None:
        _write(path, entries)


def drop_damaged_entries(path: Path) -> list[str] | None:
    """Take out of `dvc.lock` what DVC would refuse the whole file for; the stages that went, None where all did.

    Our runs write the file whole. A killed `dvc repro` of the user's does not, nor does a failing disk.
    """
    if not path.is_file():
        return []
    entries = _entries(path)
    whole = {stage: entry for stage, entry in (entries or {}).items() if _is_whole(entry)}
    if whole == entries:
        return []
    _write(path, whole)
    return None if entries is None else [stage for stage in entries if stage not in whole]


def _parsed(path: Path) -> Any:
    return parse_yaml(path.read_bytes())


def _entries(path: Path) -> dict[str, Any] | None:
    """`dvc.lock` by stage, as it is written there; None where there is none that DVC would take."""
    try:
        content = _parsed(path)
    except (FileNotFoundError, yaml.YAMLError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA or set(content) != {"schema", "stages"}:
        return None
    return content["stages"] if isinstance(content["stages"], dict) else None


def _write(path: Path, entries: dict[str, Any]) -> None:
    content = {"schema": _SCHEMA, "stages": entries}
    write_whole(path, dump_yaml(content))


def _is_whole(entry: Any) -> bool:
    """Whether an entry has all that DVC writes, and nothing it would refuse."""
    return (
        _has(entry, _ENTRY, {"cmd", "deps", "outs"})
        and all(isinstance(values, dict) for values in entry.get("params", {}).values())
        and all(_has(file, _FILE, {"path", "md5", "size"}) for file in entry["deps"] + entry["outs"])
        and all(_MD5.fullmatch(file["md5"]) for file in entry["deps"] + entry["outs"])
    )


def _has(value: Any, types: dict[str, type], needed: set[str]) -> bool:
    """Whether a mapping has the needed keys and others of `types` only, with values of these types."""
    return (
        isinstance(value, dict)
        and needed <= set(value) <= set(types)
        and all(isinstance(item, types[key]) for key, item in value.items())
    )
