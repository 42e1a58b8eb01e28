"""Casting: any nested column comes out with its values, however it is cut."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropyguard.core.casts import cast_column, cast_table

kinds = st.recursive(
    st.sampled_from([pa.null(), pa.string(), pa.int8()]),
    lambda inner: (
        st.builds(pa.list_, inner)
        | st.builds(pa.large_list, inner)
        | st.lists(inner, min_size=1, max_size=2).map(lambda types: pa.struct(list(zip("ab", types, strict=False))))
    ),
    max_leaves=3,
)


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_struct(kind):
        some: st.SearchStrategy[Any] = st.fixed_dictionaries({field.name: values_of(field.type) for field in kind})
    elif pa.types.is_nested(kind):
        some = st.lists(values_of(kind.value_type), max_size=3)
    else:
        some = {pa.string(): st.text("xy", max_size=2), pa.int8(): st.integers(0, 9)}.get(kind, st.none())
    return st.none() | some


def widest(kind: pa.DataType) -> pa.DataType:
    """The type as JSON output asks for it."""
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, widest(field.type)) for field in kind])
    if pa.types.is_nested(kind):
        return pa.large_list(widest(kind.value_type))
    return {pa.string(): pa.large_string(), pa.int8(): pa.int64()}.get(kind, kind)


@given(st.data())
def test_any_nested_column_keeps_its_values(data: st.DataObject) -> None:
    kind = data.draw(kinds)
    values = data.draw(st.lists(values_of(kind), max_size=4))
    first = data.draw(st.integers(0, len(values)))
    whole = pa.array(values, kind)
    for wanted in (kind, widest(kind)):
        for column, expected in (
            (whole[first:], values[first:]),
            (pa.chunked_array([whole, whole[first:]]), values + values[first:]),
        ):
            got = cast_column(column, wanted)
            got.validate(full=True)
            assert (got.type, got.to_pylist()) == (wanted, expected)


def test_a_table_of_other_columns_is_no_match() -> None:
    with pytest.raises(ValueError, match=r"\['a'\] are not \['b'\]"):
        cast_table(pa.table({"a": [1]}), pa.schema([("b", pa.int64())]))


def test_a_value_that_does_not_fit_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid, match="300"):
        cast_column(pa.array([[300]]), pa.list_(pa.int8()))
