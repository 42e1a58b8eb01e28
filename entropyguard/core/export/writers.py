"""Checkpoints out: the cleaned file in the user's format, or the rows as a frame."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from entropyguard.core.export.arrow_out import write_arrow
from entropyguard.core.export.json_rows import Said, csv_table, json_lines
from entropyguard.core.export.json_schema import common_schema, typed_rows
from entropyguard.core.export.marks import Marks, check_free, marked_schema
from entropyguard.core.progress import Progress
from entropyguard.core.rows.source import Place
from entropyguard.core.rows.text import schema_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import rows_in_order

SEPARATORS = {"csv": ",", "tsv": "\t"}
_LINES_AT_ONCE = 2_048
_GZIP_LEVEL, _ZSTD_LEVEL = 6, 3

_Tables = Iterator[tuple[pa.Table, list[Place]]]
"""Rows, each table with its rows' places in the input."""


def line_only(place: Place) -> str:
    """A place in the input where the names of its files are not known."""
    return f"Line {place[1]}"


def write_records(
    checkpoint: Checkpoint,
    out: Path,
    format: str,  # noqa: A002  the flag's name
    progress: Progress,
    said: Said = line_only,
    marks: Marks | None = None,
) -> int:
    """Write the user's rows of a checkpoint in one of OUTPUT_FORMATS; the number of rows.

    With `marks` the checkpoint is the ingested input, whose row groups may be in any order. JSONL from JSONL: the
    input's lines, byte for byte. Parquet from Parquet: schema and metadata of the first file. CSV and TSV: null is an
    empty field, the empty string `""`. Between formats values are converted where that loses nothing; DataFormatError
    names the column, and the place as `said` spells it, where it would.
    """
    if format.startswith("jsonl"):
        return _write_lines(checkpoint, out, format.removeprefix("jsonl."), progress, said, marks)
    schema = record_schema(checkpoint, said)
    written = marked_schema(schema) if marks else schema
    tables = _tables(checkpoint, schema, marks)
    kind, _, packed = format.partition(".")
    if kind in SEPARATORS:
        return _write_csv(tables, out, written, progress, said, SEPARATORS[kind], packed)
    if kind in ("arrow", "arrows"):
        return write_arrow((table for table, _ in tables), out, written, progress, stream=kind == "arrows")
    return _write_parquet(tables, out, written, progress)


def read_records(checkpoint: Checkpoint) -> pl.DataFrame:
    """The user's columns of a checkpoint's rows, in order."""
    schema = record_schema(checkpoint)
    frame = pl.from_arrow(pa.Table.from_batches(_batches(checkpoint, schema), schema))
    return cast(pl.DataFrame, frame)


def record_schema(checkpoint: Checkpoint, said: Said = line_only) -> pa.Schema:
    """The schema of the user's rows: as it came, or for JSONL the one that holds every row."""
    form = checkpoint.metadata["format"]
    if form == "jsonl":
        tables = checkpoint.tables(["file", "line", "record"])
        return common_schema((pair for table in tables for pair in _lines_of(table)), said)
    if form == "parquet":
        return schema_of(checkpoint.metadata)
    record = checkpoint.schema.field("record").type
    return pa.schema(list(record))


def _lines_of(table: pa.Table) -> Iterator[tuple[Place, str]]:
    for start in range(0, len(table), _LINES_AT_ONCE):
        part = table.slice(start, _LINES_AT_ONCE)
        yield from zip(_places(part), part["record"].to_pylist(), strict=True)


def _places(table: pa.Table) -> list[Place]:
    return list(zip(table["file"].to_pylist(), table["line"].to_pylist(), strict=True))


