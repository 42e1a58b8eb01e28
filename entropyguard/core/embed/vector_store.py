"""Vectors kept by what they are of: the text's hash and everything that decides the vector's bits.

On disk a store is `<folder>/<encoder's fingerprint>/` full of parts (see `PartStore`), each with the columns
`key` (16 bytes, see `vector_keys`) and `vector`. A finished embeddings.parquet is such a part by itself, so it is
linked in and takes the place of the small parts it was made from: vectors lie on disk once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Bools, Floats, Int32s, Ints, Keys
from entropyguard.core.storage.digests import digests_from_arrow, digests_to_arrow
from entropyguard.core.storage.files import FileState, sync_file, write_whole
from entropyguard.core.storage.key_index import KeyIndex
from entropyguard.core.storage.own_files import OwnNames, Removed, remove_own
from entropyguard.core.storage.part_names import PART_NAME
from entropyguard.core.storage.parts import PartStore

CACHE_MARKER = ".entropyguard-vectors"
"""A file in a folder of --vector-cache that says whose it is."""


def vectors_to_arrow(vectors: Floats, mask: Bools | None = None) -> pa.Array:
    """Rows of a float32 matrix as the Parquet column `vector`; null where `mask` is true."""
    flat = pa.array(vectors.reshape(-1), type=pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=None if mask is None else pa.array(mask))


class VectorStore:
    """The vectors of one encoder in a store; several processes may work on the same one, and several threads."""

    def __init__(
        self,
        store: PartStore,
        fingerprint: str,
        dimension: int,
        *,
        apart: Collection[Path] = (),
        only: Sequence[Path] | None = None,
    ) -> None:
        """apart: parts that are not looked into: who has them takes them whole. only: those that are; None is all."""
        self._parts = store.below(fingerprint)
        self._units = PartStore(self._parts.folder, durable=False)  # a torn part is seen by its digest, and made again
        self._dimension = dimension
        self._apart, self._only = frozenset(apart), only
        self._checked: dict[Path, FileState] = {}
        self._last_read: tuple[Path, int, Floats] | None = None
        self._lock = threading.Lock()
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

    def find(self, keys: Keys) -> tuple[Bools, Floats]:
        """Which keys are known, and the vectors of those, in the order of the keys."""
        with self._lock:
            while True:
                try:
                    return self._find(keys)
                except FileNotFoundError:  # another process put a bigger part in its place
                    self._refresh()

    def knows(self, keys: Keys) -> Bools:
        """Which keys are known."""
        found = np.zeros(len(keys), dtype=np.bool_)
        with self._lock:
            for index in self._indexes:
                found |= index.find(keys) >= 0
        return found

    def put(self, keys: Keys, vectors: Floats) -> None:
        """Save vectors; once this returns, no kill can lose them."""
        table = pa.table({"key": digests_to_arrow(keys), "vector": vectors_to_arrow(vectors)})
        path = self._parts.put("vectors", table)
        with self._lock:
            self._checked[path] = FileState.of(path)
            new = self._numbered(path, keys, np.arange(len(keys), dtype=np.int32))
            # The vectors of earlier runs stay sorted as they are; only this run's are sorted again.
            self._indexes[1:] = [KeyIndex.joined([*self._indexes[1:], new])]

    def put_unit(self, name: str, lines: pa.Table) -> Path:
        """Save the lines of a unit as a part, to be taken whole, or looked into by another run."""
        return self._units.put(name, lines)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens it once, and sees what is seen here: not the units of this run."""
        folder = self._parts.folder
        return _opened, (folder.parent, folder.name, self._dimension, tuple(self._paths))

    def link(self, embeddings: Path, units: Iterable[Path] = ()) -> None:
        """Take a finished embeddings.parquet as a part, without a copy where the filesystem can link.

        Parts whose vectors are all in it are removed, as are the `units` it was made of, and what killed writers left
        behind.
        """
        sync_file(embeddings)  # the parts it replaces must not go before it is safe
        final = self._parts.link("embeddings", embeddings)
        keys, rows = _keys_in(embeddings)
        linked = KeyIndex.of(keys, np.zeros(len(rows), dtype=np.int32), rows)
        needed = {final}
        for index in self._indexes:
            missing = linked.find(np.stack([index.first, index.second], axis=1)) < 0
            needed |= {self._paths[part] for part in np.unique(index.part[missing])}
        for path in [*self._paths, *units]:
            if path not in needed:
                self._parts.discard(path)
        self._parts.sweep()
        self._refresh()

    def take(self, embeddings: Path) -> None:
        """Add an embeddings.parquet to what is there."""
        self._parts.link("embeddings", embeddings)
        self._refresh()

    def _refresh(self) -> None:
        """Read the keys of all sound parts; a file that has not been touched is checked once."""
        self._paths: list[Path] = []
        found = []
        for path in self._parts.paths() if self._only is None else self._only:
            if path in self._apart:
                continue
            try:
                if self._is_sound(path):
                    found.append(self._numbered(path, *_keys_in(path)))
            except FileNotFoundError:  # another process put a bigger part in its place
                continue
        self._indexes = [KeyIndex.joined(found)]

    def _numbered(self, path: Path, keys: Keys, rows: Int32s) -> KeyIndex:
        self._paths.append(path)
        return KeyIndex.of(keys, np.full(len(rows), len(self._paths) - 1, dtype=np.int32), rows)

    def _is_sound(self, path: Path) -> bool:
        """Whether a part's bytes are those that were written; a damaged part is removed, to be made again."""
        state = FileState.of(path)
        if self._checked.get(path) != state:
            if not self._parts.is_sound(path):
                return False
            self._checked[path] = state
        return True

    def _find(self, keys: Keys) -> tuple[Bools, Floats]:
        part, row = np.full(len(keys), -1, dtype=np.int32), np.zeros(len(keys), dtype=np.int32)
        for index in self._indexes:
            positions = index.find(keys)
            hit = positions >= 0
            part[hit], row[hit] = index.part[positions[hit]], index.row[positions[hit]]
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
        rows: Int32s,
        into: Ints,
        vectors: Floats,
    ) -> None:
        """Copy `rows` of a part to the places `into` of `vectors`, reading only the row groups they lie in."""
        with pq.ParquetFile(path, memory_map=False) as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            starts = np.concatenate([[0], np.cumsum(sizes)])
            groups = np.searchsorted(starts, rows, side="right") - 1
            for group in np.unique(groups):
                here = groups == group
                vectors[into[here]] = self._group(path, file, int(group))[rows[here] - starts[group]]

    def _group(self, path: Path, file: pq.ParquetFile, group: int) -> Floats:
        """All vectors of a row group. The last one is kept: rows are mostly asked for in the order they lie."""
        if self._last_read is None or self._last_read[:2] != (path, group):
            chunks = file.read_row_group(group, columns=["vector"]).column("vector").chunks
            flat = [chunk.values.to_numpy(zero_copy_only=False) for chunk in chunks]
            self._last_read = (path, group, np.concatenate(flat).reshape(-1, self._dimension))
        return self._last_read[2]


