"""What near_dedup keeps beside its outputs: of one set of parameters, and nothing of others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from entropyguard.core.near.near_dedup import NearCounts, drop_near_duplicates
from entropyguard.core.pool.pool import InlinePool
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from entropyguard.run.settings import default_params

SCHEMA = pa.schema([("row_id", pa.int64()), ("file", pa.int32()), ("line", pa.int64()), ("record", pa.large_string())])
TEXTS = ["one two three four five six seven eight nine ten", "one two three four five six seven eight nine ten eleven"]


def dedup(folder: Path, min_words: int) -> NearCounts:
    """Run the stage on TEXTS, with a store below the folder."""
    rows, params = folder / "rows.parquet", default_params()
    lines = [json.dumps({"text": text}) for text in TEXTS]
    ids = list(range(len(lines)))
    with TableWriter(rows, SCHEMA, {"format": "jsonl", "text_column": "text"}) as writer:
        writer.write(pa.table([ids, [0] * len(ids), ids, lines], schema=SCHEMA))
    near, store = replace(params.near, min_words=min_words), PartStore(folder / "near")
    out, dropped, pairs = (folder / f"{name}.parquet" for name in ("out", "dropped", "pairs"))
    return drop_near_duplicates(
        Checkpoint(rows), out, dropped, pairs, near, params.keep, store, 1 << 30, silent, InlinePool()
    )


def test_verdicts_of_other_parameters_go_when_those_of_the_new_ones_are_there(tmp_path: Path) -> None:
    assert dedup(tmp_path, 8).judged == 1
    before = {folder.name for folder in (tmp_path / "near").iterdir()}
    (tmp_path / "near" / "mine.txt").write_text("the user's")
    (tmp_path / "near" / "link").symlink_to(tmp_path)
    counts = dedup(tmp_path, 9)
    assert (counts.judged, counts.reused, counts.dropped) == (1, 0, 1)
    after = {path.name for path in (tmp_path / "near").iterdir()}
    assert len(before) == 2
    assert after > {"mine.txt", "link"}
    (signatures, verdicts) = sorted(after - {"mine.txt", "link"})
    assert signatures in before
    assert verdicts not in before
    assert (dedup(tmp_path, 9).reused, dedup(tmp_path, 9).judged) == (1, 0)
