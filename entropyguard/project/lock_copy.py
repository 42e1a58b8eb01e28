"""A copy of `dvc.lock`, which DVC writes in place: a kill may leave it cut off, and DVC would then do nothing at all.

The copy is taken when the file is known to be whole: before a run, when a stage starts (the stages before it are
recorded by then), and after a run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.storage.files import write_whole
from entropyguard.project.records import FOLDER

_SCHEMA = "2.0"
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def keep_good_lock(project: Path) -> None:
    """Copy `dvc.lock`, which is whole, for `restore_lock` to go back to."""
    lock = project / "dvc.lock"
    if lock.is_file():
        write_whole(_copy_of(project), lock.read_bytes())


def restore_lock(project: Path) -> None:
    """Put back each stage that `dvc.lock` has lost or holds only in part; without a copy the stage runs again."""
    lock = project / "dvc.lock"
    if not lock.is_file():
        return
    present, copied = _stages(lock), _stages(_copy_of(project)) or {}
    whole = {name: entry for name, entry in (present or {}).items() if _is_whole(entry)}
    if present is None or whole != present or not copied.keys() <= whole.keys():
        write_lock(project, {**copied, **whole})
    keep_good_lock(project)


def write_lock(project: Path, stages: dict[str, Any]) -> None:
    """Write a `dvc.lock` of these stages."""
    content = {"schema": _SCHEMA, "stages": stages}
    write_whole(project / "dvc.lock", yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())


def _copy_of(project: Path) -> Path:
    return project / FOLDER / "dvc.lock.good"


def _stages(lock: Path) -> dict[str, Any] | None:
    """The entries of a lock file; None for one that DVC would refuse."""
    try:
        content = yaml.load(lock.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  safe ones
    except (FileNotFoundError, yaml.YAMLError):
        return None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA or set(content) - {"schema", "stages"}:
        return None
    stages = content.get("stages")
    return stages if isinstance(stages, dict) else None


def _is_whole(entry: Any) -> bool:
    """Whether an entry has all that DVC writes."""
    if not isinstance(entry, dict) or set(entry) - {"cmd", "deps", "params", "outs"}:
        return False
    params, files = entry.get("params", {}), [entry.get("deps"), entry.get("outs")]
    return (
        isinstance(entry.get("cmd"), str)
        and isinstance(params, dict)
        and all(isinstance(values, dict) for values in params.values())
        and all(isinstance(items, list) and all(map(_is_whole_file, items)) for items in files)
    )


def _is_whole_file(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and not set(item) - {"path", "hash", "md5", "size", "nfiles", "isexec"}
        and isinstance(item.get("path"), str)
        and isinstance(item.get("size"), int)
        and isinstance(item.get("md5"), str)
        and _MD5.fullmatch(item["md5"]) is not None
    )
