"""A checkpoint dir: a private folder that is an ordinary DVC project with our marker in it.

Nothing that is not ours is ever touched: a dir is taken only when it is new, empty, or carries the marker.
"""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from entropyguard.core.errors import DISK_FULL, BusyError, OutputError, UsageError
from entropyguard.core.ingest.inputs import find_sources
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.files import write_if_changed, write_json, write_whole
from entropyguard.core.storage.temporary import is_temporary
from entropyguard.core.yaml_text import dump_yaml, load_yaml
from entropyguard.project.dvc_config import with_our_settings
from entropyguard.project.layout import EMBEDDINGS, PARAMS
from entropyguard.project.linked_input import link, linked_input
from entropyguard.project.own_names import FREED
from entropyguard.project.pipeline import STAGES, packaged_files
from entropyguard.project.project import Project


def check_usable(path: Path) -> None:
    """UsageError when `path` cannot be a checkpoint dir; nothing is written."""
    for parent in [path, *path.parents]:
        if parent.exists() and not parent.is_dir():
            raise UsageError(f"--checkpoint-dir {path}: {parent} is a file. Name a folder, new or empty.")
    if any(brace in str(path.resolve()) for brace in "{}"):
        raise UsageError(f"--checkpoint-dir {path}: a path with {{ or }} cannot be used by DVC. Name another folder.")
    check_utf8("--checkpoint-dir", path)
    project = Project(path)
    if path.exists() and not project.is_checkpoint_dir:
        ours = project.paths.ours.name
        names = (entry for entry in path.iterdir() if entry.name != ours and not is_temporary(entry.name))
        foreign = next(names, None)
        if foreign is not None:
            raise UsageError(
                f"--checkpoint-dir {path} is not empty and was not made by entropyguard (it holds {foreign.name}). "
                "Name a new or an empty folder."
            )


def check_utf8(flag: str, folder: Path) -> None:
    """UsageError for a folder that Arrow could open no file in."""
    try:
        str(folder.resolve()).encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{flag} {folder}: Parquet files need a path in UTF-8. Name another folder.") from error


@contextmanager
def owned(project: Project) -> Iterator[None]:
    """Make the project a checkpoint dir if it is not one yet, and own it while inside.

    BusyError when another run, or a stage that outlived its run, is at work there.
    """
    path, paths = project.root, project.paths
    check_usable(path)
    try:
        paths.ours.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        if not paths.marker.is_file():
            write_whole(paths.marker, b"This folder belongs to entropyguard. `entropyguard clean` empties it.\n")
    except OSError as error:
        raise OutputError(f"--checkpoint-dir {path} cannot be written ({error.strerror}).") from error
    with paths.build_lock.open("a+") as build, paths.stage_lock.open("a+") as stage:
        _lock(build.fileno(), path, "Another entropyguard is at work")
        _lock(stage.fileno(), path, "A stage of a killed run is still at work")
        _refuse_running_dvc(project)
        build.truncate(0)
        build.write(str(os.getpid()))  # from here on a stage of another run that wakes up late ends itself
        build.flush()
        fcntl.flock(stage.fileno(), fcntl.LOCK_UN)
        with _full_disk_reported(path):
            yield


@contextmanager
def at_rest(project: Project) -> Iterator[None]:
    """No run and no stage starts in a project meanwhile; BusyError when one is at work there."""
    with owned(project) if project.is_checkpoint_dir else stages_at_rest(project):
        yield


@contextmanager
def stages_at_rest(project: Project) -> Iterator[None]:
    """The same for a data repo, where DVC is the user's and only stages can be known to be at work."""
    with project.paths.stage_lock.open("a+") as stage:
        _lock(stage.fileno(), project.root, "A stage, a sweep or a clean is at work", "end it")
        yield


@contextmanager
def _full_disk_reported(path: Path) -> Iterator[None]:
    """A disk that is full under the dir as an OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise OutputError(
            f"--checkpoint-dir {path}: the disk is full ({error.strerror}). Free some space and use --resume."
        ) from error


def _lock(descriptor: int, path: Path, who: str, cure: str = "use another --checkpoint-dir") -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(f"{who} in {path}. Wait for it to end, or {cure}.") from error


def _refuse_running_dvc(project: Project) -> None:
    """BusyError for a live DVC in the dir; the lock of a dead one is removed, since DVC would wait for it."""
    lock = project.paths.rwlock
    try:
        content = yaml.safe_load(lock.read_text(encoding="utf-8")) or {}
        pids = {int(item["pid"]) for kind in content.values() for one in kind.values() for item in _as_list(one)}
    except FileNotFoundError:
        return
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError, ValueError):
        pids = set()  # DVC writes this file in place: a kill leaves it cut off, and it then blocks every later run
    for pid in pids:
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"dvc" in command.read_bytes():
            raise BusyError(f"dvc (process {pid}) is at work in {project.root}. Wait for it to end.")
    lock.unlink(missing_ok=True)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def materialise(project: Project, params: dict[str, Any], sources: list[Source]) -> None:
    """Write the DVC project into the dir: definition, parameters, the input. Equal files stay untouched."""
    paths = project.paths
    for name, packaged in packaged_files().items():
        if name != PARAMS:
            write_if_changed(project.root / name, packaged.read_bytes())
    config = paths.dvc_config.read_text(encoding="utf-8", errors="replace") if paths.dvc_config.is_file() else ""
    write_if_changed(paths.dvc_config, with_our_settings(config).encode())
    write_if_changed(paths.gitignore, b"*\n")
    write_if_changed(paths.params, dump_yaml(params))
    write_json(paths.owned, FREED)
    link(sources, paths.inputs)


def copy_pipeline(project: Project, copy: Project) -> None:
    """Make `copy` a project with the same pipeline, parameters and links to the same input, and nothing built."""
    sources = find_sources(str(project.root / project.params.input))
    embed = dataclasses.replace(project.params.embed, model=project.model)
    moved = dataclasses.replace(project.params, input=linked_input(sources).param, embed=embed)
    materialise(copy, moved.as_dict(), sources)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project.paths.scripts, copy.paths.scripts, ignore=ignored, dirs_exist_ok=True)
    declared = load_yaml(project.paths.definition)["stages"]
    ours = {"stages": {stage: declared[stage] for stage in STAGES}}  # not what else the user makes from the result
    write_whole(copy.paths.definition, dump_yaml(ours))


def free_old_vectors(project: Project) -> None:
    """Remove the vectors of texts that are gone. Only after a success: a killed run goes on from what it saved."""
    record, folder = project.record_of(EMBEDDINGS), project.paths.vectors
    if record is None:
        return
    digest = record.outputs[EMBEDDINGS].digest
    if all(digest in part.name for part in folder.glob("*/*")):
        return  # nothing is there but what embed has just linked in
    from entropyguard.core.embed.vector_store import keep_generation
    from entropyguard.core.storage.parts import PartStore  # pyarrow, which takes longer to load than all else here

    keep_generation(PartStore(folder), digest)
