"""How many lists to look into: measured on samples of rows whose similar rows are all known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from entropyguard.core.arrays import Doubles, Ints

ENOUGH_PAIRS = 1_000
"""Of one block row: with so many its sample is large enough, and with fewer in all samples they say too little."""
_JOINED_PAIRS = 4_000  # decide together: the few that lie far from their like make a smaller number jump
_FEWEST_PROBES = 16  # where the samples say too little
_CAUTION = 1.281552  # standard errors, the normal distribution's for 90 % on one side
_CONFIDENCE = 1.959964  # the normal distribution's, for 95 %
_COLUMNS = ("row", "rank", "pairs")


@dataclass(frozen=True)
class Sample:
    """Some rows of a block row, and all their pairs with rows before them.

    Each column (row, rank, pairs) of `entries`: the sampled row number `row` has `pairs` pairs with members of the
    list that is, for it, the `rank`-th nearest (from 1). `rows` were drawn out of `of` rows.
    """

    entries: Ints
    rows: int
    of: int

    def per_row(self, probes: float = math.inf) -> Doubles:
        """The pairs that each row has in the lists looked into."""
        row, rank, pairs = self.entries
        found = np.bincount(row, np.where(rank <= probes, pairs, 0.0), minlength=self.rows)
        return found.astype(np.float64)

    def evidence(self) -> int:
        """The pairs, those of one row counting for ten at most: they are found or missed together."""
        return int(np.minimum(self.per_row(), 10).sum())

    def joined(self, entries: Ints, rows: int) -> Sample:
        """With so many further rows and their entries, which number these rows from 0."""
        moved = entries + np.array([[self.rows], [0], [0]])
        return Sample(np.concatenate([self.entries, moved], axis=1), self.rows + rows, self.of)

    def to_table(self) -> pa.Table:
        """As a part to keep."""
        metadata = {"rows": str(self.rows), "of": str(self.of)}
        return pa.table(dict(zip(_COLUMNS, self.entries, strict=True)), metadata=metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Sample:
        """What `to_table` gave."""
        entries = np.stack([table[name].to_numpy() for name in _COLUMNS])
        return cls(entries, int(table.schema.metadata[b"rows"]), int(table.schema.metadata[b"of"]))


def choose_probes(samples: Sequence[Sample], target_recall: float, enough_pairs: int = ENOUGH_PAIRS) -> int:
    """How many lists to look into for the rows of a block row; `samples` end with its own.

    The fewest that miss so small a share of the sampled pairs that, but for one time in ten, no more than the target
    allows is missed of all (normal approximation). That holds for the pairs, and for the rows' own shares of them,
    lest one large cluster speaks for all. The samples before its own join in, from the last on, until there are
    pairs enough. Where even all have fewer than `enough_pairs`, at least `_FEWEST_PROBES`.
    """
    used, evidence = 0, 0
    while used < len(samples) and evidence < _JOINED_PAIRS:
        used += 1
        evidence += samples[-used].evidence()
    ranks = np.concatenate([sample.entries[1] for sample in samples[-used:]])
    pairs = np.concatenate([sample.entries[2] for sample in samples[-used:]])
    shares = np.concatenate([sample.entries[2] / sample.per_row()[sample.entries[0]] for sample in samples[-used:]])
    found = 1 - _cautious(1 - target_recall, evidence)
    probes = max(1, _rank_of(found, ranks, pairs), _rank_of(found, ranks, shares))
    return probes if evidence >= enough_pairs else max(_FEWEST_PROBES, probes)


def _cautious(share: float, trials: int) -> float:
    """The share that, seen in so many trials, is `share` with `_CAUTION` times its standard error on top."""
    error = _CAUTION / math.sqrt(max(1, trials))
    return ((math.sqrt(error * error + 4 * share) - error) / 2) ** 2


def _rank_of(share: float, ranks: Ints, weights: npt.NDArray[Any]) -> int:
    """The lowest rank up to which so large a share of the weights lies; 0 where there are none."""
    up_to = np.cumsum(np.bincount(ranks, weights, minlength=2))
    return int(np.searchsorted(up_to, min(share * up_to[-1], up_to[-1])))


def measured_recall(samples: Sequence[Sample], probes: Sequence[int]) -> dict[str, Any]:
    """The share of all pairs that is found, as the samples show, and its 95 % interval; null where they have no pair.

    A sampled row stands for as many rows of its block row as were not drawn. The interval is Wilson's (1927), for
    the number of independent pairs that tell as much (Kish, Survey sampling, 1965): rows were drawn, not pairs, so
    the variance is that of a ratio of sums over rows.
    """
    weights = [sample.of / max(1, sample.rows) for sample in samples]
    pairs = np.concatenate([weight * sample.per_row() for weight, sample in zip(weights, samples, strict=True)])
    found = np.concatenate(
        [weight * sample.per_row(few) for weight, sample, few in zip(weights, samples, probes, strict=True)]
    )
    described: dict[str, Any] = {
        "recall_sample_rows": sum(sample.rows for sample in samples),
        "recall_sample_pairs": sum(int(sample.entries[2].sum()) for sample in samples),
    }
    if not described["recall_sample_pairs"]:
        return {"recall": None, "recall_interval": None, **described}
    recall = float(found.sum() / pairs.sum())
    variance = float(np.square(found - recall * pairs).sum() / pairs.sum() ** 2)
    kish = float(pairs.sum() ** 2 / np.square(pairs).sum())
    independent = recall * (1 - recall) / variance if variance > 0 else kish
    interval = wilson_interval(recall, min(independent, described["recall_sample_pairs"]))
    return {"recall": round(recall, 6), "recall_interval": [round(end, 6) for end in interval], **described}


def wilson_interval(share: float, trials: float) -> tuple[float, float]:
    """The 95 % interval of a share that was seen in so many trials."""
    square = _CONFIDENCE**2 / trials
    middle = (share + square / 2) / (1 + square)
    half = _CONFIDENCE * math.sqrt(share * (1 - share) / trials + square / trials / 4) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)
