"""The types of columns, apart from what a writer chooses: how a value is stored, and what it is worth."""

from __future__ import annotations

import pyarrow as pa


def stored_type(kind: pa.DataType, *, dictionaries: bool = True) -> pa.DataType:
    """The type a column has in a checkpoint: its own, but for views, of which Arrow filters and measures none.

    Without `dictionaries`, that of their values.
    """
    types = pa.types

    def inner(kind: pa.DataType) -> pa.DataType:
        return stored_type(kind, dictionaries=dictionaries)

    if types.is_dictionary(kind) and not dictionaries:
        return inner(kind.value_type)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.large_string() if types.is_string_view(kind) else pa.large_binary()
    if types.is_struct(kind):
        return pa.struct([field.with_type(inner(field.type)) for field in kind])
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(inner(kind.value_type)))
    if types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(inner(kind.value_type)))
    return kind


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type without what a writer chooses: offsets, views, dictionaries, the names of list items."""
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
        return pa.map_(value_type(kind.key_type), value_type(kind.item_type))
    inner = [kind.field(at) for at in range(kind.num_fields)]
    plain = [pa.field(field.name, value_type(field.type)) for field in inner]
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain[0].with_name("item"), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct(plain)
    return pa.large_list(plain[0].with_name("item")) if len(plain) == 1 else kind
