"""What a number is in a text, and when two of them are the same one."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from entropyguard.core.words.lists import numbers_of_words

_THOUSANDS = re.compile(r"(\d{1,3}(?:,\d{3})+)(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"(\d+),(\d{1,2})")
_WITH_UNIT = re.compile(r"(\d+(?:[.,:/-]\d+)*)[^\W\d_]{1,4}")  # 5kg, 3rd, 20th


def is_number(word: str) -> bool:
    """Whether a word, as `split` has it, has a digit in it, of whatever script, or is a Han numeral."""
    return any(map(str.isnumeric, word))


def numbers_in(words: Iterable[str]) -> Counter[str]:
    """The numbers among the words of a text, each in one spelling, and how often it stands there.

    1,200 and 1200 are one number, as are 2,5 and 2.5, 5kg and 5, two and 2, and the digits of all scripts; 40 and
    -40 are two. A word that has letters before a digit, as an id, is a number as a whole.
    """
    return Counter(number for word in words if (number := _number(word)))


@lru_cache(maxsize=1 << 16)
def _number(word: str) -> str:
    """The number that a word is; nothing where it is none."""
    if word in numbers_of_words():
        return numbers_of_words()[word]
    if not is_number(word):
        return ""
    sign, digits = ("-", word[1:]) if word.startswith("\u2212") else ("", word)
    digits = "".join(str(unicodedata.digit(char, char)) for char in digits)
    if (with_unit := _WITH_UNIT.fullmatch(digits)) is not None:
        digits = with_unit[1]
    if (thousands := _THOUSANDS.fullmatch(digits)) is not None:
        digits = thousands[1].replace(",", "") + (thousands[2] or "")
    elif (decimal := _DECIMAL_COMMA.fullmatch(digits)) is not None:
        digits = f"{decimal[1]}.{decimal[2]}"
    return sign + digits
