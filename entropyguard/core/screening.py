"""Screening: rows that no other row is near, by cheap static vectors, need no vector of the transformer's.

Whether that pays, and how near is near, is decided from a sample drawn by the texts' hashes and a fixed cost model,
never by a clock. Where it does not pay, every row is embedded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from entropyguard.core import calibration, screening_cost
from entropyguard.core.distil import token_vectors
from entropyguard.core.encoder import Encoder
from entropyguard.core.ivf_training import trained_rows
from entropyguard.core.params import SearchParams
from entropyguard.core.parquet import read_about, read_tables, row_count
from entropyguard.core.parts import PartStore
from entropyguard.core.portions import Bools, Ints
from entropyguard.core.progress import Progress
from entropyguard.core.row_vectors import exact_vectors
from entropyguard.core.search_parts import Parts
from entropyguard.core.similar import is_exhaustive, limited
from entropyguard.core.similarity import MILLIONTHS, pair_similarity
from entropyguard.core.static_neighbours import rows_with_neighbours
from entropyguard.core.static_rows import StaticReader, StaticRows
from entropyguard.core.text import texts_of
from entropyguard.core.tokens import Tokens
from entropyguard.core.vector_store import VectorStore
from entropyguard.core.whitening import spread_out

_COMMON_ROWS = 8_192
_MOST_BYTES = 1 << 29  # in memory at a time of the static vectors, and of what a search copies of them
_FEWEST_SIMILAR = 50  # of the sampled pairs: fewer say too little of the others


@dataclass(frozen=True)
class Screening:
    """left_out: the rows of after_exact_dedup.parquet that get no vector; None: none. about: why, for the report."""

    left_out: Bools | None
    about: dict[str, Any]


NOT_ASKED = Screening(None, {"applied": False, "reason": "off"})


@dataclass(frozen=True)
class Screener:
    """What screening works with. store: vectors, those of single tokens among them; static: what it has finished."""

    encoder: Encoder
    max_windows: int
    search: SearchParams
    store: PartStore
    static: PartStore
    spill: Path
    threads: int | None
    progress: Progress

    def screen(self, after_exact: Path) -> Screening:
        """Decide from the texts; the same whatever the stores hold."""
        parts = Parts(self.static)
        with limited(self.threads):
            found = self._decided(after_exact, parts)
        self.static.prune(parts.used)
        return found

    def _decided(self, after_exact: Path, parts: Parts) -> Screening:
        tokens = self.encoder.single_tokens()
        if tokens is None:
            return _not_applied("the model is static itself")
        return self._needless(after_exact, len(tokens.counts)) or self._by_sample(after_exact, tokens, parts)

    def _needless(self, after_exact: Path, vocabulary: int) -> Screening | None:
        """The answer, where it needs no sample."""
        if self.search.target_recall == 1:
            return _not_applied("every similar pair is asked for")
        total = row_count(after_exact)
        rough = screening_cost.rough_tokens(_characters(after_exact), total)
        if screening_cost.worth_a_sample(rough, total, vocabulary):
            return None
        return _not_applied("there are too few texts to save much", tokens_about=rough)

    def _by_sample(self, after_exact: Path, tokens: Tokens, parts: Parts) -> Screening:
        vectors = VectorStore(self.store, self.encoder.fingerprint, self.encoder.dimension)
        table = token_vectors(self.encoder, tokens, vectors, self.progress)
        reader = StaticReader(self.encoder, self.max_windows, table, parts, _MOST_BYTES, self.spill, self.progress)
        rows = reader.read(after_exact)
        # By the first rows alone, so that appended ones seldom change the vectors of all.
        first = rows.keys[: trained_rows(max(1, len(rows.keys)))]
        spread_out(rows.vectors, calibration.sampled(first, _COMMON_ROWS))
        sample = calibration.sampled(rows.keys)
        counted = calibration.count_pairs(rows.vectors, rows.keys, sample)
        if len(counted.one) < _FEWEST_SIMILAR:
            return _too_few(len(sample))
        similar = self._similar(after_exact, rows.places[counted.one], rows.places[counted.other])
        if similar.sum() < _FEWEST_SIMILAR:
            return _too_few(len(sample))
        exhaustive = is_exhaustive(len(rows.keys), self.search)
        # Where the search itself misses some of the static pairs, it is left a quarter of what may be missed.
        missed = (1 - self.search.target_recall) * (1 if exhaustive else 0.75)
        threshold = calibration.choose(counted, similar, 1 - missed)
        share = rows.share_of_tokens(sample[counted.nearest >= threshold.cosine], sample)
        cost = screening_cost.share_of_all(
            rows.tokens, share, len(tokens.counts), len(counted.one), exhaustive=exhaustive
        )
        about = {
            "sample_rows": len(sample),
            "sample_pairs": len(similar),
            "static_threshold": threshold.cosine,
            "estimated_share_embedded": round(share, 6),
            "estimated_cost": round(cost, 6),
        }
        if cost > screening_cost.WORTH:
            return _not_applied("it would save too little", **about)
        return self._applied(rows, threshold, about, parts)

    def _similar(self, after_exact: Path, one: Ints, other: Ints) -> Bools:
        """Whether the first windows of each pair of rows are similar, by the model itself."""
        wanted = np.zeros(row_count(after_exact), dtype=np.bool_)
        wanted[one] = wanted[other] = True
        pieces = exact_vectors(after_exact, wanted, self.encoder, self.max_windows, self.store, self.progress)
        places, vectors = (np.concatenate(column) for column in zip(*pieces, strict=True))
        rows, first = np.unique(places, return_index=True)
        left, right = (first[np.searchsorted(rows, places)] for places in (one, other))
        least = self.search.floor - self.encoder.rounding
        similar: Bools = pair_similarity(vectors, left, right) / MILLIONTHS >= least
        return similar

    def _applied(
        self, rows: StaticRows, threshold: calibration.Threshold, about: dict[str, Any], parts: Parts
    ) -> Screening:
        near, recall = rows_with_neighbours(
            rows.vectors, threshold.cosine, self.search, parts, _MOST_BYTES, self.spill, self.threads, self.progress
        )
        left_out = np.zeros(rows.total, dtype=np.bool_)
        left_out[rows.places[~near]] = True
        about |= {
            "rows_left_out": int(left_out.sum()),
            "share_embedded": round(rows.share_of_tokens(np.flatnonzero(near)), 6),
            "estimated_recall": None if recall is None else round(threshold.recall * recall, 6),
        }
        return Screening(left_out, {"applied": True, **about})


def _not_applied(reason: str, **about: Any) -> Screening:
    return Screening(None, {"applied": False, "reason": reason, **about})


def _too_few(sample_rows: int) -> Screening:
    return _not_applied("the sample has too few similar pairs to tell", sample_rows=sample_rows)


def _characters(after_exact: Path) -> int:
    about = read_about(after_exact)
    return sum(int(texts_of(rows, about).str.len_chars().sum()) for rows in read_tables(after_exact, ["record"]))
