"""Edits that leave a text the same to a reader: slips in one to three words, and a tenth of the words gone or moved.

Each takes a text, a random generator and the corpus' words, and returns the copy, or None for a text that it does not
fit. White space between the words stays as it is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from edits_of_meaning import CorpusWords

_MOST_EDITED = 3
_WORDS_FOR_EACH = 5  # a text has at least so many for each word that is edited
_LEAST_FOR_TENTH = 20
_LETTERS = re.compile(r"[^\W\d_]{3,}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def letter_missing(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """A letter is missing in each of 1-3 words."""
    return _misspelt(text, rng, _without_letter)


def letter_extra(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """A letter too many in each of 1-3 words: one doubled, or any."""
    return _misspelt(text, rng, _with_letter)


def letters_swapped(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """Two neighbouring letters have changed places in each of 1-3 words."""
    return _misspelt(text, rng, _with_swap)


def dropped(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """1-3 words left out."""
    parts, words = _parted(text)
    gone = set(rng.sample(words, _edited(len(words), rng)))
    return "".join(part for at, part in enumerate(parts) if at not in gone) if gone else None


def moved(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """1-3 words stand elsewhere."""
    words = text.split(" ")
    for _ in range(count := _edited(len(words), rng)):
        word = words.pop(rng.randrange(len(words)))
        words.insert(rng.randrange(len(words) + 1), word)
    return " ".join(words) if count else None


def joined(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """1-3 times two words of letters made one."""
    parts, words = _parted(text)
    places = [at + 1 for at in words[:-1] if parts[at].isalpha() and parts[at + 2].isalpha()]
    count = min(_edited(len(words), rng), len(places))
    for at in rng.sample(places, count):
        parts[at] = ""
    return "".join(parts) if count else None


def split(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """1-3 words of five letters or more cut in two."""
    parts, words = _parted(text)
    places = [at for at in words if len(parts[at]) >= 5 and parts[at].isalpha()]
    count = min(_edited(len(words), rng), len(places))
    for at in rng.sample(places, count):
        cut = rng.randrange(2, len(parts[at]) - 1)
        parts[at] = f"{parts[at][:cut]} {parts[at][cut:]}"
    return "".join(parts) if count else None


def tenth_dropped(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """A tenth of the words left out, of a text of 20 or more."""
    parts, words = _parted(text)
    if len(words) < _LEAST_FOR_TENTH:
        return None
    gone = set(rng.sample(words, len(words) // 10))
    return "".join(part for at, part in enumerate(parts) if at not in gone)


def tenth_swapped(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """A tenth of the words have changed places in pairs, in a text of 20 or more."""
    parts, words = _parted(text)
    if len(words) < _LEAST_FOR_TENTH:
        return None
    chosen = rng.sample(words, 2 * (len(words) // 20))
    for one, other in zip(chosen[0::2], chosen[1::2], strict=True):
        parts[one], parts[other] = parts[other], parts[one]
    return "".join(parts)


def _edited(words: int, rng: random.Random) -> int:
    """How many words of a text are edited: 0 for a text too short for one."""
    return min(rng.randint(1, _MOST_EDITED), words // _WORDS_FOR_EACH)


def _parted(text: str) -> tuple[list[str], list[int]]:
    """Words and the white space between them, alternating, and the places of the words."""
    parts = re.split(r"(\s+)", text.strip())
    return parts, list(range(0, len(parts), 2))


def _misspelt(text: str, rng: random.Random, slip: Callable[[str, random.Random], str]) -> str | None:
    places = list(_LETTERS.finditer(text))
    count = min(_edited(len(text.split()), rng), len(places))
    for match in sorted(rng.sample(places, count), key=re.Match.start, reverse=True):
        text = text[: match.start()] + slip(match[0], rng) + text[match.end() :]
    return text if count else None


def _without_letter(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    return word[:at] + word[at + 1 :]


def _with_letter(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word))
    return word[:at] + rng.choice([word[at], rng.choice(_ALPHABET)]) + word[at:]


def _with_swap(word: str, rng: random.Random) -> str:
    places = [at for at in range(len(word) - 1) if word[at].lower() != word[at + 1].lower()]
    if not places:
        return word
    at = rng.choice(places)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
