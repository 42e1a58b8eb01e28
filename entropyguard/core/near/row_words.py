"""The words of all rows as numbers, on disk: what pairs of rows are compared by."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import polars as pl

from entropyguard.core.arrays import Bools, Bytes, Int32s, Ints, Keys, UInt32s, UInt64s
from entropyguard.core.near.columns import Columns, mapped
from entropyguard.core.near.vocabulary import (
    IDEOGRAPH,
    MARK,
    UNSPACED_LETTER,
    KnownWords,
    Vocabulary,
    WordFacts,
    string_bytes,
    strings,
)
from entropyguard.core.words.split import Words, counted_words

SKETCH_BINS = 32
_MOST_IN_BIN = 255
_COLUMNS = {
    "ends": (np.int64, 1),
    "words": (np.int32, 1),
    "counted": (np.int32, 1),
    "numbers": (np.int32, 1),
    "number_hashes": (np.uint64, 1),
    "sketches": (np.uint8, SKETCH_BINS),
    "takes_part": (np.bool_, 1),
    "keys": (np.uint64, 2),
}


class RowFacts(NamedTuple):
    """What is known of some rows; words: how many there are; counted: the same as `counted_words` has it.

    codes: the numbers of their words and, after them, marks, row after row, of which each row has `lengths`. numbers,
    number_hashes: as in `WordFacts`. sketches, shape (rows, SKETCH_BINS): how many words fall into each bin.
    """

    codes: UInt32s
    lengths: Ints
    words: Int32s
    counted: Int32s
    numbers: Int32s
    number_hashes: UInt64s
    sketches: Bytes


def facts_of(texts: Words, vocabulary: Vocabulary) -> RowFacts:
    """Number the words of some texts, and count them."""
    codes = vocabulary.numbered(texts.all.explode(empty_as_null=False))
    known = vocabulary.facts
    lengths = texts.all.list.len().to_numpy().astype(np.int64)
    rows = len(lengths)
    row = np.repeat(np.arange(rows), lengths)
    kinds = known.kinds[codes]
    is_word = kinds & MARK == 0
    words = np.bincount(row[is_word], minlength=rows).astype(np.int32)
    unspaced, ideographs = (
        np.bincount(row[kinds & kind != 0], minlength=rows) for kind in (UNSPACED_LETTER, IDEOGRAPH)
    )
    in_word = known.numbers[codes]
    some = np.flatnonzero(in_word)
    numbers, number_hashes = np.zeros(rows, dtype=np.int32), np.zeros(rows, dtype=np.uint64)
    np.add.at(numbers, row[some], in_word[some])
    np.add.at(number_hashes, row[some], known.number_hashes[codes[some]])
    bin_of = known.spelling[codes[is_word], 1] % SKETCH_BINS  # the word's own, whatever its number is
    bins = np.bincount(row[is_word] * SKETCH_BINS + bin_of, minlength=rows * SKETCH_BINS)
    sketches = np.minimum(bins, _MOST_IN_BIN).astype(np.uint8).reshape(-1, SKETCH_BINS)
    counted = counted_words(words, unspaced, ideographs).astype(np.int32)
    return RowFacts(codes, lengths, words, counted, numbers, number_hashes, sketches)


def _columns(folder: Path, rows: int) -> Columns:
    return Columns(folder / "rows", rows + 1, _COLUMNS)  # of `ends` there is one more


class RowWords:
    """The words of rows, by their index: mapped files, of 4 bytes a word and 77 a row.

    ends: codes[ends[i]:ends[i + 1]] are the words of row i, and the marks after them; keys: a hash of each text, shape
    (rows, 2); takes_part: whether a row is compared with others at all. The others are as in `RowFacts`.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        columns = _columns(folder, rows).mapped()
        self.ends: Ints = columns.pop("ends")
        columns = {name: column[:rows] for name, column in columns.items()}
        self.words: Int32s = columns["words"]
        self.counted: Int32s = columns["counted"]
        self.numbers: Int32s = columns["numbers"]
        self.number_hashes: UInt64s = columns["number_hashes"]
        self.sketches: Bytes = columns["sketches"]
        self.takes_part: Bools = columns["takes_part"]
        self.keys: Keys = columns["keys"]
        self._folder = folder

    def codes(self) -> UInt32s:
        """The numbers of all words of all rows."""
        return mapped(self._folder / "codes", np.uint32)

    def vocabulary(self) -> KnownWords:
        """What these numbers stand for. It is read anew each time."""
        lengths, letters = mapped(self._folder / "lengths", np.int64), mapped(self._folder / "letters", np.uint8)
        kinds, spelling = mapped(self._folder / "kinds", np.uint8), mapped(self._folder / "spelling", np.int64)
        return KnownWords(strings(lengths, letters), kinds, spelling.reshape(-1, 3))


class RowWordsWriter:
    """Writes the files of RowWords into a folder, row after row; a context manager."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._folder = folder
        self._columns = _columns(folder, rows)
        self._columns.create()
        self._codes = (folder / "codes").open("wb")
        self._vocabulary = Vocabulary()
        self._rows = self._end = 0

    def __enter__(self) -> RowWordsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._codes.close()

    def add(self, facts: RowFacts, words: pl.Series, known: WordFacts, keys: Keys, takes_part: Bools) -> None:
        """The next rows; words, known: the vocabulary that their codes are of."""
        numbers = self._vocabulary.joined(words, known)
        ends = self._end + np.cumsum(facts.lengths)
        columns = {name: values for name, values in facts._asdict().items() if name in _COLUMNS}
        self._columns.write(self._rows, {**columns, "keys": keys, "takes_part": takes_part})
        self._columns.write(self._rows + 1, {"ends": ends})
        self._codes.write(numbers[facts.codes].data)
        self._rows += len(ends)
        self._end += len(facts.codes)

    def finish(self) -> RowWords:
        """Write what is left; the words."""
        self._codes.flush()
        known = self._vocabulary.facts
        lengths, letters = string_bytes(self._vocabulary.words)
        files = {"lengths": lengths, "letters": letters, "kinds": known.kinds, "spelling": known.spelling}
        for name, array in files.items():
            with (self._folder / name).open("wb") as file:
                file.write(np.ascontiguousarray(array).data)
        return RowWords(self._folder, self._rows)
