"""Making a checkpoint dir fit for DVC, which trusts what it finds: cut-off files, damaged copies, leftovers."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from entropyguard.core.errors import ProcessingError
from entropyguard.core.files import md5_digest, write_whole
from entropyguard.definition import METRICS, load_lock
from entropyguard.sidecars import FOLDER, is_damaged, read_sidecar, remember_state
from entropyguard.validity import DAMAGE


def heal(project: Path) -> dict[str, str]:
    """Make a checkpoint dir fit for DVC, which trusts too much; returns what was wrong, by stage.

    A damaged checkpoint goes together with its object in the cache, else DVC would bring the damage back.
    The caller owns the dir.
    """
    _restore_lock(project)
    _remove_leftovers(project)
    join_stores(project)
    found = {}
    for name, stage in load_lock(project).items():
        if read_sidecar(project, name) is None:
            forget_stage(project, name)
            found[name] = f"the record {FOLDER}/{name}.json is missing"
        for out, md5 in stage.outs.items():
            if out == METRICS:
                continue
            cached = _cached_object(project, md5)
            if (project / out).is_file():
                if not is_damaged(project, out):
                    remember_state(project, out)
                    continue
                found[name] = f"Failed to load checkpoint: {out}: {DAMAGE}; building it again"
                (project / out).unlink()
                cached.unlink(missing_ok=True)
            elif not cached.is_file() or md5_digest(cached) != md5:
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
    lock = project / "dvc.lock"
    content = yaml.safe_load(lock.read_bytes())
    content["stages"].pop(stage, None)
    write_whole(lock, yaml.safe_dump(content, sort_keys=False).encode())


def keep_good_lock(project: Path) -> None:
    """Remember a `dvc.lock` that can be read, for `heal` to go back to."""
    lock = project / "dvc.lock"
    if lock.is_file():
        write_whole(project / FOLDER / "dvc.lock.good", lock.read_bytes())


def _cached_object(project: Path, md5: str) -> Path:
    return project / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]


def _restore_lock(project: Path) -> None:
    """DVC writes `dvc.lock` in place: after a kill an unreadable one is replaced by the last good copy."""
    lock, good = project / "dvc.lock", project / FOLDER / "dvc.lock.good"
    try:
        load_lock(project)
    except ProcessingError:
        lock.unlink()
        if good.is_file():
            write_whole(lock, good.read_bytes())
    keep_good_lock(project)


def _remove_leftovers(project: Path) -> None:
    """What killed stages and killed commits leave; DVC never removes its own."""
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
