"""The vectors of `embeddings.parquet` as matrices, in memory or, where they do not fit, in mapped files."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Bools, Floats, Ints
from entropyguard.core.storage.checkpoint import Checkpoint


@dataclass(frozen=True)
class Windows:
    """Unit vectors of texts, each of one window or more.

    first: (texts, dimensions), each text's first window. later: the further ones, text after text; those of text t
    are `later[starts[t]:starts[t + 1]]`.
    """

    first: Floats
    later: Floats
    starts: Ints

    @classmethod
    def empty(cls, further: Ints, dimensions: int, max_bytes: int, spill: Path) -> Windows:
        """Room for texts that have so many `further` windows: in memory up to `max_bytes`, else in files in `spill`."""
        starts = np.concatenate([[0], np.cumsum(further, dtype=np.int64)])
        texts, later = len(further), int(starts[-1])
        fits = (texts + later) * dimensions * 4 <= max_bytes
        first, rest = (scratch((rows, dimensions), np.float32, fits, spill) for rows in (texts, later))
        return cls(first, rest, starts)

    def fill(self, blocks: Iterator[tuple[Bools, Floats]]) -> None:
        """Put in all vectors in the order of texts and windows; a flag says whether one is its text's first."""
        first = later = 0
        for is_first, vectors in blocks:
            here = int(is_first.sum())
            self.first[first : first + here] = vectors[is_first] if here < len(vectors) else vectors
            first += here
            if here < len(vectors):
                self.later[later : later + len(vectors) - here] = vectors[~is_first]
                later += len(vectors) - here

    def further(self, texts: npt.NDArray[Any]) -> Ints:
        """How many windows each of these texts has beyond its first."""
        windows: Ints = self.starts[texts + 1] - self.starts[texts]
        return windows


@dataclass(frozen=True)
class Vectors:
    """The texts that take part in a search; a position is an index into all arrays."""

    row_ids: Ints
    windows: Windows
    rows: int
    """All rows of after_near_dedup.parquet."""
    skipped: Counter[str]
    """How many rows take no part, by reason."""


def load_vectors(embeddings: Checkpoint, max_bytes: int, spill: Path) -> Vectors:
    """Hold the vectors of all rows that are not skipped: in memory up to `max_bytes`, else in files in `spill`."""
    dimensions = embeddings.schema.field("vector").type.list_size
    row_ids, part, further, skipped = _rows(embeddings)
    windows = Windows.empty(further[part], dimensions, max_bytes, spill)
    windows.fill(_blocks(embeddings, dimensions))
    return Vectors(row_ids[part], windows, len(row_ids), skipped)


def scratch(shape: tuple[int, ...], kind: npt.DTypeLike, in_memory: bool, spill: Path) -> npt.NDArray[Any]:
    """An array to fill: in memory or in a file in `spill`. The file has no name, so it goes when the process ends."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if in_memory or size == 0:
        return np.empty(shape, dtype=kind)
    with tempfile.TemporaryFile(dir=spill) as file:
        os.posix_fallocate(file.fileno(), 0, size)  # a full disk is an error here, and a crash once the file is mapped
        return np.memmap(file, dtype=kind, mode="r+", shape=shape)


def _rows(embeddings: Checkpoint) -> tuple[Ints, Bools, Ints, Counter[str]]:
    """Of every row: its id, whether it takes part, and how many windows it has beyond the first."""
    lines, firsts, skipped = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.bool_)], Counter[str]()
    parts = [np.empty(0, dtype=np.bool_)]
    for table in embeddings.tables(["row_id", "window", "skipped"]):
        lines.append(table["row_id"].to_numpy())
        firsts.append(table["window"].to_numpy() == 0)
        parts.append(table["skipped"].is_null().to_numpy())
        skipped.update(pc.drop_null(table["skipped"]).to_pylist())
    at = np.flatnonzero(np.concatenate(firsts))
    further = np.diff(at, append=sum(map(len, lines))) - 1
    return np.concatenate(lines)[at], np.concatenate(parts)[at], further, skipped


def _blocks(embeddings: Checkpoint, dimensions: int) -> Iterator[tuple[Bools, Floats]]:
    """The windows that have vectors: whether each is its text's first, and one C-contiguous array per row group."""
    for table in embeddings.tables(["window", "skipped", "vector"]):
        taking_part = table.filter(pc.is_null(table["skipped"]))
        for batch in taking_part.to_batches():
            flat: pa.FloatArray = batch["vector"].flatten()
            if len(flat):
                yield batch["window"].to_numpy() == 0, flat.to_numpy().reshape(-1, dimensions)
