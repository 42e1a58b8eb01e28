"""Find the pairs of rows that say nearly the same in the same words.

Rows whose MinHashes agree in a band are candidates; of these the words decide. What was found out of a text, or of a
pair of texts, is kept by their hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import polars as pl

from entropyguard.core.arrays import Int32s, Ints, Keys, UInt32s
from entropyguard.core.near.candidates import Candidates
from entropyguard.core.near.finished import Finished, keep_only
from entropyguard.core.near.minhash import MINHASH_VERSION, band_hashes
from entropyguard.core.near.pair_runs import PairRuns, as_pairs
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.verdict import VERDICT_VERSION
from entropyguard.core.near.word_bags import Judge
from entropyguard.core.params import NearParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows.content import nothing_to_compare
from entropyguard.core.rows.normalise import content_hash
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.words.split import WORDS_VERSION, Words

_PAIRS_TOGETHER = 1 << 15  # between two looks at whether to save
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9], dtype=np.uint64)  # odd, of no meaning


@dataclass(frozen=True)
class Found:
    """Pairs of rows, by their indices, in the order (later, earlier), with their similarities in millionths."""

    later: Ints
    earlier: Ints
    millionths: Int32s


class NearPairs:
    """The search in one checkpoint; a context manager.

    folder: for what need not stay in memory. `rank` is the rows' priority as `row_priority` has it. judged: pairs
    whose words were compared; reused: pairs whose verdict was known; capped_buckets: groups of rows too large for all
    of their pairs.
    """

    def __init__(
        self,
        rows: Checkpoint,
        near: NearParams,
        rank: Ints | None,
        store: PartStore | None,
        folder: Path,
        max_memory: int,
    ) -> None:
        self._rows = rows
        self._near = near
        self._rank = rank
        self._folder = folder
        rule = f"words{WORDS_VERSION}-polars{pl.__version__}"  # whose tables tell letters from marks
        hashing = f"signatures-{MINHASH_VERSION}-{near.num_hashes}-{near.bands}-{rule}"
        judging = f"verdicts-{VERDICT_VERSION}-{near.min_words}-{near.changed_words}-{near.protect_numbers}-{rule}"
        self._store, self._names = store, (hashing, judging)
        self._signatures = Finished(store, hashing, near.bands)
        self._verdicts = Finished(store, judging, 1)
        self._words = RowWords(folder / "words", rows.rows)
        self._keys = np.empty((rows.rows, 2), dtype=np.uint64)
        self._takes_part = np.zeros(rows.rows, dtype=np.bool_)
        self._pairs = PairRuns(folder, max_memory // 4)
        self.judged = self.reused = self.capped_buckets = 0

    def __enter__(self) -> NearPairs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._words.close()

    def find_candidates(self, progress: Progress) -> None:
        """Read all texts and find the pairs that are worth a comparison."""
        hashes = self._read_texts(progress)
        self._signatures.finish()
        protect = self._near.changed_words == "protect"
        candidates = Candidates(self._words, self._rank, self._pairs, protect=protect)
        # First what agrees in all bands: of many texts of the same words each meets the one that is kept.
        candidates.add_band(_mixed(hashes), hashes[0], self._takes_part)
        for band in range(self._near.bands):
            candidates.add_band(hashes[band], hashes[(band + 1) % self._near.bands], self._takes_part)
        self.capped_buckets = candidates.capped_buckets

    def judge(self, floor: int, progress: Progress) -> Iterator[Found]:
        """The pairs of a similarity of at least `floor` millionths."""
        judge = Judge(self._words, self._near)
        for batch in self._pairs.batches(_PAIRS_TOGETHER):
            later, earlier = as_pairs(batch)
            millionths = self._judge(judge, later, earlier)
            near = millionths >= floor
            yield Found(later[near], earlier[near], millionths[near])
            progress(int(later[-1]), self._rows.rows)
        self._verdicts.finish()
        keep_only(self._store, self._names)

    def _read_texts(self, progress: Progress) -> UInt32s:
        """Take the texts' words and hashes; of each band the hashes of all rows, shape (bands, rows)."""
        rows, start = self._rows.rows, 0
        hashes = np.memmap(
            self._folder / "bands", dtype=np.uint32, mode="w+", shape=(self._near.bands, max(1, rows))
        )  # in a file: 128 bytes a row, and each band is read twice
        for table in self._rows.slices(["record"], range(len(self._rows.group_rows))):
            texts = texts_of(table, self._rows.metadata)
            part = slice(start, start + len(texts))
            self._keys[part] = content_hash(texts)
            found = Words(texts)
            self._words.add(found)
            self._takes_part[part] = self._words.words[part] > 0
            self._takes_part[start + nothing_to_compare(texts)] = False  # of a vowel sign alone Thai makes a word
            known, stored = self._signatures.find(self._keys[part])
            new = np.flatnonzero(~known)
            if len(new):
                made = band_hashes(found.run_together().gather(new), self._near.num_hashes, self._near.bands)
                hashes[:, start + new] = made.T
                self._signatures.add(self._keys[start + new], made)
            hashes[:, start + np.flatnonzero(known)] = stored.T
            start = part.stop
            progress(start, rows)
        return hashes

    def _judge(self, judge: Judge, later: Ints, earlier: Ints) -> Int32s:
        """The verdicts on pairs: those that are known, and the others."""
        of_pairs = _pair_keys(self._keys[later], self._keys[earlier])
        known, stored = self._verdicts.find(of_pairs)
        verdicts = np.empty(len(later), dtype=np.int32)
        verdicts[known] = stored[:, 0].astype(np.int32)
        new = np.flatnonzero(~known)
        verdicts[new] = judge.judge(later[new], earlier[new])
        self._verdicts.add(of_pairs[new], verdicts[new].astype(np.uint32)[:, None])
        self.judged += len(new)
        self.reused += len(later) - len(new)
        return verdicts


def _mixed(hashes: UInt32s) -> UInt32s:
    """For each row one hash of those of all its bands."""
    mixed = np.zeros(hashes.shape[1], dtype=np.uint32)
    for band in hashes:
        mixed = (mixed ^ band) * np.uint32(_FACTORS[0] & np.uint64(0xFFFFFFFF))
        mixed ^= mixed >> np.uint32(15)
    return mixed


def _pair_keys(one: Keys, other: Keys) -> Keys:
    """A key for each pair of texts, whichever of them comes first."""
    swapped = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    low, high = np.where(swapped[:, None], other, one), np.where(swapped[:, None], one, other)
    return low * _FACTORS + high
