"""A process of ours beside DVC's own, which DVC's scripts can ask for something: it lives as long as DVC does."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

BESIDE = "ENTROPYGUARD_BESIDE"
"""The variable that tells DVC's process what to start beside it: a module, and its arguments, between spaces."""

ADDRESS = "ENTROPYGUARD_HOST"
"""The variable that tells DVC's scripts on which socket that one listens: an abstract one, of Linux."""


@contextlib.contextmanager
def process_beside() -> Iterator[None]:
    """Start the module that the environment names, with a listening socket's descriptor as its first argument.

    It ends when its standard input does, and it is waited for.
    """
    module, *arguments = os.environ.pop(BESIDE, "").split() or [""]
    if not module or sys.platform != "linux":
        yield
        return
    import socket
    import subprocess

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("")  # the kernel finds a name
        listening.listen()
        # Without -P the user's folder would come first in sys.path.
        command = [sys.executable, "-P", "-m", module, str(listening.fileno()), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
        os.environ[ADDRESS] = listening.getsockname()[1:].decode()
    try:
        yield
    finally:
        process.communicate()
