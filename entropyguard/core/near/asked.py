"""Which pairs have a verdict from before, and which are to be asked for one: both on disk, cut into ranges."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from entropyguard.core.arrays import Int32s, Ints, UInt64s
from entropyguard.core.near.finished import Stored
from entropyguard.core.near.pair_runs import PairRuns, as_pairs
from entropyguard.core.near.pair_units import pair_keys
from entropyguard.core.near.row_words import RowWords

_PAIRS_TOGETHER = 1 << 15
_RANGE_WORDS = 1 << 22  # of the pairs of a range,
_PAIR_WORDS = 16  # each of which takes as long as so many words besides
UNKNOWN = np.iinfo(np.int32).min


@dataclass(frozen=True)
class Range:
    """Pairs start..stop-1 of all, and those among them that are asked for: first..last-1 of these."""

    start: int
    first: int
    stop: int
    last: int

    @property
    def asked(self) -> int:
        """How many are asked for."""
        return self.last - self.first


def write_asked(folder: Path, pairs: PairRuns, words: RowWords, known: Stored) -> list[Range]:
    """Write all pairs in their order, the verdicts that are known, and into `asked` the pairs without: 16 bytes a pair.

    The ranges that come back are of about equally much work, as the pairs and their texts decide.
    """
    starts, pair, asked, work = [], 0, 0, -1
    with ExitStack() as stack:
        files = [stack.enter_context((folder / name).open("wb")) for name in ("pairs", "verdicts", "asked")]
        for keys in pairs.batches(_PAIRS_TOGETHER):
            later, earlier = as_pairs(keys)
            found, stored = known.find(pair_keys(words.keys[later], words.keys[earlier]))
            verdicts = np.full(len(keys), UNKNOWN, dtype=np.int32)
            verdicts[found] = stored[:, 0].astype(np.int32)
            for file, array in zip(files, (keys.data, verdicts.data, keys[~found].data), strict=True):
                file.write(array)
            lengths = sum(words.ends[row + 1] - words.ends[row] for row in (later, earlier))
            costs = _PAIR_WORDS + np.where(found, 0, lengths)
            until = np.cumsum(costs) + max(0, work)
            numbers = until // _RANGE_WORDS
            opens = np.flatnonzero(np.diff(numbers, prepend=work // _RANGE_WORDS))
            before: Ints = np.cumsum(~found) - ~found
            starts += [(pair + int(at), asked + int(before[at])) for at in opens]
            pair, asked, work = pair + len(keys), asked + int((~found).sum()), int(until[-1])
    return [Range(*start, *stop) for start, stop in pairwise([*starts, (pair, asked)])]


def read_range(folder: Path, of: Range) -> tuple[UInt64s, Int32s]:
    """The pairs of a range, and the verdicts, UNKNOWN where one was asked for."""
    count = of.stop - of.start
    keys = np.fromfile(folder / "pairs", np.uint64, count, offset=of.start * 8)
    return keys, np.fromfile(folder / "verdicts", np.int32, count, offset=of.start * 4)
