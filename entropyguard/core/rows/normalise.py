"""Texts as exact_dedup compares them: normalised and hashed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from entropyguard.core.arrays import Bytes, Hashes, Int32s, Ints, flagged
from entropyguard.core.params import ExactParams
from entropyguard.core.rows.content import not_told_by_first_bytes, nothing_to_compare

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
_NO_TEXT = np.uint8(0xFF)  # a byte that is in no UTF-8
_FEW_LETTERS = 8  # bytes of text for each that is further to a character, or more
_BEYOND_ASCII = np.uint8(0x80)


class _Plain(NamedTuple):
    """Normalised texts: text i is data[starts[i]:stops[i]], between ends[i] and ends[i + 1]."""

    ends: Ints
    starts: Ints
    stops: Ints
    data: Bytes


def normalise(texts: pl.Series, params: ExactParams) -> pl.Series:
    """Texts as exact_dedup compares them: Unicode normal form, lower case, single spaces, by `params`."""
    texts = _changed(texts, _odd(texts, _further_bytes(texts), params), lambda some: _settled(some, params))
    if params.whitespace:
        texts = texts.str.strip_chars(_ASCII_SPACES)
    plain = _plain(texts, params)
    return _as_series(plain.ends, plain.data)


def hashed(texts: pl.Series, params: ExactParams) -> tuple[Hashes, Int32s]:
    """xxh3-128 of each text as `normalise` gives it, shape (texts, 2), high half first; and its characters.

    A text without a letter, digit or symbol has 0 characters: there is nothing in it to compare.
    """
    further = _further_bytes(texts)
    plain = _plain(texts, params)
    hashes, lengths = _hashes(plain), _characters(plain, further)
    unsure = not_told_by_first_bytes(plain.starts, plain.stops, plain.data)
    del plain
    odd = _odd(texts, further, params)
    if len(odd):
        settled = _settled(texts.gather(odd), params)
        plain = _plain(settled, params)
        hashes[odd], lengths[odd] = _hashes(plain), _characters(plain, _further_bytes(settled))
    if len(unsure):
        lengths[unsure[nothing_to_compare(texts.gather(unsure))]] = 0
    return hashes, lengths


def _characters(plain: _Plain, further: pl.Series) -> Int32s:
    lengths: Int32s = (plain.stops - plain.starts - further.to_numpy()).astype(np.int32)
    return lengths


def _further_bytes(texts: pl.Series) -> pl.Series:
    """Of each text, how many bytes it has beyond one a character; what is done to ASCII does not change it."""
    return texts.str.len_bytes().cast(pl.Int64) - texts.str.len_chars().cast(pl.Int64)


def content_hash(texts: pl.Series) -> Hashes:
    """xxh3-128 of each text's UTF-8 bytes as it is: shape (texts, 2), high half first."""
    return _hashes(_parts(_as_arrow(texts)))


def hashes_of_bytes(data: Bytes, ends: Ints) -> Hashes:
    """xxh3-128 of each data[ends[i]:ends[i + 1]]: shape (len(ends) - 1, 2), high half first."""
    return _hashes(_Plain(ends, ends[:-1], ends[1:], data))


def _odd(texts: pl.Series, further: pl.Series, params: ExactParams) -> Ints:
    """The texts that need more than ASCII's lower case and spaces; `further` as `_further_bytes` gives it."""
    is_foreign = further > 0
    foreign = np.flatnonzero(is_foreign.to_numpy())
    if params.unicode == "NFKC" or not len(foreign):
        return foreign
    texts, further = texts.filter(is_foreign), further.filter(is_foreign)
    few = _FEW_LETTERS * further.sum() < texts.str.len_bytes().sum()
    odd: Ints = foreign[(_without_ascii(texts) if few else texts).str.contains(_beyond(LOWER_BLOCKS)).to_numpy()]
    return odd


def _without_ascii(texts: pl.Series) -> pl.Series:
    """What is left of the texts without their ASCII: where that is little, it is soon searched."""
    ends, _, _, data = _parts(_as_arrow(texts))
    positions = flagged(data >= _BEYOND_ASCII)
    return _as_series(np.searchsorted(positions, ends), data[positions])


