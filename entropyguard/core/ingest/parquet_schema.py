"""Parquet files of one input that differ in how they were written only, and are read with the first one's schema.

What a writer chooses: 32-bit or 64-bit offsets, views, dictionaries, the order of columns, whether null is allowed,
and the null type for a column that holds nothing else.
"""

from __future__ import annotations

import pyarrow as pa

from entropyguard.core.errors import DataFormatError
from entropyguard.core.rows.source import Source


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type a column has in a checkpoint: its own, but for views, of which Arrow filters and measures none."""
    types = pa.types
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(stored_type(field.type)) for field in kind])
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(stored_type(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(stored_type(kind.value_type)))
    return kind


def _value_type(kind: pa.DataType) -> pa.DataType:
    """The type without what a writer chooses."""
    types = pa.types
    while types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary(kind) or types.is_binary_view(kind):
        return pa.large_binary()
    return _nested_value_type(kind) if types.is_nested(kind) else kind


def _nested_value_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.map_(_value_type(kind.key_type), _value_type(kind.item_type))
    inner = [kind.field(at) for at in range(kind.num_fields)]
    plain = [pa.field(field.name, _value_type(field.type)) for field in inner]
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain[0].with_name("item"), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct(plain)
    return pa.large_list(plain[0].with_name("item")) if len(plain) == 1 else kind


def check_same_columns(source: Source, schema: pa.Schema, first: pa.Schema) -> None:
    """DataFormatError that says in what a file's columns differ from those of the first file."""
    for name in [*first.names, *schema.names]:
        if name not in schema.names or schema.names.count(name) > 1:
            raise DataFormatError(
                f"{source}: column {name!r} of the first file is {'missing' if name not in schema.names else 'twice'} "
                "here. Make their columns the same."
            )
        if name not in first.names:
            raise DataFormatError(f"{source}: column {name!r} is not in the first file. Make their columns the same.")
        mine, wanted = schema.field(name).type, first.field(name).type
        if not pa.types.is_null(mine) and _value_type(mine) != _value_type(wanted):
            raise DataFormatError(
                f"{source}: column {name!r} holds {mine}, in the first file {wanted}. Make their columns the same."
            )


def conformed(source: Source, batch: pa.RecordBatch, before: int, first: pa.Schema) -> list[pa.Array]:
    """The columns of a batch, whose first row is number `before`, in the order and of the types of the first file."""
    columns = []
    for field in first:
        column = batch.column(field.name)
        if not field.nullable and column.null_count:
            row = before + 1 + column.is_null().to_pylist().index(True)
            raise DataFormatError(
                f"{source}, row {row}: column {field.name!r} is null, which the first file's schema rules out. "
                "Allow null there, or fill the column."
            )
        kind = stored_type(field.type)
        columns.append(column if column.type == kind else column.cast(kind))
    return columns
