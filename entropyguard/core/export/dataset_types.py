"""Which columns a folder for `load_from_disk` may have: of Arrow's types Hugging Face's `datasets` knows not all."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from entropyguard.core.errors import DataFormatError


def check_loadable(schema: Iterable[pa.Field], output: str) -> None:
    """DataFormatError for a column with which `datasets` would refuse to load the folder."""
    for field in schema:
        unknown = _unknown(field.type)
        if unknown is not None:
            inside = "" if unknown == field.type else f", with {unknown} in it"
            raise DataFormatError(
                f"--output {output}: column {field.name!r} holds {field.type}{inside}, which Hugging Face's `datasets` "
                "cannot load. Write Parquet (--output FILE.parquet), or make it a list of structs."
            )


def _unknown(kind: pa.DataType) -> pa.DataType | None:
    """The type in it that `datasets` has no name for."""
    types = pa.types
    if types.is_dictionary(kind):
        return _unknown(kind.value_type)
    if types.is_struct(kind) or types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = (_unknown(kind.field(at).type) for at in range(kind.num_fields))
        return next((one for one in inner if one is not None), None)
    known = (
        types.is_primitive(kind) and not types.is_interval(kind),
        types.is_null(kind),
        types.is_decimal128(kind) or types.is_decimal256(kind),
        types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind),
        types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind),
        types.is_fixed_size_binary(kind) and not types.is_decimal(kind),
    )
    return None if any(known) else kind
