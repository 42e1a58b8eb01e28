"""What a process that waits is asked to do: a script or a command to become, over a socket, with its open files.

A run's processes are started before it is known what they will have to do, and import meanwhile. Nothing is imported
here that takes time: most processes of a run do nothing but ask another one.
"""

from __future__ import annotations

import os
import sys

# `socket` itself takes almost as long to load as Python takes to start.
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket

_NUMBER = 8
_DESCRIPTOR = 4


class Request:
    """What to run: its arguments, its own name first, in which folder and environment, on which descriptors."""

    def __init__(self, arguments: list[str], folder: str, environment: dict[str, str], streams: list[int]) -> None:
        """streams: standard input, output and error."""
        self.arguments = arguments
        self.folder = folder
        self.environment = environment
        self.streams = streams

    def become(self) -> None:
        """Make this process one that was started for it; the descriptors are its standard ones then, and closed."""
        for descriptor, stream in enumerate(self.streams):
            os.dup2(stream, descriptor)
            os.close(stream)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.argv = self.arguments


def send_request(connection: socket, request: Request) -> None:
    """Send a request, and the descriptors in it."""
    variables = [f"{name}={value}" for name, value in request.environment.items()]
    fields = [request.folder, str(len(request.arguments)), *request.arguments, *variables]
    content = os.fsencode("\0".join(fields))  # none of them can hold a zero
    streams = b"".join(one.to_bytes(_DESCRIPTOR, sys.byteorder) for one in request.streams)
    connection.sendmsg([len(content).to_bytes(_NUMBER)], [(SOL_SOCKET, SCM_RIGHTS, streams)])
    connection.sendall(content)


def receive_request(connection: socket) -> Request | None:
    """The next request; None when the other side has closed its end. The descriptors are this process's own."""
    start, sent, _, _ = connection.recvmsg(_NUMBER, CMSG_SPACE(3 * _DESCRIPTOR))
    if len(start) < _NUMBER:
        return None
    data = b"".join(one for _, kind, one in sent if kind == SCM_RIGHTS)
    streams = [int.from_bytes(data[at : at + _DESCRIPTOR], sys.byteorder) for at in range(0, len(data), _DESCRIPTOR)]
    content = _receive(connection, int.from_bytes(start))
    if content is None:
        return None
    folder, count, *fields = os.fsdecode(content).split("\0")
    variables = (field.partition("=") for field in fields[int(count) :])
    return Request(fields[: int(count)], folder, {name: value for name, _, value in variables}, streams)


def send_number(connection: socket, number: int) -> None:
    """Send a whole number."""
    connection.sendall(number.to_bytes(_NUMBER, signed=True))


def receive_number(connection: socket) -> int | None:
    """The next number; None when the other side has closed its end."""
    content = _receive(connection, _NUMBER)
    return None if content is None else int.from_bytes(content, signed=True)


def _receive(connection: socket, size: int) -> bytes | None:
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
