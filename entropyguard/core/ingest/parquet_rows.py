"""Parquet input: a record is a struct of the user's columns, of exactly their types."""

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
from entropyguard.core.ingest.batches import Batch, Rejected, check_columns, null_reasons
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.source import Source

BATCH_BYTES = 8 << 20
_MOST_ROWS = 8_192


@contextmanager
def open_input(source: Source) -> Iterator[pq.ParquetFile]:
    """An input file, with InputError wherever it proves to be no sound Parquet."""
    try:
        # Small buffered reads: a row group of a gigabyte is then never held whole.
        with pq.ParquetFile(source.path, memory_map=False, buffer_size=1 << 20, pre_buffer=False) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source} cannot be read as Parquet ({reason}). Check that the file is whole.") from error


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


class ParquetRows:
    """Reads Parquet files (a RowReader)."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self._params = params
        with open_input(sources[0]) as file:
            self._schema = file.schema_arrow
        check_columns(sources[0], self._schema.names, params.text_column, params.required_columns)
        kind = self._schema.field(params.text_column).type
        if not is_text(kind):
            raise DataFormatError(f"{sources[0]}: column {params.text_column!r} holds {kind}, not text.")
        self.record_type = pa.struct(list(self._schema.remove_metadata()))
        self.metadata: dict[str, Any] = {"schema": base64.b64encode(self._schema.serialize()).decode()}

    def batches(self, source: Source) -> Iterator[Batch]:
        """The rows of one file."""
        with open_input(source) as file:
            self._check_schema(source, file.schema_arrow)
            row = 0
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata), use_threads=False):
                batch.validate(full=True)
                yield self._judged(batch, row)
                row += batch.num_rows
            if row != file.metadata.num_rows:
                raise InputError(f"{source} holds {row} rows but says {file.metadata.num_rows}. It is damaged.")

    def _check_schema(self, source: Source, schema: pa.Schema) -> None:
        if schema.equals(self._schema):
            return
        for mine, first in zip(schema, self._schema, strict=False):
            if not mine.equals(first):
                raise DataFormatError(
                    f"{source}: column {mine.name!r} ({mine.type}) differs from the first file's {first.name!r} "
                    f"({first.type}). Make their columns the same."
                )
        longer = max(schema, self._schema, key=len)
        name = longer.names[min(len(schema), len(self._schema))]
        raise DataFormatError(f"{source}: column {name!r} is not in all files. Make their columns the same.")

    def _judged(self, batch: pa.RecordBatch, before: int) -> Batch:
        """The batch with the rows set apart whose text or required columns are null."""
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        reasons = null_reasons(columns, self._params.text_column, self._params.required_columns)
        good = np.ones(batch.num_rows, dtype=bool)
        good[list(reasons)] = False
        records = pa.StructArray.from_arrays(batch.columns, fields=list(self.record_type))
        rejected = [
            Rejected(at, before + at + 1, reason, _shown_row(records[at])) for at, reason in sorted(reasons.items())
        ]
        positions = np.flatnonzero(good)
        kept = records.filter(pa.array(good)) if reasons else records
        return Batch(batch.num_rows, positions, positions + before + 1, kept, rejected)

    def nothing_read(self, rows: int, first: str) -> DataFormatError:
        """Why none of the rows could be read."""
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}.")


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """Rows whose values come to about BATCH_BYTES, by what the footer says of the row group with the largest rows."""
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=1)
    return int(min(_MOST_ROWS, max(1, BATCH_BYTES // max(largest, 1))))


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
