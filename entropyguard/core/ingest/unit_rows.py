"""A unit of ingest: some pieces of the input, read, judged and hashed; a stream of Arrow's, as the driver takes it up.

Each of its batches is one of the reader's, with the rejected rows beside it; the last one is empty, and says what the
reader noted. Lines of a range are counted from its first one: only the driver knows how many there are before.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Hashes
from entropyguard.core.ingest.batches import Batch, Rejected, RowReader
from entropyguard.core.ingest.chunks import Chunker
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.params import ChunkParams, IngestParams
from entropyguard.core.pool.spread import PartUnit, part_unit
from entropyguard.core.rows.hashes import AT_INGEST, HASH_FIELDS, hash_columns, hashes_of
from entropyguard.core.rows.row_texts import hashed_rows, joined
from entropyguard.core.rows.scripts import SCRIPT_FIELD, main_scripts
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text import places_of
from entropyguard.core.storage.files import FileState
from entropyguard.core.storage.parquet import arrow_file
from entropyguard.core.storage.remote_path import RemotePath

Pieces = tuple[Piece, ...]
"""Of the input, that are read as one unit."""

Columns = dict[str, pa.Array]
"""What was found out about the rows of a batch: HASH_FIELDS and SCRIPT_FIELD."""

_LARGEST_BLOCK = 31 << 20  # of what is read at a time, or less; from 32 MB on, glibc does not do so
_REJECTED, _NOTED = b"rejected", b"noted"


@dataclass(frozen=True)
class Reading:
    """How rows are read: the reader, made from all of the input; how long texts are split, and in which column."""

    reader: RowReader
    params: IngestParams
    metadata: dict[str, Any]
    chunks: ChunkParams | None = None
    text_column: str = ""

    def chunker(self) -> Chunker | None:
        """What splits long texts, if anything does."""
        return Chunker(self.chunks, self.text_column) if self.chunks else None


def keep_freed_memory() -> None:
    """Have glibc keep memory that is freed for the next block, which saves a seventh of the time.

    It gives blocks back to the system that are larger than any it has seen freed (mallopt(3), M_MMAP_THRESHOLD).
    """
    np.empty(_LARGEST_BLOCK, dtype=np.uint8)  # freed at once, and never touched


def told_rows(
    batches: Iterator[Batch], chunker: Chunker | None, metadata: dict[str, Any]
) -> Iterator[tuple[Batch, Columns, Hashes]]:
    """Each batch with its texts split, what was found out about its rows, and their hashes, shape (rows, 2)."""
    for whole in batches:
        batch = chunker.chunked(whole) if chunker else whole
        places = places_of(pa.table({"record": batch.records}), metadata) if batch.texts is None else batch.texts
        hashes, lengths = hashed_rows(places, AT_INGEST)
        scripts = main_scripts(joined(places))
        yield batch, {**hash_columns(hashes, lengths), SCRIPT_FIELD.name: pa.array(scripts, SCRIPT_FIELD.type)}, hashes


def ingest_units(pieces: list[Pieces], reading: Reading) -> list[PartUnit[Pieces]]:
    """The units of work, each named by the state of its files and by how they are read."""
    how = [reading.reader.record_type, reading.metadata, reading.chunks, reading.text_column, reading.params]
    units = []
    for some in pieces:
        more = f" and {len(some) - 1} more" if len(some) > 1 else ""
        states = [(piece, _state(piece.source)) for piece in some]
        units.append(part_unit("rows", [*how, *states], f"{some[0]}{more}", some))
    return units


def _state(source: Source) -> Any:
    """What differs where the file has other content."""
    return source.path.state if isinstance(source.path, RemotePath) else FileState.of(source.path)


def read_unit(whole: Reading, pieces: Pieces, out: Path) -> None:
    """Write the rows of some pieces as a stream."""
    keep_freed_memory()
    reading = copy.deepcopy(whole)  # a reader notes what it reads, and other units have the same one
    reader, chunker = reading.reader, reading.chunker()
    fields = [("position", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", reader.record_type)]
    schema = pa.schema([*fields, *HASH_FIELDS, SCRIPT_FIELD])
    with out.open("wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for batch, told, _ in told_rows(reader.batches(pieces), chunker, reading.metadata):
            places = [pa.array(batch.positions), pa.array(batch.files.astype(np.int32)), pa.array(batch.lines)]
            rows = pa.RecordBatch.from_arrays([*places, batch.records, *told.values()], schema=schema)
            aside = {"rows": batch.rows, "rejected": [asdict(row) for row in batch.rejected]}
            writer.write_batch(rows, custom_metadata={_REJECTED: json.dumps(aside)})
        noted = {"split": chunker.split if chunker else 0, "noted": reader.noted()}
        nothing = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
        writer.write_batch(nothing, custom_metadata={_NOTED: json.dumps(noted)})


@dataclass
class Taken:
    """What was taken up from units so far."""

    split: int = 0
    _file: int = -1
    _lines: int = 0  # of that file, in ranges of it

    def rows_of(self, pieces: Pieces, part: Path, reader: RowReader) -> Iterator[tuple[Batch, Columns, Hashes]]:
        """As `told_rows`; the reader takes over what was noted."""
        piece = pieces[-1]
        if piece.file != self._file:
            self._file, self._lines = piece.file, 0
        before = 0 if piece.is_whole else self._lines
        with arrow_file(part) as file, pa.ipc.open_stream(file) as stream:
            while True:
                rows, told = stream.read_next_batch_with_custom_metadata()
                if _NOTED in told:
                    break
                yield _batch(rows, json.loads(told[_REJECTED]), before)
        last = json.loads(told[_NOTED])
        self.split += last["split"]
        self._lines += last["noted"].get("lines", 0)
        reader.take_over(last["noted"])


def _batch(rows: pa.RecordBatch, aside: dict[str, Any], before: int) -> tuple[Batch, Columns, Hashes]:
    rejected = [Rejected(**row) for row in aside["rejected"]]
    positions, files, lines = (rows[name].to_numpy() for name in ("position", "file", "line"))
    moved = [replace(row, line=row.line + before) for row in rejected]
    batch = Batch(aside["rows"], positions, files, lines + before, rows["record"], moved)
    told = {field.name: rows[field.name] for field in (*HASH_FIELDS, SCRIPT_FIELD)}
    return batch, told, hashes_of(pa.chunked_array([rows["hash"]]))
