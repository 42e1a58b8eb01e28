"""Units of `speed_pool.py`, in a module of their own: other processes find them by their names."""

from __future__ import annotations

import hashlib
import time

from entropyguard.core.progress import Progress


def turn(times: int, progress: Progress) -> float:
    """Keep a core busy; the seconds of processor time it took."""
    began = time.process_time()
    digest = b""
    for _ in range(times):
        digest = hashlib.blake2b(digest).digest()
    return time.process_time() - began


def nothing(unit: int, progress: Progress) -> int:
    return unit
