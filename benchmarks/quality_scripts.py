"""Sentences in many scripts: which would be taken for duplicates because the model cannot read them?

No two of the sentences are meant to be equal. Beside entropyguard's rule stands the simpler one, that a text is
unreadable when most of its tokens are unknown.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq
from measure import print_table
from pipeline import packaged_model

THRESHOLD = 0.95
_BLOCK_ROWS = 512
_EXAMPLES = 12

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sentences:
    """Distinct texts, by position: where they are from, and which a rule calls unreadable."""

    texts: list[str]
    languages: Sequence[str]
    scripts: Sequence[str]
    unreadable: Bools
    unknown: Bools


def judge_scripts(path: Path, most: int) -> None:
    """Print, by script and by language, the unreadable rows and the pairs at the threshold, with and without them."""
    sentences, vectors = _embed(path, most)
    pairs = np.array(list(_pairs(vectors, ~sentences.unknown)), dtype=np.int64).reshape(-1, 2)
    left = pairs[~sentences.unreadable[pairs].any(axis=1)]
    title = f"{path.stem}: {len(sentences.texts):,} sentences"
    _print_counts(f"{title} by script", "script", sentences.scripts, sentences, pairs, left)
    _print_counts(f"{title} by language", "language", sentences.languages, sentences, pairs, left)
    print(f"\nSome of the pairs that are left at {THRESHOLD}:")
    for one, other in random.Random(0).sample(left.tolist(), min(_EXAMPLES, len(left))):
        print(f"- {sentences.languages[one]}: {sentences.texts[one]} | {sentences.texts[other]}")


def _embed(path: Path, most: int) -> tuple[Sentences, npt.NDArray[np.float32]]:
    """The sentences and a vector for each, whether it can be read or not."""
    from entropyguard.core.embed.loader import load_encoder
    from entropyguard.core.embed.tokenizer import Tokens, read_tokenizer
    from entropyguard.core.rows.scripts import main_scripts, script_names

    texts, languages = _read(path, most)
    encoder, tokenizer = load_encoder(packaged_model()), read_tokenizer(packaged_model())
    tokenizer.no_padding()
    ids = [np.array(one.ids, dtype=np.int32) for one in tokenizer.encode_batch_fast(texts)]
    ends = np.cumsum([len(one) for one in ids])
    tokens = Tokens(np.concatenate(ids), ends, np.ones(len(ids), dtype=np.int64), [None] * len(ids))
    vectors = np.empty((len(texts), encoder.dimension), dtype=np.float32)
    for windows, piece in encoder.encode(tokens, np.arange(len(texts))):
        vectors[windows] = piece
    unknown = np.array([2 * (one == tokenizer.token_to_id("[UNK]")).sum() > len(one) - 2 for one in ids])
    unreadable = np.array([why is not None for why in encoder.tokenise(texts, 1).skipped])
    scripts = [[*script_names(), "none"][at] for at in main_scripts(pl.Series(texts))]
    return Sentences(texts, languages, scripts, unreadable, unknown), vectors


def _read(path: Path, most: int) -> tuple[list[str], list[str]]:
    """Up to `most` sentences that differ in more than case and white space, and their languages."""
    table = pq.read_table(path, columns=["text_b", "lang_b"]).to_pylist()
    first: dict[str, tuple[str, str]] = {}
    for row in table:
        first.setdefault(" ".join(row["text_b"].lower().split()), (row["text_b"], row["lang_b"]))
    rows = list(first.values())
    chosen = [rows[at] for at in sorted(random.Random(0).sample(range(len(rows)), min(most, len(rows))))]
    return [text for text, _ in chosen], [language for _, language in chosen]


def _pairs(vectors: npt.NDArray[np.float32], part: Bools) -> Iterator[tuple[int, int]]:
    """All pairs at or above the threshold among the rows that take part."""
    places = np.flatnonzero(part)
    taken = vectors[places]
    for start in range(0, len(taken), _BLOCK_ROWS):
        one, other = np.nonzero(taken[start : start + _BLOCK_ROWS] @ taken[start:].T >= THRESHOLD)
        later = other > one
        yield from zip(places[start + one[later]].tolist(), places[start + other[later]].tolist(), strict=True)


def _print_counts(title: str, kind: str, groups: Sequence[str], sentences: Sentences, pairs: Ints, left: Ints) -> None:
    """A line for each group with something to tell, those of most rows first; a pair is of its first row's group."""
    names, group = np.unique(np.array(groups), return_inverse=True)
    rows, unreadable = np.bincount(group), np.bincount(group, weights=sentences.unreadable)
    found, stay = (np.bincount(group[some[:, 0]], minlength=len(names)) for some in (pairs, left))
    lines = [
        [names[at], f"{rows[at]:,}", f"{unreadable[at] / rows[at]:.1%}", f"{found[at]:,}", f"{stay[at]:,}"]
        for at in np.argsort(-rows, kind="stable")
        if unreadable[at] or found[at]
    ]
    lines.append(
        ["all", f"{rows.sum():,}", f"{unreadable.sum() / rows.sum():.1%}", f"{len(pairs):,}", f"{len(left):,}"]
    )
    print_table(title, [kind, "rows", "unreadable", "pairs if only unknown tokens counted", "pairs"], lines)
