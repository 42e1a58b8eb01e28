"""Similar pairs: the search of the similar_pairs stage and FAISS, flat and by lists, on the same vectors."""

from __future__ import annotations

import dataclasses
import json
import math
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
from pipeline import make_repo, run_stage, switch_near_off

FLOOR = 0.9
_LEAST_RECALL = 0.99
_MOST_QUERIES = 50_000  # of FAISS: beyond that it gets a part of the rows as queries, and its time is scaled up
_SAMPLE_QUERIES = 5_000  # so many at least tell with how many probes FAISS finds what entropyguard finds
_ROUNDING = 1e-5  # FAISS sums in float32: so close to the floor either answer is right

Ints = npt.NDArray[np.int64]


def embed(texts: Sequence[str] | None, rows: int, work: Path) -> Path:
    """The embeddings.parquet of texts, from MiniLM; or of made ones, from a static model of 256 dimensions."""
    file = write_rows(work / "rows.jsonl", texts or made_texts(rows))
    flags = [] if texts else ["--model-name", write_static_model(work / "model")]
    repo = make_repo(work / "repo", file, *flags)
    switch_near_off(repo)
    for stage in ("ingest", "exact_dedup", "near_dedup", "embed"):
        run_stage(repo, stage)
    return repo / "embeddings.parquet"


def time_pairs(embeddings: Path, work: Path) -> None:
    """Print a table of the searches over the first window of each row of an embeddings.parquet.

    FAISS by lists looks into as many lists as it takes to find the share of a sample's pairs that entropyguard
    finds, twice as many at each try; it ends where FAISS flat is faster. By processor time, as the last ratio: on a
    shared machine the clock tells what others do.
    """
    searches = _Searches(_first_windows(embeddings, work / "first.parquet"), work)
    asked = searches.asked(searches.every)
    flat = searches.run("faiss", searches.every)
    print(f"FAISS flat: {flat.seconds:.1f} s, {flat.processor:.1f} of processor time", flush=True)
    ours = searches.run("entropyguard").of(asked)
    probes = _probes_for(searches, flat, ours)
    ivf = searches.run("faiss-ivf", searches.every, probes)
    part = f", {len(asked) / len(searches.rows):.0%} of the queries" if searches.every > 1 else ""
    lines = []
    for label, found in (
        (f"FAISS flat range_search{part}", flat),
        (f"FAISS IVF, {searches.lists:,} lists, {probes} probes{part}", ivf),
        ("entropyguard", ours),
    ):
        recall = found.recall(flat)
        if len(np.setdiff1d(found.clear, flat.pairs)) or (found is ours and recall < _LEAST_RECALL):
            raise SystemExit(f"{label}: {recall:.4f} of the pairs of FAISS flat, {len(found.clear):,} in all; no match")
        numbers = [f"{len(found.clear):,}", f"{recall:.4f}", f"{found.seconds:.1f}", f"{found.processor:.1f}"]
        lines.append([label, *numbers, f"{flat.processor / found.processor:.2f}", megabytes(found.peak_bytes)])
    title = f"Pairs at or above {FLOOR} among {len(searches.rows):,} vectors of {searches.dimensions} dimensions"
    header = ["search", "pairs", "recall", "seconds", "processor s", "times less", "peak MB"]
    print_table(title, header, lines)


@dataclass(frozen=True)
class _Found:
    """The pairs a search found, each as one number, the later row in its high half; and what it took for all rows.

    clear: those that are more than a rounding above the floor; seconds, processor: by the clock and of all threads.
    """

    pairs: Ints
    clear: Ints
    seconds: float
    processor: float
    peak_bytes: int

    def of(self, rows: Ints) -> _Found:
        """The pairs whose later row is one of these."""
        pairs, clear = (keys[np.isin(keys >> 32, rows)] for keys in (self.pairs, self.clear))
        return dataclasses.replace(self, pairs=pairs, clear=clear)

    def recall(self, reference: _Found) -> float:
        """The share of the clear pairs of another search that this one found."""
        return float(np.isin(reference.clear, self.pairs).sum()) / max(1, len(reference.clear))


class _Searches:
    """The searches of tools/search.py over an embeddings.parquet, each in a process of its own.

    every: FAISS is asked about each so many-th row; lists: twice the root of the rows.
    """

    def __init__(self, embeddings: Path, work: Path) -> None:
        vectors = pq.read_table(embeddings, columns=["row_id", "vector"])
        self.dimensions = vectors.schema.field("vector").type.list_size
        self.rows: Ints = vectors["row_id"].to_numpy()
        self.every = -(-len(self.rows) // _MOST_QUERIES)
        self.lists = round(2 * math.sqrt(len(self.rows)))
        self._embeddings, self._work = embeddings, work

    def asked(self, every: int) -> Ints:
        """The row ids that FAISS is asked about."""
        return self.rows[::every]

    def run(self, tool: str, every: int = 1, probes: int = 1) -> _Found:
        """What a tool found of the rows asked about; its time scaled up to all rows."""
        out = self._work / f"{tool}.parquet"
        command: list[str | Path] = [sys.executable, TOOLS / "search.py", tool, self._embeddings, out]
        numbers = {"--floor": FLOOR, "--every": every, "--lists": self.lists, "--probes": probes}
        measured = measure([*command, *(str(part) for flag in numbers.items() for part in flag)])
        took = json.loads(measured.stdout)
        times = len(self.rows) / len(self.asked(every))
        seconds, processor = np.array(took["preparing"]) + np.array(took["searching"]) * times
        table = pq.read_table(out)
        pairs = (table["row_b"].to_numpy() << 32) + table["row_a"].to_numpy()
        clear = pairs[table["similarity"].to_numpy() >= FLOOR + _ROUNDING]
        return _Found(pairs, clear, seconds, processor, measured.peak_bytes)


def _probes_for(searches: _Searches, flat: _Found, ours: _Found) -> int:
    """The first power of two of probes with which FAISS finds as many of the sample's pairs as entropyguard.

    Or the last with which it is faster than FAISS flat.
    """
    every = searches.every * max(1, len(searches.rows) // searches.every // _SAMPLE_QUERIES)
    sample = searches.asked(every)
    reference = flat.of(sample)
    wanted, probes = ours.of(sample).recall(reference), 1
    while True:
        found = searches.run("faiss-ivf", every, probes)
        recall = found.recall(reference)
        took = f"{found.seconds:.1f} s, {found.processor:.1f} of processor time"
        print(f"FAISS IVF, {probes} probes: {recall:.4f} of {len(reference.clear):,} pairs, {took}", flush=True)
        if recall >= wanted or 2 * probes > searches.lists:
            return probes
        if found.processor > flat.processor:
            return max(1, probes // 2)
        probes *= 2


def _first_windows(embeddings: Path, out: Path) -> Path:
    """A copy with the first window of each row that has vectors: so every search sees the same."""
    from entropyguard.core.storage.checkpoint import Checkpoint
    from entropyguard.core.storage.parquet import TableWriter

    schema, about = pq.read_schema(embeddings), Checkpoint(embeddings).metadata
    with TableWriter(out, schema, about, plain=("vector",)) as writer:
        for table in Checkpoint(embeddings).tables():
            writer.write(table.filter(pc.and_(pc.equal(table["window"], 0), pc.is_valid(table["vector"]))))
    return out
