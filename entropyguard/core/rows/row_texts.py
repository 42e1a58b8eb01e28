"""The text of a row where it stands in several places: joined for people and models, apart for being equal.

What rows have at each place is a series: of strings, or of lists of them for a path through lists. Read as one text,
those that are not empty are joined by line breaks. Rows are exact duplicates only where every text is equal, in its
place: ("a", "b") is not ("a\\nb", ""), so it is the texts' hashes that are hashed, for no character stands between
texts that could not be in one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from entropyguard.core.arrays import Hashes, Int32s, Ints
from entropyguard.core.params import ExactParams
from entropyguard.core.rows.arrow_texts import joined_lists
from entropyguard.core.rows.normalise import hashed, hashes_of_bytes

Places = Sequence[pl.Series]


def joined(places: Places) -> pl.Series:
    """The text of each row: strings, no nulls."""
    if len(places) == 1 and places[0].dtype == pl.String:
        return places[0].fill_null("")
    texts = [_as_strings(place).alias(str(at)) for at, place in enumerate(places)]
    filled = [pl.when(pl.col(text.name) != "").then(pl.col(text.name)) for text in texts]
    return pl.DataFrame(texts).select(pl.concat_str(filled, separator="\n", ignore_nulls=True)).to_series()


def _as_strings(place: pl.Series) -> pl.Series:
    return place if place.dtype == pl.String else pl.Series(pl.from_arrow(joined_lists(_as_lists(place))))


def _as_lists(place: pl.Series) -> pa.LargeListArray:
    return place.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def hashed_rows(places: Places, params: ExactParams) -> tuple[Hashes, Int32s]:
    """For each row a hash of its texts, shape (rows, 2), and their characters; as `hashed` for one text a row.

    The characters are those of all its texts, without line breaks between them.
    """
    if len(places) == 1:
        return _hashed_place(places[0], params)
    by_place = [_hashed_place(place, params) for place in places]
    together = np.stack([hashes for hashes, _ in by_place], axis=1)
    ends = np.arange(len(together) + 1, dtype=np.int64) * len(places)
    lengths: Int32s = np.sum([lengths for _, lengths in by_place], axis=0, dtype=np.int32)
    return _of_hashes(together.reshape(-1, 2), ends), lengths


def _hashed_place(place: pl.Series, params: ExactParams) -> tuple[Hashes, Int32s]:
    if place.dtype == pl.String:
        return hashed(place.fill_null(""), params)
    lists = _as_lists(place)
    ends = lists.offsets.to_numpy()
    texts = pl.Series(pl.from_arrow(lists.values), dtype=pl.String)[int(ends[0]) : int(ends[-1])]
    hashes, lengths = hashed(texts.fill_null(""), params)
    ends = ends - ends[0]
    before = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return _of_hashes(hashes, ends), (before[ends[1:]] - before[ends[:-1]]).astype(np.int32)


def _of_hashes(hashes: Hashes, ends: Ints) -> Hashes:
    """A hash for each run hashes[ends[i]:ends[i + 1]]."""
    return hashes_of_bytes(np.ascontiguousarray(hashes.astype(">u8")).view(np.uint8).reshape(-1), ends * 16)
