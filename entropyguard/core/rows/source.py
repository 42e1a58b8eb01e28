"""One file of the input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CHECKPOINT_MARKER = ".entropyguard"
"""A folder that holds this one is a checkpoint dir or a data repo: what is in it are copies of data."""


_RECORD_FORMATS = {"json": "jsonl", "tsv": "csv", "arrow": "parquet"}

Place = tuple[int, int]
"""Where a row stands in the input: the ordinal of its file, from 0, and its line, from 1."""


@dataclass(frozen=True)
class Source:
    """One input file: `kind` is jsonl, json, csv, tsv, parquet or arrow; `compression` is "", gz or zst.

    `encoding` is that of text, by Python's name; `partitions`: the folders above that stand for columns, such as
    `year=2024`.
    """

    path: Path
    kind: str
    compression: str = ""
    encoding: str = "utf-8"
    partitions: tuple[str, ...] = ()

    @property
    def record_format(self) -> str:
        """How its rows are kept: as jsonl (lines), csv (strings by column) or parquet (typed columns)."""
        return _RECORD_FORMATS.get(self.kind, self.kind)

    def __str__(self) -> str:
        """The file's name for messages: a link (a checkpoint dir's way to its input) is named by its target."""
        return str(self.path.parent / self.path.readlink()) if self.path.is_symlink() else str(self.path)
