"""Finished pieces of a search, in positions, so that they outlive a change of row ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Int32s
from entropyguard.core.storage.parts import PartStore

_SHARD = [("a", pa.int32()), ("b", pa.int32()), ("millionths", pa.int32())]
_READ_ROWS = 1 << 20


@dataclass(frozen=True)
class StoredBlock:
    """Sound shards that follow one another from a block row's first position up to `end`; whole: up to its last."""

    paths: list[Path]
    end: int
    whole: bool

    @classmethod
    def find(cls, parts: Parts, name: str, first: int, last: int) -> StoredBlock:
        """What was stored of the block row `name`; shards behind a gap are made again."""
        shards = [(*_range(path), path) for path in parts.known(name)]
        paths, end = [], first
        for start, stop, path in sorted(shards, key=lambda shard: (shard[0], -shard[1])):
            if start == end and stop <= last:
                paths.append(path)
                end = stop
        return cls(paths, end, end == last)


class Parts:
    """The store of one search, and the parts of it that were used or made.

    Its folder may hold thousands. It is listed at first, and again for a part that another worker should have made.
    """

    def __init__(self, store: PartStore) -> None:
        self.store = store
        self.used: set[Path] = set()
        self._list()

    def put(self, name: str, table: pa.Table) -> Path:
        """Keep a part."""
        path = self.store.put(name, table)
        self.used.add(path)
        self._lying.setdefault(name, []).append(path)
        return path

    def make(self, name: str, make: Callable[[], pa.Table]) -> None:
        """Keep the only part of this name, where it is not known."""
        if not any(self.known(name)):
            self.put(name, make())

    def get(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The only part of this name; made, and kept, where it is not there."""
        if name not in self._lying:
            self._list()
        for path in self.known(name):
            self.used.add(path)
            with pq.ParquetFile(path, memory_map=False) as file:
                return file.read()
        table = make()
        self.put(name, table)
        return table

    def known(self, name: str) -> Iterator[Path]:
        """The sound parts of this name, of those that are known."""
        return filter(self.store.is_sound, self._lying.get(name, []))

    def _list(self) -> None:
        self._lying: dict[str, list[Path]] = {}
        for path in self.store.paths():
            self._lying.setdefault(path.stem.rpartition("-")[0], []).append(path)


def shard_table(pairs: tuple[Int32s, ...], start: int, end: int) -> pa.Table:
    """All pairs of the positions start..end-1 with positions before them, as a part."""
    schema = pa.schema(_SHARD, metadata={"start": str(start), "end": str(end)})
    return pa.Table.from_arrays([pa.array(column) for column in pairs], schema=schema)


def shard_tables(path: Path) -> Iterator[pa.Table]:
    """The pairs of a stored shard, in tables of bounded size."""
    with pq.ParquetFile(path, memory_map=False) as file:
        for batch in file.iter_batches(_READ_ROWS):
            yield pa.Table.from_batches([batch])


def _range(path: Path) -> tuple[int, int]:
    with pq.ParquetFile(path, memory_map=False) as file:
        metadata = file.schema_arrow.metadata
    return int(metadata[b"start"]), int(metadata[b"end"])
