"""The embed stage: a vector for every window of the texts the model can read, from the store where it has one.

While one batch is embedded, the next one is read and tokenised in the background, and new vectors are saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from entropyguard.core.arrays import Floats, Keys
from entropyguard.core.embed.batch import EMPTY, TextBatch
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.offered import take_offered
from entropyguard.core.embed.tokenizer import OVER_LONG, UNREADABLE
from entropyguard.core.embed.vector_store import VectorStore, vectors_to_arrow
from entropyguard.core.embed.vector_writer import SAVE_SECONDS, VectorWriter
from entropyguard.core.progress import Progress
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.digests import DIGEST_TYPE, digests_to_arrow
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.prefetch import prefetched

_REASONS = (EMPTY, UNREADABLE, OVER_LONG)
_BATCHES_AHEAD = 1
_ANY_DIMENSION = -1  # lists of no fixed length: no model was asked for one


@dataclass(frozen=True)
class EmbedCounts:
    """rows = embedded + reused + empty + unreadable + over_long.

    empty: without a letter, digit or symbol, so the model is not asked.
    reused: all of its vectors came from the store, or another row of this run has the same text.
    """

    rows: int
    embedded: int
    reused: int
    empty: int
    unreadable: int
    over_long: int


def embed_texts(
    after_near: Checkpoint,
    out: Path,
    encoder: Encoder,
    max_windows: int,
    store: PartStore | None,
    progress: Progress,
    save_seconds: float = SAVE_SECONDS,
) -> EmbedCounts:
    """Write embeddings.parquet for after_near_dedup.parquet: a line per window of its rows, in its order.

    The bytes depend on the texts, the encoder and `max_windows`, not on what the store held. store: where vectors are
    looked up and, at least every `save_seconds` of work, saved; None does neither. Memory holds a few row groups.
    """
    vectors = None if store is None else VectorStore(store, encoder.fingerprint, encoder.dimension)
    if vectors is not None and store is not None and store.offered is not None:
        take_offered(vectors, store.offered, encoder, after_near, max_windows)
    metadata = {"dimension": encoder.dimension, "max_windows": max_windows}
    schema = embeddings_schema(encoder.dimension)
    counts = dict.fromkeys(("rows", "embedded", "reused", *_REASONS), 0)

    def listen(keys: Keys, new: Floats, share: float) -> None:
        vector_writer.add(keys, new)
        progress(counts["rows"] + int(len(batch.skipped) * share), after_near.rows)

    # The files are closed after the threads that write to them have ended.
    with (
        TableWriter(out, schema, metadata, plain=("vector",)) as writer,
        ThreadPoolExecutor(1) as background,
        VectorWriter(vectors, background, save_seconds) as vector_writer,
        closing(prefetched(_batches(after_near, encoder, max_windows, vectors), _BATCHES_AHEAD)) as batches,
    ):
        for row_ids, batch in batches:
            batch.embed(listen)
            vector_writer.run(writer.write, _table(row_ids, batch, schema))
            _count(batch, counts)
            progress(counts["rows"], after_near.rows)
    if vectors is not None:
        vectors.link(out)
    return EmbedCounts(**counts)


def write_no_embeddings(out: Path) -> None:
    """Write an embeddings.parquet without rows: without semantic dedup no text has a vector, whatever the model."""
    with TableWriter(out, embeddings_schema(_ANY_DIMENSION)):
        pass


def embeddings_schema(dimension: int) -> pa.Schema:
    """The columns of embeddings.parquet. `vector` is null where `skipped` says why."""
    columns = [("row_id", pa.int64()), ("window", pa.int32()), ("skipped", pa.string()), ("key", DIGEST_TYPE)]
    return pa.schema([*columns, ("vector", pa.list_(pa.float32(), dimension))])


def _batches(
    after_near: Checkpoint, encoder: Encoder, max_windows: int, vectors: VectorStore | None
) -> Iterator[tuple[pa.ChunkedArray, TextBatch]]:
    """The rows, as many at a time as a row group has, with their row ids."""
    for table in after_near.tables(["row_id", "record"]):
        texts = texts_of(table, after_near.metadata).to_list()
        yield table["row_id"], TextBatch(texts, encoder, max_windows, vectors)


def _table(row_ids: pa.ChunkedArray, batch: TextBatch, schema: pa.Schema) -> pa.Table:
    """A batch's lines of embeddings.parquet."""
    columns = [
        row_ids.take(pa.array(batch.text)),
        pa.array(batch.window, pa.int32()),
        pa.array(batch.skipped[batch.text].tolist(), pa.string()),
        digests_to_arrow(batch.keys),
        vectors_to_arrow(batch.vectors, ~batch.has_vector()),
    ]
    return pa.table(columns, schema=schema)


def _count(batch: TextBatch, counts: dict[str, int]) -> None:
    """Add a batch to the run's counts."""
    rows = len(batch.skipped)
    skipped = {why: int((batch.skipped == why).sum()) for why in _REASONS}
    reused = rows - batch.embedded - sum(skipped.values())
    for name, number in {"rows": rows, "embedded": batch.embedded, "reused": reused, **skipped}.items():
        counts[name] += number
