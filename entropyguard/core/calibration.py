"""How similar must the static vectors of two rows be, so that few similar pairs have less? Measured on a sample.

Pairs of a sampled row and any other are counted by their static cosine. From each range of it a few are drawn and
scored by the model itself; a logistic curve through these (Cox, The regression analysis of binary sequences, 1958),
each weighted by the pairs it stands for, tells how many similar ones there are where too few were drawn to find any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from entropyguard.core.distil import SCALE, as_whole

SAMPLE_ROWS = 2_048
BINS = 30
LEAST = 0.4
"""No pair of a lower static cosine is taken for similar."""

_WIDTH = (1 - LEAST) / BINS
_DRAWN = 128  # pairs of each range
MOST_DRAWN = BINS * _DRAWN
_ROWS_AT_ONCE, _COLUMNS_AT_ONCE = 256, 16_384
_RIDGE, _STEPS, _SMALLEST_STEP = 1e-8, 100, 1e-6
_MIDDLE = 0.8  # so that the coefficients hardly hang on each other

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Counted:
    """Pairs of the sampled rows by static cosine, and some of them.

    counts: of each range, from `LEAST` up. nearest: of each sampled row, its highest static cosine to another row.
    bins, one, other: the pairs drawn, by range and position.
    """

    counts: Ints
    nearest: Doubles
    bins: Ints
    one: Ints
    other: Ints


@dataclass(frozen=True)
class Threshold:
    """A static cosine; `recall`: the share of the similar pairs that reach it, as estimated; `pairs`: their number."""

    cosine: float
    recall: float
    pairs: float


def sampled(keys: Keys, most: int = SAMPLE_ROWS) -> Ints:
    """Up to `most` positions, ascending: those whose texts have the lowest hashes.

    So appended rows, or another order, hardly change the sample.
    """
    if len(keys) <= most:
        return np.arange(len(keys))
    return np.sort(np.argpartition(_mixed(keys), most)[:most])


def count_pairs(vectors: Floats, keys: Keys, sample: Ints) -> Counted:
    """Compare the sampled rows with all rows. vectors: static ones (see `distil`); keys: a hash of each text."""
    counts, nearest = np.zeros(BINS, dtype=np.int64), np.full(len(sample), -1.0)
    drawn, own = _Drawn(), as_whole(vectors[sample])
    for column in range(0, len(vectors), _COLUMNS_AT_ONCE):
        others = as_whole(vectors[column : column + _COLUMNS_AT_ONCE]).T
        for start in range(0, len(sample), _ROWS_AT_ONCE):
            rows = sample[start : start + _ROWS_AT_ONCE]
            products = own[start : start + _ROWS_AT_ONCE] @ others
            here = np.flatnonzero((rows >= column) & (rows < column + products.shape[1]))
            products[here, rows[here] - column] = -1
            part = nearest[start : start + len(rows)]
            np.maximum(part, products.max(axis=1) / SCALE**2, out=part)
            row, other = np.divmod(np.flatnonzero(products >= LEAST * SCALE**2), products.shape[1])
            bins = np.minimum(((products[row, other] / SCALE**2 - LEAST) / _WIDTH).astype(np.int64), BINS - 1)
            counts += np.bincount(bins, minlength=BINS)
            drawn.offer(bins, rows[row], other + column, _mixed(keys[rows[row]] ^ _mixed(keys[other + column])))
    return Counted(counts, nearest, drawn.bins, drawn.one, drawn.other)


class _Drawn:
    """Of all pairs offered those with the lowest hashes, `_DRAWN` of each range: as if drawn at random."""

    def __init__(self) -> None:
        nothing = np.empty(0, dtype=np.int64)
        self.bins, self.one, self.other = nothing, nothing, nothing
        self._hashes: Keys = nothing.astype(np.uint64)
        self._highest = np.full(BINS, np.iinfo(np.uint64).max, dtype=np.uint64)

    def offer(self, bins: Ints, one: Ints, other: Ints, hashes: Keys) -> None:
        low = np.flatnonzero(hashes < self._highest[bins])  # most are above, and sorting them would take long
        bins, one = np.concatenate([self.bins, bins[low]]), np.concatenate([self.one, one[low]])
        other, hashes = np.concatenate([self.other, other[low]]), np.concatenate([self._hashes, hashes[low]])
        order = np.lexsort((hashes, bins))
        place = np.arange(len(order)) - np.searchsorted(bins[order], bins[order])
        kept = order[place < _DRAWN]
        self.bins, self.one, self.other, self._hashes = bins[kept], one[kept], other[kept], hashes[kept]
        full = order[place == _DRAWN - 1]
        self._highest[bins[full]] = hashes[full]


def choose(counted: Counted, similar: npt.NDArray[np.bool_], target_recall: float) -> Threshold:
    """The highest threshold that by the estimate leaves out no more similar pairs than the target allows.

    similar: whether the model finds each pair that was drawn similar.
    """
    stands_for = counted.counts / np.maximum(np.bincount(counted.bins, minlength=BINS), 1)
    share = _curve(_middles()[counted.bins], similar.astype(np.float64), stands_for[counted.bins])
    expected = counted.counts * share(_middles())
    missed = np.cumsum(expected) - expected  # by taking the lower end of each range for the threshold
    recall = 1 - missed / expected.sum()
    at = int(np.flatnonzero(recall >= target_recall).max(initial=0))
    return Threshold(round(LEAST + at * _WIDTH, 6), round(float(recall[at]), 6), round(float(expected.sum()), 1))


def _middles() -> Doubles:
    middles: Doubles = LEAST + (np.arange(BINS, dtype=np.float64) + 0.5) * _WIDTH
    return middles


def _curve(cosines: Doubles, similar: Doubles, weights: Doubles) -> Callable[[Doubles], Doubles]:
    """The share of similar pairs by static cosine: a logistic curve, of second degree unless that makes it turn up.

    weights: how many pairs each of those drawn stands for.
    """
    for degree in (2, 1):
        powers = np.arange(degree + 1)
        coefficients = _most_likely(_terms(cosines, powers), similar, weights / weights.mean())
        if degree == 1 or coefficients[2] <= 0:
            break
    return lambda at: _sigmoid(_dot(_terms(at, powers), coefficients))


def _terms(cosines: Doubles, powers: npt.NDArray[np.integer[Any]]) -> Doubles:
    terms: Doubles = (cosines[:, None] - _MIDDLE) ** powers
    return terms


def _most_likely(terms: Doubles, similar: Doubles, weights: Doubles) -> Doubles:
    """The coefficients of greatest likelihood, by Newton's method with halved steps where it would get worse."""
    found: Doubles = np.zeros(terms.shape[1])

    def likelihood(coefficients: Doubles) -> float:
        share = np.clip(_sigmoid(_dot(terms, coefficients)), 1e-15, 1 - 1e-15)
        told = similar * np.log(share) + (1 - similar) * np.log1p(-share)
        return float((weights * told).sum() - _RIDGE * (coefficients**2).sum())

    for _ in range(_STEPS):
        share = _sigmoid(_dot(terms, found))
        slope = (terms * (weights * (similar - share))[:, None]).sum(axis=0) - 2 * _RIDGE * found
        bend = (terms[:, :, None] * terms[:, None, :] * (weights * share * (1 - share))[:, None, None]).sum(axis=0)
        step = np.linalg.solve(bend + 2 * _RIDGE * np.eye(len(found)), slope)
        while np.abs(step).max() > _SMALLEST_STEP and likelihood(found + step) < likelihood(found):
            step = step / 2
        found = found + step
        if np.abs(step).max() <= _SMALLEST_STEP:
            break
    return found


def _dot(terms: Doubles, coefficients: Doubles) -> Doubles:
    """As terms @ coefficients, in an order of summing that hangs on no library."""
    total: Doubles = (terms * coefficients).sum(axis=1)
    return total


def _sigmoid(values: Doubles) -> Doubles:
    result: Doubles = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return result


def _mixed(numbers: Keys) -> Keys:
    """A number for each number, as if at random (the last step of splitmix64: Steele, Lea & Flood, 2014)."""
    mixed = numbers
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
