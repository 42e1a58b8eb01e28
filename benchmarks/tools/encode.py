"""Embeds texts with one library, in a process of its own: `python encode.py TOOL ROWS.jsonl VECTORS.npy MODEL`.

Prints the seconds of the encoding alone, without imports and loading the model, as JSON. VECTORS has a row a text.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def entropyguard(texts: list[str], model: Path) -> tuple[float, npt.NDArray[np.float32]]:
    """The encoder that the embed stage uses; a text longer than one window gets zeros."""
    from entropyguard.core.embed.loader import load_encoder

    encoder = load_encoder(model)
    vectors = np.zeros((len(texts), encoder.dimension), dtype=np.float32)
    start = time.perf_counter()
    tokens = encoder.tokenise(texts, 1)
    taken = np.flatnonzero(tokens.counts)
    for windows, piece in encoder.encode(tokens, np.arange(len(taken))):
        vectors[taken[windows]] = piece
    return time.perf_counter() - start, vectors


def sentence_transformers(texts: list[str], model: Path) -> tuple[float, npt.NDArray[np.float32]]:
    """`SentenceTransformer(...).encode(texts)`, all settings at their defaults; on the GPU, too, where there is one."""
    from sentence_transformers import SentenceTransformer

    encoder: Any = SentenceTransformer(str(model))
    start = time.perf_counter()
    vectors = encoder.encode(texts)
    return time.perf_counter() - start, vectors


TOOLS = {"entropyguard": entropyguard, "sentence-transformers": sentence_transformers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("rows", type=Path)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("model", type=Path)
    arguments = parser.parse_args()
    texts = [json.loads(line)["text"] for line in arguments.rows.read_text(encoding="utf-8").splitlines()]
    seconds, vectors = TOOLS[arguments.tool](texts, arguments.model)
    np.save(arguments.vectors, vectors)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
