"""How the input stands in a checkpoint dir, where DVC looks for it: as links to files, or as a note of remote ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from entropyguard.core.checkpoint.validity import files_hash, files_of
from entropyguard.core.errors import UsageError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.ingest.objects_note import note_of, objects_change
from entropyguard.core.rows.source import OBJECTS, Source
from entropyguard.core.storage.files import FileState, read_json, write_if_changed
from entropyguard.core.storage.own_files import OwnNames
from entropyguard.core.storage.remote import is_url
from entropyguard.core.storage.remote_path import RemotePath
from entropyguard.project.layout import INPUTS
from entropyguard.project.own_names import INPUT_FOLDERS, INPUT_LINKS, INPUT_NOTE
from entropyguard.project.project import Project


class LinkedInput(Protocol):
    """The input of a project, as it is now."""

    @property
    def param(self) -> str:
        """What `input` is in its params.yaml."""

    def files(self) -> dict[str, str]:
        """Every file by its name in the hash that DVC has of the input: its path, links resolved, or its URL."""

    def states(self) -> dict[str, dict[str, Any]]:
        """What tells each of them, by the same names, from another one without reading it."""

    def change(self, project: Project) -> str | None:
        """What changed since the project ingested it; None for nothing."""


@dataclass(frozen=True)
class LocalInput:
    """Files by their name in the project's input."""

    param: str
    paths: dict[str, Path]

    def files(self) -> dict[str, str]:
        return {name: str(path.resolve()) for name, path in self.paths.items()}

    def states(self) -> dict[str, dict[str, Any]]:
        return {name: FileState.of(path).as_dict() for name, path in self.paths.items()}

    def change(self, project: Project) -> str | None:
        """Files whose state is the recorded one are not read; others are compared by content."""
        locked = project.lock.get("ingest")
        if locked is None:
            return None
        missing = [str(path) for path in self.paths.values() if not path.is_file()]
        if missing or not self.paths:
            return f"input {missing[0] if missing else self.param} is missing"
        known = read_json(project.paths.seen_input) or {}
        if self.param in locked.deps and known.get("states") == self.states():
            return None
        return None if locked.deps.get(self.param) == files_hash(self.paths) else "input changed"


@dataclass(frozen=True)
class RemoteInput:
    """Remote files, as they were listed."""

    sources: Sequence[Source]
    param = f"{INPUTS}/{OBJECTS}"

    @property
    def objects(self) -> list[RemotePath]:
        return [source.path for source in self.sources if isinstance(source.path, RemotePath)]

    def files(self) -> dict[str, str]:
        return {path.url: path.url for path in self.objects}

    def states(self) -> dict[str, dict[str, Any]]:
        return {path.url: path.state for path in self.objects}

    def change(self, project: Project) -> str | None:
        """By what was listed; nothing is read."""
        locked = project.lock.get("ingest")
        if locked is None or locked.deps.get(self.param) == remote_hash(self.sources):
            return None
        before = ingested_objects(project)
        return (objects_change(before, self.objects) if before else None) or "input changed"


def remote_hash(sources: Sequence[Source]) -> str:
    """DVC's hash of the note of remote files."""
    return hashlib.md5(note_of(sources), usedforsecurity=False).hexdigest()


def ingested_objects(project: Project) -> dict[str, dict[str, Any]]:
    """The state of every remote file that ingest read when it last ran, by URL."""
    record = project.record("ingest")
    return {} if record is None else {name: seen.state for name, seen in record.inputs.items() if is_url(name)}


def linked_input(sources: Sequence[Source]) -> LocalInput | RemoteInput:
    """How these files stand in a checkpoint dir."""
    if _is_remote(sources):
        return RemoteInput(sources)
    paths = _local_paths(sources)
    lone = _is_lone(sources)
    return LocalInput(f"{INPUTS}/{next(iter(paths))}" if lone else INPUTS, {"": paths.popitem()[1]} if lone else paths)


def input_of_project(project: Project) -> LinkedInput:
    """The input that a project's params.yaml names; remote files are listed again, where it is known how.

    InputError where they cannot be.
    """
    path = project.root / project.params.input
    if path.name != OBJECTS or not path.is_file():
        return LocalInput(project.params.input, files_of(path))
    spec = (read_json(project.paths.seen_input) or {}).get("spec")
    return RemoteInput(find_sources(str(spec or path)))


def link_names(sources: Sequence[Source]) -> list[str]:
    """The names the input files go by in a checkpoint dir: `000000.jsonl`, `000001.jsonl.gz`, …

    One with partitions lies in their folders (`000002/year=2024/data.parquet`), as ingest takes values from there, and
    DVC then sees when a file moves to another.
    """
    endings = [f".{source.kind}" + (f".{source.compression}" if source.compression else "") for source in sources]
    inner = ["".join(f"/{folder}" for folder in source.partitions) for source in sources]
    return [
        f"{at:06d}{folders}/data{ending}" if folders else f"{at:06d}{ending}"
        for at, (folders, ending) in enumerate(zip(inner, endings, strict=True))
    ]


def link(sources: Sequence[Source], folder: Path) -> None:
    """Put the input into the folder of a checkpoint dir, and take out what was there of another one."""
    _link_files(folder, {} if _is_remote(sources) else _local_paths(sources))
    if _is_remote(sources):
        write_if_changed(folder / OBJECTS, note_of(sources))
    else:
        (folder / OBJECTS).unlink(missing_ok=True)


def _is_remote(sources: Sequence[Source]) -> bool:
    return isinstance(sources[0].path, RemotePath)


def _is_lone(sources: Sequence[Source]) -> bool:
    """Whether the input is one file whose name says nothing, so that `input` is the file itself."""
    return len(sources) == 1 and not sources[0].partitions


def _local_paths(sources: Sequence[Source]) -> dict[str, Path]:
    """The files by the names of their links."""
    paths = [source.path for source in sources if isinstance(source.path, Path)]
    return dict(zip(link_names(sources), paths, strict=True))


def _link_files(folder: Path, targets: dict[str, Path]) -> None:
    folder.mkdir(exist_ok=True)
    ours = OwnNames(INPUT_FOLDERS, INPUT_LINKS)
    entries = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    entries = {name: entry for name, entry in entries.items() if f"{INPUTS}/{name}" != INPUT_NOTE}
    for name, entry in entries.items():
        is_folder = entry.is_dir() and not entry.is_symlink()
        known = f"{INPUTS}/{name}/" in ours if is_folder else entry.is_symlink() and ours.has_link(f"{INPUTS}/{name}")
        if not known:
            raise UsageError(
                f"{entry} was not made by entropyguard, and would be read as input. Move it, then run again."
            )
    for name, entry in reversed(entries.items()):
        if entry.is_symlink():
            if name not in targets or entry.readlink() != _absolute(targets[name]):
                entry.unlink()
        elif not any(entry.iterdir()):
            entry.rmdir()
    for name, target in targets.items():
        if not (folder / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(_absolute(target))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  resolve() would follow a link the user may point elsewhere
