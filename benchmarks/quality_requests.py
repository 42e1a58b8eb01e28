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
from pipeline import Drop, drops, packaged_model, run_entropyguard

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
        flags = ["--dedup-threshold", str(threshold), "--near-threshold", "0"]
        run = run_entropyguard(file, work / path.stem, *flags, resume=(work / path.stem).exists())
        lines.append(_own_line(f"semantic {threshold} alone", run.dropped, topics))
        shown = run.dropped if threshold == _SHOWN_AT else shown
    checkpoints = work / path.stem / "checkpoints"
    run_entropyguard(file, work / path.stem, "--dedup-threshold", str(_SHOWN_AT), resume=True)
    near = drops(checkpoints, "near")
    lexical = {**drops(checkpoints, "exact"), **near}
    both = {**lexical, **drops(checkpoints, "semantic")}
    lines += [_own_line("near_dedup alone", lexical, topics), _own_line(f"near, semantic {_SHOWN_AT}", both, topics)]
    for label, _, removed in clean_with_peers(file, peers, static, work):
        lines.append(_line(label, removed, topics))
    for label, _, removed in clean_with_pypi_tool(file, peers, packaged_model(), work):
        lines.append(_line(label, removed, topics))
    title = f"{path.stem}: {len(texts):,} requests on {len(set(topics))} topics"
    print_table(title, ["tool, threshold", "rows removed", "share", "keeper of another topic"], lines)
    _print_examples(f"semantic {_SHOWN_AT} alone", shown, texts, topics, _EXAMPLES)
    strangers = {row: drop for row, drop in near.items() if topics[row] != topics[drop.keeper]}
    _print_examples("near_dedup, for a keeper of another topic", strangers, texts, topics, len(strangers))


def _own_line(label: str, dropped: dict[int, Drop], topics: list[str]) -> list[object]:
    return _line(label, {row: drop.keeper for row, drop in dropped.items()}, topics)


def _line(label: str, removed: Mapping[int, int | None], topics: list[str]) -> list[object]:
    told = [(row, keeper) for row, keeper in removed.items() if keeper is not None]
    strangers = str(sum(topics[row] != topics[keeper] for row, keeper in told)) if told or not removed else "not told"
    return [label, f"{len(removed):,}", f"{len(removed) / len(topics):.1%}", strangers]


def _print_examples(what: str, dropped: dict[int, Drop], texts: list[str], topics: list[str], most: int) -> None:
    """Those whose keeper is of another topic, then the least similar."""
    similar = [(row, drop, drop.similarity) for row, drop in dropped.items() if drop.similarity is not None]
    similar.sort(key=lambda one: (topics[one[0]] == topics[one[1].keeper], one[2]))
    print(f"\nRemoved by {what} (similarity: removed | kept; topics where they differ):")
    for row, drop, similarity in similar[:most]:
        differ = f" ({topics[row]} | {topics[drop.keeper]})" if topics[row] != topics[drop.keeper] else ""
        print(f"- {similarity:.3f}: {texts[row]} | {texts[drop.keeper]}{differ}")
