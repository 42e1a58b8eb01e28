"""The command line: flags -> build -> printed lines -> exit code. No logic of its own.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from entropyguard.cli import commands
from entropyguard.cli.arguments import check_values, one_or_several
from entropyguard.cli.endings import end
from entropyguard.cli.flags import REFUSED, by_flags, path_error
from entropyguard.cli.interrupt import Interrupted
from entropyguard.cli.separators import one_value_each, unescaped
from entropyguard.core.errors import EntropyguardError, UsageError

if TYPE_CHECKING:
    from entropyguard.run.request import Request

app = typer.Typer(
    name="entropyguard",
    help="Remove exact, near and semantic duplicates from text data sets, on your own machine. Every run is an "
    "incremental build on DVC: a run that was killed goes on where it stopped, a change redoes only what it touches.",
    epilog="Exit codes: 0 ok, 1 stopped or failed, 2 usage, 64 data format, 65 input, 66 output, 70 bug, "
    "130/143 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"entropyguard {version('entropyguard')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    input_: Annotated[
        str,
        typer.Option("--input", metavar="PATH", help="A file, folder or glob of JSONL, CSV or Parquet; - is stdin."),
    ] = "",
    output: Annotated[
        str,
        typer.Option("--output", metavar="FILE", help="The cleaned data; its ending tells the format; - is stdout."),
    ] = "",
    text_column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="The column to compare, or a path such as messages[].content; given several times, all of them. "
            "[default: text, a chat, instruction and output, prompt and completion, or the one text column]",
        ),
    ] = None,
    checkpoint_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Build here and keep the checkpoints. [default: a private folder]"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Use the checkpoints in DIR that are still valid, build the others.")
    ] = False,
    no_semantic: Annotated[
        bool, typer.Option("--no-semantic", help="Exact and near-duplicates only: no model is loaded.")
    ] = False,
    dedup_threshold: Annotated[
        float | None,
        typer.Option(metavar="COSINE", help="At or above it a row is a semantic duplicate. [default: 0.95]"),
    ] = None,
    near_threshold: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Of equal words: at or above it a near-duplicate; 0: off. [default: 0.85]"),
    ] = None,
    min_length: Annotated[
        int | None,
        typer.Option(
            metavar="CHARS", help="Drop shorter texts; 1: those with no letter, digit or symbol. [default: 0]"
        ),
    ] = None,
    model_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="The packaged model, or a folder. [default: all-MiniLM-L6-v2]")
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="Let --model-name be fetched from the Hugging Face hub.")
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="The one to keep: first, longest, shortest, column:NAME or column:NAME:min. [default: first]",
        ),
    ] = None,
    source_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where rows come from: what is dropped is counted for each."),
    ] = None,
    source_priority: Annotated[
        str, typer.Option(metavar="A,B", help="Keep rows of source A before those of B, B's before all others.")
    ] = "",
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="RULE", help="stars: like the kept row; components: like any of a group. [default: stars]"
        ),
    ] = None,
    protect: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="What keeps semantic duplicates apart: numbers,negation,names,frame. [default: all]"
        ),
    ] = None,
    no_protect: Annotated[
        bool, typer.Option("--no-protect", help="Nothing does: rows of one template with other facts go, too.")
    ] = False,
    protect_numbers: Annotated[
        bool, typer.Option("--protect-numbers", help="Rows that differ in their numbers are no duplicates of any kind.")
    ] = False,
    max_loss: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Stop before publishing if more is dropped, of all rows or of a source."),
    ] = None,
    chunk_size: Annotated[
        int | None,
        typer.Option(
            metavar="CHARS",
            help="Split longer texts into several rows first; needs entropyguard[chunks]. [default: off]",
        ),
    ] = None,
    chunk_overlap: Annotated[
        int | None, typer.Option(metavar="CHARS", help="What a chunk repeats of the one before. [default: 0]")
    ] = None,
    separators: Annotated[
        list[str] | None, typer.Option(metavar="TEXT...", help=r"Where to split, best first, e.g. '\n\n' '\n' '. '.")
    ] = None,
    required_columns: Annotated[
        str, typer.Option(metavar="A,B", help="Reject rows without a value in one of these columns.")
    ] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="A row that cannot be read stops the run (exit 64).")
    ] = False,
    audit_log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write why each row went: .jsonl, .json, .csv or .parquet.")
    ] = None,
    audit_text: Annotated[
        str | None, typer.Option(metavar="CHARS|full", help="How much of each text the audit shows. [default: 1000]")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page about what was removed, to look at.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the summary as JSON; - is stdout.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which stages would run and why; write nothing.")
    ] = False,
    max_memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="For the search, e.g. 8GB. [default: half of the machine's]")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="For embedding and search. [default: all]")
    ] = None,
    vector_cache: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Share embedded vectors with other checkpoint dirs.")
    ] = None,
    profile_memory: Annotated[bool, typer.Option("--profile-memory", help="Print each stage's peak memory.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print what the stages and DVC said.")] = False,
    show_version: Annotated[  # noqa: ARG001  its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Remove exact, near and semantic duplicates from text data sets, on your own machine.

    Every run is an incremental build on DVC: a run that was killed goes on where it stopped, a change redoes only
    what it touches.
    """
    if context.invoked_subcommand is not None:
        return
    if not input_ or not output:
        raise UsageError("--input and --output are needed; `entropyguard --help` shows all flags.")
    from entropyguard.cli import printing
    from entropyguard.run.request import Request

    request = Request(
        input=input_,
        output=output,
        text_column=one_or_several(text_column),
        checkpoint_dir=checkpoint_dir,
        resume=resume,
        no_semantic=no_semantic,
        dedup_threshold=dedup_threshold,
        near_threshold=near_threshold,
        min_length=min_length,
        model_name=model_name,
        allow_download=allow_download,
        keep=keep,
        source_column=source_column,
        source_priority=_names(source_priority),
        cluster=cluster,
        protect=None if protect is None else _names(protect),
        no_protect=no_protect,
        protect_numbers=protect_numbers,
        max_loss=max_loss,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        separators=tuple(map(unescaped, separators or ())),
        required_columns=_names(required_columns),
        strict=strict,
        report=report,
        audit_log=audit_log,
        audit_text=audit_text,
        json_file=json_file,
        max_memory=printing.parse_size(max_memory) if max_memory else None,
        threads=threads,
        vector_cache=vector_cache,
        quiet=quiet,
        verbose=verbose,
    )
    try:
        _do(request, dry_run=dry_run, memory=profile_memory)
    except EntropyguardError as error:
        error.args = (by_flags(str(error)),)
        raise
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        raise path_error(error, request) from error


