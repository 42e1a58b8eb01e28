"""Texts that differ in their numbers only: "Kubernetes 1.32" and "Kubernetes 1.35" are near, and not the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from entropyguard.core.arrays import Bools, Ints, UInt64s
from entropyguard.core.params import ExactParams
from entropyguard.core.storage.checkpoint import Checkpoint

NUMBER = r"\d+(?:[.,:/-]\d+)*"
"""What counts as one number: digits, also with signs between them as in 1,000.5 or 2024-01-31 or 10:30."""

_COMPARED = ExactParams(unicode="NFC", lowercase=True, whitespace=True, min_length=0)


@dataclass(frozen=True)
class NumberFree:
    """64-bit hashes of each row's normalised text, as it is and with every number replaced by 0."""

    whole: UInt64s
    masked: UInt64s

    @classmethod
    def of(cls, checkpoint: Checkpoint, wanted: Bools) -> NumberFree:
        """Hash the texts of the rows of a checkpoint that are wanted; the others stay 0. 16 bytes a row."""
        from entropyguard.core.rows.normalise import content_hash, normalise
        from entropyguard.core.rows.text import texts_of

        done = 0
        whole, masked = np.zeros(len(wanted), dtype=np.uint64), np.zeros(len(wanted), dtype=np.uint64)
        for table in checkpoint.tables(["record"]):
            here = np.flatnonzero(wanted[done : done + table.num_rows])
            if len(here):
                texts = normalise(texts_of(table.take(here), checkpoint.metadata), _COMPARED)
                whole[here + done] = content_hash(texts)[:, 0]
                masked[here + done] = content_hash(texts.str.replace_all(NUMBER, "0"))[:, 0]
            done += table.num_rows
        return cls(whole, masked)

    def only_numbers_differ(self, rows: Ints, others: Ints) -> Bools:
        """Of each pair of rows, whether their texts are equal but for their numbers, and these are not."""
        alike: Bools = (self.masked[rows] == self.masked[others]) & (self.whole[rows] != self.whole[others])
        return alike
