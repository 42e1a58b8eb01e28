"""A folder of finished pieces of work, so that a killed stage goes on where it stopped.

Each part is one Parquet file named `<name>-<digest of its bytes>.parquet`. It appears whole or not at all, it
is checked against its digest before it is used, and a damaged one is removed, to be made again. Any number
of processes may read and add at the same time. DVC knows nothing of this folder.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.files import content_digest, put_in_place

_DIGEST_LENGTH = 32


class PartStore:
    """The parts in `folder` (made on the first `put`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, table: pa.Table) -> Path:
        """Add a part and return its path; an equal one that is there already stays."""
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".part-", suffix=".tmp", dir=self.folder)
        os.close(descriptor)
        try:
            pq.write_table(table, temporary, compression="none", use_dictionary=False, write_statistics=False)
            return self._name(Path(temporary), name)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def link(self, name: str, file: Path) -> Path:
        """Add an existing Parquet file as a part without a second copy where the filesystem can link."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"{name}-{content_digest(file)}.parquet"
        if not final.exists():
            try:
                os.link(file, final)
            except OSError:  # another filesystem, or one without links: then it has to be a copy
                self.put(name, pq.read_table(file))
        return final

    def _name(self, temporary: Path, name: str) -> Path:
        final = self.folder / f"{name}-{content_digest(temporary)}.parquet"
        put_in_place(temporary, final)
        return final

    def paths(self) -> list[Path]:
        """All parts, in the order of their names; nothing is read."""
        return sorted(self.folder.glob("*-" + "[0-9a-f]" * _DIGEST_LENGTH + ".parquet"))

    def sound(self, name: str | None = None) -> Iterator[Path]:
        """The parts (of one name, or all) whose bytes are those that were written; others are removed."""
        for path in self.paths():
            stem, _, digest = path.stem.rpartition("-")
            if name is not None and stem != name:
                continue
            if content_digest(path) == digest:
                yield path
            else:
                path.unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """What the parts take on disk."""
        return sum(path.stat().st_size for path in self.paths())

    def prune(self, keep: set[Path]) -> None:
        """Remove every part that is not in `keep`, and what killed writers left."""
        for path in self.paths():
            if path not in keep:
                path.unlink(missing_ok=True)
        for leftover in self.folder.glob(".part-*.tmp"):
            leftover.unlink(missing_ok=True)
