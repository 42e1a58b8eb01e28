"""Similar pairs: the search of the similar_pairs stage and FAISS, on the same vectors."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from corpora import made_texts, write_rows, write_static_model
from measure import measure, megabytes, print_table
from peers import TOOLS
from pipeline import packaged_model, run_entropyguard

FLOOR = 0.9
_LEAST_RECALL = 0.99
_ROUNDING = 1e-5  # FAISS sums in float32: so close to the floor either answer is right

Pairs = npt.NDArray[np.int64]


def time_pairs(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print a table of the searches. Made texts get vectors of 256 dimensions from a static model, others MiniLM's."""
    model = packaged_model() if texts else write_static_model(work / "model")
    file = write_rows(work / "rows.jsonl", texts or made_texts(rows))
    run_entropyguard(file, work / "run", "--model-name", model)
    embeddings = work / "run" / "checkpoints" / "embeddings.parquet"
    lines, reference, slowest = [], None, 0.0
    for label, tool in (("FAISS flat range_search", "faiss"), ("entropyguard", "entropyguard")):
        out = work / f"{tool}.parquet"
        measured = measure([sys.executable, TOOLS / "search.py", tool, embeddings, out, "--floor", str(FLOOR)])
        seconds = json.loads(measured.stdout)["seconds"]
        pairs = _clear_pairs(out)
        if reference is None:
            reference, slowest = pairs, seconds
        recall = len(np.intersect1d(pairs, reference)) / max(1, len(reference))
        if recall < _LEAST_RECALL or len(np.setdiff1d(pairs, reference)):
            raise SystemExit(f"{label}: {recall:.4f} of the pairs of FAISS, and {len(pairs):,} pairs in all; no match")
        numbers = [f"{len(pairs):,}", f"{recall:.4f}", f"{seconds:.1f}", f"{slowest / seconds:.1f}"]
        lines.append([label, *numbers, megabytes(measured.peak_bytes)])
    taking_part = pq.read_metadata(embeddings).num_rows
    title = f"Pairs at or above {FLOOR} among {taking_part:,} vectors"
    print_table(title, ["search", "pairs", "recall", "seconds", "times as fast", "peak MB"], lines)


def _clear_pairs(path: Path) -> Pairs:
    """Each pair as one number; those a rounding away from the floor left out."""
    table = pq.read_table(path)
    clear = table["similarity"].to_numpy() >= FLOOR + _ROUNDING
    one, other = table["row_a"].to_numpy()[clear], table["row_b"].to_numpy()[clear]
    return (one << 32) + other
