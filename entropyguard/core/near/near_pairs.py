"""Find the pairs of rows that say nearly the same in the same words.

Rows whose MinHashes agree in a band are candidates; of these the words decide. Texts, bands and pairs are units of
work for a pool; what was found out of a text, or of a pair of texts, is kept by their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl

from entropyguard.core.arrays import Int32s, Ints
from entropyguard.core.near import pair_units
from entropyguard.core.near.all_texts import read_all_texts
from entropyguard.core.near.all_verdicts import AllVerdicts
from entropyguard.core.near.band_units import band_units, find_candidates
from entropyguard.core.near.finished import Finished, keep_only, stored
from entropyguard.core.near.minhash import MINHASH_VERSION
from entropyguard.core.near.pair_runs import PairRuns, as_pairs
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import VERDICT_VERSION
from entropyguard.core.params import NearParams
from entropyguard.core.pool.pool import Pool
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.words.split import WORDS_VERSION

_TEXTS_VERSION = 1  # raised when a part of a unit of texts has other arrays


@dataclass(frozen=True)
class Found:
    """Pairs of rows, by their indices, in the order (later, earlier), with their similarities in millionths."""

    later: Ints
    earlier: Ints
    millionths: Int32s


class NearPairs:
    """The search in one checkpoint; a context manager.

    folder: for what need not stay in memory, and all workers of the pool see. `rank` is the rows' priority as
    `row_priority` has it. judged: pairs whose words were compared; reused: pairs whose verdict was known;
    capped_buckets: groups of rows too large for all of their pairs.
    """

    def __init__(
        self,
        rows: Checkpoint,
        near: NearParams,
        rank: Ints | None,
        store: PartStore | None,
        folder: Path,
        max_memory: int,
        pool: Pool,
    ) -> None:
        self._rows = rows
        self._near = near
        self._rank = rank
        self._folder = folder
        self._pool = pool
        rule = f"words{WORDS_VERSION}-polars{pl.__version__}"  # whose tables tell letters from marks
        hashing = f"{MINHASH_VERSION}-{near.num_hashes}-{near.bands}-{rule}"
        judging = f"{VERDICT_VERSION}-{near.min_words}-{near.changed_words}-{near.protect_numbers}-{rule}"
        self._store, self._names = store, (f"signatures-{hashing}", f"verdicts-{judging}")
        self._signatures = Finished(store, self._names[0], near.bands)
        self._verdicts = Finished(store, self._names[1], 1)
        self._texts = None if store is None else store.below(f"texts{_TEXTS_VERSION}-{hashing}")
        self._pairs = PairRuns(folder, max_memory // 4)
        self.judged = self.reused = self.capped_buckets = 0

    def __enter__(self) -> NearPairs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stored.cache_clear()
        pair_units.close()

    def find_candidates(self, progress: Progress) -> None:
        """Read all texts and find the pairs that are worth a comparison."""
        words = read_all_texts(
            self._rows, self._near, self._signatures, self._texts, self._folder, self._pool, progress
        )
        stored.cache_clear()
        ranked = self._rank is not None
        if self._rank is not None:
            self._rank.astype(np.int64).tofile(self._folder / "rank")
        protect = self._near.changed_words == "protect"
        units = band_units(self._folder, self._rows.rows, self._near.bands + 1, protect=protect, ranked=ranked)
        self.capped_buckets = find_candidates(units, words, self._pairs, self._pool)

    def judge(self, floor: int, progress: Progress) -> Iterator[Found]:
        """The pairs of a similarity of at least `floor` millionths."""
        rows = self._rows.rows
        words = RowWords(self._folder, rows)
        found = AllVerdicts(self._folder, words, self._pairs, self._near, self._verdicts, self._pool)
        self.judged, self.reused = found.judged, found.reused
        for keys, verdicts in found.in_order(lambda done, pairs: progress(done * rows // (pairs or 1), rows)):
            later, earlier = as_pairs(keys)
            near = verdicts >= floor
            yield Found(later[near], earlier[near], verdicts[near])
        keep_only(self._store, self._names)
