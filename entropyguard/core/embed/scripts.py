"""Unicode scripts: which one a text is written in, and which ones a model's vocabulary has words of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from entropyguard.core.arrays import Bools, Int16s, Int32s, Ints

COVERAGE_VERSION = 1
"""Raised when the same vocabulary is taken to read other texts: stored vectors of these must not be found again."""

_LEAST_WORDS = 100
_LEAST_IDEOGRAPHS = 1_000  # of a script whose single characters are words
_IDEOGRAPHIC = "Han"
_SHARED = ("Common", "Inherited", "Unknown")  # digits, punctuation, emoji: they tell no script
_FRAGMENT = "\ufffd"
_SLICE_TEXTS = 1_024
_READ_CHARACTERS = 10_000


class Letters(NamedTuple):
    """The characters of some texts that belong to a script, in order: whose each is, and of which script.

    `text` is a position in the texts, `script` one in `script_names()`.
    """

    text: Ints
    script: Ints


class ScriptCoverage:
    """Which texts a model can read, told from the pieces its tokenizer knows.

    Every vocabulary picks up letters of many scripts, from names and formulas; words it has only of those that the
    model was trained on. So a script is read when at least 100 pieces are longer than a letter of it or, of Han,
    when there are 1,000 characters; a vocabulary that spells everything is taken to read everything. A text is
    unreadable when it has more letters that are not read, or unknown tokens, than tokens with letters that are read
    or digits. Punctuation is neither.

    pieces: what each token id stands for. nothing: ids that mean nothing to the model, such as the unknown token.
    """

    def __init__(self, pieces: Sequence[str], nothing: Iterable[int]) -> None:
        letters, names = find_letters(pieces), script_names()
        several = np.bincount(letters.text, minlength=len(pieces))[letters.text] > 1
        counted = several | (letters.script == names.index(_IDEOGRAPHIC))
        _, script = np.divmod(np.unique(letters.text[counted] * len(names) + letters.script[counted]), len(names))
        least = [_LEAST_IDEOGRAPHS if name == _IDEOGRAPHIC else _LEAST_WORDS for name in names]
        self._is_read: Bools = np.bincount(script, minlength=len(names)) >= least
        if not self._is_read.any():
            self._is_read[:] = True
        self._table = np.zeros((len(pieces), 3), dtype=np.int64)
        readable, unread, fragment = self._table.T
        readable[[at for at, piece in enumerate(pieces) if re.search(r"\d", piece)]] = 1
        readable[letters.text] = 1
        unread[letters.text[~self._is_read[letters.script]]] = 1
        for token in nothing:
            unread[token] = fragment[token] = 1
        fragment[[at for at, piece in enumerate(pieces) if _FRAGMENT in piece]] = 1
        readable[unread == 1] = 0

    def scripts_read(self) -> list[str]:
        """The names of the scripts that are read."""
        return [name for name, read in zip(script_names(), self._is_read, strict=True) if read]

    def unreadable(self, ids: Sequence[Int32s], texts: Sequence[str]) -> Bools:
        """Of each text, given with its token ids, whether the model cannot read it."""
        ends = np.cumsum([0, *map(len, ids)])
        sums = np.zeros((ends[-1] + 1, 3), dtype=np.int64)
        np.cumsum(self._table[np.concatenate([*ids, np.empty(0, dtype=np.int32)])], axis=0, out=sums[1:])
        readable, unread, fragments = np.diff(sums[ends], axis=0).T
        # One unknown token may stand for a whole sentence of a script that has no spaces.
        suspects = [at for at in np.flatnonzero(fragments).tolist() if not texts[at].isascii()]
        found = find_letters([texts[at] for at in suspects])
        hidden = np.bincount(found.text[~self._is_read[found.script]], minlength=len(suspects))
        unread[suspects] = np.maximum(unread[suspects], hidden)
        result: Bools = (unread > readable) | (np.diff(ends) == 0)
        return result


def main_scripts(texts: pl.Series) -> Ints:
    """Of each text, the position in `script_names()` of the script that most of its letters are of; -1: it has none.

    Of several, the one that is first by name. The first 10,000 characters tell.
    """
    latin = script_names().index("Latin")
    result: Ints = np.where(texts.str.contains("[A-Za-z]").to_numpy(), latin, -1)
    foreign = np.flatnonzero((texts.str.len_bytes() != texts.str.len_chars()).to_numpy())
    for start in range(0, len(foreign), _SLICE_TEXTS):
        positions = foreign[start : start + _SLICE_TEXTS]
        letters = find_letters(texts.gather(positions).str.slice(0, _READ_CHARACTERS).to_list())
        shape = (len(positions), len(script_names()))
        counts = np.bincount(letters.text * shape[1] + letters.script, minlength=shape[0] * shape[1]).reshape(shape)
        result[positions] = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
    return result


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
