"""Folders that Hugging Face's `datasets` wrote with `save_to_disk`: which of their files hold rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.search import Skip

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
UNNAMED = f"not named in the data set's {STATE}"

Read = Callable[[str], bytes | None]
"""Gives the content of a file by its path below the folder, None where there is none."""


def saved_dataset(folder: Path, skip: Skip) -> list[Path] | None:
    """The files with the rows of a saved data set, in order; None where the folder is none.

    What else lies there, such as files that `datasets` has cached, is skipped. Of a folder of splits the only one is
    taken; DataFormatError names them where there are several, and for rows that only an index picks out.
    """

    def read(name: str) -> bytes | None:
        try:
            return (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    named = named_files(str(folder), read)
    if named is None:
        return None
    below, names = folder / named[0], named[1]
    for path in sorted(below.iterdir()):
        if path.name not in {*names, STATE, INFO}:
            skip(path, UNNAMED)
    return [below / name for name in names]


def named_files(folder: str, read: Read) -> tuple[str, list[str]] | None:
    """The folder below this one that holds the files, "" for itself, and their names; None where it is no data set."""
    splits, below = _noted(read(SPLITS), "splits"), ""
    if isinstance(splits, list) and all(isinstance(name, str) for name in splits):
        if len(splits) != 1:
            raise DataFormatError(
                f"{folder} is a data set of {len(splits)} splits: {', '.join(splits) or 'none'}. "
                f"Name one of them: {folder.rstrip('/')}/{(splits or ['train'])[0]}."
            )
        below = f"{splits[0]}/"
    state = read(below + STATE)
    files = _noted(state, "_data_files")
    if not isinstance(files, list):
        return None
    if _noted(state, "_indices_data_files"):
        raise DataFormatError(
            f"{folder.rstrip('/')}/{below}".rstrip("/") + " holds rows that an index picks out. "
            "Write them out: `ds.flatten_indices().save_to_disk(NEW)`."
        )
    return below, [str(one["filename"]) for one in files if isinstance(one, dict) and "filename" in one]


def _noted(content: bytes | None, name: str) -> Any:
    """A value that a file of notes has; None where there is no such file, or no such value."""
    try:
        notes = None if content is None else json.loads(content)
    except ValueError:
        return None
    return notes.get(name) if isinstance(notes, dict) else None
