"""Edits after which a text says something else: a number changed, a word replaced, a negation added.

What is put in comes from the corpus itself, so that the copy looks like a natural neighbour.
"""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Iterable, Iterator

_NUMBER = re.compile(r"(?<![\w.,-])\d+(?:[.,]\d+)*(?![\w-])")
_WORD = re.compile(r"(?<![\w'])[^\W\d_]{3,}(?![\w'])")
_VERB = re.compile(r"\b(is|are|was|were|can|could|will|would|should|must|does|do|did|has|have|had|may|might)\b(?!['’])")
_CONTRACTED = {"can": "can't", "will": "won't", "may": "may not", "might": "might not"}
_LEAST_LETTERS = 4  # of a look-alike
_LEAST_SEEN = 2  # times in the corpus: what is seen once may be a slip of its own


class CorpusWords:
    """The words and numbers of a corpus, each once, in alphabetical order, and which words look alike."""

    def __init__(self, texts: Iterable[str]) -> None:
        words, numbers = collections.Counter[str](), set[str]()
        for text in texts:
            words.update(word.lower() for word in _WORD.findall(text))
            numbers.update(_NUMBER.findall(text))
        self.words = sorted(word for word, seen in words.items() if seen >= _LEAST_SEEN)
        self.numbers = sorted(numbers)
        self._known = set(self.words)

    def look_alikes(self, word: str) -> list[str]:
        """Other words of the corpus, four letters or more, that a slip makes of it: a letter left out, or two swapped.

        Not at the end, where it makes an inflection of the word.
        """
        found = {slip for slip in _slips(word) if slip in self._known and len(slip) >= _LEAST_LETTERS}
        return sorted(found - {word})


def _slips(word: str) -> Iterator[str]:
    for at in range(len(word) - 1):
        yield word[:at] + word[at + 1 :]
        yield word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def renumbered(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:
    """One number made another."""
    places = list(_NUMBER.finditer(text))
    return _with(text, rng.choice(places), _other(corpus.numbers, rng)) if places else None


def replaced(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:
    """One word of three letters or more made another, which no slip makes of it."""
    places = list(_WORD.finditer(text))
    if not places:
        return None
    place, word = rng.choice(places), _other(corpus.words, rng)
    old = place[0].lower()
    alike = (
        word in {old, *_slips(old + "s")} or old in _slips(word + "s") or old.startswith(word) or word.startswith(old)
    )
    return None if alike else _with(text, place, word.capitalize() if place[0][0].isupper() else word)


def look_alike(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:
    """One word made another that a slip makes of it: `trial` for `trail`, `plan` for `plain`."""
    places = [(place, found) for place in _WORD.finditer(text) if (found := corpus.look_alikes(place[0]))]
    if not places:
        return None
    place, found = rng.choice(places)
    return _with(text, place, rng.choice(found))


def negated(text: str, rng: random.Random, corpus: CorpusWords) -> str | None:  # noqa: ARG001
    """A verb negated: "is not", or "isn't"."""
    places = list(_VERB.finditer(text))
    if not places:
        return None
    place = rng.choice(places)
    verb = place[0]
    return _with(text, place, rng.choice([f"{verb} not", _CONTRACTED.get(verb, f"{verb}n't")]))


def _other(known: list[str], rng: random.Random) -> str:
    return rng.choice(known) if known else "1"


def _with(text: str, place: re.Match[str], new: str) -> str:
    return text[: place.start()] + new + text[place.end() :]
