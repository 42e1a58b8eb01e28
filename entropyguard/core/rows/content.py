"""Which texts hold nothing that a text could be compared by: no letter, no digit, no symbol."""

from __future__ import annotations

import numpy as np
import polars as pl

from entropyguard.core.arrays import Bools, Bytes, Ints

_SOMETHING = r"[^\p{P}\p{Z}\p{M}\p{Cc}\p{Cf}]"
"""Punctuation, spaces, marks without a letter, control and format characters say nothing. What Unicode leaves to
others or to later versions counts as a symbol: somebody may read it."""

# Every character that begins with one of these bytes says something: of ASCII, and in UTF-8 of U+00C0 to U+00FF,
# Cyrillic, ideographs and Hangul. By its first bytes a text is told at a tenth of what searching it takes.
_ASCII_SYMBOLS = b"$+<=>^`|~"
_BLOCK_OPENERS = (0xC3, 0xD0, 0xD1, *range(0xE4, 0xEA), 0xEB, 0xEC)


def _telling_bytes() -> Bools:
    telling = np.zeros(256, dtype=np.bool_)
    alphanumeric = [byte for byte in range(128) if chr(byte).isalnum()]
    telling[[*alphanumeric, *_ASCII_SYMBOLS, *_BLOCK_OPENERS]] = True
    return telling


TELLING = _telling_bytes()
"""By byte: whether a text in which it occurs certainly holds something to compare."""

_BYTES_READ = 4  # a quotation mark and a bracket, or a dash and a blank, and the letter after them


def nothing_to_compare(texts: pl.Series) -> Ints:
    """The positions of the texts without a letter, a digit or a symbol (Unicode L, N, S)."""
    return np.flatnonzero(~texts.str.contains(_SOMETHING).to_numpy())


def not_told_by_first_bytes(starts: Ints, stops: Ints, data: Bytes) -> Ints:
    """Of the texts data[starts[i]:stops[i]] those that are empty, or have to be searched to know."""
    unsure = np.arange(len(starts))
    for place in range(_BYTES_READ):
        at = starts[unsure] + place
        longer = at < stops[unsure]
        told = np.zeros(len(unsure), dtype=np.bool_)
        told[longer] = TELLING[data[at[longer]]]
        unsure = unsure[~told]
    return unsure
