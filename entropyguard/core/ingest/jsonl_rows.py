"""JSONL: each row is kept as the line it came in; only what has to be known of it is decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.batches import Batch, Rejected, listed, name_a_text, no_text_reason
from entropyguard.core.ingest.forms import form_of
from entropyguard.core.ingest.json_files import read_rows
from entropyguard.core.ingest.lines import LineBlock, read_lines, read_range
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.json_lines import MalformedLineError, fast_values, parse_line
from entropyguard.core.rows.line_texts import Found, line_texts, texts_of_row
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import NotTextError, Paths, listed_names, text_paths

_NAMES_HELD = _ROWS_NOTED = 1_000
_JUDGED_BYTES = 1 << 20


class JsonlRows:
    """Reads JSON lines and arrays (a RowReader): a record is the raw line, or the element in one line."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self.record_type = pa.large_string()
        self.metadata: dict[str, Any] = {}
        self._params = params
        self._paths = text_paths(params.text_column)
        self._first = sources[0]
        self._known = Paths()  # of rows that were looked at closely
        self._not_found = dict.fromkeys(listed_names(params.text_column))
        self._not_found.update(dict.fromkeys(params.required_columns))
        self._objects = self._lines = 0
        self._is_text = self._is_sound = False  # of any row

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The rows of these pieces; small blocks are judged together, since each call costs as much as 1,000 rows."""
        waiting: list[tuple[int, LineBlock]] = []
        held = 0
        for piece in pieces:
            for block in self._blocks(piece):
                waiting.append((piece.file, block))
                held += block.records.nbytes
                self._lines += block.ends
                if held >= _JUDGED_BYTES:
                    yield self._judged(*_joined(waiting))
                    waiting, held = [], 0
        if waiting:
            yield self._judged(*_joined(waiting))

    def _blocks(self, piece: Piece) -> Iterator[LineBlock]:
        limit = self._params.max_line_bytes
        if piece.is_whole:
            return read_rows(piece.source, limit, piece.file)
        return read_lines(read_range(piece.source, piece.start, piece.end), limit, piece.file)

    def noted(self) -> dict[str, Any]:
        """Which columns there are, and whether any row is sound."""
        return {
            "lines": self._lines,
            "known": self._known.as_dict(),
            "not_found": list(self._not_found),
            "objects": self._objects,
            "is_text": self._is_text,
            "is_sound": self._is_sound,
        }

    def take_over(self, noted: dict[str, Any]) -> None:
        """Know what another reader noted of later rows."""
        if self._objects < _ROWS_NOTED or len(self._known.columns) < _NAMES_HELD:
            self._known.merge(Paths.from_dict(noted["known"]))
        self._not_found = dict.fromkeys(name for name in self._not_found if name in noted["not_found"])
        self._objects += noted["objects"]
        self._is_text |= noted["is_text"]
        self._is_sound |= noted["is_sound"]

    def finish(self) -> None:
        """DataFormatError where one of several text columns is in no row."""
        if self._is_sound and self._not_found:
            raise self._no_such(next(iter(self._not_found)))

    def _judged(self, block: LineBlock, files: Ints) -> Batch:
        """The block with the lines set apart whose text or required columns are not there."""
        lines = pl.Series(pl.from_arrow(block.records), dtype=pl.String)
        rejected, good = list(block.rejected), np.ones(len(lines), dtype=bool)

        def look(at: int, line: str) -> Found:
            texts, reason = self._looked_at(line)
            if reason:
                good[at] = False
                rejected.append(Rejected(int(block.positions[at]), int(files[at]), int(block.lines[at]), reason, line))
            return texts

        texts = line_texts(lines, self._paths, look, self._lacking(lines))
        self._note_found(texts, good)
        rejected.sort(key=lambda row: row.position)
        records = block.records
        if not good.all():
            records, texts = records.filter(pa.array(good)), [one.filter(pl.Series(good)) for one in texts]
        return Batch(block.rows, block.positions[good], files[good], block.lines[good], records, rejected, texts)

    def _lacking(self, lines: pl.Series) -> pl.Series | None:
        """Which lines may lack a required column."""
        lacking = None
        for name in self._params.required_columns:
            nulls = fast_values(lines, name).is_null()
            lacking = nulls if lacking is None else lacking | nulls
        return lacking

    def _note_found(self, texts: Sequence[pl.Series], good: Bools) -> None:
        """Note which columns there are, by what was found in those of texts; a sound row has the required ones.

        Not for a path into lists, where nothing is found in each value that lacks it; there every row is looked at.
        """
        if not good.any():
            return
        self._is_sound = True
        for path, found in zip(self._paths, texts, strict=True):
            if path.name in self._not_found and not path.is_list and found.null_count() < len(found):
                del self._not_found[path.name]
        for name in self._params.required_columns:
            self._not_found.pop(name, None)

    def _looked_at(self, line: str) -> tuple[Found, str]:
        """The line's texts, and why it is rejected: nothing when it is sound. Notes which columns there are."""
        nothing: Found = [None] * len(self._paths)
        try:
            row = parse_line(line)
        except MalformedLineError as error:
            return nothing, str(error)
        if not isinstance(row, dict):
            return nothing, "not a JSON object"
        self._note(row)
        texts = []
        for path in self._paths:
            try:
                texts.append(texts_of_row(row, path))
            except NotTextError:
                return nothing, f"column {path.name!r} is not text"
        self._is_text = self._is_text or any(text is not None for text in texts)
        return (nothing, reason) if (reason := self._lack(row, texts)) else (texts, "")

    def _lack(self, row: dict[str, Any], texts: Found) -> str:
        """Why a row is rejected in which a column lacks or is null; nothing where none is."""
        if all(text is None for text in texts):
            if len(self._paths) > 1:
                return no_text_reason(self._paths)
            path = self._paths[0]
            return f"column {path.name!r} is {'null' if path.is_in(row) else 'missing'}"
        for name in self._params.required_columns:
            if row.get(name) is None:
                return f"column {name!r} is {'null' if name in row else 'missing'}"
        return ""

    def _note(self, row: dict[str, Any]) -> None:
        self._objects += 1
        if self._objects <= _ROWS_NOTED or (
            len(self._known.columns) < _NAMES_HELD and not row.keys() <= self._known.columns.keys()
        ):
            self._known.note_row(row)
        if self._not_found:
            for path in self._paths:
                if path.name in self._not_found and path.is_in(row):
                    del self._not_found[path.name]
            for name in self._params.required_columns:
                if name in row:
                    self._not_found.pop(name, None)

    def nothing_read(self, rows: int, first: str, advice: str) -> DataFormatError:
        """Why none of the rows could be read."""
        if not self._objects:
            form = form_of(self._first)
            return DataFormatError(f"None of the {rows} rows is a JSON object. First: {first}. {form or f'{advice}.'}")
        if self._not_found:
            return self._no_such(next(iter(self._not_found)))
        if not self._is_text:
            names = self._names()
            which = f"Column {names[0]!r} never holds" if len(names) == 1 else f"None of {listed(names)} holds"
            return DataFormatError(f"{which} text. {name_a_text(self._known, names)}")
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}. {advice}.")

    def _names(self) -> list[str]:
        return [path.name for path in self._paths]

    def _no_such(self, name: str) -> DataFormatError:
        there = self._known.nearest_first([name]) if name in self._names() else list(self._known.columns)
        return DataFormatError(f"No row has a column {name!r}; there are: {listed(there)}.")


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
