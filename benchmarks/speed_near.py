"""near_dedup: processor time and memory by rows, on mixed texts and on two corpora that are hard for such a stage."""

from __future__ import annotations

import json
import math
import random
import re
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from corpora import distinct, docstrings, made_words, write_rows
from measure import megabytes, print_table
from pipeline import make_repo, run_stage

_TEMPLATE_ROWS, _EDITS = 20_000, 12_000
_CHECKED_PAIRS = 2_000
_STEPS = (8, 1)  # a share of the rows, and all of them: what the time grows with


def time_near(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print what the stage takes for a part of the rows and for all, for one template, and for edits of one text."""
    mixed = texts_to(rows, texts or distinct(docstrings(rows)))
    lines, points = [], []
    for share in _STEPS:
        some = mixed[: len(mixed) // share]
        seconds, line = _timed(f"{len(some):,} mixed texts", some, work / f"mixed-{share}")
        lines.append(line)
        points.append((len(some), seconds))
    lines.append(_timed("one template, other numbers", _template(_TEMPLATE_ROWS), work / "template")[1])
    lines.append(_timed("edits of one text", _edits(_EDITS), work / "edits")[1])
    (few, short), (many, long) = points
    exponent = math.log(long / short) / math.log(many / few)
    header = ["texts", "rows", "processor s", "peak MB", "pairs compared", "dropped"]
    print_table(f"near_dedup (the time grows with the rows to the power of {exponent:.2f})", header, lines)


def texts_to(rows: int, real: Sequence[str]) -> list[str]:
    """The real texts, shuffled; where they are too few, others whose sentences come from several of them."""
    rng = random.Random(0)
    texts = rng.sample(real, min(rows, len(real)))
    sentences = [[s for s in re.split(r"(?<=[.!?\n])\s+", text) if s] or [text] for text in texts]
    while len(texts) < rows:
        pieces = []
        for _ in range(rng.randint(2, 4)):
            one = rng.choice(sentences)
            start = rng.randrange(len(one))
            pieces += one[start : start + rng.randint(1, 4)]
        texts.append(" ".join(pieces))
    rng.shuffle(texts)
    return texts


def _timed(title: str, texts: Sequence[str], work: Path) -> tuple[float, list[str]]:
    """Run the stage as DVC starts it; its processor seconds, and a line of the table."""
    work.mkdir()
    repo = make_repo(work / "repo", write_rows(work / "data.jsonl", texts), "--text-column", "text")
    for stage in ("ingest", "exact_dedup"):
        run_stage(repo, stage)
    before = _processor_seconds()
    measured = run_stage(repo, "near_dedup")
    seconds = _processor_seconds() - before
    counts = json.loads((repo / ".entropyguard" / "near_dedup.json").read_text(encoding="utf-8"))["counts"]
    _check(repo, texts)
    numbers = [f"{len(texts):,}", f"{seconds:.1f}", megabytes(measured.peak_bytes)]
    return seconds, [title, *numbers, f"{counts['judged']:,}", f"{counts['near']:,}"]


def _processor_seconds() -> float:
    """Of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _check(repo: Path, texts: Sequence[str]) -> None:
    """SystemExit unless no row is lost, and the pairs are what the texts say, word by word."""
    from entropyguard.core.words.word_diff import word_diff

    before, after, dropped = (
        set(pq.read_table(repo / name, columns=["row_id"])["row_id"].to_pylist())
        for name in ("after_exact_dedup.parquet", "after_near_dedup.parquet", "dropped/near.parquet")
    )
    if after & dropped or after | dropped != before:
        raise SystemExit(f"{len(after):,} rows are kept and {len(dropped):,} dropped of {len(before):,}")
    pairs = pq.read_table(repo / "near_pairs.parquet").to_pylist()
    for pair in random.Random(1).sample(pairs, min(_CHECKED_PAIRS, len(pairs))):
        diff = word_diff(texts[pair["row_a"]], texts[pair["row_b"]])
        if diff.similarity != pair["similarity"] or (diff.missing and diff.extra):
            raise SystemExit(f"rows {pair['row_a']} and {pair['row_b']} are no near-duplicates: {diff}")


def _template(rows: int) -> list[str]:
    rng = random.Random(2)
    return [
        f"On 2024-{rng.randint(1, 12):02}-{rng.randint(1, 28):02} the server {rng.randint(1, 9_999)} in rack "
        f"{rng.randint(1, 400)} reported {rng.randint(1, 10**6)} requests and a latency of {rng.randint(1, 900)} ms, "
        "which is within the limits that were agreed with the customer for this region."
        for _ in range(rows)
    ]


def _edits(rows: int) -> list[str]:
    """One text of 50 words, each time with one to three of them misspelt, dropped or moved."""
    rng = random.Random(3)
    words = rng.sample([word for word in made_words()[:3_000] if len(word) > 3], 50)
    edits: tuple[Callable[[list[str], int], None], ...] = (
        lambda some, at: some.insert(rng.randrange(len(some)), some.pop(at)),
        lambda some, at: some.__delitem__(at),
        lambda some, at: some.__setitem__(at, _misspelt(some[at], rng)),
    )
    texts: dict[str, None] = {}
    while len(texts) < rows:
        edited = list(words)
        for _ in range(rng.randint(1, 3)):
            rng.choice(edits)(edited, rng.randrange(len(edited)))
        texts[" ".join(edited)] = None
    return list(texts)


def _misspelt(word: str, rng: random.Random) -> str:
    at = rng.randrange(len(word) - 1)
    return rng.choice(
        (
            word[:at] + word[at + 1 :],
            word[:at] + rng.choice("aeinrst") + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        )
    )
