"""What the user asked for, as the command line and `entropyguard.dedup` hand it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STDIN = "-"
DATA = "data"
"""What data in memory are called."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; None where a flag was not given."""

    input: str
    output: str
    text_column: str | tuple[str, ...] | None = None
    checkpoint_dir: Path | None = None
    resume: bool = False
    dedup_threshold: float | None = None
    near_threshold: float | None = None
    min_length: int | None = None
    no_semantic: bool = False
    model_name: str | None = None
    allow_download: bool = False
    required_columns: tuple[str, ...] = ()
    keep: str | None = None
    source_column: str | None = None
    source_priority: tuple[str, ...] = ()
    cluster: str | None = None
    protect: tuple[str, ...] | None = None
    no_protect: bool = False
    protect_numbers: bool = False
    max_loss: float | None = None
    mark: bool = False
    chunk_size: int | None = None
    chunk_overlap: int | None = None
    separators: tuple[str, ...] = ()
    strict: bool = False
    encoding: str | None = None
    report: str | None = None
    audit_log: str | None = None
    audit_text: str | None = None
    json_file: str | None = None
    max_memory: int | None = None
    threads: int | None = None
    workers: int | None = None
    ray: str | None = None
    vector_cache: Path | None = None
    quiet: bool = False
    verbose: bool = False
    spool: Callable[[Path], Path] | None = None
    """Writes the input into a folder and returns the file, in place of what comes on stdin."""
