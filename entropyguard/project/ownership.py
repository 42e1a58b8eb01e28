"""Which project a file belongs to: a result of anybody else must not be written onto it."""

from __future__ import annotations

import re
from pathlib import Path

from entropyguard.core.checkpoint.metadata import FILE as METADATA
from entropyguard.core.checkpoint.metadata import read_metadata
from entropyguard.core.errors import EntropyguardError
from entropyguard.project.layout import Layout
from entropyguard.project.own_names import DEFINED, RESULTS
from entropyguard.project.pipeline import STAGES

_DATA_REPO = re.compile("|".join([*DEFINED, *RESULTS, r"\.gitignore"]))


def owner(path: Path) -> Path | None:
    """The root of the project that a resolved path is a file of; None for a file of the user's own.

    All in a checkpoint dir is its own; of a data repo what `init` and the stages write, and our and DVC's folders.
    """
    return next((root for root in path.parents if _owns(Layout(root), path)), None)


def _owns(project: Layout, path: Path) -> bool:
    if project.marker.is_file():
        return True
    name = path.relative_to(project.root).as_posix()
    if path.is_relative_to(project.ours):
        return True
    if project.definition.is_file() and all(project.script(stage).is_file() for stage in STAGES):
        return _DATA_REPO.fullmatch(name) is not None or path.is_relative_to(project.dvc)
    return project.ours.is_dir() and (name == METADATA or name in _saved(project.root))


def _saved(folder: Path) -> set[str]:
    """The files of checkpoints that the API has saved in a folder."""
    try:
        return {f"{stage}.parquet" for stage in read_metadata(folder).checkpoints}
    except EntropyguardError:  # of a later version: its names are not known here
        return set()
