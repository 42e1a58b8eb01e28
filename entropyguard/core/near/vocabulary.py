"""The words met in texts, each with a number and what is known of it; what is known of one holds wherever it is met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Bytes, Int32s, Ints, UInt32s, UInt64s
from entropyguard.core.words.lists import words_of
from entropyguard.core.words.numbers import is_number
from entropyguard.core.words.split import HYPHEN, IDEOGRAPHIC, UNSPACED
from entropyguard.core.words.split import NUMBER as NUMBER_IN_WORD

MARK, NUMBER, NEGATION, UNSPACED_LETTER, IDEOGRAPH = (np.uint8(1 << bit) for bit in range(5))
"""What a word is, as bits of `WordFacts.kinds`."""


_SAYS, _NUMERIC, _DIGIT = (np.uint8(1 << bit) for bit in (5, 6, 7))  # of letters, beside some of those
_OF_LETTERS = {
    _SAYS: r"[\p{L}\p{M}\p{N}]",
    _DIGIT: r"\p{N}",
    UNSPACED_LETTER: f"[{UNSPACED}]",
    IDEOGRAPH: f"[{IDEOGRAPHIC}]",
}


class WordFacts(NamedTuple):
    """What is known of some words or marks, in their order, whatever their numbers are; 37 bytes for each.

    kinds: what each of them is. spelling: shape (words, 3), of a word its letters' number, their sum and that of their
    squares, as code points: by these most words can be seen to be no misspellings of each other. numbers,
    number_hashes: how many numbers are in a word, with what is before and after, and the sum of their hashes: no
    spelling changes them.
    """

    kinds: Bytes
    spelling: Ints
    numbers: Int32s
    number_hashes: UInt64s

    @classmethod
    def of(cls, words: pl.Series) -> WordFacts:
        """Look at words, none of which is empty."""
        letters = np.frombuffer("".join(words.to_list()).encode("utf-32-le"), dtype="<u4")
        lengths = words.str.len_chars().to_numpy().astype(np.int64)
        holds = _sums(np.bitwise_or, _letter_kinds(letters), lengths)
        kinds = np.where(holds & _SAYS, np.uint8(0), MARK)
        kinds[holds & _NUMERIC != 0] |= NUMBER
        kinds[words.is_in(words_of("negations")).to_numpy()] |= NEGATION
        kinds |= np.where(lengths == 1, holds & (UNSPACED_LETTER | IDEOGRAPH), np.uint8(0))
        wide = letters.astype(np.int64)
        spelling = np.stack([lengths, _sums(np.add, wide, lengths), _sums(np.add, wide * wide, lengths)], axis=1)
        return cls(kinds, spelling, *_numbers(words, np.flatnonzero(holds & _DIGIT)))

    @classmethod
    def joined(cls, facts: Sequence[WordFacts]) -> WordFacts:
        return cls(*(np.concatenate(arrays) for arrays in zip(*facts, strict=True)))

    def taken(self, at: Ints) -> WordFacts:
        """Of some of the words."""
        return WordFacts(self.kinds[at], self.spelling[at], self.numbers[at], self.number_hashes[at])


class Vocabulary:
    """The words and marks met so far, each with a number from 0 up, in the order they came in."""

    def __init__(self) -> None:
        self._type = pl.Categorical(pl.Categories.random(namespace="entropyguard"))
        self._kept = pl.Series([], dtype=self._type)  # the numbers live as long as a series that has them
        self._words: list[pl.Series] = []
        self._facts: list[WordFacts] = [WordFacts.of(pl.Series(dtype=pl.String))]
        self._known = 0

    def numbered(self, words: pl.Series) -> UInt32s:
        """The number of each word; the same word has the same one."""
        codes: UInt32s = words.cast(self._type).to_physical().to_numpy()
        if len(codes) and codes.max() >= self._known:
            new = np.flatnonzero(codes >= self._known)[::-1]
            first = np.empty(int(codes.max()) + 1 - self._known, dtype=np.int64)
            first[codes[new] - self._known] = new  # of those of one word the last one stays: backwards, the first
            self._learn(words.gather(first), WordFacts.of(words.gather(first)))
        return codes

    def joined(self, words: pl.Series, facts: WordFacts) -> UInt32s:
        """The number of each of another vocabulary's words, which come each once, with what is known of them."""
        codes: UInt32s = words.cast(self._type).to_physical().to_numpy()
        new = np.flatnonzero(codes >= self._known)
        if len(new):
            new = new[np.argsort(codes[new])]
            self._learn(words.gather(new), facts.taken(new))
        return codes

    def _learn(self, words: pl.Series, facts: WordFacts) -> None:
        self._words.append(words)
        self._facts.append(facts)
        self._known += len(words)

    @property
    def facts(self) -> WordFacts:
        """What is known of all words, by their numbers."""
        if len(self._facts) > 1:
            self._facts = [WordFacts.joined(self._facts)]
        return self._facts[0]

    @property
    def words(self) -> pl.Series:
        """All words, by their numbers."""
        if len(self._words) != 1:
            self._words = [pl.concat([pl.Series(dtype=pl.String), *self._words])]
        return self._words[0]

    def known(self) -> KnownWords:
        """The words, to be looked up by their numbers."""
        return KnownWords(self.words, self.facts.kinds, self.facts.spelling)


