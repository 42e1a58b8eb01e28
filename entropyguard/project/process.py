"""`python -m entropyguard.project.process ARGUMENTS`: DVC, ended by the kernel when the command line is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies: no orphan works on beside the next run (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run DVC's own command line."""
    die_with_parent()
    if os.environ.get("ENTROPYGUARD_PARENT") not in (None, str(os.getppid())):
        sys.exit(255)  # the parent died before the kernel was told to watch it
    from dvc.cli import main as dvc

    sys.exit(dvc(sys.argv[1:]))


if __name__ == "__main__":
    main()
