"""Two long texts cut so that the first place where they differ is in sight."""

from __future__ import annotations

_BEFORE = 0.3
"""The share of an excerpt that comes before the first difference."""


def excerpts(text: str, other: str, chars: int | None) -> tuple[str, str]:
    """Both texts from the same place on, each cut to so many characters; `…` stands for what is left out.

    They begin at the start where the first difference is in sight then, and where there is none. None: no cut.
    """
    if chars is None:
        return text, other
    start = _start(text, other, chars)
    return excerpt(text, chars, start), excerpt(other, chars, start)


def excerpt(text: str, chars: int, start: int = 0) -> str:
    """So many characters of a text; `…` stands for what is left out."""
    end = start + chars
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _start(text: str, other: str, chars: int) -> int:
    same, before = _shared(text, other), int(_BEFORE * chars)
    longest = max(len(text), len(other))
    if text == other or longest <= chars or same + max(1, before) <= chars:
        return 0
    return min(same - before, longest - chars)


def _shared(text: str, other: str) -> int:
    """How many characters two texts have in common at their beginning; compared in pieces, not one by one."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if text[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
