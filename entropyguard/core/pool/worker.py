"""A worker: a process that does units for the one that started it, one after the other, and ends when that one does."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from entropyguard.core.no_pandas import leave_pandas_out
from entropyguard.core.pool.attempt import attempt

if TYPE_CHECKING:
    Link: TypeAlias = Connection[tuple[int, bytes], tuple[int, bytes, bytes]]  # what it sends, what it gets


def main(descriptor: int) -> None:
    """Do what comes down the connection: (task, packed work, packed unit), and send (task, answer) back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the stage, which ends this process
    leave_pandas_out()
    connection: Link = Connection(descriptor)
    waiting: SimpleQueue[tuple[int, bytes, bytes]] = SimpleQueue()
    threading.Thread(target=_read, args=(connection, waiting), daemon=True).start()
    while True:
        task, work, unit = waiting.get()
        connection.send((task, attempt(work, unit)))


def _read(connection: Link, waiting: SimpleQueue[tuple[int, bytes, bytes]]) -> None:
    """Read at once whatever comes, so that who sends never waits; end the process when nobody is there to send.

    The kernel closes the other end however its process dies. (PR_SET_PDEATHSIG would tell of the thread that started
    this process, which may be one that only reads ahead.)
    """
    while True:
        try:
            waiting.put(connection.recv())
        except (EOFError, OSError):
            os._exit(1)
