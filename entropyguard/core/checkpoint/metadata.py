"""`checkpoint_metadata.json`: what is known of every checkpoint in a dir, shared by the pipeline and the API.

    {"version": 1,
     "checkpoints": {NAME: {stage, input_path, input_hash, config_hash, row_count, checkpoint_path, timestamp,
                            made_by, digest, file_state, input_files, config}},
     "pipeline": {the build's own},
     "saving": {NAME: [digests of what may lie in its file: of a save that was killed, and before it]}}

Entries stand in the order they were written, so the last is the latest. The file is only written under an
flock, read anew each time, so that processes saving at once lose nothing of each other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from entropyguard.core.checkpoint.validity import config_hash
from entropyguard.core.errors import ProcessingError, UsageError
from entropyguard.core.rows.source import CHECKPOINT_MARKER
from entropyguard.core.storage.files import FileState, read_json, write_json

FILE = "checkpoint_metadata.json"
FOLDER = CHECKPOINT_MARKER
VERSION = 1


@dataclass(frozen=True)
class Entry:
    """A checkpoint as the file knows it.

    `checkpoint_path` is relative to the dir; `timestamp` counts seconds since 1970. `input_files` are the
    resolved input files by the name that `input_hash` has them under ("" for a lone file, or for the folder
    that the API was given). `config` holds the parameters a pipeline's checkpoint depends on, under "keys".
    """

    stage: str
    input_path: str
    input_hash: str
    config_hash: str
    row_count: int
    checkpoint_path: str
    timestamp: float
    made_by: str
    digest: str
    file_state: dict[str, int]
    input_files: dict[str, str]
    config: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, name: str, value: Any) -> Entry | None:
        """The entry, or None when it is none of ours: then there is no such checkpoint."""
        try:
            entry = cls(**value)
            sound = entry.stage == name and entry.made_by in ("api", "pipeline") and name == safe_stage(name)
            sound = sound and isinstance(entry.input_files, dict) and isinstance(entry.row_count, int)
            sound = sound and (entry.made_by == "api" or isinstance(entry.config["keys"], dict))
        except (TypeError, KeyError, UsageError):
            return None
        return entry if sound else None


@dataclass
class Metadata:
    """The file's content; `pipeline` is the build's own."""

    checkpoints: dict[str, Entry]
    pipeline: dict[str, Any]
    saving: dict[str, list[str]] = field(default_factory=dict)


def safe_stage(stage: str) -> str:
    """The stage's name itself, when `<stage>.parquet` is a plain file name; else UsageError."""
    good = isinstance(stage, str) and stage.isprintable() and not stage.startswith(".")
    if not good or not stage or "/" in stage or "\\" in stage or len(stage.encode()) > 200:
        raise UsageError(
            f"{stage!r} is no stage name: it becomes a file's name, so it must be text of 1 to 200 bytes "
            "without slashes, line breaks or a leading dot."
        )
    return stage


def pipeline_entry(
    checkpoint: Path,
    *,
    input_path: str,
    input_files: dict[str, str],
    input_hash: str,
    keys: dict[str, Any],
    row_count: int,
    digest: str,
    finished_at: float,
) -> Entry:
    """The entry of a checkpoint that the pipeline built, for `write_entries`.

    checkpoint: the file in place, e.g. DIR/after_exact_dedup.parquet; its file state is taken now, so it must be
        known to have `digest` (`content_digest`).
    input_path: the input as the user gave it, a glob or folder included.
    input_files: the input files, links resolved, by the name that `input_hash`, DVC's, has them under ("" when there
        is one); remote ones by their URLs.
    keys: every parameter of the checkpoint's whole upstream, by dotted name.
    finished_at: when its stage ended, in seconds since 1970.
    """
    return Entry(
        stage=checkpoint.stem,
        input_path=input_path,
        input_hash=input_hash,
        config_hash=config_hash(keys),
        row_count=row_count,
        checkpoint_path=checkpoint.name,
        timestamp=finished_at,
        made_by="pipeline",
        digest=digest,
        file_state=FileState.of(checkpoint).as_dict(),
        input_files=input_files,
        config={"keys": keys},
    )


