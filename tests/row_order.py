"""What ingest wrote, in the order the rows came in: of a text seen before, the row stands in a row group of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from entropyguard.core.progress import silent
from entropyguard.core.rows.schemas import COLUMNS
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.row_filter import keep_rows


def in_order(ingested: Path) -> Path:
    """The same checkpoint with its rows in order, beside it."""
    out = ingested.with_name(f"ordered-{ingested.name}")
    every = np.ones(Checkpoint(ingested).rows, dtype=np.bool_)
    keep_rows(Checkpoint(ingested), out, COLUMNS, Checkpoint(ingested).metadata, every, silent)
    return out
