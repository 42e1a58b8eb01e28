"""Finds the similar pairs of an embeddings.parquet with one library: `python search.py TOOL EMBEDDINGS OUT.parquet`.

Prints the seconds from opening the file to having written the pairs, without imports, as JSON, and how many of them
had passed before the first row was looked up. OUT has the columns row_a < row_b and similarity, of all pairs at or
above --floor; from FAISS those whose later row is among each --every-th.
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


@dataclasses.dataclass(frozen=True)
class Seconds:
    """What a search took in all, and the part of it that does not grow with the rows looked up."""

    seconds: float
    preparing: float


def entropyguard(embeddings: Path, out: Path, arguments: argparse.Namespace) -> Seconds:
    """The function behind the similar_pairs stage, with nothing kept from an earlier search; looks all rows up."""
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs
    from entropyguard.core.params import Params
    from entropyguard.core.storage.checkpoint import Checkpoint

    params = Params.load(Path(__file__).parents[2] / "params.yaml").search
    start = time.perf_counter()
    search = dataclasses.replace(params, floor=arguments.floor)
    find_similar_pairs(Checkpoint(embeddings), out, search, None, 4_000_000_000, lambda *_: None)
    return Seconds(time.perf_counter() - start, 0)


def faiss(embeddings: Path, out: Path, arguments: argparse.Namespace) -> Seconds:
    """IndexFlatIP and range_search."""
    import faiss as library

    def build(vectors: Floats) -> Any:
        index: Any = library.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index

    return _range_search(build, embeddings, out, arguments)


def faiss_ivf(embeddings: Path, out: Path, arguments: argparse.Namespace) -> Seconds:
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
) -> Seconds:
    """Look each --every-th row up in the index, 8,192 at a time; of its pairs those with rows before it."""
    start = time.perf_counter()
    table = pq.read_table(embeddings, columns=["row_id", "vector"])
    table = table.filter(pc.is_valid(table["vector"]))
    rows = table["row_id"].to_numpy()
    vectors = np.concatenate([chunk.flatten().to_numpy() for chunk in table["vector"].chunks]).reshape(len(rows), -1)
    index = build(vectors)
    prepared = time.perf_counter()
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
    return Seconds(time.perf_counter() - start, prepared - start)


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
    took = TOOLS[arguments.tool](arguments.embeddings, arguments.out, arguments)
    print(json.dumps(dataclasses.asdict(took)))


if __name__ == "__main__":
    main()
