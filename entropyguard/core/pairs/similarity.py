"""The similarity of two rows: one number, whoever computes it and whatever is computed beside it.

Stored and compared are whole millionths of the dot product of the float32 unit vectors, taken in float64.
"""

from __future__ import annotations

import numpy as np

from entropyguard.core.arrays import Bools, Doubles, Floats, Indexes, Millionths

MILLIONTHS = 1_000_000
_GATHER_PAIRS = 256  # as many as fit in a core's cache
# Any order of summing stays this close to the true dot product, in millionths: 1e-12, where 1e-13 would do.
_UNSURE = 1e-6


def pair_similarity(vectors: Floats, left: Indexes, right: Indexes) -> Millionths:
    """The similarity of `vectors[left[k]]` and `vectors[right[k]]`, for each k."""
    result = np.empty(len(left), dtype=np.int32)
    for start in range(0, len(left), _GATHER_PAIRS):
        part = slice(start, start + _GATHER_PAIRS)
        one, other = vectors[left[part]].astype(np.float64), vectors[right[part]].astype(np.float64)
        result[part] = _settle(np.einsum("ij,ij->i", one, other), one, other)
    return result


def may_reach(vectors: Floats, left: Indexes, right: Indexes, floor: float) -> Bools:
    """Which pairs of unit vectors may have a similarity of `floor` or more: all that have, and next to no others.

    In float32: half the time of `pair_similarity`.
    """
    result = np.empty(len(left), dtype=np.bool_)
    least = np.float32(floor - float32_margin(vectors.shape[1]))
    for start in range(0, len(left), _GATHER_PAIRS):
        part = slice(start, start + _GATHER_PAIRS)
        result[part] = np.einsum("ij,ij->i", vectors[left[part]], vectors[right[part]]) >= least
    return result


def float32_margin(dimensions: int) -> float:
    """How far below a floor, in float32, the product of two unit vectors may be whose similarity reaches it.

    Summing d products errs by at most d * 2^-24 for unit vectors (Higham, Accuracy and Stability of Numerical
    Algorithms, 3.5); twice that, and the rounding to millionths.
    """
    return dimensions * 2.0**-23 + 2e-6


def block_similarity(rows: Floats, columns: Floats) -> Millionths:
    """The similarity of each of `rows` to each of `columns`, shape (rows, columns); the same as pair by pair."""
    one, other = rows.astype(np.float64), columns.astype(np.float64)
    return _settle(one @ other.T, one, other)


def _settle(dots: Doubles, one: Doubles, other: Doubles) -> Millionths:
    """Round to millionths; where the last bits of a sum could turn the rounding, sum again in a fixed order.

    Products of two float32 are exact in float64, so only the order of summing differs between a product of
    matrices, its blocks, its threads and its CPU. `dots` is of pairs of rows, or of all rows with all others.
    """
    scaled = dots * MILLIONTHS
    rounded = np.rint(scaled)
    unsure = np.nonzero(np.abs(np.abs(scaled - rounded) - 0.5) < _UNSURE)
    for start in range(0, len(unsure[0]), _GATHER_PAIRS):
        some = tuple(axis[start : start + _GATHER_PAIRS] for axis in unsure)
        rounded[some] = np.rint(halving_sum(one[some[0]] * other[some[-1]]) * MILLIONTHS)
    return rounded.astype(np.int32)


def halving_sum(products: Doubles) -> Doubles:
    """The sum of each row, adding the second half to the first until one column is left: the same bits anywhere."""
    while (width := products.shape[1]) > 1:
        half = width // 2
        summed = products[:, :half] + products[:, half : 2 * half]
        if width % 2:
            summed[:, 0] += products[:, -1]
        products = summed
    return products[:, 0]
