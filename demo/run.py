"""The demo: remove the duplicates among the docstrings of Python's own standard library, then do it again.

The corpus is real text that every Python carries: about eleven thousand docstrings with many natural repeats.
It is written to `data.jsonl`, so that plain `dvc repro` works in this checkout afterwards.
"""

from __future__ import annotations

import ast
import json
import shlex
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def docstrings(library: Path) -> Iterator[dict[str, str]]:
    """Every docstring of the modules below `library`, with the name of what it describes."""
    warnings.simplefilter("ignore")  # old modules spell escapes in ways that new Pythons warn of
    for path in sorted(library.rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # the library's own tests hold files that are wrong on purpose
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    name = getattr(node, "name", "")
                    yield {"module": str(path.relative_to(library)), "name": name, "text": text}


def write_corpus(path: Path) -> int:
    """Write the corpus as JSONL and return its rows."""
    rows = list(docstrings(Path(sysconfig.get_path("stdlib"))))
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return len(rows)


def show(*arguments: str) -> None:
    """Print a command as a user would type it, and run it."""
    sys.stdout.write(f"\n$ {shlex.join(['entropyguard', *arguments])}\n")
    sys.stdout.flush()
    subprocess.run([sys.executable, "-m", "entropyguard", *arguments], check=True, cwd=ROOT)


def main() -> None:
    """Build the corpus, clean it, show some of what went, and show that a second run does nothing twice."""
    sys.stdout.write(f"data.jsonl: {write_corpus(ROOT / 'data.jsonl'):,} docstrings of the standard library\n")
    run = ["--input", "data.jsonl", "--output", "demo/cleaned.jsonl", "--text-column", "text"]
    run += ["--checkpoint-dir", "demo/checkpoints"]
    show(*run)
    show("explain", "--random", "3", "--checkpoint-dir", "demo/checkpoints")
    show(*run, "--resume")
    sys.stdout.write("\nThe result is demo/cleaned.jsonl. Plain `dvc repro` works here too, with .venv active.\n")


if __name__ == "__main__":
    main()
