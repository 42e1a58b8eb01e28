"""The words met in texts, each with a number and what is known of it; what is known of one holds wherever it is met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Bytes, Int32s, Ints, UInt32s, UInt64s
from entropyguard.core.words.lists import words_of
from entropyguard.core.words.numbers import is_number
from entropyguard.core.words.split import HYPHEN, IDEOGRAPHIC, UNSPACED
from entropyguard.core.words.split import NUMBER as NUMBER_IN_WORD

MARK, NUMBER, NEGATION, UNSPACED_LETTER, IDEOGRAPH = (np.uint8(1 << bit) for bit in range(5))
"""What a word is, as bits of `WordFacts.kinds`."""


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
        found = words.str.replace_all(",", "", literal=True).str.extract_all(NUMBER_IN_WORD)
        numbers = found.list.len().to_numpy().astype(np.int32)
        hashes = np.zeros(len(words), dtype=np.uint64)
        word = np.repeat(np.arange(len(words)), numbers)
        np.add.at(hashes, word, found.explode(empty_as_null=False).hash().to_numpy())
        return cls(_kinds(words), _spelling(words), numbers, hashes)

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
            new = words.gather(np.flatnonzero(codes >= self._known)).unique()
            new = new.gather(new.cast(self._type).to_physical().arg_sort())
            self._learn(new, WordFacts.of(new))
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


def _kinds(words: pl.Series) -> Bytes:
    kinds = np.zeros(len(words), dtype=np.uint8)
    kinds[~words.str.contains(r"[\p{L}\p{M}\p{N}]").to_numpy()] = MARK
    may_be_number = words.str.contains(r"[^\x00-\x7F]|[0-9]").arg_true().to_numpy()
    kinds[may_be_number[[is_number(word) for word in words.gather(may_be_number)]]] |= NUMBER
    kinds[words.is_in(words_of("negations")).to_numpy()] |= NEGATION
    kinds[words.str.contains(f"^[{UNSPACED}]$").to_numpy()] |= UNSPACED_LETTER
    kinds[words.str.contains(f"^[{IDEOGRAPHIC}]$").to_numpy()] |= IDEOGRAPH
    return kinds


def _spelling(words: pl.Series) -> Ints:
    """Of each word (none is empty) the number of its letters, their sum and that of their squares."""
    letters = np.frombuffer("".join(words.to_list()).encode("utf-32-le"), dtype="<u4").astype(np.int64)
    lengths = words.str.len_chars().to_numpy().astype(np.int64)
    starts = np.cumsum(lengths) - lengths
    powers = [np.add.reduceat(power, starts) for power in (letters, letters * letters)] if len(words) else [lengths] * 2
    return np.stack([lengths, *powers], axis=1)
