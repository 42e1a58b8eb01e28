"""The columns of checkpoints that several stages write."""

from __future__ import annotations

import pyarrow as pa

DROPPED = pa.schema(
    [
        ("row_id", pa.int64()),
        ("reason", pa.string()),
        ("keeper_row_id", pa.int64()),
        ("similarity", pa.float64()),
    ]
)
"""The columns of `dropped/*.parquet`."""

COLUMNS = ("row_id", "file", "line", "record")
"""The columns of `ingested.parquet` that the later checkpoints have too."""
