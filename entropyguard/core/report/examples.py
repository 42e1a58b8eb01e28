"""What a report shows beside the counts of `report.json`: pairs, clusters, and the texts of the few rows it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from entropyguard.core.report.clusters import Cluster, final_keepers, largest_clusters
from entropyguard.core.report.lineage import Lineage
from entropyguard.core.report.pair_stats import Histogram, Pair, count_pairs, least_similar_dropped, most_similar_kept
from entropyguard.core.report.text_diff import TEXT_CHARS
from entropyguard.core.storage.checkpoint import Checkpoint
from entropyguard.core.words.word_diff import WordDiff, word_diffs

_EXAMPLES, _CLUSTERS, _MEMBERS = 6, 8, 3


@dataclass(frozen=True)
class Examples:
    """dropped, kept: pairs next to the threshold, at or above and below it; near_dropped, near_kept: of near_dedup.

    texts: by row id, of all rows named; whole ones of the pairs that near_dedup or the guard compared. differences: of
    the pairs of near_dedup, by row and other row.
    """

    histogram: Histogram
    dropped: list[Pair]
    kept: list[Pair]
    near_dropped: list[Pair]
    near_kept: list[Pair]
    clusters: list[Cluster]
    texts: dict[int, str]
    differences: dict[tuple[int, int], WordDiff]


def find_examples(lineage: Lineage, near_pairs: Checkpoint, pairs: Checkpoint, report: dict[str, Any]) -> Examples:
    """Look through a finished run's checkpoints. Memory: 20 bytes a row and one row group."""
    threshold, near_threshold = (report["settings"][name] for name in ("dedup_threshold", "near_threshold"))
    dropped = list(lineage.dropped.values())
    keepers = final_keepers(lineage.ingested, dropped)
    clusters = largest_clusters(keepers, dropped, _CLUSTERS, _MEMBERS)
    above = least_similar_dropped(lineage.dropped["semantic_dedup"], threshold, _EXAMPLES)
    below = most_similar_kept(pairs, keepers, threshold, _EXAMPLES)
    near_above = least_similar_dropped(lineage.dropped["near_dedup"], near_threshold, _EXAMPLES)
    near_below = most_similar_kept(near_pairs, keepers, near_threshold, _EXAMPLES)
    del keepers
    shown = (*above, *below, *near_above, *near_below)
    named = {row for pair in shown for row in (pair.row, pair.other)}
    named |= {cluster.keeper for cluster in clusters}
    named |= {row for cluster in clusters for row, _ in (*cluster.members, *cluster.near_members)}
    near = [(pair.row, pair.other) for pair in (*near_above, *near_below)]
    apart = (pair for pairs in report["guard"].get("examples", {}).values() for pair in pairs)
    whole = {row for pair in (*near, *apart) for row in pair}
    texts = _texts(lineage, named | whole, whole)
    differences = word_diffs([texts[row] for row, _ in near], [texts[other] for _, other in near])
    return Examples(
        count_pairs(pairs, report["settings"]["search_floor"], threshold),
        above,
        below,
        near_above,
        near_below,
        clusters,
        texts,
        dict(zip(near, differences, strict=True)),
    )


def _texts(lineage: Lineage, row_ids: set[int], whole: set[int]) -> dict[int, str]:
    rows = lineage.gather(pl.Series(sorted(row_ids), dtype=pl.Int64), TEXT_CHARS, whole)
    return dict(rows.select("row_id", "text").iter_rows())
