"""One file of the input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from entropyguard.core.storage.remote_path import RemotePath

if TYPE_CHECKING:
    import pyarrow as pa

CHECKPOINT_MARKER = ".entropyguard"
"""A folder that holds this one is a checkpoint dir or a data repo: what is in it are copies of data."""

OBJECTS = "objects.urls"
"""A file of this name tells of remote files: it stands for them in a checkpoint dir, where links stand for others."""

_RECORD_FORMATS = {"json": "jsonl", "tsv": "csv", "arrow": "parquet"}

Place = tuple[int, int]
"""Where a row stands in the input: the ordinal of its file, from 0, and its line, from 1."""


@dataclass(frozen=True)
class Source:
    """One input file: `kind` is jsonl, json, csv, tsv, parquet or arrow; `compression` is "", gz or zst.

    It opens itself, wherever it lies. `encoding` is that of text, by Python's name; `partitions`: the folders above
    that stand for columns, such as `year=2024`.
    """

    path: Path | RemotePath
    kind: str
    compression: str = ""
    encoding: str = "utf-8"
    partitions: tuple[str, ...] = ()

    @property
    def record_format(self) -> str:
        """How its rows are kept: as jsonl (lines), csv (strings by column) or parquet (typed columns)."""
        return _RECORD_FORMATS.get(self.kind, self.kind)

    def stream(self) -> BinaryIO:
        """Its bytes as they are stored, from first to last. InputError for a remote file that is another one by now."""
        if isinstance(self.path, Path):
            return cast("BinaryIO", self.path.open("rb", buffering=0))
        from entropyguard.core.storage.remote_reading import RemoteStream

        return cast("BinaryIO", RemoteStream(self.path))

    def arrow_stream(self) -> pa.NativeFile:
        """The same for Arrow."""
        import pyarrow as pa

        return self.arrow_file() if isinstance(self.path, Path) else pa.PythonFile(self.stream(), mode="r")

    def arrow_file(self) -> pa.NativeFile:
        """The file for Arrow, to read anywhere; a remote one by ranges, of which few are held."""
        from entropyguard.core.storage.parquet import arrow_file

        if isinstance(self.path, Path):
            return arrow_file(self.path)
        import pyarrow as pa

        from entropyguard.core.storage.remote_reading import RemoteRanges

        return pa.PythonFile(RemoteRanges(self.path), mode="r")

    def __str__(self) -> str:
        """The file's name for messages: a link (a checkpoint dir's way to its input) is named by its target."""
        if isinstance(self.path, Path) and self.path.is_symlink():
            return str(self.path.parent / self.path.readlink())
        return str(self.path)
