"""The texts of JSON lines at the places where a row's text stands.

A fast reader gives what stands under names; Python's decides where its answer may be no text, and reads lists. Which of
the two decided does not show in the result: it depends on the line alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.rows.json_lines import (
    MalformedLineError,
    encodable,
    fast_values,
    is_fast,
    parse_line,
    undecided,
)
from entropyguard.core.rows.text_paths import NotTextError, TextPath

Found = Sequence[str | list[str] | None]
"""What a row has at each path."""


def line_texts(
    lines: pl.Series,
    paths: Sequence[TextPath],
    look: Callable[[int, str], Found],
    doubtful: pl.Series | None = None,
) -> list[pl.Series]:
    """For each path the lines' texts, null for none: strings, or lists of them.

    `look` takes the position and the line of a row that the fast reader does not show to be sound, or that is
    `doubtful` for another reason, and says what is there.
    """
    fast = [_fast_texts(lines, path) for path in paths]
    unsure = np.zeros(len(lines), dtype=np.bool_) if doubtful is None else doubtful.to_numpy().copy()
    for path, texts in zip(paths, fast, strict=True):
        unsure |= True if path.is_list else undecided(texts).to_numpy()
    positions = np.flatnonzero(unsure)
    if not len(positions):
        return fast
    found = [look(at, line) for at, line in zip(positions.tolist(), lines.gather(positions).to_list(), strict=True)]
    return [
        _as_series(values) if path.is_list else _settled(texts, positions, values)
        for path, texts, values in zip(paths, fast, zip(*found, strict=True), strict=True)
    ]


def _fast_texts(lines: pl.Series, path: TextPath) -> pl.Series:
    """The fast reader's answer; null where it has none, and where a column may have the very name of the path."""
    names = path.ways[0]
    if path.is_list or path.name != ".".join(names) or not all(map(is_fast, names)):
        return fast_values(lines, "")
    if len(names) == 1:
        return fast_values(lines, path.name)
    found = lines.str.json_path_match(f"$.{path.name}")
    return found.set(lines.str.contains(f'"{path.name}"', literal=True), None)


def _as_series(values: Sequence[Any]) -> pl.Series:
    """Lists of texts as a series, all texts at once: polars would make a series of each list."""
    ends = np.cumsum([0, *(len(texts or ()) for texts in values)])
    texts = pa.array(list(chain.from_iterable(texts or () for texts in values)), pa.large_string())
    missing = pa.array([texts is None for texts in values])
    lists = pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), texts, mask=missing)
    return pl.Series(pl.from_arrow(lists))


def _settled(texts: pl.Series, positions: Ints, values: Sequence[Any]) -> pl.Series:
    return texts.scatter(positions, pl.Series(values, dtype=pl.String))


def texts_of_lines(lines: pl.Series, paths: Sequence[TextPath]) -> list[pl.Series]:
    """The same of lines of which nothing is to be told; whatever is no text is null."""
    return line_texts(lines, paths, lambda _, line: _texts_of(line, paths))


def _texts_of(line: str, paths: Sequence[TextPath]) -> Found:
    try:
        row = parse_line(line)
    except MalformedLineError:
        return [None] * len(paths)
    return [_or_none(row, path) for path in paths]


def _or_none(row: Any, path: TextPath) -> str | list[str] | None:
    try:
        return texts_of_row(row, path) if isinstance(row, dict) else None
    except NotTextError:
        return None


def texts_of_row(row: dict[str, Any], path: TextPath) -> str | list[str] | None:
    """As `TextPath.of_row`, with lone surrogates, which UTF-8 cannot hold, spelled U+FFFD and their escape."""
    found = path.of_row(row)
    if isinstance(found, list):
        return [encodable(text) for text in found]
    return None if found is None else encodable(found)
