"""Errors of the system in the words that were typed: with the flag that a path came with."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from entropyguard.core.errors import DISK_FULL, PATH_REFUSED, EntropyguardError, InputError, OutputError

if TYPE_CHECKING:
    from entropyguard.run.request import Request

REFUSED = PATH_REFUSED | DISK_FULL | {errno.EIO, errno.ESTALE}
"""Errors of the system that lie in a path or a disk, not in this program."""


def path_error(error: OSError, request: Request | None = None) -> EntropyguardError:
    """A path that the system refuses (it may not be searched, is too long, …), by the flag it came with."""
    refused = "" if error.filename is None else os.fsdecode(error.filename)
    paths = {} if request is None else _paths(request)
    flag = min(paths, key=lambda one: _distance(paths[one], refused), default=None) if refused else None
    if flag is not None and _distance(paths[flag], refused)[0] == _UNRELATED:
        flag = None
    kind = InputError if flag == "--input" else OutputError
    named = f"{flag} {paths[flag]}" if flag else refused or "A file"
    return kind(f"{named} cannot be used ({error.strerror}). Name another path, or mend this one.")


def _paths(request: Request) -> dict[str, str]:
    """The paths that were given, by their flags."""
    given = {
        "--input": request.input,
        "--output": request.output,
        "--checkpoint-dir": request.checkpoint_dir,
        "--audit-log": request.audit_log,
        "--report": request.report,
        "--json": request.json_file,
        "--vector-cache": request.vector_cache,
        "--model-name": request.model_name,
    }
    return {flag: str(path) for flag, path in given.items() if path}


_UNRELATED = 3


def _distance(given: str, refused: str) -> tuple[int, int]:
    """How a refused path belongs to a given one: it is the path, lies above it, or below it; then, how far below."""
    one, other = (os.path.realpath(path) for path in (given, refused))
    if one == other:
        return 0, 0
    if one.startswith(other.rstrip("/") + "/"):
        return 1, 0
    return (2, len(other) - len(one)) if other.startswith(one.rstrip("/") + "/") else (_UNRELATED, 0)
