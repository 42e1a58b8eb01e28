"""Freeing what entropyguard made: a checkpoint dir, or what a data repo has stored beside DVC."""

from __future__ import annotations

import re
from pathlib import Path

from entropyguard.core.checkpoint.metadata import alone, read_metadata
from entropyguard.core.checkpoint.saved import saved_names
from entropyguard.core.errors import UsageError
from entropyguard.core.storage.own_files import OwnNames, Removed, refuse_link, remove_own
from entropyguard.core.storage.upload import Uploads
from entropyguard.project.checkpoint_dir import owned, stages_at_rest
from entropyguard.project.own_names import CHECKPOINT_DIR, INPUT_LINKS, STORES
from entropyguard.project.project import Project


def clean(path: Path) -> Removed:
    """Remove our files from a checkpoint dir, and the dir with them if nothing else is in it; or a data repo's stores.

    UsageError for a folder that is neither, and for a link to one; BusyError while a run or a sweep is at work there.
    """
    project = Project(path)
    for link in (path, project.paths.ours):
        refuse_link(link)
    if project.is_checkpoint_dir:
        return _clean_checkpoint_dir(project)
    if project.paths.ours.is_dir() and project.paths.definition.is_file():
        with stages_at_rest(project):
            stores = [f"{folder.relative_to(path).as_posix()}/" for folder in project.paths.made_again]
            return remove_own(path, OwnNames(STORES), stores)
    raise UsageError(f"{path} is no checkpoint dir and no data repo of entropyguard; nothing was removed.")


def _clean_checkpoint_dir(project: Project) -> Removed:
    path, paths = project.root, project.paths
    # The marker and the locks go last, so that a clean that was killed can be run again.
    last = [paths.metadata_lock, paths.stage_lock, paths.build_lock, paths.marker]
    spared = {one.relative_to(path).as_posix() for one in last}
    with owned(project), alone(path):
        Uploads(paths.uploads).abort()  # nobody would know of them any more
        saved = map(re.escape, saved_names(path, read_metadata(path)))
        removed = remove_own(path, OwnNames([*CHECKPOINT_DIR, *saved], INPUT_LINKS), spared=spared)
        for one in last:
            one.unlink(missing_ok=True)
    for folder in (paths.ours, path):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    return removed