@lru_cache(1)
def _opened(folder: Path, fingerprint: str, dimension: int, only: tuple[Path, ...]) -> VectorStore:
    return VectorStore(PartStore(folder), fingerprint, dimension, only=only)


def keep_generation(store: PartStore, digest: str) -> None:
    """Of a project's own store keep the embeddings.parquet of this content digest, which is linked in, alone."""
    for folder in encoder_folders(store):
        PartStore(folder).prune(keep=set(folder.glob(f"*-{digest}.parquet")))


def encoder_folders(store: PartStore) -> list[Path]:
    """The folders of encoders in a store; a link is none, since what it leads to may be anybody's."""
    if not store.folder.is_dir():
        return []
    return [folder for folder in sorted(store.folder.iterdir()) if folder.is_dir() and not folder.is_symlink()]


def prune_encoders(store: PartStore, keep: str) -> Removed:
    """Remove the vectors of encoders with another fingerprint than `keep`; a folder goes if nothing else is in it."""
    others = [folder.name for folder in encoder_folders(store) if folder.name != keep]
    own = OwnNames(rf"{re.escape(name)}/(?:{PART_NAME})?" for name in others)
    return remove_own(store.folder, own, spared={keep, CACHE_MARKER})


def mark_cache(folder: Path) -> None:
    """Make a folder one that several runs share vectors in, known by a marker; what else lies there stays others'."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / CACHE_MARKER).is_file():
        write_whole(
            folder / CACHE_MARKER, b"Vectors of entropyguard lie here: see `entropyguard clean --vector-cache`.\n"
        )


def _keys_in(path: Path) -> tuple[Keys, Int32s]:
    """The keys a part has vectors for, and the row of each."""
    with pq.ParquetFile(path, memory_map=False) as file:
        columns = [name for name in ("key", "skipped") if name in file.schema_arrow.names]
        table = file.read(columns=columns)
    keys, rows = digests_from_arrow(table.column("key")), np.arange(table.num_rows, dtype=np.int32)
    if "skipped" in columns:
        rows = rows[table.column("skipped").is_null().to_numpy()]
    return keys[rows], rows
