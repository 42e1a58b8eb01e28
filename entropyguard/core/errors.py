"""Every error entropyguard raises on purpose, each with the exit code it ends a run with.

    EntropyguardError           1   a guard stopped the run, or something general
    ├── BusyError               1   another process owns the checkpoint dir
    ├── LossError               1   more would be dropped than --max-loss allows
    ├── ProcessingError         1   a checkpoint is damaged or a stage could not go on
    ├── UsageError              2   a flag's value, an unknown model, a dir that is not ours
    ├── DataFormatError        64   a malformed line under --strict, a missing or non-text column
    ├── InputError             65   the input is missing, empty, unreadable, or changed meanwhile
    ├── OutputError            66   --output, --audit-log or the checkpoint dir cannot be written
    └── InternalError          70   a bug: the rows do not add up

A message says what happened, where, and what to do next, on one or two lines. Interrupted runs end with 130
(Ctrl-C) or 143 (SIGTERM) and have no class: nothing went wrong.
"""

from __future__ import annotations

import errno
from typing import ClassVar

__all__ = [
    "DISK_FULL",
    "PATH_REFUSED",
    "BusyError",
    "DataFormatError",
    "EntropyguardError",
    "InputError",
    "InternalError",
    "LossError",
    "OutputError",
    "ProcessingError",
    "UsageError",
]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The system's errors for a disk, a quota or a file size that is used up."""

PATH_REFUSED = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
)
"""Its errors for a path that may not, or cannot, be opened."""


class EntropyguardError(Exception):
    """Base of all of them; `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class BusyError(EntropyguardError):
    """Another process is at work in the checkpoint dir."""


class LossError(EntropyguardError):
    """More rows would be dropped than the loss guard allows."""


class ProcessingError(EntropyguardError):
    """A checkpoint is damaged, or a stage could not go on with what it was given."""


class UsageError(EntropyguardError):
    """The call itself is wrong: a flag's value, an unknown model, a dir that is not ours."""

    exit_code = 2


class DataFormatError(EntropyguardError):
    """The data does not have the shape that was asked for."""

    exit_code = 64


class InputError(EntropyguardError):
    """The input file is missing, empty, unreadable, or changed while it was read."""

    exit_code = 65


class OutputError(EntropyguardError):
    """A result could not be written."""

    exit_code = 66


class InternalError(EntropyguardError):
    """An invariant of entropyguard itself does not hold."""

    exit_code = 70
