"""Finished work by what it is of: a killed run goes on from there, and what is appended repeats nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Bools, Keys, UInt32s
from entropyguard.core.storage.digests import digests_from_arrow, digests_to_arrow
from entropyguard.core.storage.key_index import KeyIndex
from entropyguard.core.storage.parts import PartStore

PART = "finished"


def keep_only(store: PartStore | None, names: Container[str]) -> None:
    """Remove what lies in the store's other folders: it is of parameters or rules that are no more."""
    if store is None or not store.folder.is_dir():
        return
    for folder in store.folder.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.name not in names:
            PartStore(folder).remove()


class Stored:
    """Values of `width` whole numbers (uint32) by 128-bit keys, from some parts; 40 bytes and the value for each."""

    def __init__(self, paths: Sequence[Path], width: int) -> None:
        self._keys, self._values = read_values(paths, width)
        rows = np.arange(len(self._keys), dtype=np.int32)
        self._index = KeyIndex.of(self._keys, np.zeros_like(rows), rows)
        self._used = np.zeros(len(rows), dtype=np.bool_)

    def find(self, keys: Keys) -> tuple[Bools, UInt32s]:
        """Which keys have a value, and the values of those, shape (known, width)."""
        at = self._index.find(keys)
        rows = self._index.row[at[at >= 0]]
        self._used[rows] = True
        return at >= 0, self._values[rows]

    def used(self) -> tuple[Keys, UInt32s]:
        """What was found so far."""
        return self._keys[self._used], self._values[self._used]

    def all_used(self) -> bool:
        return bool(self._used.all())


@lru_cache(maxsize=1)
def stored(paths: tuple[Path, ...], width: int) -> Stored:
    """Read once by a process that does many units: a part's name says what is in it."""
    return Stored(paths, width)


class Finished:
    """What is kept of one kind in a folder of a store, of that name; None keeps nothing.

    name: it says all that decides the values beside their keys. parts: those that were there, none of them damaged.
    """

    def __init__(self, store: PartStore | None, name: str, width: int) -> None:
        self.store = None if store is None else store.below(name)
        self.parts = () if self.store is None else tuple(self.store.sound(PART))
        self.width = width

    def replace(self, pieces: Iterable[tuple[Keys, UInt32s]]) -> None:
        """Leave one part, of these values."""
        if self.store is not None:
            self.store.prune(keep={self.store.put(PART, values_table(pieces, self.width))})


def values_table(pieces: Iterable[tuple[Keys, UInt32s]], width: int) -> pa.Table:
    """Keys and values as a part has them."""
    kind = pa.binary(4 * width)
    schema = pa.schema([("key", digests_to_arrow(np.empty((0, 2), dtype=np.uint64)).type), ("value", kind)])
    tables = []
    for keys, values in pieces:
        packed = pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(values.tobytes())])
        tables.append(pa.table([digests_to_arrow(keys), packed], schema=schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def read_values(paths: Iterable[Path], width: int) -> tuple[Keys, UInt32s]:
    """Keys and values of parts."""
    tables = [pq.read_table(path, memory_map=False) for path in paths]
    keys = [digests_from_arrow(table["key"]) for table in tables]
    chunks = [chunk for table in tables for chunk in table["value"].chunks]
    flat = [np.frombuffer(c.buffers()[1], np.uint32)[c.offset * width :][: len(c) * width] for c in chunks]
    values = [numbers.reshape(-1, width) for numbers in flat]
    no_keys, no_values = np.empty((0, 2), dtype=np.uint64), np.empty((0, width), dtype=np.uint32)
    return np.concatenate([no_keys, *keys]), np.concatenate([no_values, *values])
