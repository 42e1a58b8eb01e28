"""Long texts as several rows (`chunks.size`): the one place where a text is altered, and only on request.

Each chunk is a row of its own, with the file, the line and the other columns of the row it comes from. Nothing is
stripped: without overlap the chunks of a text, one after the other, are the text. Rows that are short enough stay as
they came, and of a JSON line that is not, only the text's value is spelled anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import UsageError
from entropyguard.core.ingest.batches import Batch
from entropyguard.core.params import ChunkParams
from entropyguard.core.storage.checkpoint import Checkpoint

_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers are only passed over: as text they have no limit to their digits.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_LAST_RESORT = ""  # between any two characters


def check_splitter() -> None:
    """UsageError where the package that splits texts is not installed: it is an extra, and brings many others."""
    if find_spec("langchain_text_splitters") is None:
        raise UsageError(
            "Splitting texts (--chunk-size, or chunks.size in params.yaml) needs a package that is not installed. "
            'Run `pip install "entropyguard[chunks]"`.'
        )


class Chunker:
    """Splits the rows of batches whose text is longer than `params.size` characters, and counts them.

    A text is cut at the first of the separators that it holds, pieces that are still too long at the next one, and
    as a last resort anywhere; neighbouring pieces are joined again as long as they fit. A separator stays at the end
    of its piece. Each chunk begins with the last pieces of the one before it, up to `params.overlap` characters.
    """

    def __init__(self, params: ChunkParams, text_column: str) -> None:
        check_splitter()
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        self._size = params.size
        self._text_column = text_column
        self._splitter = RecursiveCharacterTextSplitter(
            separators=[*params.separators, _LAST_RESORT],
            keep_separator="end",
            strip_whitespace=False,
            chunk_size=params.size,
            chunk_overlap=params.overlap,
        )
        self.split = 0
        """How many rows were split so far."""

    def chunked(self, batch: Batch) -> Batch:
        """The batch with a row for each chunk; positions count the rows as they are then."""
        whole_lines = pa.types.is_large_string(batch.records.type)
        longer = self._longer_lines(batch.records) if whole_lines else self._longer_texts(batch.records)
        if not longer:
            return batch
        new = [part for parts in longer.values() for part in parts]
        self.split += len(longer)
        counts = np.ones(len(batch.records), dtype=np.int64)
        counts[list(longer)] = [len(parts) for parts in longer.values()]
        rows = np.repeat(np.arange(len(counts)), counts)
        # Where each row's text is, among the old ones and after these the new ones.
        positions = rows.copy()
        positions[np.repeat(counts > 1, counts)] = len(counts) + np.arange(len(new))
        if whole_lines:
            records = _chosen(batch.records, new, positions)
        else:
            records = self._with_texts(batch.records, new, rows, positions)
        more = np.concatenate([[0], np.cumsum(counts - 1)])
        within = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
        rejected = [
            replace(row, position=row.position + int(more[np.searchsorted(batch.positions, row.position)]))
            for row in batch.rejected
        ]
        positions = (batch.positions + more[:-1])[rows] + within
        return Batch(batch.rows + int(more[-1]), positions, batch.files[rows], batch.lines[rows], records, rejected)

    def _longer_lines(self, records: pa.Array) -> dict[int, list[str]]:
        """Of each row whose text is too long, by its position, the lines it becomes."""
        longer = {}
        # A text has no more characters than its line has bytes.
        for at in np.flatnonzero(pc.binary_length(records).to_numpy() > self._size).tolist():
            line = records[at].as_py()
            text, start, end = text_span(line, self._text_column)
            if len(text) > self._size:
                plain = line[start:end].isascii()
                spelled = (_spelled(chunk, ascii_only=plain) for chunk in self._splitter.split_text(text))
                longer[at] = [line[:start] + one + line[end:] for one in spelled]
        return longer

    def _longer_texts(self, records: pa.Array) -> dict[int, list[str]]:
        """Of each row whose text is too long, by its position, the chunks."""
        texts = pc.struct_field(records, [self._field(records)]).cast(pa.large_string())
        long = np.flatnonzero(pc.utf8_length(texts).to_numpy() > self._size).tolist()
        return {at: self._splitter.split_text(texts[at].as_py()) for at in long}

    def _with_texts(self, records: pa.Array, new: list[str], rows: Ints, positions: Ints) -> pa.Array:
        columns = [pc.struct_field(records, [at]) for at in range(records.type.num_fields)]
        field = self._field(records)
        texts = _chosen(columns[field].cast(pa.large_string()), new, positions)
        columns = [column.take(pa.array(rows)) for column in columns]
        columns[field] = texts.cast(records.type.field(field).type)
        return pa.StructArray.from_arrays(columns, fields=list(records.type))

    def _field(self, records: pa.Array) -> int:
        return int(records.type.get_field_index(self._text_column))


def _chosen(old: pa.Array, new: list[str], positions: Ints) -> pa.Array:
    """The strings at these positions, among the old ones and after these the new ones."""
    return pa.concat_arrays([old, pa.array(new, pa.large_string())]).take(pa.array(positions))


def text_span(line: str, column: str) -> tuple[str, int, int]:
    """The string under `column` of a sound JSON line (the last, if it is there twice), and where its value stands."""
    found = ("", 0, 0)
    at = _after_space(line, _after_space(line, 0) + 1)
    while line[at] != "}":
        name, at = _DECODER.raw_decode(line, at)
        start = _after_space(line, _after_space(line, at) + 1)
        value, end = _DECODER.raw_decode(line, start)
        if name == column:
            found = value, start, end
        at = _after_space(line, end)
        if line[at] == ",":
            at = _after_space(line, at + 1)
    return found


def _after_space(line: str, at: int) -> int:
    match = _SPACE.match(line, at)
    return match.end() if match else at


def _spelled(text: str, *, ascii_only: bool) -> str:
    """The text as a JSON string: other characters than ASCII as escapes where the line had them so, or must."""
    spelled = json.dumps(text, ensure_ascii=ascii_only)
    try:
        spelled.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(text)
    return spelled


def count_chunks(ingested: Checkpoint) -> dict[str, int]:
    """How many rows of the input were split, and into how many: rows from one line of one file stand together."""
    lines = np.empty((ingested.rows, 2), dtype=np.int64)
    for positions, table in ingested.placed(["file", "line"]):
        lines[positions] = _file_and_line(table)
    begins = np.flatnonzero(np.append(True, (lines[1:] != lines[:-1]).any(axis=1)))[: len(lines)]
    counts = np.diff(np.append(begins, len(lines)))
    return {"split": int((counts > 1).sum()), "chunks": int(counts[counts > 1].sum())}


def _file_and_line(table: pa.Table) -> Ints:
    return np.stack([table["file"].to_numpy().astype(np.int64), table["line"].to_numpy()], axis=1)
