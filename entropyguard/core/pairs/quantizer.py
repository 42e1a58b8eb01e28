"""The quantizer of an inverted file: centroids that cut unit vectors into lists of neighbours.

k-means by FAISS, in whole numbers: coordinates are rounded to 1/2,000, centroids after each round (`int_centroids`).
Then every sum that makes up a distance is below 2^24, which float32 holds exactly, and so is every product with a
finished centroid, in 1/4,000 (a part of it is at most the product of the lengths). So the lists have the same bits on
any CPU, with any library of matrix products, and with any number of threads. FAISS's spherical k-means of unit vectors
gives them not: its last bits depend on the processor's instructions, and without SIMD 1,330 of 145,000 rows went to
another list (docs/speed.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Floats, Int32s
from entropyguard.core.pairs.similarity import halving_sum

_SCALE = 4_000
_TRAINING_SCALE = 2_000  # a squared distance is up to four times a squared length
_SAMPLE_ROWS_PER_LIST = 64
_ROUNDS = 6
_SEED = 20_111_129
# Seeds far apart, so that a crowd of near-identical rows is no place for two lists with the border between them;
# closer ones only where the rows are all so close.
_SEED_COSINES = (0.6, 0.7, 0.8, 0.9)
_SEED_BLOCK = 512
_ROWS_AT_A_TIME = 4_096


@dataclass(frozen=True)
class Quantizer:
    """Centroids of lists: (lists, dimensions), whole numbers."""

    centroids: Floats

    def scores(self, vectors: Floats) -> Floats:
        """How near each vector is to each centroid, shape (vectors, lists): whole numbers, the highest nearest."""
        scores: Floats = _whole(vectors) @ self.centroids.T
        return scores

    def lists(self, vectors: Floats) -> Int32s:
        """The nearest list of each vector (ties: the first)."""
        found = [self.scores(vectors[part]).argmax(axis=1) for part in _parts(len(vectors))]
        return np.concatenate([np.empty(0, dtype=np.int32), *found]).astype(np.int32)

    def probed(self, vectors: Floats, probes: int) -> Bools:
        """Which lists to look into for each vector: the `probes` nearest, and others as near as the last of them.

        A list on the far side (a product of zero or less) is never among them.
        """
        scores = self.scores(vectors)
        last = max(0, scores.shape[1] - probes)
        least = np.partition(scores, last, axis=1)[:, last, None]
        nearest: Bools = scores >= np.maximum(least, 1)
        return nearest

    def to_table(self) -> pa.Table:
        """As a part to keep."""
        flat = pa.array(self.centroids.astype(np.int16).reshape(-1))
        return pa.table({"centroid": pa.FixedSizeListArray.from_arrays(flat, self.centroids.shape[1])})

    @classmethod
    def from_table(cls, table: pa.Table) -> Quantizer:
        """What `to_table` gave."""
        column = table["centroid"].combine_chunks()
        return cls(column.flatten().to_numpy().reshape(len(column), -1).astype(np.float32))


def trained_rows(rows: int) -> int:
    """How many rows, from the first on, a quantizer is trained on: growing data seldom needs another."""
    return 1 << (rows.bit_length() - 1)


def lists_for(rows: int) -> int:
    """How many lists suit `rows` rows, a power of two: about as many as a list then has rows."""
    return 1 << (rows.bit_length() // 2)


def train(vectors: Floats, threads: int | None = None) -> Quantizer:
    """A quantizer for these unit vectors, one at least; which one depends on them alone."""
    import faiss

    if threads is not None:
        faiss.omp_set_num_threads(threads)
    wanted = lists_for(len(vectors))
    # The streams of RandomState are frozen; those of default_rng may change with numpy's version.
    order = np.random.RandomState(_SEED).permutation(len(vectors))[: wanted * _SAMPLE_ROWS_PER_LIST]
    sample = np.empty((len(order), vectors.shape[1]), dtype=np.float32)
    for part in _parts(len(order)):
        sample[part] = _whole(vectors[order[part]], _TRAINING_SCALE)
    if not (directed := sample.any(axis=1)).all():  # a mean of vectors without a direction would be near to all
        sample = sample[directed]
    seeds = _seeds(sample, wanted)
    if len(sample) == 0:
        return Quantizer(seeds)
    # FAISS takes all of the sample, whatever its size.
    sizes = {"min_points_per_centroid": 1, "max_points_per_centroid": len(sample)}
    training: Any = faiss.Kmeans(sample.shape[1], len(seeds), niter=_ROUNDS, int_centroids=True, seed=_SEED, **sizes)
    training.train(sample, init_centroids=seeds)
    return Quantizer(_lengthened(training.centroids))


def _whole(vectors: Floats, scale: int = _SCALE) -> Floats:
    whole: Floats = np.rint(vectors * np.float32(scale))
    return whole


def _parts(rows: int) -> Iterator[slice]:
    return (slice(start, min(rows, start + _ROWS_AT_A_TIME)) for start in range(0, rows, _ROWS_AT_A_TIME))


def _seeds(sample: Floats, wanted: int) -> Floats:
    """Rows of the sample to start from; of an empty one zeros."""
    seeds = sample[:1] if len(sample) else np.zeros((1, sample.shape[1]), dtype=np.float32)
    for cosine in _SEED_COSINES:
        apart = _apart(sample, wanted, cosine * _TRAINING_SCALE**2)
        if len(apart):
            seeds = apart
        if len(seeds) == wanted:
            break
    return seeds


def _apart(sample: Floats, wanted: int, least: float) -> Floats:
    """The first rows of the sample of which no two have a product of `least` or more, `wanted` at most."""
    seeds = np.empty((0, sample.shape[1]), dtype=np.float32)
    for start in range(0, len(sample), _SEED_BLOCK):
        block = sample[start : start + _SEED_BLOCK]
        near, taken = np.asarray(block @ block.T >= least), []
        ruled_out = np.any(block @ seeds.T >= least, axis=1)
        for row in range(len(block)):
            if not ruled_out[row]:
                taken.append(row)
                ruled_out |= near[row]
        seeds = np.concatenate([seeds, block[taken]])[:wanted]
        if len(seeds) == wanted:
            break
    return seeds


def _lengthened(means: Floats) -> Floats:
    """The means as whole numbers of length `_SCALE`; a mean of zero stays."""
    exact = means.astype(np.float64)
    lengths = np.sqrt(halving_sum(exact * exact))
    lengths[lengths == 0] = 1
    centroids: Floats = np.rint(exact / lengths[:, None] * _SCALE).astype(np.float32)
    return centroids