def _tables(
    checkpoint: Checkpoint, schema: pa.Schema, marks: Marks | None = None, *, nested: bool = False
) -> Iterator[tuple[pa.Table, list[Place]]]:
    """The rows as tables of the schema, each with its rows' places in the input; marks are added, flat or nested."""
    parse = checkpoint.metadata["format"] == "jsonl"
    columns = ["row_id", "file", "line", "record"]
    for table in rows_in_order(checkpoint, columns) if marks else checkpoint.tables(columns[1:]):
        for start in range(0, len(table), _LINES_AT_ONCE if parse else max(1, len(table))):
            part = table.slice(start, _LINES_AT_ONCE) if parse else table
            rows = typed_rows(part["record"].to_pylist(), schema) if parse else _unpacked(part["record"], schema)
            if marks:
                rows = (marks.inside if nested else marks.beside)(rows, part["row_id"].to_numpy())
            yield rows, _places(part)


def _unpacked(record: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
    columns = [pc.struct_field(record, [at]).cast(field.type) for at, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)


def _batches(checkpoint: Checkpoint, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for table, _ in _tables(checkpoint, schema):
        yield from table.to_batches()


def _write_lines(
    checkpoint: Checkpoint, out: Path, ending: str, progress: Progress, said: Said, marks: Marks | None
) -> int:
    rows = 0
    with out.open("wb") as file, _packed(file, ending) as sink:
        for chunk, count in _json_chunks(checkpoint, said, marks):
            sink.write(chunk)
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


def _json_chunks(checkpoint: Checkpoint, said: Said, marks: Marks | None) -> Iterator[tuple[bytes | memoryview, int]]:
    """JSON lines, some at a time, and how many there are."""
    if checkpoint.metadata["format"] == "jsonl" and marks:
        for table in rows_in_order(checkpoint, ["row_id", "file", "line", "record"]):
            row_ids = table["row_id"].to_numpy()
            yield _joined(marks.in_lines(table["record"], row_ids, _places(table), said)), len(table)
        return
    if checkpoint.metadata["format"] == "jsonl":
        for table in checkpoint.slices(["record"], range(len(checkpoint.group_rows))):
            yield _joined(table["record"]), len(table)
        return
    schema = record_schema(checkpoint)
    if marks:
        check_free(schema.names)
    for table, places in _tables(checkpoint, schema, marks, nested=True):
        for line in json_lines(table, places, said):
            yield line.encode() + b"\n", 1


def _joined(records: pa.Array) -> memoryview:
    """The records with "\\n" after each."""
    records = records.combine_chunks() if isinstance(records, pa.ChunkedArray) else records
    ended = pc.binary_join_element_wise(records, pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string()))
    _, offsets, data = ended.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data if data is not None else b"")[ends[ended.offset] : ends[ended.offset + len(ended)]]


def _write_parquet(tables: _Tables, out: Path, schema: pa.Schema, progress: Progress) -> int:
    rows = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        waiting: list[pa.Table] = []
        for table, _ in tables:
            rows += len(table)
            progress(rows, None)
            waiting.append(table)
            if sum(map(len, waiting)) >= 16 * _LINES_AT_ONCE:
                writer.write_table(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
    return rows


def _write_csv(
    tables: _Tables, out: Path, schema: pa.Schema, progress: Progress, said: Said, separator: str, packed: str
) -> int:
    rows = 0
    with out.open("wb") as file, _packed(file, packed) as sink:
        sink.write(_csv_header(csv_table(schema.empty_table(), [], said).column_names, separator))
        for table, places in tables:
            sink.write(_csv_bytes(csv_table(table, places, said), separator))
            rows += len(table)
            progress(rows, None)
    return rows


def _csv_header(names: list[str], separator: str) -> bytes:
    """The names as a row; one without a name stays empty, where polars would make one up."""
    numbered = [str(at) for at in range(len(names))]
    shown = [name if name or len(names) == 1 else None for name in names]
    return _csv_bytes(pa.table([pa.array([name], pa.large_string()) for name in shown], numbered), separator)


def _csv_bytes(table: pa.Table, separator: str) -> bytes:
    """Quoted where needed and where an empty field would be null."""
    buffer = BytesIO()
    numbered = table.rename_columns([str(at) for at in range(table.num_columns)])
    cast(pl.DataFrame, pl.from_arrow(numbered)).write_csv(buffer, include_header=False, separator=separator)
    return buffer.getvalue()
