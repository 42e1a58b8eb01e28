"""The first half of the work, by ranges of rows: the words of texts, and the hashes by which they are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from entropyguard.core.arrays import Bools, Keys, UInt32s
from entropyguard.core.near.finished import stored
from entropyguard.core.near.minhash import band_hashes
from entropyguard.core.near.row_words import RowFacts, facts_of
from entropyguard.core.near.vocabulary import Vocabulary, WordFacts, string_bytes, strings
from entropyguard.core.params import NearParams
from entropyguard.core.progress import Progress
from entropyguard.core.rows.content import nothing_to_compare
from entropyguard.core.rows.normalise import content_hash
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.array_tables import arrays_from_table, arrays_to_table
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.words.split import Words

UNIT_ROWS = 16_384
"""The most rows of a unit; those of a row group share none with those of the next."""

_MIX = np.uint32(0x7F4A7C15)


@dataclass(frozen=True)
class TextUnit:
    """Rows start..stop-1 of a row group of a checkpoint; `first` is the index of the first of them among all.

    signatures: parts with what MinHash gave for texts before. name, folder: what its part is called, and the store's
    folder where it goes.
    """

    path: Path
    group: int
    start: int
    stop: int
    first: int
    near: NearParams
    signatures: tuple[Path, ...]
    name: str
    folder: Path

    def __str__(self) -> str:
        return f"rows {self.first:,} to {self.first + self.count - 1:,} of {self.path.name}"

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.stop - self.start


def text_units(
    rows: Checkpoint, digest: str, near: NearParams, signatures: tuple[Path, ...], folder: Path
) -> list[TextUnit]:
    """The units of a checkpoint whose content has this digest."""
    units, first = [], 0
    for group, size in enumerate(rows.group_rows):
        for start in range(0, size, UNIT_ROWS):
            stop = min(size, start + UNIT_ROWS)
            name = xxhash.xxh3_128_hexdigest(f"{digest} {group} {start} {stop}".encode())
            units.append(TextUnit(rows.path, group, start, stop, first, near, signatures, name, folder))
            first += stop - start
    return units


class UnitTexts(NamedTuple):
    """What is known of the rows of a unit. words, known: the vocabulary that the codes in `facts` are of.

    keys: a hash of each text, shape (rows, 2). bands: of each band the hashes, shape (1 + bands, rows); the first is
    one of all bands. hashed: for how many texts MinHash was asked.
    """

    facts: RowFacts
    words: pl.Series
    known: WordFacts
    keys: Keys
    takes_part: Bools
    bands: UInt32s
    hashed: int


def read_texts(unit: TextUnit, progress: Progress) -> UnitTexts:
    """Take the texts of the unit apart."""
    rows, vocabulary = Checkpoint(unit.path), Vocabulary()
    facts, keys, takes_part, bands, hashed = [], [], [], [], 0
    for table in _slices(rows, unit):
        texts = texts_of(table, rows.metadata)
        found = Words(texts)
        facts.append(facts_of(found, vocabulary))
        keys.append(content_hash(texts))
        takes_part.append(facts[-1].words > 0)
        takes_part[-1][nothing_to_compare(texts)] = False  # of a vowel sign alone Thai makes a word
        known, signatures = stored(unit.signatures, unit.near.bands).find(keys[-1])
        hashes = np.empty((len(texts), unit.near.bands), dtype=np.uint32)
        hashes[known] = signatures
        new = np.flatnonzero(~known)
        if len(new):
            hashes[new] = band_hashes(found.run_together().gather(new), unit.near.num_hashes, unit.near.bands)
        bands.append(hashes.T)
        hashed += len(new)
        progress(sum(map(len, keys)), unit.count)
    by_band = np.concatenate(bands, axis=1)
    joined = RowFacts(*(np.concatenate(arrays) for arrays in zip(*facts, strict=True)))
    return UnitTexts(
        joined,
        vocabulary.words,
        vocabulary.facts,
        np.concatenate(keys),
        np.concatenate(takes_part),
        np.concatenate([_mixed(by_band)[None], by_band]),
        hashed,
    )


def _slices(rows: Checkpoint, unit: TextUnit) -> Iterator[pa.Table]:
    """The records of the unit, a few thousand at a time."""
    end = 0
    for table in rows.slices(["record"], [unit.group]):
        before, end = end, end + table.num_rows
        if end > unit.start:
            yield table.slice(max(0, unit.start - before), min(end, unit.stop) - max(before, unit.start))
        if end >= unit.stop:
            return


def _mixed(bands: UInt32s) -> UInt32s:
    """For each row one hash of those of all its bands."""
    mixed = np.zeros(bands.shape[1], dtype=np.uint32)
    for band in bands:
        mixed = (mixed ^ band) * _MIX
        mixed ^= mixed >> np.uint32(15)
    return mixed


def stored_texts(unit: TextUnit, progress: Progress) -> Path:
    """The part with what `read_texts` returns. A power cut may damage it, and it is read by its digest."""
    texts = read_texts(unit, progress)
    lengths, letters = string_bytes(texts.words)
    arrays = {
        **{f"row_{name}": array for name, array in texts.facts._asdict().items()},
        **{f"word_{name}": array for name, array in texts.known._asdict().items()},
        "lengths": lengths,
        "letters": letters,
        "keys": texts.keys,
        "takes_part": texts.takes_part,
        "bands": texts.bands,
        "hashed": np.array(texts.hashed),
    }
    return PartStore(unit.folder, durable=False).put(unit.name, arrays_to_table(arrays))


def read_part(path: Path) -> UnitTexts:
    """What `stored_texts` put there."""
    arrays = arrays_from_table(pq.read_table(path, memory_map=False))
    return UnitTexts(
        RowFacts(*(arrays[f"row_{name}"] for name in RowFacts._fields)),
        strings(arrays["lengths"], arrays["letters"]),
        WordFacts(*(arrays[f"word_{name}"] for name in WordFacts._fields)),
        arrays["keys"],
        arrays["takes_part"],
        arrays["bands"],
        int(arrays["hashed"]),
    )
