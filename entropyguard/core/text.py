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

_ASCII_SPACES = " \t\n\r\v\f"
_FOREIGN_SPACES = r"[\x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"
# No character of these blocks is white space, is spelled otherwise in NFC, or joins the one before it; those of the
# first, past ASCII, have no upper case either. To see that a text holds no others takes a tenth of normalising it.
LOWER_BLOCKS: tuple[tuple[int, int], ...] = (
    *((0, 0x84), (0x86, 0x9F), (0xA1, 0xBF), (0xDF, 0xFF), (0x430, 0x45F), (0x2010, 0x2025)),
    *((0x3041, 0x3096), (0x30A1, 0x30FC), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)),
)
CASED_BLOCKS = ((0xC0, 0xDE), (0x100, 0x2FF), (0x400, 0x42F), (0x460, 0x482), (0x48A, 0x52F), (0xFF01, 0xFF60))
_BLOCK_BYTES = 1 << 17  # stays in the processor's cache, which makes it three times as fast
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
    foreign = texts.str.len_bytes() != texts.str.len_chars()
    texts = _changed(texts, foreign, lambda some: _normalise_foreign(some, params))
    if params.whitespace:
        texts = texts.str.strip_chars(_ASCII_SPACES)
    array = _as_arrow(texts)
    if params.lowercase:
        array = pc.ascii_lower(array)
    if params.whitespace:
        array = _single_spaces(array)
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def _normalise_foreign(texts: pl.Series, params: ExactParams) -> pl.Series:
    """What has to be done to texts with characters outside ASCII, but for the ASCII in them."""
    if params.unicode == "NFKC":
        texts = texts.str.normalize("NFKC")
    return _changed(texts, texts.str.contains(_beyond(LOWER_BLOCKS)), lambda some: _settled(some, params))


def _settled(texts: pl.Series, params: ExactParams) -> pl.Series:
    beyond = texts.str.contains(_beyond(LOWER_BLOCKS + CASED_BLOCKS))
    if params.unicode == "NFC":
        texts = _changed(texts, beyond, lambda some: some.str.normalize("NFC"))
    if params.whitespace:
        texts = _changed(texts, beyond, lambda some: some.str.replace_all(_FOREIGN_SPACES, " "))
    return texts.str.to_lowercase() if params.lowercase else texts


def _beyond(blocks: tuple[tuple[int, int], ...]) -> str:
    """A pattern for the characters that are in none of the blocks."""
    return "[^" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in blocks) + "]"


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


def _single_spaces(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Texts that neither begin nor end with white space, with one space for each run of ASCII white space."""
    ends, data = _parts(texts)
    out, size, removed = np.empty_like(data), 0, [np.empty(0, dtype=np.int64)]
    before = False  # whether the byte before is white space; no text's first byte is
    for start in range(0, len(data), _BLOCK_BYTES):
        block = data[start : start + _BLOCK_BYTES]
        control = block - np.uint8(9) <= 4  # tab to carriage return; smaller bytes wrap around to large ones
        white = control | (block == 32)
        repeats = white & np.concatenate([[before], white[:-1]])
        before = white[-1]
        if control.any():
            block = block.copy()
            block[np.flatnonzero(control)] = 32
        if repeats.any():
            removed.append(np.flatnonzero(repeats) + start)
            block = block[~repeats]
        out[size : size + len(block)] = block
        size += len(block)
    ends = ends - np.searchsorted(np.concatenate(removed), ends)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(out[:size]))


def _as_arrow(texts: pl.Series) -> pa.LargeStringArray:
    return texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _parts(texts: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Where the texts begin and end in their bytes, one after the other; and these bytes."""
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return ends - ends[0], np.frombuffer(data or b"", dtype=np.uint8)[ends[0] : ends[-1]]


def content_hash(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """xxh3-128 of each text's UTF-8 bytes: shape (rows, 2), the high 64 bits first."""
    ends, data = _parts(_as_arrow(texts))
    digest, view = xxhash.xxh3_128_digest, data.data
    digests = b"".join([digest(view[start:end]) for start, end in pairwise(ends.tolist())])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
