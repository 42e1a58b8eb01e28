"""The script's side of a stage host (see `host`): give the work away, wait for its end, end like it.

Most processes of a run do nothing but this, so no more is imported than it takes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from typing import NamedTuple

from entropyguard.project.beside import ADDRESS

STARTED = b"s"
"""What a host answers when the script has begun to run there; its end, as a number, comes later."""

_NUMBER = 8


class Request(NamedTuple):
    """A script to run: its arguments, its own path first, in which folder and environment, on which descriptors."""

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]
    """Standard input, output and error."""


def hand_over() -> None:
    """Let the host that the environment names run this script, and end as it ended there; return where none does."""
    address = os.environ.pop(ADDRESS, None)
    if address is None:
        return
    folder = os.getcwd()  # noqa: PTH109  pathlib would be imported for it
    with socket.socket(socket.AF_UNIX) as connection:
        started = b""
        with contextlib.suppress(OSError):  # it is gone, or has not come up
            connection.connect("\0" + address)
            send_request(connection, Request(sys.argv, folder, dict(os.environ), [0, 1, 2]))
            started = connection.recv(1)
        if started:
            code = receive_number(connection)
            end_like(-signal.SIGKILL if code is None else code)


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a request, and the descriptors in it."""
    variables = [f"{name}={value}" for name, value in request.environment.items()]
    fields = [request.folder, str(len(request.arguments)), *request.arguments, *variables]
    content = os.fsencode("\0".join(fields))  # none of them can hold a zero
    socket.send_fds(connection, [len(content).to_bytes(_NUMBER)], request.streams)
    connection.sendall(content)


def receive_request(connection: socket.socket) -> Request | None:
    """The next request; None when the other side has closed its end. The descriptors are this process's own."""
    start, streams, _, _ = socket.recv_fds(connection, _NUMBER, 3)
    if len(start) < _NUMBER:
        return None
    content = _receive(connection, int.from_bytes(start))
    if content is None:
        return None
    folder, count, *fields = os.fsdecode(content).split("\0")
    variables = (field.partition("=") for field in fields[int(count) :])
    return Request(fields[: int(count)], folder, {name: value for name, _, value in variables}, streams)


def send_number(connection: socket.socket, number: int) -> None:
    """Send a whole number."""
    connection.sendall(number.to_bytes(_NUMBER, signed=True))


def receive_number(connection: socket.socket) -> int | None:
    """The next number; None when the other side has closed its end."""
    content = _receive(connection, _NUMBER)
    return None if content is None else int.from_bytes(content, signed=True)


def _receive(connection: socket.socket, size: int) -> bytes | None:
    content = b""
    while len(content) < size:
        try:
            more = connection.recv(size - len(content))
        except ConnectionResetError:
            return None
        if not more:
            return None
        content += more
    return content


def end_like(code: int) -> None:
    """End with an exit code or, where it is negative, by that signal, as `subprocess` counts them."""
    if code >= 0:
        os._exit(code)
    with contextlib.suppress(OSError):  # nobody handles SIGKILL
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
