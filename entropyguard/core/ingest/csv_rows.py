"""CSV and TSV: where each row begins and ends is found here, its values by Arrow.

The rules are RFC 4180 as Arrow reads it: a quote opens a field only at the field's start, `""` stands for a quote,
LF, CRLF and CR end a row. An empty field is null, a quoted empty one is the empty string.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from entropyguard.core.arrays import Bools, Bytes, Ints
from entropyguard.core.errors import DataFormatError, InputError, InternalError
from entropyguard.core.ingest.batches import (
    Batch,
    Rejected,
    as_places,
    as_text,
    check_columns,
    null_reasons,
    utf8_reason,
)
from entropyguard.core.ingest.forms import form_of
from entropyguard.core.ingest.lines import is_utf8, read_pieces
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.ingest.separators import SEPARATORS, check_separator
from entropyguard.core.params import IngestParams
from entropyguard.core.rows.arrow_texts import texts_at
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import text_paths

_LF, _CR, _QUOTE = 10, 13, 34
_FIELD = rb'(?:"[^"]*+(?:""[^"]*+)*+"[^,\r\n]*+|[^,\r\n"][^,\r\n]*+|)'
_ROW = _FIELD + rb"(?:," + _FIELD + rb")*+(?:\r\n|\r|\n|\Z)"
_ROWS = {separator: re.compile(_ROW.replace(b",", separator.encode())) for separator in SEPARATORS.values()}


@dataclass(frozen=True)
class RowBlock:
    """Consecutive rows that are not blank: their bytes and the line (from 1) each starts on."""

    rows: list[bytes]
    lines: Ints


def read_rows(source: Source, limit: int) -> Iterator[RowBlock]:
    """The rows of a CSV or TSV file, the header as the first; a row of over `limit` bytes is a DataFormatError."""
    line, waiting, separator = 1, b"", SEPARATORS[source.kind]
    pieces = read_pieces(source)
    for piece in pieces:
        waiting += piece
        block, waiting, line = _cut(waiting, line, separator, final=False)
        _check_length(source, [*block.rows, waiting], [*block.lines.tolist(), line], limit)
        yield block
    block, rest, line = _cut(waiting, line, separator, final=True)
    if rest:
        raise DataFormatError(f"{source}, line {line}: a quote is opened and never closed. Close it, or double it.")
    yield block


def _check_length(source: Source, rows: Sequence[bytes], lines: Sequence[int], limit: int) -> None:
    for row, line in zip(rows, lines, strict=True):
        if len(row) > limit + 2:  # the line end does not count
            raise DataFormatError(
                f"{source}, line {line}: the row that starts here is over max_line_bytes ({limit}) long, "
                "or a quote in it is never closed. Close the quote, or raise max_line_bytes."
            )


def _cut(data: bytes, line: int, separator: str, *, final: bool) -> tuple[RowBlock, bytes, int]:
    """The whole rows at the beginning of `data`, the rest, and the line the rest starts on."""
    buffer = np.frombuffer(data, dtype=np.uint8)
    line_ends = _line_ends(data, buffer, final=final)
    ends = _row_ends(data, buffer, line_ends, separator, final=final)
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64) if len(ends) else ends
    used = int(ends[-1]) if len(ends) else 0
    lines = line + np.searchsorted(line_ends, starts, side="right")
    rows = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    filled = [at for at, row in enumerate(rows) if row.strip(b"\r\n")]
    block = RowBlock([rows[at] for at in filled], lines[filled])
    return block, data[used:], line + int(np.searchsorted(line_ends, used, side="right"))


def _line_ends(data: bytes, buffer: Bytes, *, final: bool) -> Ints:
    """Where physical lines end (the position after LF, CRLF or CR), quoted or not."""
    ends = buffer == _LF
    if b"\r" in data:
        returns = buffer == _CR
        returns[:-1] &= buffer[1:] != _LF
        returns[-1:] &= final  # an LF may follow
        ends |= returns
    positions: Ints = np.flatnonzero(ends).astype(np.int64) + 1
    return positions


def _row_ends(data: bytes, buffer: Bytes, line_ends: Ints, separator: str, *, final: bool) -> Ints:
    """Where rows end: at the line ends that no quotes enclose."""
    if b'"' in data:
        quotes = np.flatnonzero(buffer == _QUOTE)
        if not _is_regular(buffer, quotes, separator):
            return _row_ends_one_by_one(data, separator, final=final)
        ends: Ints = line_ends[np.searchsorted(quotes, line_ends) % 2 == 0]
        closed = len(quotes) % 2 == 0
    else:
        ends, closed = line_ends, True
    if final and closed and data and (len(ends) == 0 or ends[-1] != len(data)):
        ends = np.append(ends, len(data))
    return ends


def _is_regular(buffer: Bytes, quotes: Ints, separator: str) -> bool:
    """Whether every quote opens, closes or is doubled as the RFC has it, so that counting them is enough."""
    opening, closing_ = quotes[::2], quotes[1::2]
    doubled = closing_[: len(opening) - 1] + 1 == opening[1:]
    before = buffer[opening - 1]
    opens = (opening == 0) | _ends_field(before, separator)
    opens[1:] |= doubled
    after = buffer[np.minimum(closing_ + 1, len(buffer) - 1)]
    closes = (closing_ + 1 == len(buffer)) | _ends_field(after, separator)
    closes[: len(doubled)] |= doubled
    return bool(opens.all() and closes.all())


def _ends_field(values: Bytes, separator: str) -> Bools:
    return np.isin(values, np.frombuffer(separator.encode() + b"\r\n", dtype=np.uint8))


def _row_ends_one_by_one(data: bytes, separator: str, *, final: bool) -> Ints:
    ends, at, row = [], 0, _ROWS[separator]
    while at < len(data) and (match := row.match(data, at)):
        at = match.end()
        if at == len(data) and not final and not data.endswith(b"\n"):
            break
        ends.append(at)
    return np.array(ends, dtype=np.int64)


def header_of(source: Source, limit: int) -> list[str]:
    """The column names in the first row of a CSV or TSV file, "" for a column without one."""
    rows = list(islice((row for block in read_rows(source, limit) for row in block.rows), 2))
    if not rows:
        raise InputError(f"{source} holds no rows, not even a header.")
    reason = utf8_reason(rows[0])
    if reason or b"\0" in rows[0]:
        cure = form_of(source) or "Save the file as UTF-8."
        raise DataFormatError(f"{source}: the header cannot be read: {reason or 'it holds zero bytes'}. {cure}")
    header = rows[0].decode()
    check_separator(source, header, rows[1].decode("utf-8", "replace") if len(rows) > 1 else None)
    try:
        return next(csv.reader(io.StringIO(header, newline=""), delimiter=SEPARATORS[source.kind]))
    except csv.Error as error:
        raise DataFormatError(
            f"{source}: the header cannot be read: {error}. Is this {source.kind.upper()}?"
        ) from error


class CsvRows:
    """Reads CSV and TSV files (a RowReader): a record is a struct of strings."""

    def __init__(self, sources: Sequence[Source], params: IngestParams) -> None:
        self._params = params
        self._names = header_of(sources[0], params.max_line_bytes)
        self._paths = text_paths(params.text_column)
        fields = [pa.field(name, pa.large_string()) for name in self._names]
        check_columns(sources[0], fields, self._paths, params.required_columns)
        self.record_type = pa.struct(fields)
        self.metadata: dict[str, Any] = {}

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The rows of these files, without their headers."""
        for piece in pieces:
            yield from self._rows_of(piece.file, piece.source)

    def _rows_of(self, file: int, source: Source) -> Iterator[Batch]:
        names = header_of(source, self._params.max_line_bytes)
        if names != self._names:
            odd = next((name for name in names + self._names if (name in names) != (name in self._names)), names[0])
            raise DataFormatError(f"{source} has other columns than the first file (see {odd!r}). Make them the same.")
        in_header = True
        for block in read_rows(source, self._params.max_line_bytes):
            rows = RowBlock(block.rows[1:], block.lines[1:]) if in_header else block
            in_header = in_header and not block.rows
            if rows.rows:
                yield self._parsed(rows, file, SEPARATORS[source.kind])

    def _parsed(self, block: RowBlock, file: int, separator: str) -> Batch:
        reasons = _encoding_reasons(block.rows)
        readable = [at for at in range(len(block.rows)) if at not in reasons]
        columns, wrong = _parse(b"".join(block.rows[at] for at in readable), self._names, separator)
        for number, reason in wrong.items():
            reasons[readable[number - 1]] = reason
        good = np.array([at for at in readable if at not in reasons], dtype=np.int64)
        if len(columns[0]) != len(good):
            raise InternalError(f"CSV rows near line {block.lines[0]} do not add up. Please report this file.")
        records = pa.StructArray.from_arrays(columns, fields=list(self.record_type))
        texts = [texts_at(records, path) for path in self._paths]
        nulls = null_reasons(records, texts, self._paths, self._params.required_columns)
        reasons.update({int(good[at]): reason for at, reason in nulls.items()})
        sound = np.array([at not in nulls for at in range(len(good))], dtype=bool)
        if nulls:
            records, texts = records.filter(pa.array(sound)), [array.filter(pa.array(sound)) for array in texts]
        rejected = [
            Rejected(at, file, int(block.lines[at]), reason, as_text(block.rows[at].rstrip(b"\r\n")))
            for at, reason in sorted(reasons.items())
        ]
        kept = good[sound]
        files, lines = np.full(len(kept), file), block.lines[kept]
        return Batch(len(block.rows), kept, files, lines, records, rejected, as_places(texts))

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


def _encoding_reasons(rows: list[bytes]) -> dict[int, str]:
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    if is_utf8(b"".join(rows), offsets):
        return {}
    return {at: reason for at, row in enumerate(rows) if (reason := utf8_reason(row))}


def _parse(data: bytes, names: list[str], separator: str) -> tuple[list[pa.Array], dict[int, str]]:
    """The columns of the rows with the right number of fields; number (from 1) -> reason for the others."""
    wrong: dict[int, str] = {}

    def note(row: arrow_csv.InvalidRow) -> str:
        wrong[row.number] = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        return "skip"

    numbers = [str(at) for at in range(len(names))]
    if not data:
        return [pa.array([], pa.large_string()) for _ in numbers], wrong
    table = arrow_csv.read_csv(
        io.BytesIO(data),
        arrow_csv.ReadOptions(column_names=numbers, use_threads=False, block_size=len(data) + 1),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, pa.large_string()),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            check_utf8=False,
        ),
    )
    return [column.combine_chunks() for column in table.columns], wrong
