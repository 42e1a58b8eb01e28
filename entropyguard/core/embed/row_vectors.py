"""The rows of after_exact_dedup.parquet on their way to vectors, a portion at a time.

While one portion is embedded, the next one is read and tokenised in the background, and new vectors are saved.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Bools, Floats, Ints, Keys
from entropyguard.core.embed.batch import Portion
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.vector_store import VectorStore
from entropyguard.core.embed.vector_writer import VectorSaver
from entropyguard.core.progress import Progress
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore
from entropyguard.core.storage.prefetch import prefetched

_PORTIONS_AHEAD = 1


def embedded_portions(
    after_exact: Checkpoint,
    rows: int,
    encoder: Encoder,
    max_windows: int,
    vectors: VectorStore | None,
    saver: VectorSaver,
    progress: Progress,
    wanted: Bools | None = None,
) -> Generator[tuple[pa.ChunkedArray, Portion]]:
    """The wanted rows (None: all), `rows` in number, as many at a time as a row group has, with their row ids.

    Close it before `saver` ends.
    """
    done = 0

    def listen(keys: Keys, new: Floats, share: float) -> None:
        saver.add(keys, new)
        progress(done + int(len(portion.skipped) * share), rows)

    with closing(
        prefetched(_portions(after_exact, encoder, max_windows, vectors, wanted), _PORTIONS_AHEAD)
    ) as portions:
        for row_ids, portion in portions:
            portion.embed(listen)
            yield row_ids, portion
            done += len(portion.skipped)
            progress(done, rows)


def _portions(
    after_exact: Checkpoint,
    encoder: Encoder,
    max_windows: int,
    vectors: VectorStore | None,
    wanted: Bools | None,
) -> Iterator[tuple[pa.ChunkedArray, Portion]]:
    start = 0
    for table in after_exact.tables(["row_id", "record"]):
        here = slice(start, start + table.num_rows)
        start = here.stop
        own = table if wanted is None else table.filter(pa.array(wanted[here]))
        if own.num_rows:
            texts = texts_of(own, after_exact.metadata).to_list()
            yield own["row_id"], Portion(texts, encoder, max_windows, vectors)


def open_store(store: PartStore | None, encoder: Encoder) -> VectorStore | None:
    """The encoder's own vectors in a store."""
    return None if store is None else VectorStore(store, encoder.fingerprint, encoder.dimension)


def exact_vectors(
    after_exact: Checkpoint,
    wanted: Bools,
    encoder: Encoder,
    max_windows: int,
    store: PartStore | None,
    progress: Progress,
) -> Iterator[tuple[Ints, Floats]]:
    """The vectors of the wanted rows of after_exact_dedup.parquet, in its order: (place, vector) of each window.

    wanted: a flag for each row. Places count from 0; a row that cannot be embedded has none. store: where vectors are
    looked up; the new ones are in it when the last ones have come.
    """
    vectors = open_store(store, encoder)
    places, done = np.flatnonzero(wanted), 0
    with (
        ThreadPoolExecutor(1) as background,
        VectorSaver(vectors, background) as saver,
        closing(
            embedded_portions(after_exact, len(places), encoder, max_windows, vectors, saver, progress, wanted=wanted)
        ) as portions,
    ):
        for _, portion in portions:
            own = places[done : done + len(portion.skipped)]
            done += len(own)
            taken = portion.has_vector()
            yield own[portion.text[taken]], portion.vectors[taken]
        saver.save()
