"""Writing the rows of a checkpoint that stay, in the order of their ids.

Row groups of which every row stays are copied compressed as they are; those of which none stays are not read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.prefetch import prefetched
from entropyguard.core.storage.row_groups import StoredGroups


@dataclass(frozen=True)
class _Group:
    """A row group with rows that stay: their positions lie between `first` and `last`; `whole` when all of it stays."""

    number: int
    positions: Ints
    first: int
    last: int
    whole: bool


def keep_rows(
    source: Checkpoint,
    out: Path,
    columns: Sequence[str],
    metadata: dict[str, Any],
    stays: Bools,
    progress: Progress,
) -> None:
    """Write to `out` those rows of `source` that stay: its first columns, which are `columns`, ascending by row id.

    `stays` has shape (rows,), in the order of row ids. `metadata` is what `out` says of itself. Memory: the row groups
    of `source` that hold rows between each other's.
    """
    schema = pa.schema([source.schema.field(name) for name in columns])
    stored, rows = StoredGroups(source.path), len(stays)
    with TableWriter(out, schema, metadata) as writer:
        for piece, last in prefetched(_pieces(source, columns, _groups(source, stays), stays)):
            if isinstance(piece, _Group):
                writer.copy(stored, piece.number)
            else:
                writer.write(piece)
            progress(last + 1, rows)
    progress(rows, rows)


def rows_in_order(source: Checkpoint, columns: Sequence[str]) -> Iterator[pa.Table]:
    """All rows ascending by row id, some thousand at a time. Memory: 32 bytes a row, and as `keep_rows`."""
    every = np.ones(source.rows, dtype=np.bool_)
    for piece, _ in _pieces(source, columns, _groups(source, every), every):
        if isinstance(piece, _Group):
            yield from source.slices(columns, [piece.number])
        elif piece.num_rows:
            yield piece


def _groups(source: Checkpoint, stays: Bools) -> list[_Group]:
    """The row groups with rows that stay, by the first of them."""
    groups, start = [], 0
    for number, rows in enumerate(source.group_rows):
        here = source.positions[start : start + rows]
        staying = here[stays[here]]
        if len(staying):
            groups.append(_Group(number, here, int(staying[0]), int(staying[-1]), len(staying) == rows))
        start += rows
    return sorted(groups, key=lambda group: group.first)


def _pieces(
    source: Checkpoint, columns: Sequence[str], groups: list[_Group], stays: Bools
) -> Iterator[tuple[pa.Table | _Group, int]]:
    """The rows that stay, by their positions: a row group to be copied, or a table; and the last position."""
    waiting, open_groups = deque(groups), list[_OpenGroup]()
    while waiting or open_groups:
        if not open_groups:
            group = waiting.popleft()
            if group.whole and not (waiting and waiting[0].first < group.last):
                yield group, group.last
                continue
            open_groups.append(_OpenGroup(source, columns, group, stays))
        end = min(group.last for group in open_groups)
        while waiting and waiting[0].first < end:
            open_groups.append(_OpenGroup(source, columns, waiting.popleft(), stays))
            end = min(end, open_groups[-1].last)
        yield _merged([group.taken(end) for group in open_groups]), end
        open_groups = [group for group in open_groups if group.more]


class _OpenGroup:
    """A row group that is read in slices; of each, the rows that stay."""

    def __init__(self, source: Checkpoint, columns: Sequence[str], group: _Group, stays: Bools) -> None:
        self._slices = _staying(source.slices(columns, [group.number]), group.positions, stays)
        self._advance()

    def _advance(self) -> None:
        found = next(self._slices, None)
        self.more = found is not None
        if found is not None:
            self._table, self._positions = found

    @property
    def last(self) -> int:
        """The position of the last row at hand."""
        return int(self._positions[-1])

    def taken(self, end: int) -> tuple[pa.Table, Ints]:
        """The rows at hand up to the position `end`, which are at hand no longer."""
        count = int(np.searchsorted(self._positions, end, side="right"))
        taken = self._table.slice(0, count), self._positions[:count]
        self._table, self._positions = self._table.slice(count), self._positions[count:]
        if not len(self._positions):
            self._advance()
        return taken


def _staying(slices: Iterator[pa.Table], positions: Ints, stays: Bools) -> Iterator[tuple[pa.Table, Ints]]:
    """Of each slice the rows that stay, and their positions."""
    start = 0
    for table in slices:
        here = positions[start : start + table.num_rows]
        start += table.num_rows
        staying = stays[here]
        if staying.any():
            yield table.filter(pa.array(staying)), here[staying]


def _merged(parts: list[tuple[pa.Table, Ints]]) -> pa.Table:
    parts = [part for part in parts if len(part[1])]
    if len(parts) == 1:
        return parts[0][0]
    tables, positions = zip(*parts, strict=True)
    return pa.concat_tables(tables).take(np.argsort(np.concatenate(positions)))
