"""The guard on the rows of a checkpoint: what was asked of it, and what it answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.semantic.guard import KINDS, GuardedText, Kind, kept_apart
from entropyguard.core.semantic.row_words import MANY, RowWords

EXAMPLES = 5
"""So many are remembered of each kind."""

_TEXTS_AT_HAND, _PAIRS_AT_HAND = 4_096, 1 << 18


class GuardedRows:
    """Which pairs of rows, by their indices, a guard of some kinds of differences keeps apart.

    Of rows whose words are not there nothing may be asked. apart_by: how many pairs were kept apart, of those that were
    asked of; examples: the first of them.
    """

    def __init__(self, words: RowWords, kinds: Collection[str]) -> None:
        self.words = words
        self.kinds = frozenset(kind for kind in KINDS if kind in kinds)
        self.apart_by = Counter[Kind]()
        self.examples: dict[Kind, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
        self._text = lru_cache(_TEXTS_AT_HAND)(self._read)
        self._compared = lru_cache(_PAIRS_AT_HAND)(self._compare)  # again at the next threshold of a sweep

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process has nothing asked of it yet."""
        return GuardedRows, (self.words, tuple(self.kinds))

    def count_anew(self) -> None:
        """Forget what was counted and remembered."""
        self.apart_by.clear()
        self.examples = {kind: [] for kind in KINDS}

    def other_numbers(self, rows: Ints, others: Ints) -> Bools:
        """Of each pair, whether its texts have equally many numbers and not the same: each then lacks one.

        False also where they are kept apart by numbers, but not equally many: that takes the texts.
        """
        numbers, hashes = self.words.numbers, self.words.number_hashes
        many, same = numbers[rows], hashes[rows] == hashes[others]
        found: Bools = (many == numbers[others]) & (many < MANY) & ~same & ("numbers" in self.kinds)
        return found

    def count_other_numbers(self, rows: Ints, others: Ints) -> None:
        """Count such pairs, and remember the first ones; of each pair once."""
        found = np.flatnonzero(self.other_numbers(rows, others))
        pairs = zip(rows[found[:EXAMPLES]].tolist(), others[found[:EXAMPLES]].tolist(), strict=True)
        self.remember("numbers", len(found), pairs)

    def kept_apart(self, row: int, other: int) -> bool:
        """Whether a pair is kept apart; counted by what differs, and the first ones remembered."""
        kind = self._compared(row, other)
        if kind is not None:
            self.remember(kind, 1, [(row, other)])
        return kind is not None

    def remember(self, kind: Kind, pairs: int, first: Iterable[tuple[int, int]]) -> None:
        """Count pairs that are kept apart, and remember the first ones if there is room."""
        self.apart_by[kind] += pairs
        self.examples[kind] += list(first)[: EXAMPLES - len(self.examples[kind])]

    def _compare(self, row: int, other: int) -> Kind | None:
        return kept_apart(self._text(row), self._text(other), self.kinds)

    def _read(self, row: int) -> GuardedText:
        return GuardedText(self.words.of(row))
