"""Parquet and Arrow input: a record is a struct of the user's columns, of exactly their types."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.ingest.arrow_files import ArrowFile, open_arrow
from entropyguard.core.ingest.batches import Batch, Rejected, as_places, check_columns, null_reasons
from entropyguard.core.ingest.forms import packed_form_of
from entropyguard.core.ingest.int96 import int96_columns, unit_of_int96
from entropyguard.core.ingest.parquet_schema import common_schema, conformed
from entropyguard.core.ingest.partition_columns import with_partitions
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.arrow_texts import texts_at
from entropyguard.core.rows.column_types import stored_type
from entropyguard.core.rows.source import Place, Source
from entropyguard.core.rows.text_paths import text_paths
from entropyguard.core.storage.parquet import row_bytes

BATCH_BYTES = 8 << 20
_MOST_ROWS, _ROWS_AT_ONCE = 8_192, 256


@contextmanager
def open_input(source: Source, int96_unit: str | None = None) -> Iterator[pq.ParquetFile | ArrowFile]:
    """An input file, with InputError wherever it proves to be no sound Parquet or Arrow."""
    if source.kind == "arrow":
        with open_arrow(source) as file:
            yield file
        return
    try:
        # Small buffered reads: a row group of a gigabyte is then never held whole.
        with pq.ParquetFile(
            source.arrow_file(),
            buffer_size=1 << 20,
            pre_buffer=False,
            coerce_int96_timestamp_unit=int96_unit,
        ) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        cure = _other_form(source) or "Check that the file is whole."
        raise InputError(f"{source} cannot be read as Parquet ({reason}). {cure}") from error


def _other_form(source: Source) -> str | None:
    """What a file that is no Parquet is, where its first bytes tell."""
    try:
        form = packed_form_of(source)
    except OSError:  # it cannot be read at all
        return None
    return None if form is None or "is Parquet" in form else form


class ParquetRows:
    """Reads Parquet and Arrow files (a RowReader)."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self._params = params
        self._schema, self._int96_unit = _looked_at(sources)
        self._paths = text_paths(params.text_column)
        check_columns(sources[0], list(self._schema), self._paths, params.required_columns)
        self.record_type = pa.struct([field.with_type(stored_type(field.type)) for field in self._fields()])
        self.metadata: dict[str, Any] = {"schema": base64.b64encode(self._schema.serialize()).decode()}

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The rows of these pieces."""
        for piece in pieces:
            yield from self._rows_of(piece)

    def _rows_of(self, piece: Piece) -> Iterator[Batch]:
        source, row = piece.source, piece.before
        with open_input(source, self._int96_unit) as file:
            for batch in _bounded(self._conformed(source, _read(file, piece), row)):
                yield self._judged(batch, (piece.file, row))
                row += batch.num_rows
            if isinstance(file, pq.ParquetFile):
                said = _rows_said(file.metadata, piece)
                if row - piece.before != said:
                    raise InputError(f"{source} holds {row - piece.before} rows but says {said}. It is damaged.")

    def _fields(self) -> list[pa.Field]:
        return list(self._schema.remove_metadata())

    def _conformed(self, source: Source, batches: Iterator[pa.RecordBatch], row: int) -> Iterator[pa.RecordBatch]:
        schema = pa.schema(list(self.record_type))
        for batch in batches:
            batch.validate(full=True)
            columns = conformed(source, batch, row, self._schema)
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            row += batch.num_rows

    def _judged(self, batch: pa.RecordBatch, place: Place) -> Batch:
        """The batch, which begins behind `place`, with the rows set apart whose text or required columns are null."""
        file, before = place
        records = pa.StructArray.from_arrays(batch.columns, fields=list(self.record_type))
        texts = [texts_at(records, path) for path in self._paths]
        reasons = null_reasons(records, texts, self._paths, self._params.required_columns)
        good = np.ones(batch.num_rows, dtype=bool)
        good[list(reasons)] = False
        rejected = [
            Rejected(at, file, before + at + 1, reason, _shown_row(records[at]))
            for at, reason in sorted(reasons.items())
        ]
        positions = np.flatnonzero(good)
        if reasons:
            records, texts = records.filter(pa.array(good)), [array.filter(pa.array(good)) for array in texts]
        files, lines = np.full(len(positions), file), positions + before + 1
        return Batch(batch.num_rows, positions, files, lines, records, rejected, as_places(texts))

    def noted(self) -> dict[str, Any]:
        """Nothing: each row is judged by itself, and the columns are known beforehand."""
        return {}

    def take_over(self, noted: dict[str, Any]) -> None:
        """There is nothing to know."""

    def finish(self) -> None:
        """There is nothing left to refuse."""

    def nothing_read(self, rows: int, first: str, advice: str) -> DataFormatError:
        """Why none of the rows could be read."""
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}. {advice}.")


def united_schema(sources: Sequence[Source]) -> pa.Schema:
    """The schema with which all files are read, partition columns last; DataFormatError where there is none."""
    return _looked_at(sources)[0]


def row_groups_of(source: Source) -> list[tuple[int, int]]:
    """The rows of each row group of a Parquet file, and its bytes before compression; none where they do not add up."""
    with open_input(source) as file:
        if isinstance(file, ArrowFile):
            return []
        groups = [file.metadata.row_group(at) for at in range(file.metadata.num_row_groups)]
        is_sound = sum(group.num_rows for group in groups) == file.metadata.num_rows
        return [(group.num_rows, group.total_byte_size) for group in groups if is_sound]


def _looked_at(sources: Sequence[Source]) -> tuple[pa.Schema, str | None]:
    """The schema with which all files are read, and the unit of INT96; each file is opened once where none has those.

    InputError for a file that is no sound Parquet or Arrow.
    """
    schemas: dict[Source, pa.Schema] = {}
    old, last = [], None
    for source in sources:
        with open_input(source) as file:
            own = file.schema_arrow
            last = schemas[source] = last if last is not None and own.equals(last, check_metadata=True) else own
            if isinstance(file, pq.ParquetFile) and int96_columns(file):
                old.append(source)
    unit = unit_of_int96(old)
    for source in old if unit is not None else ():
        with open_input(source, unit) as file:
            schemas[source] = file.schema_arrow
    return with_partitions(common_schema(schemas.items()), sources), unit


def _read(file: pq.ParquetFile | ArrowFile, piece: Piece) -> Iterator[pa.RecordBatch]:
    if isinstance(file, ArrowFile):
        return file.batches()
    batches: Iterator[pa.RecordBatch] = file.iter_batches(
        batch_size=_rows_at_once(file.metadata), row_groups=list(_groups(file.metadata, piece)), use_threads=False
    )
    return batches


def _groups(metadata: pq.FileMetaData, piece: Piece) -> range:
    """The numbers of the row groups of a piece."""
    return range(piece.start, metadata.num_row_groups if piece.end is None else piece.end)


def _rows_said(metadata: pq.FileMetaData, piece: Piece) -> int:
    """How many rows a piece has by the file's footer."""
    if piece.is_whole:
        return int(metadata.num_rows)
    return sum(metadata.row_group(at).num_rows for at in _groups(metadata, piece))


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Rows to decode at a time: few, since a footer does not tell how long values are that a dictionary holds."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=1)
    return int(min(_ROWS_AT_ONCE, max(1, BATCH_BYTES // max(largest, 1))))


def _bounded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of about BATCH_BYTES, by what their values come to, and of _MOST_ROWS at most."""
    waiting: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        ends = np.cumsum(row_bytes(pa.Table.from_batches([batch])))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            fitting = int(np.searchsorted(ends, before + BATCH_BYTES - size, side="right"))
            end = min(max(fitting, start + (not waiting)), batch.num_rows, start + _MOST_ROWS - rows)
            if end > start:
                waiting.append(batch.slice(start, end - start))
                rows, size, start = rows + end - start, size + int(ends[end - 1]) - before, end
            if start < batch.num_rows or rows == _MOST_ROWS or size >= BATCH_BYTES:
                yield _joined(waiting)
                waiting, rows, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _shown_row(record: pa.StructScalar) -> str:
    """A row as JSON for a reader's eyes: what JSON cannot spell appears as Python spells it."""
    shown = {name: _shown(record[at]) for at, name in enumerate(field.name for field in record.type)}
    return json.dumps(shown, ensure_ascii=False)


def _shown(value: pa.Scalar) -> Any:
    if not value.is_valid:
        return None
    kind = value.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_string(kind):
        return value.as_py()
    return str(value)
