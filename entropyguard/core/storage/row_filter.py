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
from entropyguard.core.storage.parquet import TableWriter, group_rows, open_parquet, read_slices
from entropyguard.core.storage.prefetch import prefetched
from entropyguard.core.storage.row_groups import StoredGroups


@dataclass(frozen=True)
class _Group:
    """A row group with rows that stay: their places lie between `first` and `last`; `whole` when all of it stays."""

    number: int
    places: Ints
    first: int
    last: int
    whole: bool


def keep_rows(
    source: Path,
    out: Path,
    columns: Sequence[str],
    about: dict[str, Any],
    places: Ints,
    stays: Bools,
    progress: Progress,
) -> None:
    """Write to `out` those rows of `source` that stay: its first columns, which are `columns`, ascending by row id.

    `stays` has shape (rows,), in the order of row ids; `places` says where in it the rows of `source` are, as they
    stand there. `about` is what `out` says of itself. Memory: the row groups of `source` that hold rows between each
    other's.
    """
    with open_parquet(source) as file:
        schema = pa.schema([file.schema_arrow.field(name) for name in columns])
    stored, rows = StoredGroups(source), len(stays)
    with TableWriter(out, schema, about) as writer:
        for piece, last in prefetched(_pieces(source, columns, _groups(source, places, stays), stays)):
            if isinstance(piece, _Group):
                writer.copy(stored, piece.number)
            else:
                writer.write(piece)
            progress(last + 1, rows)
    progress(rows, rows)


def _groups(source: Path, places: Ints, stays: Bools) -> list[_Group]:
    """The row groups with rows that stay, by the first of them."""
    groups, start = [], 0
    for number, rows in enumerate(group_rows(source)):
        here = places[start : start + rows]
        staying = here[stays[here]]
        if len(staying):
            groups.append(_Group(number, here, int(staying[0]), int(staying[-1]), len(staying) == rows))
        start += rows
    return sorted(groups, key=lambda group: group.first)


def _pieces(
    source: Path, columns: Sequence[str], groups: list[_Group], stays: Bools
) -> Iterator[tuple[pa.Table | _Group, int]]:
    """The rows that stay in the order of their places: a row group to be copied, or a table; and the last place."""
    waiting, open_groups = deque(groups), list[_Reading]()
    while waiting or open_groups:
        if not open_groups:
            group = waiting.popleft()
            if group.whole and not (waiting and waiting[0].first < group.last):
                yield group, group.last
                continue
            open_groups.append(_Reading(source, columns, group, stays))
        end = min(reading.last for reading in open_groups)
        while waiting and waiting[0].first < end:
            open_groups.append(_Reading(source, columns, waiting.popleft(), stays))
            end = min(end, open_groups[-1].last)
        yield _merged([reading.taken(end) for reading in open_groups]), end
        open_groups = [reading for reading in open_groups if reading.more]


class _Reading:
    """A row group that is read in slices; of each, the rows that stay."""

    def __init__(self, source: Path, columns: Sequence[str], group: _Group, stays: Bools) -> None:
        self._slices = _staying(read_slices(source, columns, [group.number]), group.places, stays)
        self._advance()

    def _advance(self) -> None:
        found = next(self._slices, None)
        self.more = found is not None
        if found is not None:
            self._table, self._places = found

    @property
    def last(self) -> int:
        """The place of the last row at hand."""
        return int(self._places[-1])

    def taken(self, end: int) -> tuple[pa.Table, Ints]:
        """The rows at hand up to the place `end`, which are at hand no longer."""
        count = int(np.searchsorted(self._places, end, side="right"))
        taken = self._table.slice(0, count), self._places[:count]
        self._table, self._places = self._table.slice(count), self._places[count:]
        if not len(self._places):
            self._advance()
        return taken


def _staying(slices: Iterator[pa.Table], places: Ints, stays: Bools) -> Iterator[tuple[pa.Table, Ints]]:
    """Of each slice the rows that stay, and their places."""
    start = 0
    for table in slices:
        here = places[start : start + table.num_rows]
        start += table.num_rows
        staying = stays[here]
        if staying.any():
            yield table.filter(pa.array(staying)), here[staying]


def _merged(parts: list[tuple[pa.Table, Ints]]) -> pa.Table:
    parts = [part for part in parts if len(part[1])]
    if len(parts) == 1:
        return parts[0][0]
    tables, places = zip(*parts, strict=True)
    return pa.concat_tables(tables).take(np.argsort(np.concatenate(places)))
