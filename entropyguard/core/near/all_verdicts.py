"""The verdicts on all pairs of a search: those from before, and the others, unit by unit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Int32s, Keys, UInt32s, UInt64s
from entropyguard.core.near.asked import UNKNOWN, read_range, write_asked
from entropyguard.core.near.finished import Finished, Stored, read_values
from entropyguard.core.near.pair_runs import PairRuns
from entropyguard.core.near.pair_units import PairUnit, verdicts_on, write_verdicts
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.params import NearParams
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.shares import Shares
from entropyguard.core.progress import Progress


class AllVerdicts:
    """The verdicts on `pairs`. judged: how many are made here; reused: how many are from before, out of `finished`."""

    def __init__(
        self, folder: Path, words: RowWords, pairs: PairRuns, near: NearParams, finished: Finished, pool: Pool
    ) -> None:
        self._folder = folder
        self._finished = finished
        self._pool = pool
        self._known = Stored(finished.parts, 1)
        self._ranges = write_asked(folder, pairs, words, self._known)
        where = folder / "verdicts-made" if finished.store is None else finished.store.folder
        rows = len(words.words)
        self._units = [PairUnit(folder, rows, near, of.first, of.last, where) for of in self._ranges]
        self._made: list[Path | tuple[Keys, UInt32s]] = []
        self.judged = self._ranges[-1].last if self._ranges else 0
        self.reused = self._ranges[-1].stop - self.judged if self._ranges else 0

    def in_order(self, progress: Progress) -> Iterator[tuple[UInt64s, Int32s]]:
        """Pairs, as `as_keys` has them, and their verdicts; in the end all of them are kept, and no others."""
        new = self._new(progress)
        for of in self._ranges:
            keys, verdicts = read_range(self._folder, of)
            if of.asked:
                _, values = next(new)
                verdicts[verdicts == UNKNOWN] = values[:, 0].astype(np.int32)
            yield keys, verdicts
        if self._made or len(self._finished.parts) != 1 or not self._known.all_used():
            made = (read_values([one], 1) if isinstance(one, Path) else one for one in self._made)
            self._finished.replace([self._known.used(), *made])

    def _new(self, progress: Progress) -> Iterator[tuple[Keys, UInt32s]]:
        """What the units come to; one that is alone is done here, and is no part."""
        units = [unit for unit in self._units if unit.count]
        shares = Shares(progress, self.judged)
        if len(units) == 1:
            made = verdicts_on(units[0], lambda done, _: shares.add(0, done))
            self._made.append(made)
            yield made
            return
        for path in self._pool.map(write_verdicts, units, lambda unit, share: shares.add(unit, share * unit.count)):
            self._made.append(path)
            yield read_values([path], 1)
