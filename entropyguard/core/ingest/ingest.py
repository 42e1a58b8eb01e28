"""Ingest: every row of the input gets a row id, and is kept as it came or set aside with a reason."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Hashes
from entropyguard.core.errors import DataFormatError, InputError, UsageError
from entropyguard.core.ingest.batches import Batch, Rejected, RowReader, listed
from entropyguard.core.ingest.csv_rows import CsvRows
from entropyguard.core.ingest.cures import cure
from entropyguard.core.ingest.jsonl_rows import JsonlRows
from entropyguard.core.ingest.parquet_rows import ParquetRows
from entropyguard.core.ingest.pieces import whole_files
from entropyguard.core.ingest.unit_rows import (
    Columns,
    Pieces,
    Reading,
    Taken,
    ingest_units,
    keep_freed_memory,
    read_unit,
    told_rows,
)
from entropyguard.core.ingest.units import UNIT_BYTES, units_of
from entropyguard.core.params import ChunkParams, IngestParams
from entropyguard.core.pool.spread import Spread
from entropyguard.core.progress import Progress
from entropyguard.core.rows.hashes import AT_INGEST, HASH_FIELDS, spelled
from entropyguard.core.rows.scripts import SCRIPT_FIELD, script_names
from entropyguard.core.rows.seen_hashes import SeenHashes
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import text_paths
from entropyguard.core.storage.parquet import ROW_GROUP_ROWS, TableWriter
from entropyguard.core.storage.prefetch import prefetched

_READERS: dict[str, Callable[[Sequence[Source], IngestParams], RowReader]] = {
    "jsonl": JsonlRows,
    "csv": CsvRows,
    "parquet": ParquetRows,
}


@dataclass(frozen=True)
class IngestCounts:
    """`rows` counts all rows of the input, `rejected` those of them that were set aside.

    `split` rows of the input stand in `rows` as several, one for each chunk.
    """

    rows: int
    rejected: int
    split: int = 0


def ingest(
    sources: Sequence[Source],
    out: Path,
    rejected: Path,
    params: IngestParams,
    progress: Progress,
    chunks: ChunkParams | None = None,
    group_rows: int = ROW_GROUP_ROWS,
    spread: Spread | None = None,
    unit_bytes: int = UNIT_BYTES,
) -> IngestCounts:
    """Write the readable rows to `out` and the others to `rejected`; memory does not grow with the input.

    `out`: row_id int64, file int32, line int64, record (large_string for JSONL, else a struct of the columns), and
    HASH_FIELDS and SCRIPT_FIELD, taken while the texts are at hand; `scripts` in its metadata names the scripts.
    `rejected`: one JSON object a row: row_id, file, line, reason, raw. InputError when a file cannot be read or
    there are no rows; DataFormatError when none of them is sound, and for the first one that is not under `strict`.
    Texts longer than `chunks` allows become several rows, which count from then on. `group_rows`: the most rows of a
    row group in `out`. With `spread`, input of over `unit_bytes` is read in units of about as many.
    """
    reader = _READERS[sources[0].record_format](sources, params)
    text_column = _one_column(params, reader) if chunks and chunks.size else ""
    named = [path.name for path in text_paths(params.text_column)]
    metadata = {
        "format": sources[0].record_format,
        "text_column": named[0] if len(named) == 1 else named,
        **reader.metadata,
    }
    metadata |= {"hashed": spelled(AT_INGEST), "scripts": script_names()}
    reading = Reading(reader, params, metadata, chunks if text_column else None, text_column)
    pieces = units_of(sources, unit_bytes) if spread else []
    told = _Direct(reading, sources) if spread is None or len(pieces) < 2 else _InUnits(reading, pieces, spread)
    fields = [("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", reader.record_type)]
    schema = pa.schema([*fields, *HASH_FIELDS, SCRIPT_FIELD])
    rows = set_aside = 0
    first = advice = ""
    keep_freed_memory()
    with (
        TableWriter(out, schema, metadata, group_rows=group_rows) as writer,
        rejected.open("w", encoding="utf-8") as aside,
    ):
        for batch, columns, seen in prefetched(_with_seen(told.rows())):
            if batch.rejected and not first:
                earliest = batch.rejected[0]
                first = f"{sources[earliest.file]}, line {earliest.line}: {earliest.reason}"
                advice = cure(earliest.reason, earliest.raw, params.required_columns)
                if params.strict:
                    raise DataFormatError(f"{first}. {advice}. Without --strict such rows are set aside.")
            writer.write(_table(batch, columns, rows), apart=seen)
            _set_aside(aside, batch.rejected, rows)
            rows += batch.rows
            set_aside += len(batch.rejected)
            progress(rows, None)
    reader.finish()
    if rows == 0:
        raise InputError(f"{' '.join(map(str, sources[:3]))} holds no rows. Name a file that does.")
    if rows == set_aside:
        raise reader.nothing_read(rows, first, advice)
    return IngestCounts(rows, set_aside, told.split)


def _one_column(params: IngestParams, reader: RowReader) -> str:
    """The column whose texts may be split; UsageError where the text stands elsewhere."""
    paths = text_paths(params.text_column)
    path, is_struct = paths[0], pa.types.is_struct(reader.record_type)
    if len(paths) == 1 and is_struct and reader.record_type.get_field_index(path.name) >= 0:
        return path.name
    if len(paths) > 1 or is_struct or path.is_list or len(path.ways[0]) > 1:
        raise UsageError(
            f"chunks.size splits the text of one column, not of {listed([path.name for path in paths])}. Leave it out, "
            "or name one column (a dot in its name as `\\.`)."
        )
    return path.ways[0][0]


class _Direct:
    """The rows of all files, read here."""

    def __init__(self, reading: Reading, sources: Sequence[Source]) -> None:
        self._reading, self._pieces = reading, whole_files(sources)
        self._chunker = reading.chunker()

    def rows(self) -> Iterator[tuple[Batch, Columns, Hashes]]:
        # Reading, hashing and compressing take about as long: each has a thread.
        batches = prefetched(self._reading.reader.batches(self._pieces))
        return told_rows(batches, self._chunker, self._reading.metadata)

    @property
    def split(self) -> int:
        """How many rows were split."""
        return self._chunker.split if self._chunker else 0


class _InUnits:
    """The same, read by whoever is in the pool, in units of some pieces each."""

    def __init__(self, reading: Reading, pieces: list[Pieces], spread: Spread) -> None:
        self._reader = reading.reader
        self._units = ingest_units(pieces, reading)
        # Of a copy: the reader here takes over what those of the units note.
        self._parts = spread.parts(partial(read_unit, copy.deepcopy(reading)), self._units)
        self._taken = Taken()

    def rows(self) -> Iterator[tuple[Batch, Columns, Hashes]]:
        for unit, part in zip(self._units, self._parts, strict=True):
            yield from self._taken.rows_of(unit.content, part, self._reader)

    @property
    def split(self) -> int:
        """How many rows were split."""
        return self._taken.split


def _with_seen(rows: Iterator[tuple[Batch, Columns, Hashes]]) -> Iterator[tuple[Batch, Columns, Bools]]:
    """The rows with whether the text of each was there before."""
    earlier = SeenHashes()
    for batch, told, hashes in rows:
        yield batch, told, earlier.seen_before(hashes)


def _table(batch: Batch, told: Columns, before: int) -> pa.Table:
    columns = {
        "row_id": batch.positions + before,
        "file": batch.files.astype(np.int32),
        "line": batch.lines,
        "record": batch.records,
        **told,
    }
    return pa.table(columns)


def _set_aside(aside: TextIO, rejected: Sequence[Rejected], before: int) -> None:
    for row in rejected:
        values = asdict(row)
        values = {"row_id": before + values.pop("position"), **values}
        aside.write(json.dumps(values, ensure_ascii=False) + "\n")
