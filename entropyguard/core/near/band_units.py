"""The search for candidates by units: some bands of all rows, or of many rows a share of a band's hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from entropyguard.core.near.candidates import LargeBuckets, pairs_of_band
from entropyguard.core.near.columns import Columns, mapped
from entropyguard.core.near.pair_runs import PairRuns, unique
from entropyguard.core.near.row_words import RowWords
from entropyguard.core.pool.pool import Pool
from entropyguard.core.progress import Progress
from entropyguard.core.storage.files import write_whole

_UNIT_HASHES = 3 << 19  # of a unit of several bands
_PART_HASHES = 1 << 22  # of a share of one
_HASHES = 1 << 32


@dataclass(frozen=True)
class BandUnit:
    """Bands first..last-1, and share `part` of `parts` of their hashes.

    folder: of the files of RowWords and of `columns_of_bands`, and where `ranked` of the rows' priority, `rank`.
    protect: as in `pairs_of_band`.
    """

    folder: Path
    rows: int
    bands: int
    first: int
    last: int
    part: int
    parts: int
    protect: bool
    ranked: bool

    def __str__(self) -> str:
        share = f" (part {self.part + 1} of {self.parts})" if self.parts > 1 else ""
        return f"bands {self.first} to {self.last - 1} of {self.rows:,} rows{share}"

    def file(self, what: str) -> Path:
        """Where an answer goes."""
        return self.folder / f"{what}-{self.first}-{self.part}"


def columns_of_bands(folder: Path, rows: int, bands: int) -> Columns:
    """The file of the hashes of all rows: the first column is one of all bands, and after it comes each band."""
    return Columns(folder / "bands", rows, {str(band): (np.uint32, 1) for band in range(bands)})


def band_units(folder: Path, rows: int, bands: int, *, protect: bool, ranked: bool) -> list[BandUnit]:
    """The units of so many bands, in the order of the bands."""
    parts = max(1, -(-rows // _PART_HASHES))
    together = -(-bands // max(1, min(bands, -(-rows * bands // _UNIT_HASHES))))
    return [
        BandUnit(folder, rows, bands, first, min(bands, first + together), part, parts, protect, ranked)
        for first in range(0, bands, together)
        for part in range(parts)
    ]


def write_pairs(unit: BandUnit, progress: Progress) -> int:
    """Write the pairs of the unit's bands, each once, and the rows of large buckets; how many of these there are."""
    words = RowWords(unit.folder, unit.rows)
    bands = columns_of_bands(unit.folder, unit.rows, unit.bands).mapped()
    rank = mapped(unit.folder / "rank", np.int64) if unit.ranked else None
    all_rows = np.flatnonzero(words.takes_part)
    start, stop = (_HASHES * part // unit.parts for part in (unit.part, unit.part + 1))
    keys, large, capped = [np.empty(0, dtype=np.uint64)], [], 0
    for band in range(unit.first, unit.last):
        rows, hashes = all_rows, bands[str(band)][all_rows]
        if unit.parts > 1:
            some = (hashes >= start) & (hashes < stop)
            rows, hashes = rows[some], hashes[some]
        found = pairs_of_band(words, rank, rows, hashes, protect=unit.protect)
        keys += found.keys
        large.append(np.stack([np.full_like(found.large_rows, band), found.large_buckets, found.large_rows], axis=1))
        capped += found.capped
        progress(band + 1 - unit.first, unit.last - unit.first)
    write_whole(unit.file("pairs"), unique(keys).tobytes(), durable=False)
    write_whole(unit.file("large"), np.concatenate(large).tobytes(), durable=False)
    return capped


def find_candidates(units: Sequence[BandUnit], words: RowWords, pairs: PairRuns, pool: Pool) -> int:
    """Add the pairs of all units to `pairs`; how many buckets were too large for every pair of theirs."""
    capped_buckets = 0
    large_buckets = LargeBuckets(words, protect=units[0].protect)
    bands = columns_of_bands(units[0].folder, units[0].rows, units[0].bands).mapped()
    for unit, capped in zip(units, pool.map(write_pairs, units), strict=True):
        capped_buckets += capped
        pairs.add(np.fromfile(unit.file("pairs"), dtype=np.uint64))
        large = np.fromfile(unit.file("large"), dtype=np.int64).reshape(-1, 3)
        for band in np.unique(large[:, 0]).tolist():
            _, buckets, rows = large[large[:, 0] == band].T
            for keys in large_buckets.pairs(rows, buckets, bands[str(band % (len(bands) - 1) + 1)]):
                pairs.add(keys)
        for what in ("pairs", "large"):
            unit.file(what).unlink()
    return capped_buckets
