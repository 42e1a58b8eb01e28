"""Fast, rounded products of unit vectors: they may name a pair too many but never one too few.

Of many rows the products are those of shorter vectors (`shortened.py`). All are compared a margin below the floor,
and every pair they name is scored again (`similarity.py`). So which of them ran shows in no result.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from entropyguard.core.arrays import Bools, Floats, Indexes, Int16s, Int32s
from entropyguard.core.pairs.shortened import MARGIN, Shortening, shortening_for
from entropyguard.core.pairs.similarity import float32_margin
from entropyguard.core.pairs.vectors import scratch

# Below this many rows the import of torch takes longer than it saves.
_WORTH_TORCH_ROWS = 75_000
_BFLOAT16_ULP = 2.0**-8
_COPY_ROWS = 4_096

Selection = slice | Indexes


@dataclass(frozen=True)
class Rows:
    """Vectors ready to be multiplied: so many, and the factor, which may have some more."""

    count: int
    factor: Any


class Product(Protocol):
    """Which of some vectors are similar to which others."""

    def rows(self, chosen: Selection, of: Rows | None = None) -> Rows:
        """The chosen vectors, of all or of `of`."""

    def at_or_above(self, rows: Rows, columns: slice) -> Bools:
        """Flags of shape (rows, columns), overwritten by the next call; columns are positions among all."""


def product_of(
    vectors: Floats, order: Int32s | None, floor: float, max_bytes: int, spill: Path, threads: int | None
) -> Product:
    """The product that is fastest here, of the vectors in the given order; copies over `max_bytes` lie in `spill`."""
    shortening = shortening_for(vectors, floor)
    if _prefers_bfloat16(len(vectors), floor):
        bits = _copied(vectors, order, shortening, np.int16, max_bytes, spill)
        return _Bfloat16Product(bits, floor, threads)
    if shortening is not None or order is not None:
        vectors = _copied(vectors, order, shortening, np.float32, max_bytes, spill)
    return _Float32Product(vectors, floor)


class _Buffer:
    """An array of a tile's shape, kept from tile to tile: a fresh one would cost a page fault for every 4 KB."""

    def __init__(self, kind: npt.DTypeLike) -> None:
        self._array = np.empty(0, dtype=kind)

    def of(self, rows: int, columns: int) -> npt.NDArray[Any]:
        """The array in the shape (rows, columns)."""
        size = rows * columns
        if size > len(self._array):
            self._array = np.empty(size, dtype=self._array.dtype)
        return self._array[:size].reshape(rows, columns)


class _Float32Product:
    def __init__(self, vectors: Floats, floor: float) -> None:
        self._least = np.float32(floor - float32_margin(vectors.shape[1]) - MARGIN)
        self._vectors = vectors
        self._products, self._mask = _Buffer(np.float32), _Buffer(np.bool_)

    def rows(self, chosen: Selection, of: Rows | None = None) -> Rows:
        factor = (self._vectors if of is None else of.factor)[chosen]
        return Rows(len(factor), factor)

    def at_or_above(self, rows: Rows, columns: slice) -> Bools:
        right = self._vectors[columns]
        product = np.matmul(rows.factor, right.T, out=self._products.of(rows.count, len(right)))
        mask: Bools = np.greater_equal(product, self._least, out=self._mask.of(rows.count, len(right)))
        return mask


class _Bfloat16Product:
    """Half to a ninth of the time of float32, on CPUs that multiply bfloat16."""

    def __init__(self, vectors: Int16s, floor: float, threads: int | None) -> None:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        # Rounding both unit vectors moves their product by at most 1 unit in the last place of 1, rounding the
        # result by half of one; a float32 sum by far less than the quarter that is left.
        least = np.array(floor - 1.75 * _BFLOAT16_ULP, dtype=np.float32)
        # Positive bfloat16 numbers, and their bits as whole numbers, have one order; negative ones are below both.
        self._least = np.int16(int(least.view(np.uint32)) >> 16)
        self._multiply, self._tensor, self._kind = torch.mm, torch.from_numpy, torch.bfloat16
        self._vectors = vectors
        self._bits, self._mask = _Buffer(np.int16), _Buffer(np.bool_)

    def rows(self, chosen: Selection, of: Rows | None = None) -> Rows:
        source = self._vectors if of is None else of.factor
        if isinstance(chosen, slice):
            return Rows(chosen.stop - chosen.start, source[chosen])
        index = np.zeros(_padded(len(chosen)), dtype=np.int64)
        index[: len(chosen)] = chosen
        return Rows(len(chosen), source[index])  # torch's own ways take ten times as long

    def at_or_above(self, rows: Rows, columns: slice) -> Bools:
        width = columns.stop - columns.start
        right = self._vectors[columns.start : columns.start + _padded(width)]
        bits = self._bits.of(len(rows.factor), len(right))
        left, right, out = (self._tensor(array).view(self._kind) for array in (rows.factor, right, bits))
        self._multiply(left, right.T, out=out)
        mask: Bools = np.greater_equal(bits[: rows.count, :width], self._least, out=self._mask.of(rows.count, width))
        return mask


def _padded(size: int) -> int:
    """The next of a few sizes: for each new shape of factors torch compiles a kernel, which takes milliseconds."""
    step = max(32, 1 << (size - 1).bit_length() >> 3)
    return -(-size // step) * step


def _copied(
    vectors: Floats,
    order: Int32s | None,
    shortening: Shortening | None,
    kind: npt.DTypeLike,
    max_bytes: int,
    spill: Path,
) -> npt.NDArray[Any]:
    """The vectors in the given order, shortened where asked for: as float32, or as the bits of bfloat16 in int16."""
    shape = len(vectors), vectors.shape[1] if shortening is None else shortening.width
    fits = shape[0] * shape[1] * np.dtype(kind).itemsize <= max_bytes
    into = scratch(shape, kind, fits, spill)
    for start in range(0, len(vectors), _COPY_ROWS):
        part: Any = slice(start, start + _COPY_ROWS)
        block = np.array(vectors[part if order is None else order[part]])
        if shortening is not None:
            block = shortening(block)
        into[part] = block if into.dtype == np.float32 else _bfloat16_bits(block)
    return into


def _bfloat16_bits(block: Floats) -> Int16s:
    import torch

    bits: Int16s = torch.from_numpy(block).bfloat16().view(torch.int16).numpy()
    return bits


def _prefers_bfloat16(rows: int, floor: float) -> bool:
    """Whether the CPU multiplies bfloat16 and there is enough to do."""
    cpu = Path("/proc/cpuinfo")
    if rows < _WORTH_TORCH_ROWS or floor <= 2 * _BFLOAT16_ULP or not cpu.exists():
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpu.read_text().split())
