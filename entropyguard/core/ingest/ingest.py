"""Ingest: every row of the input gets a row id, and is kept as it came or set aside with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools
from entropyguard.core.errors import DataFormatError, InputError, UsageError
from entropyguard.core.ingest.batches import Batch, Rejected, RowReader, listed
from entropyguard.core.ingest.chunks import Chunker
from entropyguard.core.ingest.csv_rows import CsvRows
from entropyguard.core.ingest.jsonl_rows import JsonlRows
from entropyguard.core.ingest.parquet_rows import ParquetRows
from entropyguard.core.params import ChunkParams, IngestParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows.hashes import AT_INGEST, HASH_FIELDS, hash_columns, spelled
from entropyguard.core.rows.row_texts import hashed_rows, joined
from entropyguard.core.rows.scripts import SCRIPT_FIELD, main_scripts, script_names
from entropyguard.core.rows.seen_hashes import SeenHashes
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text import places_of
from entropyguard.core.rows.text_paths import text_paths
from entropyguard.core.storage.parquet import ROW_GROUP_ROWS, TableWriter
from entropyguard.core.storage.prefetch import prefetched

Columns = dict[str, pa.Array]

_LARGEST_BLOCK = 31 << 20  # of what is read at a time, or less; from 32 MB on, glibc does not do so
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
) -> IngestCounts:
    """Write the readable rows to `out` and the others to `rejected`; memory does not grow with the input.

    `out`: row_id int64, file int32, line int64, record (large_string for JSONL, else a struct of the columns), and
    HASH_FIELDS and SCRIPT_FIELD, taken while the texts are at hand; `scripts` in its metadata names the scripts.
    `rejected`: one JSON object a row: row_id, file, line, reason, raw. InputError when a file cannot be read or
    there are no rows; DataFormatError when none of them is sound, and for the first one that is not under `strict`.
    Texts longer than `chunks` allows become several rows, which count from then on. `group_rows`: the most rows of a
    row group in `out`.
    """
    reader = _READERS[sources[0].record_format](sources, params)
    chunker = Chunker(chunks, _one_column(params, reader)) if chunks and chunks.size else None
    named = [path.name for path in text_paths(params.text_column)]
    metadata = {
        "format": sources[0].record_format,
        "text_column": named[0] if len(named) == 1 else named,
        **reader.metadata,
    }
    metadata |= {"hashed": spelled(AT_INGEST), "scripts": script_names()}
    fields = [("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", reader.record_type)]
    schema = pa.schema([*fields, *HASH_FIELDS, SCRIPT_FIELD])
    rows = set_aside = 0
    first = ""
    _keep_freed_memory()
    with (
        TableWriter(out, schema, metadata, group_rows=group_rows) as writer,
        rejected.open("w", encoding="utf-8") as aside,
    ):
        # Reading, hashing and compressing take about as long: each has a thread.
        for batch, told, seen in prefetched(_hashed(prefetched(reader.batches(sources)), chunker, metadata)):
            if batch.rejected and not first:
                earliest = batch.rejected[0]
                first = f"{sources[earliest.file]}, line {earliest.line}: {earliest.reason}"
                if params.strict:
                    raise DataFormatError(f"{first}. Mend the row, or run without --strict to set it aside.")
            writer.write(_table(batch, told, rows), apart=seen)
            _set_aside(aside, batch.rejected, rows)
            rows += batch.rows
            set_aside += len(batch.rejected)
            progress(rows, None)
    if rows == 0:
        raise InputError(f"{' '.join(map(str, sources[:3]))} holds no rows. Name a file that does.")
    if rows == set_aside:
        raise reader.nothing_read(rows, first)
    return IngestCounts(rows, set_aside, chunker.split if chunker else 0)


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


def _keep_freed_memory() -> None:
    """Have glibc keep memory that is freed for the next block, which saves a seventh of the time.

    It gives blocks back to the system that are larger than any it has seen freed (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(_LARGEST_BLOCK, dtype=np.uint8)  # freed at once, and never touched


def _hashed(
    batches: Iterator[Batch], chunker: Chunker | None, metadata: dict[str, Any]
) -> Iterator[tuple[Batch, Columns, Bools]]:
    earlier = SeenHashes()
    for whole in batches:
        batch = chunker.chunked(whole) if chunker else whole
        places = places_of(pa.table({"record": batch.records}), metadata) if batch.texts is None else batch.texts
        hashes, lengths = hashed_rows(places, AT_INGEST)
        scripts = main_scripts(joined(places))
        told = {**hash_columns(hashes, lengths), SCRIPT_FIELD.name: pa.array(scripts, SCRIPT_FIELD.type)}
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
