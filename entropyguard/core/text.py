"""The text of each record, as it is compared: normalised and hashed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from entropyguard.core.errors import DataFormatError
from entropyguard.core.jsonl import decode_texts, encodable, parse_line
from entropyguard.core.params import ExactParams

_ODD_SPACES = r"[^\S ]|\s\s|\A\s|\s\z"
_ASCII_ODD_SPACES = ["  ", "\t", "\n", "\r", "\v", "\f"]
_LARGEST_INT = 2**63


def texts_of(table: pa.Table, about: dict[str, Any]) -> pl.Series:
    """The text of each row of a checkpoint, decoded: strings, no nulls. Lone surrogates are spelled out."""
    if about["format"] == "jsonl":
        return decode_texts(_as_series(table["record"]), about["text_column"])
    return _as_series(_field(table, about["text_column"]).cast(pa.large_string()))


def _as_series(column: pa.ChunkedArray) -> pl.Series:
    series = pl.from_arrow(column)
    if not isinstance(series, pl.Series):
        raise TypeError(f"a column was expected, not {type(series).__name__}")
    return series


def _field(table: pa.Table, name: str) -> pa.ChunkedArray:
    at = table.schema.field("record").type.get_field_index(name)
    if at < 0:
        known = ", ".join(field.name for field in table.schema.field("record").type)
        raise DataFormatError(f"There is no column {name!r}; there are: {known}.")
    return pc.struct_field(table["record"], [at])


def column_of(table: pa.Table, about: dict[str, Any], name: str) -> pl.Series:
    """The values of any of the user's columns, null where a row has none.

    For JSONL the type is that of the values here: Boolean, Int64, Float64, String, or Null when there are none;
    tables of one file may differ in it. DataFormatError for values that have no order among each other.
    """
    if about["format"] != "jsonl":
        return _as_series(_field(table, name))
    values = [parse_line(line).get(name) for line in table["record"].to_pylist()]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        return pl.Series([value if value is None else encodable(value) for value in values], dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(values, dtype=pl.Boolean)
    if kinds == {int} and all(-_LARGEST_INT <= value < _LARGEST_INT for value in values if value is not None):
        return pl.Series(values, dtype=pl.Int64)
    if kinds and kinds <= {int, float}:
        return pl.Series([value if value is None else _as_float(value) for value in values], dtype=pl.Float64)
    if kinds:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise DataFormatError(f"Column {name!r} holds {found}: there is no order among them.")
    return pl.Series(values, dtype=pl.Null)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def normalise(texts: pl.Series, params: ExactParams) -> pl.Series:
    """Texts as exact_dedup compares them: Unicode normal form, lower case, single spaces, by `params`."""
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    if params.unicode != "none":
        compatible = params.unicode == "NFKC"
        texts = _changed(texts, ~ascii_only, lambda some: some.str.normalize("NFKC" if compatible else "NFC"))
    if params.lowercase:
        texts = texts.str.to_lowercase()
    if params.whitespace:
        texts = _changed(texts, _odd_spaces(texts, ascii_only), _single_spaces)
    return texts


def _changed(texts: pl.Series, mask: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts with `change` applied to those the mask names."""
    count = int(mask.sum())
    if count == 0:
        return texts
    if count == len(texts):
        return change(texts)
    places = np.arange(len(texts))
    places[mask.to_numpy()] = len(texts) + np.arange(count)
    return pl.concat([texts, change(texts.filter(mask))]).gather(places)


def _odd_spaces(texts: pl.Series, ascii_only: pl.Series) -> pl.Series:
    """Which texts `_single_spaces` would change; may name a few more."""
    # Looking for a handful of literals is many times faster than the expression.
    odd = texts.str.contains_any(_ASCII_ODD_SPACES) | texts.str.starts_with(" ") | texts.str.ends_with(" ")
    others = ~ascii_only & ~odd
    return odd | _changed(others, others, lambda _: texts.filter(others).str.contains(_ODD_SPACES))


def _single_spaces(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\s+", " ").str.strip_chars(" ")


def content_hash(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """xxh3-128 of each text's UTF-8 bytes: shape (rows, 2), the high 64 bits first."""
    array = pa.chunked_array([texts.to_arrow()]).cast(pa.large_string()).combine_chunks()
    array = array.chunk(0) if isinstance(array, pa.ChunkedArray) else array
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1].tolist()
    view = memoryview(data if data is not None else b"")
    digest = xxhash.xxh3_128_digest
    digests = b"".join([digest(view[start:end]) for start, end in pairwise(ends)])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
