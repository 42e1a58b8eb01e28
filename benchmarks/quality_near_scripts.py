"""Sentences in many scripts: which does near_dedup remove, and for what? To be read: no two are meant to be equal."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from corpora import distinct, write_rows
from measure import print_table
from pipeline import Drop, drops, make_repo, run_stage

_READ = 20  # removed rows of each script


def judge_near_scripts(path: Path, work: Path) -> None:
    """Print by script how many rows near_dedup removes of all sentences of a column, and some of them."""
    for column, language in (("text_b", "lang_b"), ("text_a", "lang_a")):
        table = pq.read_table(path, columns=[column, language]).to_pylist()
        languages = {row[column]: row[language] for row in reversed(table)}
        texts = distinct(row[column] for row in table if row[column])
        repo = make_repo(work / f"{path.stem}-{column}", write_rows(work / f"{path.stem}-{column}.jsonl", texts))
        for stage in ("ingest", "exact_dedup", "near_dedup"):
            run_stage(repo, stage)
        dropped = drops(repo, "near")
        scripts = _scripts(texts)
        _print_counts(f"{path.stem}, {column}: {len(texts):,} sentences", texts, scripts, dropped)
        _print_removed(texts, [languages[text] for text in texts], scripts, dropped)


def _scripts(texts: Sequence[str]) -> list[str]:
    from entropyguard.core.rows.scripts import main_scripts, script_names

    names = [*script_names(), "none"]
    return [names[at] for at in main_scripts(pl.Series(texts))]


def _print_counts(title: str, texts: Sequence[str], scripts: Sequence[str], dropped: dict[int, Drop]) -> None:
    rows: dict[str, list[int]] = {}
    for at in range(len(texts)):
        rows.setdefault(scripts[at], []).append(at)
    lines = []
    for script in sorted(rows, key=lambda script: -len(rows[script])):
        gone = [dropped[at] for at in rows[script] if at in dropped]
        same = sum(drop.similarity == 1 for drop in gone)
        lines.append([script, f"{len(rows[script]):,}", len(gone), same, len(gone) - same])
    print_table(title, ["script", "rows", "removed", "for the same words", "for others"], lines)


def _print_removed(
    texts: Sequence[str], languages: Sequence[str], scripts: Sequence[str], dropped: dict[int, Drop]
) -> None:
    """Up to 20 rows of each script, those first that lack or misspell a word."""
    of_script: dict[str, list[int]] = {}
    for row in random.Random(0).sample(sorted(dropped), len(dropped)):
        of_script.setdefault(scripts[row], []).append(row)
    for script, rows in of_script.items():
        print(f"\n{script}, similarity: removed | kept")
        for row in sorted(rows, key=lambda row: dropped[row].similarity == 1)[:_READ]:
            drop = dropped[row]
            print(f"- {languages[row]} {drop.similarity:.3f}: {texts[row]} | {texts[drop.keeper]}")
