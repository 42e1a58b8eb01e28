"""The data that `dedup` takes: known by their type, written for ingest, selected from.

Only the columns that decide are written. The rows that stay are picked from the caller's own data by their numbers, so
nothing of them is converted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Sized
from itertools import islice
from json.encoder import encode_basestring  # the fast one of the C library
from pathlib import Path
from typing import Any, Protocol

from entropyguard.api.frames import (
    SAMPLE_ROWS,
    ArrowFrame,
    DatasetFrame,
    Frame,
    PandasFrame,
    PolarsFrame,
    write_tables,
)
from entropyguard.core.arrays import Ints
from entropyguard.core.errors import DataFormatError, InputError, UsageError

LINES, TABLE = "data.jsonl", "data.parquet"
"""The files that data in memory are written to."""

TEXT = "text"
"""What the column of a list of texts is called."""

_LINES_AT_ONCE = 10_000

_FRAMES: dict[str, type[Any]] = {
    "polars.DataFrame": PolarsFrame,
    "pandas.DataFrame": PandasFrame,
    "pyarrow.Table": ArrowFrame,
    "datasets.Dataset": DatasetFrame,
}

_CURES = {
    "polars.LazyFrame": "Give its collect().",
    "polars.Series": "Give its to_list().",
    "pandas.Series": "Give its tolist().",
    "numpy.ndarray": "Give its tolist().",
    "datasets.DatasetDict": 'Give one of its splits, such as data["train"].',
    "datasets.IterableDataset": "Load it without streaming, or give a list of its rows.",
}


class Data(Protocol):
    """Rows in memory."""

    format: str
    """Of the file they are written to."""

    text: str | None
    """The column to compare, where there is no other."""

    def sample(self, folder: Path) -> Path:
        """Write what tells which columns there are and which of them hold text."""

    def write(self, folder: Path, columns: Sequence[str]) -> Path:
        """Write these columns of every row, in order; returns the file."""

    def select(self, rows: Ints) -> Any:
        """The rows with these numbers (from 0, ascending), as data of the type that came in."""


def known_data(data: Any) -> Data:
    """The data as rows; UsageError for what is none of the kinds that are known, with what to give instead."""
    if isinstance(data, Sized) and not len(data):
        raise InputError("The data hold no rows. Give some that do.")
    kinds = [f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(data).__mro__]
    for kind in kinds:
        if kind in _FRAMES:
            return _Table(_FRAMES[kind](data))
    if isinstance(data, list | tuple):
        first = next((one for one in data if one is not None), None)
        return _Dicts(data) if isinstance(first, Mapping) else _Texts(data)
    cure = next((_CURES[kind] for kind in kinds if kind in _CURES), None)
    raise UsageError(
        f"data is a {kinds[0]}; it must be a list of strings or of dicts, a polars or pandas DataFrame, an Arrow "
        f"table, a Hugging Face Dataset or a path. {cure or 'Give one of these.'}"
    )


class _Table:
    """A frame, as Parquet."""

    format = "parquet"
    text: str | None = None

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def sample(self, folder: Path) -> Path:
        write_tables(self._frame.tables(self._frame.names, SAMPLE_ROWS), folder / TABLE)
        return folder / TABLE

    def write(self, folder: Path, columns: Sequence[str]) -> Path:
        names = self._frame.names
        wanted = {name if name in names else _outermost(name): name for name in columns}
        for own, name in wanted.items():
            if names.count(own) != 1:
                there = "no column" if own not in names else "several columns called"
                raise DataFormatError(f"The data have {there} {name!r}; there are: {', '.join(map(str, names))}.")
        write_tables(self._frame.tables(list(wanted)), folder / TABLE)
        return folder / TABLE

    def select(self, rows: Ints) -> Any:
        return self._frame.select(rows)


class _Texts:
    """A list or a tuple of strings, as JSON lines; what is no string comes out as rejected."""

    format = "jsonl"
    text: str | None = TEXT

    def __init__(self, texts: Sequence[Any]) -> None:
        self._texts = texts

    def sample(self, folder: Path) -> Path:
        """Not needed, but true."""
        return self.write(folder, [TEXT])

    def write(self, folder: Path, columns: Sequence[str]) -> Path:
        for name in columns:
            if name != TEXT:
                raise DataFormatError(f"The data are texts: there is no column {name!r}. Give dicts or a frame.")
        return _write_lines(map(_text_line, self._texts), folder)

    def select(self, rows: Ints) -> Any:
        return _picked(self._texts, rows)


class _Dicts:
    """A list or a tuple of dicts, as JSON lines."""

    format = "jsonl"
    text: str | None = None

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows

    def sample(self, folder: Path) -> Path:
        return _write_lines((_row_line(at, row, None) for at, row in enumerate(self._rows)), folder)

    def write(self, folder: Path, columns: Sequence[str]) -> Path:
        wanted = {name if self._has(name) else _outermost(name): name for name in columns}
        for own, name in wanted.items():
            if not self._has(own):
                known = next((list(row) for row in self._rows if isinstance(row, Mapping)), [])
                raise DataFormatError(f"No row has a column {name!r}; the first has: {', '.join(map(str, known))}.")
        return _write_lines((_row_line(at, row, list(wanted)) for at, row in enumerate(self._rows)), folder)

    def _has(self, name: str) -> bool:
        return any(isinstance(row, Mapping) and name in row for row in self._rows)

    def select(self, rows: Ints) -> Any:
        return _picked(self._rows, rows)


def _outermost(path: str) -> str:
    """The column that a path such as `meta.title` or `messages[].content` begins with."""
    return re.split(r"\.|\[", path, maxsplit=1)[0]


def _picked(rows: Sequence[Any], numbers: Ints) -> list[Any] | tuple[Any, ...]:
    """The very same objects."""
    picked = [rows[number] for number in numbers.tolist()]
    return tuple(picked) if isinstance(rows, tuple) else picked


def _text_line(text: Any) -> str:
    return f'{{"{TEXT}": {_spelled(text)}}}'


def _spelled(value: Any) -> str:
    return encode_basestring(value) if type(value) is str else json.dumps(value, ensure_ascii=False, default=_plain)


def _row_line(at: int, row: Any, columns: Sequence[str] | None) -> str:
    """The row's columns that are wanted; what is no dict stays what it is, to be rejected."""
    if not isinstance(row, Mapping):
        return "null"
    wanted = row if columns is None else {name: row[name] for name in columns if name in row}
    try:
        return json.dumps(dict(wanted), ensure_ascii=False, default=_plain, skipkeys=True)
    except (ValueError, RecursionError) as error:
        raise DataFormatError(
            f"Row {at} of the data cannot be spelled as JSON ({error}). Name its text column."
        ) from error


def _plain(value: Any) -> Any:
    """What JSON can spell of a value: numbers of numpy as such, bytes not at all, other things as they print."""
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else str(value)


def _write_lines(lines: Iterator[str], folder: Path) -> Path:
    path = folder / LINES
    with path.open("wb") as file:
        while some := list(islice(lines, _LINES_AT_ONCE)):
            # A lone surrogate, which UTF-8 cannot hold, is escaped as JSON escapes it.
            file.write("".join(f"{line}\n" for line in some).encode("utf-8", "backslashreplace"))
    return path
