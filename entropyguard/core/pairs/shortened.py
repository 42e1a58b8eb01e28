"""Shorter vectors that stand for long ones: their products are never below those of the long ones.

A unit vector is turned so that its first numbers hold most of what there is in these vectors (principal axes), and
what is left of it shrinks to its length, one number more. By the inequality of Cauchy and Schwarz the product of two
rests is at most that of their lengths. So a pair below the floor by its short vectors is below it, whatever the
numbers that were left out; few others have to be scored. Li, Chan, Yiu & Mamoulis, FEXIPRO, 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from entropyguard.core.arrays import Doubles, Floats

MARGIN = 2e-6
"""A product of short vectors, but for its own rounding, is at least that of the long ones less this."""

_WORTH_IT_ROWS = 8_192  # below, finding the axes takes longer than it saves
_AXES_ROWS = 8_192
_LEFT_ROWS, _RIGHT_ROWS = 512, 2_048  # whose pairs tell how many would have to be scored
_STEP = 16  # kernels of matrix products take as many numbers at a time
_SCORING_COST = 32_768  # one pair, in numbers of a short vector
_REST_ERROR = 1e-7  # what float64 may take off the length of a rest that is next to nothing


@dataclass(frozen=True)
class Shortening:
    """axes: the directions that are kept, shape (dimensions, width - 1)."""

    axes: Doubles

    @property
    def width(self) -> int:
        """Numbers in a short vector."""
        return int(self.axes.shape[1]) + 1

    def __call__(self, vectors: Floats) -> Floats:
        """Short vectors of shape (rows, width): unit vectors too, up to rounding."""
        exact = vectors.astype(np.float64)
        kept = exact @ self.axes
        rest = np.einsum("ij,ij->i", exact, exact) - np.einsum("ij,ij->i", kept, kept)
        return np.column_stack([kept, np.sqrt(np.maximum(rest, 0)) + _REST_ERROR]).astype(np.float32)


def shortening_for(vectors: Floats, floor: float) -> Shortening | None:
    """The shortening with which a search for pairs at or above `floor` costs least; None where none is worth it.

    Judged by some of the vectors. Which one it is shows in no result.
    """
    rows, dimensions = vectors.shape
    if rows < _WORTH_IT_ROWS or dimensions <= 2 * _STEP:
        return None
    axes = _principal_axes(_some(vectors, _AXES_ROWS, 0))
    left, right = (_some(vectors, count, shift) @ axes for shift, count in enumerate((_LEFT_ROWS, _RIGHT_ROWS)))
    best, least_cost = None, float(dimensions)
    for width, passing in _passing(left, right, floor):
        cost = width + _SCORING_COST * passing
        if cost < least_cost:
            best, least_cost = width, cost
        if width + _STEP >= least_cost:
            break
    return None if best is None else Shortening(np.ascontiguousarray(axes[:, : best - 1]))


def _some(vectors: Floats, count: int, shift: int) -> Doubles:
    """So many of the vectors, from all over."""
    return vectors[shift :: max(1, len(vectors) // count)][:count].astype(np.float64)


def _principal_axes(vectors: Doubles) -> Doubles:
    """The axes along which the vectors have most of their length, one a column, the first of all first."""
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    return axes[:, ::-1]


def _passing(left: Doubles, right: Doubles, floor: float) -> Iterator[tuple[int, float]]:
    """For each width of short vectors, the share of the pairs that would have to be scored."""
    product = np.zeros((len(left), len(right)))
    start = 0
    for width in range(2 * _STEP, left.shape[1], _STEP):
        product += left[:, start : width - 1] @ right[:, start : width - 1].T
        start = width - 1
        rests = (np.linalg.norm(turned[:, start:], axis=1) for turned in (left, right))
        yield width, float(np.mean(product + np.outer(*rests) >= floor))
