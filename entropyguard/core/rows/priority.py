"""The keep policy: which of several duplicates is the one to keep, as a rank for every row.

Text and user columns are decoded row group by row group; what stays in memory is one key a row and its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from entropyguard.core.arrays import Doubles, Ints
from entropyguard.core.errors import DataFormatError
from entropyguard.core.params import KeepParams
from entropyguard.core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    import polars as pl

_WHOLE, _NUMBER, _TEXT = range(3)


def is_input_order(keep: KeepParams) -> bool:
    """Whether the rows' ranks are their positions in the input."""
    return keep.policy == "first" and not keep.source_priority


def row_priority(checkpoint: Checkpoint, keep: KeepParams) -> Ints:
    """Each row's rank, in the order of row ids: 0 is kept before all others; ties go to the lowest row id.

    With a source priority, rows of the source named first come first, those of no named source last. Among rows
    of one source, `first` ranks by input order, `longest` and `shortest` by the characters of the text as it is,
    `column:NAME` by that column, highest first (`column:NAME:min`: lowest first): as whole numbers if every value
    is one, else as numbers, else as text by code point; rows without a value come last. DataFormatError when no
    row has the column, or it holds lists or objects.
    """
    order = _policy_order(checkpoint, keep.policy)
    if keep.source_priority:
        order = order[np.argsort(_source_preference(checkpoint, keep)[order], kind="stable")]
    return _ranks(order)


def _policy_order(checkpoint: Checkpoint, policy: str) -> Ints:
    """The rows in the order of a policy."""
    if policy == "first":
        return np.arange(checkpoint.rows, dtype=np.int64)
    if policy in ("longest", "shortest"):
        return _length_order(checkpoint, longest=policy == "longest")
    name, lowest = _column_policy(policy)
    kind = _kind_of_column(checkpoint, name)
    return (
        _text_order(checkpoint, name, lowest=lowest)
        if kind == _TEXT
        else _number_order(checkpoint, name, kind, lowest=lowest)
    )


def column_of_policy(policy: str) -> str | None:
    """The column that a policy ranks by, None where it ranks by none."""
    return _column_policy(policy)[0] if policy.startswith("column:") else None


def _column_policy(policy: str) -> tuple[str, bool]:
    """The column of `column:NAME[:max|:min]`, and whether its lowest value comes first."""
    name = policy.removeprefix("column:")
    if name.endswith((":min", ":max")) and len(name) > len(":min"):
        return name[: -len(":min")], name.endswith(":min")
    return name, False


def _source_preference(checkpoint: Checkpoint, keep: KeepParams) -> Ints:
    """The position of each row's source in the list, behind all of them for a source that is not in it."""
    from entropyguard.core.rows.source_column import sources_of_rows

    preference = np.empty(checkpoint.rows, dtype=np.int64)
    known = {source: at for at, source in enumerate(keep.source_priority)}
    for rows, table in checkpoint.placed(["record"]):
        sources = sources_of_rows(table, checkpoint.metadata, keep.source_column)
        preference[rows] = [known.get(source, len(known)) for source in sources]
    return preference


def _ranks(order: Ints) -> Ints:
    """The rank of each row from the rows in priority order."""
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks


def _length_order(checkpoint: Checkpoint, *, longest: bool) -> Ints:
    """The rows by length of their texts."""
    from entropyguard.core.rows.text import texts_of

    lengths = np.empty(checkpoint.rows, dtype=np.int64)
    for rows, table in checkpoint.placed(["record"]):
        lengths[rows] = texts_of(table, checkpoint.metadata).str.len_chars().to_numpy()
    if longest:
        np.negative(lengths, out=lengths)
    return np.argsort(lengths, kind="stable")


def _columns(checkpoint: Checkpoint, name: str) -> Iterator[pl.Series]:
    """The user's column, one series per row group; dates as numbers, categories as text, NaN as no value."""
    import polars as pl

    from entropyguard.core.rows.text import column_of

    for table in checkpoint.tables(["record"]):
        column = column_of(table, checkpoint.metadata, name)
        if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
            raise DataFormatError(
                f"Column '{name}' of the keep policy holds {column.dtype}, which has no order. "
                "Choose a column of numbers or texts, or another --keep policy."
            )
        if column.dtype.is_temporal() or column.dtype == pl.Boolean:
            column = column.to_physical().cast(pl.Int64)
        elif not column.dtype.is_numeric():
            column = column.cast(pl.String)
        yield column.fill_nan(None) if column.dtype.is_float() else column


def _kind_of_column(checkpoint: Checkpoint, name: str) -> int:
    """What the column's values are as a whole: the widest kind that occurs."""
    from entropyguard.core.rows.text import check_column

    check_column(checkpoint, name, "of the keep policy")
    kind, values = _WHOLE, 0
    for column in _columns(checkpoint, name):
        kind = max(kind, _kind(column))
        values += len(column) - column.null_count()
    return kind if values else _WHOLE


def _kind(column: pl.Series) -> int:
    for kind in (_WHOLE, _NUMBER):
        if _as_numbers(column, kind).null_count() == column.null_count():
            return kind
    return _TEXT


def _as_numbers(column: pl.Series, kind: int) -> pl.Series:
    """The column as Int64 or Float64, null where a value is none; texts that spell numbers are numbers."""
    import polars as pl

    numbers = column if column.dtype.is_integer() and kind == _WHOLE else column.cast(pl.Float64, strict=False)
    if kind == _NUMBER:
        return numbers.fill_nan(None)
    if column.dtype == pl.String:
        return column.cast(pl.Int64, strict=False)
    if numbers.dtype.is_float():
        numbers = numbers.set(numbers != numbers.floor(), None)
    return numbers.cast(pl.Int64, strict=False)


def _number_order(checkpoint: Checkpoint, name: str, kind: int, *, lowest: bool) -> Ints:
    keys: Ints | Doubles
    rows, start = checkpoint.positions, 0
    keys = np.zeros(len(rows), dtype=np.int64) if kind == _WHOLE else np.zeros(len(rows))
    missing = np.zeros(len(rows), dtype=np.bool_)
    for column in _columns(checkpoint, name):
        part = rows[start : start + len(column)]
        numbers = _as_numbers(column, kind)
        missing[part] = numbers.is_null().to_numpy()
        keys[part] = numbers.fill_null(0).to_numpy()
        start += len(column)
    if not lowest:
        reverse: Callable[..., object] = np.invert if kind == _WHOLE else np.negative  # int64's minimum has no negative
        reverse(keys, out=keys)
    order = np.argsort(keys, kind="stable")
    last = missing[order]
    return np.concatenate([order[~last], order[last]]) if last.any() else order


def _text_order(checkpoint: Checkpoint, name: str, *, lowest: bool) -> Ints:
    import polars as pl

    keys = pl.concat([column.cast(pl.String).alias("key") for column in _columns(checkpoint, name)])
    rows = pl.DataFrame([keys, pl.Series("row", checkpoint.positions)]).sort("row")
    del keys
    order = rows.select(pl.arg_sort_by("key", descending=not lowest, nulls_last=True, maintain_order=True)).to_series()
    del rows
    return order.to_numpy().astype(np.int64)