def _settled(texts: pl.Series, params: ExactParams) -> pl.Series:
    """What has to be done to odd texts, but for the ASCII in them."""
    if params.unicode == "NFKC":
        texts = texts.str.normalize("NFKC")
    beyond = np.flatnonzero(texts.str.contains(_beyond(LOWER_BLOCKS + CASED_BLOCKS)).to_numpy())
    if params.unicode == "NFC":
        texts = _changed(texts, beyond, lambda some: some.str.normalize("NFC"))
    if params.whitespace:
        texts = _changed(texts, beyond, lambda some: some.str.replace_all(_FOREIGN_SPACES, " "))
    return texts.str.to_lowercase() if params.lowercase else texts


def _changed(texts: pl.Series, at: Ints, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """The texts with `change` applied to those at these positions."""
    if len(at) in (0, len(texts)):
        return change(texts) if len(at) else texts
    positions = np.arange(len(texts))
    positions[at] = len(texts) + np.arange(len(at))
    return pl.concat([texts, change(texts.gather(at))]).gather(positions)


def _beyond(blocks: tuple[tuple[int, int], ...]) -> str:
    """A pattern for the characters that are in none of the blocks."""
    return "[^" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in blocks) + "]"


def _plain(texts: pl.Series, params: ExactParams) -> _Plain:
    """Texts as they are compared, as far as ASCII goes."""
    array = _as_arrow(texts)
    plain = _parts(pc.ascii_lower(array) if params.lowercase else array)
    return _single_spaces(plain.ends, plain.data) if params.whitespace else plain


def _as_arrow(texts: pl.Series) -> pa.LargeStringArray:
    return texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _parts(texts: pa.LargeStringArray) -> _Plain:
    _, offsets, data = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(data or b"", dtype=np.uint8)[ends[0] : ends[-1]]
    ends = ends - ends[0]
    return _Plain(ends, ends[:-1], ends[1:], data)


def _single_spaces(ends: Ints, data: Bytes) -> _Plain:
    """The texts between `ends`, with one space for each run of ASCII white space and none at either end."""
    changed_data = bytearray(data)
    data, removed = np.frombuffer(changed_data, dtype=np.uint8), [np.empty(0, dtype=np.int64)]
    before = False  # whether the byte before is white space
    for start in range(0, len(data), _BLOCK_BYTES):
        block = data[start : start + _BLOCK_BYTES]
        control = block - np.uint8(9) <= 4  # tab to carriage return; smaller bytes wrap around to large ones
        white = control | (block == 32)
        # At the end of one text and the beginning of the next, both are to go: the one left goes below.
        repeats = np.empty_like(white)
        np.logical_and(white[1:], white[:-1], out=repeats[1:])
        repeats[0] = white[0] and before
        before = white[-1]
        changed = np.flatnonzero(control | repeats)
        again = repeats[changed]
        block[changed] = np.where(again, _NO_TEXT, np.uint8(32))
        removed.append(changed[again] + start)
    ends = ends - np.searchsorted(np.concatenate(removed), ends)
    data = np.frombuffer(changed_data.replace(_NO_TEXT.tobytes(), b""), dtype=np.uint8)
    starts, stops = ends[:-1].copy(), ends[1:].copy()
    filled = np.flatnonzero(stops > starts)
    starts[filled] += data[starts[filled]] == 32
    filled = filled[stops[filled] > starts[filled]]
    stops[filled] -= data[stops[filled] - 1] == 32
    return _Plain(ends, starts, stops, data)


def _as_series(ends: Ints, data: Bytes) -> pl.Series:
    """The texts between `ends`."""
    array = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(data))
    return pl.Series(pl.from_arrow(array), dtype=pl.String)


def _hashes(plain: _Plain) -> Hashes:
    digest, view = xxhash.xxh3_128_digest, plain.data.data
    bounds = zip(plain.starts.tolist(), plain.stops.tolist(), strict=True)
    digests = b"".join([digest(view[start:stop]) for start, stop in bounds])
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
