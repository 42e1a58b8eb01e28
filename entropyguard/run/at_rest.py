"""Whether the input is still what was ingested when a run ends."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.checkpoint.validity import files_hash
from entropyguard.core.errors import InputError
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import FileState
from entropyguard.project.checkpoint_dir import input_param, link_names, linked_files
from entropyguard.project.layout import INPUTS
from entropyguard.project.lock import forget_stage
from entropyguard.project.project import Project


def check_input(project: Project, sources: list[Source], before: dict[Path, FileState]) -> None:
    """InputError when an input file has other content than what was ingested; ingest then runs again.

    Nothing is read where every file is as it was `before` the run.
    """
    if all(path.is_file() and FileState.of(path) == state for path, state in before.items()):
        return
    changed = _other_content(project, sources)
    if changed is not None:
        forget_stage(project.paths.lock, "ingest")  # whatever DVC recorded
        raise InputError(f"{changed} changed during the run; nothing was published. Run again with --resume.")


def _other_content(project: Project, sources: list[Source]) -> Path | None:
    """The first input file that is not what ingest read, or not what DVC, which looks later, took for that."""
    record = project.record("ingest")
    read = record.inputs if record else {}
    for name, source in zip(link_names(sources), sources, strict=True):
        seen = read.get(f"{INPUTS}/{name}")
        if seen is None or not seen.is_same(source.path):
            return source.path
    recorded = project.lock["ingest"].deps.get(input_param(sources))
    return None if recorded == files_hash(linked_files(sources)) else sources[0].path
