"""What two texts differ in, to be told to people: from the texts themselves, by the rules that decided on them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import polars as pl

from entropyguard.core.near.verdict import MILLIONTHS, find_difference, similarity
from entropyguard.core.near.words import UNSPACED, Words


@dataclass(frozen=True)
class WordDiff:
    """The words that two texts do not share, in lower case and without punctuation.

    similarity: 1 less the share of the words of both that are missing or, at 0.4 each, misspelt. missing: words that
    only the other text has; extra: words that only this one has; misspelt: (as in this text, as in the other one).
    reordered: whether the words that both have come in another order.
    """

    similarity: float
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misspelt: tuple[tuple[str, str], ...]
    reordered: bool


def word_diff(text: str, other: str) -> WordDiff:
    """Compare two texts. Each group of words comes in the order in which they stand in their text."""
    found = Words(pl.Series([text, other]))
    words, others = (list(one) for one in found.words)
    own, their = Counter(words) - Counter(others), Counter(others) - Counter(words)
    counted = min(_counted(words), _counted(others))
    difference = find_difference(list(own.elements()), list(their.elements()), counted)
    extra, missing = difference.own
    shared, others_shared = _without(words, own), _without(others, their)
    return WordDiff(
        float(similarity(len(missing) + len(extra), len(difference.misspelt), len(words) + len(others)) / MILLIONTHS),
        _in_order(missing, others),
        _in_order(extra, words),
        tuple(sorted(difference.misspelt, key=lambda pair: words.index(pair[0].split()[0]))),
        shared != others_shared,
    )


def _counted(words: list[str]) -> int:
    """As `RowWords.counted`: two letters of a script without spaces are one word."""
    unspaced = pl.Series(words, dtype=pl.String).str.contains(f"^[{UNSPACED}]$").sum()
    return len(words) - int(unspaced) // 2


def _without(words: list[str], gone: Counter[str]) -> list[str]:
    """The words less as many of each as are gone, the first ones of them."""
    left, rest = Counter(gone), []
    for word in words:
        if left[word]:
            left[word] -= 1
        else:
            rest.append(word)
    return rest


def _in_order(words: tuple[str, ...], text: list[str]) -> tuple[str, ...]:
    return tuple(sorted(words, key=text.index))
