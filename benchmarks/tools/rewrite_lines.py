"""The least that export could do, were rows parsed and written anew: `python rewrite_lines.py IN.jsonl OUT`.

polars parses the lines and writes their columns, in a stream, in the format that the ending of OUT names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

rows, out = pl.scan_ndjson(sys.argv[1]), Path(sys.argv[2])
if out.suffix == ".csv":
    rows.sink_csv(out)
elif out.suffix == ".parquet":
    rows.sink_parquet(out, compression="zstd", compression_level=1)
else:
    rows.sink_ndjson(out)
