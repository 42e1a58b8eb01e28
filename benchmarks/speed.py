"""How long entropyguard takes for each of its jobs, beside the tools that do one of them.

    python benchmarks/speed.py [PART ...] [--rows N] [--data FILE ... --text-column NAME] [--embeddings FILE]
                               [--static-only] [--peer-venv DIR ...]

embedding: the encoder and SentenceTransformer.encode. pairs: the search and FAISS, flat and by lists. cluster: rows
that are all alike. exact: ingest and exact_dedup, duckdb and polars. near: near_dedup on mixed texts, one template,
edits of one text. whole: the command line, semhash, MinHash tools and the entropyguard that is on PyPI. export: that
stage, and polars parsing and writing its rows. Every part compares the answers before it prints a time. Without --data
the texts are docstrings of the packages installed here, or made.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from corpora import distinct, read_texts
from measure import print_machine
from peers import add_peer_flags, find_peers
from speed_cluster import time_cluster
from speed_embedding import time_embedding
from speed_exact import time_exact
from speed_export import time_export
from speed_near import time_near
from speed_pairs import embed, time_pairs
from speed_whole import time_whole

PARTS = {
    "embedding": 1_000,
    "pairs": 50_000,
    "cluster": 20_000,
    "exact": 200_000,
    "near": 34_000,
    "whole": 3_000,
    "export": 400_000,
}
"""The parts, and the rows of each unless --rows says otherwise."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART", help=f"{', '.join(PARTS)} [all]")
    parser.add_argument("--rows", type=int, help=f"rows of each part [{', '.join(map(str, PARTS.values()))}]")
    parser.add_argument(
        "--data", type=Path, nargs="+", metavar="FILE", help=".parquet or .jsonl files to take the texts from"
    )
    parser.add_argument("--text-column", default="text", metavar="NAME")
    parser.add_argument("--embeddings", type=Path, metavar="FILE", help="an embeddings.parquet for pairs, not texts")
    parser.add_argument("--static-only", action="store_true", help="whole: nothing with the transformer")
    add_peer_flags(parser)
    arguments = parser.parse_args()
    print_machine(["torch", "sentence-transformers", "faiss-cpu", "polars", "dvc"])
    peers = find_peers(["duckdb", "semhash", "rensa", "datasketch", "text-dedup", "entropyguard"], arguments.peer_venv)
    for part in arguments.parts or PARTS:
        rows = arguments.rows or PARTS[part]
        most = None if part == "near" else rows  # near takes some of all
        files = arguments.data or []
        texts = [text for file in files for text in read_texts(file, arguments.text_column, most)] or None
        with tempfile.TemporaryDirectory(prefix="entropyguard-speed-") as name:
            if part == "embedding":
                time_embedding(texts, rows, Path(name))
            elif part == "pairs":
                time_pairs(arguments.embeddings or embed(texts, rows, Path(name)), Path(name))
            elif part == "cluster":
                time_cluster(rows, Path(name))
            elif part == "near":
                time_near(texts and distinct(texts), rows, Path(name))
            elif part == "export":
                time_export(rows, Path(name))
            elif part == "exact":
                time_exact(texts, rows, peers, Path(name))
            else:
                time_whole(texts, rows, peers, Path(name), static_only=arguments.static_only)


if __name__ == "__main__":
    main()
