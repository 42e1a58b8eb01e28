"""Where in a store what each key stands for lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropyguard.core.arrays import Int32s, Ints, Keys, UInt64s


@dataclass(frozen=True)
class KeyIndex:
    """Where what each key stands for lies, sorted by key: a part's number, and the row in it. 24 bytes a key."""

    first: UInt64s
    second: UInt64s
    part: Int32s
    row: Int32s

    @classmethod
    def of(cls, keys: Keys, part: Int32s, row: Int32s) -> KeyIndex:
        order = np.argsort(keys[:, 0], kind="stable")
        return cls(keys[order, 0], keys[order, 1], part[order], row[order])

    @classmethod
    def joined(cls, indexes: list[KeyIndex]) -> KeyIndex:
        empty = np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int32)
        first = np.concatenate([empty[0], *(index.first for index in indexes)])
        second = np.concatenate([empty[0], *(index.second for index in indexes)])
        part = np.concatenate([empty[1], *(index.part for index in indexes)])
        row = np.concatenate([empty[1], *(index.row for index in indexes)])
        return cls.of(np.stack([first, second], axis=1), part, row)

    def find(self, keys: Keys) -> Ints:
        """Where in the index each key is; -1 where it is not. Keys alike in their first half are told apart."""
        positions = np.full(len(keys), -1, dtype=np.int64)
        at = np.searchsorted(self.first, keys[:, 0])
        unsettled = np.arange(len(keys))
        while len(unsettled):
            unsettled = unsettled[at[unsettled] < len(self.first)]
            unsettled = unsettled[self.first[at[unsettled]] == keys[unsettled, 0]]
            same = self.second[at[unsettled]] == keys[unsettled, 1]
            positions[unsettled[same]] = at[unsettled[same]]
            unsettled = unsettled[~same]
            at[unsettled] += 1
        return positions

    def nbytes(self) -> int:
        return self.first.nbytes + self.second.nbytes + self.part.nbytes + self.row.nbytes
