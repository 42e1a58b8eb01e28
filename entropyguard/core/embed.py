"""The embed stage: a vector for every window of every text the model can read, taken from the store where it has one.

While one portion of the rows is embedded, the next one is read and tokenised, and the one before is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from entropyguard.core.batches import ahead
from entropyguard.core.encoder import Encoder, Vectors
from entropyguard.core.parquet import TableWriter, read_about, read_tables, row_count
from entropyguard.core.parts import PartStore
from entropyguard.core.portions import Bools, Ints, Listener, Portion
from entropyguard.core.progress import Progress
from entropyguard.core.text import texts_of
from entropyguard.core.tokens import OVER_LONG, UNREADABLE
from entropyguard.core.vector_keys import KEY_TYPE, Keys, keys_to_arrow
from entropyguard.core.vector_saver import VectorSaver
from entropyguard.core.vector_store import VectorStore, vectors_to_arrow

_PORTIONS_AHEAD = 1


@dataclass(frozen=True)
class EmbedCounts:
    """rows = embedded + reused + unreadable + over_long.

    reused: all of its vectors came from the store, or another row of this run has the same text.
    """

    rows: int
    embedded: int
    reused: int
    unreadable: int
    over_long: int


def embed_texts(
    after_exact: Path, out: Path, encoder: Encoder, max_windows: int, store: PartStore | None, progress: Progress
) -> EmbedCounts:
    """Write embeddings.parquet for after_exact_dedup.parquet: a line per window of its rows, in its order.

    The bytes hang on the texts, the encoder and `max_windows` alone, not on what the store held. store: where
    vectors are looked up and, at least every half minute of work, saved; None does neither. Memory holds a few
    portions of the rows.
    """
    vectors = _open(store, encoder)
    about = {
        "dimension": encoder.dimension,
        "precision": encoder.precision,
        "rounding": encoder.rounding,
        "max_windows": max_windows,
    }
    schema = embeddings_schema(encoder.dimension)
    counts = dict.fromkeys(("rows", "embedded", "reused", UNREADABLE, OVER_LONG), 0)
    total = row_count(after_exact)
    # The files are closed after the threads that write to them have ended.
    with (
        TableWriter(out, schema, about, plain=("vector",)) as writer,
        ThreadPoolExecutor(1) as background,
        VectorSaver(vectors, background) as saver,
        closing(ahead(_portions(after_exact, None, encoder, max_windows, vectors), _PORTIONS_AHEAD)) as portions,
    ):
        for row_ids, portion in portions:
            portion.embed(_listener(saver, progress, counts["rows"], len(portion.skipped), total))
            saver.run(writer.write, _table(row_ids, portion, schema))
            _count(portion, counts)
            progress(counts["rows"], total)
    if vectors is not None:
        vectors.link(out)
    return EmbedCounts(**counts)


def exact_vectors(
    after_exact: Path,
    wanted: Bools,
    encoder: Encoder,
    max_windows: int,
    store: PartStore | None,
    progress: Progress,
) -> Iterator[tuple[Ints, Vectors]]:
    """The vectors of the wanted rows of after_exact_dedup.parquet, in its order: (place, vector) of each window.

    wanted: a flag for each row. Places count from 0; a row that cannot be embedded has none. `store` as above; new
    vectors are in it when the last ones have come.
    """
    vectors = _open(store, encoder)
    places, done = np.flatnonzero(wanted), 0
    with (
        ThreadPoolExecutor(1) as background,
        VectorSaver(vectors, background) as saver,
        closing(ahead(_portions(after_exact, wanted, encoder, max_windows, vectors), _PORTIONS_AHEAD)) as portions,
    ):
        for _, portion in portions:
            rows = len(portion.skipped)
            portion.embed(_listener(saver, progress, done, rows, len(places)))
            taken = portion.skipped[portion.text] == None  # noqa: E711  element by element
            yield places[done : done + rows][portion.text[taken]], portion.vectors[taken]
            done += rows
            progress(done, len(places))
        saver.save()


def embeddings_schema(dimension: int) -> pa.Schema:
    """The columns of embeddings.parquet. `vector` is null where `skipped` says why."""
    columns = [("row_id", pa.int64()), ("window", pa.int32()), ("skipped", pa.string()), ("key", KEY_TYPE)]
    return pa.schema([*columns, ("vector", pa.list_(pa.float32(), dimension))])


def _open(store: PartStore | None, encoder: Encoder) -> VectorStore | None:
    return None if store is None else VectorStore(store, encoder.fingerprint, encoder.dimension)


def _portions(
    after_exact: Path, wanted: Bools | None, encoder: Encoder, max_windows: int, vectors: VectorStore | None
) -> Iterator[tuple[pa.ChunkedArray, Portion]]:
    """The wanted rows (None: all), as many at a time as a row group has, with their row ids."""
    about, start = read_about(after_exact), 0
    for table in read_tables(after_exact, ["row_id", "record"]):
        own = table if wanted is None else table.filter(pa.array(wanted[start : start + table.num_rows]))
        start += table.num_rows
        if own.num_rows:
            yield own["row_id"], Portion(texts_of(own, about).to_list(), encoder, max_windows, vectors)


def _listener(saver: VectorSaver, progress: Progress, before: int, rows: int, total: int) -> Listener:
    """Saves what is new, and tells how many of all rows are done."""

    def listen(keys: Keys, vectors: Vectors, share: float) -> None:
        saver.add(keys, vectors)
        progress(before + int(rows * share), total)

    return listen


def _table(row_ids: pa.ChunkedArray, portion: Portion, schema: pa.Schema) -> pa.Table:
    """A portion's lines of embeddings.parquet."""
    skipped = pa.array(portion.skipped[portion.text].tolist(), pa.string())
    columns = [
        row_ids.take(pa.array(portion.text)),
        pa.array(portion.window, pa.int32()),
        skipped,
        keys_to_arrow(portion.keys),
        vectors_to_arrow(portion.vectors, skipped.is_valid().to_numpy(zero_copy_only=False)),
    ]
    return pa.table(columns, schema=schema)


def _count(portion: Portion, counts: dict[str, int]) -> None:
    """Add a portion to the run's counts."""
    rows = len(portion.skipped)
    skipped = {why: int((portion.skipped == why).sum()) for why in (UNREADABLE, OVER_LONG)}
    reused = rows - portion.embedded - sum(skipped.values())
    for name, number in {"rows": rows, "embedded": portion.embedded, "reused": reused, **skipped}.items():
        counts[name] += number
