"""The tools that entropyguard is measured against: where they are installed, and how to run them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from measure import Measured, measure

TOOLS = Path(__file__).parent / "tools"
HOW_TO_INSTALL = """\
Peers are looked for in this environment and in those named by --peer-venv (or ENTROPYGUARD_PEER_VENVS, separated
by colons). To make them:
  python3 -m venv /tmp/peers
  /tmp/peers/bin/pip install torch==2.13.0
  /tmp/peers/bin/pip install -c constraints.txt semhash "model2vec[distill]" duckdb datasketch rensa
text-dedup needs Python 3.12:
  python3.12 -m venv /tmp/peers-312
  /tmp/peers-312/bin/pip install text-dedup==0.4.1
and, since the tool on PyPI has this project's name and needs old libraries:
  python3 -m venv /tmp/peers-old
  /tmp/peers-old/bin/pip install torch==2.13.0 entropyguard==1.23.0 sentence-transformers==2.7.0 transformers==4.44.2
Then: --peer-venv /tmp/peers --peer-venv /tmp/peers-old"""

SETTINGS = (
    ("semhash, static MiniLM, 0.90", "semhash", 0.90),
    ("semhash, static MiniLM, 0.95", "semhash", 0.95),
    ("rensa MinHash, words, 0.8", "rensa", 0.8),
    ("datasketch MinHash, 5 words, 0.7", "datasketch", 0.7),
    ("text-dedup MinHash, 5 words, 0.7", "text-dedup", 0.7),
)
"""What each tool is run with: label, package, threshold. The defaults of the tool or of its documentation."""

_PYPI_MAJOR = "1."
OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
_DISTILL = """
import sys
from model2vec.distill import distill
distill(sys.argv[1]).save_pretrained(sys.argv[2])
"""


@dataclass(frozen=True)
class Peer:
    """A tool that is installed: the interpreter that has it, and its version."""

    package: str
    python: Path
    version: str


def add_peer_flags(parser: argparse.ArgumentParser) -> None:
    """--peer-venv, the environments to look in."""
    named = os.environ.get("ENTROPYGUARD_PEER_VENVS", "")
    parser.add_argument(
        "--peer-venv",
        type=Path,
        action="append",
        default=[Path(folder) for folder in named.split(":") if folder],
        metavar="DIR",
        help="a virtual environment with peers in it; may be given several times",
    )


def find_peers(packages: list[str], venvs: list[Path]) -> dict[str, Peer]:
    """Those that are installed, by package; prints a line about each. `entropyguard` means the tool on PyPI (1.x)."""
    found: dict[str, Peer] = {}
    for python in [Path(sys.executable), *(venv / "bin" / "python" for venv in venvs)]:
        for package, version in _installed(python, packages).items():
            if package != "entropyguard" or version.startswith(_PYPI_MAJOR):
                found.setdefault(package, Peer(package, python, version))
    for package in packages:
        peer = found.get(package)
        print(f"{package}: {f'{peer.version} ({peer.python.parent.parent})' if peer else 'not installed'}")
    if len(found) < len(packages):
        print(HOW_TO_INSTALL)
    return found


def _installed(python: Path, packages: list[str]) -> dict[str, str]:
    script = """
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
    done = subprocess.run([python, "-c", script, *packages], check=True, capture_output=True, text=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def clean_with_peers(
    rows: Path, peers: dict[str, Peer], static: Path | None, work: Path
) -> Iterator[tuple[str, Measured, dict[int, int | None]]]:
    """Each installed tool's default settings on JSONL: a label, time and memory, and the rows it removed.

    Of each removed row the keeper, None where the tool does not tell it. static: the model of semhash.
    """
    removed = work / "removed.jsonl"
    for label, package, threshold in SETTINGS:
        if package in peers:
            command: list[str | Path] = [peers[package].python, TOOLS / "dedup.py", package, rows, removed]
            command += ["--threshold", str(threshold), *(["--model", static] if static else [])]
            measured = measure(command, env=OFFLINE)
            records = [json.loads(line) for line in removed.read_text(encoding="utf-8").splitlines()]
            yield label, measured, {record["id"]: record["keeper"] for record in records}


def clean_with_pypi_tool(
    rows: Path, peers: dict[str, Peer], model: Path, work: Path
) -> Iterator[tuple[str, Measured, dict[int, int | None]]]:
    """The same for entropyguard 1.x, if it is installed; without its least length of 50 characters."""
    if "entropyguard" in peers:
        peer, out = peers["entropyguard"], work / "pypi.jsonl"
        flags = ["--input", rows, "--output", out, "--text-column", "text", "--min-length", "1", "--model-name", model]
        measured = measure([peer.python.parent / "entropyguard", *flags], env=OFFLINE)
        kept = _ids(out)
        yield f"entropyguard {peer.version} (PyPI)", measured, {row: None for row in _ids(rows) if row not in kept}


def _ids(rows: Path) -> dict[int, None]:
    return {json.loads(line)["id"]: None for line in rows.read_text(encoding="utf-8").splitlines()}


def distil_static_model(peer: Peer, model: Path, folder: Path) -> Path:
    """The transformer in `model` as a static model, made by model2vec unless it is there already (half a minute)."""
    if not (folder / "config.json").exists():
        measure([peer.python, "-c", _DISTILL, model, folder], env=OFFLINE)
    return folder
