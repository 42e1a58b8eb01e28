"""A folder of finished pieces of work, so that a killed stage goes on where it stopped.

Each part is one file, mostly of Parquet, named `<name>-<digest of its bytes>.parquet`. It appears whole or not at all,
it is checked against its digest before it is used, and a damaged one is removed, to be made again. Any number
of processes may read and add at the same time. DVC knows nothing of this folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.storage.files import content_digest, put_in_place
from entropyguard.core.storage.part_names import ARROW, PARQUET, part_pattern
from entropyguard.core.storage.temporary import remove_abandoned, temporary_file


@contextmanager
def kept_or_temporary(store: PartStore | None, folder: Path) -> Iterator[PartStore]:
    """The store; without one a store below `folder` that is there only as long as the work takes."""
    if store is not None:
        yield store
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        yield PartStore(Path(temporary), durable=False)


class PartStore:
    """The parts in `folder` (made on the first `put`); those in `unread` are left alone, as if they were not there.

    durable: whether a part outlives a power cut. ending: what the parts are. offered: a file from elsewhere that would
    do for a part, if it is what the store's user would make.
    """

    def __init__(
        self,
        folder: Path,
        unread: frozenset[Path] = frozenset(),
        *,
        durable: bool = True,
        ending: str = PARQUET,
        offered: Path | None = None,
    ) -> None:
        self.folder = folder
        self.offered = offered
        self._unread = unread
        self._durable = durable
        self._ending = ending

    @classmethod
    def fresh(cls, folder: Path) -> PartStore:
        """A store of which nothing that lies there now is read."""
        return cls(folder, frozenset(path for path in folder.rglob("*.*") if path.suffix[1:] in (PARQUET, ARROW)))

    def below(self, name: str) -> PartStore:
        """The store in a folder below this one."""
        return PartStore(self.folder / name, self._unread, durable=self._durable, ending=self._ending)

    def put(self, name: str, table: pa.Table) -> Path:
        """Add a part and return its path; an equal one that is there already stays."""

        def write(temporary: Path) -> None:
            pq.write_table(table, temporary, compression="none", use_dictionary=False, write_statistics=False)

        return self.add(name, write)

    def add(self, name: str, write: Callable[[Path], None]) -> Path:
        """Add the part that `write` writes to the path it is given; its path then."""
        with self._temporary() as temporary:
            write(temporary)
            final = self.folder / f"{name}-{content_digest(temporary)}.{self._ending}"
            put_in_place(temporary, final, durable=self._durable)
        return final

    def link(self, name: str, file: Path) -> Path:
        """Add an existing Parquet file as a part, without a second copy where the filesystem can link."""
        self._make_folder()
        final = self.folder / f"{name}-{content_digest(file)}.parquet"
        seen_by = self.folder.stat().st_mode & 0o444
        try:
            if file.stat().st_mode & seen_by != seen_by:
                raise PermissionError(f"{file} is for fewer users than {self.folder}")
            os.link(file, final)
        except FileExistsError:  # the same content, by whoever was first
            return final
        except OSError:  # another filesystem, one without links, or a file that others could not read
            with self._temporary() as temporary:
                shutil.copyfile(file, temporary)
                put_in_place(temporary, final)
        return final

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        self._make_folder()
        with temporary_file(self.folder, private=True) as temporary:
            temporary.chmod(self.folder.stat().st_mode & 0o666)  # several users may share a store
            yield temporary

    def _make_folder(self) -> None:
        """Make the folder, open to whom the one above it is: several users may share a store."""
        if self.folder.is_dir():
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.folder.mkdir()
        except FileExistsError:  # another process was first
            return
        self.folder.chmod(stat.S_IMODE(self.folder.parent.stat().st_mode))

    def paths(self) -> list[Path]:
        """All parts that may be read, in the order of their names; nothing is read."""
        return sorted(path for path in self._all() if path not in self._unread)

    def _all(self) -> Iterator[Path]:
        return self.folder.glob(part_pattern(self._ending))

    def sound(self, name: str | None = None) -> Iterator[Path]:
        """The parts (of one name, or all) whose bytes are those that were written; others are removed."""
        for path in self.paths():
            if (name is None or path.stem.rpartition("-")[0] == name) and self.is_sound(path):
                yield path

    def is_sound(self, path: Path) -> bool:
        """Whether a part is there with the bytes that were written; a damaged one is removed, to be made again."""
        try:
            good = content_digest(path) == path.stem.rpartition("-")[2]
        except (FileNotFoundError, PermissionError):  # another process pruned it, or another user keeps it private
            return False
        if not good:
            self.discard(path)
        return good

    @staticmethod
    def discard(path: Path) -> None:
        """Remove a part, unless it is another user's who lets nobody."""
        with suppress(PermissionError):
            path.unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """What the parts take on disk."""
        return sum(path.stat().st_size for path in self.paths())

    def prune(self, keep: set[Path]) -> None:
        """Remove every part that is not in `keep`, an unread one too, and what killed writers left."""
        for path in self._all():
            if path not in keep and path.is_file() and not path.is_symlink():
                self.discard(path)
        self.sweep()

    def remove(self) -> None:
        """Remove all parts, and the folder if nothing else is in it."""
        if self.folder.is_dir():
            self.prune(keep=set())
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def sweep(self) -> None:
        """Remove the unfinished files of killed writers."""
        remove_abandoned(self.folder)
