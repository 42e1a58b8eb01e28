"""Units of the tests' own, from files to files, found by their names in other processes."""

from __future__ import annotations

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.errors import DataFormatError
from entropyguard.core.progress import Progress


@dataclass(frozen=True)
class Unit:
    """Copies the square of a number into a file. `folder` also holds what says how it is to go wrong."""

    number: int
    folder: Path

    def __str__(self) -> str:
        return f"number {self.number}"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.number}.txt"

    @property
    def tries(self) -> list[str]:
        """Which processes began it, in order."""
        noted = self.folder / f"{self.number}.tries"
        return noted.read_text().split() if noted.exists() else []

    @property
    def nodes(self) -> list[str]:
        """On which nodes it was begun, in order."""
        noted = self.folder / f"{self.number}.nodes"
        return noted.read_text().split() if noted.exists() else []

    def begin(self) -> int:
        """Note that it was begun, and by whom; how often it was before."""
        before = len(self.tries)
        for kind, name in (("tries", os.getpid()), ("nodes", os.environ.get("PLAYED_NODE", "here"))):
            with (self.folder / f"{self.number}.{kind}").open("a") as file:
                file.write(f"{name}\n")
        return before

    def end(self) -> Path:
        temporary = self.file.with_suffix(f".{os.getpid()}")
        temporary.write_text(str(self.number**2))
        temporary.rename(self.file)
        return self.file


def units(folder: Path, count: int = 12) -> list[Unit]:
    return [Unit(number, folder) for number in range(count)]


def contents(paths: list[Path]) -> list[str]:
    return [path.read_text() for path in paths]


def square(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    return unit.end()


def slow_square(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    time.sleep(0.1)
    return unit.end()


def nodes_of(folder: Path) -> set[str]:
    """The nodes that began a unit in the folder."""
    return {name for noted in folder.glob("*.nodes") for name in noted.read_text().split()}


def square_in_company(unit: Unit, progress: Progress) -> Path:
    """Waits until two nodes have begun a unit: how long a node's first process takes to start is anybody's guess."""
    unit.begin()
    while len(nodes_of(unit.folder)) < 2:
        time.sleep(0.05)
    time.sleep(0.1)
    return unit.end()


def linger_on_fourth(unit: Unit, progress: Progress) -> Path:
    """From number 20 on it waits for the nodes "third" and "fourth" to begin one; on "fourth" it never ends."""
    unit.begin()
    while unit.number >= 20 and not {"third", "fourth"} <= nodes_of(unit.folder):
        time.sleep(0.05)
    time.sleep(600 if os.environ.get("PLAYED_NODE") == "fourth" else 0.1)
    return unit.end()


def die_once(unit: Unit, progress: Progress) -> Path:
    """Number 3 kills its process at first."""
    if unit.begin() == 0 and unit.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return unit.end()


def raise_once(unit: Unit, progress: Progress) -> Path:
    """Every third number fails at first, with an error that cannot be pickled."""

    class OddError(Exception):
        pass

    if unit.begin() == 0 and unit.number % 3 == 0:
        raise OddError("at first")
    return unit.end()


def die_always(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    if unit.number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return unit.end()


def raise_always(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    if unit.number == 3:
        raise ValueError("three is\nno number.")
    return unit.end()


def refuse(unit: Unit, progress: Progress) -> Path:
    """Number 3 has an error of ours."""
    unit.begin()
    if unit.number == 3:
        raise DataFormatError("data.jsonl, line 3 is no JSON.")
    time.sleep(0.05)
    return unit.end()


def fill_disk(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    if unit.number == 3:
        raise OSError(errno.ENOSPC, "No space left on device", "/big/part")
    return unit.end()


def wait_for_ever(unit: Unit, progress: Progress) -> Path:
    unit.begin()
    while True:
        time.sleep(0.01)
        unit.end()


def fingerprint() -> str:
    """What a node says that it computes with."""
    return os.environ.get("PLAYED_FINGERPRINT", "the same")


def threads(unit: Unit, progress: Progress) -> tuple[str, int]:
    """How many threads polars uses, after a look at the environment."""
    import polars as pl

    return os.environ["OMP_NUM_THREADS"], pl.thread_pool_size()
