"""near_dedup's checkpoints as a test wants them, whatever the texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from entropyguard.core.decisions.greedy import decide_stars
from entropyguard.core.decisions.pair_stream import PairStream
from entropyguard.core.decisions.write import write_decided
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter

PAIRS = pa.schema([("row_a", pa.int64()), ("row_b", pa.int64()), ("similarity", pa.float64())])
ABOUT = {"near": {"floor": 0.75, "judged": 7, "capped_buckets": 0}}


def write_near(folder: Path, pairs: Sequence[tuple[int, int, float]], threshold: float = 0.85) -> Path:
    """Write near_pairs.parquet, dropped/near.parquet and after_near_dedup.parquet, whose path comes back.

    pairs: (row id, higher row id, similarity), of rows in after_exact_dedup.parquet, in input order.
    """
    rows, out = Checkpoint(folder / "after_exact_dedup.parquet"), folder / "after_near_dedup.parquet"
    with TableWriter(folder / "near_pairs.parquet", PAIRS, ABOUT) as writer:
        columns = [list(column) for column in zip(*sorted(pairs, key=lambda pair: pair[1::-1]), strict=True)]
        writer.write(pa.table(columns or [[], [], []], schema=PAIRS))
    stream = PairStream(Checkpoint(folder / "near_pairs.parquet"), rows.row_ids, threshold)
    decisions = decide_stars(stream, np.asarray(rows.row_ids), None, 1 << 30)
    write_decided(rows, out, folder / "dropped/near.parquet", "near", decisions, ABOUT, silent)
    return out
