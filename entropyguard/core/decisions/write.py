"""Write what was decided: the rows that stay, and of the others why they went and for which row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Ints
from entropyguard.core.decisions.greedy import KEPT, Decisions
from entropyguard.core.progress import Progress
from entropyguard.core.rows.schemas import DROPPED
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter


def write_decided(
    rows: Checkpoint,
    out: Path,
    dropped: Path,
    reason: str,
    decisions: Decisions,
    metadata: dict[str, Any],
    progress: Progress,
) -> int:
    """Write the rows that stay to `out` and the others to `dropped`, both in the order of `rows`; how many stay.

    reason: why they are dropped, as `dropped` says it; metadata: what `dropped` says besides. `out` keeps the
    schema and the metadata of `rows`.
    """
    done, total = 0, len(decisions.row_ids)
    with (
        TableWriter(out, rows.schema, rows.metadata) as kept_rows,
        TableWriter(dropped, DROPPED, metadata) as dropped_rows,
    ):
        for table in rows.tables():
            stays = decisions.keeper[done : done + table.num_rows] == KEPT
            kept_rows.write(table.filter(pa.array(stays)))
            dropped_rows.write(_dropped(np.flatnonzero(~stays) + done, reason, decisions))
            done += table.num_rows
            progress(done, total)
    return int((decisions.keeper == KEPT).sum())


def _dropped(rows: Ints, reason: str, decisions: Decisions) -> pa.Table:
    """Rows of `dropped/*.parquet`; similarity is null where row and keeper are no pair."""
    similarity = decisions.similarity[rows]
    return pa.Table.from_arrays(
        [
            pa.array(decisions.row_ids[rows]),
            pa.array([reason] * len(rows), pa.string()),
            pa.array(decisions.row_ids[decisions.keeper[rows]]),
            pa.array(similarity, mask=np.isnan(similarity)),
        ],
        schema=DROPPED,
    )
