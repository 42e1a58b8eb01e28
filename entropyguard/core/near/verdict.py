"""The verdict on two texts from the words that they do not share: are they near-duplicates, and how similar.

Edited copies lack words, misspell them or move them; texts of one template have another word in the place of one. So
a pair in which each side has a word of its own is no pair of duplicates, however much the two share. What is numbers
alone takes arrays as well, of many pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from entropyguard.core.near.misspelling import is_joined, is_number, is_same_word
from entropyguard.core.near.negations import NEGATIONS
from entropyguard.core.params import NearParams

VERDICT_VERSION = 1
"""Raised when a pair gets another verdict."""

MILLIONTHS = 1_000_000

_MISSPELT_WEIGHT = 0.4  # of a misspelt word, where a missing one counts 1
_IN_CONTEXT = 12  # words from which an unlikely misspelling is taken for one
_LEAST_WORDS_MISSPELT = 5  # a shorter text is the same only in the same words
_NUMBER_MAY_BE_MISSING = 20
_TOPIC_MAY_BE_MISSING = 50


@dataclass(frozen=True)
class Difference:
    """What two texts do not share: words that only one has, and words that both have in different spellings."""

    own: tuple[tuple[str, ...], tuple[str, ...]]
    misspelt: tuple[tuple[str, str], ...]

    @property
    def missing(self) -> int:
        """The words that one of the two lacks."""
        return len(self.own[0]) + len(self.own[1])

    @property
    def replaced(self) -> bool:
        """Whether each has words that the other lacks."""
        return bool(self.own[0] and self.own[1])


def find_difference(own: Sequence[str], others: Sequence[str], counted: int, *, whole: bool = True) -> Difference:
    """Pair off words joined or split, and misspelt words, among those that only one of two texts has.

    counted: the words of the shorter text. The result is a function of the two bags of words, in whatever order they
    come; swapping the two swaps it. Unless the `whole` difference is wanted, it ends at the first replaced word.
    """
    own, others = sorted(own), sorted(others)
    if (len(others), others) < (len(own), own):
        swapped = find_difference(others, own, counted, whole=whole)
        return Difference(swapped.own[::-1], tuple((theirs, mine) for mine, theirs in swapped.misspelt))
    joined, left, right = _take_joined(own, others)
    split, right, left = _take_joined(right, left)
    misspelt = joined + [(parts, word) for word, parts in split]
    if len(left) > len(right):
        further, right, left = _take_misspelt(right, left, counted, whole)
        misspelt += [(mine, theirs) for theirs, mine in further]
    else:
        further, left, right = _take_misspelt(left, right, counted, whole)
        misspelt += further
    return Difference((tuple(left), tuple(right)), tuple(misspelt))


_Pairing = tuple[list[tuple[str, str]], list[str], list[str]]
"""Words and what each is on the other side, and what is left on either side."""


def _take_joined(words: list[str], others: list[str]) -> _Pairing:
    """Pair words with two of the others that make them when written together."""
    found: list[tuple[str, str]] = []
    if len(others) > 1:
        known, rest = set(others), list(others)
        for word in words:
            for end in range(1, len(word)):
                first, second = word[:end], word[end:]
                is_known = first in known and second in known and _are_there(first, second, rest)
                if is_known and is_joined(word, first, second):
                    rest.remove(first)
                    rest.remove(second)
                    found.append((word, f"{first} {second}"))
                    break
        words, others = _without(words, found), rest
    return found, words, others


def _are_there(first: str, second: str, words: list[str]) -> bool:
    return words.count(first) > (first == second) and second in words


def _take_misspelt(words: list[str], others: list[str], counted: int, whole: bool) -> _Pairing:
    """Pair each of the words, of which there are no more than of the others, with one that is the same misspelt."""
    found: list[tuple[str, str]] = []
    rest = list(others)
    for word in words:
        for other in rest:
            if abs(len(word) - len(other)) < 2 and is_same_word(word, other, in_context=counted >= _IN_CONTEXT):
                rest.remove(other)
                found.append((word, other))
                break
        else:
            if not whole:  # it has none to go with, and so there is one on the other side, too: a word was replaced
                break
    return found, _without(words, found), rest


def _without(words: list[str], found: list[tuple[str, str]]) -> list[str]:
    rest = list(words)
    for word, _ in found:
        rest.remove(word)
    return rest


def is_too_far_by_length(words: Any, others: Any) -> Any:
    """Whether two texts of so many words are no copies of each other for that alone."""
    return np.abs(words - others) > np.maximum(3, 0.35 * np.maximum(words, others))


def most_of_both(counted: Any) -> Any:
    """How many words each of two texts may have alone, misspelt ones included; `counted` as in `find_difference`."""
    return np.maximum(4, 0.15 * counted)


def may_lack_numbers(counted: Any, near: NearParams) -> Any:
    """Whether a text is so long that a number may be missing."""
    return (counted >= _NUMBER_MAY_BE_MISSING) & (not near.protect_numbers)


def may_lack_topics(counted: Any) -> Any:
    """Whether a text is so long that a word may be missing which the other one has at least twice.

    In a short text that is what it is about: one for arm64 and one for cloud-arm64.
    """
    return counted >= _TOPIC_MAY_BE_MISSING


def similarity(missing: Any, misspelt: Any, words: Any) -> Any:
    """In whole millionths: 1 less the share of the words of both texts that are missing or, at 0.4 each, misspelt."""
    lost = (missing + _MISSPELT_WEIGHT * misspelt) / np.maximum(1, words)
    return np.rint(MILLIONTHS * np.maximum(0.0, 1 - lost)).astype(np.int32)


def allows(difference: Difference, topics: set[str], counted: int, near: NearParams) -> bool:
    """Whether two texts may be duplicates, by what they do not share.

    topics: words that one of them has at least twice and the other not at all. Below `near.min_words` the words that
    they share must stand in the same order besides.
    """
    if difference.replaced and near.changed_words == "protect":
        return False
    too_short = counted < _LEAST_WORDS_MISSPELT and bool(difference.misspelt)
    if counted < near.min_words and (difference.missing or too_short):
        return False
    lacking = [word for side in difference.own for word in side]
    if not NEGATIONS.isdisjoint(lacking) or not (may_lack_topics(counted) or topics.isdisjoint(lacking)):
        return False
    return bool(may_lack_numbers(counted, near)) or not any(map(is_number, lacking))
