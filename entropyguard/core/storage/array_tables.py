"""Arrays of different lengths as a table of one row, so that they can be a part of a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_KINDS = b"arrays"


def arrays_to_table(arrays: Mapping[str, npt.NDArray[Any]]) -> pa.Table:
    """A column for each array, with its bytes; what they are of stands in the schema's metadata. Under 2 GB each."""
    kinds = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    fields = [pa.field(name, pa.large_binary(), nullable=False) for name in arrays]
    columns = [_as_one_value(np.ascontiguousarray(array)) for array in arrays.values()]
    return pa.table(columns, schema=pa.schema(fields, metadata={_KINDS: json.dumps(kinds)}))


def _as_one_value(array: npt.NDArray[Any]) -> pa.Array:
    ends = pa.py_buffer(np.array([0, array.nbytes], dtype=np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(array)])


def arrays_from_table(table: pa.Table) -> dict[str, npt.NDArray[Any]]:
    """The arrays again, to be read."""
    kinds = json.loads(table.schema.metadata[_KINDS])
    return {
        name: np.frombuffer(table[name].chunk(0)[0].as_buffer(), dtype=kind).reshape(shape)
        for name, (kind, shape) in kinds.items()
    }
