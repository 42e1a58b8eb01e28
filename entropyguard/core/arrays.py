"""Names for the arrays that are handed around, by what an element is; and one helper.

Shapes are said where an array is made or asked for: (rows,) unless something else is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Int16s = npt.NDArray[np.int16]
Int32s = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]
UInt32s = npt.NDArray[np.uint32]
UInt64s = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.integer[Any]]
"""Whole numbers of any width, as what picks from another array."""

Hashes = UInt64s
"""128-bit hashes of normalised texts, shape (rows, 2), the high half first."""

Keys = UInt64s
"""Keys of windows, shape (windows, 2): the two halves of each digest as they come."""

Millionths = Int32s
"""Similarities as whole millionths of a cosine."""

_TOGETHER = 8


def flagged(flags: Bools) -> Ints:
    """What np.flatnonzero gives, in half its time where few of many flags are set: eight are looked at together."""
    whole = len(flags) // _TOGETHER * _TOGETHER
    some = np.flatnonzero(flags[:whole].view(np.uint64) != 0)
    within = np.flatnonzero(flags[:whole].reshape(-1, _TOGETHER)[some])
    positions = some[within // _TOGETHER] * _TOGETHER + within % _TOGETHER
    return positions if whole == len(flags) else np.concatenate([positions, np.flatnonzero(flags[whole:]) + whole])


def first_of_each(*sorted_keys: Indexes) -> Bools:
    """Whether each element of sorted arrays of equal length has another key than the one before; the first one has."""
    opens = np.ones(len(sorted_keys[0]), dtype=np.bool_)
    opens[1:] = np.any([key[1:] != key[:-1] for key in sorted_keys], axis=0)
    return opens
