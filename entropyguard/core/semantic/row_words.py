"""The words of the rows that are in a pair, on disk: what the guard compares."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from entropyguard.core.arrays import Bools, Bytes, Ints, UInt64s
from entropyguard.core.pool.pool import Pool
from entropyguard.core.progress import Progress
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_ranges import RowRange, row_ranges
from entropyguard.core.words.numbers import numbers_in
from entropyguard.core.words.split import cased_words

MANY = 255
"""Of so many numbers and more in a text nothing is known but that."""

_UNIT_ROWS, _UNIT_BYTES = 1 << 16, 32 << 20
_FILES_OPEN = 64
_WANTED = "wanted.npy"
_FACTS = np.dtype([("size", np.int64), ("numbers", np.uint8), ("number_hash", np.uint64)])


@dataclass(frozen=True)
class WordsUnit:
    """Rows of which the words are written down; `number`: of the file."""

    rows: RowRange
    number: int

    def __str__(self) -> str:
        return str(self.rows)


@dataclass(frozen=True)
class WriteWords:
    """What is done with a unit. folder: where `wanted` lies, and the words go. said: the checkpoint's metadata."""

    folder: Path
    said: dict[str, Any]

    def __call__(self, unit: WordsUnit, progress: Progress) -> Path:  # noqa: ARG002  it takes seconds
        """Write the words of the wanted rows, one row after another; returns the file that says where each begins."""
        first = unit.rows.before + unit.rows.start
        wanted = np.load(self.folder / _WANTED, mmap_mode="r")[first : first + len(unit.rows)]
        table = unit.rows.table(["record"]).take(np.flatnonzero(wanted))
        facts = np.zeros(table.num_rows, dtype=_FACTS)
        with _words_file(self.folder, unit.number).open("wb") as file:
            for at, words in enumerate(cased_words(texts_of(table, self.said)) if len(facts) else ()):
                numbers = numbers_in(word.lower() for word in words)
                counted = " ".join(f"{number} {count}" for number, count in sorted(numbers.items()))
                size = file.write(" ".join(words).encode())
                facts[at] = size, min(numbers.total(), MANY), xxhash.xxh3_64_intdigest(counted.encode())
        path = self.folder / f"facts-{unit.number}.npy"
        np.save(path, facts)
        return path


class RowWords:
    """The words of the wanted rows of a checkpoint, by the rows' indices; another process opens the same files.

    numbers: how many each text has, up to MANY; number_hashes: of which they are. In memory 25 bytes a row.
    """

    def __init__(
        self, folder: Path, firsts: Ints, starts: Ints, sizes: Ints, numbers: Bytes, number_hashes: UInt64s
    ) -> None:
        """firsts: the first row of each file; starts and sizes: of each row's words in its file, in bytes."""
        self.folder = folder
        self.numbers, self.number_hashes = numbers, number_hashes
        self._firsts, self._starts, self._sizes = firsts, starts, sizes
        self._open: dict[int, int] = {}

    @classmethod
    def written(
        cls, rows: Checkpoint, wanted: Bools, folder: Path, pool: Pool, unit_rows: int = _UNIT_ROWS
    ) -> RowWords:
        """Write down the words of the wanted rows in `folder`, by a pool, and open them."""
        np.save(folder / _WANTED, wanted)
        ranges = row_ranges(rows, unit_rows, "record", _UNIT_BYTES)
        units = [WordsUnit(one, number) for number, one in enumerate(ranges)]
        starts, sizes = np.zeros((2, rows.rows), dtype=np.int64)
        numbers, hashes = np.zeros(rows.rows, dtype=np.uint8), np.zeros(rows.rows, dtype=np.uint64)
        firsts = np.array([unit.rows.before + unit.rows.start for unit in units], dtype=np.int64)
        told = pool.map(WriteWords(folder, rows.metadata), units)
        for first, unit, path in zip(firsts.tolist(), units, told, strict=True):
            here = np.flatnonzero(wanted[first : first + len(unit.rows)]) + first
            facts = np.load(path)
            path.unlink()
            starts[here] = np.cumsum(facts["size"]) - facts["size"]
            sizes[here], numbers[here], hashes[here] = facts["size"], facts["numbers"], facts["number_hash"]
        return cls(folder, firsts, starts, sizes, numbers, hashes)

    def of(self, row: int) -> tuple[str, ...]:
        """The words of a row."""
        number = int(np.searchsorted(self._firsts, row, side="right")) - 1
        if number not in self._open:
            if len(self._open) == _FILES_OPEN:
                self.close()
            self._open[number] = os.open(_words_file(self.folder, number), os.O_RDONLY)
        data = os.pread(self._open[number], int(self._sizes[row]), int(self._starts[row]))
        return tuple(data.decode().split(" "))

    def share(self) -> None:
        """Let other processes open what is in memory here."""
        for name, array in self._arrays().items():
            np.save(self.folder / f"{name}.npy", array)

    def close(self) -> None:
        """Close the files, which stay."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.folder, tuple(self._arrays()))

    def _arrays(self) -> dict[str, Any]:
        return {
            "firsts": self._firsts,
            "starts": self._starts,
            "sizes": self._sizes,
            "numbers": self.numbers,
            "hashes": self.number_hashes,
        }


def _opened(folder: Path, names: Sequence[str]) -> RowWords:
    return RowWords(folder, *(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names))


def _words_file(folder: Path, number: int) -> Path:
    return folder / f"words-{number}"
