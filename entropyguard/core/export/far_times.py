"""Times for which Arrow has no spelling: beyond the years it prints, or no time of a day.

It writes `<value out of range: …>` there, which would pass for data.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_REMARK = "<value out of range"


def first_far_time(column: pa.ChunkedArray) -> int | None:
    """The first row that holds such a time, on its own or in what is nested in it; None where there is none."""
    if not _has_times(column.type):
        return None
    before = 0
    for chunk in column.chunks:
        if _is_far(chunk):
            return before + next(at for at in range(len(chunk)) if _is_far(chunk.slice(at, 1)))
        before += len(chunk)
    return None


def _has_times(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _has_times(kind.value_type)
    if pa.types.is_nested(kind):
        return any(_has_times(kind.field(at).type) for at in range(kind.num_fields))
    return bool(pa.types.is_temporal(kind))


def _is_far(array: pa.Array) -> bool:
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _is_far(array.dictionary_decode())
    if pa.types.is_struct(kind):
        return any(map(_is_far, array.flatten()))
    if pa.types.is_nested(kind):
        return _is_far(array.flatten())
    if not pa.types.is_temporal(kind):
        return False
    return bool(pc.any(pc.starts_with(pc.cast(array, pa.large_string()), _REMARK)).as_py())
