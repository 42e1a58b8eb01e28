"""What takes long to make is made once in a session of tests, by whichever worker needs it first."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MadeOnce:
    """Folders that are made once, by the first worker that asks for them, and changed by nobody."""

    root: Path

    def __call__(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder of this name, filled by `make` unless it is there already."""
        folder = self.root / name
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.with_suffix(".made").exists():
                folder.mkdir()
                make(folder)
                folder.with_suffix(".made").touch()
        return folder
