"""The rows of after_near_dedup.parquet on their way to vectors, a batch at a time.

While one batch is embedded, the next one is read and tokenised in the background, and new vectors are saved.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Floats, Ints, Keys
from entropyguard.core.embed.batch import TextBatch
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.vector_store import VectorStore
from entropyguard.core.embed.vector_writer import VectorWriter
from entropyguard.core.progress import Progress
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.prefetch import prefetched

_BATCHES_AHEAD = 1


def embedded_batches(
    after_near: Checkpoint,
    rows: int,
    encoder: Encoder,
    max_windows: int,
    vectors: VectorStore | None,
    writer: VectorWriter,
    progress: Progress,
    wanted: Bools | None = None,
) -> Generator[tuple[pa.ChunkedArray, TextBatch]]:
    """The wanted rows (None: all), `rows` in number, as many at a time as a row group has, with their row ids.

    Close it before `writer` ends.
    """
    done = 0

    def listen(keys: Keys, new: Floats, share: float) -> None:
        writer.add(keys, new)
        progress(done + int(len(batch.skipped) * share), rows)

    with closing(prefetched(_batches(after_near, encoder, max_windows, vectors, wanted), _BATCHES_AHEAD)) as batches:
        for row_ids, batch in batches:
            batch.embed(listen)
            yield row_ids, batch
            done += len(batch.skipped)
            progress(done, rows)


def _batches(
    after_near: Checkpoint,
    encoder: Encoder,
    max_windows: int,
    vectors: VectorStore | None,
    wanted: Bools | None,
) -> Iterator[tuple[pa.ChunkedArray, TextBatch]]:
    start = 0
    for table in after_near.tables(["row_id", "record"]):
        here = slice(start, start + table.num_rows)
        start = here.stop
        own = table if wanted is None else table.filter(pa.array(wanted[here]))
        if own.num_rows:
            texts = texts_of(own, after_near.metadata).to_list()
            yield own["row_id"], TextBatch(texts, encoder, max_windows, vectors)


def open_store(store: PartStore | None, encoder: Encoder) -> VectorStore | None:
    """The encoder's own vectors in a store."""
    return None if store is None else VectorStore(store, encoder.fingerprint, encoder.dimension)


def exact_vectors(
    after_near: Checkpoint,
    wanted: Bools,
    encoder: Encoder,
    max_windows: int,
    store: PartStore | None,
    progress: Progress,
) -> Iterator[tuple[Ints, Floats]]:
    """The vectors of the wanted rows of after_near_dedup.parquet, in its order: (position, vector) of each window.

    wanted: a flag for each row. A row that cannot be embedded has no vector. store: where vectors are looked up; the
    new ones are in it when the last ones have come.
    """
    vectors = open_store(store, encoder)
    positions, done = np.flatnonzero(wanted), 0
    with (
        ThreadPoolExecutor(1) as background,
        VectorWriter(vectors, background) as writer,
        closing(
            embedded_batches(after_near, len(positions), encoder, max_windows, vectors, writer, progress, wanted=wanted)
        ) as batches,
    ):
        for _, batch in batches:
            own = positions[done : done + len(batch.skipped)]
            done += len(own)
            taken = batch.has_vector()
            yield own[batch.text[taken]], batch.vectors[taken]
        writer.save()
