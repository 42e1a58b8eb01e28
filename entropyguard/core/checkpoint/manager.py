"""Checkpoints for users' own pipelines, and reading those of ours.

A checkpoint is `<stage>.parquet` in the checkpoint dir with an entry in `checkpoint_metadata.json`. It is used
only for the input and the configuration it was made from, and only while its bytes are those that were written.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from typing import Any

import polars as pl

from entropyguard.core.checkpoint.cleanup import build_at_rest, remove_freed
from entropyguard.core.checkpoint.frames import check_dir, make_dir, read_frame, write_frame, writing
from entropyguard.core.checkpoint.metadata import (
    FOLDER,
    Entry,
    Metadata,
    at_rest,
    changing,
    refuse_metadata_of_others,
    safe_stage,
)
from entropyguard.core.checkpoint.saved import announce, refuse_file_of_others, refuse_place, saved_names
from entropyguard.core.checkpoint.validity import config_hash, files_hash, input_hash, pipeline_config_matches
from entropyguard.core.errors import DataFormatError, InputError, UsageError
from entropyguard.core.storage.files import FileState, content_digest, put_in_place
from entropyguard.core.storage.remote import is_url
from entropyguard.core.storage.temporary import remove_abandoned, temporary_file

__all__ = ["CheckpointManager", "CheckpointMetadata"]


@dataclass(frozen=True)
class CheckpointMetadata:
    """What is known of a checkpoint: paths as text, hashes as DVC takes them, the timestamp in seconds since 1970."""

    stage: str
    input_path: str
    input_hash: str
    config_hash: str
    row_count: int
    checkpoint_path: str
    timestamp: float


class CheckpointManager:
    """The checkpoints in a dir: saved after a stage of your own, loaded instead of running it again.

    checkpoint_dir: made, for you alone, on the first save; None turns everything off, and every method then
        does nothing and returns None. UsageError when it is a file or lies in one.

    A checkpoint is valid for the same input path, the same input content and an equal `config_dict`. In a dir that
    `entropyguard --checkpoint-dir` built, `after_exact_dedup` and `after_semantic_dedup` can be loaded as well.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import polars as pl
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "data.csv").write_text("text\\ngood\\nbad\\n")
    >>> manager = CheckpointManager(checkpoint_dir=folder / "checkpoints")
    >>> def good_rows() -> pl.DataFrame:
    ...     rows = manager.load_checkpoint("good_rows", folder / "data.csv", {"word": "good"})
    ...     if rows is None:
    ...         print("filtering")
    ...         rows = pl.read_csv(folder / "data.csv").filter(pl.col("text") == "good")
    ...         _ = manager.save_checkpoint("good_rows", rows, folder / "data.csv", {"word": "good"})
    ...     return rows
    >>> good_rows().height
    filtering
    1
    >>> good_rows().height
    1
    >>> manager.get_checkpoint_stage()
    'good_rows'
    """

    def __init__(self, checkpoint_dir: str | os.PathLike[str] | None = None) -> None:
        if checkpoint_dir == "":
            raise UsageError("checkpoint_dir is empty. Name a folder, or give None to turn checkpoints off.")
        self._dir = None if checkpoint_dir is None else Path(checkpoint_dir)
        if self._dir is not None:
            check_dir(self._dir)

    def is_enabled(self) -> bool:
        """Whether there is a checkpoint dir."""
        return self._dir is not None

    def save_checkpoint(
        self, stage: str, df: pl.DataFrame, input_path: str | os.PathLike[str], config_dict: dict[str, Any]
    ) -> str | None:
        """Store `df` as what `stage` made of the input with this configuration; the path of the file, or None.

        input_path: a file or a folder; it should hold what `df` was made from, as it is hashed now.
        config_dict: JSON values that decide the result; the order of keys does not matter.

        UsageError for a stage that is no plain file name or is the pipeline's own, for a frame that Parquet
        cannot hold, and for a `config_dict` that JSON cannot; InputError when the input cannot be read;
        OutputError when the dir cannot be written; ProcessingError when the stage's file holds what was not saved
        here: it stays.
        """
        if self._dir is None:
            return None
        path = self._dir / f"{safe_stage(stage)}.parquet"
        source = Path(input_path)
        config, content = config_hash(config_dict), self._input_hash(source)
        with writing(self._dir):
            make_dir(self._dir)
            refuse_metadata_of_others(self._dir)
            refuse_place(self._dir, stage)
            remove_abandoned(self._dir)
            with temporary_file(self._dir, private=True) as temporary:
                write_frame(df, temporary, stage)
                digest = content_digest(temporary)
                with changing(self._dir) as metadata:
                    refuse_file_of_others(self._dir, stage, metadata)
                    announce(self._dir, stage, digest, metadata)
                    put_in_place(temporary, path)
                    del metadata.saving[stage]
                    metadata.checkpoints[stage] = Entry(
                        stage=stage,
                        input_path=str(source),
                        input_hash=content,
                        config_hash=config,
                        row_count=df.height,
                        checkpoint_path=path.name,
                        timestamp=time.time(),
                        made_by="api",
                        digest=digest,
                        file_state=FileState.of(path).as_dict(),
                        input_files={"": str(source.resolve())},
                    )
        return str(path)

    def _input_hash(self, source: Path) -> str:
        if self._dir is not None and source.is_dir() and source.resolve() == self._dir.resolve():
            raise UsageError(f"{source} is both the input and the checkpoint dir. Name another checkpoint_dir.")
        return input_hash(source)

    def load_checkpoint(
        self, stage: str, input_path: str | os.PathLike[str], config_dict: dict[str, Any]
    ) -> pl.DataFrame | None:
        """What `save_checkpoint` stored for this stage, input and configuration, or None: absent or invalid.

        Of a pipeline's checkpoint come the user's columns. It is valid for the same input files with the same
        content, if every parameter in `config_dict` that it depends on has the same value; parameters may be named
        as in `params.yaml`, dotted or nested, or as the flags (`dedup_threshold`). Names that the checkpoint
        does not depend on, known or not, are ignored.

        ProcessingError when the checkpoint is valid but its file was damaged. All of it is read into memory.
        """
        if self._dir is None:
            return None
        path = self._dir / f"{safe_stage(stage)}.parquet"
        config = config_hash(config_dict)
        with at_rest(self._dir) as metadata:
            entry = metadata.checkpoints.get(stage)
            if entry is None or not path.is_file():
                return None
            if entry.made_by == "pipeline":
                valid = pipeline_config_matches(entry.config["keys"], config_dict)
                valid = valid and self._is_pipeline_input(entry, os.fspath(input_path))
            else:
                valid = entry.config_hash == config and self._is_input(entry, Path(input_path))
            return read_frame(path, entry) if valid else None

    def _is_input(self, entry: Entry, source: Path) -> bool:
        if entry.input_files != {"": str(source.resolve())}:
            return False
        try:
            return self._input_hash(source) == entry.input_hash
        except InputError:  # what cannot be read is not what the checkpoint was made from
            return False

    def _is_pipeline_input(self, entry: Entry, spec: str) -> bool:
        from entropyguard.core.ingest.inputs import find_sources
        from entropyguard.core.ingest.objects_note import note_of

        try:
            sources = find_sources(spec)
            if is_url(spec):
                return md5(note_of(sources), usedforsecurity=False).hexdigest() == entry.input_hash
            found = [source.path.resolve() for source in sources if isinstance(source.path, Path)]
            if self._dir is not None:  # a build reads nothing of its own dir
                found = [path for path in found if not path.is_relative_to(self._dir.resolve())]
            files = {name: Path(path) for name, path in entry.input_files.items()}
            return found == list(files.values()) and files_hash(files) == entry.input_hash
        except (InputError, DataFormatError):
            return False

    def find_latest_checkpoint(self) -> CheckpointMetadata | None:
        """The checkpoint that was saved last and is still there; in a pipeline's dir its last published one."""
        if self._dir is None:
            return None
        with at_rest(self._dir) as metadata:
            entry = self._latest(metadata)
        if entry is None:
            return None
        return CheckpointMetadata(
            entry.stage,
            entry.input_path,
            entry.input_hash,
            entry.config_hash,
            entry.row_count,
            str(self._dir / f"{entry.stage}.parquet"),
            entry.timestamp,
        )

    def _latest(self, metadata: Metadata) -> Entry | None:
        entries = reversed(metadata.checkpoints.values())
        return next(
            (entry for entry in entries if self._dir and (self._dir / f"{entry.stage}.parquet").is_file()), None
        )

    def get_checkpoint_stage(self) -> str | None:
        """The stage of the latest checkpoint."""
        latest = self.find_latest_checkpoint()
        return None if latest is None else latest.stage

    def cleanup_checkpoints(self, keep_latest: bool = False) -> None:
        """Remove the checkpoints, all or all but the latest; in a pipeline's dir also its cache and its store.

        Files that are neither a checkpoint, as it was saved, nor the build's own stay. BusyError while a build is at
        work there.
        """
        if self._dir is None or not (self._dir / FOLDER).is_dir():
            return
        with writing(self._dir), build_at_rest(self._dir), changing(self._dir) as metadata:
            latest = self._latest(metadata) if keep_latest else None
            kept = "" if latest is None else f"{latest.stage}.parquet"
            # The entries go last: a file without one would not be known as ours after a kill.
            for name in saved_names(self._dir, metadata):
                if name != kept:
                    (self._dir / name).unlink()
            remove_freed(self._dir, {kept})
            remove_abandoned(self._dir)
            metadata.checkpoints = {} if latest is None else {latest.stage: latest}
            metadata.saving = {}
