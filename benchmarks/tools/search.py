"""Finds the similar pairs of an embeddings.parquet with one library: `python search.py TOOL EMBEDDINGS OUT.parquet`.

Prints as JSON the seconds from opening the file to having written the pairs, without imports, by the clock and of
processor time (of all threads); both for what comes before the first row is looked up, and for the rest. OUT has the
columns row_a < row_b and similarity, of all pairs at or above --floor; from FAISS those whose later row is among each
--every-th.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_QUERY_ROWS = 8_192

Floats = npt.NDArray[np.float32]


Moment = tuple[float, float]
"""By the clock, and of processor time."""


def now() -> Moment:
    return time.perf_counter(), time.process_time()


def entropyguard(embeddings: Path, out: Path, arguments: argparse.Namespace) -> list[Moment]:
    """The function behind the similar_pairs stage, with nothing kept from an earlier search; it looks all rows up."""
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs
    from entropyguard.core.params import Params
    from entropyguard.core.pool.pool import InlinePool
    from entropyguard.core.storage.checkpoint import Checkpoint

    params = Params.load(Path(__file__).parents[2] / "params.yaml").search
    search = dataclasses.replace(params, floor=arguments.floor)
    start = now()
    find_similar_pairs(Checkpoint(embeddings), out, search, None, 4_000_000_000, lambda *_: None, InlinePool())
    return [start, start, now()]


def faiss(embeddings: Path, out: Path, arguments: argparse.Namespace) -> list[Moment]:
    """IndexFlatIP and range_search."""
    import faiss as library

    def build(vectors: Floats) -> Any:
        index: Any = library.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    return _range_search(build, embeddings, out, arguments)


def faiss_ivf(embeddings: Path, out: Path, arguments: argparse.Namespace) -> list[Moment]:
    """IndexIVFFlat of --lists lists and range_search, --probes lists for each row looked up."""
    import faiss as library

    def build(vectors: Floats) -> Any:
        dimensions = vectors.shape[1]
        coarse: Any = library.IndexFlatIP(dimensions)
        index: Any = library.IndexIVFFlat(coarse, dimensions, arguments.lists, library.METRIC_INNER_PRODUCT)
        index.train(vectors)
        index.add(vectors)
        index.nprobe = arguments.probes
        return index

    return _range_search(build, embeddings, out, arguments)


def _range_search(
    build: Callable[[Floats], Any], embeddings: Path, out: Path, arguments: argparse.Namespace
) -> list[Moment]:
    """Look each --every-th row up in the index, 8,192 at a time; of its pairs those with rows before it.

    Returns the moments of the start, of the finished index, and of the end, as each tool does.
    """
    start = now()
    table = pq.read_table(embeddings, columns=["row_id", "vector"])
    table = table.filter(pc.is_valid(table["vector"]))
    rows = table["row_id"].to_numpy()
    vectors = np.concatenate([chunk.flatten().to_numpy() for chunk in table["vector"].chunks]).reshape(len(rows), -1)
    index = build(vectors)
    prepared = now()
    found = []
    asked = np.arange(0, len(rows), arguments.every)
    for first in range(0, len(asked), _QUERY_ROWS):
        some = asked[first : first + _QUERY_ROWS]
        ends, similarity, column = index.range_search(vectors[some], arguments.floor)
        row = np.repeat(some, np.diff(ends).astype(np.int64))
        once = column < row
        found.append((rows[column[once]], rows[row[once]], similarity[once]))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    pq.write_table(pa.table(columns, names=["row_a", "row_b", "similarity"]), out)
    return [start, prepared, now()]


TOOLS = {"entropyguard": entropyguard, "faiss": faiss, "faiss-ivf": faiss_ivf}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--floor", type=float, default=0.9)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--lists", type=int, default=1)
    parser.add_argument("--probes", type=int, default=1)
    arguments = parser.parse_args()
    start, prepared, end = TOOLS[arguments.tool](arguments.embeddings, arguments.out, arguments)
    took = {"preparing": np.subtract(prepared, start).tolist(), "searching": np.subtract(end, prepared).tolist()}
    print(json.dumps(took))


if __name__ == "__main__":
    main()
