"""Work done behind the embedding: new vectors are saved, finished rows written, while the next are computed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any

import numpy as np

from entropyguard.core.arrays import Floats, Keys
from entropyguard.core.embed.vector_store import VectorStore

SAVE_SECONDS = 30.0
_SAVE_BYTES = 64 << 20


class VectorWriter:
    """Collects new vectors and saves them every `save_seconds`, and when the work is cut short; a context manager.

    background: an executor with one thread. One task is under way at a time; the next waits for it, so that memory
    stays bounded, and raises what it raised.
    """

    def __init__(self, store: VectorStore | None, background: Executor, save_seconds: float = SAVE_SECONDS) -> None:
        self._store = store
        self._save_seconds = save_seconds
        self._background = background
        self._under_way: Future[Any] | None = None
        self._keys: list[Keys] = []
        self._vectors: list[Floats] = []
        self._since = time.monotonic()

    def run(self, task: Callable[..., Any], *arguments: Any) -> None:
        """Do `task(*arguments)` in the background."""
        self._wait()
        self._under_way = self._background.submit(task, *arguments)

    def _wait(self) -> None:
        """Until the last task has ended."""
        if self._under_way is not None:
            self._under_way.result()

    def add(self, keys: Keys, vectors: Floats) -> None:
        """Take vectors to be saved."""
        if self._store is None:
            return
        self._keys.append(keys)
        self._vectors.append(vectors)
        waiting = sum(rows.nbytes for rows in self._vectors)
        if waiting >= _SAVE_BYTES or time.monotonic() - self._since >= self._save_seconds:
            self._save()

    def _save(self) -> None:
        """Save what was added since the last time."""
        if self._store is not None and self._keys:
            self.run(self._store.put, np.concatenate(self._keys), np.concatenate(self._vectors))
        self._keys, self._vectors, self._since = [], [], time.monotonic()

    def __enter__(self) -> VectorWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After a clean end the finished file is linked in whole: saving the last vectors twice is for nothing.
        if kind is not None:
            self._save()
        self._wait()
