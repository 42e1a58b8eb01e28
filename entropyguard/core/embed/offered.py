"""Vectors that were made elsewhere, as `dvc pull` brings them: taken into the store if this encoder makes the same.

An embeddings.parquet does not say which processor and which versions of libraries its vectors come from, and these
decide their last bits. So some of the texts that it has vectors for are embedded here, and every bit must be the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from entropyguard.core.embed.batch import TextBatch
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.vector_keys import text_keys
from entropyguard.core.embed.vector_store import VectorStore
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore

_SAMPLES = 64


class _OneFile(PartStore):
    """An embeddings.parquet as a store by itself, to look vectors up."""

    def below(self, name: str) -> PartStore:  # noqa: ARG002  it is of one encoder
        return self

    def paths(self) -> list[Path]:
        return [self.folder]

    def is_sound(self, path: Path) -> bool:  # noqa: ARG002  who offers it has compared it with what DVC knows of it
        return True


def take_offered(store: VectorStore, offered: Path, encoder: Encoder, after_near: Checkpoint, max_windows: int) -> bool:
    """Add an embeddings.parquet to the store, if texts of `after_near` get the very vectors it has; whether it was."""
    if Checkpoint(offered).metadata.get("dimension") != encoder.dimension:
        return False
    there = VectorStore(_OneFile(offered), encoder.fingerprint, encoder.dimension)
    batch = TextBatch(_sample(there, after_near), encoder, max_windows, None)
    batch.embed(lambda *_: None)
    compared = np.flatnonzero(batch.has_vector())
    known, vectors = there.find(batch.keys[compared])
    if not known.any() or batch.vectors[compared[known]].tobytes() != vectors.tobytes():
        return False
    store.take(offered)
    return True


def _sample(there: VectorStore, after_near: Checkpoint) -> list[str]:
    """Some of the texts that have a vector there: the first that come, and of each row group short and long ones."""
    sample: list[str] = []
    for table in after_near.tables(["record"]):
        texts = texts_of(table, after_near.metadata)
        known = texts.filter(pl.Series(there.knows(text_keys(texts)))).unique(maintain_order=True)
        by_length = known.gather(known.str.len_bytes().arg_sort())
        places = np.linspace(0, len(by_length) - 1, min(_SAMPLES - len(sample), len(by_length)))
        sample += by_length.gather(places.astype(np.int64)).to_list()
        if len(sample) == _SAMPLES:
            break
    return sample
