"""Which scripts a model's vocabulary has words of, and so which texts it can read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from entropyguard.core.arrays import Bools, Int32s, Ints
from entropyguard.core.rows.scripts import find_letters, script_names

COVERAGE_VERSION = 1
"""Raised when the same vocabulary is taken to read other texts: stored vectors of these must not be found again."""

_LEAST_WORDS = 100
_LEAST_IDEOGRAPHS = 1_000  # of a script whose single characters are words
_IDEOGRAPHIC = "Han"
_FRAGMENT = "\ufffd"
_find_digit = re.compile(r"\d").search


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
        readable[[at for at, piece in enumerate(pieces) if _find_digit(piece)]] = 1
        readable[letters.text] = 1
        unread[letters.text[~self._is_read[letters.script]]] = 1
        for token in nothing:
            unread[token] = fragment[token] = 1
        fragment[[at for at, piece in enumerate(pieces) if _FRAGMENT in piece]] = 1
        readable[unread == 1] = 0

    def scripts_read(self) -> list[str]:
        """The names of the scripts that are read."""
        return [name for name, read in zip(script_names(), self._is_read, strict=True) if read]

    def unreadable(self, ids: Int32s, sizes: Ints, texts: Sequence[str]) -> Bools:
        """Of each text, whether the model cannot read it; `ids` are those of all texts, `sizes[t]` of each."""
        ends = np.append(0, np.cumsum(sizes))
        sums = np.zeros((len(ids) + 1, 3), dtype=np.int64)
        np.cumsum(self._table[ids], axis=0, out=sums[1:])
        readable, unread, fragments = np.diff(sums[ends], axis=0).T
        # One unknown token may stand for a whole sentence of a script that has no spaces.
        suspects = [at for at in np.flatnonzero(fragments).tolist() if not texts[at].isascii()]
        found = find_letters([texts[at] for at in suspects])
        hidden = np.bincount(found.text[~self._is_read[found.script]], minlength=len(suspects))
        unread[suspects] = np.maximum(unread[suspects], hidden)
        result: Bools = (unread > readable) | (sizes == 0)
        return result
