"""A stage host: runs stages' scripts in processes that have imported everything.

A run is seven scripts. Each is a process that DVC starts, and each would import numpy, pyarrow and polars before its
first line of work. A host imports them once, while DVC starts, and forks for every script that asks (`handover`).
It lives beside DVC, in its session, and ends when DVC does: on its own, or because the kernel kills it.

What makes a fork safe: a host imports, compiles a page's templates, and does nothing else. The threads that libraries
have by then see to a fork themselves (those of OpenBLAS and jemalloc) or have nothing to do (that of polars, which
waits for files to remove); the host forks when all of them wait, so that none holds a lock. And a forked process ends
without Python's own end, in which polars waits for that thread. The model, and torch, are loaded by a process that was
forked before, which becomes embed's and is not forked again.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import time
import warnings
from pathlib import Path

from entropyguard.core.no_pandas import leave_pandas_out
from entropyguard.project.process import collect_rarely, die_with_parent
from entropyguard.project.requests import Request, receive_request, send_number, send_request
from entropyguard.run.stage.as_script import run_as_script
from entropyguard.run.stage.handover import STARTED
from entropyguard.run.stage.preparations import FOR_ALL, load_model, preparations
from entropyguard.run.stage.wanted import EMBED

_PATIENCE_SECONDS = 5
_WORDS_BYTES = 1 << 16


class StageHost:
    """Answers what scripts ask: one at a time, as DVC starts them, but several could."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._children: dict[int, socket.socket | None] = {}
        """The processes forked, and who waits for their ends."""
        self._embedder: tuple[int, socket.socket] | None = None
        """The process that has torch, or will, and the socket on which it waits for its script."""
        self._ended, self._end_of_child = socket.socketpair()
        for one in (self._ended, self._end_of_child):
            one.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it only has to reach the socket
        signal.set_wakeup_fd(self._end_of_child.fileno())
        self._selector = selectors.DefaultSelector()
        for source in (sys.stdin, listening, self._ended):
            self._selector.register(source, selectors.EVENT_READ)

    def serve(self) -> None:
        """Answer until standard input ends; no process that was forked is left then.

        While nobody asks, it gets ready what single stages take.
        """
        later = preparations()
        while True:
            ready = [key.fileobj for key, _ in self._selector.select(0 if later else None)]
            if not ready:
                with contextlib.suppress(Exception):  # the stage that needs it says so
                    later.pop(0)()
            for one in ready:
                if one is sys.stdin:
                    if not self._hear():
                        return self._end_all()
                elif one is self._listening:
                    self._take(self._listening.accept()[0])
                elif one is self._ended:
                    self._ended.recv(4096)
                    self._bury()
                else:
                    self._lose(one)

    def _hear(self) -> bool:
        """Do what standard input says; False where it has ended."""
        words = os.read(sys.stdin.fileno(), _WORDS_BYTES)
        stage, *of_model = os.fsdecode(words).split("\n")
        if stage == EMBED:
            self._start_embedder(*of_model)
        return bool(words)

    def _start_embedder(self, model: str, threads: str = "") -> None:
        """Fork the process for embed, which loads the model."""
        here, there = socket.socketpair()
        pid = self._fork()
        if pid == 0:
            here.close()
            with contextlib.suppress(Exception):  # what is wrong with it is said by the stage
                load_model(model, int(threads) if threads else None)
            request = receive_request(there)
            if request is None:
                os._exit(0)
            there.close()
            run_as_script(request)
        there.close()
        if pid is not None:
            self._children[pid] = None
            self._embedder = pid, here

    def _take(self, connection: socket.socket) -> None:
        """Start the script that a process asks for, or hang up: then it runs it itself."""
        request = receive_request(connection) if is_of_this_session(connection) else None
        pid = None if request is None else self._start(request)
        if pid is None:
            connection.close()
            return
        self._children[pid] = connection
        self._selector.register(connection, selectors.EVENT_READ)
        with contextlib.suppress(OSError):  # it is gone already, which the selector tells
            connection.sendall(STARTED)

    def _start(self, request: Request) -> int | None:
        """The process that runs a script from now on; None where there cannot be one."""
        try:
            if self._embedder is not None and Path(request.arguments[0]).stem == EMBED:
                (pid, waiting), self._embedder = self._embedder, None
                with waiting, contextlib.suppress(BrokenPipeError):
                    send_request(waiting, request)
                    return pid
            child = self._fork()
            if child == 0:
                run_as_script(request)
            return child
        finally:
            for stream in request.streams:
                os.close(stream)

    def _fork(self) -> int | None:
        """Fork as `os.fork` does, if all other threads wait; the child keeps nothing of the host's."""
        if not others_wait():
            return None
        host = os.getpid()
        with warnings.catch_warnings(action="ignore"):  # that there are threads
            pid = os.fork()
        if pid == 0:
            die_with_parent()
            if os.getppid() != host:
                os._exit(1)  # it died before the kernel was told to watch it
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            waiting = [self._embedder[1]] if self._embedder is not None else []
            connections = [one for one in self._children.values() if one is not None]
            for one in (self._listening, self._ended, self._end_of_child, *waiting, *connections):
                one.close()
        return pid

    def _bury(self) -> None:
        """Tell of the children that have ended."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            connection = self._children.pop(pid, None)
            if self._embedder is not None and self._embedder[0] == pid:
                self._embedder = None
            if connection is not None:
                self._selector.unregister(connection)
                with connection, contextlib.suppress(OSError):
                    send_number(connection, os.waitstatus_to_exitcode(status))

    def _lose(self, connection: object) -> None:
        """Who waited is gone, killed by somebody: what it waited for ends too."""
        for pid, one in self._children.items():
            if one is not None and one is connection:
                os.kill(pid, signal.SIGKILL)
                self._selector.unregister(one)
                one.close()
                self._children[pid] = None

    def _end_all(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)


def is_of_this_session(connection: socket.socket) -> bool:
    """Whether a process of DVC's session, and of this user, is at the other end: nobody else can be in it."""
    form = "3i"
    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    pid, user, _ = struct.unpack(form, peer)
    try:
        return bool(user == os.getuid() and os.getsid(pid) == os.getsid(0))
    except OSError:  # it has ended, or is of another container
        return False


def others_wait() -> bool:
    """Whether all threads but this one wait for something, at last; some work on for a moment after an import."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if all(_waits(task) for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())):
            return True
        time.sleep(0.001)
    return False


def _waits(task: Path) -> bool:
    try:
        return (task / "stat").read_text(encoding="ascii").rpartition(") ")[2].startswith("S")
    except OSError:  # it has just ended
        return False


def main() -> None:
    """Import, listen on the socket that is the argument, and serve."""
    die_with_parent()
    collect_rarely()
    leave_pandas_out()
    host = StageHost(socket.socket(fileno=int(sys.argv[1])))
    for module in FOR_ALL:
        with contextlib.suppress(Exception):  # the stage that needs it says so
            importlib.import_module(module)
    gc.freeze()  # what is imported stays, and need not be copied for a count of its references
    host.serve()
    os._exit(0)
