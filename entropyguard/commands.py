"""The commands beside the main one: flags in, a few printed lines out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CheckpointDir = Annotated[
    Path | None, typer.Option("--checkpoint-dir", metavar="DIR", help="The checkpoint dir. [default: current folder]")
]


def init(
    input_: Annotated[
        str | None, typer.Option("--input", metavar="PATH", help="The data, relative to the repo.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(metavar="NAME", help="The column to compare.")] = None,
    model_name: Annotated[str | None, typer.Option(metavar="NAME", help="The packaged model, or a folder.")] = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Renew dvc.yaml, stages/ and the model's fingerprint, edited or not.")
    ] = False,
) -> None:
    """Write the pipeline into a git + DVC repo.

    It goes into the current folder; from then on plain `dvc repro` runs it.
    """
    from entropyguard.data_repo import Choices, init_repo
    from entropyguard.printing import to_stderr

    complete = init_repo(Path.cwd(), Choices(input_, text_column, model_name), to_stderr, upgrade=upgrade)
    raise typer.Exit(0 if complete else 1)


def status(checkpoint_dir: CheckpointDir = None) -> None:
    """Show each stage's state and the reason.

    Nothing is run and nothing is written.
    """
    from entropyguard.printing import print_status
    from entropyguard.status import project_status

    print_status(project_status(checkpoint_dir or Path.cwd()))


def verify(
    strict: Annotated[bool, typer.Option("--strict", help="Rebuild in a temporary copy and compare.")] = False,
    checkpoint_dir: CheckpointDir = None,
) -> None:
    """Check that the results are the right ones.

    They are what the input, parameters, code and model give, or exit 1 names the stage that differs.
    """
    from entropyguard.printing import print_line
    from entropyguard.verify import verify as check

    verdict = check(checkpoint_dir or Path.cwd(), strict=strict)
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
    from entropyguard.explaining import explanations
    from entropyguard.printing import print_explanation

    for explanation in explanations(checkpoint_dir or Path.cwd(), row, random):
        print_explanation(explanation)


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
    from entropyguard.printing import size_text, to_stderr

    if vector_cache is not None:
        from entropyguard.vector_cache import cache_sizes, prune_cache

        before = sum(cache_sizes(vector_cache).values())
        freed = prune_cache(vector_cache, model_name)
        to_stderr(f"freed {size_text(freed)}, {size_text(before - freed)} stay")
        return
    from entropyguard.checkpoint_dir import clean as remove

    to_stderr(f"freed {size_text(remove(checkpoint_dir or Path.cwd()))}")
