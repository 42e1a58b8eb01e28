"""The columns of Hive partitions: their types, and their values beside what the files themselves hold."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from entropyguard.core.errors import DataFormatError
from entropyguard.core.ingest.partitions import folder_of, partition_values
from entropyguard.core.rows.column_types import stored_type, value_type
from entropyguard.core.rows.source import Source

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_INT64 = range(-(2**63), 2**63)


def with_partitions(schema: pa.Schema, sources: Sequence[Source]) -> pa.Schema:
    """The schema with a column for each partition that no file has: int64 for whole numbers, else string."""
    values: dict[str, list[str]] = {}
    for source in sources:
        for name, value in partition_values(source).items():
            values.setdefault(name, []).extend(() if value is None else (value,))
    for name, there in values.items():
        if name not in schema.names:
            schema = schema.append(pa.field(name, _type_of(there)))
    return schema


def partition_column(source: Source, field: pa.Field, rows: int) -> pa.Array:
    """The value that the file's folders give a column it does not have; null where they do not."""
    kind = stored_type(field.type)
    value = partition_values(source).get(field.name)
    if value is None:
        return pa.nulls(rows, kind)
    return pa.repeat(_scalar(source, field, value), rows).cast(kind)


def check_partition(source: Source, field: pa.Field, column: pa.Array, before: int) -> None:
    """DataFormatError where a column of the file's own, whose first row is number `before`, says other than its folder.

    `pyarrow.dataset` would put the folder's value in its place without a word where the types are the same.
    """
    values = partition_values(source)
    if field.name not in values:
        return
    value = values[field.name]
    if value is None:
        same = column.is_null()
    else:
        wanted = _scalar(source, field, value)
        same = pc.fill_null(pc.equal(column.cast(wanted.type), wanted), fill_value=False)
    at = same.index(pa.scalar(value=False)).as_py()
    if at >= 0:
        raise DataFormatError(
            f"{source}, row {before + at + 1}: column {field.name!r} is {column[at]}, but the file lies in "
            f"{folder_of(source, field.name)}/. Make them the same, or rename the folder or the column."
        )


def _scalar(source: Source, field: pa.Field, value: str) -> pa.Scalar:
    """A folder's value in the type that files have the column in."""
    kind = value_type(field.type)
    try:
        return pa.scalar(value, pa.large_string()).cast(kind)
    except pa.ArrowException as error:
        raise DataFormatError(
            f"{source} lies in {folder_of(source, field.name)}/, but column {field.name!r} of the files holds "
            f"{field.type}. Rename the folder or the column."
        ) from error


def _type_of(values: Sequence[str]) -> pa.DataType:
    whole = values and all(_WHOLE.fullmatch(value) and int(value) in _INT64 for value in values)
    return pa.int64() if whole else pa.string()
