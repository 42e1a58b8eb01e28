"""What screening costs and saves, by a fixed model: a function of the data, never of a clock or of the machine.

The unit is a token through a small transformer, 21 million floating-point operations. Larger models make screening
pay sooner; that is not counted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from entropyguard.core.calibration import MOST_DRAWN, SAMPLE_ROWS
from entropyguard.core.ivf_training import lists_for

WORTH = 0.8
"""Screening is applied where it is to take at most this share of what embedding all rows takes."""

_CHARACTERS_PER_TOKEN, _AROUND_A_TEXT = 4, 2
_TOKEN_ALONE = 4  # a window of one token has so many, padded
_MOST_AT_FIRST = 0.3  # of what embedding all takes may go into finding out whether screening pays
_PRODUCT = 5e-5  # of two static vectors, compared and all
_STATIC_ROW = 0.5  # tokenising a row and summing its tokens' vectors
_LISTS_PROBED = 32


def rough_tokens(characters: int, rows: int) -> int:
    """About how many tokens so many characters in so many rows are."""
    return characters // _CHARACTERS_PER_TOKEN + rows * _AROUND_A_TEXT


def worth_a_sample(tokens: int, rows: int, vocabulary: int) -> bool:
    """Whether screening can pay for so many tokens in so many rows, before anything of it is done."""
    scored = 2 * MOST_DRAWN * tokens / max(1, rows)
    return _TOKEN_ALONE * vocabulary + scored <= _MOST_AT_FIRST * tokens


def share_of_all(
    tokens: npt.NDArray[np.int64], share: float, vocabulary: int, pairs_scored: int, *, exhaustive: bool
) -> float:
    """What embedding a `share` of the tokens and screening take, as a share of what embedding all takes.

    tokens: of each row. exhaustive: whether every pair of static vectors is looked at.
    """
    rows, total = len(tokens), float(tokens.sum())
    lists = lists_for(rows)
    products = rows * rows / 2 if exhaustive else rows * (lists + _LISTS_PROBED * rows / lists)
    products += 2 * min(rows, SAMPLE_ROWS) * rows
    scored = 2 * pairs_scored * total / max(1, rows)
    return share + (_TOKEN_ALONE * vocabulary + _STATIC_ROW * rows + _PRODUCT * products + scored) / max(1.0, total)
