"""Unicode scripts: which letters are of which script, and which one a text is written in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Bools, Int16s, Ints

SCRIPT_FIELD = pa.field("script", pa.int16())
"""The column in which ingest, where the texts are at hand, stores what `main_scripts` says of them."""

_SHARED = ("Common", "Inherited", "Unknown")  # digits, punctuation, emoji: they tell no script
_SLICE_TEXTS = 1_024
_READ_CHARACTERS = 10_000


class Letters(NamedTuple):
    """The characters of some texts that belong to a script, in order: whose each is, and of which script.

    `text` is a position in the texts, `script` one in `script_names()`.
    """

    text: Ints
    script: Ints


def main_scripts(texts: pl.Series) -> Ints:
    """Of each text, the position in `script_names()` of the script that most of its letters are of; -1: it has none.

    Of several, the one that is first by name. The first 10,000 characters tell.
    """
    latin = script_names().index("Latin")
    result: Ints = np.where(texts.str.contains("[A-Za-z]").to_numpy(), latin, -1)
    is_foreign = texts.str.len_bytes() != texts.str.len_chars()
    foreign, read = np.flatnonzero(is_foreign.to_numpy()), texts.filter(is_foreign).str.head(_READ_CHARACTERS)
    if not len(foreign):
        return result
    plainly_latin = _has_most_letters_in_ascii(read)
    result[foreign[plainly_latin]] = latin
    unsure, read = foreign[~plainly_latin], read.filter(pl.Series(~plainly_latin))
    for start in range(0, len(unsure), _SLICE_TEXTS):
        positions = unsure[start : start + _SLICE_TEXTS]
        letters = find_letters(read.slice(start, _SLICE_TEXTS).to_list())
        shape = (len(positions), len(script_names()))
        counts = np.bincount(letters.text * shape[1] + letters.script, minlength=shape[0] * shape[1]).reshape(shape)
        result[positions] = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
    return result


def _has_most_letters_in_ascii(texts: pl.Series) -> Bools:
    """Whether a text (none is empty) has more letters in ASCII than characters beyond it.

    It is Latin then, which takes a tenth of asking what script each character is of.
    """
    array = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data, letters = np.frombuffer(data, dtype=np.uint8), np.empty(len(texts), dtype=np.int64)
    for start in range(0, len(texts), _SLICE_TEXTS):  # which stay in the processor's cache
        part = ends[start : start + _SLICE_TEXTS + 1]
        # The bit that is set has no capitals; bytes before "a" wrap around to large ones.
        is_letter = (data[part[0] : part[-1]] | np.uint8(0x20)) - np.uint8(ord("a")) < 26
        letters[start : start + _SLICE_TEXTS] = np.add.reduceat(is_letter, part[:-1] - part[0], dtype=np.int32)
    further = texts.str.len_bytes().cast(pl.Int64) - texts.str.len_chars().cast(pl.Int64)
    most: Bools = letters > further.to_numpy()
    return most


@cache
def script_names() -> list[str]:
    """The names of all scripts, as Unicode spells them but with spaces."""
    return sorted(set(_ranges()[1]) - set(_SHARED))


def find_letters(texts: Sequence[str]) -> Letters:
    """What belongs to a script in the texts."""
    script = _script_of_code()[np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)]
    text = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    own = script >= 0
    return Letters(text[own], script[own].astype(np.int64))


@cache
def _script_of_code() -> Int16s:
    """By code point, the position of its script in `script_names()`; -1 for what tells no script."""
    starts, names = _ranges()
    known = {name: at for at, name in enumerate(script_names())}
    numbers = np.array([known.get(name, -1) for name in names], dtype=np.int16)
    return np.repeat(numbers, np.diff([*starts, 0x110000]))


@cache
def _ranges() -> tuple[list[int], list[str]]:
    """The first code point of each range, and the name of the script the range is of."""
    from fontTools.unicodedata import Scripts

    names = {code: name.replace("_", " ") for code, name in Scripts.NAMES.items()}
    return Scripts.RANGES, [names[code] for code in Scripts.VALUES]
