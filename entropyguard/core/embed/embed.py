"""The embed stage: a vector for every window of the texts the model can read, from the store where it has one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entropyguard.core.embed.encoder import Encoder
from entropyguard.core.embed.loader import facts_of
from entropyguard.core.embed.offered import take_offered
from entropyguard.core.embed.unit import REASONS, EmbedUnit, EmbedWork, embeddings_schema, read_unit
from entropyguard.core.embed.vector_store import VectorStore
from entropyguard.core.pool.parts import finished_parts, results_of
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.shares import Shares
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parquet import TableWriter
from entropyguard.core.storage.parts import PartStore, kept_or_temporary
from entropyguard.core.storage.row_ranges import row_ranges

_UNIT_ROWS = 1 << 16
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
    pool: Pool,
    unit_rows: int = _UNIT_ROWS,
) -> EmbedCounts:
    """Write embeddings.parquet for after_near_dedup.parquet: a line per window of its rows, in its order.

    The bytes depend on the texts, the encoder and `max_windows`, not on what the store held, nor on the pool. store:
    where vectors are looked up, and saved unit by unit; None does neither. Memory holds a few units. unit_rows: the
    most rows of a unit, for tests.
    """
    units = list(_units(after_near, encoder, max_windows, unit_rows))
    metadata = {"dimension": encoder.dimension, "max_windows": max_windows}
    counts: Counter[str] = Counter()
    with kept_or_temporary(store, out.parent) as parts:
        finished = finished_parts(units, parts.below(encoder.fingerprint))
        vectors = VectorStore(parts, encoder.fingerprint, encoder.dimension, apart=finished.values())
        if parts.offered is not None:
            take_offered(vectors, parts.offered, encoder, after_near, max_windows)
        work = EmbedWork(encoder, max_windows, vectors, after_near.metadata)
        used = []
        with TableWriter(out, embeddings_schema(encoder.dimension), metadata, plain=("vector",)) as writer:
            shares = Shares(progress, after_near.rows)
            heard = lambda unit, share: shares.add(unit.name, share * len(unit.rows))  # noqa: E731  no more to say
            made_parts = results_of(
                pool, work, units, finished, heard, threaded=True, gpu=encoder.on_gpu, facts=facts_of(encoder)
            )
            for part, made in made_parts:
                lines, of_unit = read_unit(part)
                writer.write(lines.replace_schema_metadata(None))
                counts += of_unit if made else of_unit - Counter({"embedded": of_unit["embedded"]})
                used.append(part)
        if store is not None:
            vectors.link(out, used)
    skipped = {why: counts[why] for why in REASONS}
    reused = after_near.rows - counts["embedded"] - sum(skipped.values())
    return EmbedCounts(after_near.rows, counts["embedded"], reused, **skipped)


def write_no_embeddings(out: Path) -> None:
    """Write an embeddings.parquet without rows: without semantic dedup no text has a vector, whatever the model."""
    with TableWriter(out, embeddings_schema(_ANY_DIMENSION)):
        pass


def _units(after_near: Checkpoint, encoder: Encoder, max_windows: int, most_rows: int) -> Iterator[EmbedUnit]:
    said = f"embed 1 {encoder.fingerprint} {max_windows} {after_near.digest}"
    for rows in row_ranges(after_near, most_rows, "record", encoder.unit_bytes):
        yield EmbedUnit(rows.name(said), rows)
