"""embed with MiniLM on a pool: one core inline, one worker of Ray's, two of them. The bytes are compared first.

    python benchmarks/speed_embed_pool.py [--rows 1500] [--repeat 2]

Each pool embeds a few other texts before, so that its workers have loaded the model; then the pools take turns, and
the best time of each counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
from corpora import distinct, docstrings
from measure import print_machine, print_table
from pipeline import packaged_model

from entropyguard.core.embed.embed import embed_texts
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.pool.local import LocalPool
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.ray_pool import RayPool
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.files import content_digest
from entropyguard.core.storage.parquet import TableWriter


def checkpoint_of(texts: Sequence[str], path: Path) -> Checkpoint:
    """The texts as a checkpoint that embed reads."""
    records = pa.array([json.dumps({"text": text}) for text in texts], pa.large_string())
    table = pa.table({"row_id": pa.array(range(len(texts)), pa.int64()), "record": records})
    with TableWriter(path, table.schema, {"format": "jsonl", "text_column": "text"}) as writer:
        writer.write(table)
    return Checkpoint(path)


def timed(rows: Checkpoint, encoder: Encoder, pool: Pool, folder: Path, unit_rows: int) -> tuple[float, str]:
    """Seconds, and the digest of what was written."""
    out = folder / "embeddings.parquet"
    began = time.monotonic()
    embed_texts(rows, out, encoder, 1, None, silent, pool, unit_rows)
    return time.monotonic() - began, content_digest(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_500)
    parser.add_argument("--repeat", type=int, default=2)
    given = parser.parse_args()
    print_machine(["torch", "ray"])
    texts = distinct(docstrings(2 * given.rows + 200))
    encoder, unit_rows = load_encoder(packaged_model(), threads=1), max(1, given.rows // 24)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = checkpoint_of(texts[: given.rows], folder / "rows.parquet")
        few = checkpoint_of(texts[given.rows : given.rows + 40], folder / "few.parquet")
        best: dict[str, float] = {}
        digests = set()
        for cores in (1, 2):
            with closing(RayPool("local", folder, print, cores)) as ray:
                pools: dict[str, Pool] = {f"Ray, {cores} one-core workers": ray}
                if cores == 1:
                    pools["inline, one thread"] = LocalPool(1)
                for pool in pools.values():
                    timed(few, encoder, pool, folder, 4)
                for _ in range(given.repeat):
                    for label, pool in pools.items():
                        seconds, digest = timed(rows, encoder, pool, folder, unit_rows)
                        best[label] = min(seconds, best.get(label, seconds))
                        digests.add(digest)
    if len(digests) != 1:
        raise SystemExit("the pools wrote different bytes; no time is worth printing")
    base = best["Ray, 1 one-core workers"]
    lines = [[label, f"{seconds:.1f}", f"{base / seconds:.2f}"] for label, seconds in best.items()]
    print_table(f"{given.rows:,} docstrings, MiniLM", ["pool", "seconds", "speed, one worker = 1"], lines)


if __name__ == "__main__":
    main()
