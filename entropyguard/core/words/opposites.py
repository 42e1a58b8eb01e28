"""Words that say the contrary of each other."""

from __future__ import annotations

from entropyguard.core.words.lists import pairs_of

_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "de", "mis", "anti", "counter", "nie")
_LEAST_STEM = 4


def are_opposites(one: str, other: str) -> bool:
    """Whether two words are listed as opposites, or one is the other with a prefix that turns it round."""
    if (one, other) in pairs_of("opposites"):
        return True
    if len(one) > len(other):
        one, other = other, one
    return len(one) >= _LEAST_STEM and any(other == prefix + one for prefix in _PREFIXES)
