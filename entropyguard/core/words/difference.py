"""What two texts do not share, in bags of words: what each has alone, and what is the same word in two spellings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import LCSseq

from entropyguard.core.words.misspelling import is_joined, is_same_word

MILLIONTHS = 1_000_000

_MISSPELT_WEIGHT = 0.4  # of a misspelt word, where a missing one counts 1
_IN_CONTEXT = 10  # words from which an unlikely misspelling is taken for one


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
    """Pair words with two or three of the others that make them when written together."""
    found: list[tuple[str, str]] = []
    if len(others) < 2:
        return found, words, others
    rest = list(others)
    known = _by_first_letter(rest)
    for word in words:
        if word[0] not in known:
            continue
        for count in (2, 3):
            parts = _parts(word, known, count)
            if parts and is_joined(word, parts) and not Counter(parts) - Counter(rest):
                for part in parts:
                    rest.remove(part)
                found.append((word, " ".join(parts)))
                known = _by_first_letter(rest)  # the same word again may be split elsewhere
                break
    return found, _without(words, found), rest


def _by_first_letter(words: list[str]) -> dict[str, list[str]]:
    """The words by their first letters."""
    grouped: dict[str, list[str]] = {}
    for word in words:
        grouped.setdefault(word[0], []).append(word)
    return grouped


def _parts(word: str, known: dict[str, list[str]], count: int) -> tuple[str, ...]:
    """So many known words that make the word when written together, the shortest first; none where there are none."""
    alike = known.get(word[0], [])
    if count == 1:
        return (word,) if word in alike else ()
    for first in sorted([one for one in alike if len(one) < len(word) and word.startswith(one)], key=len):
        if further := _parts(word[len(first) :], known, count - 1):
            return first, *further
    return ()


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


def similarity(missing: Any, misspelt: Any, words: Any) -> Any:
    """In whole millionths: 1 less the share of the words of both texts that are missing or, at 0.4 each, misspelt."""
    lost = (missing + _MISSPELT_WEIGHT * misspelt) / np.maximum(1, words)
    return np.rint(MILLIONTHS * np.maximum(0.0, 1 - lost)).astype(np.int32)


def moved(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """How many of the items that two sequences share are out of order: those not in a longest common subsequence."""
    shared = (Counter(one) & Counter(other)).total()
    return shared - LCSseq.similarity(one, other)
