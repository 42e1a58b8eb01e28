"""When two words are one, spelled differently."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from entropyguard.core.words.lists import pairs_of, words_of
from entropyguard.core.words.numbers import is_number

_LOOK_ALIKES, _UNITS, _NEGATIONS = pairs_of("look_alikes"), words_of("units"), words_of("negations")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_SHORTEST_MISSPELT = 2
_LONG_WORD = 4


@lru_cache(maxsize=1 << 16)
def is_same_word(one: str, other: str, *, in_context: bool) -> bool:
    """Whether one word is the other misspelt: a letter missing or extra, or two neighbours swapped.

    A replaced letter makes another word; so does any change of a number, a unit, a negation or a word of one letter;
    so does what looks like a slip but is another word, where the list `look_alikes` has it. `in_context`: there is
    enough text around it to be bold: the first letter may change, a word of under four letters may be misspelt
    anywhere (elsewhere its last letter alone may be missing), and 1,200 is 1200.
    """
    if len(one) > len(other):
        one, other = other, one
    if len(one) < _SHORTEST_MISSPELT or one in _UNITS or other in _UNITS:
        return False
    same = 0
    while same < len(one) and one[same] == other[same]:
        same += 1
    if not _differs_by_one_edit(one, other, same) or is_number(one) or is_number(other):
        return in_context and _THOUSANDS.fullmatch(other) is not None and one == other.replace(",", "")
    if not in_context and (same == 0 or (len(one) < _LONG_WORD and same < len(one))):
        return False
    return _NEGATIONS.isdisjoint((one, other)) and (one, other) not in _LOOK_ALIKES


def _differs_by_one_edit(one: str, other: str, same: int) -> bool:
    """Whether the words, which begin alike in `same` letters, differ by an extra letter or by two swapped ones."""
    if len(one) < len(other):
        return one[same:] == other[same + 1 :]
    return one[same : same + 2] == other[same : same + 2][::-1] and one[same + 2 :] == other[same + 2 :]


def is_joined(whole: str, parts: Sequence[str]) -> bool:
    """Whether a word says what its parts, which make it when written together, say apart.

    Two numbers make no third one, and no negation is lost or won.
    """
    together = any(part[-1].isdigit() and further[0].isdigit() for part, further in pairwise(parts))
    return not together and (whole in _NEGATIONS or _NEGATIONS.isdisjoint(parts))
