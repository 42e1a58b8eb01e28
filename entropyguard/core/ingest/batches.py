"""What readers hand over: rows in input order, those that could not be read set apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.encodings import UNDECODABLE
from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
SHOWN_BYTES = 1_000
"""How much of an over-long line is kept for the record."""


@dataclass(frozen=True)
class Rejected:
    """A row that could not be read: `position` counts the rows of its batch from 0, `file` the sources from 0.

    `line` is the file's, from 1.
    """

    position: int
    file: int
    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of the input, of one file or of several small ones.

    `rows` counts all of them; `positions`, `files` and `lines` (int64) and `records` hold one entry for each readable
    one, and so do `texts` where the reader had to decode them.
    """

    rows: int
    positions: Ints
    files: Ints
    lines: Ints
    records: pa.Array
    rejected: list[Rejected] = field(default_factory=list)
    texts: pl.Series | None = None


class RowReader(Protocol):
    """Reads files of one kind; made from all sources and the parameters of ingest."""

    record_type: pa.DataType
    metadata: dict[str, Any]

    def batches(self, sources: Sequence[Source]) -> Iterator[Batch]:
        """The rows of all files, in order."""
        ...

    def nothing_read(self, rows: int, first: str) -> DataFormatError:
        """Why none of the rows could be read; `first` names the first rejected row and its reason."""
        ...


def check_columns(source: Source, names: Sequence[str], text_column: str, required: Sequence[str]) -> None:
    """DataFormatError when a file with a header lacks a column or names one twice."""
    twice = next((name for name in names if list(names).count(name) > 1), None)
    if twice is not None:
        raise DataFormatError(f"{source} has two columns called {twice!r}. Rename one of them.")
    for name in (text_column, *required):
        if name not in names:
            raise DataFormatError(f"{source} has no column {name!r}; it has: {listed(names)}.")


def listed(names: Sequence[str], most: int = 30) -> str:
    """Column names for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def null_reasons(columns: dict[str, pa.Array], text_column: str, required: Sequence[str]) -> dict[int, str]:
    """Position -> reason for the rows whose text or a required column is null; the first reason counts."""
    reasons: dict[int, str] = {}
    for name in (text_column, *required):
        if columns[name].null_count:
            for position in np.flatnonzero(columns[name].is_null().to_numpy(zero_copy_only=False)).tolist():
                reasons.setdefault(position, f"column {name!r} is null")
    return reasons


def utf8_reason(data: bytes) -> str | None:
    """Why bytes are no UTF-8 text, None when they are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith(UNDECODABLE, error.start):
            before = len(data[: error.start].decode("utf-8"))
            return f"the encoding has no character for what stands at character {before + 1}"
        return f"invalid UTF-8 at byte {error.start + 1} ({error.reason})"
    return None


def over_long_reason(length: int, limit: int) -> str:
    return f"{length} bytes long, over max_line_bytes ({limit}); raw holds its first {min(length, SHOWN_BYTES)} bytes"


def as_text(data: bytes) -> str:
    """Bytes as text, those that are no UTF-8 as backslash escapes."""
    return data.decode("utf-8", "backslashreplace")
