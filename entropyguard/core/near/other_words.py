"""Of pairs of texts of which each has words of its own: in which these may be the same words, spelled otherwise.

Asked before the words are paired off one by one, which is slow: nearly all such pairs have plainly other words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from entropyguard.core.arrays import Bools, Ints, UInt32s
from entropyguard.core.near.vocabulary import KnownWords

_CROSSED_TOGETHER = 1 << 18


class Side(NamedTuple):
    """What one text of each pair has alone: the number of the pair, in order, and that of the word."""

    pair: Ints
    code: UInt32s


def may_be_same(own: Side, their: Side, pairs: int, vocabulary: KnownWords) -> Bools:
    """False where both texts of a pair have a word that is none of the other's misspelt, and none is written together.

    Where True is said, the words are still to be compared.
    """
    counts = [np.bincount(side.pair, minlength=pairs) for side in (own, their)]
    crossed = counts[0] * counts[1]
    possible: Bools = crossed > _CROSSED_TOGETHER  # texts of many thousand words, of which there are few
    ends, start = np.cumsum(np.where(possible, 0, crossed)), 0
    while start < pairs:
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + _CROSSED_TOGETHER, side="right"))
        some = _of_pairs(own, start, stop, possible), _of_pairs(their, start, stop, possible)
        possible[start:stop] |= _Crossed(*some, stop - start, vocabulary).may_be_same()
        start = stop
    return possible


def _of_pairs(side: Side, start: int, stop: int, but: Bools) -> Side:
    part = slice(*np.searchsorted(side.pair, (start, stop)))
    pair, code = side.pair[part], side.code[part]
    wanted = ~but[pair]
    return Side(pair[wanted] - start, code[wanted])


class _Crossed:
    """Each word of one side beside each of the other, pair by pair: their places in `own` and in `their`."""

    def __init__(self, own: Side, their: Side, pairs: int, vocabulary: KnownWords) -> None:
        self._own, self._their, self._pairs, self._vocabulary = own, their, pairs, vocabulary
        count = np.bincount(their.pair, minlength=pairs)
        times = count[own.pair]
        self._a = np.repeat(np.arange(len(times)), times)
        first = (np.cumsum(count) - count)[own.pair] - (np.cumsum(times) - times)
        self._b = np.arange(len(self._a)) + first[self._a]
        difference = vocabulary.spelling[own.code[self._a]] - vocabulary.spelling[their.code[self._b]]
        self._letters, self._sums, self._squares = difference.T

    def may_be_same(self) -> Bools:
        possible = self._all_misspelt()
        asked = np.flatnonzero((self._letters != 0) & ~possible[self._own.pair[self._a]])
        possible[self._written_together(asked)] = True
        return possible

    def _all_misspelt(self) -> Bools:
        """Whether all words of a side have one on the other that may be the same, misspelt.

        An extra letter adds as much to the sum of the letters as its square to that of their squares; letters that
        are swapped add nothing to either.
        """
        one_more = (np.abs(self._letters) == 1) & (np.abs(self._squares) == self._sums * self._sums)
        fits = np.flatnonzero(one_more | ((self._letters == 0) & (self._sums == 0) & (self._squares == 0)))
        lacking = np.zeros((2, self._pairs), dtype=np.bool_)
        for row, side, places in ((0, self._own, self._a), (1, self._their, self._b)):
            alone = np.ones(len(side.pair), dtype=np.bool_)
            alone[places[fits]] = False
            lacking[row, side.pair[alone]] = True
        replaced: Bools = lacking[0] & lacking[1]
        return ~replaced

    def _written_together(self, asked: Ints) -> Ints:
        """The pairs in which a word begins with one of the other side's and ends with one; asked: what to look at."""
        a, b = self._a[asked], self._b[asked]
        of_own = self._letters[asked] > 0
        codes = self._own.code[a], self._their.code[b]
        long = np.where(of_own, a, len(self._own.pair) + b)  # the place of the longer word, of both sides' words
        pair = pl.DataFrame(
            {
                "whole": self._vocabulary.words(np.where(of_own, *codes)),
                "part": self._vocabulary.words(np.where(of_own, *codes[::-1])),
            }
        )
        whole, part = pl.col("whole").str, pl.col("part")
        begun, ended = (np.zeros(len(self._own.pair) + len(self._their.pair), dtype=np.bool_) for _ in range(2))
        begun[long[pair.select(whole.starts_with(part)).to_series().to_numpy()]] = True
        further = np.flatnonzero(begun[long])
        ended[long[further[pair[further].select(whole.ends_with(part)).to_series().to_numpy()]]] = True
        pair_of = np.concatenate([self._own.pair, self._their.pair])
        found: Ints = pair_of[begun & ended]
        return found
