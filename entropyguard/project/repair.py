"""Making a checkpoint dir fit for DVC, which trusts what it finds: cut-off files, damaged copies, leftovers."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.storage.files import FileState, md5_digest, write_whole
from entropyguard.project.checkpoint_dir import free_unused
from entropyguard.project.pipeline import METRICS, STAGES, load_lock
from entropyguard.project.records import FOLDER, is_damaged, read_sidecar, remember_state
from entropyguard.project.validity import DAMAGE

_SCHEMA = "2.0"
_ENTRY: dict[str, type] = {"cmd": str, "deps": list, "params": dict, "outs": list}
_FILE: dict[str, type] = {"path": str, "hash": str, "md5": str, "size": int, "nfiles": int, "isexec": bool}
_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")


def heal(project: Path) -> dict[str, str]:
    """Make a checkpoint dir fit for DVC, which trusts too much; returns what was wrong, by stage.

    A damaged checkpoint goes together with its object in the cache, else DVC would bring the damage back.
    The caller owns the dir.
    """
    found = drop_damaged_entries(project)
    remove_leftovers(project)
    free_unused(project)  # a damaged copy that nothing refers to would come back with the next equal output
    if _input_went_unwatched(project):
        forget_stage(project, "ingest")
        found["ingest"] = "the input changed after it was read"
    for name, stage in load_lock(project).items():
        if read_sidecar(project, name) is None:
            forget_stage(project, name)
            found[name] = f"the record {FOLDER}/{name}.json is missing"
        for out, md5 in stage.outs.items():
            cached = _cached_object(project, md5)
            if (project / out).is_file():
                if not is_damaged(project, out):
                    remember_state(project, out)
                    continue
                found[name] = f"Failed to load checkpoint: {out}: {DAMAGE}; building it again"
                (project / out).unlink()
                cached.unlink(missing_ok=True)
            elif out == METRICS or not cached.is_file() or md5_digest(cached) != md5:
                found[name] = f"{out} is missing"
                cached.unlink(missing_ok=True)
    return found


def forget_stage(project: Path, stage: str) -> None:
    """Take a stage out of `dvc.lock`, so that it runs again whatever was recorded for it."""
    entries = _lock_entries(project) or {}
    if entries.pop(stage, None) is not None:
        _write_lock(project, entries)


def drop_damaged_entries(project: Path) -> dict[str, str]:
    """Take out of `dvc.lock` what DVC would refuse the whole file for; returns why those stages run again.

    Our runs write the file whole. A killed `dvc repro` of the user's does not, nor does a failing disk.
    """
    if not (project / "dvc.lock").is_file():
        return {}
    entries = _lock_entries(project)
    whole = {stage: entry for stage, entry in (entries or {}).items() if _is_whole(entry)}
    if whole == entries:
        return {}
    _write_lock(project, whole)
    return {stage: "dvc.lock is damaged" for stage in entries or STAGES if stage not in whole}


def _lock_entries(project: Path) -> dict[str, Any] | None:
    """`dvc.lock` by stage, as it is written there; None where there is none that DVC would take."""
    try:
        content = yaml.load((project / "dvc.lock").read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  safe ones
    except (FileNotFoundError, yaml.YAMLError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("schema") != _SCHEMA or set(content) != {"schema", "stages"}:
        return None
    return content["stages"] if isinstance(content["stages"], dict) else None


def _write_lock(project: Path, entries: dict[str, Any]) -> None:
    content = {"schema": _SCHEMA, "stages": entries}
    write_whole(project / "dvc.lock", yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())


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


def _input_went_unwatched(project: Path) -> bool:
    """Whether the input changed between ingest's end and the end of its run, with nobody there to see it.

    DVC may then have recorded the new input beside the old output. A run that ends well has looked, and leaves
    inputs.json.
    """
    sidecar, seen = read_sidecar(project, "ingest"), project / FOLDER / "inputs.json"
    if sidecar is None or (seen.is_file() and seen.stat().st_mtime >= sidecar["finished_at"]):
        return False
    states = {project / path: state for path, state in sidecar["inputs"].items()}
    return any(not path.is_file() or FileState.of(path).as_dict() != state for path, state in states.items())


def _cached_object(project: Path, md5: str) -> Path:
    return project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def remove_leftovers(project: Path) -> None:
    """What killed stages and killed commits leave; DVC never removes its own. No stage and no DVC may be alive."""
    (project / ".dvc" / "tmp" / "rwlock").unlink(missing_ok=True)
    shutil.rmtree(project / FOLDER / "tmp", ignore_errors=True)
    for name in ("running.json", "progress.json", "error.json"):
        (project / FOLDER / name).unlink(missing_ok=True)
    for folder, pattern in (
        (project / ".dvc" / "cache", "**/.*.tmp"),
        (project, ".*.tmp"),
        (project / FOLDER, ".*.tmp"),
    ):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
