"""Which rows have equal hashes, and which of these is kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entropyguard.core.arrays import Bools, Hashes, Ints, first_of_each

NO_PART = -1


def mark_exact_duplicates(
    hashes: Hashes, rank: Ints | None = None, takes_part: Bools | None = None, chunk_rows: int = 1 << 22
) -> Ints:
    """The index of each row's keeper, itself where the row is kept, NO_PART where `takes_part` is False.

    `hashes` has shape (rows, 2), two halves of 128 bits. The keeper is the row of lowest `rank` among the rows of
    equal hash; without ranks, which are all different, the first. Beside its arguments it holds 9 bytes a row, and
    more for `chunk_rows` rows at a time.
    """
    rows = len(hashes)
    keeper = np.arange(rows, dtype=np.int64)
    starts = range(0, rows, chunk_rows)
    for start in starts:
        chunk = np.arange(start, min(rows, start + chunk_rows))
        _resolve(chunk if takes_part is None else chunk[takes_part[chunk]], hashes, rank, keeper)
    if len(starts) > 1:
        # A hash is left at most once per chunk, so even a million equal rows make no partition large.
        for members in _partitions(hashes, keeper, takes_part, chunk_rows):
            _resolve(members, hashes, rank, keeper)
        for start in starts:
            keeper[start : start + chunk_rows] = keeper[keeper[start : start + chunk_rows]]
    if takes_part is not None:
        keeper[~takes_part] = NO_PART
    return keeper


def _resolve(rows: Ints, hashes: Hashes, rank: Ints | None, keeper: Ints) -> None:
    """Set `keeper` for these rows (ascending), looking at nothing but them."""
    high = hashes[rows, 0]
    order = np.argsort(high)
    high = high[order]
    same = high[1:] == high[:-1]
    shared = np.zeros(len(rows), dtype=np.bool_)
    shared[1:] |= same
    shared[:-1] |= same
    rows = rows[order[shared]]
    if not len(rows):
        return
    opens = first_of_each(hashes[rows, 0])
    if not np.array_equal(opens, first_of_each(hashes[rows, 0], hashes[rows, 1])):
        # Half a hash is shared by texts that differ, which chance hardly brings about: all 128 bits are worth sorting.
        rows = rows[np.lexsort((hashes[rows, 1], hashes[rows, 0]))]
        opens = first_of_each(hashes[rows, 0], hashes[rows, 1])
    starts = np.flatnonzero(opens)
    sizes = np.diff(starts, append=len(rows))
    ranks = rows if rank is None else rank[rows]
    lowest = np.repeat(np.minimum.reduceat(ranks, starts), sizes)
    keeper[rows] = np.repeat(rows[ranks == lowest], sizes)


def _partitions(hashes: Hashes, keeper: Ints, takes_part: Bools | None, chunk_rows: int) -> Iterator[Ints]:
    """The rows that are still their own keepers, cut by the top bits of their hashes into as many parts as chunks."""
    bits = max(1, (len(hashes) // chunk_rows).bit_length())
    for partition in range(1 << bits):
        found = []
        for start in range(0, len(hashes), chunk_rows):
            part = slice(start, start + chunk_rows)
            here = hashes[part, 0] >> np.uint64(64 - bits) == np.uint64(partition)
            here &= keeper[part] == np.arange(start, start + len(here))
            if takes_part is not None:
                here &= takes_part[part]
            found.append(np.flatnonzero(here) + start)
        yield np.concatenate(found)
