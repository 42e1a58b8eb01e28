"""The guard on the rows of a checkpoint: their words on disk, what was asked of it, and what it answered."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterable
from functools import lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.rows.text import texts_of
from entropyguard.core.semantic.guard import KINDS, GuardedText, Kind, kept_apart
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.words.numbers import numbers_in
from entropyguard.core.words.split import cased_words

_TEXTS_AT_HAND, _PAIRS_AT_HAND = 4_096, 1 << 18
_MANY = 255  # numbers and more are compared one by one
_EXAMPLES = 5  # of each kind


class GuardedRows:
    """Which pairs of rows, by their indices, a guard of some kinds of differences keeps apart; a context manager.

    Of rows that are not wanted nothing may be asked. apart_by: how many pairs were kept apart, of those that were asked
    of; examples: the first of them. On disk the words (in `folder`, or the system's for such files), in memory 25 bytes
    a row.
    """

    def __init__(self, rows: Checkpoint, wanted: Bools, kinds: Collection[str], folder: Path | None) -> None:
        self.kinds = frozenset(kind for kind in KINDS if kind in kinds)
        self.apart_by = Counter[Kind]()
        self.examples: dict[Kind, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed on leaving
        self._starts: Ints = np.zeros(rows.rows, dtype=np.int64)
        self._sizes: Ints = np.zeros(rows.rows, dtype=np.int64)
        self._numbers = np.zeros(rows.rows, dtype=np.uint8)
        self._number_hashes: Ints = np.zeros(rows.rows, dtype=np.int64)
        self._text = lru_cache(_TEXTS_AT_HAND)(self._read)
        self._compared = lru_cache(_PAIRS_AT_HAND)(self._compare)  # again at the next threshold of a sweep
        done = end = 0
        for table in rows.slices(["record"], range(len(rows.group_rows))):
            here = np.flatnonzero(wanted[done : done + table.num_rows])
            for row, words in zip(
                (here + done).tolist(), cased_words(texts_of(table.take(here), rows.metadata)), strict=True
            ):
                self._starts[row], self._sizes[row] = end, self._file.write(" ".join(words).encode())
                end += int(self._sizes[row])
                numbers = numbers_in(word.lower() for word in words)
                self._numbers[row], self._number_hashes[row] = (
                    min(numbers.total(), _MANY),
                    hash(frozenset(numbers.items())),
                )
            done += table.num_rows

    def count_anew(self) -> None:
        """Forget what was counted and remembered."""
        self.apart_by.clear()
        self.examples = {kind: [] for kind in KINDS}

    def other_numbers(self, rows: Ints, others: Ints) -> Bools:
        """Of each pair, whether its texts have equally many numbers and not the same: each then lacks one.

        False also where they are kept apart by numbers, but not equally many: that takes the texts.
        """
        many, same = self._numbers[rows], self._number_hashes[rows] == self._number_hashes[others]
        found: Bools = (many == self._numbers[others]) & (many < _MANY) & ~same & ("numbers" in self.kinds)
        return found

    def count_other_numbers(self, rows: Ints, others: Ints) -> None:
        """Count such pairs, and remember the first ones; of each pair once."""
        found = np.flatnonzero(self.other_numbers(rows, others))
        pairs = zip(rows[found[:_EXAMPLES]].tolist(), others[found[:_EXAMPLES]].tolist(), strict=True)
        self._remember("numbers", len(found), pairs)

    def kept_apart(self, row: int, other: int) -> bool:
        """Whether a pair is kept apart; counted by what differs, and the first ones remembered."""
        kind = self._compared(row, other)
        if kind is not None:
            self._remember(kind, 1, [(row, other)])
        return kind is not None

    def _compare(self, row: int, other: int) -> Kind | None:
        return kept_apart(self._text(row), self._text(other), self.kinds)

    def _remember(self, kind: Kind, pairs: int, first: Iterable[tuple[int, int]]) -> None:
        self.apart_by[kind] += pairs
        self.examples[kind] += list(first)[: _EXAMPLES - len(self.examples[kind])]

    def _read(self, row: int) -> GuardedText:
        self._file.seek(int(self._starts[row]))
        return GuardedText(tuple(self._file.read(int(self._sizes[row])).decode().split(" ")))

    def __enter__(self) -> GuardedRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
