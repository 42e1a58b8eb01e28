"""The pairs of a checkpoint, as indices of the rows on which is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.decisions.greedy import PairBatch
from entropyguard.core.errors import ProcessingError
from entropyguard.core.storage.checkpoint import Checkpoint

LeavesOut = Callable[[Ints, Ints], Bools]
"""Given pairs as (index of b, index of a): which of them are left out."""


@dataclass(frozen=True)
class PairStream:
    """The pairs at or above a threshold, as (index of b, index of a, similarity), in the file's order (b, a).

    pairs: a checkpoint with row_a, row_b and similarity; row_ids: of the rows, ascending; apart: what is left out.
    Can be read several times. ProcessingError where a pair names a row that `row_ids` has not.
    """

    pairs: Checkpoint
    row_ids: Ints
    threshold: float
    apart: LeavesOut | None = None

    def __iter__(self) -> Iterator[PairBatch]:
        for table in self.pairs.tables():
            similarity = table["similarity"].to_numpy()
            near = similarity >= self.threshold
            b, a = self._index(table["row_b"], near), self._index(table["row_a"], near)
            similarity = similarity[near]
            if self.apart is not None:
                together = ~self.apart(b, a)
                b, a, similarity = b[together], a[together], similarity[together]
            yield b, a, similarity

    def _index(self, column: pa.ChunkedArray, near: Bools) -> Ints:
        wanted = column.to_numpy()[near]
        index: Ints = np.searchsorted(self.row_ids, wanted)
        if len(wanted) and (index.max() == len(self.row_ids) or (self.row_ids[index] != wanted).any()):
            raise ProcessingError(
                f"{self.pairs.path.name} names rows that are not among those it was made from. "
                "Run the stage that wrote it again."
            )
        return index
