"""The embed stage: a vector for every text that the model can read, taken from the store where it has one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.encoder import Encoder
from entropyguard.core.parquet import TableWriter, read_about, read_tables, row_count
from entropyguard.core.parts import PartStore
from entropyguard.core.progress import Progress
from entropyguard.core.text import texts_of
from entropyguard.core.tokens import OVER_LONG, UNREADABLE
from entropyguard.core.vector_store import KEY_TYPE, Keys, VectorStore, keys_to_arrow, text_keys, vectors_to_arrow

SAVE_SECONDS = 30.0
_SAVE_BYTES = 64 << 20


@dataclass(frozen=True)
class EmbedCounts:
    """rows = embedded + reused + unreadable + over_long.

    reused: the vector came from the store, or another row of this run has the same text.
    """

    rows: int
    embedded: int
    reused: int
    unreadable: int
    over_long: int


def embed_texts(
    after_exact: Path, out: Path, encoder: Encoder, store: PartStore | None, progress: Progress
) -> EmbedCounts:
    """Write embeddings.parquet for after_exact_dedup.parquet: its rows, in its order.

    The bytes hang on the texts and the encoder alone, not on what the store held. store: where vectors are looked
    up and, at least every half minute of work, saved; None does neither. Memory holds one row group.
    """
    about, total = read_about(after_exact), row_count(after_exact)
    vectors = None if store is None else VectorStore(store, encoder.fingerprint, encoder.dimension)
    counts = dict.fromkeys(("rows", "embedded", "reused", UNREADABLE, OVER_LONG), 0)
    schema = embeddings_schema(encoder.dimension)
    with (
        TableWriter(out, schema, {"dimension": encoder.dimension}, plain=("vector",)) as writer,
        _Saver(vectors) as saver,
    ):
        for table in read_tables(after_exact):
            texts = texts_of(table, about).to_list()
            chunk = _Chunk(texts, encoder.dimension)
            chunk.look_up(vectors)
            chunk.embed(encoder, saver, counts["rows"], total, progress)
            writer.write(chunk.as_table(table.column("row_id"), schema))
            chunk.count(counts)
            progress(counts["rows"], total)
    if vectors is not None:
        vectors.link(out)
    return EmbedCounts(**counts)


def embeddings_schema(dimension: int) -> pa.Schema:
    """The columns of embeddings.parquet. `vector` is null where `skipped` says why."""
    columns = [("row_id", pa.int64()), ("window", pa.int32()), ("skipped", pa.string()), ("key", KEY_TYPE)]
    return pa.schema([*columns, ("vector", pa.list_(pa.float32(), dimension))])


class _Saver:
    """Collects new vectors and saves them every half minute, and when the work is cut short."""

    def __init__(self, vectors: VectorStore | None) -> None:
        self._vectors = vectors
        self._keys: list[Keys] = []
        self._rows: list[npt.NDArray[np.float32]] = []
        self._since = time.monotonic()

    def add(self, keys: Keys, rows: npt.NDArray[np.float32]) -> None:
        if self._vectors is None:
            return
        self._keys.append(keys)
        self._rows.append(rows)
        waiting = sum(rows.nbytes for rows in self._rows)
        if waiting >= _SAVE_BYTES or time.monotonic() - self._since >= SAVE_SECONDS:
            self._save()

    def _save(self) -> None:
        if self._vectors is not None and self._keys:
            self._vectors.put(np.concatenate(self._keys), np.concatenate(self._rows))
        self._keys, self._rows, self._since = [], [], time.monotonic()

    def __enter__(self) -> _Saver:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After a clean end the finished file is linked in whole: saving the last vectors twice is for nothing.
        if kind is not None:
            self._save()


class _Chunk:
    """The rows of one row group on their way to vectors."""

    def __init__(self, texts: list[str], dimension: int) -> None:
        self._texts = texts
        self._keys = text_keys(texts)
        self._vectors = np.zeros((len(texts), dimension), dtype=np.float32)
        self._skipped: npt.NDArray[np.object_] = np.full(len(texts), None, dtype=object)
        self._known = np.zeros(len(texts), dtype=np.bool_)
        self._embedded = 0

    def look_up(self, vectors: VectorStore | None) -> None:
        """Fill in what the store has."""
        if vectors is not None:
            self._known, found = vectors.find(self._keys)
            self._vectors[self._known] = found

    def embed(self, encoder: Encoder, saver: _Saver, before: int, total: int, progress: Progress) -> None:
        """Embed each missing text once; equal texts share the vector."""
        missing = np.flatnonzero(~self._known)
        pairs = self._keys[missing].view([("first", np.uint64), ("second", np.uint64)]).reshape(-1)
        _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
        rows = missing[first]
        tokens = encoder.tokenise([self._texts[row] for row in rows])
        wanted = np.flatnonzero([why is None for why in tokens.skipped])
        done = before + len(self._texts) - len(wanted)
        for positions, piece in encoder.encode(tokens, wanted):
            self._vectors[rows[positions]] = piece
            saver.add(self._keys[rows[positions]], piece)
            self._embedded += len(positions)
            progress(done + self._embedded, total)
        self._vectors[missing] = self._vectors[rows[inverse]]
        self._skipped[missing] = np.array(tokens.skipped, dtype=object)[inverse]

    def as_table(self, row_ids: pa.ChunkedArray, schema: pa.Schema) -> pa.Table:
        """The chunk's rows of embeddings.parquet."""
        mask = self._skipped != None  # noqa: E711  element by element
        skipped = pa.array(self._skipped.tolist(), type=pa.string())
        window = pa.array(np.zeros(len(mask), dtype=np.int32))
        columns = [row_ids, window, skipped, keys_to_arrow(self._keys), vectors_to_arrow(self._vectors, mask)]
        return pa.table(columns, schema=schema)

    def count(self, counts: dict[str, Any]) -> None:
        """Add this chunk to the run's counts."""
        skipped = {why: int((self._skipped == why).sum()) for why in (UNREADABLE, OVER_LONG)}
        reused = len(self._texts) - self._embedded - sum(skipped.values())
        for name, number in {"rows": len(self._texts), "embedded": self._embedded, "reused": reused, **skipped}.items():
            counts[name] += number
