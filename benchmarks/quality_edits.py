"""Copies with known changes among texts without repeats: what each tool finds, and what else it removes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import distinct, write_rows
from edits import GROUPS, Injected, inject
from measure import print_table
from peers import Peer, clean_with_peers, clean_with_pypi_tool
from pipeline import Drop, drops, encoded, packaged_model, run_entropyguard

_FALSE_COSINE, _FALSE_JACCARD = 0.8, 0.5
_SAME_GROUPS = ("exact", "variant", "light", "medium", "reworded")
_EXAMPLES = 30

Removed = Mapping[int, int | None]


@dataclass(frozen=True)
class Corpus:
    """texts: rows without repeats, then `injected` ones."""

    name: str
    texts: Sequence[str]
    injected: Sequence[Injected]

    def found(self, removed: Removed, kind: str) -> tuple[int, int]:
        """Of how many copies of a kind not both the copy and its parent stay, and how many there are."""
        of_kind = [one for one in self.injected if one.kind == kind]
        return sum(one.row in removed or one.parent in removed for one in of_kind), len(of_kind)

    def taken_for_copies(self, removed: Removed, kind: str) -> list[Injected]:
        """The changed rows of a kind that were removed for their parents, or the parents for them."""
        return [
            one
            for one in self.injected
            if one.kind == kind and (removed.get(one.row) == one.parent or removed.get(one.parent) == one.row)
        ]

    def lone(self, removed: Removed) -> list[int]:
        """Removed rows that no row was made from and that were made from none."""
        related = {row for one in self.injected for row in (one.row, one.parent)}
        return [row for row in removed if row not in related]


@dataclass(frozen=True)
class Judged:
    """One tool on one corpus. false: lone rows unlike their keeper; seconds: None where they are not its own."""

    corpus: Corpus
    removed: Removed
    false: Sequence[int]
    seconds: float | None


def make_corpus(name: str, texts: Sequence[str], rows: int, each: int) -> Corpus:
    """`rows` of the texts, without repeats, in their order, and `each` copies of every kind."""
    base = distinct(texts)
    chosen = sorted(random.Random(0).sample(range(len(base)), min(rows, len(base))))
    return Corpus(name, *inject([base[at] for at in chosen], each))


def judge_edits(corpus: Corpus, peers: dict[str, Peer], static: Path | None, work: Path) -> dict[str, Judged]:
    """Print what each tool finds of every kind and what else it removes; returns it by tool."""
    file = write_rows(work / f"{corpus.name}.jsonl", corpus.texts)
    removed, seconds, near = _own_removals(file, work / corpus.name)
    tools = [clean_with_peers(file, peers, static, work), clean_with_pypi_tool(file, peers, packaged_model(), work)]
    for label, measured, gone in (one for tool in tools for one in tool):
        removed[label], seconds[label] = gone, measured.seconds
    false = _false_removals(corpus, removed)
    judged = {label: Judged(corpus, gone, false[label], seconds.get(label)) for label, gone in removed.items()}
    print_judged(f"{corpus.name}: {_described([corpus])}", {label: [one] for label, one in judged.items()})
    _print_mistakes(corpus, near, false["near_dedup alone"])
    return judged


def _own_removals(file: Path, folder: Path) -> tuple[dict[str, Removed], dict[str, float], dict[int, Drop]]:
    """The rows that entropyguard removes at its defaults, seconds of its stages, and what near_dedup dropped.

    The rows of exact_dedup count in all of them; stages that were up to date tell no seconds.
    """
    checkpoints = folder / "checkpoints"
    alone = run_entropyguard(file, folder, "--near-threshold", "0", resume=checkpoints.exists())
    exact, semantic = drops(checkpoints, "exact"), drops(checkpoints, "semantic")
    run = run_entropyguard(file, folder, resume=True)
    near, guarded = drops(checkpoints, "near"), drops(checkpoints, "semantic")
    run_entropyguard(file, folder, "--no-protect", resume=True)
    columns = {
        "near_dedup alone": {**exact, **near},
        "near and semantic": {**exact, **near, **guarded},
        "the same without guard": {**exact, **near, **drops(checkpoints, "semantic")},
        "semantic alone": {**exact, **semantic},
    }
    seconds = {"near_dedup alone": run.seconds("near_dedup"), "semantic alone": alone.seconds("embed")}
    removed = {label: {row: drop.keeper for row, drop in gone.items()} for label, gone in columns.items()}
    return dict(removed), {label: taken for label, taken in seconds.items() if taken}, near


def print_judged(title: str, judged: Mapping[str, Sequence[Judged]]) -> None:
    """A table with a column for each tool; of several corpora the sums."""
    lines: list[list[object]] = []
    for group in _SAME_GROUPS:
        lines += [[kind, *(_share(parts, [kind]) for parts in judged.values())] for kind in GROUPS[group]]
        if len(GROUPS[group]) > 1:
            lines.append([f"all {group}", *(_share(parts, list(GROUPS[group])) for parts in judged.values())])
    for kind in (kind for group in GROUPS if group not in _SAME_GROUPS for kind in GROUPS[group]):
        counts = ([one.corpus.taken_for_copies(one.removed, kind) for one in parts] for parts in judged.values())
        lines.append([f"{kind}: removed", *(sum(map(len, of_tool)) for of_tool in counts)])
    lines.append(
        ["lone rows removed", *(sum(len(one.corpus.lone(one.removed)) for one in parts) for parts in judged.values())]
    )
    lines.append(["of these false", *(sum(len(one.false) for one in parts) for parts in judged.values())])
    lines.append(["seconds", *(_seconds(parts) for parts in judged.values())])
    print_table(title, ["found, %", *judged], lines)


def print_all(judged: Sequence[dict[str, Judged]]) -> None:
    """The sums over the corpora."""
    title = f"all: {_described([next(iter(one.values())).corpus for one in judged])}"
    print_judged(title, {label: [one[label] for one in judged] for label in judged[0]})
    print(
        "Found: not both the copy and what it was made of stay. Removed: the changed row for its parent or the parent"
        f" for it. False: lone rows, cosine to their keeper < {_FALSE_COSINE} and 5-word Jaccard < {_FALSE_JACCARD}."
    )


def _described(corpora: Sequence[Corpus]) -> str:
    copies, rows = sum(len(one.injected) for one in corpora), sum(len(one.texts) for one in corpora)
    lone = rows - copies - sum(len({made.parent for made in one.injected}) for one in corpora)
    return f"{rows - copies:,} distinct texts, {lone:,} of them lone, and {copies:,} edited copies"


def _share(parts: Sequence[Judged], kinds: Sequence[str]) -> str:
    counts = [one.corpus.found(one.removed, kind) for one in parts for kind in kinds]
    return f"{100 * sum(found for found, _ in counts) / max(1, sum(all_ for _, all_ in counts)):.1f}"


def _seconds(parts: Sequence[Judged]) -> str:
    told = [one.seconds for one in parts if one.seconds is not None]
    return f"{sum(told):.1f}" if len(told) == len(parts) else ""


def _false_removals(corpus: Corpus, removed: Mapping[str, Removed]) -> dict[str, list[int]]:
    """By tool, the lone rows it removed that are like their keeper neither in words nor to MiniLM."""
    doubtful = {
        label: [
            (row, keeper)
            for row in corpus.lone(gone)
            if (keeper := gone[row]) is not None and _jaccard(corpus, row, keeper) < _FALSE_JACCARD
        ]
        for label, gone in removed.items()
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


def _print_mistakes(corpus: Corpus, near: Mapping[int, Drop], false: Sequence[int]) -> None:
    """Lone rows that near_dedup removed, the false ones first, and the changed rows that it took for copies."""
    gone = {row: drop.keeper for row, drop in near.items()}
    lone = corpus.lone(gone)
    shown = [*false, *random.Random(0).sample(lone, len(lone))][:_EXAMPLES]
    print(f"\n{corpus.name}: of {len(lone)} lone rows that near_dedup removed, similarity: removed | kept")
    for row in dict.fromkeys(shown):
        print(f"- {near[row].similarity:.3f}: {corpus.texts[row]!r} | {corpus.texts[near[row].keeper]!r}")
    for kind in (kind for group in GROUPS if group not in _SAME_GROUPS for kind in GROUPS[group]):
        for one in corpus.taken_for_copies(gone, kind)[:_EXAMPLES]:
            print(f"- {kind}: {corpus.texts[one.row]!r} | {corpus.texts[one.parent]!r}")
