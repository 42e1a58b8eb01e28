"""Ingest: every row of the input gets a row id, and is kept as it came or set aside with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa

from entropyguard.core.batches import Batch, Rejected, RowReader, ahead
from entropyguard.core.chunks import Chunker
from entropyguard.core.csv_rows import CsvRows
from entropyguard.core.errors import DataFormatError, InputError
from entropyguard.core.inputs import Source
from entropyguard.core.jsonl import JsonlRows
from entropyguard.core.params import ChunkParams, IngestParams
from entropyguard.core.parquet import TableWriter
from entropyguard.core.parquet_rows import ParquetRows
from entropyguard.core.progress import Progress

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
) -> IngestCounts:
    """Write the readable rows to `out` and the others to `rejected`; memory does not grow with the input.

    `out`: row_id int64, file int32, line int64, record (large_string for JSONL, else a struct of the columns).
    `rejected`: one JSON object a row: row_id, file, line, reason, raw. InputError when a file cannot be read or
    there are no rows; DataFormatError when none of them is sound, and for the first one that is not under `strict`.
    Texts longer than `chunks` allows become several rows, which count from then on.
    """
    chunker = Chunker(chunks, params.text_column) if chunks and chunks.size else None
    reader = _READERS[sources[0].kind](sources, params)
    about = {"format": sources[0].kind, "text_column": params.text_column, **reader.about}
    fields = [("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", reader.record_type)]
    rows = set_aside = 0
    first = ""
    with TableWriter(out, pa.schema(fields), about) as writer, rejected.open("w", encoding="utf-8") as aside:
        for file, batch in _all_batches(reader, sources, chunker):
            if batch.rejected and not first:
                first = f"{sources[file]}, line {batch.rejected[0].line}: {batch.rejected[0].reason}"
                if params.strict:
                    raise DataFormatError(f"{first}. Mend the row, or run without --strict to set it aside.")
            writer.write(_table(batch, rows, file))
            _set_aside(aside, batch.rejected, rows, file)
            rows += batch.rows
            set_aside += len(batch.rejected)
            progress(rows, None)
    if rows == 0:
        raise InputError(f"{' '.join(map(str, sources[:3]))} holds no rows. Name a file that does.")
    if rows == set_aside:
        raise reader.nothing_read(rows, first)
    return IngestCounts(rows, set_aside, chunker.split if chunker else 0)


def _all_batches(reader: RowReader, sources: Sequence[Source], chunker: Chunker | None) -> Iterator[tuple[int, Batch]]:
    for file, source in enumerate(sources):
        for batch in ahead(reader.batches(source)):
            yield file, chunker.chunked(batch) if chunker else batch


def _table(batch: Batch, before: int, file: int) -> pa.Table:
    columns = {
        "row_id": batch.positions + before,
        "file": np.full(len(batch.positions), file, dtype=np.int32),
        "line": batch.lines,
        "record": batch.records,
    }
    return pa.table(columns)


def _set_aside(aside: TextIO, rejected: Sequence[Rejected], before: int, file: int) -> None:
    for row in rejected:
        values = asdict(row)
        values = {"row_id": before + values.pop("position"), "file": file, **values}
        aside.write(json.dumps(values, ensure_ascii=False) + "\n")