def write_entries(directory: Path, entries: list[Entry], pipeline: dict[str, Any] | None = None) -> None:
    """Put `entries`, in the order of the pipeline, in the place of all that the pipeline had in the file.

    No entries: the pipeline's checkpoints are not for use, as while a build replaces them. What the API saved
    stays. `pipeline` replaces the build's own part; None leaves it as it is.
    """
    with changing(directory) as metadata:
        saved = {name: entry for name, entry in metadata.checkpoints.items() if entry.made_by == "api"}
        metadata.checkpoints = {**saved, **{entry.stage: entry for entry in entries}}
        if pipeline is not None:
            metadata.pipeline = pipeline


def read_metadata(directory: Path) -> Metadata:
    """What the dir's file says; nothing when there is none, or one that cannot be parsed.

    UsageError when a later entropyguard wrote it.
    """
    path = directory / FILE
    try:
        content = read_json(path)
    except OSError as error:
        raise ProcessingError(f"{path} cannot be read ({error.strerror}).") from error
    if not isinstance(content, dict) or "version" not in content:  # entropyguard 1 wrote none, and other entries
        return Metadata({}, {})
    if content["version"] != VERSION:
        raise UsageError(f"{path} is of version {content['version']}; upgrade entropyguard, or name another dir.")
    found = content.get("checkpoints")
    read = {name: Entry.from_json(name, value) for name, value in found.items()} if isinstance(found, dict) else {}
    pipeline = content.get("pipeline")
    return Metadata(
        {name: entry for name, entry in read.items() if entry},
        pipeline if pipeline else {},
        _digests(content.get("saving")),
    )


def _digests(saving: Any) -> dict[str, list[str]]:
    return {str(name): list(map(str, known)) for name, known in saving.items()} if isinstance(saving, dict) else {}


def refuse_metadata_of_others(directory: Path) -> None:
    """ProcessingError for a file of this name in a dir where nothing of ours has ever been."""
    path = directory / FILE
    if not (directory / FOLDER).is_dir() and os.path.lexists(path) and not _is_ours(path):
        raise ProcessingError(
            f"{path} was not written by this entropyguard. Move or delete it, or name another checkpoint_dir."
        )


def _is_ours(path: Path) -> bool:
    content = read_json(path)
    return isinstance(content, dict) and "version" in content and "checkpoints" in content


def write_metadata(directory: Path, metadata: Metadata) -> None:
    """Write the file whole, or remove it when it would say nothing; the caller holds the lock (`changing`)."""
    if not metadata.checkpoints and not metadata.pipeline and not metadata.saving:
        (directory / FILE).unlink(missing_ok=True)
        return
    checkpoints = {name: asdict(entry) for name, entry in metadata.checkpoints.items()}
    content = {"version": VERSION, "checkpoints": checkpoints, "pipeline": metadata.pipeline}
    if metadata.saving:
        content["saving"] = metadata.saving
    write_json(directory / FILE, content)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """No other process is in here, or changes the file, meanwhile; not to be entered twice by one."""
    (directory / FOLDER).mkdir(mode=0o700, exist_ok=True)
    with (directory / FOLDER / "metadata.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def changing(directory: Path) -> Iterator[Metadata]:
    """The file's content, to be changed in place; it is written on a clean exit. Others wait meanwhile."""
    with alone(directory):
        metadata = read_metadata(directory)
        yield metadata
        write_metadata(directory, metadata)


@contextmanager
def at_rest(directory: Path) -> Iterator[Metadata]:
    """The file's content; no entry and no file of the API changes meanwhile. A read-only dir will do."""
    try:
        descriptor = os.open(directory / FOLDER / "metadata.lock", os.O_RDONLY)
    except OSError:  # nobody ever saved here
        yield read_metadata(directory)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield read_metadata(directory)
    finally:
        os.close(descriptor)
