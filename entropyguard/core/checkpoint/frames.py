"""A checkpoint dir and the frames in it: made for one user, written whole, read only if nothing changed them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from entropyguard.core.checkpoint.metadata import Entry
from entropyguard.core.errors import OutputError, ProcessingError, UsageError
from entropyguard.core.storage.files import FileState, content_digest


def check_dir(path: Path) -> None:
    """UsageError when the path cannot be a folder because it, or one above it, is a file."""
    try:
        for parent in [path, *path.parents]:
            if parent.exists() and not parent.is_dir():
                raise UsageError(f"checkpoint_dir {path}: {parent} is a file. Name a folder.")
    except OSError as error:
        raise OutputError(f"checkpoint_dir {path} cannot be used ({error.strerror}). Name another folder.") from error


def make_dir(path: Path) -> None:
    if not path.is_dir():
        check_dir(path)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """OutputError naming the dir for whatever the system refuses."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"checkpoint_dir {directory} cannot be written ({error.strerror or error}).") from error


def write_frame(df: pl.DataFrame, path: Path, stage: str) -> None:
    if not isinstance(df, pl.DataFrame):
        raise UsageError(f"{stage}: a checkpoint is a polars DataFrame, not a {type(df).__name__}. Collect it first.")
    if df.height and not df.width:
        raise UsageError(f"{stage}: a frame with rows but no columns cannot be stored.")
    try:
        df.write_parquet(path, compression="zstd", compression_level=1)
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{stage}: Parquet cannot hold this frame ({error}). Convert or drop that column.") from error


def read_frame(path: Path, entry: Entry) -> pl.DataFrame:
    """The frame, after its bytes were compared; ProcessingError names the file when they are not what was written."""
    cure = "delete the file, and make it again"
    if entry.made_by == "pipeline":
        cure = "run entropyguard with --resume to build it again"
    try:
        if FileState.of(path).as_dict() != entry.file_state and content_digest(path) != entry.digest:
            raise ProcessingError(
                f"Failed to load checkpoint: {path.name}: content differs from what was written; {cure}."
            )
        if entry.made_by == "api":
            return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ProcessingError(f"Failed to load checkpoint: {path.name}: {error}; {cure}.") from error
    from entropyguard.core.export.writers import read_records
    from entropyguard.core.storage.checkpoint import Checkpoint

    return read_records(Checkpoint(path))
