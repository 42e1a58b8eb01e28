"""A static model out of a transformer: one vector for each token, so that a text's is the sum of its tokens'.

Each token is embedded by itself, all are centred, and frequent ones weigh less (Tulkens & van Dongen, Model2Vec: Fast
State-of-the-Art Static Embeddings, 2024; the weights: Arora et al., A simple but tough-to-beat baseline for sentence
embeddings, 2017). Their reduction to fewer dimensions is left out: its bits hang on the number of threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.encoder import Encoder
from entropyguard.core.progress import Progress
from entropyguard.core.similarity import halving_sum
from entropyguard.core.tokens import Tokens
from entropyguard.core.vector_keys import token_keys
from entropyguard.core.vector_saver import VectorSaver
from entropyguard.core.vector_store import TOKENS, VectorStore

SCALE = 4_000
"""Coordinates of static vectors are multiples of 1 / SCALE. As whole numbers, float32 holds every part of a product of
two exactly: the parts stay below 2^24, whatever the order of summing."""

_FREQUENT = 1e-4
_TOKENS_AT_ONCE, _ROWS_AT_ONCE = 1 << 14, 8_192

Floats = npt.NDArray[np.float32]


def token_vectors(encoder: Encoder, tokens: Tokens, store: VectorStore, progress: Progress) -> Floats:
    """A float32 vector for each token of the encoder's vocabulary: (tokens, dimensions).

    tokens: a window for each token by itself, as `Encoder.single_tokens` gives them. What was distilled before comes
    from `store`, and what is new is saved there.
    """
    keys = token_keys(len(tokens.counts))
    known, found = store.find(keys)
    vectors = np.zeros((len(keys), encoder.dimension), dtype=np.float32)
    vectors[known] = found
    del found
    missing, done = np.flatnonzero(~known), 0
    with ThreadPoolExecutor(1) as background, VectorSaver(store, background, TOKENS) as saver:
        for positions, piece in encoder.encode(tokens, missing):
            vectors[positions] = piece
            saver.add(keys[positions], piece)
            done += len(positions)
            progress(done, len(missing))
        saver.save()
    if len(missing):
        store.put_whole(keys, vectors, TOKENS)
    # The tokens around each of them are those that the model wants around a text: they say nothing about it.
    around = np.setdiff1d(tokens.of(0), [0])
    return _weighted(vectors, around)


def _weighted(vectors: Floats, mute: npt.NDArray[np.int32]) -> Floats:
    """Centred, and by Zipf's law the less weight the lower a token's id: vocabularies begin with the frequent ones.

    In place. mute: tokens that count nothing.
    """
    share = 1 / np.arange(2, len(vectors) + 2)
    weight = _FREQUENT / (_FREQUENT + share / share.sum())
    weight[mute] = 0
    middle = vectors.mean(axis=0, dtype=np.float64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):  # a large vocabulary in float64 would be a gigabyte
        part = slice(start, start + _ROWS_AT_ONCE)
        vectors[part] = (vectors[part] - middle) * weight[part, None]
    return vectors


def static_vectors(table: Floats, tokens: Tokens, windows: npt.NDArray[np.int64]) -> Floats:
    """The static vector of each of these windows, of length 1 but for the rounding of its coordinates."""
    vectors = np.zeros((len(windows), table.shape[1]), dtype=np.float32)
    lengths = tokens.lengths()[windows]
    for start, end in _ranges(lengths):
        own = [tokens.of(window) for window in windows[start:end].tolist()]
        starts = np.cumsum(lengths[start:end]) - lengths[start:end]
        vectors[start:end] = np.add.reduceat(table[np.concatenate(own)], starts, axis=0)
    return rounded_unit(vectors)


def rounded_unit(vectors: npt.NDArray[Any]) -> Floats:
    """Vectors at unit length, their coordinates rounded to multiples of 1 / SCALE."""
    exact = vectors.astype(np.float64)
    length = np.sqrt(halving_sum(exact * exact))[:, None]
    # Vectors that cancel out have no direction: zero is similar to nothing.
    unit = np.divide(exact, length, out=np.zeros_like(exact), where=length > 0)
    result: Floats = (np.rint(unit * SCALE) / SCALE).astype(np.float32)
    return result


def as_whole(vectors: Floats) -> Floats:
    """Static vectors as whole numbers, `SCALE` times as long."""
    whole: Floats = np.rint(vectors * np.float32(SCALE))
    return whole


def _ranges(lengths: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Consecutive windows, of so many tokens together that their vectors stay small."""
    piece = np.cumsum(lengths) // _TOKENS_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), len(lengths)]
    return [(start, end) for start, end in pairwise(cuts) if end > start]
