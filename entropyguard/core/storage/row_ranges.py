"""Some rows of a checkpoint, as a unit of work names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import xxhash

from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import FileState

_BATCH_ROWS = 8_192


@dataclass(frozen=True)
class RowRange:
    """The rows start..end-1 of a row group; `before` rows of the file stand in row groups before it."""

    path: Path
    group: int
    start: int
    end: int
    before: int

    def __str__(self) -> str:
        return f"rows {self.before + self.start:,} to {self.before + self.end - 1:,} of {self.path.name}"

    def __len__(self) -> int:
        return self.end - self.start

    def name(self, decided_by: str) -> str:
        """For what comes of the rows: a digest of which they are, and of all else that decides it."""
        return xxhash.xxh3_128_hexdigest(f"{decided_by} {self.group} {self.start} {self.end}".encode())

    @property
    def checkpoint(self) -> Checkpoint:
        """The file, opened."""
        return _opened(self.path, FileState.of(self.path))

    def table(self, columns: Sequence[str]) -> pa.Table:
        """The rows, of these columns."""
        batches, end = [], 0
        with self.checkpoint.opened() as file:
            for batch in file.iter_batches(_BATCH_ROWS, [self.group], list(columns), use_threads=False):
                before, end = end, end + len(batch)
                if end > self.start:
                    batches.append(
                        batch.slice(max(0, self.start - before), min(end, self.end) - max(before, self.start))
                    )
                if end >= self.end:  # what comes after them is not decoded
                    break
        return pa.Table.from_batches(batches).combine_chunks()


def row_ranges(checkpoint: Checkpoint, rows: int, column: str, size: int) -> Iterator[RowRange]:
    """All rows, in the order of the file, at most so many `rows` together and about `size` bytes of a column."""
    before = 0
    for group, count in enumerate(checkpoint.group_rows):
        share = max(1, count * size // max(1, checkpoint.column_bytes(group, column)))
        step = min(rows, share)
        for start in range(0, count, step):
            yield RowRange(checkpoint.path, group, start, min(count, start + step), before)
        before += count


@lru_cache(1)
def _opened(path: Path, _state: FileState) -> Checkpoint:
    """A worker reads many ranges of one file, whose footer may be long."""
    return Checkpoint(path)
