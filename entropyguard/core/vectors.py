"""The vectors of `embeddings.parquet` as one matrix, in memory or, where it does not fit, in a mapped file."""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.parquet import open_parquet, read_tables

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Vectors:
    """The rows that take part in a search; a position is an index into both arrays."""

    row_ids: Ints
    matrix: Floats
    """(positions, dimensions), unit vectors."""
    rows: int
    """All rows of the file."""
    skipped: Counter[str]
    """How many rows take no part, by reason."""


@contextlib.contextmanager
def load_vectors(embeddings: Path, max_bytes: int, spill: Path) -> Iterator[Vectors]:
    """Hold the vectors of all rows that are not skipped: in memory up to `max_bytes`, else in a file in `spill`.

    The file has no name, so it is gone when the process ends, however it ends.
    """
    row_ids, rows, skipped = _rows_that_take_part(embeddings)
    with open_parquet(embeddings) as file:
        dimensions = file.schema_arrow.field("vector").type.list_size
    shape = (len(row_ids), dimensions)
    with contextlib.ExitStack() as stack:
        if shape[0] * dimensions * 4 <= max_bytes:
            matrix: Floats = np.empty(shape, dtype=np.float32)
            start = 0
            for block in _blocks(embeddings, dimensions):
                matrix[start : start + len(block)] = block
                start += len(block)
        else:
            mapped = stack.enter_context(tempfile.TemporaryFile(dir=spill))
            for block in _blocks(embeddings, dimensions):
                mapped.write(block.data)
            mapped.flush()
            matrix = np.memmap(mapped, dtype=np.float32, mode="r", shape=shape)
        yield Vectors(row_ids, matrix, rows, skipped)


def _rows_that_take_part(embeddings: Path) -> tuple[Ints, int, Counter[str]]:
    ids, skipped, rows = [np.empty(0, dtype=np.int64)], Counter[str](), 0
    for table in read_tables(embeddings, ["row_id", "skipped"]):
        rows += table.num_rows
        skipped.update(pc.drop_null(table["skipped"]).to_pylist())
        ids.append(table.filter(pc.is_null(table["skipped"]))["row_id"].to_numpy())
    return np.concatenate(ids), rows, skipped


def _blocks(embeddings: Path, dimensions: int) -> Iterator[Floats]:
    """The vectors of rows that take part, one C-contiguous array per row group."""
    for table in read_tables(embeddings, ["skipped", "vector"]):
        taking_part = table.filter(pc.is_null(table["skipped"]))["vector"]
        for chunk in taking_part.chunks:
            flat: pa.FloatArray = chunk.flatten()
            if len(flat):
                yield flat.to_numpy().reshape(-1, dimensions)
