"""128-bit digests as a Parquet column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import UInt64s

DIGEST_TYPE = pa.binary(16)


def digests_to_arrow(digests: UInt64s) -> pa.Array:
    """Digests of shape (rows, 2), their bytes as they lie in memory, as a Parquet column."""
    return pa.FixedSizeBinaryArray.from_buffers(DIGEST_TYPE, len(digests), [None, pa.py_buffer(digests.tobytes())])


def digests_from_arrow(column: pa.ChunkedArray) -> UInt64s:
    """The other way round."""
    raw = [np.frombuffer(part.buffers()[1], np.uint64)[2 * part.offset :][: 2 * len(part)] for part in column.chunks]
    return np.concatenate([np.empty(0, dtype=np.uint64), *raw]).reshape(-1, 2)
