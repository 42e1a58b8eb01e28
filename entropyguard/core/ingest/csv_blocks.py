"""Where each row of CSV and TSV begins and ends.

The rules are RFC 4180 as Arrow reads it: a quote opens a field only at the field's start, `""` stands for a quote,
LF, CRLF and CR end a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from entropyguard.core.arrays import Bools, Bytes, Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.lines import read_pieces
from entropyguard.core.ingest.separators import SEPARATORS
from entropyguard.core.rows.source import Source

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
