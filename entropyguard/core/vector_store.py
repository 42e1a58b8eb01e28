"""Vectors kept by what they are of: the text's hash and everything that decides the vector's bits.

On disk a store is `<folder>/<encoder's fingerprint>/` full of parts (see `PartStore`), each with the columns
`key` (16 bytes, `text_keys`) and `vector`. A finished embeddings.parquet is such a part by itself, so it is linked in
and takes the place of the small parts it was made from: vectors lie on disk once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from entropyguard.core.files import FileState, sync_file
from entropyguard.core.parts import PartStore

KEY_TYPE = pa.binary(16)
Keys = npt.NDArray[np.uint64]
"""Keys of texts, shape (texts, 2): the two halves of each digest."""


def text_keys(texts: Iterable[str]) -> Keys:
    """The xxh3_128 digest of each text's UTF-8 bytes."""
    digests = b"".join(xxhash.xxh3_128_digest(text.encode()) for text in texts)
    return np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)


def keys_to_arrow(keys: Keys) -> pa.Array:
    """Keys as the Parquet column `key`."""
    return pa.FixedSizeBinaryArray.from_buffers(KEY_TYPE, len(keys), [None, pa.py_buffer(keys.tobytes())])


def vectors_to_arrow(vectors: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Rows of a float32 matrix as the Parquet column `vector`; null where `mask` is true."""
    flat = pa.array(vectors.reshape(-1), type=pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=None if mask is None else pa.array(mask))


@dataclass(frozen=True)
class _Index:
    """Where each key's vector lies: 24 bytes a key, sorted by key. `part` is a number, `row` counts in that part."""

    first: npt.NDArray[np.uint64]
    second: npt.NDArray[np.uint64]
    part: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]

    @classmethod
    def of(cls, keys: Keys, part: npt.NDArray[np.int32], row: npt.NDArray[np.int32]) -> _Index:
        order = np.argsort(keys[:, 0], kind="stable")
        return cls(keys[order, 0], keys[order, 1], part[order], row[order])

    @classmethod
    def joined(cls, indexes: list[_Index]) -> _Index:
        empty = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
        first = np.concatenate([empty[0], *(index.first for index in indexes)])
        second = np.concatenate([empty[0], *(index.second for index in indexes)])
        part = np.concatenate([empty[1], *(index.part for index in indexes)])
        row = np.concatenate([empty[1], *(index.row for index in indexes)])
        return cls.of(np.stack([first, second], axis=1), part, row)

    def find(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Where in the index each key is; -1 where it is not. Keys alike in their first half are told apart."""
        places = np.full(len(keys), -1, dtype=np.int64)
        at = np.searchsorted(self.first, keys[:, 0])
        unsettled = np.arange(len(keys))
        while len(unsettled):
            unsettled = unsettled[at[unsettled] < len(self.first)]
            unsettled = unsettled[self.first[at[unsettled]] == keys[unsettled, 0]]
            same = self.second[at[unsettled]] == keys[unsettled, 1]
            places[unsettled[same]] = at[unsettled[same]]
            unsettled = unsettled[~same]
            at[unsettled] += 1
        return places

    def nbytes(self) -> int:
        return self.first.nbytes + self.second.nbytes + self.part.nbytes + self.row.nbytes


class VectorStore:
    """The vectors of one encoder in a store; several processes may work on the same one."""

    def __init__(self, store: PartStore, fingerprint: str, dimension: int) -> None:
        self._parts = PartStore(store.folder / fingerprint)
        self._dimension = dimension
        self._checked: dict[Path, FileState] = {}
        self._last_read: tuple[Path, int, npt.NDArray[np.float32]] | None = None
        self._refresh()

    def __len__(self) -> int:
        """Vectors known, one that lies in two parts counted twice."""
        return sum(len(index.first) for index in self._indexes)

    def index_bytes(self) -> int:
        """Memory the look-up takes."""
        return sum(index.nbytes() for index in self._indexes)

    def size_bytes(self) -> int:
        """What the store takes on disk by itself; a linked file counts where it came from."""
        sizes = (path.stat() for path in self._parts.paths())
        return sum(stat.st_size for stat in sizes if stat.st_nlink == 1)

    def find(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        """Which keys are known, and the vectors of those, in the order of the keys."""
        while True:
            try:
                return self._find(keys)
            except FileNotFoundError:  # another process put a bigger part in its place
                self._refresh()

    def put(self, keys: Keys, vectors: npt.NDArray[np.float32]) -> None:
        """Save vectors; once this returns, no kill can lose them."""
        table = pa.table({"key": keys_to_arrow(keys), "vector": vectors_to_arrow(vectors)})
        path = self._parts.put("vectors", table)
        self._checked[path] = FileState.of(path)
        new = self._numbered(path, keys, np.arange(len(keys), dtype=np.int32))
        # The vectors of earlier runs stay sorted as they are; only this run's are sorted again.
        self._indexes[1:] = [_Index.joined([*self._indexes[1:], new])]

    def link(self, embeddings: Path) -> None:
        """Take a finished embeddings.parquet as a part, without a copy where the filesystem can link.

        Parts whose vectors are all in it are removed, and what killed writers left behind.
        """
        sync_file(embeddings)  # the parts it replaces must not go before it is safe
        final = self._parts.link("embeddings", embeddings)
        keys, rows = _keys_in(embeddings)
        linked = _Index.of(keys, np.zeros(len(rows), dtype=np.int32), rows)
        needed = {final}
        for index in self._indexes:
            missing = linked.find(np.stack([index.first, index.second], axis=1)) < 0
            needed |= {self._paths[part] for part in np.unique(index.part[missing])}
        for path in self._paths:
            if path not in needed:
                path.unlink(missing_ok=True)
        self._parts.sweep()
        self._refresh()

    def _refresh(self) -> None:
        """Read the keys of all sound parts; a file that has not been touched is checked once."""
        self._paths: list[Path] = []
        found = []
        for path in self._parts.paths():
            try:
                if self._is_sound(path):
                    found.append(self._numbered(path, *_keys_in(path)))
            except FileNotFoundError:  # another process put a bigger part in its place
                continue
        self._indexes = [_Index.joined(found)]

    def _numbered(self, path: Path, keys: Keys, rows: npt.NDArray[np.int32]) -> _Index:
        self._paths.append(path)
        return _Index.of(keys, np.full(len(rows), len(self._paths) - 1, dtype=np.int32), rows)

    def _is_sound(self, path: Path) -> bool:
        """Whether a part's bytes are those that were written; a damaged part is removed, to be made again."""
        state = FileState.of(path)
        if self._checked.get(path) != state:
            if not self._parts.is_sound(path):
                return False
            self._checked[path] = state
        return True

    def _find(self, keys: Keys) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
        part, row = np.full(len(keys), -1, dtype=np.int32), np.zeros(len(keys), dtype=np.int32)
        for index in self._indexes:
            places = index.find(keys)
            hit = places >= 0
            part[hit], row[hit] = index.part[places[hit]], index.row[places[hit]]
        found = part >= 0
        part, row = part[found], row[found]
        vectors = np.empty((len(part), self._dimension), dtype=np.float32)
        for number in np.unique(part):
            here = np.flatnonzero(part == number)
            self._read(self._paths[number], row[here], here, vectors)
        return found, vectors

    def _read(
        self,
        path: Path,
        rows: npt.NDArray[np.int32],
        into: npt.NDArray[np.int64],
        vectors: npt.NDArray[np.float32],
    ) -> None:
        """Copy `rows` of a part to the places `into` of `vectors`, reading only the row groups they lie in."""
        with pq.ParquetFile(path, memory_map=False) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            starts = np.concatenate([[0], np.cumsum(sizes)])
            groups = np.searchsorted(starts, rows, side="right") - 1
            for group in np.unique(groups):
                here = groups == group
                vectors[into[here]] = self._group(path, file, int(group))[rows[here] - starts[group]]

    def _group(self, path: Path, file: pq.ParquetFile, group: int) -> npt.NDArray[np.float32]:
        """All vectors of a row group. The last one is kept: rows are mostly asked for in the order they lie."""
        if self._last_read is None or self._last_read[:2] != (path, group):
            chunks = file.read_row_group(group, columns=["vector"]).column("vector").chunks
            flat = [chunk.values.to_numpy(zero_copy_only=False) for chunk in chunks]
            self._last_read = (path, group, np.concatenate(flat).reshape(-1, self._dimension))
        return self._last_read[2]


def prune_encoders(store: PartStore, keep: set[str]) -> int:
    """Remove the vectors of every encoder whose fingerprint is not in `keep`; the bytes that were freed."""
    freed = 0
    for folder in store.folder.iterdir() if store.folder.is_dir() else ():
        if folder.is_dir() and folder.name not in keep:
            freed += sum(path.stat().st_size for path in folder.iterdir() if path.stat().st_nlink == 1)
            shutil.rmtree(folder)
    return freed


def _keys_in(path: Path) -> tuple[Keys, npt.NDArray[np.int32]]:
    """The keys a part has vectors for, and the row of each."""
    with pq.ParquetFile(path, memory_map=False) as file:
        columns = [name for name in ("key", "skipped") if name in file.schema_arrow.names]
        table = file.read(columns=columns).combine_chunks()
    if table.num_rows == 0:
        return np.empty((0, 2), dtype=np.uint64), np.empty(0, dtype=np.int32)
    column = table.column("key").chunk(0)
    raw = np.frombuffer(column.buffers()[1], dtype=np.uint64)[2 * column.offset :][: 2 * len(column)].reshape(-1, 2)
    rows = np.arange(len(column), dtype=np.int32)
    if "skipped" in columns:
        rows = rows[table.column("skipped").is_null().to_numpy()]
    return raw[rows], rows
