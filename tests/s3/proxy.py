"""A connection to the server that breaks where a test wants it to."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Hands bytes on between clients and the server, until a request comes whose first line one of these finds."""

    server: str
    hold: bytes | None = None
    """From this request on a connection is silent, as if the network were very slow."""
    cut: bytes | None = None
    """At this request the connection breaks off."""
    lose_answer: bytes | None = None
    """This request reaches the server, and its answer does not come back."""
    once: bool = False
    """Only the first time; else the network stays down after a cut."""
    cut_after: int | None = None
    """Every connection breaks off when so many bytes have come over it from the server."""
    happens: Callable[[], object] | None = None
    """Is called once, when `happens_at` bytes have come from the server, before more come."""
    happens_at: int = 0
    sent: int = 0
    """Bytes that have come from the server."""
    cuts: int = 0
    """How often a connection broke off for `cut_after`."""
    requests: list[bytes] = field(default_factory=list)
    """The first lines of all requests with their verbs and paths, as far as they are not bodies."""
    endpoint: str = ""
    _down: bool = False
    _done: bool = False

    def accept(self, listening: socket.socket) -> None:
        """Serve until the socket is closed."""
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        place = urlsplit(self.server)
        with client, suppress(OSError):
            if self._down:
                return
            with socket.create_connection((place.hostname, place.port)) as server:
                back = threading.Thread(target=self._answers, args=(server, client), daemon=True)
                back.start()
                self._requests(client, server)
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
                back.join()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        while data := client.recv(1 << 16):
            if data.split(b" ", 1)[0] in {b"PUT", b"POST", b"GET", b"HEAD", b"DELETE"}:
                self.requests.append(data.split(b"\r\n", 1)[0])
            if self._is(self.hold, data):
                threading.Event().wait()  # for ever: the thread goes with the process
            if self._is(self.cut, data):
                self._break(client)
                return
            if self._is(self.lose_answer, data):
                client.shutdown(socket.SHUT_WR)
            server.sendall(data)

    def _is(self, word: bytes | None, data: bytes) -> bool:
        if word is None or not re.search(word, data.split(b"\r\n", 1)[0]) or (self.once and self._done):
            return False
        self._done = True
        return True

    def _break(self, client: socket.socket) -> None:
        self._down = not self.once
        client.shutdown(socket.SHUT_RDWR)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while data := server.recv(1 << 16):
                self.sent += len(data)
                passed += len(data)
                if self.happens is not None and self.sent >= self.happens_at:
                    happens, self.happens = self.happens, None
                    happens()
                if self.cut_after is not None and passed > self.cut_after:
                    self.cuts += 1
                    break
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(server: str, **faults: bytes | bool | int | Callable[[], object] | None) -> Iterator[Proxy]:
    """A proxy to the server at that address, with the faults that `Proxy` names."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(server, **faults)  # type: ignore[arg-type]
        proxy.endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        threading.Thread(target=proxy.accept, args=(listening,), daemon=True).start()
        try:
            yield proxy
        finally:
            listening.shutdown(socket.SHUT_RDWR)
