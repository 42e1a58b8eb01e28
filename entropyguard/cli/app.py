"""The command line: flags -> build -> printed lines -> exit code. No logic of its own.

Nothing heavy is imported at the top, so that `--help` answers at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from entropyguard.cli import commands, options
from entropyguard.cli.arguments import check_values, one_or_several
from entropyguard.cli.flags import REFUSED, path_error
from entropyguard.cli.help import GroupedHelp
from entropyguard.cli.separators import one_value_each, unescaped
from entropyguard.core.errors import EntropyguardError, UsageError
from entropyguard.core.no_pandas import leave_pandas_out

if TYPE_CHECKING:
    from entropyguard.run.request import Request

app = typer.Typer(
    name="entropyguard",
    cls=GroupedHelp,
    epilog="Exit codes: 0 ok, 1 stopped or failed, 2 usage, 64 data format, 65 input, 66 output, 70 bug, "
    "130/143 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    input_: options.Input = "",
    output: options.Output = "",
    text_column: options.TextColumn = None,
    checkpoint_dir: options.CheckpointDir = None,
    resume: options.Resume = False,
    no_semantic: options.NoSemantic = False,
    dedup_threshold: options.DedupThreshold = None,
    near_threshold: options.NearThreshold = None,
    keep: options.Keep = None,
    report: options.Report = None,
    required_columns: options.RequiredColumns = "",
    min_length: options.MinLength = None,
    chunk_size: options.ChunkSize = None,
    chunk_overlap: options.ChunkOverlap = None,
    separators: options.Separators = None,
    mark: options.Mark = False,
    audit_log: options.AuditLog = None,
    audit_text: options.AuditText = None,
    json_file: options.JsonFile = None,
    model_name: options.ModelName = None,
    allow_download: options.AllowDownload = False,
    cluster: options.Cluster = None,
    protect: options.Protect = None,
    no_protect: options.NoProtect = False,
    protect_numbers: options.ProtectNumbers = False,
    source_column: options.SourceColumn = None,
    source_priority: options.SourcePriority = "",
    max_loss: options.MaxLoss = None,
    strict: options.Strict = False,
    encoding: options.Encoding = None,
    dry_run: options.DryRun = False,
    threads: options.Threads = None,
    workers: options.Workers = None,
    ray: options.Ray = None,
    max_memory: options.MaxMemory = None,
    vector_cache: options.VectorCache = None,
    profile_memory: options.ProfileMemory = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    show_version: options.Version = False,  # noqa: ARG001  its callback does the work
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
    from entropyguard.run.flag_words import by_flags
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
        mark=mark,
        chunk_size=chunk_size,
        chunk_overlap=chunk_overlap,
        separators=tuple(map(unescaped, separators or ())),
        required_columns=_names(required_columns),
        strict=strict,
        encoding=encoding,
        report=report,
        audit_log=audit_log,
        audit_text=audit_text,
        json_file=json_file,
        max_memory=printing.parse_size(max_memory) if max_memory else None,
        threads=threads,
        workers=workers,
        ray=ray,
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

    say = printing.silent if request.quiet else printing.to_stderr
    if dry_run:
        from entropyguard.run.plan import planned

        printing.print_plan(planned(request, say))
        return
    from entropyguard.run.build import run_build

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


def run_flags(arguments: list[str]) -> None:
    """Do what the command line's arguments say."""
    leave_pandas_out()
    group = typer.main.get_group(app)
    check_values(arguments, [group, *group.commands.values()])
    app(list(one_value_each(arguments)))
