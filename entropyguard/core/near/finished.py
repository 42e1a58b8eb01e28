"""Finished work by what it is of: a killed run goes on from there, and what is appended repeats nothing."""

from __future__ import annotations

import time
from collections.abc import Container
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Bools, Keys, UInt32s
from entropyguard.core.storage.digests import digests_from_arrow, digests_to_arrow
from entropyguard.core.storage.key_index import KeyIndex
from entropyguard.core.storage.parts import PartStore

SAVE_SECONDS = 20.0
_PART = "finished"


def keep_only(store: PartStore | None, names: Container[str]) -> None:
    """Remove what lies in the store's other folders: it is of parameters or rules that are no more."""
    if store is None or not store.folder.is_dir():
        return
    for folder in store.folder.iterdir():
        if folder.is_dir() and not folder.is_symlink() and folder.name not in names:
            PartStore(folder).remove()


class Finished:
    """Values of `width` whole numbers (uint32) by 128-bit keys, in a folder of a store; None keeps nothing.

    name: of the folder; it says all that decides the values beside their keys. Memory: 24 bytes and the value for each
    key that was there before; what is new is in memory until it is saved.
    """

    def __init__(self, store: PartStore | None, name: str, width: int, save_seconds: float = SAVE_SECONDS) -> None:
        self._parts = None if store is None else store.below(name)
        self._width = width
        self._save_seconds = save_seconds
        self._before = [] if self._parts is None else list(self._parts.sound(_PART))
        keys, self._values = self._read(self._before)
        self._index = KeyIndex.of(keys, np.zeros(len(keys), dtype=np.int32), np.arange(len(keys), dtype=np.int32))
        self._used = np.zeros(len(keys), dtype=np.bool_)
        self._keys_read = keys
        self._saved: list[Path] = []
        self._new: list[tuple[Keys, UInt32s]] = []
        self._since = time.monotonic()

    def find(self, keys: Keys) -> tuple[Bools, UInt32s]:
        """Which keys have a value, and the values of those, shape (known, width)."""
        at = self._index.find(keys)
        rows = self._index.row[at[at >= 0]]
        self._used[rows] = True
        return at >= 0, self._values[rows]

    def add(self, keys: Keys, values: UInt32s) -> None:
        """Keep new values; every SAVE_SECONDS they are saved, and then no kill can lose them."""
        if self._parts is None or not len(keys):
            return
        self._new.append((keys, values))
        if time.monotonic() - self._since >= self._save_seconds:
            self._save()

    def finish(self) -> None:
        """Save what is new, and leave one part, of the values that this run used."""
        if self._parts is None:
            return
        if len(self._before) != 1 or not self._used.all() or self._new or self._saved:
            keys, values = self._read(self._saved)
            new = [(self._keys_read[self._used], self._values[self._used]), (keys, values), *self._new]
            self._parts.prune(keep={self._put(new)})

    def _save(self) -> None:
        self._saved.append(self._put(self._new))
        self._new, self._since = [], time.monotonic()

    def _put(self, pieces: list[tuple[Keys, UInt32s]]) -> Path:
        assert self._parts is not None  # noqa: S101  for the type checker: who calls has looked
        keys, values = (np.concatenate(arrays) for arrays in zip(*pieces, strict=True))
        kind = pa.binary(4 * self._width)
        packed = pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, pa.py_buffer(values.tobytes())])
        return self._parts.put(_PART, pa.table({"key": digests_to_arrow(keys), "value": packed}))

    def _read(self, paths: list[Path]) -> tuple[Keys, UInt32s]:
        tables = [pq.read_table(path, memory_map=False) for path in paths]
        keys = [digests_from_arrow(table["key"]) for table in tables]
        chunks = [chunk for table in tables for chunk in table["value"].chunks]
        width = self._width
        flat = [np.frombuffer(c.buffers()[1], np.uint32)[c.offset * width :][: len(c) * width] for c in chunks]
        values = [numbers.reshape(-1, width) for numbers in flat]
        no_keys, no_values = np.empty((0, 2), dtype=np.uint64), np.empty((0, self._width), dtype=np.uint32)
        return np.concatenate([no_keys, *keys]), np.concatenate([no_values, *values])
