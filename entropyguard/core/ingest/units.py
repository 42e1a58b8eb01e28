"""Which pieces of the input make a unit of work: decided by the files and a size alone.

A file of JSON lines is cut where a line begins, Parquet between row groups; what is packed, encoded otherwise, CSV
(quotes may enclose line ends), an array or Arrow is read from its beginning on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from entropyguard.core.encodings import UTF8
from entropyguard.core.errors import InputError
from entropyguard.core.ingest.forms import head_of
from entropyguard.core.ingest.json_files import is_array
from entropyguard.core.ingest.pieces import Piece, whole_files
from entropyguard.core.rows.source import Source
from entropyguard.core.storage.remote_path import RemotePath

UNIT_BYTES = 64 << 20


def units_of(sources: Sequence[Source], unit_bytes: int = UNIT_BYTES) -> list[tuple[Piece, ...]]:
    """The pieces of all files in order, those that are read together: several small files, or a range of a large one.

    A unit is of about `unit_bytes`, more only where a file cannot be cut.
    """
    units: list[tuple[Piece, ...]] = []
    together: list[Piece] = []
    held = 0
    for piece in whole_files([_from_anywhere(source) for source in sources]):
        size = _size(piece.source)
        cut = list(_cut(piece, size, unit_bytes)) if size > unit_bytes else [piece]
        if together and (len(cut) > 1 or held + size > unit_bytes):
            units.append(tuple(together))
            together, held = [], 0
        if len(cut) > 1:
            units += [(one,) for one in cut]
        else:
            together.append(piece)
            held += size
    return [*units, tuple(together)] if together else units


def _from_anywhere(source: Source) -> Source:
    """The source by a path that leads to it from whatever folder a worker is in."""
    return replace(source, path=source.path.absolute()) if isinstance(source.path, Path) else source


def _size(source: Source) -> int:
    if isinstance(source.path, RemotePath):
        return source.path.size or 0  # where it is not told, it is not read by ranges
    try:
        return source.path.stat().st_size
    except OSError:  # reading it says so, after what is wrong with the files before it
        return 0


def _cut(piece: Piece, size: int, unit_bytes: int) -> Iterator[Piece]:
    source = piece.source
    if source.kind == "parquet":
        yield from _row_groups(piece, unit_bytes)
    elif source.kind == "jsonl" and not source.compression and source.encoding == UTF8 and _has_lines(source):
        for start in range(0, size, unit_bytes):
            yield Piece(piece.file, source, start, start + unit_bytes if start + unit_bytes < size else None)
    else:
        yield piece


def _has_lines(source: Source) -> bool:
    """Whether the file is no array, whatever its ending says."""
    try:
        return not is_array(head_of(source) or b"")
    except InputError:  # as above
        return False


def _row_groups(piece: Piece, unit_bytes: int) -> Iterator[Piece]:
    from entropyguard.core.ingest.parquet_rows import row_groups_of

    try:
        sizes = row_groups_of(piece.source)
    except InputError:  # as above
        yield piece
        return
    start = rows = held = before = 0
    for at, (group_rows, size) in enumerate(sizes):
        if held and held + size > unit_bytes:
            yield Piece(piece.file, piece.source, start, at, before)
            start, before, held = at, rows, 0
        rows, held = rows + group_rows, held + size
    yield Piece(piece.file, piece.source, start, None, before)
