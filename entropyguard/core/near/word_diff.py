"""What two texts differ in, word by word."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WordDiff:
    """missing: words only the other text has; extra: words only this one has; misspelt: (as here, as there)."""

    similarity: float
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    misspelt: tuple[tuple[str, str], ...]
    reordered: bool


def word_diff(text: str, other: str) -> WordDiff:
    """The difference of `text` to `other`: words parted by white space, without spelling."""
    words, others = text.split(), other.split()
    missing, extra = _lacking(others, words), _lacking(words, others)
    similarity = 1 - (len(missing) + len(extra)) / max(1, len(words) + len(others))
    return WordDiff(similarity, missing, extra, (), words != others and sorted(words) == sorted(others))


def _lacking(words: list[str], others: list[str]) -> tuple[str, ...]:
    """The words that are not among the others."""
    return tuple(word for word in words if word not in others)
