"""Candidates for similar pairs: fast, rounded products that may name a pair too many but never one too few.

Every candidate is scored again (`similarity.py`), so which of the searches here ran shows in no result. An
approximate search fits in the same place: another `CandidateSearch`, with a `version` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

TILE_COLUMNS = 2_048
# Below this many rows the import of torch takes longer than it saves.
_WORTH_TORCH_ROWS = 30_000
_BFLOAT16_ULP = 2.0**-8


@dataclass(frozen=True)
class Tile:
    """Which pairs (row + i, column + j) are candidates: a mask of shape (rows, columns).

    The mask may be overwritten when the next tile is asked for.
    """

    row: int
    column: int
    mask: npt.NDArray[np.bool_]


class CandidateSearch(Protocol):
    """Names the pairs that may be similar."""

    version: str
    """Part of the name of every stored part: whatever can change the pairs that are found."""

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """For the positions first..last-1, candidates among all positions before each, by ascending column.

        Tiles do not overlap, and none holds a pair whose column is not before its row.
        """


class ExactSearch:
    """Every pair: the rows' products with all rows before them, in tiles, compared a margin below the floor."""

    version = "exact 1"

    def __init__(self, vectors: Floats, floor: float, max_bytes: int, threads: int | None) -> None:
        self._product: _Float32Product | _Bfloat16Product = (
            _Bfloat16Product(vectors, floor, max_bytes, threads)
            if _prefers_bfloat16(len(vectors), floor)
            else _Float32Product(vectors, floor)
        )

    def tiles(self, first: int, last: int) -> Iterator[Tile]:
        """See `CandidateSearch`."""
        for column in range(0, last, TILE_COLUMNS):
            end = min(last, column + TILE_COLUMNS)
            mask = self._product.at_or_above(slice(first, last), slice(column, end))
            if end > first:
                mask &= np.arange(column, end) < np.arange(first, last)[:, None]
            yield Tile(first, column, mask)


class _Buffers:
    """Arrays of a tile's shape, kept from tile to tile: fresh ones would cost a page fault for every 4 KB."""

    def __init__(self, number: npt.DTypeLike) -> None:
        self._numbers = np.empty(0, dtype=number)
        self._mask = np.empty(0, dtype=np.bool_)

    def of(self, rows: slice, columns: slice) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """One of numbers, one of flags, of shape (rows, columns)."""
        shape = rows.stop - rows.start, columns.stop - columns.start
        size = shape[0] * shape[1]
        if size > len(self._mask):
            self._numbers = np.empty(size, dtype=self._numbers.dtype)
            self._mask = np.empty(size, dtype=np.bool_)
        return self._numbers[:size].reshape(shape), self._mask[:size].reshape(shape)


class _Float32Product:
    def __init__(self, vectors: Floats, floor: float) -> None:
        # Summing d products in float32 errs by at most d * 2^-24 for unit vectors (Higham, Accuracy and Stability
        # of Numerical Algorithms, 3.5); twice that, and the rounding to millionths.
        self._least = np.float32(floor - vectors.shape[1] * 2.0**-23 - 2e-6)
        self._vectors = vectors
        self._buffers = _Buffers(np.float32)

    def at_or_above(self, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
        product, mask = self._buffers.of(rows, columns)
        np.matmul(self._vectors[rows], self._vectors[columns].T, out=product)
        np.greater_equal(product, self._least, out=mask)
        return mask


class _Bfloat16Product:
    """Half to a ninth of the time of float32, on CPUs that multiply bfloat16."""

    def __init__(self, vectors: Floats, floor: float, max_bytes: int, threads: int | None) -> None:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        # Rounding both unit vectors moves their product by at most 1 unit in the last place of 1, rounding the
        # result by half of one; a float32 sum by far less than the quarter that is left.
        least = np.array(floor - 1.75 * _BFLOAT16_ULP, dtype=np.float32)
        # Positive bfloat16 numbers, and their bits as whole numbers, have one order; negative ones are below both.
        self._least = np.int16(int(least.view(np.uint32)) >> 16)
        self._vectors = vectors
        fits = vectors.size * 2 <= max_bytes
        self._converted = self._convert(slice(0, len(vectors))) if fits else None
        self._rows: tuple[slice, Any] | None = None
        self._buffers = _Buffers(np.int16)

    def _convert(self, part: slice) -> Any:
        import torch

        whole = torch.empty((part.stop - part.start, self._vectors.shape[1]), dtype=torch.bfloat16)
        for start in range(part.start, part.stop, TILE_COLUMNS):
            block = np.array(self._vectors[start : min(part.stop, start + TILE_COLUMNS)])
            whole[start - part.start : start - part.start + len(block)] = torch.from_numpy(block)
        return whole

    def _part(self, part: slice) -> Any:
        return self._convert(part) if self._converted is None else self._converted[part]

    def at_or_above(self, rows: slice, columns: slice) -> npt.NDArray[np.bool_]:
        import torch

        if self._rows is None or self._rows[0] != rows:
            self._rows = rows, self._part(rows)
        bits, mask = self._buffers.of(rows, columns)
        torch.mm(self._rows[1], self._part(columns).T, out=torch.from_numpy(bits).view(torch.bfloat16))
        np.greater_equal(bits, self._least, out=mask)
        return mask


def _prefers_bfloat16(rows: int, floor: float) -> bool:
    """Whether the CPU multiplies bfloat16 and there is enough to do."""
    cpu = Path("/proc/cpuinfo")
    if rows < _WORTH_TORCH_ROWS or floor <= 2 * _BFLOAT16_ULP or not cpu.exists():
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu.read_text().split())
