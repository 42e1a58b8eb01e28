"""A result as a folder that Hugging Face's `datasets` loads with `load_from_disk`: put in place whole, or not at all.

Only a folder that is new, empty or an earlier result of ours is written; that one is told by its fingerprint, which
`datasets` replaces when it saves something else there. What it caches beside the data (`filter`, `map`) is of that
result alone, and goes with it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from entropyguard.core.errors import OutputError
from entropyguard.core.storage.files import content_digest, sync_file
from entropyguard.core.storage.temporary_folder import remove_abandoned_folders, temporary_folder

DATA_FILE = "data-00000-of-00001.arrow"
_STATE, _INFO = "state.json", "dataset_info.json"
_OURS = "entropyguard-"
_CACHED = "cache-*.arrow"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def is_folder(output: str) -> bool:
    """Whether an output is to be such a folder: its name ends with a slash."""
    return output.endswith("/")


def check_folder(folder: Path, named: str) -> None:
    """OutputError, which begins with `named`, when the folder is somebody else's or cannot be made."""
    if not folder.parent.is_dir():
        raise OutputError(f"{named}: the folder {folder.parent} does not exist. Make it first.")
    if not os.access(folder.parent, os.W_OK):
        raise OutputError(f"{named} cannot be written: {folder.parent} is read-only.")
    if folder.exists() and not _may_be_replaced(folder):
        raise OutputError(f"{named} is no data set that entropyguard wrote, and not empty. Name a new folder.")


def _may_be_replaced(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    if not names:
        return True
    try:
        state = json.loads((folder / _STATE).read_bytes())
    except (OSError, ValueError):
        return False
    ours = isinstance(state, dict) and str(state.get("_fingerprint")).startswith(_OURS)
    return ours and all(map(_is_ours, names))


def _is_ours(name: str) -> bool:
    """Whether a file in such a folder is a result's, or what `datasets` cached of it."""
    return name in {DATA_FILE, _STATE, _INFO} or fnmatch(name, _CACHED)


def publish_folder(stream: Path, output: str, flag: str) -> None:
    """Make the folder of an Arrow stream; its features are what `datasets` reads from the stream's schema."""
    folder = Path(os.path.realpath(output))
    check_folder(folder, f"{flag} {output}")
    try:
        remove_abandoned_folders(folder.parent, _is_ours)
        with temporary_folder(folder.parent) as made:
            shutil.copyfile(stream, made / DATA_FILE)
            _write_notes(made, content_digest(stream))
            for path in made.iterdir():
                sync_file(path)
            umask = os.umask(0)
            os.umask(umask)
            made.chmod(0o777 & ~umask)
            _put_in_place(made, folder)
    except OSError as error:
        raise OutputError(
            f"{flag} {output} could not be written ({error.strerror}); what was there before stays."
        ) from error


def _write_notes(folder: Path, digest: str) -> None:
    state: dict[str, Any] = {
        "_data_files": [{"filename": DATA_FILE}],
        "_fingerprint": f"{_OURS}{digest[:16]}",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    info = {"citation": "", "description": "", "homepage": "", "license": ""}
    for name, notes in ((_STATE, state), (_INFO, info)):
        (folder / name).write_text(json.dumps(notes, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _put_in_place(made: Path, folder: Path) -> None:
    """Give a folder its name; one that has it takes the other's, in the same moment where the kernel can do that."""
    if not folder.exists():
        made.rename(folder)
        return
    exchanged = ctypes.CDLL(None, use_errno=True).renameat2(
        _AT_FDCWD, os.fsencode(made), _AT_FDCWD, os.fsencode(folder), _RENAME_EXCHANGE
    )
    if exchanged == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(number, os.strerror(number))
    aside = made.with_suffix(".old")  # no name that is removed: for a moment it is all there is
    folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    aside.rename(made)
