"""The flags of the main command: what each takes, what `--help` says of it, and in which group.

A flag stands in `--help` where it stands among the parameters of `run` in `cli/app.py`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

GROUPS = ("First of all", "Input", "Output", "What is a duplicate", "Which one to keep", "Guards", "Running")
"""The groups of `--help`, in its order. Without rich a help panel is no more than a name."""

_first, _input, _output, _duplicate, _keep, _guard, _running = (
    partial(typer.Option, rich_help_panel=group) for group in GROUPS
)


def _show_version(value: bool) -> None:
    if value:
        from importlib.metadata import version  # as slow to load as typer

        typer.echo(f"entropyguard {version('entropyguard')}")
        raise typer.Exit


Input = Annotated[
    str, _first("--input", metavar="PATH", help="JSON, CSV, Parquet, Arrow: file, folder, glob or s3://; - is stdin.")
]
Output = Annotated[
    str, _first("--output", metavar="FILE", help="In the format of its ending; folder/ is Hugging Face's; - stdout.")
]
TextColumn = Annotated[
    list[str] | None,
    _first(metavar="NAME", help="What to compare: a column, or messages[].content; may be repeated. [default: found]"),
]
CheckpointDir = Annotated[
    Path | None, _first(metavar="DIR", help="Build here and keep the checkpoints. [default: a private folder]")
]
Resume = Annotated[bool, _first("--resume", help="Use the checkpoints in DIR that are still valid, build the others.")]
NoSemantic = Annotated[bool, _first("--no-semantic", help="Exact and near-duplicates only: loads no model.")]
DedupThreshold = Annotated[
    float | None, _first(metavar="COSINE", help="At or above it a row is a semantic duplicate. [default: 0.95]")
]
NearThreshold = Annotated[
    float | None,
    _first(metavar="SHARE", help="Of equal words: at or above it a near-duplicate; 0: off. [default: 0.85]"),
]
Keep = Annotated[
    str | None,
    _first(
        metavar="POLICY",
        help="Of duplicates: first, longest, shortest, column:NAME or column:NAME:min. [default: first]",
    ),
]
Report = Annotated[str | None, _first(metavar="FILE.html", help="Write a page about what was removed, to look at.")]

RequiredColumns = Annotated[str, _input(metavar="A,B", help="Reject rows without a value in one of these.")]
MinLength = Annotated[
    int | None,
    _input(metavar="CHARS", help="Drop shorter texts; 1: those with no letter, digit or symbol. [default: 0]"),
]
ChunkSize = Annotated[
    int | None,
    _input(
        metavar="CHARS", help="Split longer texts into several rows first; needs entropyguard[chunks]. [default: off]"
    ),
]
ChunkOverlap = Annotated[int | None, _input(metavar="CHARS", help="How much a chunk repeats of the last. [default: 0]")]
Separators = Annotated[
    list[str] | None, _input(metavar="TEXT...", help=r"Where to split, best first, e.g. '\n\n' '\n' '. '.")
]

Mark = Annotated[bool, _output("--mark", help="Write every row, also those that go, with what became of it.")]
AuditLog = Annotated[str | None, _output(metavar="FILE", help="Why each row went: .jsonl, .json, .csv, .parquet.")]
AuditText = Annotated[str | None, _output(metavar="CHARS|full", help="How much of each text it shows. [default: 1000]")]
JsonFile = Annotated[str | None, _output("--json", metavar="FILE", help="Write the summary as JSON; - is stdout.")]

ModelName = Annotated[str | None, _duplicate(metavar="NAME", help="Its name, or a folder. [default: all-MiniLM-L6-v2]")]
AllowDownload = Annotated[bool, _duplicate("--allow-download", help="Fetch --model-name from the Hugging Face hub.")]
Cluster = Annotated[
    str | None,
    _duplicate(metavar="RULE", help="stars: like the kept row; components: like any of a group. [default: stars]"),
]
Protect = Annotated[
    str | None,
    _duplicate(
        metavar="A,B", help="What keeps semantic duplicates apart: numbers,negation,names,frame. [default: all]"
    ),
]
NoProtect = Annotated[
    bool, _duplicate("--no-protect", help="Nothing does: rows of one template with other facts go, too.")
]
ProtectNumbers = Annotated[
    bool, _duplicate("--protect-numbers", help="Rows that differ in their numbers are no duplicates of any kind.")
]

SourceColumn = Annotated[str | None, _keep(metavar="NAME", help="Where rows come from: drops are counted for each.")]
SourcePriority = Annotated[
    str, _keep(metavar="A,B", help="Keep rows of source A before those of B, B's before all others.")
]

MaxLoss = Annotated[
    float | None, _guard(metavar="SHARE", help="Stop before publishing if more is dropped, of all rows or of a source.")
]
Encoding = Annotated[
    str | None, _input(metavar="NAME", help="Of JSON, CSV and TSV, e.g. utf-16, cp1252; out: UTF-8. [default: utf-8]")
]
Strict = Annotated[bool, _guard("--strict", help="A row that cannot be read stops the run (exit 64).")]
DryRun = Annotated[bool, _guard("--dry-run", help="Say which stages would run and why; write nothing.")]

Threads = Annotated[int | None, _running(metavar="N", min=1, help="For embedding and search. [default: all]")]
Workers = Annotated[int | None, _running(metavar="N", min=1, help="Processes at work. [default: one a core]")]
Ray = Annotated[str | None, _running(metavar="ADDRESS", help="Of a Ray cluster to work on; local starts one.")]
MaxMemory = Annotated[str | None, _running(metavar="SIZE", help="For the search, e.g. 8GB. [default: half of all]")]
VectorCache = Annotated[Path | None, _running(metavar="DIR", help="Share embedded vectors with other checkpoint dirs.")]
ProfileMemory = Annotated[bool, _running("--profile-memory", help="Print each stage's peak memory.")]
Quiet = Annotated[bool, _running("--quiet", "-q", help="Print errors only.")]
Verbose = Annotated[bool, _running("--verbose", "-v", help="Print what the stages and DVC said.")]
Version = Annotated[
    bool, _running("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
]
