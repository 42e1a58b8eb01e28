"""Making a checkpoint dir fit for DVC, which trusts what it finds: cut-off files, damaged copies, leftovers."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from entropyguard.core.storage.files import FileState, md5_digest
from entropyguard.project.checkpoint_dir import free_unused
from entropyguard.project.lock_copy import keep_good_lock, restore_lock, write_lock
from entropyguard.project.pipeline import METRICS, load_lock
from entropyguard.project.records import FOLDER, is_damaged, read_sidecar, remember_state
from entropyguard.project.validity import DAMAGE


def heal(project: Path) -> dict[str, str]:
    """Make a checkpoint dir fit for DVC, which trusts too much; returns what was wrong, by stage.

    A damaged checkpoint goes together with its object in the cache, else DVC would bring the damage back.
    The caller owns the dir.
    """
    restore_lock(project)
    remove_leftovers(project)
    free_unused(project)  # a damaged copy that nothing refers to would come back with the next equal output
    join_stores(project)
    found = {}
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


def join_stores(project: Path) -> None:
    """Bring what a fresh run saved apart into the project's store: parts carry their content's digest as a name."""
    fresh = project / FOLDER / "fresh"
    for part in fresh.rglob("*.parquet"):
        place = project / FOLDER / part.relative_to(fresh)
        place.parent.mkdir(parents=True, exist_ok=True)
        part.replace(place)
    shutil.rmtree(fresh, ignore_errors=True)


def forget_stage(project: Path, stage: str) -> None:
    """Take a stage out of `dvc.lock`, so that it runs again whatever was recorded for it."""
    content = yaml.safe_load((project / "dvc.lock").read_bytes())
    content["stages"].pop(stage, None)
    write_lock(project, content["stages"])
    keep_good_lock(project)


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
