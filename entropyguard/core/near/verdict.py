"""The verdict on two texts from the words that they do not share: are they near-duplicates, and how similar.

Edited copies lack words, misspell them or move them; texts of one template have another word in the place of one. So
a pair in which each side has a word of its own is no pair of duplicates, however much the two share. What is numbers
alone takes arrays as well, of many pairs.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from entropyguard.core.params import NearParams
from entropyguard.core.words.difference import Difference, moved
from entropyguard.core.words.lists import words_of
from entropyguard.core.words.numbers import is_number

TOPIC, NUMBER_TOPIC = 2, 3
"""A word that a text has so often is a topic of it; a number that often must not be missing from any text."""

VERDICT_VERSION = 1
"""Raised when a pair gets another verdict."""

_MARK_MAY_BE_MISSING = _WORD_MAY_MOVE = 12
_NUMBER_MAY_BE_MISSING = _ORDER_MAY_CHANGE = 20
_TOPIC_MAY_BE_MISSING = 50


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
    """Whether a text is so long that a word may be missing which the other one has TOPIC times or more.

    In a short text that is what it is about: one for arm64 and one for cloud-arm64.
    """
    return counted >= _TOPIC_MAY_BE_MISSING


def allows(difference: Difference, topics: Mapping[str, int], counted: int, near: NearParams) -> bool:
    """Whether two texts may be duplicates, by what they do not share.

    topics: how often one of them has a word, at least TOPIC times, that the other has not at all. Texts below
    `in_order_below` must be in the same order besides.
    """
    if difference.replaced and near.changed_words == "protect":
        return False
    if counted < near.min_words and (difference.missing or difference.misspelt):
        return False
    lacking = {word for side in difference.own for word in side}
    if not words_of("negations").isdisjoint(lacking):
        return False
    if not may_lack_topics(counted) and not lacking.isdisjoint(topics):
        return False
    numbers = {word for word in lacking if is_number(word)}
    if any(topics.get(number, 0) >= NUMBER_TOPIC for number in numbers):
        return False
    return not numbers or bool(may_lack_numbers(counted, near))


def in_order_below(near: NearParams) -> int:
    """The length from which on the words of a text may stand in any order."""
    return max(_ORDER_MAY_CHANGE, near.min_words)


def keeps_order(
    words: tuple[Sequence[Hashable], Sequence[Hashable]],
    marks: tuple[Sequence[Hashable], Sequence[Hashable]],
    counted: int,
    near: NearParams,
) -> bool:
    """Whether what two texts share stands in an order that says the same: a dog does not bite as a man does.

    words, marks: of either text, in their order. From 12 words up one word may have moved, from `in_order_below` on
    any; marks must stand as they do. Below 12 words none may be missing but a hyphen, which `marks` are without.
    """
    if counted >= in_order_below(near):
        return True
    if counted < _MARK_MAY_BE_MISSING and len(marks[0]) != len(marks[1]):
        return False
    may_move = 1 if counted >= max(_WORD_MAY_MOVE, near.min_words) else 0
    return moved(*words) <= may_move and not moved(*marks)
