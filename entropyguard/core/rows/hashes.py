"""The hash and the length of each row's normalised text: as ingest stored them or, for another normalisation, anew."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from entropyguard.core.arrays import Hashes, Int32s
from entropyguard.core.params import ExactParams
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.digests import DIGEST_TYPE, digests_from_arrow, digests_to_arrow

AT_INGEST = ExactParams("NFC", lowercase=True, whitespace=True, min_length=0)
"""The normalisation whose hashes ingest takes; for any other, exact_dedup has to decode the texts again."""

HASH_FIELDS = (pa.field("hash", DIGEST_TYPE), pa.field("characters", pa.int32()))
"""The columns they are stored in: xxh3-128, its highest byte first, and the number of characters, 0 where there is
nothing to compare."""

_MOST_THREADS = 4  # each of them holds a slice of texts in half a dozen forms


def hash_columns(hashes: Hashes, lengths: Int32s) -> dict[str, pa.Array]:
    """HASH_FIELDS from hashes of shape (rows, 2), high half first, and lengths of shape (rows,)."""
    return {"hash": digests_to_arrow(hashes.astype(">u8")), "characters": pa.array(lengths)}


def hashes_of(column: pa.ChunkedArray) -> Hashes:
    """The other way round."""
    return digests_from_arrow(column).view(">u8").astype(np.uint64)


def spelled(params: ExactParams) -> dict[str, Any]:
    """What decides how texts are normalised, for a checkpoint to say so."""
    return {"unicode": params.unicode, "lowercase": params.lowercase, "whitespace": params.whitespace}


def are_stored(ingested: Checkpoint, exact: ExactParams) -> bool:
    """Whether ingest normalised the texts as `exact` asks."""
    return bool(ingested.metadata.get("hashed") == spelled(exact))


def stored(ingested: Checkpoint) -> tuple[Hashes, Int32s]:
    """The hashes, shape (rows, 2), and the lengths, shape (rows,), that ingest stored; in the order of row ids."""
    rows = ingested.rows
    hashes, lengths = np.empty((rows, 2), dtype=np.uint64), np.empty(rows, dtype=np.int32)
    for part, table in ingested.placed([field.name for field in HASH_FIELDS]):
        hashes[part], lengths[part] = hashes_of(table["hash"]), table["characters"].to_numpy()
    return hashes, lengths


def taken_anew(ingested: Checkpoint, exact: ExactParams, progress: Progress) -> tuple[Hashes, Int32s]:
    """The same from the texts, which are decoded, normalised and hashed by several threads."""
    from entropyguard.core.rows.row_texts import hashed_rows  # polars, which stored hashes do without
    from entropyguard.core.rows.text import places_of

    ends, rows, positions = np.cumsum([0, *ingested.group_rows]), ingested.rows, ingested.positions
    hashes, lengths = np.empty((rows, 2), dtype=np.uint64), np.empty(rows, dtype=np.int32)

    def hash_group(group: int) -> None:
        start = int(ends[group])
        for table in ingested.slices(["record"], [group]):
            part = positions[start : start + table.num_rows]
            hashes[part], lengths[part] = hashed_rows(places_of(table, ingested.metadata), exact)
            start += table.num_rows

    with ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        for done, _ in zip(ends[1:], pool.map(hash_group, range(len(ends) - 1)), strict=True):
            progress(int(done), rows)
    return hashes, lengths
