"""Removing what a build made in a checkpoint dir, and nothing else."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from entropyguard.core.checkpoint.metadata import FOLDER
from entropyguard.core.errors import BusyError
from entropyguard.core.storage.files import read_json
from entropyguard.core.storage.own_files import OwnNames, remove_own

FREED_FILE = f"{FOLDER}/owned.json"
_BUILD_LOCKS = ("lock", "stage.lock")


def freed_names(directory: Path) -> OwnNames:
    """The paths in the dir that its build says may be removed; none in a dir without a build."""
    names = read_json(directory / FREED_FILE)
    try:
        return OwnNames(name for name in names if isinstance(name, str)) if isinstance(names, list) else OwnNames(())
    except re.error:
        return OwnNames(())


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


def remove_freed(directory: Path, spared: Container[str]) -> None:
    """Remove what the build made, but for the names in `spared`."""
    remove_own(directory, freed_names(directory), spared=spared)
