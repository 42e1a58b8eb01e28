"""What readers hand over: rows in input order, those that could not be read set apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.arrays import Bools, Ints
from entropyguard.core.encodings import UNDECODABLE
from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.pieces import Piece
from entropyguard.core.rows.arrow_texts import is_text_at, paths_of_fields, type_at
from entropyguard.core.rows.source import Source
from entropyguard.core.rows.text_paths import Paths, TextPath

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")
SHOWN_BYTES = 1_000
"""How much of an over-long line is kept for the record."""


@dataclass(frozen=True)
class Rejected:
    """A row that could not be read: `position` counts the rows of its batch from 0, `file` the sources from 0.

    `line` is the file's, from 1.
    """

    position: int
    file: int
    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Batch:
    """Some consecutive rows of the input, of one file or of several small ones.

    `rows` counts all of them; `positions`, `files` and `lines` (int64) and `records` hold one entry for each readable
    one, and so do `texts`, for each place where a row's text stands, as `places_of` gives them; None: not decoded.
    """

    rows: int
    positions: Ints
    files: Ints
    lines: Ints
    records: pa.Array
    rejected: list[Rejected] = field(default_factory=list)
    texts: list[pl.Series] | None = None


class RowReader(Protocol):
    """Reads files of one kind; made from all sources and the parameters of ingest."""

    record_type: pa.DataType
    metadata: dict[str, Any]

    def batches(self, pieces: Sequence[Piece]) -> Iterator[Batch]:
        """The rows of these pieces, in order. Lines of a range of JSON lines are counted from its first one."""
        ...

    def noted(self) -> dict[str, Any]:
        """What is known of all rows that were read, as JSON has it; `lines`: how many lines a range has."""
        ...

    def take_over(self, noted: dict[str, Any]) -> None:
        """Know what another reader noted of the rows behind those that were read so far."""
        ...

    def finish(self) -> None:
        """DataFormatError where all rows together are not what was asked for."""
        ...

    def nothing_read(self, rows: int, first: str, advice: str) -> DataFormatError:
        """Why none of the rows could be read; `first`: the first rejected row and its reason, `advice`: what to do."""
        ...


def check_columns(
    source: Source, fields: Sequence[pa.Field], paths: Sequence[TextPath], required: Sequence[str]
) -> None:
    """DataFormatError when a file with a schema names a column twice, lacks one, or has no text where it should be."""
    names = [field.name for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataFormatError(f"{source} has two columns called {twice!r}. Rename one of them.")
    for path in paths:
        kind = type_at(pa.struct(fields), path)
        if kind is None:
            there = listed(paths_of_fields(fields).nearest_first([path.name]))
            raise DataFormatError(f"{source} has no column {path.name!r}; it has: {there}.")
        if not is_text_at(kind, path):
            cure = name_a_text(paths_of_fields(fields), [path.name])
            raise DataFormatError(f"{source}: column {path.name!r} holds {kind}, not text. {cure}")
    for name in required:
        if name not in names:
            raise DataFormatError(f"{source} has no column {name!r}; it has: {listed(names)}.")


def name_a_text(there: Paths, wrong: Sequence[str]) -> str:
    """What to name in place of columns that hold no text: what is below them, or else all that does."""
    below = [path for name in wrong for path in there.texts_below(name)]
    texts = below or [name for name in there.nearest_first(wrong) if there.has_text(name)]
    if not texts:
        return "No other column does either; name an input that has texts."
    return f"Name a column of text with --text-column (ingest.text_column): {listed(texts)}."


def listed(names: Sequence[str], most: int = 30) -> str:
    """Column names for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more


def null_reasons(
    records: pa.StructArray, texts: Sequence[pa.Array], paths: Sequence[TextPath], required: Sequence[str]
) -> dict[int, str]:
    """Position -> reason for the rows that have no text, or null in a required column; the first reason counts.

    `texts` holds an array for each path.
    """
    reasons: dict[int, str] = {}
    no_text = np.all([_nulls(array) for array in texts], axis=0)
    why = f"column {paths[0].name!r} is null" if len(paths) == 1 else no_text_reason(paths)
    for nulls, reason in (
        (no_text, why),
        *((_nulls(pc.struct_field(records, [name])), f"column {name!r} is null") for name in required),
    ):
        for position in np.flatnonzero(nulls).tolist():
            reasons.setdefault(position, reason)
    return reasons


def _nulls(array: pa.Array) -> Bools:
    nulls: Bools = array.is_null().to_numpy(zero_copy_only=False)
    return nulls


def no_text_reason(paths: Sequence[TextPath]) -> str:
    """Why a row is rejected that has nothing in any of several places."""
    return f"no text in any of the columns {', '.join(repr(path.name) for path in paths)}"


def as_places(texts: Sequence[pa.Array]) -> list[pl.Series]:
    """The texts as a batch holds them."""
    import polars as pl

    return [pl.Series(pl.from_arrow(array)) for array in texts]


def utf8_reason(data: bytes) -> str | None:
    """Why bytes are no UTF-8 text, None when they are."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if data.startswith(UNDECODABLE, error.start):
            before = len(data[: error.start].decode("utf-8"))
            return f"the encoding has no character for what stands at character {before + 1}"
        return f"invalid UTF-8 at byte {error.start + 1} ({error.reason})"
    return None


def over_long_reason(length: int, limit: int) -> str:
    return f"{length} bytes long, over max_line_bytes ({limit}); raw holds its first {min(length, SHOWN_BYTES)} bytes"


def as_text(data: bytes) -> str:
    """Bytes as text, those that are no UTF-8 as backslash escapes."""
    return data.decode("utf-8", "backslashreplace")
