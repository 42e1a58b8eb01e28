"""DVC's cache in a checkpoint dir: which copies are of use, and what killed commits leave."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from entropyguard.core.storage.files import md5_digest
from entropyguard.core.storage.part_names import PARQUET, part_pattern
from entropyguard.core.storage.temporary import remove_abandoned
from entropyguard.project.layout import EMBEDDINGS
from entropyguard.project.pipeline import STAGES
from entropyguard.project.project import Project

_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


def free_unused(project: Project) -> None:
    """Remove every version of a checkpoint but the one that `dvc.lock` has."""
    used = {md5 for stage in project.lock.values() for md5 in stage.outs.values()}
    if _leads_away(project, project.paths.cached_files):
        return
    for entry in project.paths.cached_files.glob("*/*"):
        name = entry.parent.name + entry.name
        if name not in used and _OBJECT.fullmatch(name) and not entry.is_dir():
            entry.unlink(missing_ok=True)
    _remove_folder(project, project.paths.cached_runs)


def remove_leftovers(project: Project) -> None:
    """What killed stages and killed commits leave; DVC never removes its own. No stage and no DVC may be alive."""
    paths = project.paths
    paths.rwlock.unlink(missing_ok=True)
    for stage in STAGES:
        _remove_folder(project, paths.temporary / stage)
    for note in (paths.running, paths.progress, paths.error):
        note.unlink(missing_ok=True)
    if not _leads_away(project, paths.cache):
        for leftover in paths.cache.glob("**/.*.tmp"):
            leftover.unlink(missing_ok=True)
    for folder in (project.root, paths.ours):
        remove_abandoned(folder)


def pulled_embeddings(project: Project, store: Path) -> Path | None:
    """DVC's sound copy of the last embeddings.parquet, where the store has none of its size: it came by `dvc pull`.

    DVC removes a stage's outputs before it runs the stage, but for this copy.
    """
    md5 = project.locked_md5(EMBEDDINGS)
    copy = None if md5 is None else cached(project, md5)
    if copy is None or copy.stat().st_size in _sizes(store.glob(f"*/{part_pattern(PARQUET)}")):
        return None
    return copy if md5_digest(copy) == md5 else None


def _sizes(files: Iterable[Path]) -> Iterator[int]:
    for file in files:
        with contextlib.suppress(FileNotFoundError):  # several runs may share a store
            yield file.stat().st_size


def cached(project: Project, md5: str) -> Path | None:
    """DVC's copy of a file; None where it has none. A data repo's cache may lie anywhere, and so may its `.dvc`."""
    path = project.paths.cached(md5)
    if not path.is_file() and not project.is_checkpoint_dir:
        command = [sys.executable, "-m", "dvc", "cache", "dir"]
        told = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False).stdout.strip()
        path = Path(told, "files", "md5", md5[:2], md5[2:])
    return path if path.is_file() else None


def _remove_folder(project: Project, folder: Path) -> None:
    if not _leads_away(project, folder):
        shutil.rmtree(folder, ignore_errors=True)


def _leads_away(project: Project, path: Path) -> bool:
    """Whether a part of the path below the project is a link: what lies behind it may be others' as well."""
    between = [path, *path.parents]
    return any(part.is_symlink() for part in between[: between.index(project.root)])
