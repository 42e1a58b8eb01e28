"""A unit of the embed stage: the vectors of some rows, as a part that has the columns of embeddings.parquet."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from entropyguard.core.arrays import Floats, Keys
from entropyguard.core.embed.batch import EMPTY, TextBatch
from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.tokenizer import OVER_LONG, UNREADABLE
from entropyguard.core.embed.vector_store import VectorStore, vectors_to_arrow
from entropyguard.core.progress import Progress
from entropyguard.core.rows.text import texts_of
from entropyguard.core.storage.digests import DIGEST_TYPE, digests_to_arrow
from entropyguard.core.storage.row_ranges import RowRange

REASONS = (EMPTY, UNREADABLE, OVER_LONG)
_COUNTS = b"counts"


@dataclass(frozen=True)
class EmbedUnit:
    """Rows to embed. name: of the part that comes of it, a digest of all that decides its bytes."""

    name: str
    rows: RowRange

    def __str__(self) -> str:
        return str(self.rows)


@dataclass(frozen=True)
class EmbedWork:
    """What is done with a unit. said: the metadata of the checkpoint, which says where a row's text stands."""

    encoder: Encoder
    max_windows: int
    vectors: VectorStore
    said: dict[str, object]

    def __call__(self, unit: EmbedUnit, progress: Progress) -> Path:
        """Embed the rows whose vectors no part has yet; returns the new part, which has the vectors of all of them."""
        rows = unit.rows.table(["row_id", "record"])
        batch = TextBatch(texts_of(rows, self.said).to_list(), self.encoder, self.max_windows, self.vectors)
        keys, found = list[Keys](), list[Floats]()

        def listen(new: Keys, vectors: Floats, share: float) -> None:
            keys.append(new)
            found.append(vectors)
            progress(int(len(rows) * share), len(rows))

        try:
            batch.embed(listen)
        except BaseException:
            if found:  # Ctrl-C above all: the next run has these already
                self.vectors.put(np.concatenate(keys), np.concatenate(found))
            raise
        return self.vectors.put_unit(unit.name, _table(rows["row_id"], batch, self.encoder.dimension))


def embeddings_schema(dimension: int) -> pa.Schema:
    """The columns of embeddings.parquet. `vector` is null where `skipped` says why."""
    columns = [("row_id", pa.int64()), ("window", pa.int32()), ("skipped", pa.string()), ("key", DIGEST_TYPE)]
    return pa.schema([*columns, ("vector", pa.list_(pa.float32(), dimension))])


def read_unit(part: Path) -> tuple[pa.Table, Counter[str]]:
    """The lines of a part, and how many of its rows were embedded, and how many skipped, by reason."""
    with pq.ParquetFile(part, memory_map=False) as file:  # read_table would load what data sets take
        table = file.read()
    return table, Counter(json.loads(table.schema.metadata[_COUNTS]))


def _table(row_ids: pa.ChunkedArray, batch: TextBatch, dimension: int) -> pa.Table:
    """A batch's lines of embeddings.parquet."""
    skipped = {why: int((batch.skipped == why).sum()) for why in REASONS}
    counts = json.dumps({"rows": len(row_ids), "embedded": batch.embedded, **skipped})
    columns = [
        row_ids.take(pa.array(batch.text)),
        pa.array(batch.window, pa.int32()),
        pa.array(batch.skipped[batch.text].tolist(), pa.string()),
        digests_to_arrow(batch.keys),
        vectors_to_arrow(batch.vectors, ~batch.has_vector()),
    ]
    return pa.table(columns, schema=embeddings_schema(dimension).with_metadata({_COUNTS: counts.encode()}))
