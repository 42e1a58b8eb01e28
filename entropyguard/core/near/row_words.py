"""The words of all rows as numbers, on disk: what pairs of rows are compared by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from entropyguard.core.arrays import Bytes, Int32s, Ints, UInt32s, UInt64s
from entropyguard.core.words.lists import words_of
from entropyguard.core.words.numbers import is_number
from entropyguard.core.words.split import HYPHEN, IDEOGRAPHIC, UNSPACED, Words, counted_words
from entropyguard.core.words.split import NUMBER as NUMBER_IN_WORD

MARK, NUMBER, NEGATION, UNSPACED_LETTER, IDEOGRAPH = (np.uint8(1 << bit) for bit in range(5))
"""What a word is, as bits of `Vocabulary.kinds`."""

SKETCH_BINS = 32
_MOST_IN_BIN = 255
_FIRST_ROOM = 1 << 14  # words


class Vocabulary:
    """The words and marks met so far, each with a number from 0 up; about 80 bytes for each.

    kinds: what each of them is; hyphen: the number of that mark, -1 where there was none. spelling: shape (words, 3),
    of a word its letters' number, their sum and that of their squares, as code points: by these most words can be seen
    to be no misspellings of each other. numbers, number_hashes: how many numbers are in a word, with what is before
    and after, and the sum of their hashes: no spelling changes them.
    """

    def __init__(self) -> None:
        self._type = pl.Categorical(pl.Categories.random(namespace="entropyguard"))
        self._kept = pl.Series([], dtype=self._type)  # the numbers live as long as a series that has them
        self._words = pl.Series(dtype=pl.String)
        self._known = 0
        self.hyphen = -1  # its number, once it was met
        self.kinds: Bytes = np.zeros(_FIRST_ROOM, dtype=np.uint8)
        self.spelling: Ints = np.zeros((_FIRST_ROOM, 3), dtype=np.int64)
        self.numbers: Int32s = np.zeros(_FIRST_ROOM, dtype=np.int32)
        self.number_hashes: UInt64s = np.zeros(_FIRST_ROOM, dtype=np.uint64)

    def numbered(self, words: pl.Series) -> UInt32s:
        """The number of each word; the same word has the same one."""
        codes: UInt32s = words.cast(self._type).to_physical().to_numpy()
        if len(codes) and codes.max() >= self._known:
            self._learn(words.gather(np.flatnonzero(codes >= self._known)).unique())
        return codes

    def _learn(self, words: pl.Series) -> None:
        words = words.gather(words.cast(self._type).to_physical().arg_sort())
        new = slice(self._known, self._known + len(words))
        if (hyphen := words.index_of(HYPHEN)) is not None:
            self.hyphen = self._known + hyphen
        self._words = pl.concat([self._words, words], rechunk=False)
        self._known = new.stop
        self.kinds, self.spelling = _with_room(self.kinds, new.stop), _with_room(self.spelling, new.stop)
        self.kinds[new], self.spelling[new] = _kinds(words), _spelling(words)
        self.numbers, self.number_hashes = _with_room(self.numbers, new.stop), _with_room(self.number_hashes, new.stop)
        numbers = words.str.replace_all(",", "", literal=True).str.extract_all(NUMBER_IN_WORD)
        self.numbers[new] = numbers.list.len().to_numpy()
        word = np.repeat(np.arange(new.start, new.stop), self.numbers[new])
        np.add.at(self.number_hashes, word, numbers.explode(empty_as_null=False).hash().to_numpy())

    def words(self, codes: UInt32s) -> pl.Series:
        """The words with these numbers."""
        if self._words.n_chunks() > 1:
            self._words = self._words.rechunk()
        return self._words.gather(codes)


def _with_room(facts: npt.NDArray[Any], words: int) -> npt.NDArray[Any]:
    """The same array, or one twice as long, where so many words do not fit."""
    if words <= len(facts):
        return facts
    longer = np.zeros((max(words, 2 * len(facts)), *facts.shape[1:]), dtype=facts.dtype)
    longer[: len(facts)] = facts
    return longer


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


class RowWords:
    """The words of rows, by their index: written once, row after row, then read in any order.

    On disk 4 bytes a word. In memory 60 bytes a row: words, how many there are; counted, the same as `counted_words`
    has it; numbers and number_hashes as in `Vocabulary`; sketches, shape (rows, SKETCH_BINS):
    how many words fall into each bin.
    """

    def __init__(self, file: Path, rows: int) -> None:
        self._file = file.open("w+b")
        self.vocabulary = Vocabulary()
        self.ends: Ints = np.zeros(rows + 1, dtype=np.int64)
        self.words: Int32s = np.zeros(rows, dtype=np.int32)
        self.counted: Int32s = np.zeros(rows, dtype=np.int32)
        self.numbers: Int32s = np.zeros(rows, dtype=np.int32)
        self.number_hashes: UInt64s = np.zeros(rows, dtype=np.uint64)
        self.sketches: Bytes = np.zeros((rows, SKETCH_BINS), dtype=np.uint8)
        self._rows = 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add(self, texts: Words) -> None:
        """The next rows' words and, after them, their marks."""
        codes = self.vocabulary.numbered(texts.all.explode(empty_as_null=False))
        lengths = texts.all.list.len().to_numpy().astype(np.int64)
        row = np.repeat(np.arange(len(lengths)), lengths)
        kinds = self.vocabulary.kinds[codes]
        is_word = kinds & MARK == 0
        part = slice(self._rows, self._rows + len(lengths))
        self.words[part] = np.bincount(row[is_word], minlength=len(lengths))
        unspaced, ideographs = (
            np.bincount(row[kinds & kind != 0], minlength=len(lengths)) for kind in (UNSPACED_LETTER, IDEOGRAPH)
        )
        self.counted[part] = counted_words(self.words[part], unspaced, ideographs)
        in_word = self.vocabulary.numbers[codes]
        some = np.flatnonzero(in_word)
        np.add.at(self.numbers[part], row[some], in_word[some])
        np.add.at(self.number_hashes[part], row[some], self.vocabulary.number_hashes[codes[some]])
        bin_of = self.vocabulary.spelling[codes[is_word], 1] % SKETCH_BINS  # the word's own, whatever its number is
        bins = np.bincount(row[is_word] * SKETCH_BINS + bin_of, minlength=len(lengths) * SKETCH_BINS)
        self.sketches[part] = np.minimum(bins, _MOST_IN_BIN).reshape(-1, SKETCH_BINS)
        self.ends[self._rows + 1 : part.stop + 1] = self.ends[self._rows] + np.cumsum(lengths)
        self._rows = part.stop
        self._file.write(codes.astype("<u4").tobytes())

    def codes(self) -> UInt32s:
        """The words of all rows one after another: those of row i from ends[i] to ends[i + 1]. A mapped file."""
        self._file.flush()
        if not self.ends[-1]:
            return np.empty(0, dtype=np.uint32)
        return np.memmap(self._file, dtype="<u4", mode="r", shape=(int(self.ends[-1]),))
