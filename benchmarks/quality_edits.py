"""Copies with known changes among texts without repeats: what is found, what else goes, what MinHash would add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import write_rows
from edits import KINDS, Injected
from measure import Measured, megabytes, print_table
from peers import Peer, clean_with_peers, clean_with_pypi_tool
from pipeline import Run, encoded, packaged_model, run_entropyguard

THRESHOLDS = (0.95, 0.98, 0.92, 0.90, 0.85)
_FALSE_COSINE, _FALSE_JACCARD = 0.8, 0.5

Removed = Mapping[int, int | None]


@dataclass(frozen=True)
class Corpus:
    """texts: rows without repeats, then `injected` ones."""

    texts: Sequence[str]
    injected: Sequence[Injected]

    def caught(self, removed: Removed, kind: str) -> float:
        """The share of the copies of a kind of which not both the copy and its parent stay."""
        of_kind = [one for one in self.injected if one.kind == kind]
        return sum(one.row in removed or one.parent in removed for one in of_kind) / max(1, len(of_kind))

    def unrelated(self, removed: Removed) -> list[int]:
        """Removed rows that no row was made from and that were made from none."""
        related = {row for one in self.injected for row in (one.row, one.parent)}
        return [row for row in removed if row not in related]


def judge_edits(name: str, corpus: Corpus, peers: dict[str, Peer], static: Path | None, work: Path) -> None:
    """Print what each tool catches of every kind and what else it removes; then the case for a lexical stage."""
    file = write_rows(work / f"{name}.jsonl", corpus.texts)
    found: dict[str, Removed] = {}
    spent: dict[str, Measured] = {}
    for threshold in THRESHOLDS:
        flags = ["--dedup-threshold", str(threshold)]
        run = run_entropyguard(file, work / name, *flags, resume=threshold != THRESHOLDS[0], audit=True)
        label = f"entropyguard, {threshold}"
        found[label] = {row: drop.keeper for row, drop in run.dropped.items()}
        if threshold == THRESHOLDS[0]:
            first, spent[label] = run, run.measured
    tools = [clean_with_peers(file, peers, static, work), clean_with_pypi_tool(file, peers, packaged_model(), work)]
    for label, measured, removed in (one for tool in tools for one in tool):
        found[label], spent[label] = removed, measured
    false = _false_removals(corpus, found)
    lines = [
        [label, *_cells(corpus, removed, false[label]), *_cost(spent.get(label))] for label, removed in found.items()
    ]
    copies = len(corpus.injected)
    title = f"{name}: {len(corpus.texts) - copies:,} distinct texts and {copies:,} edited copies"
    header = ["tool, threshold", *KINDS, "unrelated removed", "of these false", "seconds", "MB"]
    print_table(title, header, lines)
    print(
        f"Kinds: copies found, %. False: cosine to its keeper < {_FALSE_COSINE}, 5-word Jaccard < {_FALSE_JACCARD}."
        " Other thresholds of entropyguard resume from the first run's checkpoints."
    )
    _print_lexical_case(name, corpus, first, found, spent, false)


def _cells(corpus: Corpus, removed: Removed, false: list[int]) -> list[object]:
    caught = [f"{100 * corpus.caught(removed, kind):.1f}" for kind in KINDS]
    return [*caught, len(corpus.unrelated(removed)), len(false)]


def _cost(measured: Measured | None) -> list[str]:
    return ["", ""] if measured is None else [f"{measured.seconds:.1f}", megabytes(measured.peak_bytes)]


def _false_removals(corpus: Corpus, found: dict[str, Removed]) -> dict[str, list[int]]:
    """By tool, the unrelated rows it removed that are like their keeper neither in words nor to MiniLM."""
    doubtful = {
        label: [(row, keeper) for row in corpus.unrelated(removed) if (keeper := removed[row]) is not None]
        for label, removed in found.items()
    }
    doubtful = {
        label: [pair for pair in pairs if _jaccard(corpus, *pair) < _FALSE_JACCARD] for label, pairs in doubtful.items()
    }
    rows = sorted({row for pairs in doubtful.values() for pair in pairs for row in pair})
    vectors = encoded([corpus.texts[row] for row in rows], packaged_model())
    at = {row: position for position, row in enumerate(rows)}
    return {
        label: [row for row, keeper in pairs if float(vectors[at[row]] @ vectors[at[keeper]]) < _FALSE_COSINE]
        for label, pairs in doubtful.items()
    }


def _jaccard(corpus: Corpus, one: int, other: int) -> float:
    """Shared share of the runs of five words."""
    left, right = (_shingles(corpus.texts[row]) for row in (one, other))
    return len(left & right) / len(left | right)


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[at : at + 5]) for at in range(max(1, len(words) - 4))}


def _print_lexical_case(
    name: str,
    corpus: Corpus,
    run: Run,
    found: dict[str, Removed],
    spent: dict[str, Measured],
    false: dict[str, list[int]],
) -> None:
    """What MinHash before the embedding would find beside the default run, and what it would save of it."""
    default = found[f"entropyguard, {THRESHOLDS[0]}"]
    embedded = run.summary["stages"]["embed"]["counts"]["embedded"]
    lines = []
    for label in (label for label in found if "MinHash" in label):
        lexical = found[label]
        gained = [100 * (corpus.caught({**default, **lexical}, kind) - corpus.caught(default, kind)) for kind in KINDS]
        lost = set(corpus.unrelated(lexical)) - set(default)
        spared = sum(row not in default or run.dropped[row].similarity is not None for row in lexical)
        saved = run.seconds("embed") * spared / max(1, embedded)
        cells = [*(f"+{points:.1f}" for points in gained), len(lost), len(lost & set(false[label])), spared]
        lines.append([label, *cells, f"{saved:.1f}", f"{spent[label].seconds:.1f}"])
    header = [
        "before embed",
        *KINDS,
        "more unrelated removed",
        "of these false",
        "rows not embedded",
        "s saved",
        "s spent",
    ]
    if lines:
        print_table(f"{name}: what a lexical stage would add to entropyguard at {THRESHOLDS[0]}", header, lines)
