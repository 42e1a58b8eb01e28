"""Temporary folders: as temporary files, but renamed whole, and removed with what their maker put there alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from entropyguard.core.storage.temporary import may_be_of_another, this_machine

_NAME = re.compile(r"\.entropyguard-([0-9a-f]{8})-[0-9a-f]{16}\.folder\.tmp")


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """A new, empty folder for its owner alone, to fill and rename; what has its name afterwards is removed."""
    path, descriptor = _locked_new_folder(parent)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned_folders(parent: Path, is_ours: Callable[[str], bool]) -> None:
    """Remove the temporary folders whose makers were killed; one that holds another file than `is_ours` tells stays."""
    for path in parent.glob(".entropyguard-*.folder.tmp"):
        if match := _NAME.fullmatch(path.name):
            _remove_if_abandoned(path, match[1], is_ours)


def _remove_if_abandoned(path: Path, machine: str, is_ours: Callable[[str], bool]) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # its maker has just put it in place; or it is another user's, or no folder
        return
    try:
        if may_be_of_another(machine, os.fstat(descriptor)):
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.scandir(path) as entries:
            if not all(entry.is_file(follow_symlinks=False) and is_ours(entry.name) for entry in entries):
                return
        shutil.rmtree(path)
    except OSError:  # it is being filled; or nobody can tell, because there are no locks here
        return
    finally:
        os.close(descriptor)


def _locked_new_folder(parent: Path) -> tuple[Path, int]:
    while True:
        path = parent / f".entropyguard-{this_machine()}-{secrets.token_hex(8)}.folder.tmp"
        path.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # another process took it for abandoned in the moment before it was locked
            continue
        with contextlib.suppress(OSError):  # where there are no locks, nobody removes it either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.is_dir():
            return path, descriptor
        os.close(descriptor)
