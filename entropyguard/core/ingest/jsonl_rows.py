"""JSONL: each row is kept as the line it came in; only what has to be known of it is decoded.

Two JSON readers work together. A fast one (serde, in polars) gives the text of nearly every line. Wherever its
answer may not be a string's, Python's decides, which also takes NaN, huge numbers and lone surrogates. Which of
the two decided does not show in the result: it depends on the line alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.batches import Batch, Rejected, listed
from entropyguard.core.ingest.inputs import Source
from entropyguard.core.ingest.lines import LineBlock, read_lines
from entropyguard.core.params import IngestParams

MAX_DEPTH = 500
_NAMES_HELD = 1_000
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the fast reader may give for a value that is no string: it spells numbers, booleans, lists and objects out.
_LIKE_NO_STRING = r"(?s)\A(?:-?[0-9][-+.0-9eE]*|true|false|\[.*\]|\{.*\})\z"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BRACKETS = re.compile(r"[\[{]|[\]}]")


class MalformedLineError(ValueError):
    """A line that is no JSON; the message says why and where."""


def parse_line(line: str, **hooks: Any) -> Any:
    """The value of a JSON line (the last of duplicate keys, NaN as float); MalformedLineError when it is none.

    Nesting is limited to MAX_DEPTH, far below where Python's own limit, which hangs on its caller, would strike.
    """
    if line.count("[") + line.count("{") > MAX_DEPTH and _depth(line) > MAX_DEPTH:
        raise MalformedLineError(f"malformed JSON: nested more than {MAX_DEPTH} levels deep")
    try:
        return json.loads(line, **{"parse_int": _integer, **hooks})
    except json.JSONDecodeError as error:
        raise MalformedLineError(f"malformed JSON: {error.msg} at character {error.pos + 1}") from error


def _integer(digits: str) -> int | float:
    """An int; past the length Python converts, infinity, as for any number too large."""
    return int(digits) if len(digits) < 4_000 else float(digits)


def _depth(line: str) -> int:
    deepest = depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub("", line)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def decode_texts(lines: pl.Series, column: str) -> pl.Series:
    """The string under `column` of each line, null where there is none.

    A lone surrogate, which UTF-8 cannot hold, is spelled U+FFFD and its escape.
    """
    found = _fast_values(lines, column)
    undecided = np.flatnonzero(_undecided(found).to_numpy())
    if len(undecided) == 0:
        return found
    texts = [_text_of(line, column) for line in lines.gather(undecided).to_list()]
    return found.scatter(undecided, pl.Series(texts, dtype=pl.String))


def _fast_values(lines: pl.Series, column: str) -> pl.Series:
    """The fast reader's answer: null, or a string that is the value's or spells another value out."""
    if not _IDENTIFIER.fullmatch(column):
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(lines))
    return lines.str.json_path_match(f"$.{column}")


def _undecided(found: pl.Series) -> pl.Series:
    return found.str.contains(_LIKE_NO_STRING).fill_null(value=True)


def _text_of(line: str, column: str) -> str | None:
    try:
        row = parse_line(line)
    except MalformedLineError:
        return None
    value = row.get(column) if isinstance(row, dict) else None
    return encodable(value) if isinstance(value, str) else None


def encodable(text: str) -> str:
    """The text itself, or with its lone surrogates spelled out so that it fits UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]", lambda match: f"\ufffd\\u{ord(match[0]):04x}", text)
    return text


class JsonlRows:
    """Reads JSONL files (a RowReader): a record is the raw line."""

    def __init__(self, _sources: Sequence[Source], params: IngestParams) -> None:
        self.record_type = pa.large_string()
        self.about: dict[str, Any] = {}
        self._params = params
        self._names: dict[str, None] = {}  # columns of rows that were looked at closely
        self._of_interest = {params.text_column, *params.required_columns}
        self._objects = 0
        self._is_text = False

    def batches(self, source: Source) -> Iterator[Batch]:
        """The rows of one file."""
        for block in read_lines(source, self._params.max_line_bytes):
            yield self._judged(block)

    def _judged(self, block: LineBlock) -> Batch:
        """The block with the lines set apart whose text or required columns are not there."""
        lines = pl.Series(pl.from_arrow(block.records), dtype=pl.String)
        texts = _fast_values(lines, self._params.text_column)
        doubtful, found = self._doubtful(lines, texts), []
        rejected, good = list(block.rejected), np.ones(len(lines), dtype=bool)
        for at, line in zip(doubtful.tolist(), lines.gather(doubtful).to_list(), strict=True):
            text, reason = self._looked_at(line)
            found.append(text)
            if reason:
                good[at] = False
                rejected.append(Rejected(int(block.positions[at]), int(block.lines[at]), reason, line))
        rejected.sort(key=lambda row: row.position)
        records = block.records
        if found:
            texts = texts.scatter(doubtful, pl.Series(found, dtype=pl.String))
        if not good.all():
            records, texts = records.filter(pa.array(good)), texts.filter(pl.Series(good))
        return Batch(block.rows, block.positions[good], block.lines[good], records, rejected, texts)

    def _doubtful(self, lines: pl.Series, texts: pl.Series) -> Ints:
        """The lines that the fast reader, which gave the texts, does not show to be sound."""
        doubtful = _undecided(texts)
        for name in self._params.required_columns:
            doubtful |= _fast_values(lines, name).is_null()
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
            return DataFormatError(f"None of the {rows} rows is a JSON object. First: {first}.")
        for name in (self._params.text_column, *self._params.required_columns):
            if name not in self._names:
                return DataFormatError(f"No row has a column {name!r}; there are: {listed(list(self._names))}.")
        if not self._is_text:
            return DataFormatError(
                f"Column {self._params.text_column!r} never holds text. Columns: {listed(list(self._names))}."
            )
        return DataFormatError(f"Each of the {rows} rows was rejected. First: {first}.")
