"""All texts of a checkpoint, unit by unit: their words, with numbers that hold for all, and their bands' hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from entropyguard.core.arrays import Keys, UInt32s
from entropyguard.core.near.band_units import columns_of_bands
from entropyguard.core.near.finished import Finished
from entropyguard.core.near.row_words import RowWords, RowWordsWriter
from entropyguard.core.near.text_units import TextUnit, UnitTexts, read_part, read_texts, stored_texts, text_units
from entropyguard.core.params import NearParams
from entropyguard.core.pool.parts import finished_parts, results_of
from entropyguard.core.pool.pool import Pool
from entropyguard.core.pool.shares import Shares
from entropyguard.core.progress import Progress
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.storage.parts import PartStore

_ROWS_TOGETHER = 1 << 16


def read_all_texts(
    rows: Checkpoint,
    near: NearParams,
    signatures: Finished,
    parts: PartStore | None,
    folder: Path,
    pool: Pool,
    progress: Progress,
) -> RowWords:
    """Write the files of RowWords and of `columns_of_bands` into `folder`.

    signatures: of texts read before; in the end those of these texts are there. parts: where finished units are, and
    come; those of a checkpoint of other content serve none.
    """
    digest, where = ("", folder / "texts") if parts is None else (rows.digest, parts.folder)
    units = text_units(rows, digest, near, signatures.parts, where)
    bands = columns_of_bands(folder, rows.rows, near.bands + 1)
    bands.create()
    hashed = 0
    with RowWordsWriter(folder, rows.rows) as words:
        for unit, texts in zip(units, _texts(units, parts, pool, progress, rows.rows), strict=True):
            words.add(texts.facts, texts.words, texts.known, texts.keys, texts.takes_part)
            bands.write(
                unit.rows.before + unit.rows.start, {str(band): hashes for band, hashes in enumerate(texts.bands)}
            )
            hashed += texts.hashed
        found = words.finish()
    if hashed or len(signatures.parts) != 1 or pq.read_metadata(signatures.parts[0]).num_rows != rows.rows:
        columns = bands.mapped()
        signatures.replace(_by_rows(found.keys, [columns[str(1 + band)] for band in range(near.bands)]))
    return found


def _texts(
    units: Sequence[TextUnit], parts: PartStore | None, pool: Pool, progress: Progress, rows: int
) -> Iterator[UnitTexts]:
    """What each unit comes to; one that is alone is done here, and is no part."""
    if len(units) == 1:
        yield read_texts(units[0], progress)
        return
    finished = {} if parts is None else finished_parts(units, parts)
    shares = Shares(progress, rows)
    heard = partial(_tell, shares)
    for path, _ in results_of(pool, stored_texts, units, finished, heard):
        yield read_part(path)


def _tell(shares: Shares, unit: TextUnit, share: float) -> None:
    shares.add(unit.name, share * len(unit.rows))


def _by_rows(keys: Keys, bands: Sequence[UInt32s]) -> Iterator[tuple[Keys, UInt32s]]:
    """Key and signature of each row."""
    for start in range(0, len(keys), _ROWS_TOGETHER):
        part = slice(start, start + _ROWS_TOGETHER)
        yield keys[part], np.stack([hashes[part] for hashes in bands], axis=1)
