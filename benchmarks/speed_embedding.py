"""Embedding: rows a second of the project's encoder and of SentenceTransformer.encode, the same model and texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from corpora import distinct, docstrings, write_rows
from measure import measure, megabytes, print_table
from peers import OFFLINE, TOOLS
from pipeline import packaged_model

_MOST_CHARACTERS = 600  # within 256 tokens, nearly always: both encoders read all of it
_SHORT = range(20, 120)  # characters: about 15 tokens
_FARTHEST = 1e-5  # one minus the cosine
_MOST_LEFT_OUT = 0.02  # of the rows: texts that one tool embeds in part and the other not at all
_SETTINGS = (
    ("SentenceTransformer.encode", "sentence-transformers"),
    ("entropyguard", "entropyguard"),
)


def time_embedding(texts: Sequence[str] | None, rows: int, work: Path) -> None:
    """Print a table for texts of mixed length and, unless `texts` are given, one for three times as many short ones."""
    mixed = distinct(text[:_MOST_CHARACTERS] for text in texts or docstrings(2 * rows))
    _time("texts of up to 600 characters", mixed[:rows], work)
    if texts is None:
        first_lines = (text.partition("\n")[0] for text in docstrings(10 * rows))
        _time("short texts", [line for line in distinct(first_lines) if len(line) in _SHORT][: 3 * rows], work)


def _time(title: str, texts: Sequence[str], work: Path) -> None:
    file, out = write_rows(work / "rows.jsonl", texts), work / "vectors.npy"
    lines, reference, slowest = [], None, 0.0
    for label, tool in _SETTINGS:
        measured = measure([sys.executable, TOOLS / "encode.py", tool, file, out, packaged_model()], env=OFFLINE)
        vectors, seconds = np.load(out), json.loads(measured.stdout)["seconds"]
        if reference is None:
            reference, slowest = vectors, seconds
        taken = vectors.any(axis=1)
        farthest = 1 - np.einsum("ij,ij->i", vectors[taken], reference[taken]).min()
        if farthest > _FARTHEST or (~taken).mean() > _MOST_LEFT_OUT:
            raise SystemExit(
                f"{label}: a vector is {farthest:.3f} off, {(~taken).sum()} are missing; no time is printed"
            )
        numbers = [f"{len(texts) / seconds:,.0f}", f"{slowest / seconds:.2f}", f"{farthest:.0e}"]
        lines.append([label, *numbers, megabytes(measured.peak_bytes)])
    print_table(
        f"Embedding {len(texts):,} {title}", ["encoder", "rows/s", "times as fast", "1 - cosine", "peak MB"], lines
    )
