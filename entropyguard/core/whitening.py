"""Vectors spread out: what most texts of a corpus have in common is taken back, so that a cosine says more.

Centred, and each principal axis scaled by a power of its variance, part of the way to whitening (Su et al., Whitening
sentence representations for better semantics and faster retrieval, 2021). Rounded to whole numbers before every sum,
so that no bit hangs on the order of summing, or on threads.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from entropyguard.core.distil import as_whole, rounded_unit

_POWER = 0.2  # 0 only centres, 0.5 whitens; around this few rows reach the static cosine that most similar pairs have
_LEAST_VARIANCE = 1e-6  # of the largest
_STEPS = 1 << 14  # to which the largest weight is rounded
_ROWS_AT_ONCE = 8_192

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def spread_out(vectors: Floats, sample: Ints) -> None:
    """Spread static vectors out in place, by what is common among a sample of them."""
    if len(sample) < 2:
        return
    common = np.rint(as_whole(vectors[sample]).mean(axis=0, dtype=np.float64))
    weights = _weights(as_whole(vectors[sample]).astype(np.float64) - common)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        vectors[part] = rounded_unit((as_whole(vectors[part]) - common) @ weights)


def _weights(centred: Doubles) -> Doubles:
    """The axes of whole-numbered rows, each as whole numbers and by its weight: (dimensions, axes)."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1):  # the same axes to the last bit, however many threads the run may use
        variance, axes = np.linalg.eigh(centred.T @ centred)
    scaled = axes * np.maximum(variance, max(1.0, _LEAST_VARIANCE * variance[-1])) ** -_POWER
    whole: Doubles = np.rint(scaled * (_STEPS / np.abs(scaled).max()))
    return whole
