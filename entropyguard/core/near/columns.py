"""Columns of one length in one file: written piece by piece, then mapped by any number of processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.arrays import Bytes

Layout = Mapping[str, tuple[npt.DTypeLike, int]]
"""By name: the type of a column's elements, and how many each row has."""

_ALIGNED = 64


def mapped(path: Path, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """A file of numbers of one kind, to be read."""
    if not path.stat().st_size:  # nothing to map
        return np.empty(0, dtype=kind)
    return np.asarray(np.memmap(path, dtype=kind, mode="r"))


class Columns:
    """The file at `path` with columns of `rows` rows; two who know path, rows and layout see the same."""

    def __init__(self, path: Path, rows: int, layout: Layout) -> None:
        self._path = path
        self._rows = rows
        self._layout = {name: (np.dtype(kind), width) for name, (kind, width) in layout.items()}
        self._offsets, end = {}, 0
        for name, (kind, width) in self._layout.items():
            self._offsets[name] = end
            end += -(-rows * kind.itemsize * width // _ALIGNED) * _ALIGNED
        self._size = end

    def create(self) -> None:
        """Make the file; what is not written in it is zero."""
        with self._path.open("wb") as file:
            file.truncate(self._size)

    def write(self, start: int, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write rows from `start` on. Not through a map of the file: that kills the process when the disk is full."""
        descriptor = os.open(self._path, os.O_WRONLY)
        try:
            for name, values in columns.items():
                kind, width = self._layout[name]
                data = np.ascontiguousarray(values, dtype=kind).reshape(-1).view(np.uint8)
                offset = self._offsets[name] + start * kind.itemsize * width
                while len(data):
                    written = os.pwrite(descriptor, data.data, offset)
                    data, offset = data[written:], offset + written
        finally:
            os.close(descriptor)

    def mapped(self) -> dict[str, npt.NDArray[Any]]:
        """All columns, to be read: shape (rows,), or (rows, width)."""
        data = mapped(self._path, np.uint8)
        return {name: self._view(data, name) for name in self._layout}

    def _view(self, data: Bytes, name: str) -> npt.NDArray[Any]:
        kind, width = self._layout[name]
        column = data[self._offsets[name] :][: self._rows * width * kind.itemsize].view(kind)
        return column if width == 1 else column.reshape(self._rows, width)
