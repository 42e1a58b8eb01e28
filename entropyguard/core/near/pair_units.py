"""The second half of the work, by ranges of pairs: the verdicts on those that have none yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Keys, UInt32s
from entropyguard.core.near.finished import PART, values_table
from entropyguard.core.near.pair_runs import as_pairs
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.near.word_bags import Judge
from entropyguard.core.params import NearParams
from entropyguard.core.progress import Progress
from entropyguard.core.storage.parts import PartStore

_PAIRS_TOGETHER = 1 << 13  # between two words on how far it is
_PAIR_BYTES = 8
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9], dtype=np.uint64)  # odd, of no meaning


@dataclass(frozen=True)
class PairUnit:
    """Pairs start..stop-1 of the file `asked` in `folder`, where the files of RowWords are.

    verdicts: the folder of a store where what comes of it goes, as `Finished` has it.
    """

    folder: Path
    rows: int
    near: NearParams
    start: int
    stop: int
    verdicts: Path

    def __str__(self) -> str:
        return f"pairs {self.start:,} to {self.stop - 1:,} of {self.rows:,} rows"

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return self.stop - self.start


def write_verdicts(unit: PairUnit, progress: Progress) -> Path:
    """The part with the unit's verdicts. A power cut may damage it, and it is read by its digest."""
    values = verdicts_on(unit, progress)
    return PartStore(unit.verdicts, durable=False).put(PART, values_table([values], 1))


def verdicts_on(unit: PairUnit, progress: Progress) -> tuple[Keys, UInt32s]:
    """The keys of the unit's pairs, and the verdicts as `Finished` has them."""
    words, judge = _opened(unit.folder, unit.rows, unit.near)
    asked = np.fromfile(unit.folder / "asked", np.uint64, unit.count, offset=unit.start * _PAIR_BYTES)
    later, earlier = as_pairs(asked)
    verdicts = np.empty((len(asked), 1), dtype=np.uint32)
    for start in range(0, len(asked), _PAIRS_TOGETHER):
        part = slice(start, start + _PAIRS_TOGETHER)
        verdicts[part, 0] = judge.judge(later[part], earlier[part]).astype(np.uint32)
        progress(min(len(asked), part.stop), len(asked))
    return pair_keys(words.keys[later], words.keys[earlier]), verdicts


@lru_cache(maxsize=1)
def _opened(folder: Path, rows: int, near: NearParams) -> tuple[RowWords, Judge]:
    """Read once by a process that does many units; no two searches have the same folder."""
    words = RowWords(folder, rows)
    return words, Judge(words, near)


def close() -> None:
    """Let go of what this process has opened."""
    _opened.cache_clear()


def pair_keys(one: Keys, other: Keys) -> Keys:
    """A key for each pair of texts, whichever of them comes first."""
    swapped = (one[:, 0] > other[:, 0]) | ((one[:, 0] == other[:, 0]) & (one[:, 1] > other[:, 1]))
    low, high = np.where(swapped[:, None], other, one), np.where(swapped[:, None], one, other)
    return low * _FACTORS + high