def _do(request: Request, *, dry_run: bool, memory: bool) -> None:
    """What the main command is for, with flags that are well-formed."""
    from entropyguard.cli import printing

    if dry_run:
        from entropyguard.run.plan import planned

        printing.print_plan(planned(request))
        return
    from entropyguard.run.build import run_build

    say = printing.silent if request.quiet else printing.to_stderr
    summary = run_build(request, say)
    printing.say_summary(summary, say, memory=memory)
    if request.json_file is not None:
        printing.write_summary(summary, request.json_file)


def _names(listed: str) -> tuple[str, ...]:
    """The names in `a, b`."""
    return tuple(name.strip() for name in listed.split(",") if name.strip())


_COMMANDS = (commands.init, commands.status, commands.verify, commands.explain, commands.sweep, commands.clean)
for command in _COMMANDS:
    app.command()(command)


def main() -> NoReturn:
    """Run the command line and exit with the documented exit code."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    verbose = any(flag in sys.argv[1:] for flag in ("--verbose", "-v"))
    try:
        group = typer.main.get_group(app)
        check_values(sys.argv[1:], [group, *group.commands.values()])
        app(list(one_value_each(sys.argv[1:])))
    except (Exception, Interrupted) as problem:  # noqa: BLE001  the rim of the process: all of them end in an exit code
        end(problem, verbose=verbose)
    raise SystemExit(0)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of a signal handler
    # Once is enough: a second Ctrl-C must not cut the cleaning up short.
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    raise Interrupted(signum)
