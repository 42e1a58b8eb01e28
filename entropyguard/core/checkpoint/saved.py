"""Which files in a checkpoint dir the API wrote: it replaces and removes no others, whatever their names."""

from __future__ import annotations

import os
from pathlib import Path

from entropyguard.core.checkpoint.cleanup import freed_names
from entropyguard.core.checkpoint.metadata import Metadata, at_rest, write_metadata
from entropyguard.core.errors import ProcessingError, UsageError
from entropyguard.core.storage.files import FileState, content_digest

_PIPELINE_STAGES = ("after_exact_dedup", "after_semantic_dedup")


def saved_names(directory: Path, metadata: Metadata) -> list[str]:
    """The files that the API saved there and nobody has changed since."""
    stages = [name for name, entry in metadata.checkpoints.items() if entry.made_by == "api"]
    return [f"{stage}.parquet" for stage in {*stages, *metadata.saving} if is_as_saved(directory, stage, metadata)]


def is_as_saved(directory: Path, stage: str, metadata: Metadata) -> bool:
    """Whether a stage's file is there with the bytes that the API wrote, be it in a save that was killed."""
    path, entry = directory / f"{stage}.parquet", metadata.checkpoints.get(stage)
    if path.is_symlink() or not path.is_file():
        return False
    known = list(metadata.saving.get(stage, ()))
    if entry is not None and entry.made_by == "api":
        if entry.file_state == FileState.of(path).as_dict():
            return True
        known.append(entry.digest)
    return bool(known) and content_digest(path) in known


def refuse_file_of_others(directory: Path, stage: str, metadata: Metadata) -> None:
    """ProcessingError where a file lies in the stage's place that the API did not write, or not as it is."""
    path = directory / f"{stage}.parquet"
    if os.path.lexists(path) and not is_as_saved(directory, stage, metadata):
        raise ProcessingError(
            f"{path} is not what save_checkpoint wrote, so it is left as it is. "
            "Move or delete it, or save under another stage name."
        )


def refuse_place(directory: Path, stage: str) -> None:
    """Before any work: ProcessingError for a file that is not ours, UsageError for one that is the pipeline's."""
    name = f"{stage}.parquet"
    if (directory / "params.yaml").exists() and (stage in _PIPELINE_STAGES or name in freed_names(directory)):
        raise UsageError(
            f"{directory} is the dir of a pipeline, and {name} is a file of that pipeline. "
            "Save under another stage name, or into another checkpoint_dir."
        )
    with at_rest(directory) as metadata:
        refuse_file_of_others(directory, stage, metadata)


def announce(directory: Path, stage: str, digest: str, metadata: Metadata) -> None:
    """Write down that the stage's file is being replaced, and by what.

    A kill between the file and its entry must leave no entry of other bytes; and the file, old or new, must still be
    known as ours.
    """
    before = metadata.checkpoints.pop(stage, None)
    known = [*metadata.saving.get(stage, ()), *([before.digest] if before else ()), digest]
    metadata.saving[stage] = list(dict.fromkeys(known))
    write_metadata(directory, metadata)
