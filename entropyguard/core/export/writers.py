"""Checkpoints out: the cleaned file in the user's format, or the rows as a frame."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.errors import DataFormatError
from entropyguard.core.export.arrow_out import write_arrow
from entropyguard.core.export.json_rows import Said, json_lines
from entropyguard.core.export.marks import Marks, check_free, marked_schema
from entropyguard.core.export.parquet_out import write_parquet
from entropyguard.core.export.record_rows import PlacedTables, line_only, places, record_schema, record_tables
from entropyguard.core.export.text_out import SEPARATORS, Piece, csv_header, csv_piece, write_pieces
from entropyguard.core.export.typed_lines import UNIT_BYTES, TypedLines, UntypedError, typed_lines
from entropyguard.core.export.units import csv_in_units, json_in_units, line_pieces, write_groups
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import rows_in_order


def write_records(
    checkpoint: Checkpoint,
    out: Path,
    format: str,  # noqa: A002  the flag's name
    progress: Progress,
    said: Said = line_only,
    marks: Marks | None = None,
    spread: Spread | None = None,
    unit_bytes: int = UNIT_BYTES,
) -> int:
    """Write the user's rows of a checkpoint in one of OUTPUT_FORMATS; the number of rows.

    With `marks` the checkpoint is the ingested input, whose row groups may be in any order. JSONL from JSONL: the
    input's lines, byte for byte. Parquet from Parquet: schema and metadata of the first file. CSV and TSV: null is an
    empty field, the empty string `""`. Between formats values are converted where that loses nothing; DataFormatError
    names the column, and the place as `said` spells it, where it would. With `spread` what is dear to convert is made
    in units of about `unit_bytes`.
    """
    kind, _, packed = format.partition(".")
    is_jsonl, wants_jsonl = checkpoint.metadata["format"] == "jsonl", kind == "jsonl"
    if is_jsonl and not wants_jsonl and not marks:
        with suppress(UntypedError), _with_parts(spread, out.parent) as parts:
            lines = typed_lines(checkpoint, parts, unit_bytes)
            return _write_typed(lines, out, format, progress, said, spread)
    if not is_jsonl and wants_jsonl and not marks and spread:
        with suppress(DataFormatError):  # reading row by row says where it stands
            return write_pieces(json_in_units(checkpoint, spread, unit_bytes), out, packed, progress)
    if wants_jsonl:
        return write_pieces(_json_pieces(checkpoint, said, marks), out, packed, progress)
    schema = record_schema(checkpoint, said)
    tables = record_tables(checkpoint, schema, marks)
    return _write_tables(tables, out, format, marked_schema(schema) if marks else schema, progress, said)


def read_records(checkpoint: Checkpoint) -> pl.DataFrame:
    """The user's columns of a checkpoint's rows, in order."""
    schema = record_schema(checkpoint)
    batches = [batch for table, _ in record_tables(checkpoint, schema) for batch in table.to_batches()]
    return cast(pl.DataFrame, pl.from_arrow(pa.Table.from_batches(batches, schema)))


@contextmanager
def _with_parts(spread: Spread | None, folder: Path) -> Iterator[Spread]:
    """Where units are done and their parts lie: as given, or here, as long as it takes."""
    if spread is not None:
        yield spread
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        yield Spread(InlinePool(), Path(temporary))


def _write_typed(
    lines: TypedLines,
    out: Path,
    format: str,  # noqa: A002  the flag's name
    progress: Progress,
    said: Said,
    spread: Spread | None,
) -> int:
    kind, _, packed = format.partition(".")
    if spread is None or not lines.is_stored or kind not in (*SEPARATORS, "parquet"):
        return _write_tables(((table, []) for table in lines.tables()), out, format, lines.schema, progress, said)
    if kind == "parquet":
        return write_groups(lines, out, progress, spread)
    header = csv_header(lines.schema, said, SEPARATORS[kind])
    return write_pieces(chain([header], csv_in_units(lines, SEPARATORS[kind], spread)), out, packed, progress)


def _write_tables(
    tables: PlacedTables,
    out: Path,
    format: str,  # noqa: A002  the flag's name
    schema: pa.Schema,
    progress: Progress,
    said: Said,
) -> int:
    kind, _, packed = format.partition(".")
    if kind in SEPARATORS:
        separator = SEPARATORS[kind]
        rows = (csv_piece(table, where, said, separator) for table, where in tables)
        return write_pieces(chain([csv_header(schema, said, separator)], rows), out, packed, progress)
    if kind in ("arrow", "arrows"):
        return write_arrow((table for table, _ in tables), out, schema, progress, stream=kind == "arrows")
    return write_parquet((table for table, _ in tables), out, schema, progress)


def _json_pieces(checkpoint: Checkpoint, said: Said, marks: Marks | None) -> Iterator[Piece]:
    """JSON lines, some at a time."""
    if checkpoint.metadata["format"] == "jsonl" and marks:
        for table in rows_in_order(checkpoint, ["row_id", "file", "line", "record"]):
            row_ids = table["row_id"].to_numpy()
            yield _joined(marks.in_lines(table["record"], row_ids, places(table), said)), len(table)
        return
    if checkpoint.metadata["format"] == "jsonl":
        for table in checkpoint.slices(["record"], range(len(checkpoint.group_rows))):
            yield _joined(table["record"]), len(table)
        return
    schema = record_schema(checkpoint)
    if marks:
        check_free(schema.names)
    for table, where in record_tables(checkpoint, schema, marks, nested=True):
        yield from line_pieces(json_lines(table, where, said))


def _joined(records: pa.Array) -> memoryview:
    """The records with "\\n" after each."""
    records = records.combine_chunks() if isinstance(records, pa.ChunkedArray) else records
    ended = pc.binary_join_element_wise(records, pa.scalar("", pa.large_string()), pa.scalar("\n", pa.large_string()))
    _, offsets, data = ended.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data if data is not None else b"")[ends[ended.offset] : ends[ended.offset + len(ended)]]
