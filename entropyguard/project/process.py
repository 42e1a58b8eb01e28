"""`python -m entropyguard.project.process ARGUMENTS`: DVC, as a build needs it.

The kernel ends it when the command line is killed, and it writes `dvc.lock` whole or not at all.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entropyguard.core.storage.files import write_whole

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies: no orphan works on beside the next run (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def write_lock_whole() -> None:
    """Let DVC, in this process, write `dvc.lock` under a temporary name and rename it into place.

    DVC opens the file itself for writing, so a kill may leave it cut off, and DVC would then do nothing at all.
    Read in DVC 3.67.1: `Lockfile.dump_stages` writes through `modify_yaml`, and that through this one function.
    """
    from dvc.utils.serialize import _common

    def dump_data(path: str, data: Any, dumper: Callable[[Any, io.StringIO], Any], **_: Any) -> None:
        content = io.StringIO()
        dumper(data, content)
        write_whole(Path(path), content.getvalue().encode())

    if not callable(getattr(_common, "_dump_data", None)):
        sys.exit("ERROR: this DVC writes dvc.lock in another way than 3.67. Install dvc>=3.67,<3.68.")
    _common._dump_data = dump_data


def main() -> None:
    """Run DVC's own command line."""
    die_with_parent()
    if os.environ.get("ENTROPYGUARD_PARENT") not in (None, str(os.getppid())):
        sys.exit(255)  # the parent died before the kernel was told to watch it
    write_lock_whole()
    from dvc.cli import main as dvc

    sys.exit(dvc(sys.argv[1:]))


if __name__ == "__main__":
    main()
