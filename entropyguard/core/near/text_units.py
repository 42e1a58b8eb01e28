"""The first half of the work, by ranges of rows: the words of texts, and the hashes by which they are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow.parquet as pq

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
from entropyguard.core.storage.row_ranges import RowRange, row_ranges
from entropyguard.core.words.split import Words

UNIT_ROWS = 32_768
"""The most rows of a unit."""

_UNIT_BYTES = 16 << 20  # of their records, about

_MIX = np.uint32(0x7F4A7C15)


@dataclass(frozen=True)
class TextUnit:
    """Rows of a checkpoint.

    signatures: parts with what MinHash gave for texts before. name, folder: what its part is called, and the store's
    folder where it goes.
    """

    rows: RowRange
    near: NearParams
    signatures: tuple[Path, ...]
    name: str
    folder: Path

    def __str__(self) -> str:
        return str(self.rows)


def text_units(
    checkpoint: Checkpoint, digest: str, near: NearParams, signatures: tuple[Path, ...], folder: Path
) -> list[TextUnit]:
    """The units of a checkpoint whose content has this digest, in the order of its rows."""
    return [
        TextUnit(rows, near, signatures, rows.name(digest), folder)
        for rows in row_ranges(checkpoint, UNIT_ROWS, "record", _UNIT_BYTES)
    ]


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
    """Take the texts of the unit apart.

    All at once: polars begins each search by a pattern anew with working out what a letter is, byte by byte of UTF-8.
    """
    vocabulary = Vocabulary()
    texts = texts_of(unit.rows.table(["record"]), unit.rows.checkpoint.metadata)
    keys = content_hash(texts)
    words = Words(texts)
    facts = facts_of(words, vocabulary)
    takes_part = facts.words > 0
    takes_part[nothing_to_compare(texts)] = False  # of a vowel sign alone Thai makes a word
    progress(len(texts) // 2, len(texts))
    known, signatures = stored(unit.signatures, unit.near.bands).find(keys)
    hashes = np.empty((len(texts), unit.near.bands), dtype=np.uint32)
    hashes[known] = signatures
    new = np.flatnonzero(~known)
    if len(new):
        hashes[new] = band_hashes(words.run_together().gather(new), unit.near.num_hashes, unit.near.bands)
    bands = np.concatenate([_mixed(hashes.T)[None], hashes.T])
    progress(len(texts), len(texts))
    return UnitTexts(facts, vocabulary.words, vocabulary.facts, keys, takes_part, bands, len(new))


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
