"""Removing what lies in a checkpoint dir: what the build owns there, and what killed saves left."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from entropyguard.core.checkpoint.metadata import FOLDER, alone
from entropyguard.core.errors import BusyError, ProcessingError
from entropyguard.core.storage.files import read_json

OWNED_FILE = f"{FOLDER}/owned.json"
_BUILD_LOCKS = ("lock", "stage.lock")
_UNFINISHED = ".save-"


def owned_names(directory: Path) -> list[str]:
    """The paths in the dir, relative to it, that its build says may be removed; none in a dir without a build."""
    names = read_json(directory / OWNED_FILE)
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


@contextmanager
def build_at_rest(directory: Path) -> Iterator[None]:
    """No build and no stage starts in the dir meanwhile; BusyError when one is at work."""
    with ExitStack() as held:
        for name in _BUILD_LOCKS:
            path = directory / FOLDER / name
            if not path.exists():
                continue
            lock = held.enter_context(path.open("a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError(f"A build is at work in {directory}. Wait for it to end, then clean up.") from error
        yield


def remove_owned(directory: Path, kept: set[str]) -> None:
    """Remove what the build owns, but for the names in `kept`. ProcessingError for a path that leaves the dir."""
    root = directory.resolve()
    for name in owned_names(directory):
        path = directory / name
        if not path.parent.resolve().is_relative_to(root) or path.name in ("", "..") or path.resolve() == root:
            raise ProcessingError(f"{directory / OWNED_FILE} names {name}, which is not in the dir. Delete that file.")
        if name in kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def unfinished_file(directory: Path) -> Iterator[Path]:
    """A new file in the dir to write to and rename; it is removed unless renamed, after a kill by the next save."""
    with alone(directory):  # a file is never seen without its lock
        remove_unfinished(directory)
        descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, suffix=".tmp", dir=directory)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield Path(name)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def remove_unfinished(directory: Path) -> None:
    """Remove what killed saves left, not what is being written and so locked; the caller is `alone`."""
    for path in directory.glob(f"{_UNFINISHED}*.tmp"):
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileNotFoundError):
            continue
        path.unlink(missing_ok=True)
