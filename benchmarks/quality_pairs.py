"""Sentence pairs that people have judged: does a tool take the two for duplicates?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from corpora import write_rows
from measure import print_table
from peers import Peer, clean_with_peers
from pipeline import encoded, packaged_model

THRESHOLDS = (0.99, 0.98, 0.97, 0.95, 0.93, 0.92, 0.90, 0.88, 0.85, 0.80)
_SAME = 4.5  # of 5, which is "completely equivalent"
_LANGUAGE = "en"

Flags = npt.NDArray[np.bool_]


def judge_pairs(path: Path, most: int, peers: dict[str, Peer], static: Path | None, work: Path) -> None:
    """Print precision, recall and F1 of entropyguard at several thresholds and of the peers at their defaults."""
    pairs = _read_pairs(path, most)
    same = np.array([pair["score"] >= _SAME for pair in pairs])
    texts = [text for pair in pairs for text in (pair["text_a"], pair["text_b"])]
    vectors = encoded(texts, packaged_model())
    similarity = np.einsum("ij,ij->i", vectors[0::2], vectors[1::2])
    lines = [_line(f"entropyguard, {threshold}", similarity >= threshold, same) for threshold in THRESHOLDS]
    file = write_rows(work / "pairs.jsonl", texts, [at // 2 for at in range(len(texts))])
    quick = {package: peer for package, peer in peers.items() if package != "text-dedup"}  # a process for each pair
    for label, _, removed in clean_with_peers(file, quick, static, work):
        lines.append(_line(label, np.isin(np.arange(len(pairs)), [row // 2 for row in removed]), same))
    title = f"{path.stem} ({_LANGUAGE}): {len(pairs):,} pairs, {int(same.sum())} of them judged {_SAME} or more of 5"
    print_table(title, ["tool, threshold", "taken for duplicates", "precision", "recall", "F1"], lines)


def _read_pairs(path: Path, most: int) -> list[dict[str, Any]]:
    """The test split first, then the others; without pairs that are equal but for case, no question of meaning."""
    pairs = [pair for pair in pq.read_table(path).to_pylist() if pair["lang"] == _LANGUAGE]
    pairs = [pair for pair in pairs if pair["text_a"].lower().split() != pair["text_b"].lower().split()]
    pairs.sort(key=lambda pair: ("test", "dev", "train").index(pair["split"]))
    return pairs[:most]


def _line(label: str, found: Flags, same: Flags) -> list[object]:
    both = int((found & same).sum())
    precision, recall = both / max(1, int(found.sum())), both / max(1, int(same.sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return [label, f"{int(found.sum()):,}", f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}"]
