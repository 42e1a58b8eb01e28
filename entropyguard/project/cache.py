"""DVC's cache in a checkpoint dir: which copies are of use, and what killed commits leave."""

from __future__ import annotations

import shutil

from entropyguard.project.project import Project


def free_unused(project: Project) -> None:
    """Remove every version of a checkpoint but the one that `dvc.lock` has."""
    used = {md5 for stage in project.lock.values() for md5 in stage.outs.values()}
    for entry in project.paths.cached_files.glob("*/*"):
        if entry.parent.name + entry.name not in used:
            entry.unlink(missing_ok=True)
    shutil.rmtree(project.paths.cached_runs, ignore_errors=True)


def remove_leftovers(project: Project) -> None:
    """What killed stages and killed commits leave; DVC never removes its own. No stage and no DVC may be alive."""
    paths = project.paths
    paths.rwlock.unlink(missing_ok=True)
    shutil.rmtree(paths.temporary, ignore_errors=True)
    for note in (paths.running, paths.progress, paths.error):
        note.unlink(missing_ok=True)
    for folder, pattern in ((paths.cache, "**/.*.tmp"), (project.root, ".*.tmp"), (paths.ours, ".*.tmp")):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
