"""A process of ours beside DVC's own, which DVC's scripts can ask for something: it lives as long as DVC does."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` takes longer to load than a script takes to hand its work over
if TYPE_CHECKING:
    import subprocess

BESIDE = "ENTROPYGUARD_BESIDE"
"""The variable that tells DVC's process what there is to be beside it: a module, and words for it, a line each."""

ADDRESS = "ENTROPYGUARD_HOST"
"""The variable that tells DVC's scripts on which socket that one listens: an abstract one, of Linux."""


class Beside:
    """The process, or none yet; it ends when its standard input does."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._address = ""

    def start(self, module: str) -> None:
        """Start it, with a listening socket's descriptor as its argument, if it is not there already."""
        if self._process is not None or sys.platform != "linux":
            return
        import socket
        import subprocess

        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("")  # the kernel finds a name
            listening.listen()
            # Without -P the user's folder would come first in sys.path.
            command = [sys.executable, "-P", "-m", module, str(listening.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()])
            self._address = listening.getsockname()[1:].decode()

    def serve_scripts(self) -> None:
        """If the environment asks for it: tell it what else it says there, and DVC's scripts where it listens."""
        module, _, words = os.environ.pop(BESIDE, "").partition("\n")
        if not module:
            return
        self.start(module)
        if self._process is None or self._process.stdin is None:
            return
        if words:
            self._process.stdin.write(os.fsencode(words))
            self._process.stdin.flush()
        os.environ[ADDRESS] = self._address

    def end(self) -> None:
        """End it, and wait for its end."""
        if self._process is not None:
            self._process.communicate()
