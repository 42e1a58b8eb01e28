"""What two texts differ in, to be told to people: from the texts themselves, by the rules that decided on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from entropyguard.core.words.difference import MILLIONTHS, find_difference, moved, similarity
from entropyguard.core.words.split import IDEOGRAPHIC, UNSPACED, Words, counted_words


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
    (found,) = word_diffs([text], [other])
    return found


def word_diffs(texts: Sequence[str] | pl.Series, others: Sequence[str] | pl.Series) -> Iterator[WordDiff]:
    """Compare each text with the other one in its place; many at a time take a tenth of the time of each alone."""
    sides = [Words(pl.Series(side, dtype=pl.String)).words for side in (texts, others)]
    counted = [counted_words(words.list.len(), _of(UNSPACED, words), _of(IDEOGRAPHIC, words)) for words in sides]
    for (words, length), (theirs, their_length) in zip(*map(zip, sides, counted), strict=True):
        yield _compared(list(words), list(theirs), min(length, their_length))


def _of(scripts: str, words: pl.Series) -> pl.Series:
    """Of each text, how many words are one character of these scripts."""
    return words.list.eval(pl.element().str.contains(f"^[{scripts}]$").cast(pl.Int64)).list.sum()


def _compared(words: list[str], others: list[str], counted: int) -> WordDiff:
    """The difference of two texts by their words; counted: as `RowWords.counted`, of the shorter one."""
    own, their = Counter(words) - Counter(others), Counter(others) - Counter(words)
    difference = find_difference(list(own.elements()), list(their.elements()), counted)
    extra, missing = difference.own
    return WordDiff(
        float(similarity(len(missing) + len(extra), len(difference.misspelt), len(words) + len(others)) / MILLIONTHS),
        _in_order(missing, others),
        _in_order(extra, words),
        tuple(sorted(difference.misspelt, key=lambda pair: words.index(pair[0].split()[0]))),
        moved(words, others) > 0,
    )


def _in_order(words: tuple[str, ...], text: list[str]) -> tuple[str, ...]:
    return tuple(sorted(words, key=text.index))
