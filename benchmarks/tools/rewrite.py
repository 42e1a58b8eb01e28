"""The least that ingest must do, in a process of its own: `python rewrite.py IN.jsonl OUT.parquet`.

polars parses the lines and writes their columns as Parquet, compressed with zstd at level 1.
"""

from __future__ import annotations

import sys

import polars as pl

pl.scan_ndjson(sys.argv[1]).sink_parquet(sys.argv[2], compression="zstd", compression_level=1)
