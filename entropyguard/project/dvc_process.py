"""DVC's process, as the command line sees it: started, perhaps long before it is known what DVC is to do, then asked.

It runs in a process session of its own, so that the whole tree (DVC, its scripts, the process beside it) can be ended
together: left to itself a killed DVC leaves its stage running.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys

from entropyguard.project.requests import Request, send_request

_ahead: list[DvcProcess] = []


class DvcProcess:
    """A process that has DVC, or is importing it (see `process`); it ends by itself when this one does."""

    def __init__(self, beside: str = "") -> None:
        """beside: a module to start beside it at once."""
        self._connection, theirs = socket.socketpair()
        module = "entropyguard.project.process"
        with theirs:
            self.popen = subprocess.Popen(
                # Without -P the user's folder would come first in sys.path.
                [sys.executable, "-P", "-m", module, str(theirs.fileno()), *beside.split()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, "ENTROPYGUARD_PARENT": str(os.getpid()), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    def ask(self, request: Request) -> None:
        """Have DVC run on the arguments of a request."""
        with contextlib.suppress(ConnectionError):  # it is gone, as its exit code tells
            send_request(self._connection, request)

    def wait(self) -> int:
        """Wait for its end; its exit code."""
        with self._connection:
            # The other end closes with the process. Not by `recv`: polars lets all calls but this one go on after a
            # SIGINT, and Ctrl-C would change nothing.
            select.select([self._connection], [], [])
        return self.popen.wait()


def start_ahead(beside: str) -> None:
    """Start the process that `dvc_process` will give, since it takes as long to start as all that comes before it."""
    _ahead.append(DvcProcess(beside))


def dvc_process() -> DvcProcess:
    """The process that was started ahead, or a new one."""
    return _ahead.pop() if _ahead else DvcProcess()
