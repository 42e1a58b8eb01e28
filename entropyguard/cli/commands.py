"""The commands beside the main one: flags in, a few printed lines out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from entropyguard.cli.arguments import one_or_several

if TYPE_CHECKING:
    from entropyguard.project.project import Project

CheckpointDir = Annotated[
    Path | None, typer.Option("--checkpoint-dir", metavar="DIR", help="The checkpoint dir. [default: current folder]")
]


def _project(checkpoint_dir: Path | None) -> Project:
    """The project that a command is about."""
    from entropyguard.project.project import Project

    return Project.opened(checkpoint_dir or Path.cwd())


def init(
    input_: Annotated[
        str | None, typer.Option("--input", metavar="PATH", help="The data, relative to the repo.")
    ] = None,
    text_column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What to compare: a column, or messages[].content; may be repeated."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of JSON, CSV and TSV, e.g. utf-16, cp1252. [default: utf-8]")
    ] = None,
    model_name: Annotated[str | None, typer.Option(metavar="NAME", help="The packaged model, or a folder.")] = None,
    no_semantic: Annotated[
        bool, typer.Option("--no-semantic", help="Exact and near-duplicates only: no model is needed.")
    ] = False,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Renew the pipeline's files and the model's fingerprint, edited or not.")
    ] = False,
) -> None:
    """Write the pipeline into a git + DVC repo.

    It goes into the current folder; from then on plain `dvc repro` runs it.
    """
    from entropyguard.cli.printing import to_stderr
    from entropyguard.project.data_repo import Choices, init_repo

    semantic = False if no_semantic else None
    choices = Choices(input_, one_or_several(text_column), model_name, semantic, encoding)
    complete = init_repo(Path.cwd(), choices, to_stderr, upgrade=upgrade)
    raise typer.Exit(0 if complete else 1)


def status(checkpoint_dir: CheckpointDir = None) -> None:
    """Show each stage's state and the reason.

    Nothing is run and nothing is written.
    """
    from entropyguard.cli.printing import print_line
    from entropyguard.cli.printing_tables import print_status
    from entropyguard.project.status import SEMANTIC_OFF, project_status

    project = _project(checkpoint_dir)
    print_status(project_status(project))
    if not project.params.semantic.enabled:
        print_line(SEMANTIC_OFF)


def verify(
    strict: Annotated[bool, typer.Option("--strict", help="Rebuild in a temporary copy and compare.")] = False,
    checkpoint_dir: CheckpointDir = None,
) -> None:
    """Check that the results are the right ones.

    They are what the input, parameters, code and model give, or exit 1 names the stage that differs.
    """
    from entropyguard.cli.printing import print_line
    from entropyguard.queries.verify import verify as check

    verdict = check(_project(checkpoint_dir), strict=strict)
    for line in verdict.lines():
        print_line(line)
    raise typer.Exit(1 if verdict.differences else 0)


def explain(
    row: Annotated[int | None, typer.Argument(metavar="ROW", help="A row id, from 0.")] = None,
    random: Annotated[int, typer.Option(metavar="N", min=0, help="Explain N dropped rows drawn at random.")] = 0,
    checkpoint_dir: CheckpointDir = None,
) -> None:
    """Show what became of a row, and why.

    Its keeper, the similarity, and the two texts side by side.
    """
    from entropyguard.cli.printing import print_line
    from entropyguard.cli.printing_tables import print_explanation
    from entropyguard.queries.explain import explanations

    found = explanations(_project(checkpoint_dir), row, random)
    first = next(found, None)
    if first is None:
        print_line("No row was dropped, so there is none to show.")
        return
    for explanation in chain([first], found):
        print_explanation(explanation)


def sweep(
    stage: Annotated[
        str, typer.Option(metavar="STAGE", help="semantic, or near: thresholds of near_dedup.")
    ] = "semantic",
    first: Annotated[
        float | None,
        typer.Option("--from", metavar="SIMILARITY", help="The lowest threshold. [default: that of the stored pairs]"),
    ] = None,
    last: Annotated[float, typer.Option("--to", metavar="SIMILARITY", help="The highest.")] = 0.99,
    step: Annotated[float, typer.Option(metavar="SIMILARITY", help="From one to the next.")] = 0.01,
    extend: Annotated[
        bool, typer.Option("--extend", help="Below search.floor: search the stored vectors again, beside the pipeline.")
    ] = False,
    examples: Annotated[int, typer.Option(metavar="N", min=0, help="Pairs to show at each threshold.")] = 2,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write it as JSON; - is stdout, without the table.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw dropped rows by threshold: .png or .svg.")
    ] = None,
    checkpoint_dir: CheckpointDir = None,
) -> None:
    """Show what other thresholds would drop.

    From the stored pairs: nothing is embedded, and the results stay as they are.
    """
    from entropyguard.cli.printing import to_stderr
    from entropyguard.cli.printing_sweep import check_sweep_targets, draw_sweep, print_sweep, write_sweep
    from entropyguard.queries.sweep import SweepRequest
    from entropyguard.queries.sweep import sweep as decide
    from entropyguard.run.streams import descriptor_of

    project = _project(checkpoint_dir)
    check_sweep_targets(project, json_file, plot)
    found = decide(project, SweepRequest(first, last, step, extend, examples, stage), to_stderr)
    if plot is not None:
        draw_sweep(found, plot)
    if json_file is not None:
        write_sweep(found, json_file)
    if not any(descriptor_of(path) == 1 for path in (json_file, plot) if path is not None):  # stdout is for data then
        print_sweep(found)


def clean(
    checkpoint_dir: CheckpointDir = None,
    vector_cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Instead: remove vectors here that --model-name cannot use.")
    ] = None,
    model_name: Annotated[str, typer.Option(metavar="NAME", help="With --vector-cache.")] = "all-MiniLM-L6-v2",
) -> None:
    """Remove a checkpoint dir and its stores.

    In a data repo: the stored vectors and searches.
    """
    from entropyguard.cli.printing import say_removed, size_text, to_stderr

    if vector_cache is not None:
        from entropyguard.queries.vector_cache import cache_bytes, prune_cache

        removed = prune_cache(vector_cache, model_name)
        say_removed(removed, to_stderr, stays=f", {size_text(cache_bytes(vector_cache))} stay")
        return
    from entropyguard.project.clean import clean as remove

    say_removed(remove(checkpoint_dir or Path.cwd()), to_stderr)