class KnownWords:
    """Words by their numbers. kinds, spelling: as in `WordFacts`; hyphen: the number of that mark, -1 for none."""

    def __init__(self, words: pl.Series, kinds: Bytes, spelling: Ints) -> None:
        self._words = words
        self.kinds = kinds
        self.spelling = spelling
        hyphen = words.index_of(HYPHEN)
        self.hyphen = -1 if hyphen is None else hyphen

    def words(self, codes: UInt32s) -> pl.Series:
        """The words with these numbers."""
        return self._words.gather(codes)


def string_bytes(texts: pl.Series) -> tuple[Ints, Bytes]:
    """How many bytes each string has, and those of all."""
    ends = np.cumsum(texts.str.len_bytes().to_numpy(), dtype=np.int64)
    letters = np.frombuffer("".join(texts.to_list()).encode(), dtype=np.uint8)
    return np.diff(ends, prepend=0), letters


def strings(lengths: Ints, letters: Bytes) -> pl.Series:
    """The strings again."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    array = pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(ends), pa.py_buffer(letters))
    return pl.Series(array, dtype=pl.String)


def _letter_kinds(letters: UInt32s) -> Bytes:
    """Of each code point what it makes of the word that it is in; each is looked up once."""
    found = np.flatnonzero(np.bincount(letters))
    characters = pl.Series([chr(letter) for letter in found], dtype=pl.String)
    kinds = np.zeros(int(found[-1]) + 1 if len(found) else 0, dtype=np.uint8)
    for kind, pattern in _OF_LETTERS.items():
        kinds[found[characters.str.contains(pattern).to_numpy()]] |= kind
    kinds[[letter for letter in found if is_number(chr(letter))]] |= _NUMERIC
    return kinds[letters]


def _sums(add: np.ufunc, letters: npt.NDArray[Any], lengths: Ints) -> npt.NDArray[Any]:
    """What the letters of each word come to."""
    return add.reduceat(letters, np.cumsum(lengths) - lengths) if len(lengths) else letters


def _numbers(words: pl.Series, some: Ints) -> tuple[Int32s, UInt64s]:
    """How many numbers are in each word, and the sum of their hashes; none but `some` have any."""
    found = words.gather(some).str.replace_all(",", "", literal=True).str.extract_all(NUMBER_IN_WORD)
    numbers, hashes = np.zeros(len(words), dtype=np.int32), np.zeros(len(words), dtype=np.uint64)
    numbers[some] = found.list.len().to_numpy()
    np.add.at(hashes, np.repeat(some, numbers[some]), found.explode(empty_as_null=False).hash().to_numpy())
    return numbers, hashes
