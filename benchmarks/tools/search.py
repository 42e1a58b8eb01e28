"""Finds the similar pairs of an embeddings.parquet with one library: `python search.py TOOL EMBEDDINGS OUT.parquet`.

Prints the seconds from opening the file to having written the pairs, without imports, as JSON. OUT has the columns
row_a < row_b and similarity, of all pairs at or above --floor.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_QUERY_ROWS = 8_192


def entropyguard(embeddings: Path, out: Path, floor: float, every: int) -> float:  # noqa: ARG001  searches them all
    """The function behind the similar_pairs stage, with nothing kept from an earlier search."""
    from entropyguard.core.pairs.similar_pairs import find_similar_pairs
    from entropyguard.core.params import Params

    params = Params.load(Path(__file__).parents[2] / "params.yaml").search
    start = time.perf_counter()
    search = dataclasses.replace(params, floor=floor)
    find_similar_pairs(embeddings, out, search, None, 4_000_000_000, lambda *_: None)
    return time.perf_counter() - start


def faiss(embeddings: Path, out: Path, floor: float, every: int) -> float:
    """IndexFlatIP and range_search over all rows, 8,192 queries at a time; of these blocks each `every`th."""
    import faiss as library

    start = time.perf_counter()
    table = pq.read_table(embeddings, columns=["row_id", "vector"])
    table = table.filter(pc.is_valid(table["vector"]))
    rows = table["row_id"].to_numpy()
    vectors = np.concatenate([chunk.flatten().to_numpy() for chunk in table["vector"].chunks]).reshape(len(rows), -1)
    index: Any = library.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    found = []
    for first in range(0, len(rows), _QUERY_ROWS * every):
        queries = vectors[first : first + _QUERY_ROWS]
        ends, similarity, column = index.range_search(queries, floor)
        row = np.repeat(np.arange(first, first + len(queries)), np.diff(ends).astype(np.int64))
        once = column < row
        found.append((rows[column[once]], rows[row[once]], similarity[once]))
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    pq.write_table(pa.table(columns, names=["row_a", "row_b", "similarity"]), out)
    return time.perf_counter() - start


TOOLS = {"entropyguard": entropyguard, "faiss": faiss}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--floor", type=float, default=0.9)
    parser.add_argument("--every", type=int, default=1)
    arguments = parser.parse_args()
    search = TOOLS[arguments.tool]
    print(json.dumps({"seconds": search(arguments.embeddings, arguments.out, arguments.floor, arguments.every)}))


if __name__ == "__main__":
    main()
