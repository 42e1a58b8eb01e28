"""Made embeddings for the tests of the search, and the answer by brute force."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.pairs.candidates import SEARCH_SIZES, SearchSizes
from entropyguard.core.pairs.similar_pairs import SimilarCounts, find_similar_pairs
from entropyguard.core.params import SearchParams
from entropyguard.core.pool.pool import InlinePool, Pool
from entropyguard.core.progress import silent
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore

Floats = npt.NDArray[np.float32]
Pair = tuple[int, int, float]

BIG = 1 << 30
DIMENSIONS = 5


def unit(rows: npt.ArrayLike) -> Floats:
    vectors = np.array(rows, dtype=np.float32)
    lengths: Floats = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, dtype=np.float32)


def clustered(rows: int, seed: int = 0, dimensions: int = DIMENSIONS, centres: int = 5) -> Floats:
    """Unit vectors of which many are near one of some centres."""
    rng = np.random.default_rng(seed)
    middles = rng.standard_normal((centres, dimensions))
    noise = rng.standard_normal((rows, dimensions)) * rng.choice([0.0, 0.05, 0.2, 1.0], (rows, 1))
    return unit(middles[rng.integers(0, centres, rows)] + noise)


def write_vectors(path: Path, vectors: Floats, skipped: dict[int, str] | None = None) -> Path:
    """An embeddings checkpoint of texts of one window; those that are skipped have no vector."""
    reasons = skipped or {}
    return write_texts(path, [reasons.get(at, vectors[at : at + 1]) for at in range(len(vectors))], vectors.shape[1])


def write_texts(path: Path, texts: Sequence[Floats | str], dimensions: int = DIMENSIONS) -> Path:
    """An embeddings checkpoint: of each text its windows, or why it is skipped. Row ids are three times the place."""
    lines = [
        {"row_id": 3 * at, "window": window, "key": b"k" * 16, "vector": vector, "skipped": reason}
        for at, text in enumerate(texts)
        for window, vector, reason in (
            [(0, None, text)] if isinstance(text, str) else [(*pair, None) for pair in enumerate(text.tolist())]
        )
    ]
    columns = {"row_id": pa.int64(), "window": pa.int32(), "skipped": pa.string(), "key": pa.binary(16)}
    schema = pa.schema([*columns.items(), ("vector", pa.list_(pa.float32(), dimensions))])
    about = {"dimension": dimensions, "max_windows": 16}
    with TableWriter(path, schema, about) as writer:
        for start in range(0, len(lines), 10):
            writer.write(pa.Table.from_pylist(lines[start : start + 10], schema=schema))
            writer._flush()
    return path


def exhaustive(floor: float = 0.9) -> SearchParams:
    return SearchParams(floor=floor, target_recall=0.995, exact_below_rows=1_000_000)


def by_lists(floor: float = 0.9, target_recall: float = 0.995) -> SearchParams:
    return SearchParams(floor=floor, target_recall=target_recall, exact_below_rows=0)


def search(
    embeddings: Path,
    store: PartStore | None = None,
    params: SearchParams | None = None,
    max_memory: int = BIG,
    threads: int | None = None,
    sizes: SearchSizes = SEARCH_SIZES,
    pool: Pool | None = None,
) -> tuple[SimilarCounts, bytes]:
    out = embeddings.parent / "pairs.parquet"
    counts = find_similar_pairs(
        Checkpoint(embeddings),
        out,
        params or exhaustive(),
        store,
        max_memory,
        silent,
        pool or InlinePool(),
        threads,
        sizes,
    )
    return counts, out.read_bytes()


def stored_pairs(folder: Path) -> list[Pair]:
    return [
        (row["row_a"], row["row_b"], row["similarity"])
        for table in Checkpoint(folder / "pairs.parquet").tables()
        for row in table.to_pylist()
    ]


def brute_force(vectors: Floats, floor: float) -> list[Pair]:
    return brute_force_texts([vector[None] for vector in vectors], floor)


def brute_force_texts(texts: Sequence[Floats | str], floor: float) -> list[Pair]:
    """The least similarity of window i and window i of texts of equally many windows, by (row_b, row_a)."""
    found = []
    for b, one in enumerate(texts):
        for a, other in enumerate(texts[:b]):
            if isinstance(one, str) or isinstance(other, str) or len(one) != len(other):
                continue
            both = zip(one.astype(np.float64), other.astype(np.float64), strict=True)
            similarity = min(round(float(left @ right), 6) for left, right in both)
            if similarity >= floor:
                found.append((3 * a, 3 * b, similarity))
    return found
