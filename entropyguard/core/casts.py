"""Arrow's casts, but for what they get wrong: a list with the null type somewhere in its items.

Read in pyarrow 26: where there are more items than rows, `cast` cuts the nulls down to the rows and then finds the list
damaged, even where both types are the same.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def cast_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns, which a schema names in this order, in its types."""
    if table.schema.names != schema.names:
        raise ValueError(f"{table.schema.names} are not {schema.names}")
    columns = [cast_column(column, field.type) for column, field in zip(table.columns, schema, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema)


def cast_column(column: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """The values in another type; pa.ArrowInvalid for one that does not fit."""
    if column.type == kind:
        return column
    if not _has_nulls_in_lists(column.type):
        return pc.cast(column, kind)
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([cast_column(chunk, kind) for chunk in column.chunks], kind)
    if pa.types.is_struct(kind):
        inner = [cast_column(column.field(at), field.type) for at, field in enumerate(kind)]
        return pa.StructArray.from_arrays(inner, fields=list(kind), mask=column.is_null())
    return _cast_list(column, kind) if _is_list(kind) else pc.cast(column, kind)


def _cast_list(column: pa.Array, kind: pa.DataType) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    large = pa.types.is_large_list(kind)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64 if large else np.int32)
    make = pa.LargeListArray if large else pa.ListArray
    values = cast_column(column.flatten(), kind.value_type)
    return make.from_arrays(pa.array(offsets), values, type=kind, mask=column.is_null())


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _has_nulls_in_lists(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_nulls_in_lists(field.type) for field in kind)
    return pa.types.is_nested(kind) and _has_null_type(kind)


def _has_null_type(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_has_null_type(kind.field(at).type) for at in range(kind.num_fields))
    return bool(pa.types.is_null(kind))
