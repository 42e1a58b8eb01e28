"""Removes duplicates from a file with one tool, in a process of its own: `python dedup.py TOOL ROWS REMOVED`.

ROWS is JSONL with `id`, `text` and, if only rows of one group are to be compared, `group`. REMOVED becomes JSONL:
the `id` of each removed row and of its `keeper`, where the tool tells it. Run by the interpreter that has the tool,
so this file imports nothing else. Settings are each tool's own defaults unless a flag says otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

Row = tuple[int, str]
Removed = Iterator[tuple[int, int | None]]


def semhash(rows: list[Row], arguments: argparse.Namespace) -> Removed:
    """`SemHash.from_records(...).self_deduplicate()`; --model is a folder in model2vec's format."""
    from semhash import SemHash

    records = [{"id": str(row), "text": text} for row, text in rows]
    deduplicator = SemHash.from_records(records, columns=["text"], model=_static_model(arguments.model))
    for one in deduplicator.self_deduplicate(threshold=arguments.threshold or 0.9).filtered:
        yield int(one.record["id"]), int(one.duplicate_of["id"])


def rensa(rows: list[Row], arguments: argparse.Namespace) -> Removed:
    """The example of its README: sets of words, 128 slots, Jaccard 0.8."""
    from rensa import RMinHash, RMinHashDeduplicator

    seen = RMinHashDeduplicator(threshold=arguments.threshold or 0.8, num_perm=128, use_lsh=True)
    sketches = RMinHash.from_token_sets([text.split() for _, text in rows], num_perm=128, seed=42)
    for (row, _), sketch in zip(rows, sketches, strict=True):
        similar = seen.get_duplicates(sketch)
        if similar:
            yield row, min(map(int, similar))
        else:
            seen.add(str(row), sketch)


def datasketch(rows: list[Row], arguments: argparse.Namespace) -> Removed:
    """MinHash LSH on runs of 5 lower-case words, 128 permutations, Jaccard 0.7."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=arguments.threshold or 0.7, num_perm=128)
    for row, text in rows:
        words = text.lower().split()
        sketch = MinHash(num_perm=128)
        sketch.update_batch([" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))])
        similar = index.query(sketch)
        if similar:
            yield row, min(similar)
        else:
            index.insert(row, sketch)


_TEXT_DEDUP = """
[input]
input_type = "local_files"
file_type = "parquet"
[input.read_arguments]
path = "parquet"
data_files = "rows/*.parquet"
split = "train"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
seed = 42
batch_size = 10000
num_perm = 240
threshold = {threshold}
false_positive_weight = 0.5
false_negative_weight = 0.5
hash_bits = 64
ngram_size = 5
check_false_positive = true
[output]
output_dir = "output"
skip_filtering = true
keep_index_column = true
keep_cluster_column = true
[debug]
enable_profiling = false
"""


def text_dedup(rows: list[Row], arguments: argparse.Namespace) -> Removed:
    """The configuration of its README: MinHash of runs of 5 words, 240 permutations, Jaccard 0.7, pairs checked.

    It leaves out texts of fewer than five words; they do not count as removed here.
    """
    import polars as pl
    from datasets import load_from_disk

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "rows").mkdir()
        pl.DataFrame({"id": [row for row, _ in rows], "text": [text for _, text in rows]}).write_parquet(
            work / "rows" / "part.parquet"
        )
        (work / "config.toml").write_text(_TEXT_DEDUP.format(threshold=arguments.threshold or 0.7))
        environment = {**os.environ, "HF_HOME": str(work / "cache")}
        command = [sys.executable, "-m", "text_dedup.minhash"]
        done = subprocess.run(command, check=False, cwd=work, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(done.stderr[-2000:])
        marked = load_from_disk(work / "output")
        columns = (marked[name] for name in ("id", "__INDEX__", "__CLUSTER__"))
        for row, index, cluster in zip(*columns, strict=True):
            if index != cluster:
                yield row, rows[cluster][0]


_MODELS: dict[str, object] = {}


def _static_model(folder: str) -> object:
    """The model, loaded once for all groups."""
    if folder not in _MODELS:
        from model2vec import StaticModel

        _MODELS[folder] = StaticModel.from_pretrained(folder)
    return _MODELS[folder]


TOOLS: dict[str, Callable[[list[Row], argparse.Namespace], Removed]] = {
    "semhash": semhash,
    "rensa": rensa,
    "datasketch": datasketch,
    "text-dedup": text_dedup,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("rows", type=Path)
    parser.add_argument("removed", type=Path)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--model")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in arguments.rows.read_text(encoding="utf-8").splitlines()]
    with arguments.removed.open("w", encoding="utf-8") as file:
        for _, group in itertools.groupby(rows, key=lambda row: row.get("group")):
            members = [(row["id"], row["text"]) for row in group]
            for row, keeper in TOOLS[arguments.tool](members, arguments):
                file.write(json.dumps({"id": row, "keeper": keeper}) + "\n")


if __name__ == "__main__":
    main()
