"""Text out: pieces of it one behind the other, packed or not, and rows of columns as CSV."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
import zstandard

from entropyguard.core.export.json_rows import Said, csv_table
from entropyguard.core.progress import Progress
from entropyguard.core.rows.source import Place

SEPARATORS = {"csv": ",", "tsv": "\t"}
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3

Piece = tuple[bytes | memoryview, int]
"""Some bytes, and how many rows they hold."""


def write_pieces(pieces: Iterable[Piece], out: Path, packed: str, progress: Progress) -> int:
    """Write pieces one behind the other, packed as gz or zst or not at all; the number of rows."""
    rows = 0
    with out.open("wb") as file, _packed(file, packed) as sink:
        for piece, count in pieces:
            sink.write(piece)
            rows += count
            progress(rows, None)
    return rows


@contextmanager
def _packed(file: BinaryIO, ending: str) -> Iterator[Any]:
    """Where to write; the packed bytes hold no name and no clock."""
    if ending == "gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_GZIP_LEVEL, mtime=0) as packed:
            yield packed
    elif ending == "zst":
        compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
        with compressor.stream_writer(file, closefd=False) as stream:
            yield stream
    else:
        yield file


def csv_header(schema: pa.Schema, said: Said, separator: str) -> Piece:
    """The names as a row; one without a name stays empty, where polars would make one up.

    DataFormatError for a schema that CSV has no place for.
    """
    names = csv_table(schema.empty_table(), [], said).column_names
    numbered = [str(at) for at in range(len(names))]
    shown = [name if name or len(names) == 1 else None for name in names]
    return _spelled(pa.table([pa.array([name], pa.large_string()) for name in shown], numbered), separator), 0


def csv_piece(table: pa.Table, places: Sequence[Place], said: Said, separator: str) -> Piece:
    """Rows as CSV, quoted where needed and where an empty field would be null."""
    return _spelled(csv_table(table, places, said), separator), len(table)


def _spelled(table: pa.Table, separator: str) -> bytes:
    buffer = BytesIO()
    numbered = table.rename_columns([str(at) for at in range(table.num_columns)])
    cast(pl.DataFrame, pl.from_arrow(numbered)).write_csv(buffer, include_header=False, separator=separator)
    return buffer.getvalue()
