"""Whether the input is still what was ingested when a run ends."""

from __future__ import annotations

from pathlib import Path

from entropyguard.core.checkpoint.validity import files_hash
from entropyguard.core.errors import InputError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.ingest.objects_note import objects_change
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import FileState
from entropyguard.project.layout import INPUTS
from entropyguard.project.linked_input import LocalInput, RemoteInput, link_names, linked_input
from entropyguard.project.lock import forget_stage
from entropyguard.project.project import Project


def check_input(project: Project, spec: str, sources: list[Source], before: dict[Path, FileState]) -> None:
    """InputError when an input file has other content than what was ingested; ingest then runs again.

    Nothing is read where every local file is as it was `before` the run; remote ones are listed again by `spec`.
    """
    linked = linked_input(sources)
    if isinstance(linked, RemoteInput):
        now = RemoteInput(find_sources(spec)).objects
        change = objects_change(linked.states(), now, added=False)
        if change is not None:
            raise InputError(f"{change} during the run; nothing was published. Run again with --resume.")
        return
    if all(path.is_file() and FileState.of(path) == state for path, state in before.items()):
        return
    changed = _other_content(project, sources, linked)
    if changed is not None:
        forget_stage(project.paths.lock, "ingest")  # whatever DVC recorded
        raise InputError(f"{changed} changed during the run; nothing was published. Run again with --resume.")


def _other_content(project: Project, sources: list[Source], linked: LocalInput) -> Path | None:
    """The first input file that is not what ingest read, or not what DVC, which looks later, took for that."""
    record = project.record("ingest")
    read = record.inputs if record else {}
    for name, path in zip(link_names(sources), linked.paths.values(), strict=True):
        seen = read.get(f"{INPUTS}/{name}")
        if seen is None or not seen.is_same(path):
            return path
    recorded = project.lock["ingest"].deps.get(linked.param)
    return None if recorded == files_hash(linked.paths) else next(iter(linked.paths.values()))
