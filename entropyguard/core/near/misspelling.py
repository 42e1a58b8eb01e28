"""When two words are one, spelled differently; and which words a text must not lack."""

from __future__ import annotations

import re
from functools import lru_cache

from entropyguard.core.near.negations import NEGATIONS

_DIGIT = re.compile(r"\d")
_HAN_NUMERALS = frozenset("〇一二三四五六七八九十百千万萬億亿兆两兩")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_LONG_WORD = 4


def is_number(word: str) -> bool:
    """Whether a word has a digit in it, or is a Han numeral."""
    return _DIGIT.search(word) is not None or word in _HAN_NUMERALS


@lru_cache(maxsize=1 << 16)
def is_same_word(one: str, other: str, *, in_context: bool) -> bool:
    """Whether one word is the other misspelt: a letter missing or extra, or two neighbours swapped.

    A replaced letter makes another word, as does any change of a number or a negation. `in_context`: there is enough
    text around it to be bold: the first letter may change, a word of under four letters may be misspelt anywhere
    (elsewhere its last letter alone may be missing), and 1,200 is 1200.
    """
    if len(one) > len(other):
        one, other = other, one
    same = 0
    while same < len(one) and one[same] == other[same]:
        same += 1
    if not _differs_by_one_edit(one, other, same) or is_number(one) or is_number(other):
        return in_context and _THOUSANDS.fullmatch(other) is not None and one == other.replace(",", "")
    if not in_context and (same == 0 or (len(one) < _LONG_WORD and same < len(one))):
        return False
    return one not in NEGATIONS and other not in NEGATIONS


def _differs_by_one_edit(one: str, other: str, same: int) -> bool:
    """Whether the words, which begin alike in `same` letters, differ by an extra letter or by two swapped ones."""
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    return one[same : same + 2] == other[same : same + 2][::-1] and one[same + 2 :] == other[same + 2 :]


def is_joined(whole: str, first: str, second: str) -> bool:
    """Whether one word is two others written together; two numbers make no third, and no negation is lost or won."""
    if first + second != whole or (first[-1].isdigit() and second[0].isdigit()):
        return False
    return whole in NEGATIONS or not {first, second} & NEGATIONS
