"""Folders that Hugging Face's `datasets` wrote with `save_to_disk`: which of their files hold rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.search import Skip

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
UNNAMED = f"not named in the data set's {STATE}"


def saved_dataset(folder: Path, skip: Skip) -> list[Path] | None:
    """The files with the rows of a saved data set, in order; None where the folder is none.

    What else lies there, such as files that `datasets` has cached, is skipped. Of a folder of splits the only one is
    taken; DataFormatError names them where there are several, and for rows that only an index picks out.
    """
    splits = _noted(folder / SPLITS, "splits")
    if isinstance(splits, list) and all(isinstance(name, str) for name in splits):
        if len(splits) != 1:
            raise DataFormatError(
                f"{folder} is a data set of {len(splits)} splits: {', '.join(splits) or 'none'}. "
                f"Name one of them: {folder / (splits or ['train'])[0]}."
            )
        folder = folder / splits[0]
    files = _noted(folder / STATE, "_data_files")
    if not isinstance(files, list):
        return None
    if _noted(folder / STATE, "_indices_data_files"):
        raise DataFormatError(
            f"{folder} holds rows that an index picks out. Write them out: `ds.flatten_indices().save_to_disk(NEW)`."
        )
    paths = [folder / str(one["filename"]) for one in files if isinstance(one, dict) and "filename" in one]
    for path in sorted(folder.iterdir()):
        if path not in paths and path.name not in {STATE, INFO}:
            skip(path, UNNAMED)
    return paths


def _noted(path: Path, name: str) -> Any:
    """A value that a file of notes has; None where there is no such file, or no such value."""
    try:
        notes = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return notes.get(name) if isinstance(notes, dict) else None
