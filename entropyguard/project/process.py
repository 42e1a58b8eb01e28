"""`python -m entropyguard.project.process SOCKET [MODULE]`: DVC, as a build needs it.

It imports DVC, then waits on the socket for what DVC is to do. The kernel ends it when the command line is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from typing import NoReturn

from entropyguard.project.beside import Beside
from entropyguard.project.requests import receive_request

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies: no orphan works on beside the next run (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def collect_rarely() -> None:
    """Look for garbage after 100,000 new objects, not 700: nearly all of them are modules, and these stay."""
    gc.set_threshold(100_000, 50, 50)


def end_at_once(code: int) -> NoReturn:
    """End this process, its streams written out, without taking its modules apart: torch's alone take half a second.

    Whatever has to be closed must be closed before.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_dvc(command: str, *arguments: str) -> int:
    """Let DVC do `repro [--force]` or `commit STAGE` in the current folder; an exit code. What failed goes to stderr.

    Without its own command line, which would import each of DVC's commands.
    """
    from entropyguard.project.dvc_changes import change_dvc

    change_dvc()
    from dvc.log import logger
    from dvc.repo import Repo
    from dvc.ui import ui

    ui.enable()
    try:
        with Repo() as repo:
            if command == "commit":
                repo.commit(*arguments, force=True)
            else:
                repo.reproduce(force="--force" in arguments, run_cache=False)
    except Exception:  # noqa: BLE001  the rim of the process
        logger.exception("")  # with the errors that led to it, on a line
        return 255
    return 0


def main() -> None:
    """Do what is asked for over the socket; end if nothing is.

    The module that is the second argument is started beside it now, and not when it is asked for.
    """
    die_with_parent()
    if os.environ.get("ENTROPYGUARD_PARENT") not in (None, str(os.getppid())):
        sys.exit(255)  # the parent died before the kernel was told to watch it
    collect_rarely()
    beside = Beside()
    for module in sys.argv[2:]:
        beside.start(module)
    with contextlib.suppress(Exception):  # what cannot be imported is said below, in the log
        from entropyguard.project.dvc_changes import import_ahead

        import_ahead()
    connection = socket.socket(fileno=int(sys.argv[1]))  # its other end tells of this process's end, too
    connection.set_inheritable(False)
    request = receive_request(connection)
    code = 0
    if request is not None:
        request.become()
        beside.serve_scripts()
        code = run_dvc(*sys.argv)
    beside.end()
    end_at_once(code)


if __name__ == "__main__":
    main()
