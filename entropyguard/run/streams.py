"""What is written through and never replaced: standard output, other open descriptors, pipes and devices."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from entropyguard.core.errors import OutputError
from entropyguard.core.storage.remote import is_url

STDOUT = "-"
_MOST_LINKS = 40


def is_stream(path: str | Path) -> bool:
    """Whether writing there means writing through: `-`, `/dev/stderr`, `/dev/fd/63`, a pipe or a device."""
    if descriptor_of(path) is not None:
        return True
    if is_url(str(path)):
        return False
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def descriptor_of(path: str | Path) -> int | None:
    """The descriptor of this process that a path stands for, also through links; None for any other path.

    What it leads to may be a regular file, as in `--json /dev/stderr 2>log`: that is the shell's, and goes on.
    """
    if str(path) == STDOUT:
        return 1
    named = str(path)
    for _ in range(_MOST_LINKS):
        folder, name = os.path.split(named)
        named = os.path.join(os.path.realpath(folder), name)  # noqa: PTH118  `..` and a last link as they are
        match = re.fullmatch(rf"/(?:dev|proc/{os.getpid()}(?:/task/\d+)?)/fd/(\d+)", named)
        if match is not None:
            return int(match[1])
        if not os.path.islink(named):  # noqa: PTH114
            return None
        named = os.path.join(os.path.dirname(named), os.readlink(named))  # noqa: PTH115, PTH118, PTH120
    return None


@contextmanager
def open_stream(path: str | Path, flag: str) -> Iterator[BinaryIO]:
    """A stream to write to; OutputError names the flag when its reader has gone, or it cannot be written."""
    try:
        if str(path) == STDOUT:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        descriptor = descriptor_of(path)
        sys.stdout.flush()  # what was printed so far comes first
        with Path(path).open("wb") if descriptor is None else os.fdopen(os.dup(descriptor), "wb") as file:
            yield file
    except BrokenPipeError as error:
        if str(path) != STDOUT:
            raise OutputError(f"{flag} {path}: its reader has gone before all was written.") from error
        # Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputError("stdout was closed before all rows were written; the checkpoints are complete.") from error
    except OSError as error:
        name = "stdout" if str(path) == STDOUT else f"{flag} {path}"
        raise OutputError(f"{name} could not be written ({error.strerror}).") from error
