"""near_dedup on as few rows as there can be: no pair of them has to be looked at word by word."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from entropyguard.core.near.near_dedup import NearCounts, drop_near_duplicates
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.run.settings import default_params

SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])
TEXT = "boil the white beans very gently for an hour"


@pytest.mark.parametrize(
    ("texts", "counts"),
    [
        ([], NearCounts(0, 0, 0, 0, 0, 0)),
        ([TEXT], NearCounts(1, 1, 0, 0, 0, 0)),
        (["", "", "...", "...", "😀", "😀", "\u0e31\u0e31", "\u0e31\u0e31"], NearCounts(8, 8, 0, 0, 0, 0)),
        ([TEXT, TEXT + "!"], NearCounts(2, 1, 1, 1, 0, 0)),
        ([TEXT, TEXT.replace("very ", "")], NearCounts(2, 1, 1, 1, 0, 0)),
    ],
)
def test_pairs_that_lack_words_on_one_side_at_most(texts: list[str], counts: NearCounts, tmp_path: Path) -> None:
    rows, params = tmp_path / "rows.parquet", default_params()
    lines, ids = [json.dumps({"text": text}) for text in texts], list(range(len(texts)))
    with TableWriter(rows, SCHEMA, {"format": "jsonl", "text_column": "text"}) as writer:
        writer.write(pa.table([ids, [0] * len(ids), ids, lines], schema=SCHEMA))
    out, dropped, pairs = (tmp_path / f"{name}.parquet" for name in ("out", "dropped", "pairs"))
    near, keep, pool = params.near, params.keep, InlinePool()
    done = drop_near_duplicates(Checkpoint(rows), out, dropped, pairs, near, keep, None, 1 << 30, silent, pool)
    assert done == counts
