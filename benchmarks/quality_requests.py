"""Short requests that are all meant to be different: which would be removed?

A data set's `cluster` is what a request is about, not what it repeats. Two requests of one topic may well say the
same; two of different topics do not, so a row whose keeper is of another topic is certainly lost.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pyarrow.parquet as pq
from corpora import write_rows
from measure import print_table
from peers import Peer, clean_with_peers, clean_with_pypi_tool
from pipeline import Drop, packaged_model, run_entropyguard

THRESHOLDS = (0.98, 0.95, 0.92, 0.90, 0.85)
_SHOWN_AT = 0.95
_EXAMPLES = 6


def judge_requests(path: Path, most: int, peers: dict[str, Peer], static: Path | None, work: Path) -> None:
    """Print how many rows each tool removes, and some of those that entropyguard does at its default."""
    table = pq.read_table(path, columns=["text", "cluster"]).to_pylist()
    chosen = sorted(random.Random(0).sample(range(len(table)), min(most, len(table))))
    texts, topics = [table[at]["text"] for at in chosen], [table[at]["cluster"] for at in chosen]
    file = write_rows(work / f"{path.stem}.jsonl", texts)
    lines, shown = [], dict[int, Drop]()
    for threshold in THRESHOLDS:
        flags = ["--dedup-threshold", str(threshold)]
        run = run_entropyguard(file, work / path.stem, *flags, resume=threshold != THRESHOLDS[0], audit=True)
        lines.append(
            _line(f"entropyguard, {threshold}", {row: drop.keeper for row, drop in run.dropped.items()}, topics)
        )
        shown = run.dropped if threshold == _SHOWN_AT else shown
    for label, _, removed in clean_with_peers(file, peers, static, work):
        lines.append(_line(label, removed, topics))
    for label, _, removed in clean_with_pypi_tool(file, peers, packaged_model(), work):
        lines.append(_line(label, removed, topics))
    title = f"{path.stem}: {len(texts):,} requests on {len(set(topics))} topics"
    print_table(title, ["tool, threshold", "rows removed", "share", "keeper of another topic"], lines)
    _print_examples(shown, texts, topics)


def _line(label: str, removed: Mapping[int, int | None], topics: list[str]) -> list[object]:
    told = [(row, keeper) for row, keeper in removed.items() if keeper is not None]
    strangers = str(sum(topics[row] != topics[keeper] for row, keeper in told)) if told or not removed else "not told"
    return [label, f"{len(removed):,}", f"{len(removed) / len(topics):.1%}", strangers]


def _print_examples(dropped: dict[int, Drop], texts: list[str], topics: list[str]) -> None:
    """Those whose keeper is of another topic, then the least similar."""
    semantic = [(row, drop) for row, drop in dropped.items() if drop.similarity is not None]
    semantic.sort(key=lambda one: (topics[one[0]] == topics[one[1].keeper], one[1].similarity))
    print(f"\nRemoved at {_SHOWN_AT} (similarity: removed | kept; topics where they differ):")
    for row, drop in semantic[:_EXAMPLES]:
        differ = f" ({topics[row]} | {topics[drop.keeper]})" if topics[row] != topics[drop.keeper] else ""
        print(f"- {drop.similarity:.3f}: {texts[row]} | {texts[drop.keeper]}{differ}")
