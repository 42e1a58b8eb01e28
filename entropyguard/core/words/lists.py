"""Lists of words, each in files of a language: `lists/<list>/<language>.txt`, an entry a line or words in any lines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

_FOLDER = Path(__file__).parent / "lists"


@cache
def words_of(name: Literal["negations", "units"]) -> frozenset[str]:
    """All words of a list, of all languages."""
    return frozenset(word for line in _lines(name) for word in line.split())


@cache
def pairs_of(name: Literal["look_alikes", "opposites"]) -> frozenset[tuple[str, str]]:
    """The pairs of a list, one a line, each in both orders."""
    pairs = [(first, second) for first, second in map(str.split, _lines(name))]
    return frozenset([*pairs, *((second, first) for first, second in pairs)])


@cache
def numbers_of_words() -> dict[str, str]:
    """What number a number word is, in digits."""
    return dict(map(str.split, _lines("numbers")))


def _lines(name: str) -> list[str]:
    files = sorted((_FOLDER / name).glob("*.txt"))
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
