"""The script's side of a stage host (see `host`): give the work away, wait for its end, end like it.

Most processes of a run do nothing but this, so no more is imported than it takes.
"""

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, socket  # see `requests`

from entropyguard.project.beside import ADDRESS
from entropyguard.project.requests import Request, receive_number, send_request

STARTED = b"s"
"""What a host answers when the script has begun to run there; its end, as a number, comes later."""

_KILLED = -9


def hand_over() -> None:
    """Let the host that the environment names run this script, and end as it ended there; return where none does."""
    address = os.environ.pop(ADDRESS, None)
    if address is None:
        return
    folder = os.getcwd()  # noqa: PTH109  pathlib would be imported for it
    connection = socket(AF_UNIX)
    try:
        connection.connect("\0" + address)
        send_request(connection, Request(sys.argv, folder, dict(os.environ), [0, 1, 2]))
        started = connection.recv(1)
    except OSError:  # it is gone, or has not come up
        started = b""
    if started:
        code = receive_number(connection)
        end_like(_KILLED if code is None else code)
    connection.close()


def end_like(code: int) -> None:
    """End with an exit code or, where it is negative, by that signal, as `subprocess` counts them."""
    if code >= 0:
        os._exit(code)
    import signal  # with all that it makes enumerations of, only for an end that is rare

    if -code != signal.SIGKILL:  # which nobody handles
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
