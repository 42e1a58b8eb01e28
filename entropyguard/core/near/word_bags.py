"""Pairs of rows compared word by word, many at a time: the words of a pair are sorted together, and what is left over
on one side is what the other lacks. Only pairs with words left over on both sides are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from entropyguard.core.arrays import Bools, Bytes, Int32s, Ints, UInt32s, UInt64s, first_of_each
from entropyguard.core.near.other_words import Side, may_be_same
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import (
    NUMBER_TOPIC,
    TOPIC,
    allows,
    in_order_below,
    is_too_far_by_length,
    keeps_order,
    may_lack_numbers,
    may_lack_topics,
    most_of_both,
    swaps_numbers,
)
from entropyguard.core.near.vocabulary import MARK, NEGATION, NUMBER, UNSPACED_LETTER
from entropyguard.core.params import NearParams
from entropyguard.core.words.difference import find_difference, similarity

NO_DUPLICATE = -1
_WORDS_TOGETHER = 1 << 21
_SIDE, _CODE_BITS = np.uint64(1), np.uint64(33)


@dataclass(frozen=True)
class _LeftOver:
    """The words of which one side of a pair has more: which pair, which word, how many more the first side has.

    topic: whether one side has it TOPIC times or more, and the other not at all; kinds: as in `WordFacts`.
    """

    pair: Ints
    code: UInt32s
    more: Ints
    topic: Bools
    kinds: Bytes


class Judge:
    """The verdicts on pairs of rows by their indices."""

    def __init__(self, words: RowWords, near: NearParams) -> None:
        self._words = words
        self._near = near
        self._codes = words.codes()
        self._vocabulary = words.vocabulary()

    def judge(self, one: Ints, other: Ints) -> Int32s:
        """The similarity of each pair in millionths, NO_DUPLICATE where they are no duplicates whatever it is."""
        verdicts = np.empty(len(one), dtype=np.int32)
        ends = self._words.ends
        total = np.cumsum(ends[one + 1] - ends[one] + ends[other + 1] - ends[other])
        start = 0
        while start < len(one):
            before = int(total[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(total, before + _WORDS_TOGETHER, side="right")))
            verdicts[start:stop] = self._judge(one[start:stop], other[start:stop])
            start = stop
        return verdicts

    def _judge(self, one: Ints, other: Ints) -> Int32s:
        words, near, pairs = self._words, self._near, len(one)
        left = self._left_over(one, other)
        kinds = left.kinds
        is_word = kinds & MARK == 0
        own, their = (_sum(left.pair, np.maximum(more, 0) * is_word, pairs) for more in (left.more, -left.more))
        total = words.words[one] + words.words[other]
        counted = np.minimum(words.counted[one], words.counted[other])
        short = counted < near.min_words
        possible = ~is_too_far_by_length(words.words[one], words.words[other])
        if near.changed_words == "protect":
            possible &= np.minimum(own, their) <= most_of_both(counted)
            possible &= ~self._marks_replaced(left, is_word, pairs)
        fine = may_lack_numbers(counted, near) | ~_any(left.pair[kinds & NUMBER != 0], pairs)
        fine &= may_lack_topics(counted) | ~_any(left.pair[left.topic], pairs)
        never = (kinds & NEGATION != 0) | (left.topic & (kinds & NUMBER != 0) & (np.abs(left.more) >= NUMBER_TOPIC))
        fine &= ~_any(left.pair[never], pairs)
        one_sided = (own == 0) | (their == 0)
        verdicts = np.full(pairs, NO_DUPLICATE, dtype=np.int32)
        plain = possible & one_sided & fine & (~short | (own + their == 0))
        verdicts[plain] = similarity((own + their)[plain], 0, total[plain])
        asked = possible & ~one_sided
        if near.changed_words == "protect":
            asked &= self._may_be_same(left, is_word, asked)
        spelled = []
        for at, lacking, theirs, topics in self._both_sided(left, is_word, asked):
            difference = find_difference(lacking, theirs, int(counted[at]), whole=near.changed_words == "count")
            if allows(difference, topics, int(counted[at]), near):
                spelled.append((at, difference.missing, len(difference.misspelt)))
        if spelled:
            pair, missing, misspelt = np.array(spelled).T
            verdicts[pair] = similarity(missing, misspelt, total[pair])
        self._refuse_other_order(verdicts, one, other, counted)
        return verdicts

    def _refuse_other_order(self, verdicts: Int32s, one: Ints, other: Ints, counted: Int32s) -> None:
        """Take back what was said of pairs whose words, or numbers, stand in an order that says something else."""
        short = counted < in_order_below(self._near)
        for at in np.flatnonzero((verdicts != NO_DUPLICATE) & short).tolist():
            (words, marks), (others, other_marks) = self._in_order(one[at]), self._in_order(other[at])
            if not keeps_order((words, others), (marks, other_marks), int(counted[at]), self._near):
                verdicts[at] = NO_DUPLICATE
        several = np.minimum(self._words.numbers[one], self._words.numbers[other]) > 1
        for at in np.flatnonzero((verdicts != NO_DUPLICATE) & ~short & several).tolist():
            (numbers, words), (other_numbers, others) = self._numbers_apart(one[at]), self._numbers_apart(other[at])
            if numbers != other_numbers and swaps_numbers((numbers, other_numbers), (words, others)):
                verdicts[at] = NO_DUPLICATE

    def _left_over(self, one: Ints, other: Ints) -> _LeftOver:
        keys = np.concatenate([self._keys(one), self._keys(other) | _SIDE])
        keys.sort()
        word, side = keys >> _SIDE, (keys & _SIDE).astype(np.int64)
        starts = np.flatnonzero(first_of_each(word))
        counts = np.diff(starts, append=len(word))
        more = counts - 2 * (np.add.reduceat(side, starts) if len(starts) else counts)
        some = np.flatnonzero(more)
        word = word[starts[some]]
        pair, code, more = (word >> _CODE_BITS).astype(np.int64), word.astype(np.uint32), more[some]
        kinds = self._vocabulary.kinds[code]
        topic = (np.abs(more) >= TOPIC) & (counts[some] == np.abs(more)) & (kinds & (MARK | UNSPACED_LETTER) == 0)
        return _LeftOver(pair, code, more, topic, kinds)

    def _keys(self, rows: Ints) -> UInt64s:
        """For each word of the rows: the number of the pair, of the word, and a bit for the side."""
        starts, lengths = self._words.ends[rows], self._words.ends[rows + 1] - self._words.ends[rows]
        pair = np.repeat(np.arange(len(rows), dtype=np.uint64), lengths)
        at = np.arange(len(pair)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        keys: UInt64s = (pair << _CODE_BITS | self._codes[at]) << _SIDE
        return keys

    @staticmethod
    def _marks_replaced(left: _LeftOver, is_word: Bools, pairs: int) -> Bools:
        """Whether each side has marks that the other lacks."""
        return _any(left.pair[~is_word & (left.more > 0)], pairs) & _any(left.pair[~is_word & (left.more < 0)], pairs)

    def _both_sided(
        self, left: _LeftOver, is_word: Bools, wanted: Bools
    ) -> Iterator[tuple[int, list[str], list[str], dict[str, int]]]:
        """Of the pairs that are wanted: the words that each side has alone, and how often one has its topics."""
        chosen = np.flatnonzero(is_word & wanted[left.pair])
        pairs, more = left.pair[chosen], left.more[chosen].tolist()
        words, topic = self._vocabulary.words(left.code[chosen]).to_list(), left.topic[chosen].tolist()
        starts = np.flatnonzero(np.diff(pairs, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts, len(chosen)][1:], strict=True):
            own = [word for word, count in zip(words[start:end], more[start:end], strict=True) for _ in range(count)]
            their = [word for word, count in zip(words[start:end], more[start:end], strict=True) for _ in range(-count)]
            topics = {words[at]: abs(more[at]) for at in range(start, end) if topic[at]}
            yield int(pairs[start]), own, their, topics

    def _may_be_same(self, left: _LeftOver, is_word: Bools, asked: Bools) -> Bools:
        words = is_word & asked[left.pair]
        own, their = (
            Side(left.pair[side], left.code[side]) for side in (words & (left.more > 0), words & (left.more < 0))
        )
        return may_be_same(own, their, len(asked), self._vocabulary)

    def _numbers_apart(self, row: int) -> tuple[list[int], list[int]]:
        """The numbers among the words of a row in their order, and its other words."""
        start = self._words.ends[row]
        words = self._codes[start : start + self._words.words[row]]
        is_number = self._vocabulary.kinds[words] & NUMBER != 0
        return words[is_number].tolist(), words[~is_number].tolist()

    def _in_order(self, row: int) -> tuple[list[int], list[int]]:
        """The words of a row in their order, and its marks but for hyphens."""
        start, end = self._words.ends[row], self._words.ends[row + 1]
        first_mark = start + self._words.words[row]
        marks = self._codes[first_mark:end]
        return self._codes[start:first_mark].tolist(), marks[marks != self._vocabulary.hyphen].tolist()


def _sum(pair: Ints, amounts: Ints, pairs: int) -> Ints:
    summed: Ints = np.bincount(pair, amounts, pairs).astype(np.int64)
    return summed


def _any(pair: Ints, pairs: int) -> Bools:
    found = np.zeros(pairs, dtype=np.bool_)
    found[pair] = True
    return found
