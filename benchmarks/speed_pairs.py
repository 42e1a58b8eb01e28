"""Similar pairs: the search of the similar_pairs stage and FAISS, on the same vectors."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
from corpora import made_texts, write_rows, write_static_model
from measure import measure, megabytes, print_table
from peers import TOOLS
from pipeline import packaged_model, run_entropyguard

FLOOR = 0.9
_LEAST_RECALL = 0.99
_MOST_QUERIES = 100_000  # of FAISS: beyond that it gets a part of the rows as queries, and its time is scaled up
_QUERY_ROWS = 8_192  # as tools/search.py takes them
_ROUNDING = 1e-5  # FAISS sums in float32: so close to the floor either answer is right

Pairs = npt.NDArray[np.int64]


def time_pairs(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print a table of the searches. Made texts get vectors of 256 dimensions from a static model, others MiniLM's."""
    model = packaged_model() if texts else write_static_model(work / "model")
    file = write_rows(work / "rows.jsonl", texts or made_texts(rows))
    run_entropyguard(file, work / "run", "--model-name", model)
    embeddings = work / "run" / "checkpoints" / "embeddings.parquet"
    every = -(-pq.read_metadata(embeddings).num_rows // _MOST_QUERIES)
    asked = _rows_asked(embeddings, every)
    lines, reference, slowest = [], None, 0.0
    scaled = f", {1 / every:.0%} of the queries" if every > 1 else ""
    for label, tool in ((f"FAISS flat range_search{scaled}", "faiss"), ("entropyguard", "entropyguard")):
        out = work / f"{tool}.parquet"
        command = [sys.executable, TOOLS / "search.py", tool, embeddings, out, "--floor", str(FLOOR)]
        measured = measure([*command, "--every", str(every)])
        seconds = json.loads(measured.stdout)["seconds"]
        pairs = _clear_pairs(out, asked)
        if reference is None:
            seconds *= asked.total / len(asked.rows)
            reference, slowest = pairs, seconds
        recall = len(np.intersect1d(pairs, reference)) / max(1, len(reference))
        if recall < _LEAST_RECALL or len(np.setdiff1d(pairs, reference)):
            raise SystemExit(f"{label}: {recall:.4f} of the pairs of FAISS, and {len(pairs):,} pairs in all; no match")
        numbers = [f"{len(pairs):,}", f"{recall:.4f}", f"{seconds:.1f}", f"{slowest / seconds:.1f}"]
        lines.append([label, *numbers, megabytes(measured.peak_bytes)])
    taking_part = pq.read_metadata(embeddings).num_rows
    title = f"Pairs at or above {FLOOR} among {taking_part:,} vectors"
    print_table(title, ["search", "pairs", "recall", "seconds", "times as fast", "peak MB"], lines)


@dataclass(frozen=True)
class _Asked:
    """The row ids that FAISS was asked about, out of `total`."""

    rows: Pairs
    total: int


def _rows_asked(embeddings: Path, every: int) -> _Asked:
    table = pq.read_table(embeddings, columns=["row_id", "skipped"])
    rows = table.filter(pc.is_null(table["skipped"]))["row_id"].to_numpy()
    return _Asked(rows[np.arange(len(rows)) // _QUERY_ROWS % every == 0], len(rows))


def _clear_pairs(path: Path, asked: _Asked) -> Pairs:
    """Each pair whose later row was asked about as one number; those a rounding away from the floor left out."""
    table = pq.read_table(path)
    clear = table["similarity"].to_numpy() >= FLOOR + _ROUNDING
    one, other = table["row_a"].to_numpy()[clear], table["row_b"].to_numpy()[clear]
    if len(asked.rows) < asked.total:
        known = np.isin(other, asked.rows)
        one, other = one[known], other[known]
    return (one << 32) + other
