"""How much memory there is, and how much a stage took."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def default_max_memory() -> int:
    """Half of this machine's memory, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


class PeakMemory:
    """Samples the process's private memory (RssAnon) while it runs; a context manager."""

    def __init__(self) -> None:
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self._sample()

    def _sample(self) -> None:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                self._peak = max(self._peak, int(line.split()[1]) * 1024)

    def bytes(self) -> int:
        """The highest value seen so far."""
        self._sample()
        return self._peak

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
