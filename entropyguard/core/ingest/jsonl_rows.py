"""JSONL: each row is kept as the line it came in; only what has to be known of it is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.batches import Batch, Rejected, listed
from entropyguard.core.ingest.forms import form_of
from entropyguard.core.ingest.json_files import read_rows
from entropyguard.core.ingest.lines import LineBlock
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.json_lines import MalformedLineError, encodable, fast_values, parse_line, undecided
from entropyguard.core.rows.source import Source

_NAMES_HELD = 1_000
_JUDGED_BYTES = 1 << 20


class JsonlRows:
    """Reads JSON lines and arrays (a RowReader): a record is the raw line, or the element in one line."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self.record_type = pa.large_string()
        self.metadata: dict[str, Any] = {}
        self._params = params
        self._first = sources[0]
        self._names: dict[str, None] = {}  # columns of rows that were looked at closely
        self._of_interest = {params.text_column, *params.required_columns}
        self._objects = 0
        self._is_text = False

    def batches(self, sources: Sequence[Source]) -> Iterator[Batch]:
        """The rows of all files; small blocks are judged together, since each call costs as much as some 1,000 rows."""
        waiting: list[tuple[int, LineBlock]] = []
        held = 0
        for file, source in enumerate(sources):
            for block in read_rows(source, self._params.max_line_bytes, file):
                waiting.append((file, block))
                held += block.records.nbytes
                if held >= _JUDGED_BYTES:
                    yield self._judged(*_joined(waiting))
                    waiting, held = [], 0
        if waiting:
            yield self._judged(*_joined(waiting))

    def _judged(self, block: LineBlock, files: Ints) -> Batch:
        """The block with the lines set apart whose text or required columns are not there."""
        lines = pl.Series(pl.from_arrow(block.records), dtype=pl.String)
        texts = fast_values(lines, self._params.text_column)
        doubtful, found = self._doubtful(lines, texts), []
        rejected, good = list(block.rejected), np.ones(len(lines), dtype=bool)
        for at, line in zip(doubtful.tolist(), lines.gather(doubtful).to_list(), strict=True):
            text, reason = self._looked_at(line)
            found.append(text)
            if reason:
                good[at] = False
                rejected.append(Rejected(int(block.positions[at]), int(files[at]), int(block.lines[at]), reason, line))
        rejected.sort(key=lambda row: row.position)
        records = block.records
        if found:
            texts = texts.scatter(doubtful, pl.Series(found, dtype=pl.String))
        if not good.all():
            records, texts = records.filter(pa.array(good)), texts.filter(pl.Series(good))
        return Batch(block.rows, block.positions[good], files[good], block.lines[good], records, rejected, texts)

    def _doubtful(self, lines: pl.Series, texts: pl.Series) -> Ints:
        """The lines that the fast reader, which gave the texts, does not show to be sound."""
        doubtful = undecided(texts)
        for name in self._params.required_columns:
            doubtful |= fast_values(lines, name).is_null()
        return np.flatnonzero(doubtful.to_numpy())

    def _looked_at(self, line: str) -> tuple[str | None, str]:
        """The line's text, and why it is rejected: nothing when it is sound. Notes which columns there are."""
        try:
            row = parse_line(line)
        except MalformedLineError as error:
            return None, str(error)
        if not isinstance(row, dict):
            return None, "not a JSON object"
        self._objects += 1
        self._note(row)
        text = row.get(self._params.text_column)
        if text is not None and not isinstance(text, str):
            return None, f"column {self._params.text_column!r} is not text"
        for name in (self._params.text_column, *self._params.required_columns):
            if row.get(name) is None:
                return None, f"column {name!r} is {'null' if name in row else 'missing'}"
        return encodable(str(text)), ""

    def _note(self, row: dict[str, Any]) -> None:
        if len(self._names) < _NAMES_HELD:
            self._names.update(dict.fromkeys(row))
        self._names.update(dict.fromkeys(name for name in self._of_interest if name in row))
        self._is_text = self._is_text or isinstance(row.get(self._params.text_column), str)

    def nothing_read(self, rows: int, first: str) -> DataFormatError:
        """Why none of the rows could be read."""
        if not self._objects:
            form = form_of(self._first)
            more = "" if form is None else f" {form}"
            return DataFormatError(f"None of the {rows} rows is a JSON object. First: {first}.{more}")
        for name in (self._params.text_column, *self._params.required_columns):
            if name not in self._names:
                return DataFormatError(f"No row has a column {name!r}; there are: {listed(list(self._names))}.")
        if not self._is_text:
            return DataFormatError(
                f"Column {self._params.text_column!r} never holds text. Columns: {listed(list(self._names))}."
            )
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}.")


def _joined(blocks: Sequence[tuple[int, LineBlock]]) -> tuple[LineBlock, Ints]:
    """Consecutive blocks, each with its file, as one; and the file of each of its lines that are text."""
    files = np.repeat([file for file, _ in blocks], [len(block.lines) for _, block in blocks])
    if len(blocks) == 1:
        return blocks[0][1], files
    before = np.cumsum([0, *(block.rows for _, block in blocks)])
    rejected = [
        replace(row, position=row.position + int(start))
        for start, (_, block) in zip(before, blocks, strict=False)
        for row in block.rejected
    ]
    joined = LineBlock(
        int(before[-1]),
        np.concatenate([block.positions + start for start, (_, block) in zip(before, blocks, strict=False)]),
        np.concatenate([block.lines for _, block in blocks]),
        pa.concat_arrays([block.records for _, block in blocks]),
        rejected,
    )
    return joined, files
