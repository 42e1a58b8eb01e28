"""The hash and the length of each row's normalised text, as ingest stored them or, for another normalisation, anew."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from entropyguard.core.normalising import HASH_FIELDS, Hashes, Lengths, hashed, spelled, stored_hashes
from entropyguard.core.params import ExactParams
from entropyguard.core.parquet import group_rows, read_about, read_slices, read_tables, row_count
from entropyguard.core.progress import Progress
from entropyguard.core.text import texts_of

_MOST_THREADS = 4  # each of them holds a slice of texts in half a dozen forms


def are_stored(ingested: Path, exact: ExactParams) -> bool:
    """Whether ingest normalised the texts as `exact` asks."""
    return bool(read_about(ingested).get("hashed") == spelled(exact))


def stored(ingested: Path) -> tuple[Hashes, Lengths]:
    """xxh3-128 of the normalised texts, shape (rows, 2), and their lengths in characters, shape (rows,)."""
    rows, done = row_count(ingested), 0
    hashes, lengths = np.empty((rows, 2), dtype=np.uint64), np.empty(rows, dtype=np.int32)
    for table in read_tables(ingested, [field.name for field in HASH_FIELDS]):
        part = slice(done, done + table.num_rows)
        hashes[part], lengths[part] = stored_hashes(table["hash"]), table["characters"].to_numpy()
        done = part.stop
    return hashes, lengths


def taken_anew(ingested: Path, exact: ExactParams, progress: Progress) -> tuple[Hashes, Lengths]:
    """The same, from the texts: decoded, normalised and hashed by several threads."""
    about, ends = read_about(ingested), np.cumsum([0, *group_rows(ingested)])
    rows = int(ends[-1])
    hashes, lengths = np.empty((rows, 2), dtype=np.uint64), np.empty(rows, dtype=np.int32)

    def hash_group(group: int) -> None:
        start = int(ends[group])
        for table in read_slices(ingested, ["record"], [group]):
            part = slice(start, start + table.num_rows)
            hashes[part], lengths[part] = hashed(texts_of(table, about), exact)
            start = part.stop

    with ThreadPoolExecutor(min(_MOST_THREADS, len(os.sched_getaffinity(0)))) as pool:
        for done, _ in zip(ends[1:], pool.map(hash_group, range(len(ends) - 1)), strict=True):
            progress(int(done), rows)
    return hashes, lengths
