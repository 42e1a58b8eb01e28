"""Vectors from elsewhere are taken only where this encoder makes the very same bits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from entropyguard.core.arrays import Floats, Ints
from entropyguard.core.embed.batch import TextBatch
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import load_encoder
from entropyguard.core.embed.offered import take_offered
from entropyguard.core.embed.tokenizer import Tokens
from entropyguard.core.embed.unit import embeddings_schema
from entropyguard.core.embed.vector_keys import text_keys
from entropyguard.core.embed.vector_store import VectorStore, vectors_to_arrow
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.digests import digests_to_arrow
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from tests.conftest import TEXTS
from tests.static_model import write_static_model


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(write_static_model(tmp_path_factory.mktemp("model")))


class AnotherProcessor:
    """The same model where the last bit of some vectors comes out otherwise."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.dimension = encoder.dimension
        self.fingerprint = f"{encoder.fingerprint}-elsewhere"
        self.folder, self.unit_bytes, self.facts, self.on_gpu = encoder.folder, encoder.unit_bytes, encoder.facts, False

    def tokenise(self, texts: Sequence[str], max_windows: int) -> Tokens:
        return self._encoder.tokenise(texts, max_windows)

    def encode(self, tokens: Tokens, wanted: Ints) -> Iterator[tuple[Ints, Floats]]:
        for positions, vectors in self._encoder.encode(tokens, wanted):
            others = vectors.copy()
            others[::3, 0] = np.nextafter(others[::3, 0], np.float32(2))
            yield positions, others


def embeddings_of(path: Path, texts: Sequence[str], encoder: Encoder) -> Path:
    """What that encoder makes of the texts, in a file."""
    batch = TextBatch(texts, encoder, 1, None)
    batch.embed(lambda *_: None)
    count = len(texts)
    columns = [
        pa.array(range(count), pa.int64()),
        pa.array([0] * count, pa.int32()),
        pa.array([None] * count, pa.string()),
        digests_to_arrow(batch.keys),
        vectors_to_arrow(batch.vectors),
    ]
    schema = embeddings_schema(encoder.dimension)
    with TableWriter(path, schema, {"dimension": encoder.dimension}, plain=("vector",)) as writer:
        writer.write(pa.table(columns, schema=schema))
    return path


def input_of(path: Path, texts: Sequence[str]) -> Checkpoint:
    rows = pa.table(
        {
            "row_id": pa.array(range(len(texts)), pa.int64()),
            "record": pa.array([json.dumps({"text": text}) for text in texts], pa.large_string()),
        }
    )
    with TableWriter(path, rows.schema, {"format": "jsonl", "text_column": "text"}) as writer:
        writer.write(rows)
    return Checkpoint(path)


def known(store: VectorStore, texts: Sequence[str]) -> int:
    return int(store.knows(text_keys(texts)).sum())


def test_vectors_of_the_same_bits_are_taken(tmp_path: Path, encoder: Encoder) -> None:
    pulled = embeddings_of(tmp_path / "embeddings.parquet", TEXTS[:6], encoder)
    store = VectorStore(PartStore(tmp_path / "store"), encoder.fingerprint, encoder.dimension)
    assert take_offered(store, pulled, encoder, input_of(tmp_path / "in.parquet", ["a dog", *TEXTS]), 1)
    assert known(store, TEXTS) == 6
    assert pulled.stat().st_nlink == 2  # not a second copy


def test_vectors_of_another_processor_are_not(tmp_path: Path, encoder: Encoder) -> None:
    pulled = embeddings_of(tmp_path / "embeddings.parquet", TEXTS, AnotherProcessor(encoder))
    store = VectorStore(PartStore(tmp_path / "store"), encoder.fingerprint, encoder.dimension)
    assert not take_offered(store, pulled, encoder, input_of(tmp_path / "in.parquet", TEXTS), 1)
    assert known(store, TEXTS) == 0


def test_where_no_text_can_be_compared_nothing_is_taken(tmp_path: Path, encoder: Encoder) -> None:
    pulled = embeddings_of(tmp_path / "embeddings.parquet", TEXTS, encoder)
    store = VectorStore(PartStore(tmp_path / "store"), encoder.fingerprint, encoder.dimension)
    assert not take_offered(store, pulled, encoder, input_of(tmp_path / "in.parquet", ["a dog", "a cat"]), 1)
    assert known(store, TEXTS) == 0


def test_vectors_of_another_length_are_not_taken(tmp_path: Path, encoder: Encoder) -> None:
    schema = embeddings_schema(7)
    with TableWriter(tmp_path / "embeddings.parquet", schema, {"dimension": 7}, plain=("vector",)) as writer:
        writer.write(schema.empty_table())
    store = VectorStore(PartStore(tmp_path / "store"), encoder.fingerprint, encoder.dimension)
    rows = input_of(tmp_path / "in.parquet", TEXTS)
    assert not take_offered(store, tmp_path / "embeddings.parquet", encoder, rows, 1)
