"""Temporary files: written beside the place that their content is for, and removed by nobody who should not.

A writer makes its file under a name that no other process anywhere can have, and holds a lock on it for as long as it
writes. What is locked, or does not have exactly such a name, is never removed. A lock is not seen on every network
drive, so the name also says which machine it was made on: what comes from another one has to be a day old as well.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xxhash

_PREFIX, _SUFFIX = ".entropyguard-", ".tmp"
_NAME = re.compile(r"\.entropyguard-([0-9a-f]{8})-[0-9a-f]{16}\.tmp")
_ANOTHER_MACHINES_SECONDS = 86_400


def is_temporary(name: str) -> bool:
    """Whether a file has a name that only `temporary_file` gives."""
    return _NAME.fullmatch(name) is not None


@contextmanager
def temporary_file(folder: Path, *, private: bool = False) -> Iterator[Path]:
    """A new, empty file in the folder, to write to and rename; it is gone afterwards unless it was renamed.

    private: for its owner alone; else it has the mode that any new file gets there.
    """
    path, descriptor = _locked_new_file(folder, 0o600 if private else 0o666)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in the folder whose writers were killed."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        if is_temporary(path.name):
            remove_if_abandoned(path)


def remove_if_abandoned(path: Path) -> bool:
    """Remove one temporary file unless somebody is writing it, or may be; whether it was removed."""
    try:
        # A lock can need the right to write, on some network drives.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # its writer has just finished it; or it is another user's, or no file at all
        return False
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or _may_be_written_elsewhere(path.name, state):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:  # it is being written; or nobody can tell, because there are no locks here
        return False
    finally:
        os.close(descriptor)
    return True


def _locked_new_file(folder: Path, mode: int) -> tuple[Path, int]:
    while True:
        path = folder / f"{_PREFIX}{this_machine()}-{secrets.token_hex(8)}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with contextlib.suppress(OSError):  # where there are no locks, nobody removes it either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another process took it for abandoned in the moment before it was locked


def _may_be_written_elsewhere(name: str, state: os.stat_result) -> bool:
    match = _NAME.fullmatch(name)
    return may_be_of_another(match[1] if match else "", state)


def may_be_of_another(machine: str, state: os.stat_result) -> bool:
    """Whether what was made on a machine may be in use there, where its lock would not be seen here."""
    return machine != this_machine() and time.time() - state.st_mtime < _ANOTHER_MACHINES_SECONDS


def this_machine() -> str:
    """Eight digits that are the same for all processes that see each other's locks: those of one running kernel."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    name = boot.read_bytes() if boot.exists() else platform.node().encode()
    return xxhash.xxh3_64_hexdigest(name)[:8]
